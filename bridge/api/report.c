/* report.c: the slices, and the range that a caller asks for. */
#include "bridge/api/report.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/insight/rollup.h"
#include "queue/base/clock.h"
#include "queue/base/loop.h"
#include "queue/base/zone.h"

#define SLICE_US       4000
#define REPORT_TIME_MS 8000
#define DAYS_DEFAULT   30
#define DAY_MS         (24 * 3600 * (int64_t)1000)
#define LIMIT_MOST     100

/* The engine's own: the walk under way, and what is not rolled up yet. */
struct report_run {
    struct rollup_mark mark;
    bool begun, paused, enough;
    struct fold *tail;
    size_t walk;
    char at[STORE_ID_MAX + 1];
    json_t *met; /* ids of the tail's records that were in the store */
    int64_t slice_us, until_ms;
};

/* The walks in front of the report's own. */
enum { TAIL_MESSAGES, TAIL_EVENTS, TAIL_WALKS };

/* ---- what the caller asks for ---- */

/* The begin of the local day so many days behind the one that holds a moment. */
static int64_t day_begin(const char *zone, int64_t at_ms, int days)
{
    struct zone_time local;

    zone_local(zone, at_ms, &local);
    struct zone_time day = {.year = local.year, .month = local.month, .day = local.day + days};
    return zone_utc_ms(zone, &day);
}

/* A bound of the range; a bare date means the account's own day. False: the call has ended. */
static bool read_bound(struct report *r, const char *name, const char *given, bool end, int64_t *ms)
{
    struct zone_time utc;
    bool date_only;

    if (given == NULL) {
        return true;
    }
    if (!clock_parse(given, ms, &date_only)) {
        call_fail(r->c, API_BAD_FIELD, name, "%s must be an ISO 8601 date or date-time.", name);
        return false;
    }
    if (date_only) {
        zone_local("UTC", *ms, &utc);
        struct zone_time day = {.year = utc.year, .month = utc.month, .day = utc.day + (end ? 1 : 0)};
        *ms = zone_utc_ms(r->zone, &day);
    }
    return true;
}

static bool read_range(struct report *r)
{
    struct call *c = r->c;
    r->to_ms = day_begin(r->zone, clock_wall_ms(), 1);
    if (!read_bound(r, "end_date", call_query(c, "end_date"), true, &r->to_ms)) {
        return false;
    }
    r->from_ms = day_begin(r->zone, r->to_ms - 1, 1 - DAYS_DEFAULT);
    if (!read_bound(r, "start_date", call_query(c, "start_date"), false, &r->from_ms)) {
        return false;
    }
    if (r->from_ms >= r->to_ms || r->to_ms - r->from_ms > (REPORT_DAYS_MOST + 1) * DAY_MS) {
        call_fail(c, API_BAD_FIELD, "start_date", "start_date must be before end_date, by at most %d days.",
                  REPORT_DAYS_MOST);
        return false;
    }
    return true;
}

static bool read_limit(struct report *r)
{
    const char *text = call_query(r->c, "limit");
    char *end;

    if (text == NULL) {
        return true;
    }
    unsigned long limit = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || limit < 1 || limit > LIMIT_MOST) {
        call_fail(r->c, API_BAD_FIELD, "limit", "limit must be a number from 1 to %d.", LIMIT_MOST);
        return false;
    }
    r->limit = limit;
    return true;
}

static void report_free(struct report *r)
{
    fold_free(r->run->tail);
    json_decref(r->run->met);
    free(r->run);
    json_decref(r->data);
    clusters_free(r->clusters);
    segments_free(r->own);
    free(r->buckets);
    free(r);
}

struct report *report_new(struct call *c, size_t limit_default)
{
    struct report *r = xcalloc(1, sizeof *r);

    r->c = c;
    r->run = xcalloc(1, sizeof *r->run);
    r->limit = limit_default;
    r->agent = call_query(c, "agent_id");
    r->zone = jx_str_or(c->caller.account, "time_zone", "UTC");
    if (!read_range(r) || !read_limit(r)) {
        report_free(r);
        return NULL;
    }
    return r;
}

