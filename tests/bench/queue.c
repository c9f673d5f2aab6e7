/* queue.c: what the durable queue does in a second, and what it costs to start and to keep.
 *
 * work     each run of a handler consumes one job and produces the next in the same change-set (ack, push,
 * one record, one counter), with 1, 16 and 64 jobs in flight over 1, 100 and 100,000 lanes. Jobs of one lane
 *          run one at a time, so that a single lane is the rate of single commits.
 * wait     from the push of one job into an idle queue to the start of its handler, beside the durable
 * commit. start    opening a store with that many jobs queued. size     the store's pages in use before and
 * after that many pushes and pops at constant depth, no records kept.
 *
 * Usage: bench_queue DIR [MS [JOBS]]: DIR must be on the disk that is to be measured; MS of each row of work
 * (2000); JOBS for start and size (100000). One line of JSON for each row. */
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "queue/base/clock.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/jobs.h"

#define PART     "acc_bench:live"
#define MAP_SIZE (16ull << 30)
#define BODY     1000
#define SEED_SET 5000 /* jobs pushed by one change-set */
#define PROBES   300  /* of wait */
#define WAIT_S   600  /* the longest that any of it may take */

struct bench {
    char dir[256], uri[300];
    struct store *store;
    int64_t ms;
    unsigned long jobs;
};

static atomic_bool running;
static atomic_ulong done_count;
static atomic_bool keeps_records;
static _Atomic int64_t started_us;
static char text[BODY + 1];

static void sleep_us(long us)
{
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}, NULL);
}

static void ended(enum err rc, uint64_t rev, void *arg)
{
    (void)rev;
    (void)arg;
    if (rc == ERR_OK) {
        atomic_fetch_add(&done_count, 1);
    }
}

/* One step: the job goes, its successor and its result come. */
static void step(struct job *job, void *arg)
{
    struct changes *cs = changes_new();

    (void)arg;
    changes_ack(cs, job);
    if (atomic_load(&keeps_records)) {
        struct id id = id_new("msg");
        json_t *body = json_pack("{s:s,s:s}", "conversation_id", job_lane(job), "text", text);
        changes_put(cs, KIND_MESSAGE, PART, id.text, body);
        changes_add(cs, PART, "messages", 1);
        json_decref(body);
    }
    if (atomic_load(&running)) {
        changes_push(cs, QUEUE_TURN, PART, job_lane(job), 0, job_payload(job));
    }
    job_finish(job, cs, ended, NULL);
}

/* Notes when a probe began, and ends it. */
static void probe(struct job *job, void *arg)
{
    struct changes *cs = changes_new();

    (void)arg;
    atomic_store(&started_us, clock_mono_us());
    changes_ack(cs, job);
    job_finish(job, cs, NULL, NULL);
}

/* Pushes count jobs over the lanes in turn. */
static enum err seed(struct store *store, enum queue_id queue, unsigned long count, unsigned lanes)
{
    json_t *payload = json_pack("{s:s}", "text", text);
    enum err rc = ERR_OK;

    for (unsigned long at = 0; at < count && rc == ERR_OK;) {
        struct changes *cs = changes_new();
        for (unsigned i = 0; i < SEED_SET && at < count; i++, at++) {
            char lane[32];
            snprintf(lane, sizeof lane, "cnv_%06lu", at % lanes);
            changes_push(cs, queue, PART, lane, 0, payload);
        }
        rc = store_submit_wait(store, cs, NULL);
    }
    json_decref(payload);
    return rc;
}

/* Waits until no job is left in the queue. */
static enum err wait_empty(struct store *store, enum queue_id queue)
{
    int64_t end = clock_mono_ms() + WAIT_S * 1000;
    struct queue_shape shape;

    for (;;) {
        store_queue_shape(store, queue, &shape);
        if (shape.jobs == 0) {
            return ERR_OK;
        }
        if (clock_mono_ms() > end) {
            return ERR_TIMEOUT;
        }
        sleep_us(2000);
    }
}

static struct workers *start_workers(struct store *store, unsigned in_flight, enum queue_id queue, job_fn fn)
{
    struct workers *ws = workers_new(store, 1, in_flight);

