/* talk_batch.c: several messages in one call, each with its own answer and status, in the order given.
 *
 * A message is taken in by a change-set of its own and waits for its own turn. Up to ABREAST of them are
 * under way at once, but of one thread one after the other: the agent has answered what came before when the
 * next is said. A message that fails says so in its own row; the others go on. Under an Idempotency-Key the
 * answer is on record before it leaves. The batch lives in the request's arena; its watches end with it. */
#include <stdio.h>
#include <string.h>

#include "bridge/api/idempotency.h"
#include "bridge/api/reply.h"
#include "bridge/api/talk.h"
#include "channels/conversation.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"

#define ABREAST     8
#define TRIES_MOST  12
#define DEADLINE_MS 120000

enum item_state { ITEM_WAITING, ITEM_TAKING, ITEM_COMMITTED, ITEM_DONE };

struct batch;
struct item {
    struct batch *batch;
    const json_t *body;
    struct talk_speaker speaker;
    struct message_received ids;
    enum item_state state;
    unsigned tries;
    struct agent_watch *watch;
    struct loop_timer *timer;
    bool early;         /* the end came before the notice of the commit */
    json_t *early_said; /* what was said then, may be NULL */
    const char *early_source;
    json_t *row; /* its answer */
};
struct batch {
    struct call *c;
    struct item *items;
    size_t count, open, under_way;
    bool ended;
    json_t *agent, *channel;
};

static void go_on(struct batch *b);

static void item_quiet(struct item *item)
{
    loop_cancel(item->timer);
    item->timer = NULL;
    if (item->watch != NULL) {
        agent_watch_stop(item->watch);
        item->watch = NULL;
    }
}

/* With the request's arena. */
static void batch_fini(void *arg)
{
    struct batch *b = arg;
    b->ended = true;
    for (size_t i = 0; i < b->count; i++) {
        item_quiet(&b->items[i]);
        json_decref(b->items[i].early_said);
        json_decref(b->items[i].row);
    }
    json_decref(b->agent);
    json_decref(b->channel);
}

/* The row is there. */
static void item_end(struct item *item, json_t *row)
{
    struct batch *b = item->batch;
    item_quiet(item);
    item->state = ITEM_DONE;
    item->row = row;
    b->open--;
    b->under_way--;
    go_on(b);
}

/* The agent has said what it says. */
static void item_answered(struct item *item, const json_t *message, const char *source)
{
    json_t *row = talk_answer(&item->ids, item->speaker.thread, message, source);
    jx_set_str(row, "status", "ok");
    item_end(item, row);
}

/* Nothing comes any more, or the message could not be taken in. */
static void item_failed(struct item *item, enum api_error code, const char *field, const char *why)
{
    json_t *row = json_object(), *error = json_object();
    jx_set_str(row, "status", "error");
    jx_set_str(row, "thread_id", item->speaker.thread);
    jx_set_str(error, "code", api_error_row(code)->code);
    jx_set_str(error, "message", why);
    if (field != NULL) {
        jx_set_str(error, "field", field);
    }
    jx_set(row, "error", error);
    item_end(item, row);
}

static void on_deadline(void *arg)
{
    struct item *item = arg;
    item->timer = NULL;
    item_failed(item, API_NO_ANSWER, NULL, "The agent did not answer in time; the message is kept.");
}

static void on_news(const struct agent_news *news, void *arg)
{
    struct item *item = arg;
    const char *answers = news->answers != NULL ? news->answers : "";
    bool ends = news->final && news->kind != AGENT_STARTED && news->kind != AGENT_DELTA;
    if (!ends || item->state == ITEM_DONE || item->early ||
        (answers[0] != '\0' && strcmp(answers, item->ids.message_id.text) < 0)) {
        return;
    }
    const char *source = news->kind == AGENT_REPLIED  ? "fallback"
                         : news->kind == AGENT_FAILED ? NULL
                                                      : "human";
    if (item->state != ITEM_COMMITTED) {
        item->early = true;
        item->early_said = news->message != NULL ? json_deep_copy(news->message) : NULL;
        item->early_source = source;
    } else if (source == NULL) {
        item_failed(item, API_NO_ANSWER, NULL, "The agent could not answer; the message is kept.");
    } else {
        item_answered(item, news->message, source);
    }
}

static void item_begin(struct item *item);

/* The message is durable, or it is to be taken in once more. */
static void on_taken(enum err rc, uint64_t rev, void *arg)
{
    struct item *item = arg;
    (void)rev;
    if (item->batch->ended) {
        return;
    }
    if (rc == ERR_CONFLICT || rc == ERR_SEEN) {
        item_quiet(item);
        item->early = false;
        item_begin(item);
        return;
    }
    if (rc != ERR_OK) {
        item_failed(item, API_STORAGE, NULL, "Nothing can be stored at the moment; try again soon.");
        return;
    }
    item->state = ITEM_COMMITTED;
    if (item->speaker.human) {
        item_answered(item, NULL, "human");
    } else if (item->early && item->early_source == NULL) {
        item_failed(item, API_NO_ANSWER, NULL, "The agent could not answer; the message is kept.");
    } else if (item->early) {
        item_answered(item, item->early_said, item->early_source);
    } else {
        item->timer = loop_after(http_loop(item->batch->c->req), DEADLINE_MS, on_deadline, item);
    }
}

