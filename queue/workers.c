/* workers.c: event loops that lease jobs and run their handlers.
 *
 * A worker fills up when it is woken (something was pushed, released or has come due), when one of its jobs
 * ends, and, while any lane waits for its time, by a timer that never sleeps longer than POLL_MS, so that a
 * replaced or jumping clock cannot stall it. While much comes in from outside it starts only PACE_JOBS for
 * each commit: what waits is durable already, what comes in is not, and both need the same processors and the
 * same disk. A job belongs to its worker's loop from lease to end; only the set that ends it travels through
 * the committer and comes back as a post.
 *
 * Stopping has two phases. QUIET: no leases are taken, jobs under way may end. CUT: transfers are cancelled
 * and what a handler still submits is refused with ERR_CLOSED, so the durable job stays as it was and is
 * handed out again. A barrier through the committer makes sure that no answer is still on its way to a loop
 * that is freed. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <utlist.h>

#include "queue/base/clock.h"
#include "queue/base/httpc.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"
#include "queue/changes.h"
#include "queue/job_int.h"
#include "queue/store_int.h"

#define POLL_MS     250
#define BACK_MS     1000 /* a job handed back because the store could not take its end */
#define CONFLICT_MS 20   /* a job handed back because its handler does not decide again */
#define LOST_MS     60000
#define PACE_JOBS   2 /* while the committer is not calm, as many for each commit */
#define PACE_MS     2 /* a worker that waits for a commit looks again after this time anyway */

enum phase { PHASE_RUN, PHASE_QUIET, PHASE_CUT };

struct worker {
    struct workers *owner;
    struct loop *loop;
    struct httpc *http;
    struct loop_timer *timer;
    struct job *held; /* the loop's own, as count */
    unsigned count;
    uint64_t paced_at; /* the commit since which `begun` counts the jobs started */
    unsigned begun;
    atomic_bool woken; /* a fill is posted already */
};

struct handler {
    job_fn fn;
    void *arg;
};

struct workers {
    struct store *store;
    unsigned threads, in_flight;
    struct handler handlers[QUEUE_LAST];
    uint32_t queues; /* bit 1 << code for each that has a handler */
    struct worker *list;
    bool started;
    atomic_int phase;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned held; /* of all workers; under lock */
};

static void worker_fill(void *arg);

struct store *worker_store(const struct worker *worker)
{
    return worker->owner->store;
}

struct loop *worker_loop(const struct worker *worker)
{
    return worker->loop;
}

struct httpc *worker_http(const struct worker *worker)
{
    return worker->http;
}

static enum phase phase_of(const struct workers *ws)
{
    return (enum phase)atomic_load(&ws->phase);
}

static struct lane_name lease_lane(const struct lease *lease)
{
    return (struct lane_name){.queue = (unsigned)lease->queue, .part = lease->part, .lane = lease->lane};
}

/* Gives the lane back as it is, due in ms. All workers hear of it: this one may be full again before then. */
static void lease_release(struct store *store, const struct lease *lease, int64_t ms)
{
    struct lane_name name = lease_lane(lease);

    lanes_release(store->lanes, &name, lease->epoch, clock_mono_ms() + ms);
    lanes_wake(store->lanes);
}

/* ---- a job's life ---- */

static void held_change(struct workers *ws, int delta)
{
    pthread_mutex_lock(&ws->lock);
    ws->held += (unsigned)delta;
    if (ws->held == 0) {
        pthread_cond_broadcast(&ws->idle);
    }
    pthread_mutex_unlock(&ws->lock);
}

/* Forgets the job; its lane was ended or released. */
static void job_drop(struct job *job)
{
    struct worker *worker = job->worker;

    DL_DELETE(worker->held, job);
    worker->count--;
    json_decref(job->payload);
    free(job->text);
    free(job);
    held_change(worker->owner, -1);
}

/* The job is over: the worker has room for another. */
static void job_over(struct job *job)
{
    struct worker *worker = job->worker;

    job_drop(job);
    worker_fill(worker);
}

/* Hands the lane back unfinished. */
static void job_back(struct job *job, int64_t ms)
{
    lease_release(worker_store(job->worker), &job->lease, ms);
    job_over(job);
}

/* The outcome of a failure that the worker itself recorded. */
static void refused_done(enum err rc, uint64_t rev, void *arg)
{
    (void)rev;
    if (rc == ERR_OK || rc == ERR_STALE) {
        job_over(arg);
    } else {
        job_back(arg, BACK_MS);
    }
}

/* The handler's change-set can never be taken (too large, a bad id): that is a failed attempt. */
static void job_refused(struct job *job, enum err rc)
{
    struct changes *cs = changes_new();

    changes_fail(cs, job, err_name(rc));
    store_submit_end(worker_store(job->worker), job->worker->loop, cs, refused_done, job);
}

