/* engine_lmdb.h: what the files of the LMDB engine share. Private to the engine. */
#ifndef CHASQUI_QUEUE_ENGINE_LMDB_H
#define CHASQUI_QUEUE_ENGINE_LMDB_H

#include "queue/engine.h"

enum lmdb_table {
    TABLE_META,
    TABLE_RECORD,
    TABLE_INDEX,
    TABLE_JOB,
    TABLE_SEEN,
    TABLE_COUNTER,
    TABLE_NUMBER,
    TABLE_COUNT,
    TABLE_FEED,
    TABLE_LAST
};

#define FEED_KEEP  100000 /* entries of the change feed */
#define SWEEP_STEP 128    /* entries that one commit drops at most beyond what it added */

/* Numbers that the store hands out; the transaction's are written by its commit. feed_count, of the feed's
 * entries, is counted at opening and not stored. */
struct lmdb_numbers {
    uint64_t rev, seq, feed_dropped, feed_count;
};

/* What the open transaction adds to one stored count. */
#define TALLIES 32
struct tally {
    struct key key;
    int64_t delta;
};

struct lmdb {
    struct kv *kv;
    uint64_t run; /* random, new at each open: whose monotonic clock a due time counts on */
    int64_t open_wall, open_mono;
    struct lmdb_numbers committed;
    /* The committer's only: */
    struct kv_txn *txn;
    struct lmdb_numbers now;
    size_t fed, marked; /* feed entries and marks that this transaction added */
    struct key swept;   /* the oldest mark that the last sweep left, in swept_bucket's time */
    unsigned swept_bucket;
    struct buf scratch, old;
    struct tally tallies[TALLIES];
    size_t tally_count;
    bool fresh; /* the record of the operation under way is known not to be there */
};

enum err lmdb_apply(void *self, struct changes *cs, struct effects *fx, uint64_t *rev) MUST_CHECK;
/* Writes the counts that the open transaction changed. */
enum err lmdb_tallies_put(struct lmdb *db) MUST_CHECK;
/* Drops a few old marks and feed entries in the open transaction. */
enum err lmdb_sweep(struct lmdb *db) MUST_CHECK;
/* The due time of a stored job on this run's monotonic clock. */
int64_t lmdb_due(const struct lmdb *db, const struct job_head *head);

enum err lmdb_get(void *txn, enum kind kind, const char *part, const char *id,
                  struct record_view *out) MUST_CHECK;
enum err lmdb_page(void *txn, const struct page_query *query, struct store_page *page) MUST_CHECK;
enum err lmdb_scan(void *txn, const struct page_query *query, snapshot_scan_fn fn, void *arg) MUST_CHECK;
uint64_t lmdb_count(void *txn, enum kind kind, const char *part, enum index_id index, const char *match);
int64_t lmdb_counter(void *txn, const char *part, const char *name);
void lmdb_counters(void *txn, const char *part, const char *prefix, engine_counter_fn fn, void *arg);
enum err lmdb_feed(void *txn, uint64_t after, feed_fn fn, void *arg, bool *gap) MUST_CHECK;
uint64_t lmdb_feed_rev(void *txn);
enum err lmdb_walk(void *txn, enum kind kind, engine_walk_fn fn, void *arg) MUST_CHECK;
enum err lmdb_jobs(void *self, engine_job_fn fn, void *arg) MUST_CHECK;
enum err lmdb_job(void *self, const struct lane_name *name, uint64_t seq, struct engine_job *out) MUST_CHECK;

/* A number of the meta table; 0 if it was never written. */
enum err lmdb_meta_get(struct kv_txn *txn, const char *name, uint64_t *out) MUST_CHECK;
enum err lmdb_meta_put(struct kv_txn *txn, const char *name, uint64_t value) MUST_CHECK;

#endif
