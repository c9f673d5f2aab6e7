/* integrations.c: the account's integrations over REST, Slack's posts, and Zapier's REST hooks. */
#include "bridge/integrations/integration.h"

#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "bridge/webhooks/catalogue.h"
#include "queue/address.h"
#include "queue/base/clock.h"
#include "queue/base/log.h"
#include "queue/events.h"

#define SAMPLES      3
#define SAMPLES_READ 200

void integrations_list(struct call *c)
{
    struct list_spec spec = {.query = {.kind = KIND_INTEGRATION, .part = c->part},
                             .show = integration_public};
    if (call_snap(c) != NULL) {
        spec.total = (int64_t)snapshot_count(c->snap, KIND_INTEGRATION, c->part, INDEX_NONE, NULL);
        list_reply(c, &spec);
    }
}

/* The shape that leaves, with the address that Slack posts to. */
static json_t *show(struct call *c, const json_t *integration)
{
    json_t *out = integration_public(integration);
    if (strcmp(jx_str_or(integration, "type", ""), "slack") == 0) {
        jx_set_str(out, "events_url",
                   arena_printf(c->arena, "%s/hooks/slack/%s", c->api->app->public_url,
                                jx_str_or(integration, "id", "")));
    }
    return out;
}

/* Takes the body over. False: the call has ended. */
static bool take(struct call *c, json_t *integration)
{
    const char *field = NULL;
    enum err rc = integration_take(integration, c->part, c->body, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
    }
    return rc == ERR_OK;
}

void integrations_create(struct call *c)
{
    const char *type = jx_str_or(c->body, "type", "");
    json_t *integration = call_keep(c, json_object());
    if (call_snap(c) == NULL) {
        return;
    }
    if (!integration_type_known(type)) {
        call_fail(c, API_BAD_FIELD, "type", "type must be one of slack, zoom, zapier, http.");
        return;
    }
    jx_set_str(integration, "id", id_new(kind_row(KIND_INTEGRATION)->prefix).text);
    jx_set_str(integration, "type", type);
    jx_set_time(integration, "created_at", clock_wall_ms());
    if (take(c, integration)) {
        const char *id = jx_str(integration, "id");
        changes_expect(call_changes(c), KIND_INTEGRATION, c->part, id, 0);
        changes_put(call_changes(c), KIND_INTEGRATION, c->part, id, integration);
        address_put(call_changes(c), c->part, id);
        call_audit(c, "integration.created", id);
        call_commit(c, 201, show(c, integration));
    }
}

/* The integration that the path names. NULL: 404. */
static json_t *find(struct call *c, uint64_t *rev)
{
    return call_find(c, KIND_INTEGRATION, call_param(c, "integration"), rev);
}

void integrations_show(struct call *c)
{
    json_t *integration = find(c, NULL);
    if (integration != NULL) {
        call_reply(c, 200, show(c, integration));
    }
}

void integrations_change(struct call *c)
{
    uint64_t rev;
    json_t *integration = find(c, &rev);
    if (integration != NULL && take(c, integration)) {
        const char *id = jx_str(integration, "id");
        changes_expect(call_changes(c), KIND_INTEGRATION, c->part, id, rev);
        changes_put(call_changes(c), KIND_INTEGRATION, c->part, id, integration);
        call_audit(c, "integration.updated", id);
        call_commit(c, 200, show(c, integration));
    }
}

void integrations_delete(struct call *c)
{
    uint64_t rev;
    json_t *integration = find(c, &rev);
    if (integration != NULL) {
        const char *id = jx_str(integration, "id");
        changes_expect(call_changes(c), KIND_INTEGRATION, c->part, id, rev);
        changes_delete(call_changes(c), KIND_INTEGRATION, c->part, id);
        changes_delete(call_changes(c), KIND_ADDRESS, PARTITION_GLOBAL, id);
        call_audit(c, "integration.deleted", id);
        call_commit(c, 204, NULL);
    }
}

/* ---- Slack's Events API ---- */

/* The Slack integration that the path names. NULL: the call has ended. */
static json_t *at_door(struct call *c, char part[PARTITION_SIZE])
{
    json_t *integration = NULL;
    const char *id = call_param(c, "integration");
    if (call_snap(c) == NULL) {
        return NULL;
    }
    enum err rc = address_find(c->snap, id, part);
    rc = rc == ERR_OK ? snapshot_get(c->snap, KIND_INTEGRATION, part, id, &integration, NULL) : rc;
    if (rc != ERR_OK || strcmp(jx_str_or(integration, "type", ""), "slack") != 0) {
        json_decref(integration);
        call_fail(c, API_NOT_FOUND, NULL, "There is no such integration.");
        return NULL;
    }
    return call_keep(c, integration);
}