/* What becomes of the job after its handler heard of the outcome. */
static void finish_done(enum err rc, uint64_t rev, void *arg)
{
    struct job *job = arg;
    job_done_fn done = job->done;

    if ((rc == ERR_CONFLICT || rc == ERR_SEEN) && done != NULL) {
        done(rc, rev, job->arg); /* decides again */
        return;
    }
    if (done != NULL) {
        done(rc, rev, job->arg);
    }
    if (rc == ERR_OK || rc == ERR_STALE) {
        job_over(job);
    } else if (rc == ERR_LIMIT || rc == ERR_INVALID) {
        job_refused(job, rc);
    } else {
        job_back(job, rc == ERR_CONFLICT || rc == ERR_SEEN ? CONFLICT_MS : BACK_MS);
    }
}

/* After the cut: the handler hears that it came too late. */
static void finish_closed(void *arg)
{
    finish_done(ERR_CLOSED, 0, arg);
}

void job_finish(struct job *job, struct changes *cs, job_done_fn done, void *arg)
{
    struct worker *worker = job->worker;

    CHECK(changes_end(cs, job));
    job->done = done;
    job->arg = arg;
    if (phase_of(worker->owner) == PHASE_CUT) {
        changes_free(cs);
        loop_post(worker->loop, finish_closed, job);
    } else {
        store_submit_end(worker_store(worker), worker->loop, cs, finish_done, job);
    }
}

/* On the loop, outside the handler. */
static void put_back(void *arg)
{
    struct job *job = arg;

    job_back(job, job->back_ms);
}

void job_put_back(struct job *job, int64_t ms)
{
    job->back_ms = ms;
    job->cut = NULL;
    loop_post(job->worker->loop, put_back, job);
}

/* Reads the leased job and makes it; NULL (lane handed back) if it cannot be read. */
static struct job *job_open(struct worker *worker, const struct lease *lease)
{
    struct store *store = worker_store(worker);
    struct lane_name name = lease_lane(lease);
    struct engine_job stored;
    enum err rc = store->engine->job(store->self, &name, lease->seq, &stored);

    if (rc != ERR_OK) {
        log_error("job.unread", "queue=%s lane=%s error=%s", queue_row(lease->queue)->name,
                  log_quote(lease->lane), err_name(rc));
        lease_release(store, lease, rc == ERR_NOTFOUND || rc == ERR_CORRUPT ? LOST_MS : BACK_MS);
        return NULL;
    }
    struct job *job = xcalloc(1, sizeof *job);
    job->lease = *lease;
    job->tries = stored.head.tries;
    job->pushed_ms = stored.head.pushed;
    job->worker = worker;
    job->text = stored.payload;
    job->size = stored.size;
    DL_APPEND(worker->held, job);
    worker->count++;
    held_change(worker->owner, 1);
    return job;
}

/* ---- filling up ---- */

static void timer_fired(void *arg)
{
    struct worker *worker = arg;

    worker->timer = NULL;
    worker_fill(worker);
}

/* False if this worker has to wait for the next commit before it starts another job. */
static bool may_start(struct worker *worker)
{
    struct committer_load load = committer_load(worker_store(worker)->committer);

    if (load.news < COMMITTER_CALM) {
        return true;
    }
    if (worker->paced_at != load.commits) {
        worker->paced_at = load.commits;
        worker->begun = 0;
    }
    return worker->begun < PACE_JOBS;
}

/* Looks again when the next lane comes due, or soon if it was told to wait. */
static void timer_arm(struct worker *worker, bool paced)
{
    int64_t due = paced ? 0 : lanes_next_due(worker_store(worker)->lanes);

    if (due >= 0 && worker->timer == NULL) {
        int64_t ms = paced ? PACE_MS : due - clock_mono_ms();
        ms = ms < 1 ? 1 : ms > POLL_MS ? POLL_MS : ms;
        worker->timer = loop_after(worker->loop, ms, timer_fired, worker);
    }
}

/* Leases and starts jobs while there is room. */
static void worker_fill(void *arg)
{
    struct worker *worker = arg;
    struct workers *ws = worker->owner;
    struct lease lease;
    bool paced = false;

    atomic_store(&worker->woken, false);
    loop_cancel(worker->timer);
    worker->timer = NULL;
    while (phase_of(ws) == PHASE_RUN && worker->count < ws->in_flight) {
        paced = !may_start(worker);
        if (paced || !lanes_take(ws->store->lanes, ws->queues, &lease)) {
            break;
        }
        worker->begun++;
        struct job *job = job_open(worker, &lease);
        if (job != NULL) {
            ws->handlers[lease.queue].fn(job, ws->handlers[lease.queue].arg);
        }
    }
    if (phase_of(ws) == PHASE_RUN && worker->count < ws->in_flight) {
        timer_arm(worker, paced);
    }
}

/* Any thread, under the schedule's lock: asks every worker to look. */
static void workers_wake(void *arg)
{
    struct workers *ws = arg;

    for (unsigned i = 0; i < ws->threads; i++) {
        if (!atomic_exchange(&ws->list[i].woken, true)) {
            loop_post(ws->list[i].loop, worker_fill, &ws->list[i]);
        }
    }
}

