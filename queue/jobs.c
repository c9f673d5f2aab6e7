/* jobs.c: the queues' rows, what a change-set can do with jobs, and what a handler may ask of its job. */
#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/changes.h"
#include "queue/job_int.h"

#define DELAY_MAX_MS (3660LL * 24 * 3600 * 1000) /* ten years: far enough, and no sum overflows */

static const struct queue_row queues[] = {
#define X(symbol, code, name, tries, first, cap, text) [code] = {symbol, name, tries, first, cap, text},
#include "queue/tbl_queues.h"
#undef X
};

const struct queue_row *queue_row(enum queue_id queue)
{
    unsigned code = (unsigned)queue;

    return code < sizeof queues / sizeof queues[0] && queues[code].name != NULL ? &queues[code] : NULL;
}

/* ---- operations ---- */

static int64_t delay_of(int64_t ms)
{
    return ms < 0 ? 0 : ms > DELAY_MAX_MS ? DELAY_MAX_MS : ms;
}

void changes_push(struct changes *cs, enum queue_id queue, const char *part, const char *lane,
                  int64_t delay_ms, const json_t *payload)
{
    CHECK(queue_row(queue) != NULL);
    struct op *op = changes_op(cs, OP_PUSH, (unsigned)queue, part, lane, JOB_LANE_MAX);
    uint8_t blank[JOB_HEAD] = {0};
    struct buf head;

    if (op == NULL) {
        return;
    }
    op->number = delay_of(delay_ms);
    buf_init(&head, JOB_HEAD);
    buf_add(&head, blank, sizeof blank);
    changes_value(cs, op, &head, payload);
    buf_fini(&head);
}

void changes_push_text(struct changes *cs, enum queue_id queue, const char *part, const char *lane,
                       int64_t delay_ms, const char *text, size_t size)
{
    CHECK(queue_row(queue) != NULL);
    struct op *op = changes_op(cs, OP_PUSH, (unsigned)queue, part, lane, JOB_LANE_MAX);

    if (op != NULL) {
        op->number = delay_of(delay_ms);
        changes_value_text(cs, op, JOB_HEAD, text, size);
    }
}

bool changes_end(const struct changes *cs, const struct job *job)
{
    for (size_t i = 0; i < cs->op_count; i++) {
        const struct op *op = &cs->ops[i];
        if ((op->type == OP_ACK || op->type == OP_WAIT) && op->epoch == job->lease.epoch) {
            return true;
        }
    }
    return cs->fault != ERR_OK; /* the end may be what was left out */
}

/* The operation that ends the job; NULL after a fault, and a second end in one set is one. */
static struct op *end_add(struct changes *cs, enum op_type type, const struct job *job)
{
    const struct lease *lease = &job->lease;

    if (cs->fault == ERR_OK && changes_end(cs, job)) {
        changes_fault(cs, ERR_INVALID);
    }
    struct op *op = changes_op(cs, type, (unsigned)lease->queue, lease->part, lease->lane, JOB_LANE_MAX);
    if (op != NULL) {
        op->seq = lease->seq;
        op->epoch = lease->epoch;
    }
    return op;
}

void changes_ack(struct changes *cs, const struct job *job)
{
    (void)end_add(cs, OP_ACK, job);
}

/* Retry or postpone: the lane waits, tries goes up if the attempt failed. */
static void wait_add(struct changes *cs, const struct job *job, int64_t delay_ms, bool failed)
{
    struct op *op = end_add(cs, OP_WAIT, job);

    if (op != NULL) {
        op->number = delay_of(delay_ms);
        op->failed = failed;
    }
}

void changes_retry(struct changes *cs, const struct job *job, int64_t delay_ms, const char *why)
{
    log_info("job.retry", "queue=%s lane=%s tries=%u delay_ms=%lld why=%s", queue_row(job->lease.queue)->name,
             log_quote(job->lease.lane), job->tries + 1, (long long)delay_ms, log_quote(why));
    wait_add(cs, job, delay_ms, true);
}

void changes_postpone(struct changes *cs, const struct job *job, int64_t delay_ms)
{
    wait_add(cs, job, delay_ms, false);
}

void changes_bury(struct changes *cs, const struct job *job, const char *why)
{
    const struct lease *lease = &job->lease;
    struct id id = id_new(kind_row(KIND_DEAD)->prefix);
    json_t *body = json_object();

    log_warn("job.buried", "queue=%s lane=%s tries=%u dead=%s why=%s", queue_row(lease->queue)->name,
             log_quote(lease->lane), job->tries + 1, id.text, log_quote(why));
    jx_set_str(body, "id", id.text);
    jx_set_str(body, "queue", queue_row(lease->queue)->name);
    jx_set_str(body, "lane", lease->lane);
    jx_set(body, "payload", json_incref((json_t *)job_payload(job)));
    jx_set_int(body, "tries", job->tries + 1);
    jx_set_str(body, "why", why);
    jx_set_time(body, "buried_at", clock_wall_ms());
    (void)end_add(cs, OP_ACK, job);
    changes_put(cs, KIND_DEAD, lease->part, id.text, body);
    json_decref(body);
}

/* What the n-th retry waits: a random time up to the doubled and capped first step. */
static int64_t backoff(const struct queue_row *row, unsigned n)
{
    int64_t top = row->first_ms;

    for (unsigned i = 1; i < n && top < row->cap_ms; i++) {
        top *= 2;
    }
    if (top > row->cap_ms) {
        top = row->cap_ms;
    }
    return (int64_t)random_below((uint64_t)top + 1);
}

void changes_fail(struct changes *cs, const struct job *job, const char *why)
{
    const struct queue_row *row = queue_row(job->lease.queue);
    unsigned failed = job->tries + 1;

    if (failed >= row->tries) {
        changes_bury(cs, job, why);
    } else {
        changes_retry(cs, job, backoff(row, failed), why);
    }
}

/* ---- a leased job ---- */

enum queue_id job_queue(const struct job *job)
{
    return job->lease.queue;
}

const char *job_partition(const struct job *job)
{
    return job->lease.part;
}

const char *job_lane(const struct job *job)
{
    return job->lease.lane;
}

/* Parsed when first asked for. */
const json_t *job_payload(const struct job *job)
{
    struct job *own = (struct job *)job; /* a job belongs to its worker's thread */

    if (job->payload == NULL && jx_parse_lenient(job->text, job->size, &own->payload) != ERR_OK) {
        own->payload = json_object();
    }
    return job->payload;
}

const char *job_payload_text(const struct job *job, size_t *size)
{
    *size = job->size;
    return job->text;
}

unsigned job_tries(const struct job *job)
{
    return job->tries;
}

int64_t job_pushed_ms(const struct job *job)
{
    return job->pushed_ms;
}

struct store *job_store(const struct job *job)
{
    return worker_store(job->worker);
}

void job_on_cut(struct job *job, void (*fn)(void *arg), void *arg)
{
    job->cut = fn;
    job->cut_arg = arg;
}

struct loop *job_loop(const struct job *job)
{
    return worker_loop(job->worker);
}

struct httpc *job_http(const struct job *job)
{
    return worker_http(job->worker);
}
