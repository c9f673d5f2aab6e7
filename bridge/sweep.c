/* sweep.c: retention. One job passes over what is older than its keep time, account by account, deletes it in
 * small change-sets, and puts itself off until the next run. Ids begin with the time of birth, so that only
 * what is to go is looked at; the few kinds with other ids say their age in the record. Keep times are
 * options, which an account overrides ("retention" in its record). */
#include <stdlib.h>
#include <string.h>

#include "bridge/app.h"
#include "bridge/insight/rollup.h"
#include "queue/base/clock.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/base/option.h"
#include "queue/jobs.h"
#include "queue/store.h"

#define BATCH    500
#define EVERY_MS (10 * 60 * 1000)
#define DAY_MS   (24 * 3600 * (int64_t)1000)
#define LANE     "sweep"

#define YOUNG_SEEN 256 /* commits so far apart are in the order of their ids */

/* What ages in an account, by the time in its id: the name of its keep time in the account's record, the
 * option that stands for an account without one (OPTION_COUNT: kept for ever). */
static const struct aging {
    enum kind kind;
    const char *name;
    enum option_id option;
} agings[] = {
    {KIND_HOOK, "hooks_days", OPT_HOOK_KEEP},      {KIND_QUARANTINE, "hooks_days", OPT_EVENT_KEEP},
    {KIND_EVENT, "events_days", OPT_EVENT_KEEP},   {KIND_DELIVERY, "events_days", OPT_EVENT_KEEP},
    {KIND_NOTICE, "events_days", OPT_EVENT_KEEP},  {KIND_TURN, "traces_days", OPT_TRACE_KEEP},
    {KIND_MESSAGE, "messages_days", OPTION_COUNT}, {KIND_FILE, "media_days", OPTION_COUNT},
    {KIND_GAP, "messages_days", OPTION_COUNT},     {KIND_AUDIT, "audit_days", OPT_AUDIT_KEEP},
};
#define AGINGS (sizeof(agings) / sizeof(agings[0]))

/* Kinds of a day's life whose ids tell no time. */
static const enum kind dated[] = {KIND_IDEMPOTENCY, KIND_LIMIT};

struct sweep {
    struct job *job;
    struct changes *cs;
    struct snapshot *snap;
    enum kind kind;
    const char *part;
    int64_t before_ms; /* what was born earlier goes */
    unsigned seen;
    int64_t chained_from; /* lines of the audit log with this number and later ones stay */
    unsigned deleted;
    bool full;
    enum err rc;
};

/* Deletes one record; false when the batch is full. */
static bool drop(struct sweep *s, const char *part, const char *id, uint64_t rev)
{
    if (s->deleted == BATCH) {
        s->full = true;
        return false;
    }
    changes_expect(s->cs, s->kind, part, id, rev);
    changes_delete(s->cs, s->kind, part, id);
    if (s->kind == KIND_CONVERSATION) {
        changes_delete(s->cs, KIND_INSIGHT, part, id);
    }
    s->deleted++;
    return true;
}

/* One record with a date in it. */
static bool look_dated(const char *part, const char *id, const void *data, size_t size, uint64_t rev,
                       void *arg)
{
    struct sweep *s = arg;
    json_t *record;
    if (jx_parse_lenient(data, size, &record) != ERR_OK) {
        return true;
    }
    int64_t born = jx_int(record, "created_ms", jx_int(record, "started_at_ms", s->before_ms));
    json_decref(record);
    return born >= s->before_ms || drop(s, part, id, rev);
}

/* The number of a line of the audit log; 0: it has none. */
static int64_t line_number(const void *data, size_t size)
{
    json_t *line = NULL;
    int64_t number = jx_parse_lenient(data, size, &line) == ERR_OK ? jx_int(line, "sequence", 0) : 0;
    json_decref(line);
    return number;
}

static bool take_old(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct sweep *s = arg;
    if (s->kind == KIND_AUDIT && line_number(data, size) >= s->chained_from) {
        return true;
    }
    return drop(s, s->part, id, rev);
}

/* One line of the audit log that is young enough; a few tell where these begin. */
static bool look_young(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct sweep *s = arg;
    int64_t number = line_number(data, size);
    (void)id;
    (void)rev;
    s->chained_from = number > 0 && number < s->chained_from ? number : s->chained_from;
    return ++s->seen < YOUNG_SEEN;
}

/* Where the kept end of the audit log begins: its lines are numbered as they were committed, which is not
 * quite the order of their ids, and what stays must be without gaps. The newest line stays in any case. */
static void find_chained(struct sweep *s, const char *from)
{
    json_t *end = NULL;
    struct page_query query = {.kind = KIND_AUDIT, .part = s->part, .from = from};
    s->seen = 0;
    s->chained_from = INT64_MAX;
    if (snapshot_get(s->snap, KIND_CHAIN, s->part, AUDIT_STREAM, &end, NULL) == ERR_OK) {
        s->chained_from = jx_int(end, "sequence", 0);
        json_decref(end);
    }
    s->rc = snapshot_scan(s->snap, &query, look_young, s);
}

/* Drops the records of s->kind in s->part that were born before the time. */
static void drop_old(struct sweep *s, int64_t keep_ms)
{
    char floor[27];
    s->before_ms = clock_wall_ms() - keep_ms;
    id_floor(s->before_ms, floor);
    char *to = xasprintf("%s_%s", kind_row(s->kind)->prefix, floor);
    struct page_query query = {.kind = s->kind, .part = s->part, .to = to};
    if (s->kind == KIND_AUDIT) {
        find_chained(s, to);
    }
    s->rc = s->rc == ERR_OK ? snapshot_scan(s->snap, &query, take_old, s) : s->rc;
    free(to);
}

