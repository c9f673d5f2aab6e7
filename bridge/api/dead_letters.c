/* dead_letters.c: jobs that failed too often. A retry gives the job back to its queue and lane with its tries
 * at zero. */
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "queue/jobs.h"

#define BULK_MOST 500

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

/* Gives the job back to its queue; the letter goes. False: its queue is not known any more. */
static bool requeue(struct call *c, const json_t *letter, const char *id, uint64_t rev)
{
    const struct queue_row *queue = queue_of(jx_str_or(letter, "queue", ""));
    if (queue == NULL) {
        return false;
    }
    drop(c, id, rev);
    changes_push(call_changes(c), queue->queue, c->part, jx_str_or(letter, "lane", "-"), 0,
                 json_object_get(letter, "payload"));
    return true;
}

void dead_letters_retry(struct call *c)
{
    uint64_t rev;
    const char *id = call_param(c, "letter");
    json_t *letter = call_find(c, KIND_DEAD, id, &rev);
    if (letter == NULL) {
        return;
    }
    if (!requeue(c, letter, id, rev)) {
        call_fail(c, API_IMPOSSIBLE, NULL, "The queue of this job is not known any more.");
        return;
    }
    call_audit(c, "dead_letter.retried", id);
    json_t *answer = json_object();
    jx_set_str(answer, "id", id);
    jx_set_str(answer, "status", "queued");
    call_commit(c, 202, answer);
}

/* One of many: counted as done or as skipped. */
static void settle_one(struct call *c, const struct store_row *row, bool retry, json_t *answer)
{
    const char *queue = jx_str(c->body, "queue"), *counted = "done";
    if (queue != NULL && strcmp(jx_str_or(row->body, "queue", ""), queue) != 0) {
        return;
    }
    if (!retry) {
        drop(c, row->id, row->rev);
    } else if (!requeue(c, row->body, row->id, row->rev)) {
        counted = "skipped";
    }
    jx_set_int(answer, counted, jx_int(answer, counted, 0) + 1);
}

/* The letters of "ids"; those that are gone are skipped. */
static void settle_ids(struct call *c, const json_t *ids, bool retry, json_t *answer)
{
    for (size_t i = 0; i < json_array_size(ids); i++) {
        struct store_row row = {.rev = 0};
        const char *id = json_string_value(json_array_get(ids, i));
        if (strlen(id) <= STORE_ID_MAX &&
            snapshot_get(c->snap, KIND_DEAD, c->part, id, &row.body, &row.rev) == ERR_OK) {
            memcpy(row.id, id, strlen(id) + 1);
            settle_one(c, &row, retry, answer);
            json_decref(row.body);
        } else {
            jx_set_int(answer, "skipped", jx_int(answer, "skipped", 0) + 1);
        }
    }
}

/* The oldest BULK_MOST letters. False: the call has ended. */
static bool settle_all(struct call *c, bool retry, json_t *answer)
{
    struct page_query query = {.kind = KIND_DEAD, .part = c->part, .limit = BULK_MOST};
    struct store_page page;
    enum err rc = snapshot_page(c->snap, &query, &page);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return false;
    }
    for (size_t i = 0; i < page.count; i++) {
        settle_one(c, &page.rows[i], retry, answer);
    }
    jx_set_bool(answer, "more", page.more);
    store_page_free(&page);
    return true;
}

void dead_letters_bulk(struct call *c)
{
    bool retry = strcmp(jx_str_or(c->body, "action", ""), "retry") == 0, all = jx_bool(c->body, "all", false);
    json_t *ids = jx_arr(c->body, "ids"),
           *answer = json_pack("{s:i, s:i, s:b}", "done", 0, "skipped", 0, "more", 0);
    call_keep(c, answer);
    if ((ids != NULL) == all) {
        call_fail(c, API_BAD_FIELD, "ids", "Give either ids or all.");
        return;
    }
    if (call_snap(c) == NULL || (all && !settle_all(c, retry, answer))) {
        return;
    }
    settle_ids(c, ids, retry, answer);
    call_audit(c, retry ? "dead_letters.retried" : "dead_letters.dropped", NULL);
    call_commit(c, 200, json_incref(answer));
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
