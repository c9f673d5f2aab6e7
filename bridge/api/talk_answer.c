/* talk_answer.c: waits for the turn that deals with a message, and renders what the agent says.
 *
 * News may come before the notice of our own commit: it is kept and looked at behind it. A turn that began
 * before our message says so (its `answers` is an older id) and is not ours. A draft that a conflict took
 * back starts again; whoever streams sees a new start. Exactly one end: reply, hand-over, silence, failure,
 * deadline, the key's end, or the client going away. */
#include <string.h>

#include "bridge/api/auth.h"
#include "bridge/api/idempotency.h"
#include "bridge/api/reply.h"
#include "bridge/api/talk.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"

#define DEADLINE_MS 120000
#define SENT_MAX    (1u << 20)

/* Ends everything that could still call back. */
static void quiet(struct talk *t)
{
    loop_cancel(t->timer);
    loop_cancel(t->key_timer);
    t->timer = t->key_timer = NULL;
    if (t->watch != NULL) {
        agent_watch_stop(t->watch);
        t->watch = NULL;
    }
}

/* With the request's arena. */
static void talk_fini(void *arg)
{
    struct talk *t = arg;
    quiet(t);
    buf_fini(&t->sent);
    json_decref(t->early);
}

struct talk *talk_new(struct call *c, enum talk_form form)
{
    struct talk *t = c->state; /* of the run before */
    if (t == NULL) {
        t = arena_alloc(c->arena, sizeof(*t));
        buf_init(&t->sent, SENT_MAX);
        t->early = json_array();
        arena_defer(c->arena, talk_fini, t);
        c->state = t;
    }
    quiet(t);
    json_array_clear(t->early);
    t->c = c;
    t->form = form;
    return t;
}

/* ---- server-sent events ---- */

/* One line `data: {"message", "event"}`; extra may be NULL. */
static void send_event(struct talk *t, const char *event, const char *text, size_t len, json_t *extra)
{
    struct buf line;
    json_t *body = json_object();
    if (t->gone || !t->streaming) {
        json_decref(body);
        json_decref(extra);
        return;
    }
    jx_set_strn(body, "message", text, len);
    jx_set_str(body, "event", event);
    if (extra != NULL) {
        json_object_update(body, extra);
        json_decref(extra);
    }
    json_t *worn = surface_out(t->c->surface, body);
    buf_init(&line, SENT_MAX);
    buf_adds(&line, "data: ");
    jx_dump(worn, &line);
    buf_adds(&line, "\n\n");
    http_stream_write(t->c->req, line.data, line.len);
    buf_fini(&line);
    json_decref(worn);
    json_decref(body);
}

/* A piece of the reply. */
static void send_piece(struct talk *t, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        buf_adds(&t->sent, text);
        send_event(t, "on_chat_model_stream", text, strlen(text), NULL);
    }
}

/* Nothing more will be written; the request ends here. */
static void close_stream(struct talk *t)
{
    struct call *c = t->c;
    call_streamed(c);
    http_stream_end(c->req);
}

/* The client closed the connection: the turn goes on without it. */
static void on_gone(void *arg)
{
    struct talk *t = arg;
    t->gone = true;
    t->done = true;
    quiet(t);
    if (!t->recording) {
        close_stream(t);
    }
}

static void begin_stream(struct talk *t)
{
    struct call *c = t->c;
    reply_window(c);
    http_reply_header(c->req, "Cache-Control", "no-cache");
    http_reply_header(c->req, "X-Accel-Buffering", "no");
    http_stream_begin(c->req, 200, "text/event-stream", NULL, on_gone, t);
    t->streaming = true;
    send_event(t, "on_chat_model_start", "", 0, NULL);
}

/* ---- the end ---- */

json_t *talk_answer(const struct message_received *ids, const char *thread, const json_t *message,
                    const char *source)
{
    json_t *out = json_object(), *citations = jx_arr(message, "citations");
    jx_set_str(out, "message", jx_str_or(message, "text", ""));
    jx_set_str(out, "source", jx_str_or(message, "source", source));
    json_t *confidence = json_object_get(message, "confidence");
    jx_set(out, "confidence", confidence != NULL ? json_incref(confidence) : json_null());
    jx_set(out, "citations", citations != NULL ? json_incref(citations) : json_array());
    jx_set_str(out, "conversation_id", ids->conversation_id.text);
    jx_set_str(out, "message_id", jx_str_or(message, "id", ids->message_id.text));
    jx_set_str(out, "thread_id", thread);
    return out;
}

/* The same of a talk. */
static json_t *answer_of(const struct talk *t, const json_t *message, const char *source)
{
    return talk_answer(&t->ids, t->thread, message, source);
}

/* The answer leaves. */
static void leave(struct talk *t)
{
    struct call *c = t->c;
    if (!t->streaming) {
        call_answer(c);
        return;
    }
    json_t *extra = json_copy(c->answer);
    json_object_del(extra, "message");
    send_event(t, "on_chat_model_end", "", 0, extra);
    close_stream(t);
}

static void on_recorded(enum err rc, uint64_t rev, void *arg)
{
    struct talk *t = arg;
    (void)rev;
    if (rc != ERR_OK) {
        log_warn("idempotency.not_recorded", "request=%s error=%s", http_request_id(t->c->req), err_name(rc));
    }
    leave(t);
}