/* Takes one message in. */
static void item_begin(struct item *item)
{
    struct batch *b = item->batch;
    struct store *store = b->c->api->app->store;
    struct snapshot *snap = NULL;
    enum err rc = item->tries++ < TRIES_MOST ? snapshot_open(store, &snap) : ERR_BUSY;
    if (rc != ERR_OK) {
        item_failed(item, API_UNAVAILABLE, NULL, "Too much is waiting; try again soon.");
        return;
    }
    struct changes *cs = changes_new();
    rc = talk_find_thread(snap, b->c->part, &item->speaker);
    if (rc == ERR_OK) {
        rc = talk_take(cs, snap, b->c->part, &item->speaker, item->body, &item->ids);
    }
    snapshot_close(snap);
    if (rc != ERR_OK) {
        changes_free(cs);
        item_failed(item, API_INTERNAL, NULL, "The message could not be taken in.");
        return;
    }
    item->state = ITEM_TAKING;
    item->watch = agent_watch_start(b->c->part, item->ids.conversation_id.text, on_news, item);
    store_submit(store, cs, on_taken, item);
}

/* True if nothing that was said before in the same thread is still unanswered. */
static bool may_begin(const struct batch *b, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (b->items[i].state != ITEM_DONE &&
            strcmp(b->items[i].speaker.thread, b->items[index].speaker.thread) == 0) {
            return false;
        }
    }
    return b->items[index].state == ITEM_WAITING && b->under_way < ABREAST;
}

static void on_recorded(enum err rc, uint64_t rev, void *arg)
{
    struct call *c = arg;
    (void)rev;
    if (rc != ERR_OK) {
        log_warn("idempotency.not_recorded", "request=%s error=%s", http_request_id(c->req), err_name(rc));
    }
    call_answer(c);
}

/* All rows are there: the answer leaves. */
static void batch_end(struct batch *b)
{
    struct call *c = b->c;
    json_t *out = json_object(), *rows = json_array();
    b->ended = true;
    for (size_t i = 0; i < b->count; i++) {
        jx_push(rows, json_incref(b->items[i].row));
    }
    jx_set(out, "results", rows);
    c->status = 200;
    c->answer = call_keep(c, out);
    if (c->idem_id[0] == '\0' || snapshot_open(c->api->app->store, &c->snap) != ERR_OK) {
        call_answer(c);
        return;
    }
    struct changes *cs = call_changes(c);
    idempotency_add(c, 200, out);
    c->changes = NULL;
    store_submit(c->api->app->store, cs, on_recorded, c);
}

/* Begins what may begin; ends the batch when nothing is open. */
static void go_on(struct batch *b)
{
    for (size_t i = 0; i < b->count && !b->ended; i++) {
        if (may_begin(b, i)) {
            b->under_way++;
            b->items[i].state = ITEM_TAKING;
            item_begin(&b->items[i]);
        }
    }
    if (b->open == 0 && !b->ended) {
        batch_end(b);
    }
}

/* The channel is durable: the messages may be said. */
static void on_channel(struct call *c, uint64_t rev)
{
    (void)rev;
    go_on(c->state);
}

/* Every message of the list has the fields of a single one. False: the call has ended. */
static bool items_fit(struct call *c, const json_t *messages)
{
    size_t i;
    json_t *item;
    struct schema_fault fault;
    if (json_array_size(messages) == 0) {
        call_fail(c, API_BAD_FIELD, "messages", "messages must hold at least one message.");
        return false;
    }
    json_array_foreach (messages, i, item) {
        if (schema_check(SCHEMA_INVOKE, item, false, &fault) != ERR_OK) {
            const char *field = arena_printf(c->arena, "messages/%zu/%s", i, fault.field);
            call_fail(c, fault.unknown ? API_UNKNOWN_FIELD : API_BAD_FIELD, field, "%s %s.", field,
                      fault.why);
            return false;
        }
    }
    return true;
}

/* A batch of the call's messages. */
static struct batch *batch_new(struct call *c, struct talk_speaker *s, const json_t *messages)
{
    struct batch *b = arena_alloc(c->arena, sizeof(*b));
    memset(b, 0, sizeof(*b));
    b->c = c;
    b->agent = json_incref(s->agent);
    b->channel = json_incref(s->channel);
    b->count = b->open = json_array_size(messages);
    b->items = arena_alloc(c->arena, b->count * sizeof(*b->items));
    memset(b->items, 0, b->count * sizeof(*b->items));
    for (size_t i = 0; i < b->count; i++) {
        const json_t *body = json_array_get(messages, i);
        const char *thread = jx_str(body, "thread_id");
        b->items[i].batch = b;
        b->items[i].body = body;
        b->items[i].speaker = *s;
        b->items[i].speaker.thread =
            thread != NULL && thread[0] != '\0' ? thread : arena_strdup(c->arena, id_new("thr").text);
    }
    arena_defer(c->arena, batch_fini, b);
    return b;
}

void talk_batch(struct call *c, struct talk_speaker *s)
{
    const json_t *messages = jx_arr(c->body, "messages");
    if (!items_fit(c, messages) || !call_charge(c, (unsigned)json_array_size(messages))) {
        return;
    }
    c->state = batch_new(c, s, messages);
    call_commit_then(c, 202, json_pack("{s:s}", "status", "accepted"), on_channel);
}
