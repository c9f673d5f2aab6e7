/* remind.c: reminders of appointments, as delayed jobs.
 *
 * Booking and moving plan one job for each reminder that still lies ahead, in a lane of its own. The job
 * names the appointment's sequence: if the record has another one by then, or is not booked any more, the job
 * ends without a word. So nothing has to be called back when an appointment moves. A reminder is a text while
 * free text may be sent, else the template of its row; the event is told in any case. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/booking/booking_int.h"

#include "channels/conversation.h"
#include "channels/message.h"
#include "queue/base/clock.h"
#include "queue/base/log.h"
#include "queue/jobs.h"

#define EARLY_MS   2000 /* a job may be so much before its time */
#define TEXT_BYTES 4000

static const char text_default[] = "A reminder of your appointment: {{service}}, {{date}}.";

void booking_remind(struct changes *cs, const char *part, const json_t *agent, const json_t *appointment)
{
    const json_t *rows = jx_arr(booking_settings(agent), "reminders");
    const char *id = jx_str_or(appointment, "id", "");
    int64_t starts_ms, now = clock_wall_ms(), sequence = jx_int(appointment, "sequence", 0);
    bool date_only;

    if (!clock_parse(jx_str_or(appointment, "starts_at", ""), &starts_ms, &date_only)) {
        return;
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        int64_t before = jx_int(row, "before_minutes", 0), due = starts_ms - before * BOOKING_MINUTE;
        char lane[JOB_LANE_MAX];
        if (due <= now) {
            continue;
        }
        json_t *payload = json_pack("{s:s, s:I, s:I, s:O}", "appointment_id", id, "sequence",
                                    (json_int_t)sequence, "due_ms", (json_int_t)due, "reminder", row);
        snprintf(lane, sizeof lane, "%.60s/%lld/%zu", id, (long long)sequence, i);
        changes_push(cs, QUEUE_REMINDER, part, lane, due - now, payload);
        json_decref(payload);
    }
}

/* One reminder under way. */
struct remind {
    struct changes *cs;
    struct snapshot *snap;
    const char *part;
    const json_t *row;
    json_t *appointment, *agent, *conversation;
    uint64_t rev; /* of the conversation */
};

/* The value of a name in a reminder's text; NULL if it has none. */
static const char *variable(const struct remind *r, const char *name, size_t size, struct buf *scratch)
{
    int64_t at_ms = 0;
    bool date_only;

    buf_reset(scratch);
    if (size == 4 && memcmp(name, "name", 4) == 0) {
        buf_adds(scratch, jx_str_or(r->appointment, "name", ""));
    } else if (size == 7 && memcmp(name, "service", 7) == 0) {
        const char *id = jx_str_or(r->appointment, "service", "");
        buf_adds(scratch, jx_str_or(booking_service(r->agent, id, NULL, NULL), "name", id));
    } else if (size == 8 && memcmp(name, "resource", 8) == 0) {
        buf_adds(scratch, jx_str_or(r->appointment, "resource", ""));
    } else if (size == 4 && memcmp(name, "date", 4) == 0 &&
               clock_parse(jx_str_or(r->appointment, "starts_at", ""), &at_ms, &date_only)) {
        booking_local(booking_zone(r->agent), at_ms, scratch);
    } else {
        return NULL;
    }
    return buf_str(scratch);
}

/* The text with {{name}}, {{service}}, {{resource}} and {{date}} filled in; anything else stays. */
static void fill(const struct remind *r, const char *text, struct buf *out)
{
    struct buf scratch;

    buf_init(&scratch, TEXT_BYTES);
    while (*text != '\0') {
        const char *open = strstr(text, "{{"), *close = open != NULL ? strstr(open, "}}") : NULL;
        const char *value =
            close != NULL ? variable(r, open + 2, (size_t)(close - open) - 2, &scratch) : NULL;
        const char *end = close != NULL ? close + 2 : text + strlen(text);
        if (value != NULL) {
            buf_add(out, text, (size_t)(open - text));
            buf_adds(out, value);
        } else {
            buf_add(out, text, (size_t)(end - text));
        }
        text = end;
    }
    buf_fini(&scratch);
}

/* The platform's template object of a row. New reference. */
static json_t *template_content(const struct remind *r, const json_t *template)
{
    const json_t *given = jx_arr(template, "parameters");
    json_t *parameters = json_array();
    json_t *content = json_pack("{s:s, s:{s:s}}", "name", jx_str_or(template, "name", ""), "language", "code",
                                jx_str_or(template, "language", "en"));
    struct buf text;

    buf_init(&text, TEXT_BYTES);
    for (size_t i = 0; i < json_array_size(given); i++) {
        const char *raw = json_string_value(json_array_get(given, i));
        json_t *parameter = json_object();
        buf_reset(&text);
        fill(r, raw != NULL ? raw : "", &text);
        jx_set_str(parameter, "type", "text");
        jx_set_str(parameter, "text", buf_str(&text));
        jx_push(parameters, parameter);
    }
    buf_fini(&text);
    if (json_array_size(parameters) > 0) {
        jx_set(content, "components", json_pack("[{s:s, s:O}]", "type", "body", "parameters", parameters));
    }
    json_decref(parameters);
    return content;
}

