/* outbox.c: QUEUE_SEND: one message through its channel, at most once as far as that can be known.
 *
 * Before the platform is called, the message's record durably says so: "attempt": {"count", "started_at"}.
 * What the platform answers takes started_at away again. So a record that still has it, without a platform
 * id, means doubt: we crashed in between, or no answer came. Nobody can ask the platform what became of the
 * call; but every status it sends carries our id and lifts the message out of "queued" (status.c). A message
 * in doubt looks every DOUBT_LOOK_MS whether that has happened. When the wait is over (doubt.c says when) it
 * is held: it fails as OUTCOME_UNKNOWN, a person gets the conversation, and a status that comes later still
 * lifts it. Only where the operator set OPT_DOUBTS above one, and so prefers two messages to none, is it sent
 * again until so many attempts have ended in doubt.
 *
 * The steps: look (is it still to be sent, may it be?) -> mark (durable) -> call -> settle (the outcome into
 * the record). Look and settle read afresh and start over on ERR_CONFLICT: a status may have moved the
 * message meanwhile. A job stays at the head of its conversation's lane until its message is settled, so
 * order is kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "channels/channels_int.h"
#include "channels/contact.h"
#include "channels/conversation.h"
#include "channels/message.h"

#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/killpoint.h"
#include "queue/base/log.h"
#include "queue/base/option.h"

#define AGE_MAX_MS     86400000 /* a message that nothing else expires is given up after a day */
#define PAUSED_WAIT_MS 15000    /* how often a message looks whether its channel goes on */
#define WAIT_FIRST_MS  1000
#define WAIT_CAP_MS    300000
#define TEXT_MAX       400 /* bytes kept of a platform's words */

/* A job under way. The platform's answer is copied, since settling may take several rounds. */
struct outbox {
    struct job *job;
    json_t *message, *conversation, *contact, *channel;
    uint64_t message_rev, channel_rev;
    enum send_outcome outcome;
    bool answered;
    bool as_marked;     /* the message is what the mark wrote under message_rev */
    json_t *identities; /* that the answer told, NULL if none */
    char platform_id[520];
    char code[64], title[TEXT_MAX], detail[TEXT_MAX];
    int64_t retry_ms, hold_ms;
};

static void outbox_look(struct outbox *o);
static void outbox_settle(struct outbox *o);

static void records_drop(struct outbox *o)
{
    json_decref(o->message);
    json_decref(o->conversation);
    json_decref(o->contact);
    json_decref(o->channel);
    o->message = o->conversation = o->contact = o->channel = NULL;
}

static void outbox_free(struct outbox *o)
{
    records_drop(o);
    json_decref(o->identities);
    free(o);
}

static const char *part_of(const struct outbox *o)
{
    return job_partition(o->job);
}

static const char *message_id(const struct outbox *o)
{
    return jx_str_or(job_payload(o->job), "message_id", "-");
}

static json_t *error_of(const char *code, const char *title, const char *detail)
{
    json_t *error = json_object();

    jx_set_str(error, "code", code);
    jx_set_str(error, "title", title);
    jx_set_str(error, "detail", detail);
    return error;
}

/* ---- ends ---- */

/* The set that ends the job was answered: over, or decided again. */
static void ended(enum err rc, uint64_t rev, void *arg)
{
    struct outbox *o = arg;

    (void)rev;
    if (rc != ERR_CONFLICT && rc != ERR_SEEN) {
        KILL_POINT("outcome.after");
        outbox_free(o);
    } else if (o->answered) {
        outbox_settle(o);
    } else {
        outbox_look(o);
    }
}

static void finish(struct outbox *o, struct changes *cs)
{
    job_finish(o->job, cs, ended, o);
}

/* The store cannot be read or written now. */
static void outbox_fail(struct outbox *o, enum err rc)
{
    struct changes *cs = changes_new();
    struct job *job = o->job;

    changes_retry(cs, job, WAIT_FIRST_MS, err_name(rc));
    outbox_free(o);
    job_finish(job, cs, NULL, NULL);
}

static void ack(struct outbox *o)
{
    struct changes *cs = changes_new();

    changes_ack(cs, o->job);
    finish(o, cs);
}

