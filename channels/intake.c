/* intake.c: QUEUE_INTAKE: one raw hook taken apart, item by item.
 *
 * Each item is a change-set of its own with its own first-seen mark, so that a bad item or a duplicate never
 * touches its neighbours; the last one carries the job's ack. After a crash the job runs again from the first
 * item: what is marked answers ERR_SEEN and is passed over. ERR_CONFLICT means that somebody wrote a record
 * the item was decided on: the same item is built again from a new snapshot.
 *
 * An item that the store cannot take is not known before it is submitted; if that happens to the one that
 * carries the ack, the whole attempt fails, and the next attempt submits every item alone, so that the one
 * can be told from the others and goes to quarantine.
 *
 * A status about a message that we do not know (yet) is put off into a job of its own a few times, then
 * counted and dropped: other systems may send from the same number. The raw hook stays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"
#include "channels/message.h"

#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"
#include "queue/base/killpoint.h"
#include "queue/base/log.h"
#include "queue/base/option.h"

#define CONFLICTS_MAX 100 /* of one item, before the job is tried later */

static const int64_t late_waits_ms[] = {2000, 15000, 120000};
#define LATE_ROUNDS (sizeof late_waits_ms / sizeof *late_waits_ms)
#define LATE_LANES  64 /* of each round */

/* A job under way. */
struct intake {
    struct job *job;
    json_t *channel;       /* that the hook came to */
    char hook_id[ID_SIZE]; /* "" for a status that was put off */
    struct inbound_list list;
    size_t at;          /* the item being worked on */
    unsigned conflicts; /* of this item */
    bool alone;         /* items and ack in change-sets of their own */
    enum err refused;   /* why the store refused the item at `at`; ERR_OK: it did not */
};

static void intake_step(struct intake *t);

static void intake_free(struct intake *t)
{
    inbound_list_free(&t->list);
    json_decref(t->channel);
    free(t);
}

static const char *part_of(const struct intake *t)
{
    return job_partition(t->job);
}

/* ---- ends ---- */

/* The job could not go on: a later attempt, or the dead letters. */
static void intake_fail(struct intake *t, enum err rc)
{
    struct changes *cs = changes_new();
    struct job *job = t->job;

    log_warn("intake.failed", "hook=%s error=%s", t->hook_id, err_name(rc));
    changes_fail(cs, job, err_name(rc));
    intake_free(t);
    job_finish(job, cs, NULL, NULL);
}

/* The set with the ack was answered. */
static void finished(enum err rc, uint64_t rev, void *arg)
{
    struct intake *t = arg;

    (void)rev;
    if (rc == ERR_SEEN) {
        t->at = t->list.count; /* the last item was taken before: only the ack is left */
        intake_step(t);
    } else if (rc == ERR_CONFLICT && ++t->conflicts < CONFLICTS_MAX) {
        intake_step(t);
    } else if (rc == ERR_CONFLICT) {
        intake_fail(t, rc);
    } else {
        KILL_POINT("intake.after");
        intake_free(t);
    }
}

/* An item's own set was answered. */
static void item_done(enum err rc, uint64_t rev, void *arg)
{
    struct intake *t = arg;

    (void)rev;
    switch (rc) {
    case ERR_OK:
    case ERR_SEEN:
        t->at++;
        t->conflicts = 0;
        t->refused = ERR_OK;
        break;
    case ERR_CONFLICT:
        t->conflicts++;
        break;
    case ERR_LIMIT:
    case ERR_INVALID:
        if (t->refused != ERR_OK) {
            intake_fail(t, rc); /* not even quarantine takes it */
            return;
        }
        t->refused = rc;
        break;
    default:
        intake_fail(t, rc);
        return;
    }
    if (t->conflicts >= CONFLICTS_MAX) {
        intake_fail(t, ERR_CONFLICT);
        return;
    }
    intake_step(t);
}

/* ---- items ---- */

/* A first-seen mark for an item without an id of its own: the hash of what it is. */
static void mark_content(struct changes *cs, const char *part, const char *scope, const json_t *channel,
                         const json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    char hex[65];

    CHECK(text != NULL);
    sha256_hex(text, strlen(text), hex);
    char *full = xasprintf("%s:%s", scope, jx_str_or(channel, "id", ""));
    changes_once(cs, part, full, hex);
    free(full);
    free(text);
}

