/* engine.h: what a store engine must be able to do. Private to the room.
 *
 * The committer drives the writing half, alone and in this order: begin, apply for each change-set, commit
 * (or abort). apply checks the set's guards before anything else; ERR_SEEN and ERR_CONFLICT mean that nothing
 * of this set was applied and the batch may go on. Any other error spoils the whole transaction: the
 * committer aborts. A set sees what earlier sets of its transaction did. The reading half may be called by
 * any thread, each with a transaction of its own. Leases are not the engine's business here: one process, one
 * schedule in memory. */
#ifndef CHASQUI_QUEUE_ENGINE_H
#define CHASQUI_QUEUE_ENGINE_H

#include "queue/changes.h"
#include "queue/keys.h"
#include "queue/lanes.h"
#include "queue/store.h"

/* What an applied job operation means for the schedule once the commit is through. */
struct effect {
    const struct op *op;
    uint64_t seq; /* of the pushed job; after an ack: of the lane's next job, 0 if none */
    int64_t due;  /* of that job, monotonic */
};

struct effects {
    struct effect *rows;
    size_t count, room;
    bool feed; /* something of a followed kind changed */
};
void effects_add(struct effects *fx, const struct effect *effect);

struct engine_stat {
    uint64_t used_bytes, map_bytes;
    uint64_t recent_bytes; /* in memory until they are where they belong on disk */
    int64_t oldest_reader_ms;
};

struct engine_job {
    struct job_head head;
    void *payload; /* the caller frees */
    size_t size;
};

typedef void (*engine_job_fn)(const struct lane_name *name, uint64_t seq, int64_t due, void *arg);
typedef bool (*engine_walk_fn)(const char *part, const char *id, const void *data, size_t size, uint64_t rev,
                               void *arg);
typedef bool (*engine_counter_fn)(const char *name, int64_t value, void *arg);

struct store_engine {
    const char *scheme; /* "lmdb": what stands before the colon of a store's uri */
    enum err (*open)(const char *place, uint64_t map_size, void **self);
    void (*close)(void *self);

    enum err (*begin)(void *self);
    enum err (*apply)(void *self, struct changes *cs, struct effects *fx, uint64_t *rev);
    enum err (*commit)(void *self);
    void (*abort)(void *self);

    enum err (*read_begin)(void *self, void **txn);
    void (*read_end)(void *txn);
    enum err (*get)(void *txn, enum kind kind, const char *part, const char *id, struct record_view *out);
    enum err (*page)(void *txn, const struct page_query *query, struct store_page *page);
    enum err (*scan)(void *txn, const struct page_query *query, snapshot_scan_fn fn, void *arg);
    uint64_t (*count)(void *txn, enum kind kind, const char *part, enum index_id index, const char *match);
    int64_t (*counter)(void *txn, const char *part, const char *name);
    void (*counters)(void *txn, const char *part, const char *prefix, engine_counter_fn fn, void *arg);
    enum err (*feed)(void *txn, uint64_t after, feed_fn fn, void *arg, bool *gap);
    uint64_t (*feed_rev)(void *txn);
    enum err (*walk)(void *txn, enum kind kind, engine_walk_fn fn, void *arg);
    /* Every job in lane order, without its payload: fills the schedule at start. */
    enum err (*jobs)(void *self, engine_job_fn fn, void *arg);
    enum err (*job)(void *self, const struct lane_name *name, uint64_t seq, struct engine_job *out);

    /* The mark of the index table that the stored entries were made by (upgrade.c); 0: a new store. */
    enum err (*layout_get)(void *self, uint64_t *mark);
    enum err (*layout_put)(void *self, uint64_t mark);

    void (*stat)(void *self, struct engine_stat *out);
    enum err (*copy)(void *self, const char *dir);
};

extern const struct store_engine engine_lmdb;

#endif
