/* erase.c: the QUEUE_ERASE job: passes over every kind that may hold something of a person and deletes what
 * does.
 *
 * What is looked for: the ids of the contact (and of those merged into it) and of its conversations, in every
 * kind; its addresses, only in kinds whose records nobody else's work depends on, since another customer may
 * have written that very number in a message of his own. A raw post may hold items of several customers, so
 * it goes only when no intake job that was pushed before it is left. Records are looked at as bytes, in
 * slices of a few ms, each with a snapshot of its own; what a slice finds is deleted in one change-set. A
 * crash begins anew, which deletes what is left. At the end the tombstone says what went. */
#include "bridge/erase.h"

#include <stdlib.h>
#include <string.h>

#include "channels/contact.h"
#include "queue/base/clock.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"
#include "queue/jobs.h"

#define SLICE_US     4000
#define SLICE_FOUND  200
#define LANES_LOOKED 100000
#define INTAKE_MS    1000 /* how long to wait for posts that are not taken apart yet */
#define DIGITS_LEAST 7    /* shorter addresses say nothing */
#define IDS_MOST     5000

enum look { LOOK_IDS, LOOK_ALL, LOOK_ORPHANS };

/* Conversations last but one: while they are there, a repeated job finds the rest by their ids. */
static const struct {
    enum kind kind;
    enum look look;
} places[] = {
    {KIND_MESSAGE, LOOK_IDS},    {KIND_FILE, LOOK_IDS},         {KIND_TURN, LOOK_IDS},
    {KIND_FEEDBACK, LOOK_IDS},   {KIND_EVENT, LOOK_IDS},        {KIND_DELIVERY, LOOK_ORPHANS},
    {KIND_LEAD, LOOK_IDS},       {KIND_APPOINTMENT, LOOK_IDS},  {KIND_HOOK, LOOK_ALL},
    {KIND_QUARANTINE, LOOK_ALL}, {KIND_NOTICE, LOOK_ALL},       {KIND_IDEMPOTENCY, LOOK_ALL},
    {KIND_DEAD, LOOK_ALL},       {KIND_GAP, LOOK_IDS},          {KIND_INSIGHT, LOOK_IDS},
    {KIND_CONVERSATION, LOOK_IDS},
};
#define PLACES (sizeof places / sizeof *places)

struct erasure {
    struct job *job;
    const char *part, *contact_id;
    json_t *ids;       /* object: ids to look for */
    json_t *addresses; /* array of text: the same, in places of LOOK_ALL */
    json_t *removed;   /* kind -> count */
    size_t place;
    char at[STORE_ID_MAX + 1];
    int64_t slice_us, hooks_before_ms;
    bool paused;
    size_t found;
    struct snapshot *snap;
    struct changes *cs;
    struct loop_timer *timer;
};

bool erase_is_tombstone(const json_t *contact)
{
    return jx_str(contact, "requested_at") != NULL;
}

/* ---- the beginning ---- */

/* What an address looks like in the bytes of others: a phone without its plus. */
static const char *needle_of(const json_t *identity)
{
    const char *value = jx_str_or(identity, "value", "");

    value += value[0] == '+' ? 1 : 0;
    return strlen(value) >= DIGITS_LEAST ? value : NULL;
}

void erase_begin(struct changes *cs, struct snapshot *snap, const char *part, const json_t *contact,
                 uint64_t rev)
{
    const char *id = jx_str_or(contact, "id", "");
    json_t *payload = json_object(), *addresses = json_array(), *tombstone = json_object(), *identity;
    size_t i;

    json_array_foreach (jx_arr(contact, "identities"), i, identity) {
        const char *needle = needle_of(identity);
        if (needle != NULL) {
            jx_push(addresses, json_string(needle));
        }
    }
    contact_forget(cs, snap, part, contact);
    jx_set_str(tombstone, "id", id);
    jx_set_str(tombstone, "status", "erasing");
    jx_set_time(tombstone, "requested_at", clock_wall_ms());
    changes_expect(cs, KIND_CONTACT, part, id, rev);
    changes_put(cs, KIND_CONTACT, part, id, tombstone);
    jx_set_str(payload, "contact_id", id);
    jx_set(payload, "addresses", addresses);
    changes_push(cs, QUEUE_ERASE, part, id, 0, payload);
    json_decref(payload);
    json_decref(tombstone);
}

/* ---- does a record hold something of the person ---- */

static bool bytes_hold(const void *data, size_t size, const char *text)
{
    return memmem(data, size, text, strlen(text)) != NULL;
}

