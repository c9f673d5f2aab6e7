/* hooks.c: where platforms post. The order is the promise: signature over the raw bytes, durable, then 200.
 * What is in a post decides nothing here; a platform that gets anything but 200 posts again. */
#include <string.h>

#include "bridge/api/call.h"
#include "channels/channel.h"
#include "queue/base/log.h"

#define CHALLENGE_MAX 1024
#define RETRY_S       10

/* The channel that the path names; *part is its partition. NULL: the call has ended. */
static json_t *find(struct call *c, const struct channel_ops **ops, char part[PARTITION_SIZE])
{
    json_t *channel = NULL;
    const char *platform = call_param(c, "platform"), *id = call_param(c, "channel");
    *ops = channel_ops(platform);
    if (call_snap(c) == NULL) {
        return NULL;
    }
    enum err rc = *ops != NULL ? channel_at_door(c->snap, id, part, &channel) : ERR_NOTFOUND;
    if (rc != ERR_OK && rc != ERR_NOTFOUND) {
        call_refuse(c, rc, NULL, "");
        return NULL;
    }
    if (rc != ERR_OK || strcmp(jx_str_or(channel, "type", ""), platform) != 0) {
        json_decref(channel);
        call_fail(c, API_NOT_FOUND, NULL, "There is no such channel.");
        return NULL;
    }
    return call_keep(c, channel);
}

static const char *hook_header(const char *name, void *arg)
{
    return http_header(((struct call *)arg)->req, name);
}

static const char *hook_query(const char *name, void *arg)
{
    return http_query_value(((struct call *)arg)->req, name);
}

/* The request as a channel sees it. */
static struct hook_call as_hook(struct call *c)
{
    struct hook_call call = {.header = hook_header, .query = hook_query, .arg = c};
    call.body = http_body(c->req, &call.body_size);
    return call;
}

void hooks_verify(struct call *c)
{
    char part[PARTITION_SIZE];
    const struct channel_ops *ops;
    struct buf answer;
    json_t *channel = find(c, &ops, part);
    if (channel == NULL) {
        return;
    }
    if (ops->challenge == NULL) {
        call_fail(c, API_NOT_FOUND, NULL, "This platform checks nothing.");
        return;
    }
    struct hook_call call = as_hook(c);
    buf_init(&answer, CHALLENGE_MAX);
    enum err rc = ops->challenge(part, channel, &call, &answer);
    if (rc == ERR_OK) {
        call_text(c, 200, "text/plain; charset=utf-8", buf_str(&answer), answer.len);
    } else if (rc == ERR_DENIED) {
        call_fail(c, API_DENIED, NULL, "The verify token does not match.");
    } else {
        call_fail(c, API_BAD_REQUEST, NULL, "This is not a verification request.");
    }
    buf_fini(&answer);
}

/* 503 with Retry-After, so that the platform keeps the message and comes again. */
static void turn_away(struct call *c)
{
    http_reply_header(c->req, "Retry-After", arena_printf(c->arena, "%d", RETRY_S));
    call_fail(c, API_DRAINING, NULL, NULL);
}

/* Durable: now the platform may forget it. */
static void on_stored(enum err rc, uint64_t rev, void *arg)
{
    struct call *c = arg;
    (void)rev;
    if (rc == ERR_OK || rc == ERR_SEEN) {
        http_vouch(c->req);
        call_text(c, 200, "text/plain; charset=utf-8", "ok", 2);
    } else {
        log_warn("hook.turned_away", "error=%s", err_name(rc));
        turn_away(c);
    }
}

/* A post under way. */
struct hook_post {
    struct call *call;
    const char *part, *channel_id;
};

/* Stores the post as it came, for its job. */
static void store_raw(struct hook_post *post)
{
    struct call *c = post->call;
    struct changes *cs = changes_new();
    char id[ID_SIZE];
    size_t size;
    const char *body = http_body(c->req, &size);

    channel_hook_store(cs, post->part, post->channel_id, body, size, id);
    store_submit(c->api->app->store, cs, on_stored, c);
}

/* The post and what follows from it were to be stored together; where that cannot be, the post alone is. */
static void on_taken(enum err rc, uint64_t rev, void *arg)
{
    struct hook_post *post = arg;

    if (rc == ERR_CONFLICT || rc == ERR_SEEN || rc == ERR_LIMIT || rc == ERR_INVALID) {
        store_raw(post);
    } else {
        on_stored(rc, rev, post->call);
    }
}

void hooks_take(struct call *c)
{
    char part[PARTITION_SIZE];
    const struct channel_ops *ops;
    struct app *app = c->api->app;
    json_t *channel = find(c, &ops, part);
    if (channel == NULL) {
        return;
    }
    if (ops->verify == NULL) {
        call_fail(c, API_NOT_FOUND, NULL, "This channel takes no posts.");
        return;
    }
    struct hook_call call = as_hook(c);
    if (ops->verify(part, channel, &call) != ERR_OK) {
        log_warn("hook.bad_signature", "channel=%s peer=%s bytes=%zu", jx_str_or(channel, "id", ""),
                 http_peer(c->req), call.body_size);
        call_fail(c, API_BAD_SIGNATURE, NULL, NULL);
        return;
    }
    if (atomic_load(&app->draining) || !store_accepts(app->store)) {
        turn_away(c);
        return;
    }
    struct hook_post *post = arena_alloc(c->arena, sizeof *post);
    *post = (struct hook_post){
        .call = c, .part = arena_strdup(c->arena, part), .channel_id = jx_str_or(channel, "id", "")};
    struct changes *cs = channel_hook_take(app->store, c->snap, part, channel, call.body, call.body_size);
    call_wait(c);
    if (cs != NULL) {
        store_submit(app->store, cs, on_taken, post);
    } else {
        store_raw(post);
    }
}
