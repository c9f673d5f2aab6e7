/* backfill.c: QUEUE_EMBED: gives the passages of a collection their vectors.
 *
 * The index tells of every collection that got passages and of every agent that changed, and the start looks
 * at all agents; where something has no vector of the owner's model, a job is pushed, at most one that has
 * not begun for each collection. A job asks the index what is missing, a batch at a time, so it can be cut
 * off anywhere and a batch done twice changes nothing. After some batches it makes room for others: its
 * successor goes on behind the last passage. What a server says is too large is tried in halves; one passage
 * that it refuses is left to the words. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "agent/embed/embed.h"

#include "agent/profile/profile.h"
#include "queue/base/log.h"
#include "queue/jobs.h"

#define CALL_MS     30000
#define BATCHES     16 /* of one job */
#define SKIPS       8  /* refused passages of one job, before the server is taken to refuse everything */
#define ARENA_BYTES ((size_t)64 << 20)

/* A collection whose job has been pushed and has not begun. */
struct pending {
    char *name; /* partition and collection; owned */
    UT_hash_handle hh;
};

/* One for the process. */
static struct background {
    struct store *store;
    struct kb *kb;
    pthread_mutex_t mutex; /* guards pending */
    struct pending *pending;
} background = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Notes that a job is under way; false: one is. */
static bool pending_add(const char *part, const char *collection)
{
    char *name = xasprintf("%s/%s", part, collection);
    struct pending *found;

    pthread_mutex_lock(&background.mutex);
    HASH_FIND_STR(background.pending, name, found);
    bool fresh = found == NULL;
    if (fresh) {
        found = xcalloc(1, sizeof *found);
        found->name = name;
        HASH_ADD_KEYPTR(hh, background.pending, name, strlen(name), found);
    } else {
        free(name);
    }
    pthread_mutex_unlock(&background.mutex);
    return fresh;
}

/* It has begun. */
static void pending_drop(const char *part, const char *collection)
{
    char *name = xasprintf("%s/%s", part, collection);
    struct pending *found;

    pthread_mutex_lock(&background.mutex);
    HASH_FIND_STR(background.pending, name, found);
    if (found != NULL) {
        HASH_DEL(background.pending, found);
        free(found->name);
        free(found);
    }
    pthread_mutex_unlock(&background.mutex);
    free(name);
}

/* The agent that owns a collection. ERR_NOTFOUND: none does, or either is gone. */
static enum err owner_read(struct store *store, const char *part, const char *collection, json_t **agent)
{
    struct snapshot *snap;
    json_t *record = NULL;
    enum err rc = snapshot_open(store, &snap);

    *agent = NULL;
    if (rc != ERR_OK) {
        return rc;
    }
    rc = snapshot_get(snap, KIND_COLLECTION, part, collection, &record, NULL);
    if (rc == ERR_OK) {
        rc = agent_get(snap, part, jx_str_or(record, "agent_id", "-"), agent, NULL);
    }
    snapshot_close(snap);
    json_decref(record);
    return rc;
}

/* ---- who needs a job ---- */

static void job_push(struct changes *cs, const char *part, const char *collection, uint64_t after)
{
    json_t *payload = json_object();

    jx_set_str(payload, "collection_id", collection);
    jx_set_int(payload, "after", (int64_t)after);
    changes_push(cs, QUEUE_EMBED, part, collection, 0, payload);
    json_decref(payload);
}

/* Pushes a job if a collection of this agent's has something without a vector. */
static void collection_look(struct background *b, const char *part, const json_t *agent)
{
    uint8_t mark[KB_MODEL_MARK];
    const char *collection = jx_str(agent, "collection_id");
    struct kb_unembedded missing;

    if (embed_settings(agent) == NULL || collection == NULL) {
        return;
    }
    embed_mark(embed_settings(agent), mark);
    struct arena *arena = arena_new(ARENA_BYTES);
    struct kb_embed_scope scope = {part, collection, mark};
    enum err rc = kb_unembedded(b->kb, &scope, 0, 1, arena, &missing);
    if (rc == ERR_OK && missing.count > 0 && pending_add(part, collection)) {
        struct changes *cs = changes_new();
        job_push(cs, part, collection, 0);
        store_submit(b->store, cs, NULL, NULL);
    }
    arena_free(arena);
}

