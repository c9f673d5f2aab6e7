/* agent_channels.c: sets the channels of an agent. */
#include "bridge/api/agent_channels.h"

#include <string.h>

#include "channels/channel.h"

#define CHANNELS_MOST 100

/* One list under way. */
struct setting {
    struct call *c;
    const char *agent_id;
    struct store_page now; /* the agent's channels before */
    bool *named;           /* of each of them */
    json_t *result;
};

json_t *agent_channel_show(const json_t *channel)
{
    json_t *out = json_object();
    jx_set_str(out, "id", jx_str(channel, "id"));
    jx_set_str(out, "type", jx_str(channel, "type"));
    jx_set_str(out, "status", jx_str(channel, "status"));
    return out;
}

/* Assigns a channel to the agent, or (NULL) to none. False: the call has ended. */
static bool assign(struct setting *s, json_t *channel, uint64_t rev, const char *agent_id)
{
    const char *field = NULL;
    struct call *c = s->c;
    json_t *body = json_object();
    jx_set_str(body, "agent_id", agent_id);
    enum err rc = channel_update(call_changes(c), c->part, channel, rev, body, &field, &c->why);
    json_decref(body);
    if (rc != ERR_OK) {
        call_refuse(c, rc, "channels", buf_str(&c->why));
        return false;
    }
    channel_event(call_changes(c), c->snap, c->part, channel);
    return true;
}

/* The agent's channel of that id, or else of that type, that nobody named yet; -1: none. */
static int find_now(const struct setting *s, const char *id, const char *type)
{
    for (size_t i = 0; i < s->now.count; i++) {
        bool fits = id != NULL ? strcmp(s->now.rows[i].id, id) == 0
                               : strcmp(jx_str_or(s->now.rows[i].body, "type", ""), type) == 0;
        if (fits && !s->named[i]) {
            return (int)i;
        }
    }
    return -1;
}

/* A channel of ours that another agent or none has. False: the call has ended. */
static bool bring(struct setting *s, const char *id)
{
    uint64_t rev;
    json_t *channel = NULL;
    struct call *c = s->c;
    if (strlen(id) > STORE_ID_MAX || channel_get(c->snap, c->part, id, &channel, &rev) != ERR_OK) {
        call_fail(c, API_BAD_FIELD, "channels", "channels: there is no such channel.");
        return false;
    }
    call_keep(c, channel);
    bool done = assign(s, channel, rev, s->agent_id);
    jx_push(s->result, agent_channel_show(channel));
    return done;
}

/* A new channel. False: the call has ended. */
static bool connect(struct setting *s, const json_t *item)
{
    const char *field = NULL;
    struct call *c = s->c;
    json_t *channel = NULL;
    enum err rc = channel_create(call_changes(c), c->part, s->agent_id, item, &channel, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, arena_printf(c->arena, "channels/%s", field != NULL ? field : ""),
                    buf_str(&c->why));
        return false;
    }
    jx_push(s->result, agent_channel_show(channel));
    call_audit(c, "channel.created", jx_str(channel, "id"));
    json_decref(channel);
    return true;
}

/* One item of the list. False: the call has ended. */
static bool take(struct setting *s, const json_t *item)
{
    const char *id = json_is_string(item) ? json_string_value(item) : jx_str(item, "id");
    const char *type = jx_str(item, "type");
    if (id == NULL && type == NULL) {
        call_fail(s->c, API_BAD_FIELD, "channels", "channels must hold ids, or objects with id or type.");
        return false;
    }
    int at = find_now(s, id, type);
    if (at >= 0) {
        s->named[at] = true;
        jx_push(s->result, agent_channel_show(s->now.rows[at].body));
        return true;
    }
    return id != NULL ? bring(s, id) : connect(s, item);
}

json_t *agent_channels_set(struct call *c, const json_t *agent)
{
    size_t i;
    json_t *item;
    const json_t *list = jx_arr(c->body, "channels");
    struct setting s = {.c = c, .agent_id = jx_str(agent, "id"), .result = call_keep(c, json_array())};
    struct page_query query = {.kind = KIND_CHANNEL,
                               .part = c->part,
                               .index = INDEX_CHANNEL_BY_AGENT,
                               .match = {s.agent_id},
                               .limit = CHANNELS_MOST};
    if (list == NULL || json_array_size(list) > CHANNELS_MOST) {
        call_fail(c, API_BAD_FIELD, "channels", "channels must be a list of at most 100.");
        return NULL;
    }
    enum err rc = call_snap(c) != NULL ? snapshot_page(c->snap, &query, &s.now) : ERR_CLOSED;
    if (rc != ERR_OK) {
        if (rc != ERR_CLOSED) {
            call_refuse(c, rc, NULL, "");
        }
        return NULL;
    }
    s.named = arena_alloc(c->arena, s.now.count + 1);
    memset(s.named, 0, s.now.count + 1);
    bool good = true;
    json_array_foreach (list, i, item) {
        good = good && take(&s, item);
    }
    for (i = 0; i < s.now.count && good; i++) {
        good = s.named[i] || assign(&s, s.now.rows[i].body, s.now.rows[i].rev, NULL);
    }
    store_page_free(&s.now);
    return good ? s.result : NULL;
}