/* The reply is durable, or was before. */
static void on_taken(enum err rc, uint64_t rev, void *arg)
{
    struct call *c = arg;
    (void)rev;
    if (rc == ERR_OK || rc == ERR_SEEN) {
        call_text(c, 200, "text/plain; charset=utf-8", "ok", 2);
    } else { /* Slack posts again */
        call_fail(c, API_STORAGE, NULL, NULL);
    }
}

void integrations_slack(struct call *c)
{
    char part[PARTITION_SIZE];
    size_t size;
    json_t *callback = NULL, *integration = at_door(c, part);
    if (integration == NULL) {
        return;
    }
    const char *body = http_body(c->req, &size);
    if (slack_verify(integration, part, http_header(c->req, "X-Slack-Request-Timestamp"),
                     http_header(c->req, "X-Slack-Signature"), body, size) != ERR_OK) {
        log_warn("slack.bad_signature", "integration=%s peer=%s", jx_str_or(integration, "id", ""),
                 http_peer(c->req));
        call_fail(c, API_BAD_SIGNATURE, NULL, NULL);
        return;
    }
    if (jx_parse_lenient(body, size, &callback) != ERR_OK) {
        call_fail(c, API_BAD_JSON, NULL, NULL);
        return;
    }
    call_keep(c, callback);
    http_vouch(c->req);
    if (strcmp(jx_str_or(callback, "type", ""), "url_verification") == 0) {
        const char *challenge = jx_str_or(callback, "challenge", "");
        call_text(c, 200, "text/plain; charset=utf-8", challenge, strlen(challenge));
        return;
    }
    struct changes *cs = changes_new();
    if (!slack_take(cs, c->snap, part, integration, callback)) {
        changes_free(cs);
        call_text(c, 200, "text/plain; charset=utf-8", "ok", 2);
        return;
    }
    call_wait(c);
    store_submit(c->api->app->store, cs, on_taken, c);
}

/* ---- Zapier ---- */

/* The newest events of a type (of any, if none is named), or the catalogue's example; a bare list, as Zapier
 * reads it. */
void zapier_sample(struct call *c)
{
    struct store_page page;
    const char *type = call_query(c, "event");
    struct page_query query = {
        .kind = KIND_EVENT, .part = c->part, .descending = true, .limit = SAMPLES_READ};
    if (type != NULL && (!event_subscription_valid(type) || strchr(type, '*') != NULL)) {
        call_fail(c, API_BAD_FIELD, "event", "event must name an event type.");
        return;
    }
    enum err rc = call_snap(c) != NULL ? snapshot_page(c->snap, &query, &page) : ERR_CLOSED;
    if (rc != ERR_OK) {
        if (rc != ERR_CLOSED) {
            call_refuse(c, rc, NULL, "");
        }
        return;
    }
    json_t *patterns = json_pack("[s]", type != NULL ? type : "*"), *found = call_keep(c, json_array());
    for (size_t i = 0; i < page.count && json_array_size(found) < SAMPLES; i++) {
        if (event_subscribed(patterns, jx_str_or(page.rows[i].body, "type", ""))) {
            jx_push(found, json_incref(page.rows[i].body));
        }
    }
    store_page_free(&page);
    json_decref(patterns);
    if (json_array_size(found) == 0) {
        jx_push(found, catalogue_example(type != NULL ? type : "message.received"));
    }
    struct buf text;
    buf_init(&text, 4u << 20);
    jx_dump(found, &text);
    call_text(c, 200, "application/json", buf_str(&text), text.len);
    buf_fini(&text);
}

/* A subscription is a webhook endpoint of the account: signed, retried, and gone when Zapier answers 410. */
void zapier_subscribe(struct call *c)
{
    const char *event = jx_str(c->body, "event");
    json_t *body = call_keep(c, json_object());
    const char *url =
        jx_str(c->body, "target_url") != NULL ? jx_str(c->body, "target_url") : jx_str(c->body, "hook_url");
    if (url == NULL) {
        call_fail(c, API_BAD_FIELD, "target_url", "target_url is required.");
        return;
    }
    jx_set_str(body, "url", url);
    jx_set(body, "events", json_pack("[s]", event));
    jx_set_str(body, "description", "Zapier");
    c->body = body;
    webhooks_create(c);
}
