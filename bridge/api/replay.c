/* replay.c: delivering the events of a span of time again, to one endpoint. Replays keep the event's id, so
 * receivers can tell what they have; each is a delivery of its own. */
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/webhooks.h"
#include "queue/base/clock.h"
#include "queue/events.h"

#define REPLAY_MOST 1000

struct replay {
    struct call *c;
    json_t *webhook;
    const json_t *patterns;
    json_t *delivered; /* event ids that need no replay; NULL: all need one */
    unsigned count;
};

/* The smallest event id of a moment. */
static const char *event_floor(struct call *c, int64_t ms)
{
    char floor[27];
    id_floor(ms, floor);
    return arena_printf(c->arena, "%s_%s", kind_row(KIND_EVENT)->prefix, floor);
}

/* A time of the body; fallback if it has none. */
static int64_t time_of(struct call *c, const char *name, int64_t fallback)
{
    int64_t ms;
    bool date_only;
    const char *text = jx_str(c->body, name);
    return text != NULL && clock_parse(text, &ms, &date_only) ? ms : fallback;
}

static bool look_delivery(const struct store_row *row, void *arg)
{
    struct replay *r = arg;
    if (strcmp(jx_str_or(row->body, "status", ""), "delivered") == 0) {
        jx_set(r->delivered, jx_str_or(row->body, "event_id", "-"), json_true());
    }
    return true;
}

/* What the endpoint has got already. */
static enum err read_delivered(struct replay *r)
{
    struct call *c = r->c;
    struct page_query query = {.kind = KIND_DELIVERY,
                               .part = c->part,
                               .index = INDEX_DELIVERY_WEBHOOK,
                               .match = {jx_str(r->webhook, "id")}};
    r->delivered = call_keep(c, json_object());
    return snapshot_rows(c->snap, &query, look_delivery, r);
}

/* True if this event is to go out again. */
static bool wanted(const struct replay *r, const json_t *event)
{
    const char *agent = jx_str(r->webhook, "agent_id");
    return event_subscribed(r->patterns, jx_str_or(event, "type", "")) &&
           (agent == NULL || strcmp(jx_str_or(event, "agent_id", ""), agent) == 0) &&
           (r->delivered == NULL || json_object_get(r->delivered, jx_str_or(event, "id", "-")) == NULL);
}

/* Adds a delivery for each event that is wanted. *next: where to go on, NULL at the end. */
static enum err add_deliveries(struct replay *r, int64_t since_ms, int64_t until_ms, const char **next)
{
    struct call *c = r->c;
    struct store_page page;
    struct page_query query = {.kind = KIND_EVENT,
                               .part = c->part,
                               .from = event_floor(c, since_ms),
                               .to = event_floor(c, until_ms),
                               .limit = REPLAY_MOST};
    enum err rc = snapshot_page(c->snap, &query, &page);
    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < page.count; i++) {
        if (wanted(r, page.rows[i].body)) {
            event_deliver(call_changes(c), c->part, page.rows[i].body, r->webhook, true);
            r->count++;
        }
    }
    *next = NULL;
    if (page.more && page.count > 0) { /* to the millisecond: a busy second holds more than one page */
        char text[CLOCK_TEXT_SIZE];
        *next = arena_strdup(c->arena, clock_rfc3339_ms(id_time_ms(page.rows[page.count - 1].id), text));
    }
    store_page_free(&page);
    return ERR_OK;
}

/* Event names of the body. False: the call has ended. */
static bool patterns_fit(struct call *c, const json_t *patterns)
{
    size_t i;
    json_t *item;
    json_array_foreach (patterns, i, item) {
        if (!event_subscription_valid(json_string_value(item))) {
            call_fail(c, API_BAD_FIELD, "events", "events: number %zu is not the name of an event type.",
                      i + 1);
            return false;
        }
    }
    return true;
}

void webhooks_replay(struct call *c)
{
    const char *next = NULL;
    struct replay r = {.c = c, .webhook = webhook_find(c, NULL), .patterns = jx_arr(c->body, "events")};
    if (r.webhook == NULL || !patterns_fit(c, r.patterns)) {
        return;
    }
    if (r.patterns == NULL) {
        r.patterns = jx_arr(r.webhook, "events");
    }
    enum err rc = jx_bool(c->body, "only_failed", false) ? read_delivered(&r) : ERR_OK;
    if (rc == ERR_OK) {
        rc = add_deliveries(&r, time_of(c, "since", 0), time_of(c, "until", clock_wall_ms() + 1), &next);
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    call_audit(c, "webhook.replayed", jx_str(r.webhook, "id"));
    json_t *answer = json_object();
    jx_set_int(answer, "queued", r.count);
    jx_set_str(answer, "next_since", next);
    call_commit(c, 202, answer);
}