/* Sends the reminder where it may be sent. True if something leaves. */
static bool send(struct remind *r)
{
    int64_t now = clock_wall_ms();
    const json_t *template = jx_obj(r->row, "template");
    struct buf text;
    struct message_draft draft = {
        .author_type = "system", .type = "text", .confidence = -1, .source = "flow"};

    if (r->conversation == NULL) {
        return false;
    }
    bool open = conversation_window_open(r->conversation, now);
    if (!open && template == NULL && !conversation_has_fallback(r->snap, r->part, r->conversation)) {
        return false;
    }
    buf_init(&text, TEXT_BYTES);
    fill(r, jx_str_or(r->row, "text", text_default), &text);
    json_t *content = !open && template != NULL ? template_content(r, template) : NULL;
    draft.type = content != NULL ? "template" : "text";
    draft.text = buf_str(&text);
    draft.content = content;
    jx_set_time(r->conversation, "last_message_at", now);
    conversation_put(r->cs, r->part, r->conversation, r->rev);
    message_send(r->cs, r->snap, r->part, r->conversation, &draft);
    json_decref(content);
    buf_fini(&text);
    return true;
}

/* The conversation to write in: the booking's own, else an open one of the contact with this agent. */
static void find_conversation(struct remind *r)
{
    const char *own = jx_str(r->appointment, "conversation_id"),
               *contact = jx_str(r->appointment, "contact_id");
    struct page_query query = {.kind = KIND_CHANNEL,
                               .part = r->part,
                               .index = INDEX_CHANNEL_BY_AGENT,
                               .match = {jx_str_or(r->appointment, "agent_id", "-")},
                               .limit = 100};
    struct store_page page;

    if (own != NULL && conversation_get(r->snap, r->part, own, &r->conversation, &r->rev) == ERR_OK) {
        return;
    }
    r->conversation = NULL;
    if (contact == NULL || snapshot_page(r->snap, &query, &page) != ERR_OK) {
        return;
    }
    for (size_t i = 0; i < page.count && r->conversation == NULL; i++) {
        if (conversation_find(r->snap, r->part, page.rows[i].id, contact, &r->conversation, &r->rev) !=
            ERR_OK) {
            r->conversation = NULL;
        }
    }
    store_page_free(&page);
}

/* Whether the appointment is still what the job was planned for. */
static bool still_due(const json_t *appointment, const json_t *payload)
{
    int64_t starts_ms = 0;
    bool date_only;

    return strcmp(jx_str_or(appointment, "status", ""), "booked") == 0 &&
           jx_int(appointment, "sequence", -1) == jx_int(payload, "sequence", 0) &&
           clock_parse(jx_str_or(appointment, "starts_at", ""), &starts_ms, &date_only) &&
           starts_ms > clock_wall_ms();
}

/* Adds message and event; whoever moves or cancels at this moment fails the guard of one of us. */
static enum err remind(struct remind *r, const json_t *payload)
{
    uint64_t rev = 0;
    const char *id = jx_str_or(payload, "appointment_id", "-");
    enum err rc = snapshot_get(r->snap, KIND_APPOINTMENT, r->part, id, &r->appointment, &rev);

    if (rc != ERR_OK || !still_due(r->appointment, payload)) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    rc = snapshot_get(r->snap, KIND_AGENT, r->part, jx_str_or(r->appointment, "agent_id", "-"), &r->agent,
                      NULL);
    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    r->row = jx_obj(payload, "reminder");
    find_conversation(r);
    changes_expect(r->cs, KIND_APPOINTMENT, r->part, id, rev);
    json_t *extra = json_object();
    jx_set_bool(extra, "sent", send(r));
    jx_set_int(extra, "before_minutes", jx_int(r->row, "before_minutes", 0));
    booking_tell(r->cs, r->snap, r->part, "appointment.reminder", r->appointment, extra);
    json_decref(extra);
    return ERR_OK;
}

/* The handler of QUEUE_REMINDER. */
static void remind_run(struct job *job, void *arg)
{
    const json_t *payload = job_payload(job);
    int64_t early = jx_int(payload, "due_ms", 0) - clock_wall_ms();
    struct remind r = {.cs = changes_new(), .part = job_partition(job)};

    (void)arg;
    if (early > EARLY_MS) {
        changes_postpone(r.cs, job, early);
        job_finish(job, r.cs, NULL, NULL);
        return;
    }
    enum err rc = snapshot_open(job_store(job), &r.snap);
    if (rc == ERR_OK) {
        rc = remind(&r, payload);
        snapshot_close(r.snap);
    }
    json_decref(r.appointment);
    json_decref(r.agent);
    json_decref(r.conversation);
    if (rc == ERR_OK) {
        changes_ack(r.cs, job);
    } else {
        changes_free(r.cs);
        r.cs = changes_new();
        changes_fail(r.cs, job, err_name(rc));
    }
    job_finish(job, r.cs, NULL, NULL);
}

void booking_register(struct workers *workers)
{
    workers_handle(workers, QUEUE_REMINDER, remind_run, NULL);
}
