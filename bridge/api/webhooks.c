/* webhooks.c: the endpoints of customers' apps. A secret is shown in the answer that makes it and nowhere
 * else. */
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "bridge/api/webhooks.h"
#include "bridge/webhooks/catalogue.h"
#include "bridge/webhooks/deliver.h"
#include "bridge/webhooks/endpoint.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/option.h"
#include "queue/events.h"

#define OVERLAP_S (24 * 3600) /* of a rotated secret, unless the call says otherwise */

void webhooks_catalogue(struct call *c)
{
    json_t *rows = call_keep(c, json_array());
    c->bare = true; /* schemas name the fields as events have them */
    for (unsigned i = 0; i < event_row_count; i++) {
        json_t *row = json_object();
        jx_set_str(row, "type", event_rows[i].type);
        jx_set_str(row, "alias", event_rows[i].alias[0] != '\0' ? event_rows[i].alias : NULL);
        jx_set_str(row, "description", event_rows[i].text);
        jx_set_str(row, "since", CATALOGUE_SINCE);
        jx_set(row, "schema", catalogue_schema(event_rows[i].type));
        jx_set(row, "example", catalogue_example(event_rows[i].type));
        jx_push(rows, row);
    }
    long long count = (long long)json_array_size(rows);
    json_t *out = c->surface->enveloped ? json_pack("{s:O, s:{s:I, s:i, s:I}}", "data", rows, "meta", "total",
                                                    count, "page", 1, "pageSize", count)
                                        : json_pack("{s:I, s:n, s:n, s:O}", "count", count, "next",
                                                    "previous", "results", rows);
    call_reply(c, 200, out);
}

/* The agent that the path names; *named tells whether it names one. False: the call has ended. */
static bool owner(struct call *c, json_t **agent)
{
    *agent = NULL;
    if (call_param(c, "agent")[0] == '\0') {
        return call_snap(c) != NULL;
    }
    *agent = call_agent(c, NULL);
    return *agent != NULL;
}

json_t *webhook_find(struct call *c, uint64_t *rev)
{
    json_t *agent;
    if (!owner(c, &agent)) {
        return NULL;
    }
    json_t *webhook = call_find(c, KIND_WEBHOOK, call_param(c, "webhook"), rev);
    const char *id = jx_str_or(webhook, "agent_id", "");
    if (webhook != NULL && agent != NULL && strcmp(id, jx_str_or(agent, "id", "")) != 0) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such webhook.");
        return NULL;
    }
    return webhook;
}

void webhooks_list(struct call *c)
{
    json_t *agent;
    struct list_spec spec = {.query = {.kind = KIND_WEBHOOK, .part = c->part}, .show = endpoint_public};
    if (!owner(c, &agent)) {
        return;
    }
    if (agent != NULL) {
        spec.query.index = INDEX_WEBHOOK_AGENT;
        spec.query.match[0] = jx_str(agent, "id");
    }
    spec.total =
        (int64_t)snapshot_count(c->snap, KIND_WEBHOOK, c->part, spec.query.index, spec.query.match[0]);
    list_reply(c, &spec);
}

/* Event names and URL of a body. False: the call has ended. */
static bool body_fits(struct call *c)
{
    size_t i;
    json_t *item;
    const json_t *events = jx_arr(c->body, "events");
    const char *url = jx_str(c->body, "url");
    if (events != NULL && json_array_size(events) == 0) {
        call_fail(c, API_BAD_FIELD, "events", "events must name at least one event type.");
        return false;
    }
    json_array_foreach (events, i, item) {
        if (!event_subscription_valid(json_string_value(item))) {
            call_fail(c, API_BAD_FIELD, "events", "events: number %zu is not the name of an event type.",
                      i + 1);
            return false;
        }
    }
    bool plain_allowed = option_bool(OPT_ALLOW_PRIVATE) || option_text(OPT_ALLOW_CIDRS)[0] != '\0';
    if (url != NULL && strncmp(url, "https://", 8) != 0 && !plain_allowed) {
        call_fail(c, API_BAD_FIELD, "url", "url must begin with https://.");
        return false;
    }
    return true;
}

/* The secret of the body, or a new one. False: the call has ended. */
static bool choose_secret(struct call *c, char secret[SIGN_SECRET_SIZE])
{
    const char *given = jx_str(c->body, "secret");
    if (given == NULL) {
        endpoint_secret_make(secret);
        return true;
    }
    if (!endpoint_secret_fits(given)) {
        call_fail(c, API_BAD_FIELD, "secret",
                  "secret must be 16 to 256 printable characters without spaces.");
        return false;
    }
    memcpy(secret, given, strlen(given) + 1);
    return true;
}

