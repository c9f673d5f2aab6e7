/* agents.c: agents and their settings. What an agent may hold is the agent room's table; here is only who may
 * ask. */
#include "agent/agent.h"
#include "agent/flow/flow.h"

#include <string.h>

#include "bridge/api/agent_channels.h"
#include "bridge/api/call.h"
#include "bridge/api/channel_keys.h"
#include "bridge/api/list.h"
#include "bridge/api/sources.h"
#include "channels/channel.h"

#define DELETE_MOST 15000 /* records that go in one change-set */

void agents_list(struct call *c)
{
    struct list_spec spec = {.query = {.kind = KIND_AGENT, .part = c->part}, .show = agent_public};
    if (call_snap(c) != NULL) {
        spec.total = (int64_t)snapshot_count(c->snap, KIND_AGENT, c->part, INDEX_NONE, NULL);
        list_reply(c, &spec);
    }
}

/* What nobody may set is refused by name; a PUT may carry it, since it is in what a GET answers. False: the
 * call has ended. */
static bool settable(struct call *c)
{
    static const char *const fixed[] = {"id", "collection_id", "created_at", "updated_at"};
    for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (json_object_get(c->body, fixed[i]) != NULL) {
            call_fail(c, API_BAD_FIELD, fixed[i], "%s cannot be set.", fixed[i]);
            return false;
        }
    }
    return true;
}

void agents_create(struct call *c)
{
    json_t *agent = NULL;
    const char *field = NULL;
    if (!settable(c)) {
        return;
    }
    enum err rc = agent_create(call_changes(c), c->part, NULL, c->body, &agent, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    call_keep(c, agent);
    json_t *out = call_keep(c, agent_public(agent)), *channels = NULL;
    if (json_object_get(c->body, "channels") != NULL) {
        channels = agent_channels_set(c, agent);
        if (channels == NULL) {
            return;
        }
        jx_set(out, "channels", json_incref(channels));
    }
    call_audit(c, "agent.created", jx_str(agent, "id"));
    call_commit(c, 201, json_incref(out));
}

/* The agent as it leaves, with the ids of its channels. */
static json_t *show(struct call *c, const json_t *agent)
{
    struct store_page page;
    json_t *out = agent_public(agent), *channels = json_array();
    struct page_query query = {.kind = KIND_CHANNEL,
                               .part = c->part,
                               .index = INDEX_CHANNEL_BY_AGENT,
                               .match = {jx_str(agent, "id")},
                               .limit = 100};
    if (snapshot_page(c->snap, &query, &page) == ERR_OK) {
        for (size_t i = 0; i < page.count; i++) {
            jx_push(channels, agent_channel_show(page.rows[i].body));
        }
        store_page_free(&page);
    }
    jx_set(out, "channels", channels);
    return out;
}

void agents_show(struct call *c)
{
    json_t *agent = call_agent(c, NULL);
    if (agent != NULL) {
        call_reply(c, 200, show(c, agent));
    }
}

/* Applies body to the agent. False: the call has ended. */
static bool update(struct call *c, json_t *agent, uint64_t rev, const json_t *body)
{
    const char *field = NULL;
    enum err rc = agent_update(call_changes(c), c->snap, c->part, agent, rev, body, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return false;
    }
    call_audit(c, "agent.updated", jx_str(agent, "id"));
    return true;
}

void agents_change(struct call *c)
{
    uint64_t rev;
    if (strcmp(c->route->method, "PUT") != 0 && !settable(c)) {
        return;
    }
    json_t *agent = call_agent(c, &rev), *channels = NULL;
    if (agent == NULL || !update(c, agent, rev, c->body)) {
        return;
    }
    if (strcmp(c->route->method, "PATCH") == 0 && json_object_get(c->body, "channels") != NULL) {
        channels = agent_channels_set(c, agent);
        if (channels == NULL) {
            return;
        }
    }
    json_t *out = show(c, agent);
    if (channels != NULL) {
        jx_set(out, "channels", json_incref(channels));
    }
    call_commit(c, 200, out);
}

struct deletion {
    struct call *c;
    enum kind kind;
    size_t *budget;
    bool refused, too_many; /* refused: the call has ended */
};

static bool delete_one(const struct store_row *row, void *arg)
{
    struct deletion *deletion = arg;
    struct call *c = deletion->c;
    if (*deletion->budget == 0) {
        deletion->too_many = true;
        return false;
    }
    (*deletion->budget)--;
    if (deletion->kind == KIND_CHANNEL) {
        deletion->refused = !channel_keys_end(c, row->id, 0);
        if (!deletion->refused) {
            channel_delete(call_changes(c), c->part, row->id, row->rev);
        }
    } else if (deletion->kind == KIND_DOCUMENT) {
        source_delete(call_changes(c), c->part, row->body);
    } else {
        changes_delete(call_changes(c), deletion->kind, c->part, row->id);
    }
    return !deletion->refused;
}

/* Deletes what an index lists under this agent or collection. False: too much for one change-set; the call
 * has ended. */
static bool delete_all(struct call *c, enum kind kind, enum index_id index, const char *match, size_t *budget)
{
    struct deletion deletion = {.c = c, .kind = kind, .budget = budget};
    struct page_query query = {.kind = kind, .part = c->part, .index = index, .match = {match}};
    enum err rc = snapshot_rows(c->snap, &query, delete_one, &deletion);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
    } else if (deletion.too_many) {
        call_fail(c, API_IMPOSSIBLE, NULL,
                  "The agent has too many documents: remove them first, 500 in one call.");
    }
    return rc == ERR_OK && !deletion.refused && !deletion.too_many;
}