/* A collection got passages. */
static void on_change(const char *part, const char *id, void *arg)
{
    struct background *b = arg;
    json_t *agent = NULL;

    if (owner_read(b->store, part, id, &agent) == ERR_OK) {
        collection_look(b, part, agent);
    }
    json_decref(agent);
}

/* ---- the job ---- */

struct filling {
    struct job *job;
    struct kb *kb;
    const char *collection; /* the job's */
    json_t *agent;
    struct arena *arena; /* of the batch */
    uint8_t mark[KB_MODEL_MARK];
    struct kb_unembedded rows;
    uint64_t after;
    size_t batch;
    unsigned batches, skips;
};

static void filling_free(void *arg)
{
    struct filling *f = arg;

    if (f->arena != NULL) {
        arena_free(f->arena);
    }
    json_decref(f->agent);
    free(f);
}

static void filling_end(struct filling *f, struct changes *cs)
{
    struct job *job = f->job;

    job_on_cut(job, NULL, NULL);
    filling_free(f);
    job_finish(job, cs, NULL, NULL);
}

/* Ends the job as done. */
static void filling_ack(struct filling *f)
{
    struct changes *cs = changes_new();

    changes_ack(cs, f->job);
    filling_end(f, cs);
}

/* Reads the owner and the next batch. ERR_NOTFOUND: nothing is to be done. */
static enum err batch_read(struct filling *f)
{
    const char *part = job_partition(f->job);

    if (f->arena != NULL) {
        arena_free(f->arena);
    }
    f->arena = arena_new(ARENA_BYTES);
    json_decref(f->agent);
    enum err rc = owner_read(job_store(f->job), part, f->collection, &f->agent);
    if (rc != ERR_OK) {
        return rc;
    }
    if (embed_settings(f->agent) == NULL) {
        return ERR_NOTFOUND;
    }
    embed_mark(embed_settings(f->agent), f->mark);
    struct kb_embed_scope scope = {part, f->collection, f->mark};
    rc = kb_unembedded(f->kb, &scope, f->after, f->batch, f->arena, &f->rows);
    return rc == ERR_OK && f->rows.count == 0 ? ERR_NOTFOUND : rc;
}

static void embedded(const struct embed_result *result, void *arg);

/* Takes the next batch, or ends. */
static void filling_next(void *arg)
{
    struct filling *f = arg;
    const char *texts[EMBED_BATCH];
    enum err rc = batch_read(f);

    if (rc == ERR_NOTFOUND) {
        filling_ack(f);
        return;
    }
    if (rc != ERR_OK || f->batches++ >= BATCHES) {
        struct changes *cs = changes_new();
        if (rc != ERR_OK) {
            changes_fail(cs, f->job, err_name(rc));
        } else {
            job_push(cs, job_partition(f->job), f->collection, f->after);
            changes_ack(cs, f->job);
        }
        filling_end(f, cs);
        return;
    }
    for (size_t i = 0; i < f->rows.count; i++) {
        texts[i] = f->rows.rows[i].text;
    }
    struct embed_call call = {.part = job_partition(f->job),
                              .agent = f->agent,
                              .texts = texts,
                              .count = f->rows.count,
                              .total_ms = CALL_MS};
    embed_start(job_http(f->job), &call, embedded, f);
}

