/* outcome.c: what an attempt leaves behind: the delivery's record, the endpoint's state, and the job's end,
 * in one change-set.
 *
 * The set expects the revisions it was made from. When one of them changed meanwhile (the endpoint was
 * switched off, another delivery of it failed first) all is read and decided again: the attempt happened
 * once, and its note stays the same. */
#include "bridge/webhooks/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/webhooks/endpoint.h"
#include "bridge/webhooks/schedule.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/log.h"
#include "queue/base/option.h"
#include "queue/events.h"

#define NOTE_MAX (ANSWER_MAX * 6 + 8192) /* every byte an escape, and libcurl's words */

/* Forgets what was read, not what happened. */
static void unload(struct delivery *d)
{
    stored_fini(&d->stored);
    sendto_release(d->endpoint);
    free(d->body);
    d->endpoint = NULL;
    d->body = NULL;
}

/* Copies an id. */
static void take_id(const struct jx_span *found, char out[ID_SIZE])
{
    if (!jx_span_str(found, out, ID_SIZE)) {
        memcpy(out, "-", 2);
    }
}

void delivery_ids(const struct job *job, struct delivery_ids *out)
{
    static const char *const names[] = {"delivery_id", "webhook_id"};
    struct jx_span found[2];
    size_t size;
    const char *text = job_payload_text(job, &size);
    jx_spans(text, size, names, 2, found);
    take_id(&found[0], out->delivery);
    take_id(&found[1], out->webhook);
}

struct delivery *delivery_new(struct job *job, struct desk *desk, const struct delivery_ids *ids)
{
    struct delivery *d = xcalloc(1, sizeof(*d));
    d->job = job;
    d->desk = desk;
    memcpy(d->id, ids->delivery, ID_SIZE);
    memcpy(d->webhook, ids->webhook, ID_SIZE);
    buf_init(&d->note, NOTE_MAX);
    return d;
}

void delivery_free(struct delivery *d)
{
    unload(d);
    buf_fini(&d->note);
    free(d);
}

/* The event's bytes as this endpoint gets them. */
static enum err load_body(struct delivery *d, struct snapshot *snap)
{
    const void *data;
    size_t size;
    json_t *event;
    const char *type = d->stored.event_type;
    enum err rc =
        snapshot_get_bytes(snap, KIND_EVENT, job_partition(d->job), d->stored.event_id, &data, &size, NULL);
    if (rc != ERR_OK) {
        return rc;
    }
    const char *name = endpoint_event_name(d->endpoint->webhook, type);
    if (strcmp(name, type) == 0) {
        d->body = xstrndup(data, size);
        d->size = size;
        return ERR_OK;
    }
    rc = jx_parse_lenient(data, size, &event);
    if (rc == ERR_OK) {
        jx_set_str(event, "type", name);
        d->body = jx_text(event);
        d->size = strlen(d->body);
        json_decref(event);
    }
    return rc;
}

enum err delivery_load(struct delivery *d, bool body)
{
    struct snapshot *snap;
    const void *data;
    size_t size;
    const char *part = job_partition(d->job);
    enum err rc = snapshot_open(job_store(d->job), &snap);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = snapshot_get_bytes(snap, KIND_DELIVERY, part, d->id, &data, &size, &d->rev);
    if (rc == ERR_OK) {
        rc = stored_take(&d->stored, data, size);
    }
    if (rc == ERR_OK) {
        rc = sendto_get(desk_sendtos(d->desk), snap, part, d->webhook, &d->endpoint);
    }
    if (rc == ERR_OK && body) {
        rc = load_body(d, snap);
    }
    snapshot_close(snap);
    return rc;
}

unsigned delivery_attempt(const struct delivery *d)
{
    return d->stored.tries + 1;
}

static void finish(struct delivery *d);

/* The delivery's record after a first attempt that brought the event, as text. False: it must be parsed. */
static bool write_text(struct delivery *d, struct changes *cs)
{
    struct buf *text = desk_buf(d->desk, DESK_RECORD, STORE_BODY_MAX);
    char webhook[ID_SIZE];
    jx_span_str(&d->stored.fields[STORED_WEBHOOK], webhook, sizeof(webhook));
    if (d->end != ATTEMPT_DELIVERED || strcmp(webhook, d->endpoint->id) != 0 ||
        !stored_delivered(&d->stored, &d->note, d->status, clock_wall_ms(), text) || !buf_ok(text)) {
        return false;
    }
    changes_put_text(cs, KIND_DELIVERY, job_partition(d->job), d->id, text->data, text->len,
                     d->endpoint->indexed);
    return true;
}

