/* stored.c: a delivery's record, read and completed as text; see stored.h. */
#include "bridge/webhooks/stored.h"

#include <stdlib.h>
#include <string.h>

#include "queue/base/clock.h"

static const char *const names[STORED_FIELDS] = {
    [STORED_WEBHOOK] = "webhook_id",   [STORED_EVENT] = "event_id",
    [STORED_TYPE] = "event_type",      [STORED_STATUS] = "status",
    [STORED_REPLAY] = "replay",        [STORED_TRIES] = "tries",
    [STORED_ATTEMPTS] = "attempts",    [STORED_RESPONSE] = "response_status",
    [STORED_NEXT] = "next_attempt_at", [STORED_FINISHED] = "finished_at",
    [STORED_UPDATED] = "updated_at",
};

json_t *stored_json(struct stored *stored)
{
    if (stored->parsed == NULL && jx_parse_lenient(stored->text, stored->size, &stored->parsed) != ERR_OK) {
        stored->parsed = json_object();
    }
    return stored->parsed;
}

/* Reads the fields out of the parsed record: it has escapes, or was not written by us. */
static void read_slowly(struct stored *stored)
{
    const json_t *record = stored_json(stored);
    strncpy(stored->event_id, jx_str_or(record, "event_id", ""), sizeof(stored->event_id) - 1);
    strncpy(stored->event_type, jx_str_or(record, "event_type", ""), sizeof(stored->event_type) - 1);
}

enum err stored_take(struct stored *stored, const void *data, size_t size)
{
    const struct jx_span *fields = stored->fields;
    *stored = (struct stored){.text = xstrndup(data, size), .size = size};
    if (!jx_spans(stored->text, size, names, STORED_FIELDS, stored->fields)) {
        return ERR_CORRUPT;
    }
    if (!jx_span_str(&fields[STORED_EVENT], stored->event_id, sizeof(stored->event_id)) ||
        !jx_span_str(&fields[STORED_TYPE], stored->event_type, sizeof(stored->event_type))) {
        read_slowly(stored);
    }
    stored->pending = jx_span_is(&fields[STORED_STATUS], "\"pending\"");
    stored->replay = jx_span_is(&fields[STORED_REPLAY], "true");
    if (fields[STORED_TRIES].at != NULL) {
        stored->tries = (unsigned)strtoul(fields[STORED_TRIES].at, NULL, 10);
    }
    return ERR_OK;
}

void stored_fini(struct stored *stored)
{
    json_decref(stored->parsed);
    free(stored->text);
    stored->parsed = NULL;
    stored->text = NULL;
}

/* True if nothing has happened to the delivery since it was made. */
static bool is_fresh(const struct stored *stored)
{
    const struct jx_span *fields = stored->fields;
    return stored->text != NULL && stored->pending && jx_span_is(&fields[STORED_ATTEMPTS], "[]") &&
           fields[STORED_STATUS].at < fields[STORED_ATTEMPTS].at && fields[STORED_TRIES].at == NULL &&
           fields[STORED_RESPONSE].at == NULL && fields[STORED_NEXT].at == NULL &&
           fields[STORED_FINISHED].at == NULL && fields[STORED_UPDATED].at == NULL &&
           stored->text[stored->size - 1] == '}';
}

bool stored_delivered(const struct stored *stored, const struct buf *note, long status, int64_t now_ms,
                      struct buf *out)
{
    const struct jx_span *was = &stored->fields[STORED_STATUS], *attempts = &stored->fields[STORED_ATTEMPTS];
    char now[CLOCK_TEXT_SIZE];
    if (!is_fresh(stored)) {
        return false;
    }
    const char *rest = attempts->at + attempts->size;
    buf_add(out, stored->text, (size_t)(was->at - stored->text));
    buf_adds(out, "\"delivered\"");
    buf_add(out, was->at + was->size, (size_t)(attempts->at - was->at) - was->size);
    buf_addc(out, '[');
    buf_add(out, note->data, note->len);
    buf_addc(out, ']');
    buf_add(out, rest, (size_t)(stored->text + stored->size - 1 - rest));
    clock_rfc3339(now_ms, now);
    buf_addf(out, ",\"tries\":1,\"response_status\":%ld,\"finished_at\":\"%s\",\"updated_at\":\"%s\"}",
             status, now, now);
    return true;
}
