/* sweep.c: retention. One job walks the kinds that age, deletes what is older than its keep time in small
 * change-sets, and puts itself off until the next run. Ages come from the id where it holds the time of
 * birth, else from the record. */
#include <stdlib.h>
#include <string.h>

#include "bridge/app.h"
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

/* What ages, and how long it is kept: an option, or a fixed time. */
static const struct aging {
    enum kind kind;
    enum option_id option; /* OPTION_COUNT: none */
    int64_t keep_ms;
} agings[] = {
    {KIND_HOOK, OPT_HOOK_KEEP, 0},      {KIND_EVENT, OPT_EVENT_KEEP, 0},
    {KIND_NOTICE, OPT_EVENT_KEEP, 0},   {KIND_QUARANTINE, OPT_EVENT_KEEP, 0},
    {KIND_DELIVERY, OPT_EVENT_KEEP, 0}, {KIND_IDEMPOTENCY, OPTION_COUNT, DAY_MS},
    {KIND_LIMIT, OPTION_COUNT, DAY_MS},
};
#define AGINGS (sizeof(agings) / sizeof(agings[0]))

struct sweep {
    struct job *job;
    struct changes *cs;
    const struct aging *aging;
    int64_t before_ms; /* what was born earlier goes */
    unsigned deleted;
    bool full;
};

/* When a record was born; now if it does not say. */
static int64_t born_ms(const struct sweep *s, const char *id, const void *data, size_t size)
{
    json_t *record;
    int64_t ms = id_time_ms(id);
    if (ms >= 0) {
        return ms;
    }
    if (jx_parse_lenient(data, size, &record) != ERR_OK) {
        return s->before_ms;
    }
    ms = jx_int(record, "created_ms", jx_int(record, "started_at_ms", s->before_ms));
    json_decref(record);
    return ms;
}

/* One record of the kind; false when the batch is full. */
static bool look(const char *part, const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct sweep *s = arg;
    if (born_ms(s, id, data, size) >= s->before_ms) {
        return true;
    }
    if (s->deleted == BATCH) {
        s->full = true;
        return false;
    }
    changes_expect(s->cs, s->aging->kind, part, id, rev);
    changes_delete(s->cs, s->aging->kind, part, id);
    s->deleted++;
    return true;
}

/* Fills the change-set with what is too old. */
static enum err collect(struct sweep *s)
{
    struct snapshot *snap;
    enum err rc = snapshot_open(job_store(s->job), &snap);
    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; rc == ERR_OK && i < AGINGS && !s->full; i++) {
        s->aging = &agings[i];
        int64_t keep = agings[i].option != OPTION_COUNT ? option_int(agings[i].option) : agings[i].keep_ms;
        s->before_ms = clock_wall_ms() - keep;
        rc = snapshot_walk(snap, agings[i].kind, look, s);
    }
    snapshot_close(snap);
    return rc;
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
    enum err rc = lane_ensure(store, LANE);
    rc = rc == ERR_OK ? lane_ensure(store, WINDOWS_LANE) : rc;
    return rc == ERR_OK ? lane_ensure(store, ORPHANS_LANE) : rc;
}

void sweep_register(struct workers *workers)
{
    workers_handle(workers, QUEUE_SWEEP, sweep_run, NULL);
}
