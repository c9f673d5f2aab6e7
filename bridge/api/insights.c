/* insights.c: segments of conversations, their breakdown by a dimension, trends with a comparison.
 *
 * A conversation belongs to the time in which it began. */
#include "bridge/api/list.h"
#include "bridge/api/report.h"
#include "queue/base/clock.h"
#include "queue/base/zone.h"

#include <string.h>

#define LIMIT_DEFAULT 100
#define ROWS_MOST     200
#define NONE          "none"

static void add(json_t *counts, const char *name)
{
    jx_set_int(counts, name, jx_int(counts, name, 0) + 1);
}

/* ---- segments ---- */

static bool look_segments(struct report *r, const char *id, const json_t *insight)
{
    struct segment_view view;

    (void)id;
    if (!report_view(r, insight, &view)) {
        return true;
    }
    r->totals[METRIC_CONVERSATIONS]++;
    for (int i = 0; i < SEGMENT_COUNT; i++) {
        r->segments[i] += view.segments >> i & 1u;
    }
    for (size_t i = 0; i < segments_count(r->own); i++) {
        if (segments_hold(r->own, i, &view)) {
            add(r->data, jx_str_or(segments_record(r->own, i), "id", ""));
        }
    }
    segment_view_fini(&view);
    return true;
}

static json_t *segment_row(const struct report *r, const char *id, const char *name, int64_t count)
{
    int64_t all = r->totals[METRIC_CONVERSATIONS];
    json_t *row = json_object();

    jx_set_str(row, "id", id);
    jx_set_str(row, "name", name);
    jx_set_bool(row, "built_in", id == NULL);
    jx_set_int(row, "conversations", count);
    jx_set(row, "share", json_real(all > 0 ? (double)count / (double)all : 0));
    return row;
}

static void segments_end(struct report *r)
{
    json_t *rows = json_array();

    for (int i = 0; i < SEGMENT_COUNT; i++) {
        jx_push(rows, segment_row(r, NULL, segment_name((enum segment_id)i), r->segments[i]));
    }
    for (size_t i = 0; i < segments_count(r->own); i++) {
        const json_t *own = segments_record(r->own, i);
        const char *id = jx_str_or(own, "id", "");
        jx_push(rows, segment_row(r, id, jx_str_or(own, "name", ""), jx_int(r->data, id, 0)));
    }
    http_reply_header(r->c->req, "X-Report-Complete", r->complete ? "true" : "false");
    list_reply_sized(r->c, rows, r->limit);
    json_decref(rows);
}

void insights_segments(struct call *c)
{
    static const struct report_spec spec = {
        .walks = {{KIND_INSIGHT, false, look_segments}}, .segments = true, .end = segments_end};
    struct report *r = report_new(c, LIMIT_DEFAULT);

    if (r != NULL) {
        report_start(r, &spec);
    }
}

/* The segment as it leaves. */
static json_t *segment_show(const json_t *record)
{
    json_t *out = json_copy((json_t *)record);

    if (jx_obj(out, "rules") == NULL) {
        jx_set(out, "rules", json_object());
    }
    if (jx_arr(out, "examples") == NULL) {
        jx_set(out, "examples", json_array());
    }
    return out;
}

