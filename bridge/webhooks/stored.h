/* stored.h: the record of a delivery as it lies in the store.
 *
 * Nearly every delivery is brought at its first attempt, and then little of its record is read and four
 * fields of it are written. So it is kept as text and parsed only when that is not how it went; what is
 * written is the same text, letter for letter, either way. Thread: one at a time. */
#ifndef CHASQUI_WEBHOOKS_STORED_H
#define CHASQUI_WEBHOOKS_STORED_H

#include "queue/base/buf.h"
#include "queue/base/id.h"
#include "queue/base/json.h"
#include "queue/base/json_span.h"

#define EVENT_TYPE_SIZE 80

enum stored_field {
    STORED_WEBHOOK,
    STORED_EVENT,
    STORED_TYPE,
    STORED_STATUS,
    STORED_REPLAY,
    STORED_TRIES,
    STORED_ATTEMPTS,
    STORED_RESPONSE,
    STORED_NEXT,
    STORED_FINISHED,
    STORED_UPDATED,
    STORED_FIELDS
};

struct stored {
    char *text; /* NULL: nothing was taken */
    size_t size;
    struct jx_span fields[STORED_FIELDS];
    json_t *parsed; /* NULL until somebody asks */
    char event_id[ID_SIZE], event_type[EVENT_TYPE_SIZE];
    bool pending, replay;
    unsigned tries; /* attempts made */
};

/* Copies the record's text and reads what every attempt needs. ERR_CORRUPT: it is no object. */
enum err stored_take(struct stored *stored, const void *data, size_t size) MUST_CHECK;
void stored_fini(struct stored *stored); /* a zeroed one is fine */
/* The whole record, to be changed as the caller likes; the struct's own. */
json_t *stored_json(struct stored *stored);
/* Adds the record's text after a first attempt that brought the event: note is the attempt as JSON text,
 * status the answer's. False, and nothing added, if the record is not one that has only been made. */
bool stored_delivered(const struct stored *stored, const struct buf *note, long status, int64_t now_ms,
                      struct buf *out);

#endif