/* Ends with this answer (stolen); under an Idempotency-Key it is on record first. */
static void end_with(struct talk *t, json_t *answer)
{
    struct call *c = t->c;
    t->done = true;
    quiet(t);
    if (t->form == TALK_DATA) {
        json_t *wrapped = json_object();
        jx_set(wrapped, "data", answer);
        answer = wrapped;
    }
    c->status = 200;
    c->answer = call_keep(c, answer);
    if (c->idem_id[0] == '\0' || snapshot_open(c->api->app->store, &c->snap) != ERR_OK) {
        leave(t);
        return;
    }
    t->recording = true;
    struct changes *cs = call_changes(c);
    idempotency_add(c, 200, answer);
    c->changes = NULL;
    store_submit(c->api->app->store, cs, on_recorded, t);
}

/* Ends without an answer: the message is kept, and the agent may still answer it. */
static void end_failed(struct talk *t, enum api_error code, const char *why)
{
    struct call *c = t->c;
    t->done = true;
    quiet(t);
    if (!t->streaming) {
        call_fail(c, code, NULL, "%s", why);
        return;
    }
    json_t *extra = json_object(), *error = json_object();
    jx_set_str(error, "code", api_error_row(code)->code);
    jx_set_str(error, "message", why);
    jx_set(extra, "error", error);
    send_event(t, "on_chat_model_end", "", 0, extra);
    close_stream(t);
}

static void on_deadline(void *arg)
{
    struct talk *t = arg;
    t->timer = NULL;
    end_failed(t, API_NO_ANSWER, "The agent did not answer in time; the message is kept.");
}

/* A stream ends with the key that opened it. */
static void on_key(void *arg)
{
    struct talk *t = arg;
    t->key_timer = NULL;
    if (auth_still(t->c)) {
        t->key_timer = loop_after(http_loop(t->c->req), AUTH_AGAIN_MS, on_key, t);
    } else {
        end_failed(t, API_UNAUTHORIZED, "The key was revoked or has expired; the message is kept.");
    }
}

/* The text that the stream has not shown yet; a draft that turned out otherwise is begun anew. */
static void send_rest(struct talk *t, const json_t *message)
{
    const char *text = jx_str_or(message, "text", ""), *sent = buf_str(&t->sent);
    if (!t->streaming) {
        return;
    }
    if (strncmp(text, sent, t->sent.len) == 0) {
        send_piece(t, text + t->sent.len);
        return;
    }
    buf_reset(&t->sent);
    send_event(t, "on_chat_model_start", "", 0, NULL);
    send_piece(t, text);
}

/* One piece of news, behind the commit. */
static void take(struct talk *t, enum agent_news_kind kind, const char *text, const json_t *message)
{
    switch (kind) {
    case AGENT_STARTED:
        if (t->sent.len > 0) { /* the draft was taken back */
            buf_reset(&t->sent);
            send_event(t, "on_chat_model_start", "", 0, NULL);
        }
        break;
    case AGENT_DELTA:
        if (t->streaming) {
            send_piece(t, text);
        }
        break;
    case AGENT_REPLIED:
        send_rest(t, message);
        end_with(t, answer_of(t, message, "fallback"));
        break;
    case AGENT_HANDED:
        send_rest(t, message);
        end_with(t, answer_of(t, message, "human"));
        break;
    case AGENT_SILENT:
        end_with(t, answer_of(t, NULL, "human"));
        break;
    case AGENT_FAILED:
        end_failed(t, API_NO_ANSWER, "The agent could not answer; the message is kept.");
        break;
    }
}

/* Keeps news that overtook the notice of the commit. */
static void keep_early(struct talk *t, const struct agent_news *news)
{
    json_t *item = json_object();
    jx_set_int(item, "kind", news->kind);
    jx_set_str(item, "text", news->text);
    if (news->message != NULL) {
        jx_set(item, "message", json_deep_copy(news->message));
    }
    jx_push(t->early, item);
}

static void on_news(const struct agent_news *news, void *arg)
{
    struct talk *t = arg;
    const char *answers = news->answers != NULL ? news->answers : "";
    if (t->done || (answers[0] != '\0' && strcmp(answers, t->ids.message_id.text) < 0)) {
        return; /* of a turn that does not know our message */
    }
    bool ends = news->kind != AGENT_STARTED && news->kind != AGENT_DELTA;
    if (ends && !news->final) {
        return;
    }
    if (!t->committed) {
        keep_early(t, news);
        return;
    }
    take(t, news->kind, news->text, news->message);
}

void talk_watch(struct talk *t)
{
    t->watch = agent_watch_start(t->c->part, t->ids.conversation_id.text, on_news, t);
}

void talk_committed(struct call *c, uint64_t rev)
{
    struct talk *t = c->state;
    size_t i;
    json_t *item;
    (void)rev;
    t->committed = true;
    if (t->form == TALK_STREAM) {
        begin_stream(t);
    }
    if (t->human) {
        end_with(t, answer_of(t, NULL, "human"));
        return;
    }
    t->timer = loop_after(http_loop(c->req), DEADLINE_MS, on_deadline, t);
    if (t->streaming) {
        t->key_timer = loop_after(http_loop(c->req), AUTH_AGAIN_MS, on_key, t);
    }
    json_array_foreach (t->early, i, item) {
        if (!t->done) {
            take(t, (enum agent_news_kind)jx_int(item, "kind", AGENT_FAILED), jx_str(item, "text"),
                 json_object_get(item, "message"));
        }
    }
}
