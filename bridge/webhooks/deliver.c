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

/* Runs who waited for a place at the endpoint, next first. */
static void run_waiting(struct desk *desk, const char *endpoint, struct job *next)
{
    while (next != NULL) {
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
    char endpoint[ID_SIZE];
    bool cut = answer->outcome == HTTPC_CANCELLED;
    bool good = attempt_judge(answer) == ATTEMPT_DELIVERED;
    memcpy(endpoint, d->webhook, sizeof(endpoint)); /* d ends before the others run */
    gate_leave(gate, endpoint, cut ? GATE_CUT : good ? GATE_GOOD : GATE_BAD, answer->total_us / 1000);
    struct job *next = desk_leave(desk, endpoint);
    if (cut) {
        put_off(d);
    } else {
        delivery_answered(d, answer);
    }
    run_waiting(desk, endpoint, next);
}

/* The header lines of one attempt, one behind the other. */
struct lines {
    struct buf *text;
    size_t offsets[HEADERS], count;
};

static void header(struct lines *lines, const char *name, const char *value)
{
    CHECK(lines->count < HEADERS);
    lines->offsets[lines->count++] = lines->text->len;
    buf_adds(lines->text, name);
    buf_add(lines->text, ": ", 2);
    buf_adds(lines->text, value);
    buf_addc(lines->text, '\0');
}

static void header_number(struct lines *lines, const char *name, int64_t value)
{
    char number[24];
    snprintf(number, sizeof(number), "%" PRId64, value);
    header(lines, name, number);
}

/* The signed headers of this attempt. */
static void make_headers(struct delivery *d, struct lines *lines)
{
    struct buf *plain = desk_buf(d->desk, DESK_PLAIN, SIGNATURE_MAX);
    struct buf *standard = desk_buf(d->desk, DESK_STANDARD, SIGNATURE_MAX);
    const struct sendto *endpoint = d->endpoint;
    const char *id = d->stored.event_id;
    struct sign_input in = {.id = id, .timestamp_s = d->started_ms / 1000, .body = d->body, .size = d->size};
    sign_plain(plain, endpoint->secrets, endpoint->secret_count, &in);
    sign_standard(standard, endpoint->secrets, endpoint->secret_count, &in);
    header(lines, "Content-Type", "application/json");
    header(lines, "User-Agent", "Chasqui-Webhooks/" CHASQUI_VERSION);
    header(lines, "X-ConvoAI-Signature", buf_str(plain));
    header(lines, "webhook-id", id);
    header_number(lines, "webhook-timestamp", in.timestamp_s);
    header(lines, "webhook-signature", buf_str(standard));
    header(lines, "X-ConvoAI-Event", endpoint_event_name(endpoint->webhook, d->stored.event_type));
    header(lines, "X-ConvoAI-Delivery", d->id);
    header_number(lines, "X-ConvoAI-Attempt", delivery_attempt(d));
    if (d->stored.replay) {
        header(lines, "X-ConvoAI-Replay", "true");
    }
}

/* Sends the POST. */
static void post(struct delivery *d)
{
    struct lines lines = {.text = desk_buf(d->desk, DESK_HEADERS, (size_t)HEADERS * HEADER_MAX)};
    const char *headers[HEADERS];
    char account[ID_SIZE];
    d->started_ms = clock_wall_ms();
    make_headers(d, &lines);
    for (size_t i = 0; i < lines.count; i++) {
        headers[i] = lines.text->data + lines.offsets[i];
    }
    partition_account(job_partition(d->job), account);
    struct httpc_request request = {
        .method = "POST",
        .url = jx_str_or(d->endpoint->webhook, "url", ""),
        .headers = headers,
        .header_count = lines.count,
        .body = d->body,
        .body_size = d->size,
        .connect_ms = 5000,
        .total_ms = 15000,
        .max_answer = ANSWER_MAX,
        .http2 = true,
        .pool = account,
    };
    httpc_send(job_http(d->job), &request, answered, d);
}

/* Sends it, unless it has been brought already or the endpoint is switched off (the event stays for a
 * replay). */
static void start(struct delivery *d)
{
    enum err rc = delivery_load(d, true);
    if (rc == ERR_OK && !d->stored.pending) {
        rc = ERR_NOTFOUND;
    }
    bool off = rc == ERR_OK && strcmp(jx_str_or(d->endpoint->webhook, "status", ""), "disabled") == 0;
    if (rc == ERR_OK && !off) {
        desk_enter(d->desk, d->webhook);
        post(d);
        return;
    }
    gate_leave(gate, d->webhook, GATE_CUT, 0); /* nothing will be sent */
    if (off) {
        delivery_skip(d);
    } else {
        delivery_drop(d, rc);
    }
}

/* Asks the gate, and starts, waits or puts the job back. */
static void run(struct job *job, struct desk *desk)
{
    struct delivery_ids ids;
    delivery_ids(job, &ids);
    const char *endpoint = ids.webhook;
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
    start(delivery_new(job, desk, &ids));
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
