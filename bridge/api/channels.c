/* channels.c: connecting agents to platforms. Credentials go in and never come out. */
#include "channels/channel.h"

#include <string.h>

#include "agent/agent.h"
#include "bridge/api/call.h"
#include "bridge/api/channel_keys.h"
#include "bridge/api/list.h"
#include "channels/contact.h"

/* The shape that leaves, with the address to register at the platform. */
static json_t *show(const json_t *channel)
{
    return channel_public(channel);
}

void channels_list(struct call *c)
{
    json_t *agent = call_agent(c, NULL);
    if (agent == NULL) {
        return;
    }
    struct list_spec spec = {.query = {.kind = KIND_CHANNEL,
                                       .part = c->part,
                                       .index = INDEX_CHANNEL_BY_AGENT,
                                       .match = {jx_str(agent, "id")}},
                             .show = show};
    spec.total =
        (int64_t)snapshot_count(c->snap, KIND_CHANNEL, c->part, INDEX_CHANNEL_BY_AGENT, jx_str(agent, "id"));
    list_reply(c, &spec);
}

/* True if name is in one of the lists. */
static bool listed(const char *const *names, const char *name)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Fields that no channel of this type has are refused by name. False: the call has ended. */
static bool fields_known(struct call *c, const char *type, bool creating)
{
    static const char *const always[] = {"type", "name", "quiet_time_ms", NULL}, *const later[] = {"status", "agent_id", NULL};
    const struct channel_ops *ops = channel_ops(type);
    const char *key;
    json_t *value;
    if (ops == NULL) {
        call_fail(c, API_BAD_FIELD, "type", "type: there is no channel type of that name.");
        return false;
    }
    json_object_foreach (c->body, key, value) {
        bool known = listed(always, key) || listed(ops->required, key) || listed(ops->optional, key) ||
                     (!creating && listed(later, key));
        if (!known) {
            call_fail(c, API_UNKNOWN_FIELD, key, "%s is not a known parameter of a %s channel.", key, type);
            return false;
        }
    }
    return true;
}

/* An agent without a number takes the one of its new channel. False: the call has ended. */
static bool lend_number(struct call *c, json_t *agent, uint64_t rev, const json_t *channel)
{
    char number[24];
    const char *field = NULL, *shown = jx_str(channel, "display_phone_number");
    if (shown == NULL || jx_str(agent, "phone_number") != NULL || !contact_phone_normalise(shown, number)) {
        return true;
    }
    json_t *body = json_object();
    jx_set_str(body, "phone_number", number);
    enum err rc = agent_update(call_changes(c), c->snap, c->part, agent, rev, body, &field, &c->why);
    json_decref(body);
    if (rc != ERR_OK) {
        call_refuse(c, rc, "display_phone_number", buf_str(&c->why));
    }
    return rc == ERR_OK;
}

/* A new channel's answer; an API channel's shows its key, this once. */
static json_t *created(struct call *c, const json_t *channel)
{
    char text[KEY_TEXT_SIZE];
    json_t *out = show(channel);
    if (strcmp(jx_str_or(channel, "type", ""), "api") == 0) {
        channel_key_add(c, channel, text);
        jx_set_str(out, "channel_id", jx_str(channel, "id"));
        jx_set_str(out, "api_key", text);
        channel_addresses(c, jx_str_or(channel, "id", ""), out);
    }
    return out;
}

void channels_create(struct call *c)
{
    uint64_t rev;
    json_t *channel = NULL;
    const char *field = NULL;
    json_t *agent = call_agent(c, &rev);
    if (agent == NULL || !fields_known(c, jx_str_or(c->body, "type", ""), true)) {
        return;
    }
    enum err rc =
        channel_create(call_changes(c), c->part, jx_str(agent, "id"), c->body, &channel, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    call_keep(c, channel);
    if (lend_number(c, agent, rev, channel)) {
        call_audit(c, "channel.created", jx_str(channel, "id"));
        call_commit(c, 201, created(c, channel));
    }
}

json_t *channels_find(struct call *c, uint64_t *rev)
{
    json_t *agent = call_agent(c, NULL);
    json_t *channel = agent != NULL ? call_find(c, KIND_CHANNEL, call_param(c, "channel"), rev) : NULL;
    const char *owner = jx_str(channel, "agent_id");
    if (channel != NULL && owner != NULL && strcmp(owner, jx_str_or(agent, "id", "")) != 0) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such channel.");
        return NULL;
    }
    return channel;
}

void channels_show(struct call *c)
{
    json_t *channel = channels_find(c, NULL);
    if (channel != NULL) {
        call_reply(c, 200, show(channel));
    }
}

/* A new owner must be an agent of ours. False: the call has ended. */
static bool owner_fits(struct call *c)
{
    json_t *agent = NULL;
    const char *id = jx_str(c->body, "agent_id");
    if (id == NULL || agent_get(c->snap, c->part, id, &agent, NULL) == ERR_OK) {
        json_decref(agent);
        return true;
    }
    call_fail(c, API_BAD_FIELD, "agent_id", "agent_id: there is no such agent.");
    return false;
}

void channels_change(struct call *c)
{
    uint64_t rev;
    const char *field = NULL;
    json_t *channel = channels_find(c, &rev);
    if (channel == NULL || !fields_known(c, jx_str_or(channel, "type", ""), false) || !owner_fits(c)) {
        return;
    }
    enum err rc = channel_update(call_changes(c), c->part, channel, rev, c->body, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    channel_event(call_changes(c), c->snap, c->part, channel);
    call_audit(c, "channel.updated", jx_str(channel, "id"));
    call_commit(c, 200, show(channel));
}

void channels_delete(struct call *c)
{
    uint64_t rev;
    json_t *channel = channels_find(c, &rev);
    if (channel != NULL && channel_keys_end(c, jx_str_or(channel, "id", ""), 0)) {
        channel_delete(call_changes(c), c->part, jx_str(channel, "id"), rev);
        call_audit(c, "channel.deleted", jx_str(channel, "id"));
        call_commit(c, 204, NULL);
    }
}