/* Puts as many buckets in front as there are, and tells how many there are then. */
static size_t divide_before(struct report *r, size_t count, int days)
{
    memmove(r->buckets + count, r->buckets, count * sizeof *r->buckets);
    for (size_t i = count; i-- > 0;) {
        r->buckets[i].from_ms = day_begin(r->zone, r->buckets[i + 1].from_ms, -days);
    }
    return 2 * count;
}

bool report_divide(struct report *r, int days, bool before)
{
    size_t count = 0;
    int64_t at = r->from_ms;

    r->buckets = xcalloc(2 * REPORT_BUCKETS_MOST, sizeof *r->buckets);
    for (; at < r->to_ms && count < REPORT_BUCKETS_MOST; at = day_begin(r->zone, at, days)) {
        r->buckets[count++].from_ms = at;
    }
    if (at < r->to_ms) {
        call_fail(r->c, API_BAD_FIELD, "start_date",
                  "At most %d rows are shown; take a shorter time or weeks.", REPORT_BUCKETS_MOST);
        report_free(r);
        return false;
    }
    count = before ? divide_before(r, count, days) : count;
    for (size_t i = 0; i < count; i++) {
        struct zone_time local;
        zone_local(r->zone, r->buckets[i].from_ms, &local);
        snprintf(r->buckets[i].day, sizeof r->buckets[i].day, "%04u-%02u-%02u", (unsigned)local.year % 10000,
                 (unsigned)local.month % 100, (unsigned)local.day % 100);
    }
    r->bucket_count = count;
    r->from_ms = r->buckets[0].from_ms;
    return true;
}

struct report_bucket *report_bucket_at(struct report *r, int64_t at_ms)
{
    size_t low = 0, high = r->bucket_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->buckets[middle].from_ms <= at_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && at_ms < r->to_ms ? &r->buckets[low - 1] : NULL;
}

json_t *report_head(const struct report *r)
{
    json_t *head = json_object();

    jx_set_time(head, "from", r->from_ms);
    jx_set_time(head, "until", r->to_ms);
    jx_set_str(head, "time_zone", r->zone);
    jx_set_bool(head, "complete", r->complete);
    return head;
}

/* ---- the slices ---- */

/* True if the report reads what the roll-up writes. */
static bool needs_tail(const struct report_spec *spec)
{
    for (size_t i = 0; i < sizeof spec->walks / sizeof *spec->walks && spec->walks[i].look != NULL; i++) {
        if (spec->walks[i].kind == KIND_ROLLUP || spec->walks[i].kind == KIND_INSIGHT) {
            return true;
        }
    }
    return false;
}

/* Empties what was gathered: the mark has moved, or this is the begin. */
static void report_begin(struct report *r, const struct rollup_mark *mark)
{
    struct report_run *run = r->run;

    run->mark = *mark;
    run->begun = true;
    run->walk = needs_tail(r->spec) ? 0 : TAIL_WALKS;
    run->at[0] = '\0';
    fold_free(run->tail);
    run->tail = fold_new(r->c->part);
    json_decref(run->met);
    run->met = json_object();
    json_decref(r->data);
    r->data = json_object();
    clusters_free(r->clusters);
    r->clusters = clusters_new();
    segments_free(r->own);
    r->own = r->spec->segments ? segments_load(r->snap, r->c->part) : NULL;
    memset(r->totals, 0, sizeof r->totals);
    memset(r->segments, 0, sizeof r->segments);
    for (size_t i = 0; i < r->bucket_count; i++) {
        memset(r->buckets[i].figures, 0, sizeof r->buckets[i].figures);
        memset(r->buckets[i].segments, 0, sizeof r->buckets[i].segments);
    }
    r->rolled_up_ms = mark->until_ms;
}

/* The walk under way; NULL: all are done. */
static const struct report_walk *walk_now(const struct report *r)
{
    static const struct report_walk tails[] = {
        [TAIL_MESSAGES] = {.kind = KIND_MESSAGE}, [TAIL_EVENTS] = {.kind = KIND_EVENT}};
    size_t at = r->run->walk;

    if (at < TAIL_WALKS) {
        return &tails[at];
    }
    at -= TAIL_WALKS;
    return at < sizeof r->spec->walks / sizeof *r->spec->walks && r->spec->walks[at].look != NULL
               ? &r->spec->walks[at]
               : NULL;
}