/* Hands the vectors to the index. */
static void batch_store(struct filling *f, const struct embed_result *result)
{
    uint64_t numbers[EMBED_BATCH];

    for (size_t i = 0; i < f->rows.count; i++) {
        numbers[i] = f->rows.rows[i].number;
    }
    struct kb_embedded embedded = {.scope = {job_partition(f->job), f->collection, f->mark},
                                   .numbers = numbers,
                                   .vectors = result->vectors,
                                   .count = result->count,
                                   .dimensions = result->dimensions};
    f->after = numbers[f->rows.count - 1];
    f->batch = f->batch * 2 < EMBED_BATCH ? f->batch * 2 : EMBED_BATCH;
    kb_embed(f->kb, &embedded, filling_next, f);
}

/* The batch was too large: a smaller one, or without this passage. False: too much was refused. */
static bool batch_shrink(struct filling *f)
{
    if (f->rows.count > 1) {
        f->batch = f->rows.count / 2;
        return true;
    }
    f->after = f->rows.rows[0].number;
    log_warn("embed.skipped", "collection=%s chunk=%llu", f->collection, (unsigned long long)f->after);
    return ++f->skips < SKIPS;
}

/* What came back. */
static void embedded(const struct embed_result *result, void *arg)
{
    struct filling *f = arg;

    if (result->outcome == EMBED_CANCELLED) {
        return; /* the job is cut off next */
    }
    if (result->outcome == EMBED_DONE) {
        batch_store(f, result);
    } else if (result->outcome == EMBED_TOO_LARGE && batch_shrink(f)) {
        filling_next(f);
    } else {
        struct changes *cs = changes_new();
        log_warn("embed.failed", "collection=%s why=%s", f->collection, result->why);
        if (result->outcome == EMBED_LATER) {
            changes_fail(cs, f->job, result->why);
        } else {
            changes_bury(cs, f->job, result->why);
        }
        filling_end(f, cs);
    }
}

/* The handler of QUEUE_EMBED. */
static void embed_run(struct job *job, void *arg)
{
    struct background *b = arg;
    struct filling *f = xcalloc(1, sizeof *f);

    f->job = job;
    f->kb = b->kb;
    f->collection = jx_str_or(job_payload(job), "collection_id", "");
    f->after = (uint64_t)jx_int(job_payload(job), "after", 0);
    f->batch = EMBED_BATCH;
    job_on_cut(job, filling_free, f);
    pending_drop(job_partition(job), f->collection);
    filling_next(f);
}

/* ---- start ---- */

static bool agent_take(const char *part, const char *id, const void *data, size_t size, uint64_t rev,
                       void *arg)
{
    json_t *pair = json_array();

    (void)data;
    (void)size;
    (void)rev;
    jx_push(pair, json_string(part));
    jx_push(pair, json_string(id));
    jx_push(arg, pair);
    return true;
}

/* Looks at one agent. */
static void start_look(const char *part, const char *id)
{
    struct snapshot *snap;
    json_t *agent = NULL;

    if (snapshot_open(background.store, &snap) != ERR_OK) {
        return;
    }
    enum err rc = agent_get(snap, part, id, &agent, NULL);
    snapshot_close(snap);
    if (rc == ERR_OK) {
        collection_look(&background, part, agent);
    }
    json_decref(agent);
}

void embed_register(struct workers *workers, struct store *store, struct kb *kb)
{
    struct snapshot *snap;
    json_t *agents = json_array(), *pair;
    size_t i;

    background.store = store;
    background.kb = kb;
    workers_handle(workers, QUEUE_EMBED, embed_run, &background);
    kb_on_change(kb, on_change, &background);
    if (snapshot_open(store, &snap) == ERR_OK) {
        enum err rc = snapshot_walk(snap, KIND_AGENT, agent_take, agents);
        snapshot_close(snap);
        if (rc != ERR_OK) {
            log_warn("embed.start", "error=%s", err_name(rc));
        }
    }
    json_array_foreach (agents, i, pair) {
        start_look(json_string_value(json_array_get(pair, 0)), json_string_value(json_array_get(pair, 1)));
    }
    json_decref(agents);
}