/* The way from the agent's id to this partition goes; one that leads to the other mode's agent stays. */
static void drop_address(struct call *c, const char *id)
{
    json_t *address = NULL;
    if (snapshot_get(c->snap, KIND_ADDRESS, PARTITION_GLOBAL, id, &address, NULL) == ERR_OK &&
        strcmp(jx_str_or(address, "part", ""), c->part) == 0) {
        changes_delete(call_changes(c), KIND_ADDRESS, PARTITION_GLOBAL, id);
    }
    json_decref(address);
}

void agents_delete(struct call *c)
{
    uint64_t rev;
    size_t budget = DELETE_MOST;
    json_t *agent = call_agent(c, &rev);
    if (agent == NULL) {
        return;
    }
    const char *id = jx_str(agent, "id"), *collection = jx_str_or(agent, "collection_id", "");
    changes_expect(call_changes(c), KIND_AGENT, c->part, id, rev);
    if (!delete_all(c, KIND_CHANNEL, INDEX_CHANNEL_BY_AGENT, id, &budget) ||
        !delete_all(c, KIND_WEBHOOK, INDEX_WEBHOOK_AGENT, id, &budget) ||
        !delete_all(c, KIND_DOCUMENT, INDEX_DOCUMENT_COLLECTION, collection, &budget)) {
        return;
    }
    flow_delete_all(call_changes(c), c->snap, c->part, id);
    changes_delete(call_changes(c), KIND_COLLECTION, c->part, collection);
    drop_address(c, id);
    changes_delete(call_changes(c), KIND_AGENT, c->part, id);
    call_audit(c, "agent.deleted", id);
    call_commit(c, 204, NULL);
}

/* ---- settings: a part of the agent's record with addresses of its own ---- */

/* Sections that an agent made before they were known may lack. */
static bool section_known(const char *name)
{
    static const char *const section_names[] = {"hours", "leads", "appointments", "widget"};
    for (unsigned i = 0; i < sizeof(section_names) / sizeof(section_names[0]); i++) {
        if (strcmp(section_names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The settings, or the section the path names. NULL: 404. */
static json_t *section(struct call *c, const json_t *agent)
{
    const char *name = call_param(c, "section");
    json_t *all = agent_public(agent);
    json_t *settings = call_keep(c, json_incref(jx_obj(all, "settings")));
    json_decref(all);
    json_t *part = name[0] == '\0' ? settings : jx_obj(settings, name);
    if (part == NULL && section_known(name)) {
        part = call_keep(c, json_object());
    }
    if (part == NULL) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such section of settings.");
    }
    return part;
}

void settings_show(struct call *c)
{
    json_t *agent = call_agent(c, NULL);
    json_t *part = agent != NULL ? section(c, agent) : NULL;
    if (part != NULL) {
        call_reply(c, 200, json_incref(part));
    }
}

void settings_change(struct call *c)
{
    uint64_t rev;
    const char *name = call_param(c, "section");
    json_t *agent = call_agent(c, &rev);
    if (agent == NULL || section(c, agent) == NULL) {
        return;
    }
    json_t *body = call_keep(c, json_object()), *part = json_object();
    jx_set(part, name, json_incref(c->body));
    jx_set(body, "settings", name[0] == '\0' ? json_incref(c->body) : json_incref(part));
    json_decref(part);
    if (update(c, agent, rev, body)) {
        call_commit(c, 200, json_incref(section(c, agent)));
    }
}
