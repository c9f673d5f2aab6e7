/* settings_views.c: settings of the account's first active agent under addresses of their own, and what a
 * page that shows the widget may know of them. */
#include <string.h>

#include "agent/agent.h"
#include "bridge/api/call.h"
#include "channels/channel.h"
#include "queue/address.h"

/* A view: a section of settings, or some fields of it. */
static const struct view {
    const char *name, *section;
    const char *fields[4]; /* none: the whole section */
} views[] = {
    {"chat", "chat", {NULL}},
    {"response", "chat", {"tone", "response_style", "citation_style", NULL}},
    {"fallback", "chat", {"fallback_behavior", NULL}},
    {"confidence", "chat", {"confidence_threshold", NULL}},
    {"widget", "widget", {NULL}},
};

/* The view that the route's path names behind "/settings/". */
static const struct view *view_of(const struct call *c)
{
    const char *name = c->route->path + strlen("/settings/");
    size_t len = strcspn(name, "/");
    for (unsigned i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        if (strlen(views[i].name) == len && memcmp(views[i].name, name, len) == 0) {
            return &views[i];
        }
    }
    CHECK(!"every settings route has a view");
    return NULL;
}

/* True if the view has the field. */
static bool has(const struct view *view, const char *field)
{
    for (unsigned i = 0; view->fields[i] != NULL; i++) {
        if (strcmp(view->fields[i], field) == 0) {
            return true;
        }
    }
    return view->fields[0] == NULL;
}

/* What the view shows of the agent. New reference. */
static json_t *shown(const json_t *agent, const struct view *view)
{
    const char *key;
    json_t *value, *all = agent_public(agent), *out = json_object();
    json_object_foreach (jx_obj(jx_obj(all, "settings"), view->section), key, value) {
        if (has(view, key)) {
            jx_set(out, key, json_incref(value));
        }
    }
    if (strcmp(view->name, "widget") == 0) {
        jx_set_str(out, "widget_id", jx_str(agent, "id"));
    }
    json_decref(all);
    return out;
}

void settings_view_show(struct call *c)
{
    json_t *agent = call_agent(c, NULL);
    if (agent != NULL) {
        call_reply(c, 200, shown(agent, view_of(c)));
    }
}

void settings_view_change(struct call *c)
{
    uint64_t rev;
    const char *key, *field = NULL;
    json_t *value, *agent = call_agent(c, &rev);
    const struct view *view = view_of(c);
    if (agent == NULL) {
        return;
    }
    json_object_foreach (c->body, key, value) {
        if (!has(view, key)) {
            call_fail(c, API_UNKNOWN_FIELD, key, "%s is not a setting of this kind.", key);
            return;
        }
    }
    json_t *body = call_keep(c, json_pack("{s:{s:O}}", "settings", view->section, c->body));
    enum err rc = agent_update(call_changes(c), c->snap, c->part, agent, rev, body, &field, &c->why);
    if (rc != ERR_OK) {
        const char *last = field != NULL ? strrchr(field, '/') : NULL;
        call_refuse(c, rc, last != NULL ? last + 1 : field, buf_str(&c->why));
        return;
    }
    call_audit(c, "agent.updated", jx_str(agent, "id"));
    call_commit(c, 200, shown(agent, view));
}

/* ---- the widget, as a page sees it ---- */

/* The agent that an id of it or of its channel names, whoever's it is. New reference, NULL: none. */
static json_t *agent_named(struct call *c, const char *id)
{
    char part[PARTITION_SIZE];
    json_t *agent = NULL, *channel = NULL;
    if (address_find(c->snap, id, part) != ERR_OK) {
        return NULL;
    }
    if (agent_get(c->snap, part, id, &agent, NULL) == ERR_OK) {
        return agent;
    }
    if (channel_get(c->snap, part, id, &channel, NULL) == ERR_OK &&
        agent_get(c->snap, part, jx_str_or(channel, "agent_id", "-"), &agent, NULL) != ERR_OK) {
        agent = NULL;
    }
    json_decref(channel);
    return agent;
}

/* Lets pages of the allowed origins read the answer: all of them if none is named. */
static void allow_origin(struct call *c, const json_t *origins)
{
    size_t i;
    json_t *item;
    const char *origin = http_header(c->req, "Origin");
    if (json_array_size(origins) == 0) {
        http_reply_header(c->req, "Access-Control-Allow-Origin", "*");
        return;
    }
    http_reply_header(c->req, "Vary", "Origin");
    json_array_foreach (origins, i, item) {
        if (origin != NULL && strcmp(json_string_value(item), origin) == 0) {
            http_reply_header(c->req, "Access-Control-Allow-Origin", origin);
            return;
        }
    }
}

void widget_config(struct call *c)
{
    const char *id = http_query_value(c->req, "widget_id");
    json_t *agent = call_snap(c) != NULL ? agent_named(c, id) : NULL;
    if (c->snap == NULL) {
        return;
    }
    if (agent == NULL) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such widget.");
        return;
    }
    json_t *settings = jx_obj(agent, "settings"), *out = json_object();
    const json_t *widget = jx_obj(settings, "widget"),
                 *starters = jx_arr(jx_obj(settings, "chat"), "conversation_starters");
    json_object_update(out, (json_t *)widget);
    json_object_del(out, "allowed_origins");
    jx_set_str(out, "widget_id", id);
    jx_set_str(out, "name", jx_str(agent, "name"));
    jx_set(out, "conversation_starters", starters != NULL ? json_incref((json_t *)starters) : json_array());
    allow_origin(c, jx_arr(widget, "allowed_origins"));
    http_reply_header(c->req, "Cache-Control", "max-age=60");
    json_decref(agent);
    call_reply(c, 200, out);
}