static void postpone(struct outbox *o, int64_t ms)
{
    struct changes *cs = changes_new();

    changes_postpone(cs, o->job, ms);
    finish(o, cs);
}

/* Free text that may not be sent becomes the agent's fallback template, if it has one; the next look sends
 * it. False: it has none. */
static bool message_convert(struct outbox *o, struct changes *cs, struct snapshot *snap)
{
    json_t *content = refusal_template(snap, part_of(o), o->conversation, jx_str_or(o->message, "text", ""));

    if (content == NULL) {
        return false;
    }
    jx_set_str(o->message, "type", "template");
    jx_set(o->message, "content", content);
    json_object_del(o->message, "attempt");
    changes_expect(cs, KIND_MESSAGE, part_of(o), message_id(o), o->message_rev);
    changes_put(cs, KIND_MESSAGE, part_of(o), message_id(o), o->message);
    changes_postpone(cs, o->job, 0);
    return true;
}

/* Adds what makes the message failed for good, and what follows from that. */
static enum err message_fail(struct outbox *o, struct changes *cs, struct snapshot *snap, const char *code,
                             const char *title, const char *detail)
{
    json_t *error = error_of(code, title, detail);

    json_object_del(o->message, "attempt");
    message_advance(cs, snap, part_of(o), o->message, o->message_rev, "failed", error);
    changes_ack(cs, o->job);
    json_decref(error);
    log_info("send.failed", "message=%s code=%s", message_id(o), log_quote(code));
    return refusal_follow(cs, snap, part_of(o), o->message, code);
}

/* True for free text that a template could take the place of. */
static bool is_convertible(const struct outbox *o, const char *code)
{
    const struct channel_ops *ops = channel_ops(jx_str_or(o->channel, "type", ""));
    bool window = strcmp(code, "WINDOW_CLOSED") == 0 ||
                  (ops != NULL && ops->refusal != NULL && ops->refusal(code) == REFUSAL_WINDOW);

    return window && strcmp(jx_str_or(o->message, "type", ""), "text") == 0;
}

/* ---- reading ---- */

/* Reads the message; the other records as far as they exist. */
static enum err records_read(struct outbox *o, struct snapshot *snap)
{
    const char *part = part_of(o);

