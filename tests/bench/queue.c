/* queue.c: how many jobs a second go through the durable queue: each run of a handler consumes one job and
 * produces the next in the same change-set (ack, push, one record, one counter), at 1, 16 and 64 jobs in
 * flight. Usage: bench_queue [DIR [SECONDS]]; DIR must be on the disk that is to be measured. */
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
#define MAP_SIZE (4ull << 30)
#define BODY     1000

static atomic_bool running;
static atomic_ulong done_count;
static char text[BODY + 1];

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
    struct id id = id_new("msg");
    json_t *body = json_pack("{s:s,s:s}", "conversation_id", job_lane(job), "text", text);

    (void)arg;
    changes_ack(cs, job);
    changes_put(cs, KIND_MESSAGE, PART, id.text, body);
    changes_add(cs, PART, "messages", 1);
    if (atomic_load(&running)) {
        changes_push(cs, QUEUE_TURN, PART, job_lane(job), 0, job_payload(job));
    }
    json_decref(body);
    job_finish(job, cs, ended, NULL);
}

static enum err seed(struct store *store, unsigned lanes)
{
    struct changes *cs = changes_new();
    json_t *payload = json_pack("{s:s}", "text", text);

    for (unsigned i = 0; i < lanes; i++) {
        char lane[32];
        snprintf(lane, sizeof lane, "cnv_%u", i);
        changes_push(cs, QUEUE_TURN, PART, lane, 0, payload);
    }
    json_decref(payload);
    return store_submit_wait(store, cs, NULL);
}

/* Runs with so many jobs in flight; prints one line. */
static enum err measure(struct store *store, unsigned in_flight, int64_t ms)
{
    struct workers *ws = workers_new(store, 1, in_flight);
    struct store_status before, after;
    enum err rc = seed(store, in_flight);

    atomic_store(&running, true);
    atomic_store(&done_count, 0);
    store_status(store, &before);
    workers_handle(ws, QUEUE_TURN, step, NULL);
    if (rc == ERR_OK) {
        rc = workers_start(ws);
    }
    int64_t began = clock_mono_us();
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
    double seconds = (double)(clock_mono_us() - began) / 1e6;
    unsigned long jobs = atomic_load(&done_count);
    store_status(store, &after);
    atomic_store(&running, false);
    (void)workers_stop(ws, 5000);
    workers_free(ws);
    uint64_t commits = after.commits - before.commits;
    printf("{\"in_flight\":%u,\"jobs_per_s\":%.0f,\"sets_per_commit\":%.1f,\"commit_us\":%.0f}\n", in_flight,
           (double)jobs / seconds,
           commits > 0 ? (double)(after.changes - before.changes) / (double)commits : 0.0,
           commits > 0 ? (double)(after.commit_us_sum - before.commit_us_sum) / (double)commits : 0.0);
    return rc;
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
    static const unsigned in_flight[] = {1, 16, 64};
    char dir[256], uri[300];
    struct store *store = NULL;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s DIR [MS]\n", argv[0]);
        return 2;
    }
    snprintf(dir, sizeof dir, "%s/chasqui_bench_XXXXXX", argv[1]);
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        return 1;
    }
    log_set(LOG_WARN, LOG_KEYVALUE);
    memset(text, 'x', BODY);
    snprintf(uri, sizeof uri, "lmdb:%s", dir);
    enum err rc = store_open(uri, MAP_SIZE, 4096, &store);
    for (size_t i = 0; i < sizeof in_flight / sizeof in_flight[0] && rc == ERR_OK; i++) {
        rc = measure(store, in_flight[i], argc > 2 ? strtol(argv[2], NULL, 10) : 2000);
    }
    store_close(store);
    sweep(dir);
    if (rc != ERR_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], err_text(rc));
    }
    return rc == ERR_OK ? 0 : 1;
}
