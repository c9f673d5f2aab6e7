/* flows.c: an agent's flows over REST. What a flow may say is the agent room's table; here is only who may
 * ask. */
#include "agent/flow/flow.h"

#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "queue/base/httpc.h"
#include "queue/base/loop.h"

#define MESSAGES_MAX 50
#define MESSAGE_MAX  4096

static json_t *show(const json_t *flow)
{
    return json_incref((json_t *)flow);
}

void flows_schema(struct call *c)
{
    json_t *schema = flow_schema();
    struct buf text;
    buf_init(&text, 1 << 20);
    jx_dump(schema, &text);
    call_text(c, 200, "application/json", buf_str(&text), text.len);
    buf_fini(&text);
    json_decref(schema);
}

void flows_list(struct call *c)
{
    json_t *agent = call_agent(c, NULL);
    if (agent == NULL) {
        return;
    }
    const char *id = jx_str_or(agent, "id", "-");
    struct list_spec spec = {
        .query = {.kind = KIND_FLOW, .part = c->part, .index = INDEX_FLOW_AGENT, .match = {id}},
        .show = show};
    spec.total = (int64_t)snapshot_count(c->snap, KIND_FLOW, c->part, INDEX_FLOW_AGENT, id);
    list_reply(c, &spec);
}

/* The flow that the path names, if it is this agent's. NULL: the call has ended. */
static json_t *find(struct call *c, uint64_t *rev)
{
    json_t *agent = call_agent(c, NULL);
    json_t *flow = agent != NULL ? call_find(c, KIND_FLOW, call_param(c, "flow"), rev) : NULL;
    if (flow != NULL && strcmp(jx_str_or(flow, "agent_id", ""), jx_str_or(agent, "id", "-")) != 0) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such flow.");
        return NULL;
    }
    return flow;
}

void flows_show(struct call *c)
{
    json_t *flow = find(c, NULL);
    if (flow != NULL) {
        call_reply(c, 200, show(flow));
    }
}

void flows_create(struct call *c)
{
    json_t *flow = NULL, *agent = call_agent(c, NULL);
    const char *field = NULL;
    if (agent == NULL) {
        return;
    }
    enum err rc =
        flow_create(call_changes(c), c->snap, c->part, jx_str(agent, "id"), c->body, &flow, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    call_audit(c, "flow.created", jx_str(flow, "id"));
    call_commit(c, 201, flow);
}

void flows_change(struct call *c)
{
    uint64_t rev;
    const char *field = NULL;
    json_t *flow = find(c, &rev);
    if (flow == NULL) {
        return;
    }
    bool whole = strcmp(c->route->method, "PUT") == 0;
    enum err rc = flow_update(call_changes(c), c->snap, c->part, flow, rev, c->body, whole, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    call_audit(c, "flow.updated", jx_str(flow, "id"));
    call_commit(c, 200, show(flow));
}

void flows_delete(struct call *c)
{
    uint64_t rev;
    json_t *flow = find(c, &rev);
    if (flow == NULL) {
        return;
    }
    flow_delete(call_changes(c), c->snap, c->part, flow, rev);
    call_audit(c, "flow.deleted", jx_str(flow, "id"));
    call_commit(c, 204, NULL);
}

/* ---- test runs ---- */

/* A test run under way. */
struct test {
    struct call *c;
    struct httpc *http; /* NULL: nothing is called */
};

static void client_free(void *arg)
{
    httpc_free(arg);
}

static void tested(json_t *result, void *arg)
{
    struct test *test = arg;
    if (test->http != NULL) {
        loop_post(loop_current(), client_free, test->http); /* not inside its own callback */
    }
    call_reply(test->c, 200, result);
}

/* Whether the messages can be played. */
static bool playable(const json_t *messages)
{
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *each = json_array_get(messages, i);
        const char *text = json_is_string(each) ? json_string_value(each) : jx_str_or(each, "text", "");
        if ((!json_is_string(each) && !json_is_object(each)) || strlen(text) > MESSAGE_MAX) {
            return false;
        }
    }
    return json_is_array(messages) && json_array_size(messages) <= MESSAGES_MAX;
}

void flows_test(struct call *c)
{
    json_t *flow = find(c, NULL), *messages = json_object_get(c->body, "messages");
    const char *field = NULL;
    if (flow == NULL) {
        return;
    }
    if (!playable(messages)) {
        call_fail(c, API_BAD_FIELD, "messages",
                  "messages must be a list of at most 50 texts or {\"text\", \"button\"}.");
        return;
    }
    enum err rc = flow_check_whole(flow, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    bool live = jx_bool(c->body, "live_calls", false);
    struct test *test = arena_alloc(c->arena, sizeof(*test));
    test->c = c;
    test->http = live ? httpc_new(loop_current()) : NULL;
    json_t *played = call_keep(c, json_incref(flow)); /* outlives the snapshot */
    if (live) {
        call_wait(c);
    }
    flow_rehearse(test->http, c->api->app->store, c->part, played, messages, live, tested, test);
}
