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
#include "bridge/webhooks/attempt.h"
#include "bridge/webhooks/deliver.h"
#include "bridge/webhooks/endpoint.h"
#include "bridge/webhooks/gate.h"
#include "bridge/webhooks/schedule.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/base/httpc.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/base/option.h"
#include "queue/events.h"
#include "queue/jobs.h"

#define ANSWER_MAX    (16u * 1024u)
#define SIGNATURE_MAX 2048
#define HEADERS       10
#define HEADER_MAX    2304

#define GATE_PERCENT 75 /* of the jobs in flight may be attempts: the rest is for other work */

static struct gate *gate; /* of the process */

/* One attempt under way; lives from the lease to the end of the job. */
struct attempt {
    struct job *job;
    json_t *delivery, *webhook;
    uint64_t delivery_rev, webhook_rev;
    char *body;
    size_t size;
    int64_t started_ms;
    enum attempt_end end;
    int64_t retry_ms; /* ATTEMPT_RETRY: how long to wait */
    json_t *note;     /* what is written down of it */
};

static void attempt_free(struct attempt *a)
{
    json_decref(a->delivery);
    json_decref(a->webhook);
    json_decref(a->note);
    free(a->body);
    free(a);
}

/* The event's bytes as this endpoint gets them. */
static enum err load_body(struct attempt *a, struct snapshot *snap)
{
    const void *data;
    size_t size;
    json_t *event;
    const char *type = jx_str_or(a->delivery, "event_type", "");
    enum err rc = snapshot_get_bytes(snap, KIND_EVENT, job_partition(a->job),
                                     jx_str_or(a->delivery, "event_id", ""), &data, &size, NULL);
    if (rc != ERR_OK) {
        return rc;
    }
    const char *name = endpoint_event_name(a->webhook, type);
    if (strcmp(name, type) == 0) {
        a->body = xstrndup(data, size);
        a->size = size;
        return ERR_OK;
    }
    rc = jx_parse_lenient(data, size, &event);
    if (rc == ERR_OK) {
        jx_set_str(event, "type", name);
        a->body = jx_text(event);
        a->size = strlen(a->body);
        json_decref(event);
    }
    return rc;
}

/* Everything the attempt needs. ERR_NOTFOUND: one of the records is gone; there is nothing to deliver. */
static enum err load(struct attempt *a)
{
    struct snapshot *snap;
    const json_t *payload = job_payload(a->job);
    const char *part = job_partition(a->job);
    enum err rc = snapshot_open(job_store(a->job), &snap);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = snapshot_get(snap, KIND_DELIVERY, part, jx_str_or(payload, "delivery_id", "-"), &a->delivery,
                      &a->delivery_rev);
    if (rc == ERR_OK) {
        rc = snapshot_get(snap, KIND_WEBHOOK, part, jx_str_or(payload, "webhook_id", "-"), &a->webhook,
                          &a->webhook_rev);
    }
    if (rc == ERR_OK) {
        rc = load_body(a, snap);
    }
    snapshot_close(snap);
    return rc;
}

/* The number of this attempt, from 1. */
static unsigned attempt_number(const struct attempt *a)
{
    return (unsigned)jx_int(a->delivery, "tries", 0) + 1;
}

/* Seconds of the schedule of this mode. */
static const char *schedule_text(const struct attempt *a)
{
    return option_text(partition_mode(job_partition(a->job)) == MODE_LIVE ? OPT_EVENT_RETRIES
                                                                          : OPT_EVENT_RETRIES_TEST);
}

static void finish(struct attempt *a);