/* A piece that cannot be understood is kept with the reason. */
static void quarantine_add(struct changes *cs, const struct intake *t, const char *reason, const json_t *raw)
{
    struct id id = id_new("qua");
    json_t *record = json_object();

    jx_set_str(record, "id", id.text);
    jx_set_str(record, "channel_id", jx_str(t->channel, "id"));
    jx_set_str(record, "hook_id", t->hook_id);
    jx_set_str(record, "reason", reason);
    jx_set(record, "raw", raw != NULL ? json_incref((json_t *)raw) : json_null());
    jx_set_time(record, "created_at", clock_wall_ms());
    const char *replay = jx_str(job_payload(t->job), "replay"); /* what was marked before may come back */
    char *scope = xasprintf("bad%s%s", replay != NULL ? ":" : "", replay != NULL ? replay : "");
    mark_content(cs, part_of(t), scope, t->channel, raw);
    free(scope);
    changes_put(cs, KIND_QUARANTINE, part_of(t), id.text, record);
    changes_add(cs, part_of(t), "inbound.quarantined", 1);
    json_decref(record);
    log_warn("intake.quarantined", "hook=%s item=%zu quarantine=%s reason=%s", t->hook_id, t->at, id.text,
             log_quote(reason));
}

/* What is neither message nor status: stored, counted, visible. */
static void notice_add(struct changes *cs, const struct intake *t, const json_t *channel, const json_t *body)
{
    struct id id = id_new("ntc");
    json_t *record = json_object();

    jx_set_str(record, "id", id.text);
    jx_set_str(record, "channel_id", jx_str(channel, "id"));
    jx_set_str(record, "hook_id", t->hook_id);
    jx_set_str(record, "field", jx_str_or(body, "field", ""));
    jx_set(record, "value", json_incref(json_object_get(body, "value")));
    jx_set_time(record, "created_at", clock_wall_ms());
    mark_content(cs, part_of(t), "notice", channel, body);
    changes_put(cs, KIND_NOTICE, part_of(t), id.text, record);
    changes_add(cs, part_of(t), "inbound.notices", 1);
    json_decref(record);
}

static enum err message_item(struct changes *cs, struct snapshot *snap, const char *part,
                             const json_t *channel, const json_t *body)
{
    struct message_inbound in = {.channel = channel,
                                 .identities = jx_arr(body, "identities"),
                                 .name = jx_str(body, "name"),
                                 .platform_id = jx_str(body, "platform_id"),
                                 .platform_ms = jx_int(body, "platform_ms", 0),
                                 .type = jx_str_or(body, "type", "unsupported"),
                                 .text = jx_str_or(body, "text", ""),
                                 .content = jx_obj(body, "content"),
                                 .reply_to = jx_str(body, "reply_to"),
                                 .wants_turn = jx_bool(body, "wants_turn", false),
                                 .turn_delay_ms = channel_quiet_ms(channel)};
    struct message_received received;

    return message_receive(cs, snap, part, &in, &received);
}

/* Puts a status off until its message may be known; after the last round it is counted only. The lanes are
 * few, since the schedule keeps each in memory and somebody else's statuses may be many; all of one lane wait
 * equally long, so that none stands behind one that is due later. */
static void status_late(struct changes *cs, const struct intake *t, const json_t *channel, const json_t *body)
{
    int64_t round = jx_int(job_payload(t->job), "round", 0);
    json_t *payload = json_object();
    char lane[JOB_LANE_MAX];

    if (round >= (int64_t)LATE_ROUNDS) {
        changes_add(cs, part_of(t), "inbound.statuses_unknown", 1);
        json_decref(payload);
        return;
    }
    jx_set_str(payload, "channel_id", jx_str(channel, "id"));
    jx_set(payload, "status", json_incref((json_t *)body));
    jx_set_int(payload, "round", round + 1);
    if (round == 0) {
        mark_content(cs, part_of(t), "late", channel, body);
    }
    const char *id = jx_str_or(body, "platform_id", "");
    snprintf(lane, sizeof lane, "%s:late:%d:%u", jx_str_or(channel, "id", ""), (int)round,
             crc32_of(id, strlen(id)) % LATE_LANES);
    changes_push(cs, QUEUE_INTAKE, part_of(t), lane, late_waits_ms[round], payload);
    json_decref(payload);
}