static bool holds_id(const struct erasure *e, const void *data, size_t size)
{
    const char *id;
    json_t *value;

    json_object_foreach (e->ids, id, value) {
        if (bytes_hold(data, size, id)) {
            return true;
        }
    }
    return false;
}

static bool holds_address(const struct erasure *e, const void *data, size_t size)
{
    for (size_t i = 0; i < json_array_size(e->addresses); i++) {
        if (bytes_hold(data, size, json_string_value(json_array_get(e->addresses, i)))) {
            return true;
        }
    }
    return false;
}

/* A delivery tells of its event; without that it goes, too. */
static bool is_orphan(struct erasure *e, const void *data, size_t size)
{
    const void *event;
    json_t *delivery;
    size_t event_size;

    if (jx_parse_lenient(data, size, &delivery) != ERR_OK) {
        return false;
    }
    const char *id = jx_str_or(delivery, "event_id", "");
    bool orphan =
        snapshot_get_bytes(e->snap, KIND_EVENT, e->part, id, &event, &event_size, NULL) == ERR_NOTFOUND;
    json_decref(delivery);
    return orphan;
}

static bool is_wanted(struct erasure *e, const char *id, const void *data, size_t size)
{
    enum look look = places[e->place].look;

    if (places[e->place].kind == KIND_HOOK && id_time_ms(id) >= e->hooks_before_ms) {
        return false;
    }
    if (look == LOOK_ORPHANS) {
        return is_orphan(e, data, size);
    }
    return holds_id(e, data, size) || (look == LOOK_ALL && holds_address(e, data, size));
}

/* ---- whose records: the contact's, those merged into it, their conversations ---- */

/* Takes up the ids of records that name one of the known ids. */
static bool learn(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct erasure *e = arg;

    (void)rev;
    if (json_object_size(e->ids) < IDS_MOST && holds_id(e, data, size)) {
        jx_set(e->ids, id, json_true());
    }
    return true;
}

static enum err ids_learn(struct erasure *e, struct snapshot *snap)
{
    static const enum kind kinds[] = {KIND_CONTACT, KIND_CONVERSATION};
    enum err rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof kinds / sizeof *kinds; i++) {
        struct page_query query = {.kind = kinds[i], .part = e->part};
        rc = snapshot_scan(snap, &query, learn, e);
    }
    return rc;
}

/* The oldest intake job of the partition: posts from then on may still be wanted. */
struct oldest {
    const char *part;
    int64_t ms;
};

static void look_lane(const struct queue_lane *lane, void *arg)
{
    struct oldest *oldest = arg;

    if (lane->queue == QUEUE_INTAKE && strcmp(lane->part, oldest->part) == 0 &&
        lane->oldest_ms < oldest->ms) {
        oldest->ms = lane->oldest_ms;
    }
}

/* ---- the slices ---- */

static void erasure_free(struct erasure *e)
{
    loop_cancel(e->timer);
    json_decref(e->ids);
    json_decref(e->removed);
    free(e);
}

/* The workers stopped while the erasure waited; its job is handed out again. */
static void erasure_cut(void *arg)
{
    struct erasure *e = arg;

    e->timer = NULL; /* the loop has dropped it */
    erasure_free(e);
}

/* Counts and deletes one record. */
static void take(struct erasure *e, const char *id, uint64_t rev)
{
    enum kind kind = places[e->place].kind;
    const char *name = kind_row(kind)->name;

    changes_expect(e->cs, kind, e->part, id, rev);
    changes_delete(e->cs, kind, e->part, id);
    jx_set_int(e->removed, name, jx_int(e->removed, name, 0) + 1);
    e->found++;
}

static bool pass(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct erasure *e = arg;

    memcpy(e->at, id, strlen(id) + 1);
    if (is_wanted(e, id, data, size)) {
        take(e, id, rev);
    }
    e->paused = e->found >= SLICE_FOUND || clock_mono_us() - e->slice_us > SLICE_US;
    return !e->paused;
}

static void slice(void *arg);

static void go_on(struct erasure *e, int64_t ms)
{
    e->timer = loop_after(job_loop(e->job), ms, slice, e);
}

/* A slice's deletions are durable; records that changed meanwhile are met again. */
static void slice_done(enum err rc, uint64_t rev, void *arg)
{
    struct erasure *e = arg;

    (void)rev;
    if (rc == ERR_CONFLICT) {
        e->at[0] = '\0';
    }
    go_on(e, rc == ERR_OK ? 0 : INTAKE_MS);
}

