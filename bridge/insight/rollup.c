/* rollup.c: messages and events become figures, in the background, each exactly once.
 *
 * Nothing is counted while a message is taken in or sent: that is the busiest write of the house. A job
 * passes over the records in the order of their ids, which is the order of their births, from where it
 * stopped. What it adds to slots and conversations and the mark that says how far it came are one change-set,
 * guarded by the revision of the mark:
 *   - a crash before the commit leaves both as they were, a crash after it both as they are to be;
 *   - an engine that submits the set again meets another revision of the mark, and it is dropped;
 *   - a replayed post of a platform makes no second record (its first-seen mark is there), so there is
 * nothing to count twice;
 *   - erasure and retention remove records that are counted already; nothing is read again, no figure
 * changes. Ids are made before the commit of their record. So that none appears behind the mark later,
 * records rest for a while (option analytics.rest) before they are counted; whoever reads figures adds what
 * is not counted yet in memory, with the same fold. */
#include "bridge/insight/rollup.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/insight/fold.h"
#include "bridge/insight/tally.h"
#include "queue/base/clock.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/base/option.h"

#define BATCH    200 /* records of one pass */
#define EVERY_MS 15000

struct collecting {
    struct fold *fold;
    enum kind kind;
    size_t count, most;
    char at[STORE_ID_MAX + 1];
};

void rollup_mark_read(struct snapshot *snap, const char *part, struct rollup_mark *mark)
{
    json_t *record = NULL;

    *mark = (struct rollup_mark){.rev = 0};
    if (snapshot_get(snap, KIND_SETTING, part, ROLLUP_LANE, &record, &mark->rev) == ERR_OK) {
        bool date_only;
        snprintf(mark->message, sizeof mark->message, "%s", jx_str_or(record, "message", ""));
        snprintf(mark->event, sizeof mark->event, "%s", jx_str_or(record, "event", ""));
        if (!clock_parse(jx_str_or(record, "until", ""), &mark->until_ms, &date_only)) {
            mark->until_ms = 0;
        }
    }
    json_decref(record);
}

/* One record; false when the pass is full. */
static bool take(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct collecting *c = arg;
    json_t *record = NULL;

    (void)rev;
    if (c->count == c->most) {
        return false;
    }
    c->count++;
    memcpy(c->at, id, strlen(id) + 1);
    if ((c->kind == KIND_EVENT && !fold_wants_event(data, size)) ||
        jx_parse_lenient(data, size, &record) != ERR_OK) {
        return true;
    }
    (c->kind == KIND_EVENT ? fold_event : fold_message)(c->fold, id, record);
    json_decref(record);
    return true;
}

/* Folds the records of a kind behind the mark, which moves. False: the store failed. */
static bool collect_kind(struct collecting *c, struct snapshot *snap, const char *part, int64_t before_ms,
                         char *mark)
{
    char floor[27];
    id_floor(before_ms, floor);
    char *from = mark[0] != '\0' ? xasprintf("%s!", mark) : NULL;
    char *to = xasprintf("%s_%s", kind_row(c->kind)->prefix, floor);
    struct page_query query = {.kind = c->kind, .part = part, .from = from, .to = to};

    c->at[0] = '\0';
    bool ok = (from != NULL && strcmp(from, to) >= 0) || snapshot_scan(snap, &query, take, c) == ERR_OK;
    if (ok && c->at[0] != '\0') {
        memcpy(mark, c->at, strlen(c->at) + 1);
    }
    free(from);
    free(to);
    return ok;
}

static void mark_write(struct changes *cs, const char *part, const struct rollup_mark *mark)
{
    json_t *record = json_object();

    jx_set_str(record, "message", mark->message);
    jx_set_str(record, "event", mark->event);
    jx_set_time(record, "until", mark->until_ms);
    changes_expect(cs, KIND_SETTING, part, ROLLUP_LANE, mark->rev);
    changes_put(cs, KIND_SETTING, part, ROLLUP_LANE, record);
    json_decref(record);
}

size_t rollup_collect(struct changes *cs, struct snapshot *snap, const char *part, int64_t rest_ms,
                      size_t most)
{
    struct rollup_mark mark;
    struct collecting c = {.fold = fold_new(part), .kind = KIND_MESSAGE, .most = most};
    int64_t before_ms = clock_wall_ms() - rest_ms;

    rollup_mark_read(snap, part, &mark);
    fold_on(c.fold, snap);
    bool ok = collect_kind(&c, snap, part, before_ms, mark.message);
    c.kind = KIND_EVENT;
    ok = ok && (c.count == most || collect_kind(&c, snap, part, before_ms, mark.event));
    if (ok && c.count > 0) {
        if (c.count < most) {
            mark.until_ms = before_ms;
        }
        fold_write(c.fold, cs);
        mark_write(cs, part, &mark);
    }
    fold_free(c.fold);
    return ok ? c.count : 0;
}

struct pass {
    struct changes *cs;
    struct snapshot *snap;
    int64_t rest_ms;
    size_t count;
};

/* One account: both modes. False when the pass is full. */
static bool look(const char *part, const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct pass *pass = arg;

    (void)part;
    (void)data;
    (void)size;
    (void)rev;
    for (int mode = MODE_LIVE; mode <= MODE_TEST && pass->count < BATCH; mode++) {
        struct partition where = partition_of(id, (enum mode)mode);
        pass->count += rollup_collect(pass->cs, pass->snap, where.text, pass->rest_ms, BATCH - pass->count);
    }
    return pass->count < BATCH;
}

void rollup_run(struct job *job)
{
    struct pass pass = {.cs = changes_new(), .rest_ms = option_int(OPT_ANALYTICS_REST)};
    enum err rc = snapshot_open(job_store(job), &pass.snap);

    if (rc == ERR_OK) {
        rc = snapshot_walk(pass.snap, KIND_ACCOUNT, look, &pass);
        snapshot_close(pass.snap);
    }
    if (rc != ERR_OK) {
        log_warn("rollup.failed", "error=%s", err_name(rc));
        changes_free(pass.cs);
        pass.cs = changes_new();
        pass.count = 0;
    }
    tally_flush(pass.cs);
    int64_t every = pass.rest_ms < EVERY_MS ? pass.rest_ms : EVERY_MS;
    changes_postpone(pass.cs, job, pass.count >= BATCH ? 0 : every);
    job_finish(job, pass.cs, NULL, NULL);
}