    records_drop(o);
    enum err rc = snapshot_get(snap, KIND_MESSAGE, part, message_id(o), &o->message, &o->message_rev);
    if (rc == ERR_OK) {
        rc = channel_get(snap, part, jx_str_or(o->message, "channel_id", "-"), &o->channel, &o->channel_rev);
        rc = rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    if (rc == ERR_OK) {
        rc = conversation_get(snap, part, jx_str_or(o->message, "conversation_id", "-"), &o->conversation,
                              NULL);
        rc = rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    if (rc == ERR_OK) {
        const char *id = jx_str_or(o->conversation, "contact_id", jx_str_or(o->message, "contact_id", "-"));
        rc = contact_get(snap, part, id, &o->contact, NULL);
        rc = rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    return rc;
}

static bool is_queued(const struct outbox *o)
{
    return strcmp(jx_str_or(o->message, "status", ""), "queued") == 0;
}

/* A time of the message, 0 if it has none. */
static int64_t time_field(const json_t *obj, const char *name)
{
    const char *text = jx_str(obj, name);
    int64_t ms;
    bool date_only;

    return text != NULL && clock_parse(text, &ms, &date_only) ? ms : 0;
}

static bool is_expired(const struct outbox *o, int64_t now)
{
    int64_t expires = time_field(o->message, "expires_at");
    int64_t created = time_field(o->message, "created_at");

    return expires > 0 ? now >= expires : created > 0 && now - created > AGE_MAX_MS;
}

/* A wait, but not beyond the moment at which the message expires: what follows from that is due then. */
static int64_t wait_within(const struct outbox *o, int64_t ms)
{
    int64_t expires = time_field(o->message, "expires_at");
    int64_t left = expires - clock_wall_ms() + 1000; /* times in records are whole seconds */

    return expires > 0 && left < ms ? (left > 0 ? left : 0) : ms;
}

/* ---- look ---- */

/* A reason why the message can never go out: a row of code and words. */
struct verdict {
    const char *code, *title;
};

/* What is known of a message's template: one that the platform paused is not sent, a marketing one not to
 * customers who left. */
static struct verdict template_verdict(const struct outbox *o, struct snapshot *snap)
{
    static const char *const stopped[] = {"PAUSED", "DISABLED", "REJECTED", "FAILED", "PENDING_DELETION"};
    json_t *template = template_of(snap, part_of(o), o->message);
    const char *said = jx_str_or(jx_obj(o->message, "content"), "category", "");
    bool marketing = strcasecmp(jx_str_or(template, "category", said), "marketing") == 0;
    struct verdict verdict = {NULL, NULL};

    for (size_t i = 0; i < sizeof stopped / sizeof *stopped; i++) {
        if (strcmp(jx_str_or(template, "status", ""), stopped[i]) == 0) {
            verdict =
                (struct verdict){"TEMPLATE_STOPPED", "the platform has paused or refused this template"};
        }
    }
    if (marketing && consent_out(o->contact)) {
        verdict = (struct verdict){"OPTED_OUT", "the customer does not want marketing messages"};
    }
    json_decref(template);
    return verdict;
}

/* Why it must not be sent any more; a NULL code if nothing stands in the way. */
static struct verdict verdict_of(const struct outbox *o, struct snapshot *snap,
                                 const struct channel_ops *sender, int64_t now)
{
    bool template = strcmp(jx_str_or(o->message, "type", ""), "template") == 0;

    if (o->channel == NULL || o->conversation == NULL || o->contact == NULL || sender == NULL) {
        return (struct verdict){"GONE", "the channel, conversation or contact is gone"};
    }
    if (is_expired(o, now)) {
        return (struct verdict){"EXPIRED", "it could not be sent in time"};
    }
    if (sender->has_window && !template && !conversation_window_open(o->conversation, now)) {
        return (struct verdict){"WINDOW_CLOSED", "more than 24 hours since the customer's last message"};
    }
    if (template) {
        return template_verdict(o, snap);
    }
    return (struct verdict){NULL, NULL};
}

/* Writes the message as it is now. */
static void message_put(struct outbox *o, struct changes *cs)
{
    changes_expect(cs, KIND_MESSAGE, part_of(o), message_id(o), o->message_rev);
    changes_put(cs, KIND_MESSAGE, part_of(o), message_id(o), o->message);
}

/* True if the message is in doubt and waits on: its job is given back. */
static bool doubt_waits(struct outbox *o)
{
    struct job *job = o->job;

    if (!doubt_is(o->message)) {
        return false;
    }
    if (!doubt_is_dated(o->message)) {
        struct changes *cs = changes_new();
        doubt_date(o->message);
        message_put(o, cs);
        changes_postpone(cs, job, 0);
        log_info("send.doubt", "message=%s", message_id(o));
        finish(o, cs);
        return true;
    }
    int64_t left = doubt_left(job_store(job), part_of(o), o->message);
    if (left > 0) {
        outbox_free(o);
        job_put_back(job, left < DOUBT_LOOK_MS ? left : DOUBT_LOOK_MS);
    }
    return left > 0;
}

static void mark(struct outbox *o);

/* Calls the platform, or waits until its limits allow it. That wait is written nowhere: after a restart the
 * limits are looked at anew. */
static void pace(struct outbox *o, const struct channel_ops *sender)
{
    struct job *job = o->job;
    struct pace_wish wish = {
        .channel_id = jx_str_or(o->channel, "id", ""),
        .contact_id = jx_str_or(o->contact, "id", ""),
        .message_id = message_id(o),
        .per_second = jx_int(jx_obj(o->channel, "platform_state"), "throughput", 0),
        .is_template = strcmp(jx_str_or(o->message, "type", ""), "template") == 0,
    };
    int64_t wait = sender->paced ? pace_take(&wish, clock_mono_ms()) : 0;

    if (wait == 0) {
        mark(o);
        return;
    }
    wait = wait_within(o, wait);
    outbox_free(o);
    job_put_back(job, wait);
}

/* The message is queued: fail it, let it wait, or go on to the call. */
static void decide(struct outbox *o, struct snapshot *snap)
{
    const struct channel_ops *sender = channel_sender(part_of(o), jx_str_or(o->channel, "type", ""));
    const json_t *attempt = jx_obj(o->message, "attempt");
    struct verdict verdict = verdict_of(o, snap, sender, clock_wall_ms());

    if (doubt_waits(o)) {
        return;
    }
    if (doubt_is(o->message) && jx_int(attempt, "doubts", 0) + 1 >= option_int(OPT_DOUBTS)) {
        verdict = (struct verdict){"OUTCOME_UNKNOWN", "the platform never told whether it took the message"};
    }
    if (verdict.code != NULL) {
        struct changes *cs = changes_new();
        bool turned = is_convertible(o, verdict.code) && message_convert(o, cs, snap);
        enum err rc = turned ? ERR_OK : message_fail(o, cs, snap, verdict.code, verdict.title, "");
        if (rc == ERR_OK) {
            finish(o, cs);
        } else {
            changes_free(cs);
            outbox_fail(o, rc);
        }
    } else if (strcmp(jx_str_or(o->channel, "status", ""), "paused") == 0) {
        int64_t probe = option_int(OPT_PROBE_EVERY);
        postpone(o, probe < PAUSED_WAIT_MS ? probe : PAUSED_WAIT_MS);
    } else {
        pace(o, sender);
    }
}

static void outbox_look(struct outbox *o)
{
    struct snapshot *snap = NULL;
    enum err rc = snapshot_open(job_store(o->job), &snap);

    if (rc == ERR_OK) {
        rc = records_read(o, snap);
    }
    if (rc == ERR_NOTFOUND || (rc == ERR_OK && !is_queued(o))) {
        ack(o); /* erased, or a status has told of it already */
    } else if (rc != ERR_OK) {
        outbox_fail(o, rc);
    } else {
        decide(o, snap);
    }
    snapshot_close(snap);
}

/* ---- mark and call ---- */

static void keep(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text != NULL ? text : "");
}

/* The platform's answer. */
static void sent(const struct send_result *result, void *arg)
{
    struct outbox *o = arg;

    KILL_POINT("send.after");
    o->answered = true;
    o->outcome = result->outcome;
    o->retry_ms = result->retry_ms;
    o->hold_ms = result->hold_ms;
    o->identities = result->identities != NULL ? json_deep_copy(result->identities) : NULL;
    keep(o->platform_id, sizeof o->platform_id, result->platform_id);
    keep(o->code, sizeof o->code, result->code);
    keep(o->title, sizeof o->title, result->title);
    keep(o->detail, sizeof o->detail, result->detail);
    outbox_settle(o);
}

/* The mark is durable: now the platform may be called. */
static void marked(enum err rc, uint64_t rev, void *arg)
{
    struct outbox *o = arg;

    o->message_rev = rev;
    o->as_marked = rc == ERR_OK;
    if (rc == ERR_CONFLICT || rc == ERR_SEEN) {
        outbox_look(o);
    } else if (rc != ERR_OK || job_http(o->job) == NULL) {
        outbox_fail(o, rc != ERR_OK ? rc : ERR_CLOSED);
    } else {
        const struct channel_ops *sender = channel_sender(part_of(o), jx_str_or(o->channel, "type", ""));
        struct send_call call = {.http = job_http(o->job),
                                 .loop = job_loop(o->job),
                                 .store = job_store(o->job),
                                 .part = part_of(o),
                                 .channel = o->channel,
                                 .contact = o->contact,
                                 .conversation = o->conversation,
                                 .message = o->message};
        KILL_POINT("send.before");
        sender->send(&call, sent, o);
        KILL_POINT("send.started");
    }
}

/* Writes down that the platform is about to be called. */
static void mark(struct outbox *o)
{
    const json_t *old = jx_obj(o->message, "attempt");
    int64_t doubts = jx_int(old, "doubts", 0) + (jx_int(old, "started_at", 0) > 0 ? 1 : 0);
    json_t *attempt = json_object();
    struct changes *cs = changes_new();

    jx_set_int(attempt, "count", jx_int(old, "count", 0) + 1);
    jx_set_int(attempt, "started_at", clock_wall_ms());
    if (doubts > 0) {
        jx_set_int(attempt, "doubts", doubts);
        log_info("send.again", "message=%s doubts=%lld", message_id(o), (long long)doubts);
    }
    jx_set(o->message, "attempt", attempt);
    doubt_date(o->message);
    message_put(o, cs);
    store_submit(job_store(o->job), cs, marked, o);
}

/* ---- settle ---- */

/* The attempt is over and known: no doubt. The last complaint stays visible. */
static void attempt_close(struct outbox *o)
{
    json_t *attempt = jx_obj(o->message, "attempt");

    if (attempt != NULL) {
        json_object_del(attempt, "started_at");
        jx_set(attempt, "error", error_of(o->code, o->title, o->detail));
    }
    jx_set_time(o->message, "updated_at", clock_wall_ms());
}

/* True if the contact has all of these identities already. */
static bool contact_knows(const json_t *contact, const json_t *identities)
{
    const json_t *own = jx_arr(contact, "identities");
    size_t known = 0;

    for (size_t i = 0; i < json_array_size(identities); i++) {
        for (size_t k = 0; k < json_array_size(own); k++) {
            known += json_equal(json_array_get(identities, i), json_array_get(own, k)) != 0;
        }
    }
    return known == json_array_size(identities);
}

/* The contact learns what else the platform calls the recipient; the identity we used stays the first. */
static enum err learn_recipient(struct outbox *o, struct changes *cs, struct snapshot *snap)
{
    const json_t *first = json_array_get(jx_arr(o->contact, "identities"), 0);
    json_t *contact = NULL;

    if (first == NULL || contact_knows(o->contact, o->identities)) {
        return ERR_OK;
    }
    json_t *all = json_copy(jx_arr(o->contact, "identities"));
    json_array_extend(all, o->identities);
    enum err rc = contact_resolve(cs, snap, part_of(o), all, NULL, &contact);
    json_decref(contact);
    json_decref(all);
    return rc == ERR_INVALID || rc == ERR_LIMIT ? ERR_OK : rc; /* no reason to lose the outcome */
}

/* Accepted or delivered: the record learns the platform's id and takes the step, unless a status was quicker.
 */
static void settle_sent(struct outbox *o, struct changes *cs, struct snapshot *snap)
{
    const char *status = o->outcome == SEND_DELIVERED ? "delivered" : "sent";

    if (o->platform_id[0] != '\0' && jx_str(o->message, "platform_id") == NULL) {
        jx_set_str(o->message, "platform_id", o->platform_id);
    }
    json_object_del(o->message, "attempt");
    if (!message_advance(cs, snap, part_of(o), o->message, o->message_rev, status, NULL)) {
        message_put(o, cs);
    }
    changes_ack(cs, o->job);
}

/* Half to all of the doubled first wait. */
static int64_t own_backoff(int64_t count)
{
    int64_t wait = WAIT_FIRST_MS;

    for (int64_t i = 1; i < count && wait < WAIT_CAP_MS; i++) {
        wait *= 2;
    }
    wait = wait < WAIT_CAP_MS ? wait : WAIT_CAP_MS;
    return wait / 2 + (int64_t)random_below((uint64_t)(wait / 2) + 1);
}

/* Not sent, but may be later. Not a failed attempt of the job: what bounds it is the message's own expiry. */
static void settle_later(struct outbox *o, struct changes *cs)
{
    int64_t count = jx_int(jx_obj(o->message, "attempt"), "count", 1);
    int64_t wait = o->retry_ms > 0 ? o->retry_ms : own_backoff(count);

    attempt_close(o);
    message_put(o, cs);
    changes_postpone(cs, o->job, wait_within(o, wait));
    log_info("send.later", "message=%s code=%s wait_ms=%lld attempt=%lld", message_id(o), log_quote(o->code),
             (long long)wait, (long long)count);
}

/* The channel itself is refused: it pauses, and everything that is to go out through it waits. */
static void settle_channel(struct outbox *o, struct changes *cs, struct snapshot *snap)
{
    const char *id = jx_str(o->channel, "id");

    attempt_close(o);
    message_put(o, cs);
    int64_t probe = option_int(OPT_PROBE_EVERY);
    changes_postpone(cs, o->job, probe < PAUSED_WAIT_MS ? probe : PAUSED_WAIT_MS);
    if (id == NULL || strcmp(jx_str_or(o->channel, "status", ""), "paused") == 0) {
        return;
    }
    jx_set_str(o->channel, "status", "paused");
    jx_set(o->channel, "reason", error_of(o->code, o->title, o->detail));
    jx_set_time(o->channel, "updated_at", clock_wall_ms());
    changes_expect(cs, KIND_CHANNEL, part_of(o), id, o->channel_rev);
    changes_put(cs, KIND_CHANNEL, part_of(o), id, o->channel);
    channel_event(cs, snap, part_of(o), o->channel);
    probe_push(cs, part_of(o), id);
    log_error("channel.paused", "channel=%s code=%s", id, log_quote(o->code));
}

/* Adds what the outcome does to the records, and the end of the job. */
static enum err settle_changes(struct outbox *o, struct changes *cs, struct snapshot *snap)
{
    switch (o->outcome) {
    case SEND_ACCEPTED:
    case SEND_DELIVERED:
        settle_sent(o, cs, snap);
        return ERR_OK;
    case SEND_REFUSED:
        if (is_convertible(o, o->code) && message_convert(o, cs, snap)) {
            return ERR_OK;
        }
        return message_fail(o, cs, snap, o->code, o->title, o->detail);
    case SEND_LATER:
        settle_later(o, cs);
        return ERR_OK;
    case SEND_CHANNEL:
        settle_channel(o, cs, snap);
        return ERR_OK;
    case SEND_UNKNOWN:
        log_warn("send.unknown", "message=%s code=%s", message_id(o), log_quote(o->code));
        doubt_date(o->message); /* the wait begins now that nothing more is to be heard on that call */
        message_put(o, cs);
        changes_postpone(cs, o->job, DOUBT_LOOK_MS);
        return ERR_OK;
    }
    return ERR_OK;
}

/* Reads what settling stands on. After a send that went well that is the message alone, and mostly nobody has
 * written it since the mark. */
static enum err settle_read(struct outbox *o, struct snapshot *snap)
{
    bool sent_well = o->outcome == SEND_ACCEPTED || o->outcome == SEND_DELIVERED;
    bool as_marked = o->as_marked;
    const void *data = NULL;
    size_t size = 0;
    uint64_t rev = 0;

    o->as_marked = false; /* settling changes it, and may come here again */
    if (as_marked && sent_well && contact_knows(o->contact, o->identities) &&
        snapshot_get_bytes(snap, KIND_MESSAGE, part_of(o), message_id(o), &data, &size, &rev) == ERR_OK &&
        rev == o->message_rev) {
        return ERR_OK;
    }
    return records_read(o, snap);
}

static void outbox_settle(struct outbox *o)
{
    struct snapshot *snap = NULL;
    struct changes *cs = changes_new();
    enum err rc = snapshot_open(job_store(o->job), &snap);

    if (rc == ERR_OK) {
        rc = settle_read(o, snap);
    }
    if (o->hold_ms > 0) {
        pace_hold(jx_str_or(o->channel, "id", "-"), o->hold_ms, clock_mono_ms());
        o->hold_ms = 0; /* settling may come here again */
    }
    if (rc == ERR_OK && o->outcome == SEND_ACCEPTED) {
        rc = learn_recipient(o, cs, snap);
    }
    if (rc == ERR_OK && (is_queued(o) || o->outcome == SEND_ACCEPTED)) {
        rc = settle_changes(o, cs, snap);
    } else {
        changes_ack(cs, o->job); /* a status was quicker, or the record was erased meanwhile */
    }
    snapshot_close(snap);
    if (rc != ERR_OK && rc != ERR_NOTFOUND) {
        changes_free(cs);
        outbox_fail(o, rc);
        return;
    }
    KILL_POINT("outcome.before");
    finish(o, cs);
}

void outbox_run(struct job *job, void *arg)
{
    struct outbox *o = xcalloc(1, sizeof *o);

    (void)arg;
    o->job = job;
    outbox_look(o);
}