/* The delivery's record after this attempt. */
static void write_delivery(struct attempt *a, struct changes *cs)
{
    static const char *const states[] = {[ATTEMPT_DELIVERED] = "delivered",
                                         [ATTEMPT_RETRY] = "pending",
                                         [ATTEMPT_FAILED] = "failed",
                                         [ATTEMPT_GONE] = "failed"};
    json_t *delivery = json_deep_copy(a->delivery);
    json_t *attempts = jx_arr(delivery, "attempts");
    if (attempts == NULL) {
        attempts = json_array();
        jx_set(delivery, "attempts", attempts);
    }
    jx_push(attempts, json_incref(a->note));
    jx_set_str(delivery, "status", states[a->end]);
    jx_set_int(delivery, "tries", attempt_number(a));
    jx_set(delivery, "response_status", json_incref(json_object_get(a->note, "status")));
    if (a->end == ATTEMPT_RETRY) {
        jx_set_time(delivery, "next_attempt_at", clock_wall_ms() + a->retry_ms);
    } else {
        json_object_del(delivery, "next_attempt_at");
        jx_set_time(delivery, "finished_at", clock_wall_ms());
    }
    jx_set_time(delivery, "updated_at", clock_wall_ms());
    const char *id = jx_str(delivery, "id");
    changes_expect(cs, KIND_DELIVERY, job_partition(a->job), id, a->delivery_rev);
    changes_put(cs, KIND_DELIVERY, job_partition(a->job), id, delivery);
    json_decref(delivery);
}

/* An endpoint's state follows its attempts: failing from the first failure, active after a success, off after
 * 410 or days of nothing but failures. */
static void write_endpoint(struct attempt *a, struct changes *cs)
{
    const char *part = job_partition(a->job);
    json_t *webhook = json_copy(a->webhook);
    struct snapshot *snap = NULL;
    const char *event = endpoint_judge(webhook, a->end, clock_wall_ms());
    bool changed = !json_equal(webhook, a->webhook);
    if (changed) {
        changes_expect(cs, KIND_WEBHOOK, part, jx_str(webhook, "id"), a->webhook_rev);
        changes_put(cs, KIND_WEBHOOK, part, jx_str(webhook, "id"), webhook);
    }
    if (changed && event != NULL && snapshot_open(job_store(a->job), &snap) == ERR_OK) {
        struct event_about about = {.agent_id = jx_str(webhook, "agent_id")};
        json_t *data = json_object();
        jx_set(data, "webhook", endpoint_public(webhook));
        event_append(cs, snap, part, event, &about, data, NULL);
        json_decref(data);
        snapshot_close(snap);
    }
    json_decref(webhook);
}

/* True if the next attempt may keep those behind it waiting. */
static bool holds_lane(const struct attempt *a)
{
    int64_t first_ms;
    bool date_only;
    const char *first = jx_str(json_array_get(jx_arr(a->delivery, "attempts"), 0), "at");
    if (!jx_bool(a->webhook, "ordered", false)) {
        return false;
    }
    if (first == NULL || !clock_parse(first, &first_ms, &date_only)) {
        first_ms = a->started_ms;
    }
    return clock_wall_ms() + a->retry_ms - first_ms <= option_int(OPT_EVENT_ORDER_HOLD);
}

/* The next attempt: in the same lane for the sake of order, else in a lane of the delivery's own. */
static void push_retry(struct attempt *a, struct changes *cs)
{
    char lane[JOB_LANE_MAX + 1];
    if (holds_lane(a)) {
        changes_postpone(cs, a->job, a->retry_ms);
        return;
    }
    snprintf(lane, sizeof(lane), "%s/%s", jx_str_or(a->webhook, "id", ""), jx_str_or(a->delivery, "id", "-"));
    changes_push(cs, QUEUE_DELIVER, job_partition(a->job), lane, a->retry_ms, job_payload(a->job));
    changes_ack(cs, a->job);
}

/* The attempt is on record, or the records changed under it. */
static void finished(enum err rc, uint64_t rev, void *arg)
{
    struct attempt *a = arg;
    (void)rev;
    if (rc != ERR_CONFLICT && rc != ERR_SEEN) {
        attempt_free(a);
        return;
    }
    json_decref(a->delivery);
    json_decref(a->webhook);
    free(a->body);
    a->delivery = a->webhook = NULL;
    a->body = NULL;
    rc = load(a);
    if (rc == ERR_OK) {
        finish(a);
        return;
    }
    struct changes *cs = changes_new();
    if (rc == ERR_NOTFOUND) {
        changes_ack(cs, a->job);
    } else {
        changes_fail(cs, a->job, err_name(rc));
    }
    struct job *job = a->job;
    attempt_free(a);
    job_finish(job, cs, NULL, NULL);
}