/* ---- start and stop ---- */

struct workers *workers_new(struct store *store, unsigned threads, unsigned in_flight)
{
    struct workers *ws = xcalloc(1, sizeof *ws);
    pthread_condattr_t attr;

    CHECK(threads > 0 && in_flight > 0);
    ws->store = store;
    ws->threads = threads;
    ws->in_flight = in_flight;
    ws->list = xcalloc(threads, sizeof *ws->list);
    CHECK(pthread_mutex_init(&ws->lock, NULL) == 0);
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&ws->idle, &attr) == 0);
    pthread_condattr_destroy(&attr);
    return ws;
}

void workers_handle(struct workers *ws, enum queue_id queue, job_fn fn, void *arg)
{
    CHECK(!ws->started && queue_row(queue) != NULL);
    ws->handlers[queue] = (struct handler){fn, arg};
    ws->queues |= (uint32_t)1 << queue;
}

/* On the loop: what belongs to its thread is made there. */
static void worker_open(void *arg)
{
    struct worker *worker = arg;

    worker->http = httpc_new(worker->loop);
    worker_fill(worker);
}

/* On the loop: no more leases, so no more timer. */
static void worker_quiet(void *arg)
{
    struct worker *worker = arg;

    loop_cancel(worker->timer);
    worker->timer = NULL;
}

/* On the loop: ends the transfers, which tells their handlers. */
static void worker_shut(void *arg)
{
    struct worker *worker = arg;

    worker_quiet(worker);
    httpc_free(worker->http);
    worker->http = NULL;
}

enum err workers_start(struct workers *ws)
{
    unsigned i;

    CHECK(!ws->started);
    atomic_store(&ws->phase, PHASE_RUN);
    for (i = 0; i < ws->threads; i++) {
        struct worker *worker = &ws->list[i];
        char name[16];
        snprintf(name, sizeof name, "worker-%u", i % 1000);
        *worker = (struct worker){.owner = ws, .loop = loop_new(name), .woken = true};
        loop_post(worker->loop, worker_open, worker);
    }
    ws->started = true;
    lanes_listen(ws->store->lanes, workers_wake, ws);
    for (i = 0; i < ws->threads; i++) {
        enum err rc = loop_start(ws->list[i].loop);
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return ERR_OK;
}

/* Waits until no job is held, at most ms; returns how many still are. */
static unsigned wait_idle(struct workers *ws, int64_t ms)
{
    struct timespec end;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += ms / 1000;
    end.tv_nsec += ms % 1000 * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&ws->lock);
    while (ws->held > 0 && pthread_cond_timedwait(&ws->idle, &ws->lock, &end) != ETIMEDOUT) {
    }
    unsigned held = ws->held;
    pthread_mutex_unlock(&ws->lock);
    return held;
}

static void post_all(struct workers *ws, loop_fn fn)
{
    for (unsigned i = 0; i < ws->threads; i++) {
        loop_post(ws->list[i].loop, fn, &ws->list[i]);
    }
}

/* Returns once every answer to what was submitted before is in its loop's mailbox. */
static void barrier(struct store *store)
{
    enum err rc = store_submit_wait(store, changes_new(), NULL);

    if (rc != ERR_OK) {
        log_warn("workers.stop", "error=%s", err_name(rc));
    }
}

/* Frees what the loop's thread left behind; it is gone. */
static void worker_fini(struct worker *worker)
{
    struct job *job, *next;

    DL_FOREACH_SAFE(worker->held, job, next)
    {
        if (job->cut != NULL) {
            job->cut(job->cut_arg);
        }
        lease_release(worker_store(worker), &job->lease, 0);
        job_drop(job);
    }
    loop_free(worker->loop);
    worker->loop = NULL;
}

unsigned workers_stop(struct workers *ws, int64_t ms)
{
    if (!ws->started) {
        return 0;
    }
    atomic_store(&ws->phase, PHASE_QUIET);
    lanes_unlisten(ws->store->lanes, ws);
    post_all(ws, worker_quiet);
    unsigned cut = wait_idle(ws, ms);
    atomic_store(&ws->phase, PHASE_CUT);
    post_all(ws, worker_shut);
    barrier(ws->store);
    for (unsigned i = 0; i < ws->threads; i++) {
        loop_stop(ws->list[i].loop);
        loop_join(ws->list[i].loop);
    }
    barrier(ws->store);
    for (unsigned i = 0; i < ws->threads; i++) {
        worker_fini(&ws->list[i]);
    }
    ws->started = false;
    return cut;
}

void workers_free(struct workers *ws)
{
    if (ws == NULL) {
        return;
    }
    (void)workers_stop(ws, 0);
    pthread_mutex_destroy(&ws->lock);
    pthread_cond_destroy(&ws->idle);
    free(ws->list);
    free(ws);
}
