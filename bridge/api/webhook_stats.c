/* webhook_stats.c: how an endpoint does: over its newest deliveries, and at this moment. */
#include <stdlib.h>
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/webhooks.h"
#include "bridge/webhooks/deliver.h"
#include "queue/base/clock.h"

#define DELIVERIES_MOST 1000 /* looked at */
#define ATTEMPTS_MOST   20000

struct stats {
    int64_t delivered, failed, pending;
    int64_t good; /* attempts */
    int64_t *took_ms;
    size_t count;
};

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Counts one delivery with its attempts. */
static void add(struct stats *s, const json_t *delivery)
{
    size_t i;
    json_t *attempt;
    const char *status = jx_str_or(delivery, "status", "");
    s->delivered += strcmp(status, "delivered") == 0;
    s->failed += strcmp(status, "failed") == 0;
    s->pending += strcmp(status, "pending") == 0;
    json_array_foreach (jx_arr(delivery, "attempts"), i, attempt) {
        int64_t code = jx_int(attempt, "status", 0);
        if (s->count < ATTEMPTS_MOST && jx_int(attempt, "duration_ms", -1) >= 0) {
            s->took_ms[s->count++] = jx_int(attempt, "duration_ms", 0);
            s->good += code >= 200 && code < 300;
        }
    }
}

/* The nearest-rank percentile; null of nothing. */
static json_t *percentile(const struct stats *s, unsigned percent)
{
    if (s->count == 0) {
        return json_null();
    }
    size_t rank = (s->count * percent + 99) / 100;
    return json_integer(s->took_ms[rank > 0 ? rank - 1 : 0]);
}

/* What the gate knows of the endpoint. */
static json_t *now_of(const char *id)
{
    struct gate_view view;
    json_t *out = json_object();
    webhooks_gate_look(id, &view);
    jx_set_str(out, "breaker", gate_breaker_name(view.breaker));
    jx_set_int(out, "breaker_open_ms", view.open_ms);
    jx_set_int(out, "in_flight", view.in_flight);
    jx_set_int(out, "concurrency", view.limit);
    return out;
}

/* The answer. */
static json_t *show(struct stats *s, const char *id)
{
    json_t *out = json_object();
    qsort(s->took_ms, s->count, sizeof(s->took_ms[0]), compare);
    jx_set_str(out, "webhook_id", id);
    jx_set_int(out, "deliveries", s->delivered + s->failed + s->pending);
    jx_set_int(out, "delivered", s->delivered);
    jx_set_int(out, "failed", s->failed);
    jx_set_int(out, "pending", s->pending);
    jx_set_int(out, "attempts", (int64_t)s->count);
    jx_set(out, "success_rate", s->count > 0 ? json_real((double)s->good / (double)s->count) : json_null());
    jx_set(out, "p50_ms", percentile(s, 50));
    jx_set(out, "p95_ms", percentile(s, 95));
    jx_set(out, "now", now_of(id));
    return out;
}

void webhooks_stats(struct call *c)
{
    struct store_page page;
    json_t *webhook = webhook_find(c, NULL);
    if (webhook == NULL) {
        return;
    }
    const char *id = jx_str(webhook, "id");
    struct page_query query = {.kind = KIND_DELIVERY,
                               .part = c->part,
                               .index = INDEX_DELIVERY_WEBHOOK,
                               .match = {id},
                               .descending = true,
                               .limit = DELIVERIES_MOST};
    enum err rc = snapshot_page(c->snap, &query, &page);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    struct stats s = {.took_ms = xcalloc(ATTEMPTS_MOST, sizeof(int64_t))};
    for (size_t i = 0; i < page.count; i++) {
        add(&s, page.rows[i].body);
    }
    store_page_free(&page);
    json_t *out = show(&s, id);
    free(s.took_ms);
    call_reply(c, 200, out);
}
