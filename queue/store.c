/* store.c: opening, closing and the condition of a store; the rest of store.h is in snapshot.c, changes.c,
 * committer.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "queue/base/clock.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"
#include "queue/store_int.h"

#define DISK_CHECK_MS 500

static const struct store_engine *const engines[] = {&engine_lmdb};

/* The engine of a uri and the place behind its colon; NULL if no engine has that name. */
static const struct store_engine *engine_of(const char *uri, const char **place)
{
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        size_t len = strlen(engines[i]->scheme);
        if (strncmp(uri, engines[i]->scheme, len) == 0 && uri[len] == ':' && uri[len + 1] != '\0') {
            *place = uri + len + 1;
            return engines[i];
        }
    }
    return NULL;
}

/* One job of the walk at start, into the schedule. */
static void job_loaded(const struct lane_name *name, uint64_t seq, int64_t due, void *arg)
{
    lanes_push(arg, name, seq, due);
}

static enum err schedule_load(struct store *store)
{
    int64_t began = clock_mono_ms();
    enum err rc = store->engine->jobs(store->self, job_loaded, store->lanes);

    if (rc == ERR_OK) {
        log_info("store.opened", "dir=%s load_ms=%lld", log_quote(store->dir),
                 (long long)(clock_mono_ms() - began));
    } else {
        log_error("store.schedule", "dir=%s error=%s", log_quote(store->dir), err_name(rc));
    }
    return rc;
}

enum err store_open(const char *uri, uint64_t map_size, unsigned backlog, struct store **out)
{
    const char *place;
    const struct store_engine *engine = engine_of(uri, &place);

    *out = NULL;
    if (engine == NULL) {
        return ERR_INVALID;
    }
    if (mkdir(place, 0700) != 0 && errno != EEXIST) {
        return err_from_errno(errno);
    }
    return store_open_engine(engine, place, map_size, backlog, out);
}

enum err store_open_engine(const struct store_engine *engine, const char *place, uint64_t map_size,
                           unsigned backlog, struct store **out)
{
    void *self;
    enum err rc = engine->open(place, map_size, &self);

    *out = NULL;
    if (rc != ERR_OK) {
        return rc;
    }
    struct store *store = xcalloc(1, sizeof *store);
    store->engine = engine;
    store->self = self;
    store->dir = xstrdup(place);
    store->lanes = lanes_new();
    store->disk_checked = clock_mono_ms() - DISK_CHECK_MS;
    rc = schedule_load(store);
    if (rc == ERR_OK) {
        store->committer = committer_start(store, backlog);
        rc = store_upgrade(store);
    }
    if (rc == ERR_OK) {
        *out = store;
    } else {
        store_close(store);
    }
    return rc;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->committer != NULL) {
        committer_stop(store->committer);
    }
    store->engine->close(store->self);
    lanes_free(store->lanes);
    free(store->dir);
    free(store);
}

void store_submit_end(struct store *store, struct loop *loop, struct changes *cs, store_done_fn done,
                      void *arg)
{
    committer_submit(store->committer, loop, cs, done, arg, true);
}

void store_submit(struct store *store, struct changes *cs, store_done_fn done, void *arg)
{
    struct loop *loop = done != NULL ? loop_current() : NULL;

    CHECK(done == NULL || loop != NULL);
    committer_submit(store->committer, loop, cs, done, arg, false);
}

enum err store_submit_wait(struct store *store, struct changes *cs, uint64_t *rev)
{
    return committer_submit_wait(store->committer, cs, rev);
}

void store_on_feed(struct store *store, void (*fn)(uint64_t rev, void *arg), void *arg)
{
    committer_on_feed(store->committer, fn, arg);
}

/* Looks at the file system, at most twice a second. */
static bool disk_low(struct store *store)
{
    int64_t now = clock_mono_ms(), checked = atomic_load(&store->disk_checked);
    uint64_t reserve = atomic_load(&store->reserve);
    struct statvfs fs;

    if (now - checked < DISK_CHECK_MS ||
        !atomic_compare_exchange_strong(&store->disk_checked, &checked, now)) {
        return atomic_load(&store->disk_low);
    }
    if (statvfs(store->dir, &fs) == 0) {
        bool low = (uint64_t)fs.f_bavail * fs.f_frsize < reserve;
        if (atomic_exchange(&store->disk_low, low) != low) {
            log_warn("store.disk", "low=%s reserve=%llu", low ? "true" : "false",
                     (unsigned long long)reserve);
        }
    }
    return atomic_load(&store->disk_low);
}

void store_set_reserve(struct store *store, uint64_t bytes)
{
    atomic_store(&store->reserve, bytes);
    atomic_store(&store->disk_checked, clock_mono_ms() - DISK_CHECK_MS);
}

void store_status(struct store *store, struct store_status *out)
{
    struct committer_status committer;
    struct engine_stat engine;

    committer_status(store->committer, &committer);
    store->engine->stat(store->self, &engine);
    *out = (struct store_status){
        .writable = committer.writable,
        .disk_low = disk_low(store),
        .waiting = committer.waiting,
        .used_bytes = engine.used_bytes,
        .recent_bytes = engine.recent_bytes,
        .map_bytes = engine.map_bytes,
        .commits = committer.commits,
        .changes = committer.changes,
        .commit_us_sum = committer.commit_us_sum,
        .oldest_reader_ms = engine.oldest_reader_ms,
    };
}

bool store_accepts(struct store *store)
{
    return committer_has_room(store->committer) && !disk_low(store);
}

bool store_calm(struct store *store)
{
    return committer_load(store->committer).news < COMMITTER_CALM;
}

enum err store_backup(struct store *store, const char *dir)
{
    return store->engine->copy(store->self, dir);
}

bool store_lane_idle(struct store *store, enum queue_id queue, const char *part, const char *lane)
{
    const struct lane_name name = {.queue = (unsigned)queue, .part = part, .lane = lane};

    return lanes_idle(store->lanes, &name);
}

void store_queue_shape(struct store *store, enum queue_id queue, struct queue_shape *out)
{
    lanes_shape(store->lanes, queue, out);
}