/* Writes down how the attempt ended. */
static void finish(struct attempt *a)
{
    struct changes *cs = changes_new();
    write_delivery(a, cs);
    write_endpoint(a, cs);
    if (a->end == ATTEMPT_RETRY) {
        push_retry(a, cs);
    } else {
        changes_ack(cs, a->job);
    }
    if (a->end == ATTEMPT_FAILED || a->end == ATTEMPT_GONE) {
        changes_add(cs, job_partition(a->job), "deliveries.failed", 1);
    }
    job_finish(a->job, cs, finished, a);
}

/* What is written down of an attempt; the answer's text is the customer's own server's. */
static json_t *make_note(const struct attempt *a, const struct httpc_answer *answer)
{
    json_t *note = json_object();
    struct buf text;
    buf_init(&text, 2 * ANSWER_MAX);
    utf8_repair(&text, answer->body, answer->body_size < ANSWER_MAX ? answer->body_size : ANSWER_MAX);
    jx_set_int(note, "attempt", attempt_number(a));
    jx_set_time(note, "at", a->started_ms);
    jx_set_int(note, "duration_ms", answer->total_us / 1000);
    if (answer->outcome == HTTPC_ANSWERED || answer->status != 0) {
        jx_set_int(note, "status", answer->status);
    } else {
        jx_set(note, "status", json_null());
    }
    if (answer->outcome != HTTPC_ANSWERED) {
        jx_set_str(note, "error",
                   answer->outcome == HTTPC_BLOCKED ? "blocked_address"
                                                    : httpc_outcome_name(answer->outcome));
    }
    if (answer->outcome != HTTPC_BLOCKED) {
        jx_set_str(note, "response", buf_str(&text));
    }
    buf_fini(&text);
    return note;
}

/* Tells the gate how it went. */
static void leave_gate(const struct attempt *a, const struct httpc_answer *answer)
{
    enum gate_result result = answer->outcome == HTTPC_CANCELLED           ? GATE_CUT
                              : attempt_judge(answer) == ATTEMPT_DELIVERED ? GATE_GOOD
                                                                           : GATE_BAD;
    gate_leave(gate, jx_str_or(job_payload(a->job), "webhook_id", "-"), result, answer->total_us / 1000);
}

/* The endpoint answered, or did not. */
static void answered(const struct httpc_answer *answer, void *arg)
{
    struct attempt *a = arg;
    unsigned number = attempt_number(a);
    leave_gate(a, answer);
    if (answer->outcome == HTTPC_CANCELLED) { /* shutting down: the attempt did not count */
        struct changes *cs = changes_new();
        changes_postpone(cs, a->job, 0);
        struct job *job = a->job;
        attempt_free(a);
        job_finish(job, cs, NULL, NULL);
        return;
    }
    a->note = make_note(a, answer);
    a->end = attempt_judge(answer);
    if (a->end == ATTEMPT_RETRY && !schedule_delay(schedule_text(a), number + 1, attempt_is_busy(answer),
                                                   answer->retry_after, &a->retry_ms)) {
        a->end = ATTEMPT_FAILED;
    }
    log_info("delivery.attempted", "delivery=%s webhook=%s attempt=%u status=%ld outcome=%s us=%" PRId64,
             jx_str_or(a->delivery, "id", ""), jx_str_or(a->webhook, "id", ""), number, answer->status,
             httpc_outcome_name(answer->outcome), answer->total_us);
    finish(a);
}

/* Adds one header line to the list. */
static void header(struct buf *lines, size_t *offsets, size_t *count, const char *name, const char *value)
{
    offsets[(*count)++] = lines->len;
    buf_addf(lines, "%s: %s", name, value);
    buf_addc(lines, '\0');
}

