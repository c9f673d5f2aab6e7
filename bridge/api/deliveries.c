/* deliveries.c: what was sent to an endpoint, and sending it again. */
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "bridge/api/webhooks.h"
#include "queue/base/clock.h"
#include "queue/events.h"
#include "queue/jobs.h"

static json_t *show(const json_t *delivery)
{
    return json_incref((json_t *)delivery);
}

/* A list shows how it stands, not every attempt's answer. */
static json_t *show_brief(const json_t *delivery)
{
    json_t *out = json_copy((json_t *)delivery);
    jx_set_int(out, "attempt_count", (int64_t)json_array_size(jx_arr(delivery, "attempts")));
    json_object_del(out, "attempts");
    return out;
}

/* status and event as filters. */
struct filter {
    const char *status, *type;
};

static bool keep(const json_t *row, const void *arg)
{
    const struct filter *filter = arg;
    return (filter->status == NULL || strcmp(jx_str_or(row, "status", ""), filter->status) == 0) &&
           (filter->type == NULL || strcmp(jx_str_or(row, "event_type", ""), filter->type) == 0);
}

void deliveries_list(struct call *c)
{
    struct filter filter = {.status = call_query(c, "status"), .type = call_query(c, "event_type")};
    json_t *webhook = webhook_find(c, NULL);
    if (webhook == NULL) {
        return;
    }
    const char *id = jx_str(webhook, "id");
    bool filtered = filter.status != NULL || filter.type != NULL;
    struct list_spec spec = {.query = {.kind = KIND_DELIVERY,
                                       .part = c->part,
                                       .index = INDEX_DELIVERY_WEBHOOK,
                                       .match = {id},
                                       .descending = true},
                             .keep = filtered ? keep : NULL,
                             .arg = &filter,
                             .show = show_brief,
                             .cursors = true};
    spec.total =
        filtered ? -1 : (int64_t)snapshot_count(c->snap, KIND_DELIVERY, c->part, INDEX_DELIVERY_WEBHOOK, id);
    list_reply(c, &spec);
}

/* The delivery that the path names, of the endpoint that it names. NULL: 404. */
static json_t *find(struct call *c, uint64_t *rev, json_t **webhook)
{
    *webhook = webhook_find(c, NULL);
    json_t *delivery = *webhook != NULL ? call_find(c, KIND_DELIVERY, call_param(c, "delivery"), rev) : NULL;
    if (delivery != NULL &&
        strcmp(jx_str_or(delivery, "webhook_id", ""), jx_str_or(*webhook, "id", "")) != 0) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such delivery.");
        return NULL;
    }
    return delivery;
}

void deliveries_show(struct call *c)
{
    json_t *webhook, *delivery = find(c, NULL, &webhook);
    if (delivery != NULL) {
        call_reply(c, 200, show(delivery));
    }
}

void deliveries_retry(struct call *c)
{
    uint64_t rev;
    json_t *event = NULL, *webhook, *delivery = find(c, &rev, &webhook);
    if (delivery == NULL) {
        return;
    }
    if (strcmp(jx_str_or(webhook, "status", ""), "disabled") == 0) {
        call_fail(c, API_IMPOSSIBLE, NULL, "The endpoint is disabled: switch it on first.");
        return;
    }
    enum err rc =
        snapshot_get(c->snap, KIND_EVENT, c->part, jx_str_or(delivery, "event_id", "-"), &event, NULL);
    json_decref(event);
    if (rc != ERR_OK) {
        call_fail(c, API_IMPOSSIBLE, NULL, "The event is no longer kept.");
        return;
    }
    json_t *payload = json_object();
    jx_set_str(payload, "delivery_id", jx_str(delivery, "id"));
    jx_set_str(payload, "webhook_id", jx_str(delivery, "webhook_id"));
    jx_set_str(payload, "event_id", jx_str(delivery, "event_id"));
    changes_push(call_changes(c), QUEUE_DELIVER, c->part, jx_str_or(delivery, "id", "-"), 0, payload);
    json_decref(payload);
    jx_set_str(delivery, "status", "pending");
    jx_set_bool(delivery, "replay", true);
    jx_set_time(delivery, "updated_at", clock_wall_ms());
    json_object_del(delivery, "finished_at");
    changes_expect(call_changes(c), KIND_DELIVERY, c->part, jx_str(delivery, "id"), rev);
    changes_put(call_changes(c), KIND_DELIVERY, c->part, jx_str(delivery, "id"), delivery);
    call_commit(c, 202, show(delivery));
}

void webhooks_test(struct call *c)
{
    json_t *webhook = webhook_find(c, NULL);
    if (webhook == NULL) {
        return;
    }
    int64_t now = clock_wall_ms();
    struct id id = id_new(kind_row(KIND_EVENT)->prefix);
    json_t *event = call_keep(c, json_object()), *data = json_object();
    jx_set_str(data, "webhook_id", jx_str(webhook, "id"));
    jx_set_bool(data, "test", true);
    jx_set_str(event, "id", id.text);
    jx_set_str(event, "type", "webhook.test");
    jx_set_time(event, "created_at", now);
    jx_set_time(event, "timestamp", now);
    jx_set_str(event, "api_version", EVENT_API_VERSION);
    jx_set_bool(event, "livemode", c->caller.mode == MODE_LIVE);
    jx_set_str(event, "agent_id", jx_str(webhook, "agent_id"));
    jx_set(event, "data", data);
    changes_put_numbered(call_changes(c), KIND_EVENT, c->part, id.text, event, "account");
    event_deliver(call_changes(c), c->part, event, webhook, false);
    json_t *answer = json_object();
    jx_set_str(answer, "event_id", id.text);
    jx_set_str(answer, "type", "webhook.test");
    jx_set_str(answer, "status", "queued");
    call_commit(c, 202, answer);
}