/* The delivery's record after this attempt. */
static void write_record(struct delivery *d, struct changes *cs)
{
    static const char *const states[] = {[ATTEMPT_DELIVERED] = "delivered",
                                         [ATTEMPT_RETRY] = "pending",
                                         [ATTEMPT_FAILED] = "failed",
                                         [ATTEMPT_GONE] = "failed"};
    json_t *record = stored_json(&d->stored), *attempts = jx_arr(record, "attempts"), *note;
    int64_t now = clock_wall_ms();
    CHECK(jx_parse_lenient(buf_str(&d->note), d->note.len, &note) == ERR_OK);
    if (attempts == NULL) {
        attempts = json_array();
        jx_set(record, "attempts", attempts);
    }
    jx_push(attempts, note);
    jx_set_str(record, "status", states[d->end]);
    jx_set_int(record, "tries", delivery_attempt(d));
    jx_set(record, "response_status", json_incref(json_object_get(note, "status")));
    if (d->end == ATTEMPT_RETRY) {
        jx_set_time(record, "next_attempt_at", now + d->retry_ms);
    } else {
        json_object_del(record, "next_attempt_at");
        jx_set_time(record, "finished_at", now);
    }
    jx_set_time(record, "updated_at", now);
    changes_put(cs, KIND_DELIVERY, job_partition(d->job), d->id, record);
}

/* True if a success changes nothing about the endpoint. */
static bool is_well(const json_t *webhook)
{
    return strcmp(jx_str_or(webhook, "status", ""), "active") == 0 &&
           json_object_get(webhook, "failing_since") == NULL && json_object_get(webhook, "warned") == NULL;
}

/* Tells of the endpoint's new state. */
static void tell(struct delivery *d, struct changes *cs, const char *event, json_t *webhook)
{
    struct snapshot *snap = NULL;
    struct event_about about = {.agent_id = jx_str(webhook, "agent_id")};
    enum err rc = snapshot_open(job_store(d->job), &snap);
    if (rc != ERR_OK) {
        log_warn("webhook.event", "event=%s webhook=%s error=%s", event, jx_str_or(webhook, "id", ""),
                 err_name(rc));
        return;
    }
    json_t *data = json_object();
    jx_set(data, "webhook", endpoint_public(webhook));
    event_append(cs, snap, job_partition(d->job), event, &about, data, NULL);
    json_decref(data);
    snapshot_close(snap);
}

/* An endpoint's state follows its attempts: failing from the first failure, active after a success, off after
 * 410 or days of nothing but failures. */
static void write_endpoint(struct delivery *d, struct changes *cs)
{
    const char *part = job_partition(d->job);
    if (d->end == ATTEMPT_DELIVERED && is_well(d->endpoint->webhook)) {
        return;
    }
    json_t *webhook = json_copy(d->endpoint->webhook);
    const char *event = endpoint_judge(webhook, d->end, clock_wall_ms());
    if (!json_equal(webhook, d->endpoint->webhook)) {
        changes_expect(cs, KIND_WEBHOOK, part, jx_str(webhook, "id"), d->endpoint->rev);
        changes_put(cs, KIND_WEBHOOK, part, jx_str(webhook, "id"), webhook);
        if (event != NULL) {
            tell(d, cs, event, webhook);
        }
    }
    json_decref(webhook);
}

/* True if the next attempt may keep those behind it waiting. */
static bool holds_lane(struct delivery *d)
{
    int64_t first_ms;
    bool date_only;
    const char *first = jx_str(json_array_get(jx_arr(stored_json(&d->stored), "attempts"), 0), "at");
    if (!jx_bool(d->endpoint->webhook, "ordered", false)) {
        return false;
    }
    if (first == NULL || !clock_parse(first, &first_ms, &date_only)) {
        first_ms = d->started_ms;
    }
    return clock_wall_ms() + d->retry_ms - first_ms <= option_int(OPT_EVENT_ORDER_HOLD);
}

/* The next attempt: in the same lane for the sake of order, else in a lane of the delivery's own. */
static void push_retry(struct delivery *d, struct changes *cs)
{
    char lane[JOB_LANE_MAX + 1];
    if (holds_lane(d)) {
        changes_postpone(cs, d->job, d->retry_ms);
        return;
    }
    snprintf(lane, sizeof(lane), "%s/%s", d->endpoint->id, d->id);
    changes_push(cs, QUEUE_DELIVER, job_partition(d->job), lane, d->retry_ms, job_payload(d->job));
    changes_ack(cs, d->job);
}

