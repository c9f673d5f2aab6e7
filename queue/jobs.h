/* jobs.h: lanes, leases and the workers that run jobs.
 *
 * A job sits in a lane: (queue, partition, lane name). Jobs of one lane run one at a time, in the order they were
 * pushed; lanes run in parallel, and ready lanes are served round-robin by partition, so that one busy account cannot
 * starve the others. A lane is due when its first job is due. A worker leases a lane's first job, works, and ends it
 * with ack, retry or bury inside a change-set: consume and produce are one commit. The durable queue is the truth; the
 * schedule in memory is rebuilt from it at start, and leases live in memory only (one process), so a crash hands
 * every unfinished job out again. */
#ifndef CHASQUI_QUEUE_JOBS_H
#define CHASQUI_QUEUE_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/store.h"

struct httpc;
struct loop;
struct workers;

enum queue_id {
#define X(symbol, code, name, tries, first, cap, text) symbol = code,
#include "queue/tbl_queues.h"
#undef X
    QUEUE_LAST
};
struct queue_row {
    enum queue_id queue;
    const char *name;
    unsigned tries;
    int64_t first_ms, cap_ms;
    const char *text;
};
const struct queue_row *queue_row(enum queue_id queue); /* NULL if there is none */

#define JOB_LANE_MAX 120

/* ---- in a change-set ---- */
/* payload is serialised at once. delay_ms counts from the commit. */
void changes_push(struct changes *cs, enum queue_id queue, const char *part, const char *lane, int64_t delay_ms,
                  const json_t *payload);
/* The same with a payload that is JSON text already. */
void changes_push_text(struct changes *cs, enum queue_id queue, const char *part, const char *lane, int64_t delay_ms,
                       const char *text, size_t size);
/* A guard: ERR_CONFLICT if the lane has a job, waiting or under way, at the moment of the commit. */
void changes_expect_idle(struct changes *cs, enum queue_id queue, const char *part, const char *lane);
/* Ends of a leased job; each is a guard: ERR_STALE if the job is no longer ours. */
void changes_ack(struct changes *cs, const struct job *job);
/* The same lane waits delay_ms (order kept), tries goes up by one. */
void changes_retry(struct changes *cs, const struct job *job, int64_t delay_ms, const char *why);
/* Waiting that is nobody's fault (a limit, a probe): as retry, but tries stays. */
void changes_postpone(struct changes *cs, const struct job *job, int64_t delay_ms);
/* To a KIND_DEAD record {queue, lane, payload, tries, why, buried_at}; the lane goes on. */
void changes_bury(struct changes *cs, const struct job *job, const char *why);
/* retry with the queue's backoff and full jitter, or bury when its tries are used up. */
void changes_fail(struct changes *cs, const struct job *job, const char *why);

/* ---- a leased job ---- */
enum queue_id job_queue(const struct job *job);
const char *job_partition(const struct job *job);
const char *job_lane(const struct job *job);
const json_t *job_payload(const struct job *job); /* borrowed; {} if it was not JSON */
/* As it was pushed: its text, unparsed. Good as long as the job. */
const char *job_payload_text(const struct job *job, size_t *size);
unsigned job_tries(const struct job *job);        /* failed attempts before this one */
int64_t job_pushed_ms(const struct job *job);     /* wall time of the push */
struct store *job_store(const struct job *job);
struct loop *job_loop(const struct job *job);     /* the worker's loop, on which the handler runs */
struct httpc *job_http(const struct job *job);    /* the worker's HTTP client */

/* Ends the job by submitting cs, which must hold one of ack, retry, postpone, bury or fail for it. done comes on the
 * worker's loop: on ERR_OK and ERR_STALE the job is over and freed after done returns; on ERR_CONFLICT or ERR_SEEN
 * the job is still held and the handler decides again (another job_finish); on any other code the job is handed
 * back for a later try and freed. done NULL: conflicts, too, hand it back. */
typedef void (*job_done_fn)(enum err rc, uint64_t rev, void *arg);
void job_finish(struct job *job, struct changes *cs, job_done_fn done, void *arg);

/* Gives the job back as it was, without a write: its lane waits ms and is then leased anew (a limit, a breaker). The wait is of the
 * process: after a restart the job is due when the store says. The handler must not touch the job any more. */
void job_put_back(struct job *job, int64_t ms);

/* fn(arg) runs if the workers stop with this job still held and nobody will hear of it again: to free what its handler
 * keeps for it. After the worker's loop has ended, on the thread that stops the workers; the job is good until fn returns. */
void job_on_cut(struct job *job, void (*fn)(void *arg), void *arg);

/* ---- workers ---- */
/* Runs on a worker's loop; must lead to exactly one successful job_finish. */
typedef void (*job_fn)(struct job *job, void *arg);
/* threads: event loops; in_flight: jobs one worker may hold. */
struct workers *workers_new(struct store *store, unsigned threads, unsigned in_flight);
/* Before start. Queues without a handler are left alone. */
void workers_handle(struct workers *workers, enum queue_id queue, job_fn fn, void *arg);
enum err workers_start(struct workers *workers) MUST_CHECK;
/* Stops leasing, waits at most ms for jobs under way; what is left is handed out again after the next start. Returns
 * the number of jobs cut off. */
unsigned workers_stop(struct workers *workers, int64_t ms);
void workers_free(struct workers *workers);

/* The shape of the queues, for metrics and `chasqui queue`. */
struct queue_shape {
    uint64_t lanes, jobs, held;
    int64_t oldest_due_ms; /* how long the most overdue lane has been due; 0 if none */
};
/* One lane that has jobs. */
struct queue_lane {
    enum queue_id queue;
    const char *part, *lane;
    uint64_t jobs;
    int64_t oldest_ms; /* wall time at which the first of them was pushed */
};
/* fn for each lane, at most `most` of them, in no order. Reads the first job of each: not for a hot path. */
void store_queue_walk(struct store *store, size_t most, void (*fn)(const struct queue_lane *lane, void *arg), void *arg);
/* True if the lane has no job, waiting or under way, as far as commits that were answered tell. */
bool store_lane_idle(struct store *store, enum queue_id queue, const char *part, const char *lane);
void store_queue_shape(struct store *store, enum queue_id queue, struct queue_shape *out);
/* Wall time at which the first job of a lane was pushed; 0 if the lane is empty. */
int64_t store_lane_oldest(struct store *store, enum queue_id queue, const char *part, const char *lane);

#endif