/* A new record out of the body. */
static json_t *make(struct call *c, const json_t *agent, const char *secret)
{
    int64_t now = clock_wall_ms();
    json_t *webhook = json_object();
    jx_set_str(webhook, "id", id_new(kind_row(KIND_WEBHOOK)->prefix).text);
    jx_set_str(webhook, "agent_id", jx_str(agent, "id"));
    jx_set_str(webhook, "url", jx_str(c->body, "url"));
    jx_set(webhook, "events", json_incref(jx_arr(c->body, "events")));
    jx_set_str(webhook, "status", "active");
    jx_set_bool(webhook, "ordered", jx_bool(c->body, "ordered", false));
    jx_set_str(webhook, "description", jx_str(c->body, "description"));
    jx_set_time(webhook, "created_at", now);
    jx_set_time(webhook, "updated_at", now);
    endpoint_secret_set(webhook, c->part, secret, 0);
    return webhook;
}

/* The answer that shows the secret, this once. */
static json_t *with_secret(const json_t *webhook, const char *secret)
{
    json_t *out = endpoint_public(webhook);
    jx_set_str(out, "secret", secret);
    return out;
}

void webhooks_create(struct call *c)
{
    json_t *agent;
    char secret[SIGN_SECRET_SIZE];
    if (!owner(c, &agent) || !body_fits(c) || !choose_secret(c, secret)) {
        return;
    }
    json_t *webhook = call_keep(c, make(c, agent, secret));
    const char *id = jx_str(webhook, "id");
    changes_expect(call_changes(c), KIND_WEBHOOK, c->part, id, 0);
    changes_put(call_changes(c), KIND_WEBHOOK, c->part, id, webhook);
    call_audit(c, "webhook.created", id);
    call_commit(c, 201, with_secret(webhook, secret));
    wipe(secret, sizeof(secret));
}

void webhooks_show(struct call *c)
{
    json_t *webhook = webhook_find(c, NULL);
    if (webhook != NULL) {
        call_reply(c, 200, endpoint_public(webhook));
    }
}

/* Writes a changed record. */
static void put(struct call *c, json_t *webhook, uint64_t rev)
{
    const char *id = jx_str(webhook, "id");
    jx_set_time(webhook, "updated_at", clock_wall_ms());
    changes_expect(call_changes(c), KIND_WEBHOOK, c->part, id, rev);
    changes_put(call_changes(c), KIND_WEBHOOK, c->part, id, webhook);
}

void webhooks_change(struct call *c)
{
    uint64_t rev;
    const char *key;
    json_t *value, *webhook = webhook_find(c, &rev);
    if (webhook == NULL || !body_fits(c)) {
        return;
    }
    json_object_foreach (c->body, key, value) {
        jx_set(webhook, key, json_incref(value));
    }
    if (strcmp(jx_str_or(c->body, "status", ""), "active") == 0) {
        json_object_del(webhook, "reason");
        json_object_del(webhook, "failing_since");
        json_object_del(webhook, "warned");
        webhooks_gate_reset(jx_str(webhook, "id"));
    }
    put(c, webhook, rev);
    call_audit(c, "webhook.updated", jx_str(webhook, "id"));
    call_commit(c, 200, endpoint_public(webhook));
}

void webhooks_delete(struct call *c)
{
    uint64_t rev;
    json_t *webhook = webhook_find(c, &rev);
    if (webhook != NULL) {
        changes_expect(call_changes(c), KIND_WEBHOOK, c->part, jx_str(webhook, "id"), rev);
        changes_delete(call_changes(c), KIND_WEBHOOK, c->part, jx_str(webhook, "id"));
        call_audit(c, "webhook.deleted", jx_str(webhook, "id"));
        call_commit(c, 204, NULL);
    }
}

void webhooks_rotate(struct call *c)
{
    uint64_t rev;
    char secret[SIGN_SECRET_SIZE];
    json_t *webhook = webhook_find(c, &rev);
    if (webhook == NULL || !choose_secret(c, secret)) {
        return;
    }
    endpoint_secret_set(webhook, c->part, secret, jx_int(c->body, "overlap_s", OVERLAP_S) * 1000);
    put(c, webhook, rev);
    call_audit(c, "webhook.secret_rotated", jx_str(webhook, "id"));
    call_commit(c, 200, with_secret(webhook, secret));
    wipe(secret, sizeof(secret));
}