/* The records that the tail holds of a kind, NULL for kinds it knows nothing of. */
static const json_t *tail_of(const struct report *r, enum kind kind)
{
    return kind == KIND_ROLLUP    ? fold_slots(r->run->tail)
           : kind == KIND_INSIGHT ? fold_conversations(r->run->tail)
                                  : NULL;
}

/* The bounds of a walk in ids; the caller frees both. */
static void walk_range(const struct report *r, const struct report_walk *walk, char **from, char **to)
{
    char floor[27], slot[SLOT_SIZE];
    const char *prefix = walk->kind == KIND_INSIGHT ? "cnv" : kind_row(walk->kind)->prefix;

    if (r->run->walk < TAIL_WALKS) {
        const char *mark = walk->kind == KIND_MESSAGE ? r->run->mark.message : r->run->mark.event;
        *from = mark[0] != '\0' ? xasprintf("%s!", mark) : NULL;
        *to = NULL;
        return;
    }
    if (walk->kind == KIND_ROLLUP) {
        *from = xstrdup(slot_name(r->from_ms, slot));
        *to = xasprintf("%s%s", slot_name(r->to_ms - 1, slot), "~");
        return;
    }
    id_floor(r->from_ms, floor);
    *from = xasprintf("%s_%s", prefix, floor);
    id_floor(r->to_ms, floor);
    *to = xasprintf("%s_%s", prefix, floor);
}

/* Gives one record to whom it is for. */
static void hand_on(struct report *r, const char *id, const void *data, size_t size)
{
    const struct report_walk *walk = walk_now(r);
    const json_t *tail = tail_of(r, walk->kind), *newer = tail != NULL ? json_object_get(tail, id) : NULL;
    json_t *record = NULL;

    if (newer != NULL) {
        jx_set(r->run->met, id, json_true());
        r->run->enough = !walk->look(r, id, newer);
        return;
    }
    if ((r->run->walk == TAIL_EVENTS && !fold_wants_event(data, size)) ||
        jx_parse_lenient(data, size, &record) != ERR_OK) {
        return;
    }
    if (r->run->walk == TAIL_MESSAGES) {
        fold_message(r->run->tail, id, record);
    } else if (r->run->walk == TAIL_EVENTS) {
        fold_event(r->run->tail, id, record);
    } else {
        r->run->enough = !walk->look(r, id, record);
    }
    json_decref(record);
}

static bool pass(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct report *r = arg;

    (void)rev;
    memcpy(r->run->at, id, strlen(id) + 1);
    hand_on(r, id, data, size);
    r->run->paused = clock_mono_us() - r->run->slice_us > SLICE_US;
    return !r->run->paused && !r->run->enough;
}

/* The tail's records of a kind that are not in the store yet. */
static void hand_on_new(struct report *r, const struct report_walk *walk, const char *from, const char *to)
{
    const json_t *tail = tail_of(r, walk->kind);
    const char *id;
    json_t *record;

    json_object_foreach ((json_t *)tail, id, record) {
        bool inside = strcmp(id, from) >= 0 && strcmp(id, to) < 0;
        if (inside && json_object_get(r->run->met, id) == NULL) {
            (void)walk->look(r, id, record);
        }
    }
}

/* Goes on with the walk from where the slice before ended. */
static enum err walk_run(struct report *r, const struct report_walk *walk)
{
    char *from, *to, *at = NULL;
    struct page_query query = {.kind = walk->kind, .part = r->c->part, .descending = walk->newest_first};

    walk_range(r, walk, &from, &to);
    query.from = from;
    query.to = to;
    if (r->run->at[0] != '\0') {
        at = walk->newest_first ? xstrdup(r->run->at) : xasprintf("%s!", r->run->at);
        *(walk->newest_first ? &query.to : &query.from) = at;
    }
    enum err rc = snapshot_scan(r->snap, &query, pass, r);
    if (rc == ERR_OK && !r->run->paused) {
        if (tail_of(r, walk->kind) != NULL) {
            hand_on_new(r, walk, from, to);
        }
        r->run->walk++;
        r->run->at[0] = '\0';
        r->run->enough = false;
    }
    free(from);
    free(to);
    free(at);
    return rc;
}

