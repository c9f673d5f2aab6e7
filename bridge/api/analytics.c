/* analytics.c: figures of an account: dashboard, conversation trends, feedback, usage, trust score.
 *
 * All of them read the roll-up with what is not rolled up yet (report.h). Money and tokens are counters that
 * the turns write (agent/turn/spend.h), by days of UTC; billable messages are counters of the statuses that told
 * their price (channels/billing.h), by quarters of an hour. */
#include <stdlib.h>
#include <string.h>

#include "bridge/api/report.h"
#include "channels/billing.h"
#include "queue/base/clock.h"

#define DAY_MS        (24 * 3600 * (int64_t)1000)
#define LIMIT_DEFAULT 20
#define AGENTS_MOST   200

/* A share, null of nothing. */
static json_t *share(int64_t part, int64_t whole)
{
    return whole > 0 ? json_real((double)part / (double)whole) : json_null();
}

static void set_figures(json_t *out, const int64_t figures[METRIC_COUNT])
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        jx_set_int(out, metric_name((enum metric)i), figures[i]);
    }
}

static void set_segments(json_t *out, const int64_t segments[SEGMENT_COUNT])
{
    for (int i = 0; i < SEGMENT_COUNT; i++) {
        jx_set_int(out, segment_name((enum segment_id)i), segments[i]);
    }
}

/* ---- dashboard ---- */

/* Conversations that the AI answered or handed over. */
static int64_t settled(const struct report *r)
{
    return r->segments[SEGMENT_BY_AI] + r->segments[SEGMENT_BY_HUMAN] + r->segments[SEGMENT_UNANSWERED];
}

static void dashboard_end(struct report *r)
{
    json_t *out = report_head(r), *totals = json_object(), *segments = json_object(), *rates = json_object();
    int64_t rated = r->totals[METRIC_UP] + r->totals[METRIC_DOWN];

    set_figures(totals, r->totals);
    set_segments(segments, r->segments);
    jx_set(rates, "resolved_by_ai", share(r->segments[SEGMENT_BY_AI], settled(r)));
    jx_set(rates, "handoff", share(r->totals[METRIC_HANDOFFS], r->totals[METRIC_CONVERSATIONS]));
    jx_set(rates, "grounded", share(r->totals[METRIC_GROUNDED], r->totals[METRIC_ANSWERS]));
    jx_set(rates, "fallback",
           share(r->totals[METRIC_FALLBACKS], r->totals[METRIC_FALLBACKS] + r->totals[METRIC_ANSWERS]));
    jx_set(rates, "satisfaction", share(r->totals[METRIC_UP], rated));
    jx_set(out, "totals", totals);
    jx_set(out, "segments", segments);
    jx_set(out, "rates", rates);
    if (r->rolled_up_ms > 0) {
        jx_set_time(out, "rolled_up_until", r->rolled_up_ms);
    } else {
        jx_set_str(out, "rolled_up_until", NULL);
    }
    call_reply(r->c, 200, out);
}

void analytics_dashboard(struct call *c)
{
    static const struct report_spec spec = {
        .walks = {{KIND_ROLLUP, false, report_look_slot}, {KIND_INSIGHT, false, report_look_conversation}},
        .end = dashboard_end};
    struct report *r = report_new(c, LIMIT_DEFAULT);

    if (r != NULL) {
        report_start(r, &spec);
    }
}

/* ---- conversations ---- */

static void conversations_end(struct report *r)
{
    json_t *out = report_head(r), *rows = json_array();

    for (size_t i = 0; i < r->bucket_count; i++) {
        json_t *row = json_object();
        jx_set_str(row, "date", r->buckets[i].day);
        set_figures(row, r->buckets[i].figures);
        set_segments(row, r->buckets[i].segments);
        jx_push(rows, row);
    }
    jx_set(out, "rows", rows);
    call_reply(r->c, 200, out);
}

void analytics_conversations(struct call *c)
{
    static const struct report_spec spec = {
        .walks = {{KIND_ROLLUP, false, report_look_slot}, {KIND_INSIGHT, false, report_look_conversation}},
        .end = conversations_end};
    const char *interval = call_query(c, "interval");
    bool week = interval != NULL && strcmp(interval, "week") == 0;

    if (interval != NULL && !week && strcmp(interval, "day") != 0) {
        call_fail(c, API_BAD_FIELD, "interval", "interval must be day or week.");
        return;
    }
    struct report *r = report_new(c, LIMIT_DEFAULT);
    if (r != NULL && report_divide(r, week ? 7 : 1, false)) {
        report_start(r, &spec);
    }
}

