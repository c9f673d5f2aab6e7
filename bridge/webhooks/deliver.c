/* deliver.c: one attempt to bring one event to one endpoint.
 *
 * The job holds ids only: {"delivery_id", "webhook_id", "event_id"}. The body is the stored bytes of the
 * event, the same on every attempt (with the alias in place of the type for an endpoint that knows it by that
 * name); signatures are made at the attempt, with the secrets that live then. First attempts run in the lane
 * that the fan-out chose, so an endpoint that is well gets a conversation's events in order. When one fails,
 * its retry moves to a lane of its own in the same change-set as the record of the attempt: what comes behind
 * it goes on. An endpoint that asked for strict order keeps its lanes, but a delivery that holds one up for
 * longer than option webhooks.order_hold steps aside. Before anything is read the gate is asked (gate.h): a
 * delivery that it turns away is put back as it was, without a write and without an attempt. The number of
 * the attempt lives on the delivery record, so it survives every move and restart.
 *
 * Outcomes: 2xx delivered; 410 switches the endpoint off; 429, 502, 503, 504 and timeouts wait at least a
 * minute; anything else follows the schedule. Retry-After counts between the planned delay and twice that. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/app.h"
#include "bridge/webhooks/deliver.h"
#include "bridge/webhooks/endpoint.h"
#include "bridge/webhooks/gate.h"
#include "bridge/webhooks/outcome.h"
#include "queue/base/clock.h"
#include "queue/base/httpc.h"
#include "queue/base/id.h"
#include "queue/base/option.h"
#include "queue/jobs.h"

#define SIGNATURE_MAX 2048
#define HEADERS       10
#define HEADER_MAX    2304

#define WAITING_PART 2  /* of a worker's jobs in flight one may wait for a place at its endpoint */
#define GATE_PERCENT 75 /* of the jobs in flight may be attempts: the rest is for other work */

static struct gate *gate; /* of the process */

static void run(struct job *job, struct desk *desk);

static const char *endpoint_of(const struct job *job)
{
    return jx_str_or(job_payload(job), "webhook_id", "-");
}

/* Runs who waited for a place at the endpoint. */
static void run_waiting(struct desk *desk, struct job *next)
{
    char endpoint[ID_SIZE];
    while (next != NULL) {
        snprintf(endpoint, sizeof(endpoint), "%s", endpoint_of(next));
        run(next, desk);
        next = desk_stranded(desk, endpoint);
    }
}

/* Shutting down: the attempt did not count. */
static void put_off(struct delivery *d)
{
    struct changes *cs = changes_new();
    struct job *job = d->job;
    changes_postpone(cs, job, 0);
    delivery_free(d);
    job_finish(job, cs, NULL, NULL);
}

/* The endpoint answered, or did not. */
static void answered(const struct httpc_answer *answer, void *arg)
{
    struct delivery *d = arg;
    struct desk *desk = d->desk;
    const char *endpoint = endpoint_of(d->job);
    bool cut = answer->outcome == HTTPC_CANCELLED;
    bool good = attempt_judge(answer) == ATTEMPT_DELIVERED;
    gate_leave(gate, endpoint, cut ? GATE_CUT : good ? GATE_GOOD : GATE_BAD, answer->total_us / 1000);
    struct job *next = desk_leave(desk, endpoint);
    if (cut) {
        put_off(d);
    } else {
        delivery_answered(d, answer);
    }
    run_waiting(desk, next);
}

/* Adds one header line to the list. */
static void header(struct buf *lines, size_t *offsets, size_t *count, const char *name, const char *value)
{
    offsets[(*count)++] = lines->len;
    buf_addf(lines, "%s: %s", name, value);
    buf_addc(lines, '\0');
}