void delivery_drop(struct delivery *d, enum err rc)
{
    struct changes *cs = changes_new();
    struct job *job = d->job;
    if (rc == ERR_NOTFOUND) {
        changes_ack(cs, job);
    } else {
        changes_fail(cs, job, err_name(rc));
    }
    delivery_free(d);
    job_finish(job, cs, NULL, NULL);
}

/* The attempt is on record, or the records changed under it. */
static void finished(enum err rc, uint64_t rev, void *arg)
{
    struct delivery *d = arg;
    (void)rev;
    if (rc != ERR_CONFLICT && rc != ERR_SEEN) {
        delivery_free(d);
        return;
    }
    unload(d);
    rc = delivery_load(d, false);
    if (rc == ERR_OK) {
        finish(d);
    } else {
        delivery_drop(d, rc);
    }
}

/* The workers stopped first: the attempt is made again after the next start. */
static void cut(void *arg)
{
    delivery_free(arg);
}

/* Writes down how the attempt ended. */
static void finish(struct delivery *d)
{
    struct changes *cs = changes_new();
    changes_expect(cs, KIND_DELIVERY, job_partition(d->job), d->id, d->rev);
    if (!write_text(d, cs)) {
        write_record(d, cs);
    }
    write_endpoint(d, cs);
    if (d->end == ATTEMPT_RETRY) {
        push_retry(d, cs);
    } else {
        changes_ack(cs, d->job);
    }
    if (d->end == ATTEMPT_FAILED || d->end == ATTEMPT_GONE) {
        changes_add(cs, job_partition(d->job), "deliveries.failed", 1);
    }
    free(d->body); /* may be large, and is not needed any more */
    d->body = NULL;
    desk_finish(d->desk, d->job, cs, finished, cut, d);
}

/* Begins what is written down of an attempt. */
static void note_begin(struct delivery *d, int64_t at_ms)
{
    char at[CLOCK_TEXT_SIZE];
    buf_reset(&d->note);
    buf_addf(&d->note, "{\"attempt\":%u,\"at\":\"%s\"", delivery_attempt(d), clock_rfc3339(at_ms, at));
}

/* Adds a text to it. */
static void note_text(struct delivery *d, const char *name, const char *text)
{
    buf_addf(&d->note, ",\"%s\":", name);
    jx_dump_str(&d->note, text);
}

/* Writes an attempt down; the answer's text is the customer's own server's. */
static void make_note(struct delivery *d, const struct httpc_answer *answer)
{
    note_begin(d, d->started_ms);
    d->status = answer->status;
    buf_addf(&d->note, ",\"duration_ms\":%" PRId64, answer->total_us / 1000);
    if (answer->outcome == HTTPC_ANSWERED || answer->status != 0) {
        buf_addf(&d->note, ",\"status\":%ld", answer->status);
    } else {
        buf_adds(&d->note, ",\"status\":null");
    }
    if (answer->outcome != HTTPC_ANSWERED) {
        note_text(d, "error",
                  answer->outcome == HTTPC_BLOCKED ? "blocked_address" : httpc_outcome_name(answer->outcome));
        note_text(d, "reason", answer->reason);
    }
    if (answer->outcome != HTTPC_BLOCKED) {
        note_text(d, "response", answer->body); /* at most ANSWER_MAX */
    }
    buf_addc(&d->note, '}');
    CHECK(buf_ok(&d->note));
}

/* Seconds of the schedule of this mode. */
static const char *schedule_text(const struct delivery *d)
{
    return option_text(partition_mode(job_partition(d->job)) == MODE_LIVE ? OPT_EVENT_RETRIES
                                                                          : OPT_EVENT_RETRIES_TEST);
}

void delivery_answered(struct delivery *d, const struct httpc_answer *answer)
{
    unsigned number = delivery_attempt(d);
    make_note(d, answer);
    d->end = attempt_judge(answer);
    if (d->end == ATTEMPT_RETRY && !schedule_delay(schedule_text(d), number + 1, attempt_is_busy(answer),
                                                   answer->retry_after, &d->retry_ms)) {
        d->end = ATTEMPT_FAILED;
    }
    log_info("delivery.attempted", "delivery=%s webhook=%s attempt=%u status=%ld outcome=%s us=%" PRId64,
             d->id, d->endpoint->id, number, answer->status, httpc_outcome_name(answer->outcome),
             answer->total_us);
    finish(d);
}

void delivery_skip(struct delivery *d)
{
    note_begin(d, clock_wall_ms());
    buf_adds(&d->note, ",\"status\":null,\"error\":\"endpoint_disabled\"}");
    d->end = ATTEMPT_FAILED;
    finish(d);
}