/* ---- feedback ---- */

static bool look_feedback(struct report *r, const char *id, const json_t *feedback)
{
    json_t *rows = jx_arr(r->data, "rows"), *row;
    const char *rating = jx_str_or(feedback, "rating", "");

    (void)id;
    if (r->agent != NULL && strcmp(jx_str_or(feedback, "agent_id", ""), r->agent) != 0) {
        return true;
    }
    if (rows == NULL) {
        rows = json_array();
        jx_set(r->data, "rows", rows);
    }
    jx_set_int(r->data, rating, jx_int(r->data, rating, 0) + 1);
    jx_set_int(r->data, "comments", jx_int(r->data, "comments", 0) + (jx_str(feedback, "comment") != NULL));
    if (json_array_size(rows) < r->limit) {
        row = json_copy((json_t *)feedback);
        json_object_del(row, "contact_id");
        jx_push(rows, row);
    }
    return true;
}

static void feedback_end(struct report *r)
{
    json_t *out = report_head(r), *rows = jx_arr(r->data, "rows");
    int64_t up = jx_int(r->data, "up", 0), down = jx_int(r->data, "down", 0);

    jx_set_int(out, "up", up);
    jx_set_int(out, "down", down);
    jx_set_int(out, "total", up + down);
    jx_set(out, "satisfaction", share(up, up + down));
    jx_set(out, "rated_share", share(up + down, r->totals[METRIC_AI]));
    jx_set_int(out, "comments", jx_int(r->data, "comments", 0));
    jx_set(out, "rows", rows != NULL ? json_incref(rows) : json_array());
    call_reply(r->c, 200, out);
}

void analytics_feedback(struct call *c)
{
    static const struct report_spec spec = {
        .walks = {{KIND_ROLLUP, false, report_look_slot}, {KIND_FEEDBACK, true, look_feedback}},
        .end = feedback_end};
    struct report *r = report_new(c, LIMIT_DEFAULT);

    if (r != NULL) {
        report_start(r, &spec);
    }
}

/* ---- usage ---- */

/* Counters of a day of UTC; agent NULL: all. */
static int64_t day_counter(const struct report *r, const char *day, const char *name)
{
    char counter[160];

    if (r->agent != NULL) {
        snprintf(counter, sizeof counter, "day.%s.agent.%.40s.%s", day, r->agent, name);
    } else {
        snprintf(counter, sizeof counter, "day.%s.%s", day, name);
    }
    return snapshot_counter(r->snap, r->c->part, counter);
}

struct billing {
    struct report *r;
    json_t *categories; /* name -> count */
};

/* One counter of billable messages: billable.SLOT.AGENT.CATEGORY */
static bool look_billable(const char *name, int64_t value, void *arg)
{
    struct billing *b = arg;
    char text[CLOCK_TEXT_SIZE];
    const char *agent = strchr(name + strlen(BILLING_PREFIX), '.');
    const char *category = agent != NULL ? strchr(agent + 1, '.') : NULL;
    int64_t at_ms;
    bool date_only;

    snprintf(text, sizeof text, "%.16s:00Z", name + strlen(BILLING_PREFIX));
    if (category == NULL || !clock_parse(text, &at_ms, &date_only) || at_ms < b->r->from_ms ||
        at_ms >= b->r->to_ms) {
        return true;
    }
    size_t len = (size_t)(category - agent - 1);
    if (b->r->agent == NULL || (strlen(b->r->agent) == len && strncmp(b->r->agent, agent + 1, len) == 0)) {
        jx_set_int(b->categories, category + 1, jx_int(b->categories, category + 1, 0) + value);
    }
    return true;
}

/* Adds what the days of the range cost and how much of it was billable. */
static void add_days(struct report *r, json_t *out, json_t *categories)
{
    static const struct {
        const char *counter, *name;
    } sums[] = {{"tokens.input", "tokens_input"},         {"tokens.output", "tokens_output"},
                {"tokens.cached", "tokens_cached"},       {"cost.micros", "cost_micros"},
                {"knowledge.writes", "knowledge_writes"}, {"api.requests", "api_requests"}};
    struct billing b = {.r = r, .categories = categories};
    int64_t figures[sizeof sums / sizeof *sums] = {0};
    char text[CLOCK_TEXT_SIZE], day[11], prefix[40];

    for (int64_t at = r->from_ms - r->from_ms % DAY_MS; at < r->to_ms; at += DAY_MS) {
        snprintf(day, sizeof day, "%.10s", clock_rfc3339(at, text));
        for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
            figures[i] += day_counter(r, day, sums[i].counter);
        }
        snprintf(prefix, sizeof prefix, BILLING_PREFIX "%s", day);
        snapshot_counters(r->snap, r->c->part, prefix, look_billable, &b);
    }
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        jx_set_int(out, sums[i].name, figures[i]);
    }
    jx_set(out, "cost", json_real((double)jx_int(out, "cost_micros", 0) / 1e6));
}