/* The signed headers of this attempt. */
static void make_headers(struct delivery *d, struct buf *lines, size_t *offsets, size_t *count)
{
    char number[24];
    struct buf plain, standard;
    const struct sendto *endpoint = d->endpoint;
    const char *id = jx_str_or(d->record, "event_id", "");
    struct sign_input in = {.id = id, .timestamp_s = d->started_ms / 1000, .body = d->body, .size = d->size};
    buf_init(&plain, SIGNATURE_MAX);
    buf_init(&standard, SIGNATURE_MAX);
    sign_plain(&plain, endpoint->secrets, endpoint->secret_count, &in);
    sign_standard(&standard, endpoint->secrets, endpoint->secret_count, &in);
    header(lines, offsets, count, "Content-Type", "application/json");
    header(lines, offsets, count, "User-Agent", "Chasqui-Webhooks/" CHASQUI_VERSION);
    header(lines, offsets, count, "X-ConvoAI-Signature", buf_str(&plain));
    header(lines, offsets, count, "webhook-id", id);
    snprintf(number, sizeof(number), "%" PRId64, in.timestamp_s);
    header(lines, offsets, count, "webhook-timestamp", number);
    header(lines, offsets, count, "webhook-signature", buf_str(&standard));
    header(lines, offsets, count, "X-ConvoAI-Event",
           endpoint_event_name(endpoint->webhook, jx_str_or(d->record, "event_type", "")));
    header(lines, offsets, count, "X-ConvoAI-Delivery", jx_str_or(d->record, "id", ""));
    snprintf(number, sizeof(number), "%u", delivery_attempt(d));
    header(lines, offsets, count, "X-ConvoAI-Attempt", number);
    if (jx_bool(d->record, "replay", false)) {
        header(lines, offsets, count, "X-ConvoAI-Replay", "true");
    }
    buf_fini(&plain);
    buf_fini(&standard);
}

/* Sends the POST. */
static void post(struct delivery *d)
{
    struct buf lines;
    size_t offsets[HEADERS], count = 0;
    const char *headers[HEADERS];
    char account[ID_SIZE];
    buf_init(&lines, (HEADERS)*HEADER_MAX);
    d->started_ms = clock_wall_ms();
    make_headers(d, &lines, offsets, &count);
    for (size_t i = 0; i < count; i++) {
        headers[i] = lines.data + offsets[i];
    }
    partition_account(job_partition(d->job), account);
    struct httpc_request request = {
        .method = "POST",
        .url = jx_str_or(d->endpoint->webhook, "url", ""),
        .headers = headers,
        .header_count = count,
        .body = d->body,
        .body_size = d->size,
        .connect_ms = 5000,
        .total_ms = 15000,
        .max_answer = ANSWER_MAX,
        .http2 = true,
        .pool = account,
    };
    httpc_send(job_http(d->job), &request, answered, d);
    buf_fini(&lines);
}

/* Sends it, unless it has been brought already or the endpoint is switched off (the event stays for a
 * replay). */
static void start(struct delivery *d)
{
    const char *endpoint = endpoint_of(d->job);
    enum err rc = delivery_load(d, true);
    if (rc == ERR_OK && strcmp(jx_str_or(d->record, "status", ""), "pending") != 0) {
        rc = ERR_NOTFOUND;
    }
    bool off = rc == ERR_OK && strcmp(jx_str_or(d->endpoint->webhook, "status", ""), "disabled") == 0;
    if (rc == ERR_OK && !off) {
        desk_enter(d->desk, endpoint);
        post(d);
        return;
    }
    gate_leave(gate, endpoint, GATE_CUT, 0); /* nothing will be sent */
    if (off) {
        delivery_skip(d);
    } else {
        delivery_drop(d, rc);
    }
}

/* Asks the gate, and starts, waits or puts the job back. */
static void run(struct job *job, struct desk *desk)
{
    const char *endpoint = endpoint_of(job);
    int64_t wait_ms = gate_try(gate, endpoint);
    if (wait_ms == GATE_SOON && desk_wait(desk, endpoint, job)) {
        return;
    }
    if (wait_ms == GATE_SOON) {
        wait_ms = gate_enter(gate, endpoint);
    }
    if (wait_ms > 0) {
        job_put_back(job, wait_ms);
        return;
    }
    struct delivery *d = xcalloc(1, sizeof(*d));
    d->job = job;
    d->desk = desk;
    start(d);
}

/* The handler of QUEUE_DELIVER. */
static void deliver_run(struct job *job, void *arg)
{
    (void)arg;
    run(job, desk_here(job));
}

void webhooks_gate_look(const char *endpoint, struct gate_view *out)
{
    gate_look(gate, endpoint, out);
}

void webhooks_gate_reset(const char *endpoint)
{
    gate_reset(gate, endpoint);
}

void webhooks_register(struct workers *workers)
{
    unsigned jobs = (unsigned)(option_int(OPT_WORKERS) * option_int(OPT_JOBS_IN_FLIGHT));
    gate_free(gate);
    desks_reset((unsigned)option_int(OPT_JOBS_IN_FLIGHT) / WAITING_PART);
    gate = gate_new(jobs * GATE_PERCENT / 100 + 1, (unsigned)option_int(OPT_EVENT_RATE));
    workers_handle(workers, QUEUE_DELIVER, deliver_run, NULL);
}