/* The channel an item is for: this one, or the one of the partition that has the number it names. New
 * reference; ERR_NOTFOUND. */
static enum err channel_for(struct snapshot *snap, const struct intake *t, const json_t *body,
                            json_t **channel)
{
    const char *number = jx_str(body, "address");
    struct page_query query = {.kind = KIND_CHANNEL,
                               .part = part_of(t),
                               .index = INDEX_CHANNEL_NUMBER,
                               .match = {number},
                               .limit = 50};
    struct store_page page;

    if (number == NULL) {
        *channel = json_incref(t->channel);
        return ERR_OK;
    }
    enum err rc = snapshot_page(snap, &query, &page);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = ERR_NOTFOUND;
    for (size_t i = 0; i < page.count && rc != ERR_OK; i++) {
        json_t *each = page.rows[i].body;
        if (strcmp(jx_str_or(each, "type", ""), jx_str_or(t->channel, "type", "-")) == 0) {
            *channel = json_incref(each);
            rc = ERR_OK;
        }
    }
    store_page_free(&page);
    return rc;
}

/* Messages and statuses, notices: each to its room. */
static enum err dispatch(struct changes *cs, struct snapshot *snap, const struct intake *t,
                         const json_t *channel, const struct inbound_item *item)
{
    enum err rc;

    switch (item->kind) {
    case INBOUND_MESSAGE:
        return message_item(cs, snap, part_of(t), channel, item->body);
    case INBOUND_STATUS:
        rc = status_apply(cs, snap, part_of(t), jx_str(channel, "id"), item->body);
        if (rc == ERR_NOTFOUND) {
            status_late(cs, t, channel, item->body);
            rc = ERR_OK;
        }
        return rc;
    case INBOUND_ECHO:
        return echo_take(cs, snap, part_of(t), channel, item->body);
    case INBOUND_CHOICE:
        mark_content(cs, part_of(t), "choice", channel, item->body);
        return consent_take(cs, snap, part_of(t), item->body);
    case INBOUND_OTHER:
        notice_add(cs, t, channel, item->body);
        return account_note(cs, snap, part_of(t), channel, item->body);
    case INBOUND_BAD:
        quarantine_add(cs, t, jx_str_or(item->body, "reason", ""), json_object_get(item->body, "raw"));
        return ERR_OK;
    }
    return ERR_OK;
}

/* Builds the set of one item. */
static enum err item_build(struct changes **cs, struct snapshot *snap, const struct intake *t,
                           const struct inbound_item *item)
{
    json_t *channel = NULL;
    const char *bad = t->refused != ERR_OK ? err_text(t->refused) : NULL;
    enum err rc = ERR_OK;

    if (bad == NULL) {
        rc = channel_for(snap, t, item->body, &channel);
        bad = rc == ERR_NOTFOUND ? "it is for a number that no channel has" : NULL;
    }
    if (bad == NULL && rc == ERR_OK) {
        rc = dispatch(*cs, snap, t, channel, item);
        bad = rc == ERR_INVALID || rc == ERR_LIMIT ? err_text(rc) : NULL;
    }
    if (bad != NULL) {
        changes_free(*cs); /* it may hold half of the item */
        *cs = changes_new();
        quarantine_add(*cs, t, bad, item->body);
        rc = ERR_OK;
    }
    json_decref(channel);
    return rc;
}

/* ---- the walk ---- */

/* The set of the item at t->at, which is empty if the item changes nothing. */
static enum err item_changes(struct intake *t, struct changes **out)
{
    struct snapshot *snap = NULL;
    struct changes *cs = changes_new();
    enum err rc = snapshot_open(job_store(t->job), &snap);

    if (rc == ERR_OK) {
        rc = item_build(&cs, snap, t, &t->list.items[t->at]);
        snapshot_close(snap);
    }
    if (rc != ERR_OK) {
        changes_free(cs);
        return rc;
    }
    *out = cs;
    return ERR_OK;
}

/* Submits the next item that changes anything; the last one with the ack. */
static void intake_step(struct intake *t)
{
    struct changes *cs = NULL;

    for (; t->at < t->list.count; t->at++) {
        enum err rc = item_changes(t, &cs);
        if (rc != ERR_OK) {
            intake_fail(t, rc);
            return;
        }
        bool last = t->at + 1 == t->list.count && !t->alone;
        if (last) {
            break;
        }
        if (changes_any(cs)) {
            store_submit(job_store(t->job), cs, item_done, t);
            return;
        }
        changes_free(cs);
        cs = NULL;
    }
    cs = cs != NULL ? cs : changes_new();
    changes_ack(cs, t->job);
    KILL_POINT("intake.before");
    job_finish(t->job, cs, finished, t);
}