void insights_segment_create(struct call *c)
{
    const char *field = NULL, *name = jx_str_or(c->body, "name", "");

    if (call_snap(c) == NULL) {
        return;
    }
    enum err rc = segment_check(c->body, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    if (segment_of(name) != SEGMENT_COUNT ||
        snapshot_count(c->snap, KIND_SEGMENT, c->part, INDEX_NONE, NULL) >= SEGMENTS_MOST) {
        call_fail(c, API_BAD_FIELD, "name", "A built-in segment is called so, or there are %d already.",
                  SEGMENTS_MOST);
        return;
    }
    json_t *record = json_object();
    struct id id = id_new("seg");
    jx_set_str(record, "id", id.text);
    jx_set_str(record, "name", name);
    if (jx_obj(c->body, "rules") != NULL) {
        jx_set(record, "rules", json_deep_copy(jx_obj(c->body, "rules")));
    }
    if (jx_arr(c->body, "examples") != NULL) {
        jx_set(record, "examples", json_deep_copy(jx_arr(c->body, "examples")));
    }
    jx_set_time(record, "created_at", clock_wall_ms());
    changes_expect(call_changes(c), KIND_SEGMENT, c->part, id.text, 0);
    changes_put(call_changes(c), KIND_SEGMENT, c->part, id.text, record);
    call_audit(c, "segment.created", id.text);
    call_commit(c, 201, segment_show(call_keep(c, record)));
}

void insights_segment_delete(struct call *c)
{
    uint64_t rev;
    const char *id = call_param(c, "segment");

    if (call_find(c, KIND_SEGMENT, id, &rev) != NULL) {
        changes_expect(call_changes(c), KIND_SEGMENT, c->part, id, rev);
        changes_delete(call_changes(c), KIND_SEGMENT, c->part, id);
        call_audit(c, "segment.deleted", id);
        call_commit(c, 204, NULL);
    }
}

/* ---- breakdowns ---- */

/* What a conversation counts under, by dimension. */
static void by_channel(struct report *r, struct segment_view *view)
{
    add(r->data, jx_str_or(view->conversation, "channel", NONE));
}

static void by_agent(struct report *r, struct segment_view *view)
{
    add(r->data, jx_str_or(view->insight, "agent_id", NONE));
}

static void by_language(struct report *r, struct segment_view *view)
{
    add(r->data, jx_str_or(view->insight, "language", NONE));
}

static void by_hour(struct report *r, struct segment_view *view)
{
    struct zone_time local;
    char hour[4];

    zone_local(r->zone, id_time_ms(jx_str_or(view->insight, "id", "")), &local);
    snprintf(hour, sizeof hour, "%02u", (unsigned)local.hour % 24);
    add(r->data, hour);
}

static void by_intent(struct report *r, struct segment_view *view)
{
    size_t at = segments_intent(r->own, view);

    add(r->data, at < segments_count(r->own) ? jx_str_or(segments_record(r->own, at), "name", NONE) : NONE);
}

static void by_segment(struct report *r, struct segment_view *view)
{
    for (int i = 0; i < SEGMENT_COUNT; i++) {
        if (view->segments >> i & 1u) {
            add(r->data, segment_name((enum segment_id)i));
        }
    }
    for (size_t i = 0; i < segments_count(r->own); i++) {
        if (segments_hold(r->own, i, view)) {
            add(r->data, jx_str_or(segments_record(r->own, i), "name", NONE));
        }
    }
}

static const struct dimension {
    const char *name;
    void (*count)(struct report *r, struct segment_view *view);
} dimensions[] = {{"channel", by_channel}, {"agent", by_agent},   {"language", by_language},
                  {"hour", by_hour},       {"intent", by_intent}, {"segment", by_segment}};

/* The dimension asked for, NULL if there is none of that name. */
static const struct dimension *dimension_of(struct call *c)
{
    const char *name = call_query(c, "by");

    for (size_t i = 0; i < sizeof dimensions / sizeof *dimensions; i++) {
        if (strcmp(name != NULL ? name : "channel", dimensions[i].name) == 0) {
            return &dimensions[i];
        }
    }
    return NULL;
}

static bool look_breakdown(struct report *r, const char *id, const json_t *insight)
{
    struct segment_view view;

    (void)id;
    if (report_view(r, insight, &view)) {
        r->totals[METRIC_CONVERSATIONS]++;
        dimension_of(r->c)->count(r, &view);
        segment_view_fini(&view);
    }
    return true;
}

static void breakdowns_end(struct report *r)
{
    int64_t all = r->totals[METRIC_CONVERSATIONS];
    json_t *out = report_head(r), *rows = json_array(), *count;
    const char *value;

    json_object_foreach (r->data, value, count) {
        json_t *row = json_object();
        jx_set_str(row, "value", value);
        jx_set_int(row, "conversations", json_integer_value(count));
        jx_set(row, "share", json_real((double)json_integer_value(count) / (double)(all > 0 ? all : 1)));
        jx_push(rows, row);
    }
    jx_set_str(out, "by", dimension_of(r->c)->name);
    jx_set_int(out, "conversations", all);
    jx_set(out, "rows", rows);
    call_reply(r->c, 200, out);
}

void insights_breakdowns(struct call *c)
{
    static const struct report_spec spec = {
        .walks = {{KIND_INSIGHT, false, look_breakdown}}, .segments = true, .end = breakdowns_end};

    if (dimension_of(c) == NULL) {
        call_fail(c, API_BAD_FIELD, "by", "by must be channel, agent, language, hour, intent or segment.");
        return;
    }
    struct report *r = report_new(c, LIMIT_DEFAULT);
    if (r != NULL) {
        report_start(r, &spec);
    }
}

/* ---- trends ---- */

/* The figure of a bucket that the caller wants; false: there is none of that name. */
static bool figure(struct call *c, const struct report_bucket *bucket, int64_t *out)
{
    const char *name = call_query(c, "metric");
    enum metric metric = metric_of(name != NULL ? name : "conversations");
    enum segment_id segment = segment_of(name != NULL ? name : "");

    if (metric < METRIC_COUNT) {
        *out = bucket != NULL ? bucket->figures[metric] : 0;
    } else if (segment < SEGMENT_COUNT) {
        *out = bucket != NULL ? bucket->segments[segment] : 0;
    }
    return metric < METRIC_COUNT || segment < SEGMENT_COUNT;
}

/* Adds the figures of some buckets. Returns their sum. */
static int64_t add_rows(const struct report *r, json_t *rows, size_t first, size_t count)
{
    int64_t sum = 0, value = 0;

    for (size_t i = first; i < first + count; i++) {
        json_t *row = json_object();
        (void)figure(r->c, &r->buckets[i], &value);
        sum += value;
        jx_set_str(row, "date", r->buckets[i].day);
        jx_set_int(row, "value", value);
        jx_push(rows, row);
    }
    return sum;
}

static void trends_end(struct report *r)
{
    const char *metric = call_query(r->c, "metric");
    bool compare = call_query(r->c, "compare") != NULL;
    size_t half = compare ? r->bucket_count / 2 : r->bucket_count;
    json_t *rows = json_array(), *before = json_array();
    int64_t total_before = compare ? add_rows(r, before, 0, half) : 0;

    r->from_ms = r->buckets[r->bucket_count - half].from_ms;
    json_t *out = report_head(r);
    int64_t total = add_rows(r, rows, r->bucket_count - half, half);
    jx_set_str(out, "metric", metric != NULL ? metric : "conversations");
    jx_set_int(out, "total", total);
    jx_set(out, "rows", rows);
    if (compare) {
        jx_set(out, "previous", before);
        jx_set_int(out, "previous_total", total_before);
        jx_set(out, "change",
               total_before > 0 ? json_real((double)total / (double)total_before - 1) : json_null());
    } else {
        json_decref(before);
    }
    call_reply(r->c, 200, out);
}

void insights_trends(struct call *c)
{
    static const struct report_spec spec = {
        .walks = {{KIND_ROLLUP, false, report_look_slot}, {KIND_INSIGHT, false, report_look_conversation}},
        .end = trends_end};
    const char *interval = call_query(c, "interval"), *compare = call_query(c, "compare");
    bool week = interval != NULL && strcmp(interval, "week") == 0;
    int64_t none;

    if (interval != NULL && !week && strcmp(interval, "day") != 0) {
        call_fail(c, API_BAD_FIELD, "interval", "interval must be day or week.");
    } else if (compare != NULL && strcmp(compare, "previous") != 0) {
        call_fail(c, API_BAD_FIELD, "compare", "compare must be previous.");
    } else if (!figure(c, NULL, &none)) {
        call_fail(c, API_BAD_FIELD, "metric", "There is no such metric.");
    } else {
        struct report *r = report_new(c, LIMIT_DEFAULT);
        if (r != NULL && report_divide(r, week ? 7 : 1, compare != NULL)) {
            report_start(r, &spec);
        }
    }
}