static void usage_end(struct report *r)
{
    json_t *out = report_head(r), *categories = json_object(), *list = json_array(), *count;
    const char *category;
    int64_t all = 0, sent = r->totals[METRIC_AI] + r->totals[METRIC_HUMAN] + r->totals[METRIC_SYSTEM];

    jx_set_int(out, "messages_in", r->totals[METRIC_IN]);
    jx_set_int(out, "messages_out", sent);
    jx_set_int(out, "conversations", r->totals[METRIC_CONVERSATIONS]);
    add_days(r, out, categories);
    json_object_foreach (categories, category, count) {
        all += json_integer_value(count);
        jx_push(list, json_pack("{s:s,s:O}", "category", category, "count", count));
    }
    jx_set_int(out, "billable_messages", all);
    jx_set(out, "billable_by_category", list);
    json_decref(categories);
    call_reply(r->c, 200, out);
}

void analytics_usage(struct call *c)
{
    static const struct report_spec spec = {.walks = {{KIND_ROLLUP, false, report_look_slot}},
                                            .end = usage_end};
    struct report *r = report_new(c, LIMIT_DEFAULT);

    if (r != NULL) {
        report_start(r, &spec);
    }
}

/* ---- trust score ---- */

/* The mean score of the newest adversarial tests of the agents, -1 if there was none. */
static double adversarial(struct report *r)
{
    struct page_query query = {.kind = KIND_AGENT, .part = r->c->part, .limit = AGENTS_MOST};
    struct store_page page;
    double sum = 0;
    int count = 0;

    if (snapshot_page(r->snap, &query, &page) != ERR_OK) {
        return -1;
    }
    for (size_t i = 0; i < page.count; i++) {
        char *name = xasprintf("adversarial:%s", page.rows[i].id);
        json_t *test = NULL;
        bool wanted = r->agent == NULL || strcmp(r->agent, page.rows[i].id) == 0;
        if (wanted && snapshot_get(r->snap, KIND_SETTING, r->c->part, name, &test, NULL) == ERR_OK &&
            jx_num(test, "score", -1) >= 0) {
            sum += jx_num(test, "score", 0);
            count++;
        }
        json_decref(test);
        free(name);
    }
    store_page_free(&page);
    return count > 0 ? sum / count : -1;
}

/* The score is the mean of the parts that are known, each with its weight, from 0 to 100. */
static void trust_end(struct report *r)
{
    double test = adversarial(r), sum = 0, weight = 0;
    struct {
        const char *name;
        double weight;
        json_t *value;
    } parts[] = {
        {"grounded", 0.4, share(r->totals[METRIC_GROUNDED], r->totals[METRIC_ANSWERS])},
        {"resolution", 0.3, share(r->segments[SEGMENT_BY_AI], settled(r))},
        {"feedback", 0.2, share(r->totals[METRIC_UP], r->totals[METRIC_UP] + r->totals[METRIC_DOWN])},
        {"adversarial", 0.1, test >= 0 ? json_real(test) : json_null()},
    };
    json_t *out = report_head(r), *list = json_array();

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!json_is_null(parts[i].value)) {
            sum += parts[i].weight * json_number_value(parts[i].value);
            weight += parts[i].weight;
        }
        jx_push(list, json_pack("{s:s,s:f,s:o}", "name", parts[i].name, "weight", parts[i].weight, "value",
                                parts[i].value));
    }
    jx_set(out, "score", weight > 0 ? json_real(100 * sum / weight) : json_null());
    jx_set(out, "parts", list);
    call_reply(r->c, 200, out);
}

void analytics_trust(struct call *c)
{
    static const struct report_spec spec = {
        .walks = {{KIND_ROLLUP, false, report_look_slot}, {KIND_INSIGHT, false, report_look_conversation}},
        .end = trust_end};
    struct report *r = report_new(c, LIMIT_DEFAULT);

    if (r != NULL) {
        report_start(r, &spec);
    }
}