/* The signed headers of this attempt. */
static void make_headers(struct attempt *a, struct buf *lines, size_t *offsets, size_t *count)
{
    char secrets[SIGN_SECRETS][SIGN_SECRET_SIZE], number[24];
    struct buf plain, standard;
    unsigned live = endpoint_secrets(a->webhook, job_partition(a->job), secrets);
    const char *id = jx_str_or(a->delivery, "event_id", "");
    struct sign_input in = {.id = id, .timestamp_s = a->started_ms / 1000, .body = a->body, .size = a->size};
    buf_init(&plain, SIGNATURE_MAX);
    buf_init(&standard, SIGNATURE_MAX);
    sign_plain(&plain, secrets, live, &in);
    sign_standard(&standard, secrets, live, &in);
    wipe(secrets, sizeof(secrets));
    header(lines, offsets, count, "Content-Type", "application/json");
    header(lines, offsets, count, "User-Agent", "Chasqui-Webhooks/" CHASQUI_VERSION);
    header(lines, offsets, count, "X-ConvoAI-Signature", buf_str(&plain));
    header(lines, offsets, count, "webhook-id", id);
    snprintf(number, sizeof(number), "%" PRId64, in.timestamp_s);
    header(lines, offsets, count, "webhook-timestamp", number);
    header(lines, offsets, count, "webhook-signature", buf_str(&standard));
    header(lines, offsets, count, "X-ConvoAI-Event",
           endpoint_event_name(a->webhook, jx_str_or(a->delivery, "event_type", "")));
    header(lines, offsets, count, "X-ConvoAI-Delivery", jx_str_or(a->delivery, "id", ""));
    snprintf(number, sizeof(number), "%u", attempt_number(a));
    header(lines, offsets, count, "X-ConvoAI-Attempt", number);
    if (jx_bool(a->delivery, "replay", false)) {
        header(lines, offsets, count, "X-ConvoAI-Replay", "true");
    }
    buf_fini(&plain);
    buf_fini(&standard);
}

/* Sends the POST. */
static void post(struct attempt *a)
{
    struct buf lines;
    size_t offsets[HEADERS], count = 0;
    const char *headers[HEADERS];
    char account[ID_SIZE];
    buf_init(&lines, (HEADERS)*HEADER_MAX);
    a->started_ms = clock_wall_ms();
    make_headers(a, &lines, offsets, &count);
    for (size_t i = 0; i < count; i++) {
        headers[i] = lines.data + offsets[i];
    }
    partition_account(job_partition(a->job), account);
    struct httpc_request request = {
        .method = "POST",
        .url = jx_str_or(a->webhook, "url", ""),
        .headers = headers,
        .header_count = count,
        .body = a->body,
        .body_size = a->size,
        .connect_ms = 5000,
        .total_ms = 15000,
        .max_answer = ANSWER_MAX,
        .pool = account,
    };
    httpc_send(job_http(a->job), &request, answered, a);
    buf_fini(&lines);
}

/* An endpoint that is switched off gets nothing; the event stays for a replay. */
static void skip(struct attempt *a)
{
    json_t *note = json_object();
    jx_set_int(note, "attempt", attempt_number(a));
    jx_set_time(note, "at", clock_wall_ms());
    jx_set(note, "status", json_null());
    jx_set_str(note, "error", "endpoint_disabled");
    a->note = note;
    a->end = ATTEMPT_FAILED;
    finish(a);
}

/* The handler of QUEUE_DELIVER. */
static void deliver_run(struct job *job, void *arg)
{
    const char *endpoint = jx_str_or(job_payload(job), "webhook_id", "-");
    int64_t wait_ms = gate_enter(gate, endpoint);
    (void)arg;
    if (wait_ms > 0) {
        job_put_back(job, wait_ms);
        return;
    }
    struct attempt *a = xcalloc(1, sizeof(*a));
    a->job = job;
    enum err rc = load(a);
    bool off = rc != ERR_OK || strcmp(jx_str_or(a->delivery, "status", ""), "pending") != 0 ||
               strcmp(jx_str_or(a->webhook, "status", ""), "disabled") == 0;
    if (off) {
        gate_leave(gate, endpoint, GATE_CUT, 0); /* nothing will be sent */
    }
    if (rc == ERR_OK && strcmp(jx_str_or(a->delivery, "status", ""), "pending") != 0) {
        rc = ERR_NOTFOUND; /* another job has brought it already */
    }
    if (rc != ERR_OK) {
        struct changes *cs = changes_new();
        if (rc == ERR_NOTFOUND) {
            changes_ack(cs, job);
        } else {
            changes_fail(cs, job, err_name(rc));
        }
        attempt_free(a);
        job_finish(job, cs, NULL, NULL);
    } else if (strcmp(jx_str_or(a->webhook, "status", ""), "disabled") == 0) {
        skip(a);
    } else {
        post(a);
    }
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
    gate = gate_new(jobs * GATE_PERCENT / 100 + 1, (unsigned)option_int(OPT_EVENT_RATE));
    workers_handle(workers, QUEUE_DELIVER, deliver_run, NULL);
}