    workers_handle(ws, queue, fn, NULL);
    CHECK(workers_start(ws) == ERR_OK);
    return ws;
}

/* Works off what is queued, as fast as it goes. */
static enum err drain(struct store *store, enum queue_id queue)
{
    struct workers *ws = start_workers(store, 256, queue, step);
    enum err rc = wait_empty(store, queue);

    (void)workers_stop(ws, 5000);
    workers_free(ws);
    return rc;
}

/* Runs with so many jobs in flight over the lanes that are seeded; as many jobs are queued afterwards. */
static void measure_work(struct bench *b, unsigned in_flight, unsigned lanes)
{
    struct store_status before, after;
    struct workers *ws = start_workers(b->store, in_flight, QUEUE_TURN, step);

    atomic_store(&done_count, 0);
    store_status(b->store, &before);
    int64_t began = clock_mono_us();
    sleep_us(b->ms * 1000);
    double seconds = (double)(clock_mono_us() - began) / 1e6;
    unsigned long jobs = atomic_load(&done_count);
    store_status(b->store, &after);
    (void)workers_stop(ws, 5000);
    workers_free(ws);
    double commits = (double)(after.commits - before.commits);
    printf("{\"work\":\"%u in flight, %u "
           "lanes\",\"jobs_per_s\":%.0f,\"sets_per_commit\":%.1f,\"commit_us\":%.0f}\n",
           in_flight, lanes, (double)jobs / seconds, (double)(after.changes - before.changes) / commits,
           (double)(after.commit_us_sum - before.commit_us_sum) / commits);
}

static enum err measure_lanes(struct bench *b, unsigned lanes)
{
    enum err rc = seed(b->store, QUEUE_TURN, lanes > 64 ? lanes : 64, lanes);

    if (rc != ERR_OK) {
        return rc;
    }
    atomic_store(&keeps_records, true);
    atomic_store(&running, true);
    measure_work(b, 1, lanes);
    measure_work(b, 16, lanes);
    measure_work(b, 64, lanes);
    atomic_store(&keeps_records, false);
    atomic_store(&running, false);
    return drain(b->store, QUEUE_TURN);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* One job into an idle queue; *start: until its handler runs, *durable: until the push was durable. */
static enum err probe_once(struct store *store, const json_t *payload, int64_t *start, int64_t *durable)
{
    struct changes *cs = changes_new();
    int64_t began = clock_mono_us();

    atomic_store(&started_us, 0);
    changes_push(cs, QUEUE_SEND, PART, "probe", 0, payload);
    enum err rc = store_submit_wait(store, cs, NULL);
    *durable = clock_mono_us() - began;
    while (rc == ERR_OK && atomic_load(&started_us) == 0) {
        if (clock_mono_us() - began > WAIT_S * 1000000LL) {
            return ERR_TIMEOUT;
        }
        sleep_us(20);
    }
    *start = atomic_load(&started_us) - began;
    return rc == ERR_OK ? wait_empty(store, QUEUE_SEND) : rc;
}

static enum err measure_wait(struct bench *b)
{
    static int64_t start[PROBES], durable[PROBES];
    struct workers *ws = start_workers(b->store, 16, QUEUE_SEND, probe);
    json_t *payload = json_pack("{s:s}", "text", text);
    enum err rc = ERR_OK;

    for (size_t i = 0; i < PROBES && rc == ERR_OK; i++) {
        rc = probe_once(b->store, payload, &start[i], &durable[i]);
        sleep_us(1000);
    }
    json_decref(payload);
    (void)workers_stop(ws, 5000);
    workers_free(ws);
    qsort(start, PROBES, sizeof start[0], by_value);
    qsort(durable, PROBES, sizeof durable[0], by_value);
    printf("{\"wait\":\"push to "
           "start\",\"p50_us\":%lld,\"p99_us\":%lld,\"durable_p50_us\":%lld,\"durable_p99_us\":%lld}\n",
           (long long)start[PROBES / 2], (long long)start[PROBES * 99 / 100], (long long)durable[PROBES / 2],
           (long long)durable[PROBES * 99 / 100]);
    return rc;
}

/* Queues the jobs, opens the store anew, and drains it by a worker. */
static enum err measure_start(struct bench *b, unsigned lanes)
{
    enum err rc = seed(b->store, QUEUE_SEND, b->jobs, lanes);