/* ---- without a job ---- */

bool intake_at_once(struct changes *cs, struct snapshot *snap, const char *part, const json_t *channel,
                    const char *body, size_t size)
{
    const struct channel_ops *ops = channel_ops(jx_str_or(channel, "type", ""));
    const char *number = jx_str_or(channel, "phone_number_id", "");
    struct inbound_list list = {0};
    bool taken = false;

    if (ops == NULL || ops->parse == NULL) {
        return false;
    }
    if (ops->parse(channel, body, size, &list) == ERR_OK && list.count == 1 &&
        strcmp(jx_str_or(list.items[0].body, "address", number), number) == 0) {
        const struct inbound_item *item = &list.items[0];
        enum err rc = item->kind == INBOUND_MESSAGE ? message_item(cs, snap, part, channel, item->body)
                      : item->kind == INBOUND_STATUS
                          ? status_apply(cs, snap, part, jx_str(channel, "id"), item->body)
                          : ERR_INVALID;
        taken = rc == ERR_OK;
    }
    inbound_list_free(&list);
    return taken;
}

/* ---- start ---- */

/* A status that was put off is a list of one. */
static void load_status(struct intake *t, const json_t *status)
{
    t->list.items = xcalloc(1, sizeof *t->list.items);
    t->list.items[0] = (struct inbound_item){.kind = INBOUND_STATUS, .body = json_deep_copy(status)};
    t->list.count = 1;
}

/* A body that is no payload at all becomes one bad item that points to its hook. */
static void load_unreadable(struct intake *t)
{
    json_t *body = json_object();

    jx_set_str(body, "reason", "the body is not a payload of this platform");
    jx_set(body, "raw", json_pack("{s:s}", "hook_id", t->hook_id));
    t->list.items = xcalloc(1, sizeof *t->list.items);
    t->list.items[0] = (struct inbound_item){.kind = INBOUND_BAD, .body = body};
    t->list.count = 1;
}

/* Reads the hook and takes it apart. ERR_NOTFOUND: hook or channel are gone. */
static enum err load_hook(struct intake *t, struct snapshot *snap)
{
    const struct channel_ops *ops = channel_ops(jx_str_or(t->channel, "type", ""));
    json_t *about = NULL;
    const char *body = NULL;
    size_t size = 0;
    enum err rc = hook_get(snap, part_of(t), t->hook_id, &about, &body, &size);

    json_decref(about);
    if (rc != ERR_OK) {
        return rc;
    }
    if (ops == NULL || ops->parse == NULL) {
        return ERR_NOTFOUND;
    }
    if (ops->parse(t->channel, body, size, &t->list) != ERR_OK) {
        inbound_list_free(&t->list);
        load_unreadable(t);
    }
    return ERR_OK;
}

static enum err load(struct intake *t)
{
    const json_t *payload = job_payload(t->job);
    struct snapshot *snap = NULL;
    enum err rc = snapshot_open(job_store(t->job), &snap);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = channel_get(snap, part_of(t), jx_str_or(payload, "channel_id", "-"), &t->channel, NULL);
    if (rc == ERR_OK && jx_obj(payload, "status") != NULL) {
        load_status(t, jx_obj(payload, "status"));
    } else if (rc == ERR_OK) {
        snprintf(t->hook_id, sizeof t->hook_id, "%s", jx_str_or(payload, "hook_id", "-"));
        rc = load_hook(t, snap);
    }
    snapshot_close(snap);
    return rc;
}

void intake_run(struct job *job, void *arg)
{
    struct intake *t = xcalloc(1, sizeof *t);

    (void)arg;
    t->job = job;
    t->alone = job_tries(job) > 0;
    enum err rc = load(t);
    if (rc == ERR_NOTFOUND) {
        log_warn("intake.dropped", "hook=%s reason=gone", t->hook_id);
        rc = ERR_OK; /* the channel was deleted: nobody is left to tell; the raw hook stays */
    }
    if (rc != ERR_OK) {
        intake_fail(t, rc);
        return;
    }
    intake_step(t);
}