static void slice(void *arg);

/* Ends the report, or goes on in a moment. */
static void slice_over(struct report *r, enum err rc)
{
    struct call *c = r->c;
    bool done = rc == ERR_OK && walk_now(r) == NULL;

    if (rc != ERR_OK) {
        snapshot_close(r->snap);
        report_free(r);
        call_refuse(c, rc, NULL, "");
    } else if (done || clock_mono_ms() > r->run->until_ms) {
        r->complete = done;
        if (done && json_object_size(fold_slots(r->run->tail)) == 0) {
            r->rolled_up_ms = clock_wall_ms(); /* nothing is left to be rolled up */
        }
        r->spec->end(r);
        snapshot_close(r->snap);
        report_free(r);
        return;
    } else {
        snapshot_close(r->snap);
        r->snap = NULL;
        (void)loop_after(http_loop(c->req), 0, slice, r);
    }
}

static void slice(void *arg)
{
    struct report *r = arg;
    struct rollup_mark mark;
    enum err rc = snapshot_open(r->c->api->app->store, &r->snap);

    if (rc == ERR_OK) {
        rollup_mark_read(r->snap, r->c->part, &mark);
        if (!r->run->begun || mark.rev != r->run->mark.rev) {
            report_begin(r, &mark);
        }
        fold_on(r->run->tail, r->snap);
    }
    r->run->slice_us = clock_mono_us();
    r->run->paused = false;
    while (rc == ERR_OK && !r->run->paused && walk_now(r) != NULL) {
        rc = walk_run(r, walk_now(r));
    }
    slice_over(r, rc);
}

void report_start(struct report *r, const struct report_spec *spec)
{
    r->spec = spec;
    r->run->until_ms = clock_mono_ms() + REPORT_TIME_MS;
    call_rest(r->c);
    call_wait(r->c);
    (void)loop_after(http_loop(r->c->req), 0, slice, r);
}

/* ---- looks that reports share ---- */

/* Adds the figures of one agent. */
static void add_figures(struct report *r, struct report_bucket *bucket, const json_t *figures)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        int64_t n = jx_int(figures, metric_name((enum metric)i), 0);
        r->totals[i] += n;
        if (bucket != NULL) {
            bucket->figures[i] += n;
        }
    }
}

bool report_look_slot(struct report *r, const char *id, const json_t *slot)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t at_ms = 0;
    bool date_only;
    const char *agent;
    json_t *figures;

    snprintf(text, sizeof text, "%.16s:00Z", id);
    if (!clock_parse(text, &at_ms, &date_only)) {
        return true;
    }
    struct report_bucket *bucket = report_bucket_at(r, at_ms);
    json_object_foreach (jx_obj(slot, "agents"), agent, figures) {
        if (r->agent == NULL || strcmp(agent, r->agent) == 0) {
            add_figures(r, bucket, figures);
        }
    }
    return true;
}

bool report_view(struct report *r, const json_t *insight, struct segment_view *view)
{
    const char *agent = jx_str_or(insight, "agent_id", "");

    if (jx_str(insight, "first_at") == NULL || (r->agent != NULL && strcmp(agent, r->agent) != 0)) {
        return false;
    }
    return segment_view_init(view, r->snap, r->c->part, insight);
}

bool report_look_conversation(struct report *r, const char *id, const json_t *insight)
{
    struct segment_view view;

    if (!report_view(r, insight, &view)) {
        return true;
    }
    struct report_bucket *bucket = report_bucket_at(r, id_time_ms(id));
    for (int i = 0; i < SEGMENT_COUNT; i++) {
        bool in = (view.segments >> i & 1u) != 0;
        r->segments[i] += in;
        if (bucket != NULL) {
            bucket->segments[i] += in;
        }
    }
    segment_view_fini(&view);
    return true;
}