    store_close(b->store);
    b->store = NULL;
    if (rc != ERR_OK) {
        return rc;
    }
    int64_t began = clock_mono_us();
    rc = store_open(b->uri, MAP_SIZE, 4096, &b->store);
    double ms = (double)(clock_mono_us() - began) / 1000;
    printf("{\"start\":\"%lu jobs in %u lanes\",\"ms\":%.0f,\"ms_per_million\":%.0f}\n", b->jobs, lanes, ms,
           ms * 1e6 / (double)b->jobs);
    return rc == ERR_OK ? drain(b->store, QUEUE_SEND) : rc;
}

/* Pushes and pops at a depth of 1,000; the pages in use after a tenth of them and at the end. */
static enum err measure_size(struct bench *b)
{
    struct store_status early, late;
    int64_t end = clock_mono_ms() + WAIT_S * 1000;
    enum err rc = seed(b->store, QUEUE_TURN, 1000, 1000);

    atomic_store(&running, true);
    atomic_store(&done_count, 0);
    struct workers *ws = start_workers(b->store, 64, QUEUE_TURN, step);
    for (store_status(b->store, &early); atomic_load(&done_count) < b->jobs && clock_mono_ms() < end;) {
        if (atomic_load(&done_count) < b->jobs / 10) {
            store_status(b->store, &early);
        }
        sleep_us(1000);
    }
    unsigned long done = atomic_load(&done_count);
    store_status(b->store, &late);
    atomic_store(&running, false);
    rc = rc == ERR_OK ? wait_empty(b->store, QUEUE_TURN) : rc;
    (void)workers_stop(ws, 5000);
    workers_free(ws);
    printf("{\"size\":\"%lu pushes and pops\",\"kib_early\":%llu,\"kib_late\":%llu}\n", done,
           (unsigned long long)early.used_bytes / 1024, (unsigned long long)late.used_bytes / 1024);
    return rc;
}

static enum err measure_all(struct bench *b)
{
    static const unsigned lanes[] = {1, 100, 100000};
    enum err rc = measure_size(b);

    for (size_t i = 0; i < 3 && rc == ERR_OK; i++) {
        rc = measure_lanes(b, lanes[i]);
    }
    if (rc == ERR_OK) {
        rc = measure_wait(b);
    }
    if (rc == ERR_OK) {
        rc = measure_start(b, 1000);
    }
    return rc == ERR_OK ? measure_start(b, 1000000) : rc;
}

/* Removes the store's directory. */
static void sweep(const char *path)
{
    DIR *dir = opendir(path);

    for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    (void)rmdir(path);
}

int main(int argc, char **argv)
{
    struct bench b = {.ms = argc > 2 ? strtol(argv[2], NULL, 10) : 2000,
                      .jobs = argc > 3 ? strtoul(argv[3], NULL, 10) : 100000};

    if (argc < 2 || argc > 4 || b.ms <= 0 || b.jobs == 0) {
        fprintf(stderr, "usage: %s DIR [MS [JOBS]]\n", argv[0]);
        return 2;
    }
    snprintf(b.dir, sizeof b.dir, "%s/chasqui_bench_XXXXXX", argv[1]);
    if (mkdtemp(b.dir) == NULL) {
        perror(b.dir);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    log_set(LOG_WARN, LOG_KEYVALUE);
    memset(text, 'x', BODY);
    snprintf(b.uri, sizeof b.uri, "lmdb:%s", b.dir);
    enum err rc = store_open(b.uri, MAP_SIZE, 4096, &b.store);
    if (rc == ERR_OK) {
        rc = measure_all(&b);
    }
    store_close(b.store);
    sweep(b.dir);
    if (rc != ERR_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], err_text(rc));
    }
    return rc == ERR_OK ? 0 : 1;
}
