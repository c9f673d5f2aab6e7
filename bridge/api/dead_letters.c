/* dead_letters.c: jobs that failed too often. A retry gives the job back to its queue and lane with its tries
 * at zero. */
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "queue/jobs.h"

static json_t *show(const json_t *letter)
{
    return json_incref((json_t *)letter);
}

void dead_letters_list(struct call *c)
{
    struct list_spec spec = {
        .query = {.kind = KIND_DEAD, .part = c->part, .descending = true}, .show = show, .cursors = true};
    if (call_snap(c) != NULL) {
        spec.total = (int64_t)snapshot_count(c->snap, KIND_DEAD, c->part, INDEX_NONE, NULL);
        list_reply(c, &spec);
    }
}

/* The queue of that name, NULL if there is none. */
static const struct queue_row *queue_of(const char *name)
{
    for (int i = 0; i < QUEUE_LAST; i++) {
        const struct queue_row *row = queue_row((enum queue_id)i);
        if (row != NULL && strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

/* The letter goes. */
static void drop(struct call *c, const char *id, uint64_t rev)
{
    changes_expect(call_changes(c), KIND_DEAD, c->part, id, rev);
    changes_delete(call_changes(c), KIND_DEAD, c->part, id);
}

void dead_letters_retry(struct call *c)
{
    uint64_t rev;
    const char *id = call_param(c, "letter");
    json_t *letter = call_find(c, KIND_DEAD, id, &rev);
    if (letter == NULL) {
        return;
    }
    const struct queue_row *queue = queue_of(jx_str_or(letter, "queue", ""));
    if (queue == NULL) {
        call_fail(c, API_IMPOSSIBLE, NULL, "The queue of this job is not known any more.");
        return;
    }
    drop(c, id, rev);
    changes_push(call_changes(c), queue->queue, c->part, jx_str_or(letter, "lane", "-"), 0,
                 json_object_get(letter, "payload"));
    call_audit(c, "dead_letter.retried", id);
    json_t *answer = json_object();
    jx_set_str(answer, "id", id);
    jx_set_str(answer, "status", "queued");
    call_commit(c, 202, answer);
}

void dead_letters_delete(struct call *c)
{
    uint64_t rev;
    const char *id = call_param(c, "letter");
    if (call_find(c, KIND_DEAD, id, &rev) != NULL) {
        drop(c, id, rev);
        call_audit(c, "dead_letter.dropped", id);
        call_commit(c, 204, NULL);
    }
}