/* Ends the job with what the tombstone says. */
static void finish(struct erasure *e)
{
    struct changes *cs = changes_new();
    json_t *tombstone = json_object(), *value;
    const char *id;

    jx_set_str(tombstone, "id", e->contact_id);
    jx_set_str(tombstone, "status", "erased");
    jx_set_time(tombstone, "requested_at", job_pushed_ms(e->job));
    jx_set_time(tombstone, "erased_at", clock_wall_ms());
    jx_set(tombstone, "removed", json_incref(e->removed));
    json_object_foreach (e->ids, id, value) {
        if (strcmp(id, e->contact_id) != 0) {
            changes_delete(cs, KIND_CONTACT, e->part, id); /* merged ones; other ids are of no contact */
        }
    }
    changes_put(cs, KIND_CONTACT, e->part, e->contact_id, tombstone);
    changes_ack(cs, e->job);
    json_decref(tombstone);
    log_info("erase.done", "contact=%s", e->contact_id);
    job_on_cut(e->job, NULL, NULL);
    job_finish(e->job, cs, NULL, NULL);
    erasure_free(e);
}

/* Gives the job back after a fault of the store; it begins anew. */
static void fail(struct erasure *e, enum err rc)
{
    struct changes *cs = changes_new();

    log_warn("erase.failed", "contact=%s error=%s", e->contact_id, err_name(rc));
    changes_fail(cs, e->job, err_name(rc));
    job_on_cut(e->job, NULL, NULL);
    job_finish(e->job, cs, NULL, NULL);
    erasure_free(e);
}

/* True if raw posts are still to be taken apart that came before the erasure was asked for. */
static bool posts_wait(struct erasure *e)
{
    struct oldest oldest = {.part = e->part, .ms = clock_wall_ms()};

    if (places[e->place].kind != KIND_HOOK || e->at[0] != '\0') {
        return false;
    }
    store_queue_walk(job_store(e->job), LANES_LOOKED, look_lane, &oldest);
    e->hooks_before_ms = oldest.ms;
    return oldest.ms < job_pushed_ms(e->job);
}

/* Passes over one place until the slice's time is over. */
static enum err place_pass(struct erasure *e)
{
    struct page_query query = {.kind = places[e->place].kind, .part = e->part};
    char *from = e->at[0] != '\0' ? xasprintf("%s!", e->at) : NULL;

    query.from = from;
    e->paused = false;
    enum err rc = snapshot_scan(e->snap, &query, pass, e);
    free(from);
    if (rc == ERR_OK && !e->paused) {
        e->place++;
        e->at[0] = '\0';
    }
    return rc;
}

static void slice(void *arg)
{
    struct erasure *e = arg;

    e->timer = NULL;
    if (e->place == PLACES) {
        finish(e);
        return;
    }
    if (posts_wait(e)) {
        go_on(e, INTAKE_MS);
        return;
    }
    enum err rc = snapshot_open(job_store(e->job), &e->snap);
    if (rc != ERR_OK) {
        fail(e, rc);
        return;
    }
    e->slice_us = clock_mono_us();
    e->found = 0;
    e->cs = changes_new();
    rc = place_pass(e);
    snapshot_close(e->snap);
    e->snap = NULL;
    if (rc != ERR_OK || e->found == 0) {
        changes_free(e->cs);
    } else {
        store_submit(job_store(e->job), e->cs, slice_done, e);
    }
    if (rc != ERR_OK) {
        fail(e, rc);
    } else if (e->found == 0) {
        go_on(e, 0);
    }
}

/* The handler of QUEUE_ERASE. */
static void erase_run(struct job *job, void *arg)
{
    struct erasure *e = xcalloc(1, sizeof *e);
    struct snapshot *snap = NULL;

    (void)arg;
    e->job = job;
    e->part = job_partition(job);
    e->contact_id = jx_str_or(job_payload(job), "contact_id", "");
    e->addresses = jx_arr(job_payload(job), "addresses");
    e->ids = json_object();
    e->removed = json_object();
    jx_set(e->ids, e->contact_id, json_true());
    job_on_cut(job, erasure_cut, e);
    enum err rc = snapshot_open(job_store(job), &snap);
    if (rc == ERR_OK) {
        rc = ids_learn(e, snap);
        snapshot_close(snap);
    }
    if (rc != ERR_OK) {
        fail(e, rc);
    } else {
        go_on(e, 0);
    }
}

void erase_register(struct workers *workers)
{
    workers_handle(workers, QUEUE_ERASE, erase_run, NULL);
}
