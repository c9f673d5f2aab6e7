/* incoming.c: what platforms posted, and what became of the parts that are neither message nor status.
 * Nothing that a platform was told to be safe is ever out of sight: raw posts can be listed and replayed,
 * items that could not be understood wait in quarantine, account-level news are notices. A replay is safe at
 * any time: what was taken before carries its first-seen mark. */
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "channels/channel.h"
#include "queue/base/clock.h"

#define HOOKS_MOST 1000

static json_t *show(const json_t *record)
{
    return json_incref((json_t *)record);
}

/* The channel that the path names, if it is this agent's. NULL: the call has ended. */
static const char *channel_of(struct call *c)
{
    json_t *agent = call_agent(c, NULL);
    json_t *channel = agent != NULL ? call_find(c, KIND_CHANNEL, call_param(c, "channel"), NULL) : NULL;
    if (channel != NULL && strcmp(jx_str_or(channel, "agent_id", ""), jx_str_or(agent, "id", "-")) != 0) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such channel.");
        return NULL;
    }
    return jx_str(channel, "id");
}

/* The records of a kind that belong to the path's channel, newest first. */
static void list_of_channel(struct call *c, enum kind kind, enum index_id index)
{
    const char *channel_id = channel_of(c);
    if (channel_id == NULL) {
        return;
    }
    struct list_spec spec = {
        .query = {.kind = kind, .part = c->part, .index = index, .match = {channel_id}, .descending = true},
        .show = show,
        .total = (int64_t)snapshot_count(c->snap, kind, c->part, index, channel_id),
        .cursors = true};
    list_reply(c, &spec);
}

void notices_list(struct call *c)
{
    list_of_channel(c, KIND_NOTICE, INDEX_NOTICE_CHANNEL);
}

void quarantine_list(struct call *c)
{
    list_of_channel(c, KIND_QUARANTINE, INDEX_QUARANTINE_CHANNEL);
}

/* Replays one hook into the call's changes. False: the call has ended. */
static bool replay_one(struct call *c, const char *id)
{
    enum err rc = channel_hook_replay(call_changes(c), c->snap, c->part, id);
    if (rc == ERR_NOTFOUND) {
        call_fail(c, API_NOT_FOUND, NULL, "The stored post is not kept any more.");
    } else if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
    }
    return rc == ERR_OK;
}

/* Ends the call: so many posts are on their way again. */
static void replayed(struct call *c, unsigned count, bool more)
{
    json_t *answer = json_object();
    jx_set_int(answer, "replayed", count);
    jx_set_bool(answer, "more", more);
    call_commit(c, 202, answer);
}

void quarantine_retry(struct call *c)
{
    const char *id = call_param(c, "quarantine"), *channel_id = channel_of(c);
    json_t *item = channel_id != NULL ? call_find(c, KIND_QUARANTINE, id, NULL) : NULL;
    if (item == NULL) {
        return;
    }
    if (strcmp(jx_str_or(item, "channel_id", ""), channel_id) != 0) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such item in quarantine.");
    } else if (replay_one(c, jx_str_or(item, "hook_id", "-"))) {
        call_audit(c, "quarantine.retried", id);
        replayed(c, 1, false);
    }
}

void stored_hook_replay(struct call *c)
{
    const char *id = call_param(c, "hook");
    if (call_snap(c) != NULL && replay_one(c, id)) {
        call_audit(c, "hook.replayed", id);
        replayed(c, 1, false);
    }
}

/* The smallest hook id of a moment. */
static const char *hook_floor(struct call *c, int64_t ms)
{
    char floor[27];
    id_floor(ms, floor);
    return arena_printf(c->arena, "%s_%s", kind_row(KIND_HOOK)->prefix, floor);
}

/* The line about one stored hook if it came to that channel (NULL: to any); kept for the call. NULL: not. */
static json_t *about_of(struct call *c, const char *id, const char *channel_id)
{
    json_t *about = NULL;
    if (channel_hook_about(c->snap, c->part, id, &about) != ERR_OK) {
        return NULL;
    }
    call_keep(c, about);
    bool wanted = channel_id == NULL || strcmp(jx_str_or(about, "channel_id", ""), channel_id) == 0;
    return wanted ? about : NULL;
}

void stored_hooks_list(struct call *c)
{
    struct store_page page;
    json_t *rows = json_array();
    struct page_query query = {.kind = KIND_HOOK, .part = c->part, .descending = true, .limit = HOOKS_MOST};
    call_keep(c, rows);
    if (call_snap(c) == NULL) {
        return;
    }
    enum err rc = snapshot_page(c->snap, &query, &page);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    for (size_t i = 0; i < page.count; i++) {
        json_t *about = about_of(c, page.rows[i].id, call_query(c, "channel_id"));
        if (about != NULL) {
            jx_push(rows, json_incref(about));
        }
    }
    store_page_free(&page);
    list_reply_array(c, rows);
}

/* A time of the body; fallback if it has none. */
static int64_t time_of(struct call *c, const char *name, int64_t fallback)
{
    int64_t ms;
    bool date_only;
    const char *text = jx_str(c->body, name);
    return text != NULL && clock_parse(text, &ms, &date_only) ? ms : fallback;
}

void stored_hooks_replay(struct call *c)
{
    struct store_page page;
    unsigned count = 0;
    struct page_query query = {.kind = KIND_HOOK, .part = c->part, .limit = HOOKS_MOST};
    query.from = hook_floor(c, time_of(c, "since", 0));
    query.to = hook_floor(c, time_of(c, "until", clock_wall_ms() + 1));
    if (call_snap(c) == NULL) {
        return;
    }
    enum err rc = snapshot_page(c->snap, &query, &page);
    for (size_t i = 0; rc == ERR_OK && i < page.count; i++) {
        if (about_of(c, page.rows[i].id, jx_str(c->body, "channel_id")) != NULL) {
            rc = channel_hook_replay(call_changes(c), c->snap, c->part, page.rows[i].id);
            count++;
        }
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    bool more = page.more;
    store_page_free(&page);
    call_audit(c, "hooks.replayed", NULL);
    replayed(c, count, more);
}