/* Drops conversations in which nothing was said since: their messages go by their own age. */
static void drop_conversations(struct sweep *s, int64_t keep_ms)
{
    char to[CLOCK_TEXT_SIZE];
    struct page_query query = {.kind = KIND_CONVERSATION,
                               .part = s->part,
                               .index = INDEX_CONVERSATION_RECENT,
                               .to = clock_rfc3339(clock_wall_ms() - keep_ms, to)};
    s->kind = KIND_CONVERSATION;
    s->rc = snapshot_scan(s->snap, &query, take_old, s);
}

/* One partition of an account with its own keep times. */
static void sweep_partition(struct sweep *s, const json_t *retention)
{
    for (size_t i = 0; s->rc == ERR_OK && i < AGINGS && !s->full; i++) {
        int64_t days = jx_int(retention, agings[i].name, 0);
        bool kept = days == 0 && agings[i].option == OPTION_COUNT;
        s->kind = agings[i].kind;
        if (!kept) {
            drop_old(s, days > 0 ? days * DAY_MS : option_int(agings[i].option));
        }
    }
    int64_t days = jx_int(retention, "messages_days", 0);
    if (s->rc == ERR_OK && days > 0 && !s->full) {
        drop_conversations(s, days * DAY_MS);
    }
}

/* One account: both modes. */
static bool look_account(const char *part, const char *id, const void *data, size_t size, uint64_t rev,
                         void *arg)
{
    struct sweep *s = arg;
    json_t *account;
    (void)part;
    (void)rev;
    if (jx_parse_lenient(data, size, &account) != ERR_OK) {
        return true;
    }
    for (int mode = MODE_LIVE; mode <= MODE_TEST && s->rc == ERR_OK && !s->full; mode++) {
        struct partition where = partition_of(id, (enum mode)mode);
        s->part = where.text;
        sweep_partition(s, jx_obj(account, "retention"));
    }
    json_decref(account);
    return s->rc == ERR_OK && !s->full;
}

/* Fills the change-set with what is too old. */
static enum err collect(struct sweep *s)
{
    enum err rc = snapshot_open(job_store(s->job), &s->snap);
    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; rc == ERR_OK && i < sizeof(dated) / sizeof(dated[0]) && !s->full; i++) {
        s->kind = dated[i];
        s->before_ms = clock_wall_ms() - DAY_MS;
        rc = snapshot_walk(s->snap, dated[i], look_dated, s);
    }
    if (rc == ERR_OK && !s->full) {
        rc = snapshot_walk(s->snap, KIND_ACCOUNT, look_account, s);
    }
    snapshot_close(s->snap);
    return rc == ERR_OK ? s->rc : rc;
}

/* The handler of QUEUE_SWEEP: one batch. */
static void sweep_run(struct job *job, void *arg)
{
    struct sweep s = {.job = job, .cs = NULL};
    (void)arg;
    if (strcmp(job_lane(job), WINDOWS_LANE) == 0) {
        windows_run(job);
        return;
    }
    if (strcmp(job_lane(job), ORPHANS_LANE) == 0) {
        orphans_run(job);
        return;
    }
    if (strcmp(job_lane(job), CALIBRATE_LANE) == 0) {
        calibrate_run(job);
        return;
    }
    if (strcmp(job_lane(job), ROLLUP_LANE) == 0) {
        rollup_run(job);
        return;
    }
    s.cs = changes_new();
    enum err rc = collect(&s);
    if (rc != ERR_OK) {
        changes_free(s.cs);
        s.cs = changes_new();
        s.deleted = 0;
        log_warn("sweep.failed", "error=%s", err_name(rc));
    }
    changes_postpone(s.cs, job, s.full ? 0 : EVERY_MS);
    if (s.deleted > 0) {
        log_info("sweep.deleted", "records=%u", s.deleted);
    }
    job_finish(job, s.cs, NULL, NULL);
}

/* Pushes the one job of a lane, unless an earlier start has. */
static enum err lane_ensure(struct store *store, const char *lane)
{
    struct changes *cs = changes_new();
    json_t *nothing = json_object();
    changes_expect(cs, KIND_SETTING, PARTITION_GLOBAL, lane, 0);
    changes_put(cs, KIND_SETTING, PARTITION_GLOBAL, lane, nothing);
    changes_push(cs, QUEUE_SWEEP, PARTITION_GLOBAL, lane, 0, nothing);
    json_decref(nothing);
    enum err rc = store_submit_wait(store, cs, NULL);
    return rc == ERR_CONFLICT ? ERR_OK : rc;
}

enum err sweep_ensure(struct store *store)
{
    static const char *const chores[] = {LANE, WINDOWS_LANE, ORPHANS_LANE, CALIBRATE_LANE, ROLLUP_LANE};
    enum err rc = ERR_OK;
    for (size_t i = 0; rc == ERR_OK && i < sizeof(chores) / sizeof(chores[0]); i++) {
        rc = lane_ensure(store, chores[i]);
    }
    return rc;
}

void sweep_register(struct workers *workers)
{
    workers_handle(workers, QUEUE_SWEEP, sweep_run, NULL);
}
