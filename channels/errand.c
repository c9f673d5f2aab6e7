/* errand.c: small calls to a platform beside messages: QUEUE_RECEIPT marks a customer's message as read (best
 * effort, soon or not at all), QUEUE_PROBE looks after a channel that was paused for its credentials or
 * account and lets it go on once the platform takes it again. A probe's job lives exactly as long as the
 * pause that it was pushed for. */
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"

#include "queue/base/clock.h"
#include "queue/base/log.h"
#include "queue/base/option.h"

#define RECEIPT_AGE_MS 20000 /* a receipt that comes later says nothing true any more */

/* An errand under way. */
struct errand {
    struct job *job;
    json_t *channel;
    uint64_t rev;
};

static void errand_end(struct errand *e, struct changes *cs)
{
    struct job *job = e->job;

    json_decref(e->channel);
    free(e);
    job_finish(job, cs, NULL, NULL);
}

static void errand_ack(struct errand *e)
{
    struct changes *cs = changes_new();

    changes_ack(cs, e->job);
    errand_end(e, cs);
}

/* Reads the channel of the payload. */
static enum err channel_read(struct errand *e)
{
    struct snapshot *snap = NULL;
    const char *id = jx_str_or(job_payload(e->job), "channel_id", "-");
    enum err rc = snapshot_open(job_store(e->job), &snap);

    json_decref(e->channel);
    e->channel = NULL;
    if (rc == ERR_OK) {
        rc = channel_get(snap, job_partition(e->job), id, &e->channel, &e->rev);
        snapshot_close(snap);
    }
    return rc;
}

/* A new errand for the job; NULL if its channel cannot be read: then the job has ended. */
static struct errand *errand_begin(struct job *job)
{
    struct errand *e = xcalloc(1, sizeof *e);

    e->job = job;
    enum err rc = channel_read(e);
    if (rc == ERR_OK && job_http(job) != NULL) {
        return e;
    }
    struct changes *cs = changes_new();
    if (rc == ERR_NOTFOUND) {
        changes_ack(cs, job);
    } else {
        changes_fail(cs, job, rc != ERR_OK ? err_name(rc) : "closed");
    }
    errand_end(e, cs);
    return NULL;
}

static struct send_call call_of(const struct errand *e)
{
    return (struct send_call){.http = job_http(e->job),
                              .loop = job_loop(e->job),
                              .store = job_store(e->job),
                              .part = job_partition(e->job),
                              .channel = e->channel};
}

/* The row that really calls; NULL in test partitions, where nobody is to be told. */
static const struct channel_ops *caller_of(const struct errand *e)
{
    const struct channel_ops *ops = channel_sender(job_partition(e->job), jx_str_or(e->channel, "type", ""));

    return ops != NULL && strcmp(jx_str_or(e->channel, "status", ""), "") != 0 ? ops : NULL;
}

/* ---- receipts ---- */

void channel_receipt(struct changes *cs, const char *part, const char *channel_type, const char *channel_id,
                     const char *conversation_id, const char *platform_id, bool typing)
{
    const struct channel_ops *ops = channel_sender(part, channel_type);
    json_t *payload = json_object();

    if (ops != NULL && ops->receipt != NULL && platform_id != NULL && option_bool(OPT_MARK_READ)) {
        jx_set_str(payload, "channel_id", channel_id);
        jx_set_str(payload, "platform_id", platform_id);
        jx_set_bool(payload, "typing", typing);
        changes_push(cs, QUEUE_RECEIPT, part, conversation_id, 0, payload);
    }
    json_decref(payload);
}

static void receipt_done(const struct send_result *result, void *arg)
{
    struct errand *e = arg;

    if (result->outcome != SEND_DELIVERED) {
        log_debug("receipt.refused", "channel=%s code=%s", jx_str_or(e->channel, "id", ""),
                  log_quote(result->code != NULL ? result->code : ""));
    }
    errand_ack(e);
}

void receipt_run(struct job *job, void *arg)
{
    const json_t *payload = job_payload(job);
    struct errand *e = errand_begin(job);

    (void)arg;
    if (e == NULL) {
        return;
    }
    const struct channel_ops *ops = caller_of(e);
    bool late = clock_wall_ms() - job_pushed_ms(job) > RECEIPT_AGE_MS;
    bool paused = strcmp(jx_str_or(e->channel, "status", ""), "paused") == 0;
    if (ops == NULL || ops->receipt == NULL || late || paused) {
        errand_ack(e);
        return;
    }
    struct send_call call = call_of(e);
    ops->receipt(&call, jx_str_or(payload, "platform_id", ""), jx_bool(payload, "typing", false),
                 receipt_done, e);
}

/* ---- probes ---- */

void probe_push(struct changes *cs, const char *part, const char *channel_id)
{
    json_t *payload = json_object();

    jx_set_str(payload, "channel_id", channel_id);
    changes_push(cs, QUEUE_PROBE, part, channel_id, option_int(OPT_PROBE_EVERY), payload);
    json_decref(payload);
}

/* True while the channel is paused by us: a person's pause has no reason. */
static bool is_paused(const struct errand *e)
{
    return strcmp(jx_str_or(e->channel, "status", ""), "paused") == 0 && jx_obj(e->channel, "reason") != NULL;
}

/* Adds what makes the channel active again. */
static enum err resume(struct errand *e, struct changes *cs)
{
    struct snapshot *snap = NULL;
    const char *part = job_partition(e->job);
    enum err rc = snapshot_open(job_store(e->job), &snap);

    if (rc == ERR_OK) {
        jx_set_str(e->channel, "status", "active");
        json_object_del(e->channel, "reason");
        jx_set_time(e->channel, "updated_at", clock_wall_ms());
        changes_expect(cs, KIND_CHANNEL, part, jx_str(e->channel, "id"), e->rev);
        changes_put(cs, KIND_CHANNEL, part, jx_str(e->channel, "id"), e->channel);
        channel_event(cs, snap, part, e->channel);
        log_info("channel.resumed", "channel=%s", jx_str_or(e->channel, "id", ""));
        snapshot_close(snap);
    }
    return rc;
}

static void probe_done(const struct send_result *result, void *arg)
{
    struct errand *e = arg;
    struct changes *cs = changes_new();
    enum err rc = channel_read(e);

    if (rc == ERR_OK && is_paused(e) && result->outcome == SEND_DELIVERED) {
        rc = resume(e, cs);
    } else if (rc == ERR_OK && is_paused(e)) {
        changes_postpone(cs, e->job, option_int(OPT_PROBE_EVERY));
        errand_end(e, cs);
        return;
    }
    if (rc == ERR_OK || rc == ERR_NOTFOUND) {
        changes_ack(cs, e->job);
    } else {
        changes_postpone(cs, e->job, option_int(OPT_PROBE_EVERY));
    }
    errand_end(e, cs);
}

void probe_run(struct job *job, void *arg)
{
    struct errand *e = errand_begin(job);

    (void)arg;
    if (e == NULL) {
        return;
    }
    const struct channel_ops *ops = caller_of(e);
    if (!is_paused(e) || ops == NULL || ops->probe == NULL) {
        errand_ack(e);
        return;
    }
    struct send_call call = call_of(e);
    ops->probe(&call, probe_done, e);
}
