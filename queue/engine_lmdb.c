/* engine_lmdb.c: the embedded engine: opening, the schema, transactions of the committer.
 *
 * Everything lies in one LMDB environment (queue/base/kv.h), laid out as keys.h says. The numbers that the
 * store hands out (revisions, job sequence) are kept in memory during a transaction and written by its
 * commit, so an aborted transaction gives its numbers back and a replay hands out the same ones. */
#include <stdlib.h>
#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/log.h"
#include "queue/engine_lmdb.h"

static const char *const tables[TABLE_LAST] = {
    [TABLE_META] = "meta",     [TABLE_RECORD] = "record", [TABLE_INDEX] = "index",
    [TABLE_JOB] = "job",       [TABLE_SEEN] = "seen",     [TABLE_COUNTER] = "counter",
    [TABLE_NUMBER] = "number", [TABLE_COUNT] = "count",   [TABLE_FEED] = "feed",
};

enum err lmdb_meta_get(struct kv_txn *txn, const char *name, uint64_t *out)
{
    struct kv_bytes value;
    enum err rc = kv_get(txn, TABLE_META, KV_BYTES(name, strlen(name)), &value);

    *out = 0;
    if (rc == ERR_NOTFOUND) {
        return ERR_OK;
    }
    if (rc == ERR_OK && value.size != 8) {
        return ERR_CORRUPT;
    }
    if (rc == ERR_OK) {
        *out = get_u64(value.data);
    }
    return rc;
}

enum err lmdb_meta_put(struct kv_txn *txn, const char *name, uint64_t value)
{
    uint8_t bytes[8];

    put_u64(bytes, value);
    return kv_put(txn, TABLE_META, KV_BYTES(name, strlen(name)), KV_BYTES(bytes, sizeof bytes));
}

/* Writes the numbers of the open transaction that changed. */
static enum err numbers_put(struct lmdb *db)
{
    const struct lmdb_numbers *was = &db->committed, *now = &db->now;
    enum err rc = ERR_OK;

    if (now->rev != was->rev) {
        rc = lmdb_meta_put(db->txn, "rev", now->rev);
    }
    if (rc == ERR_OK && now->seq != was->seq) {
        rc = lmdb_meta_put(db->txn, "seq", now->seq);
    }
    if (rc == ERR_OK && now->feed_dropped != was->feed_dropped) {
        rc = lmdb_meta_put(db->txn, "feed_dropped", now->feed_dropped);
    }
    return rc;
}

static enum err numbers_get(struct lmdb *db)
{
    struct kv_txn *txn;
    enum err rc = kv_begin_read(db->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = lmdb_meta_get(txn, "rev", &db->committed.rev);
    if (rc == ERR_OK) {
        rc = lmdb_meta_get(txn, "seq", &db->committed.seq);
    }
    if (rc == ERR_OK) {
        rc = lmdb_meta_get(txn, "feed_dropped", &db->committed.feed_dropped);
    }
    db->committed.feed_count = kv_count(txn, TABLE_FEED);
    kv_abort(txn);
    return rc;
}

/* Reads the layout's version; a new store gets ours, a newer one is refused. */
static enum err schema_check(struct lmdb *db)
{
    struct kv_txn *txn;
    uint64_t schema = 0;
    enum err rc = kv_begin_write(db->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = lmdb_meta_get(txn, "schema", &schema);
    if (rc == ERR_OK && schema == 0) {
        rc = lmdb_meta_put(txn, "schema", STORE_SCHEMA);
        if (rc == ERR_OK) {
            return kv_commit(txn);
        }
    }
    kv_abort(txn);
    if (rc == ERR_OK && schema > STORE_SCHEMA) {
        log_error("store.schema", "found=%llu known=%d", (unsigned long long)schema, STORE_SCHEMA);
        return ERR_SCHEMA;
    }
    return rc;
}

static void db_close(void *self)
{
    struct lmdb *db = self;

    CHECK(db->txn == NULL);
    kv_close(db->kv);
    buf_fini(&db->scratch);
    buf_fini(&db->old);
    free(db);
}

static enum err db_open(const char *place, uint64_t map_size, void **self)
{
    struct kv_options options = {.map_size = map_size, .journal = true};
    struct lmdb *db = xcalloc(1, sizeof *db);
    enum err rc = kv_open(place, &options, tables, TABLE_LAST, &db->kv);

    if (rc != ERR_OK) {
        free(db);
        return rc;
    }
    random_bytes(&db->run, sizeof db->run);
    db->open_wall = clock_wall_ms();
    db->open_mono = clock_mono_ms();
    buf_init(&db->scratch, STORE_BODY_MAX + 65536);
    buf_init(&db->old, 65536);
    rc = schema_check(db);
    if (rc == ERR_OK) {
        rc = numbers_get(db);
    }
    if (rc != ERR_OK) {
        db_close(db);
        return rc;
    }
    *self = db;
    return ERR_OK;
}

static enum err db_begin(void *self)
{
    struct lmdb *db = self;

    CHECK(db->txn == NULL);
    db->now = db->committed;
    db->fed = 0;
    db->tally_count = 0;
    db->marked = 0;
    return kv_begin_write(db->kv, &db->txn);
}

static void db_abort(void *self)
{
    struct lmdb *db = self;

    if (db->txn != NULL) {
        kv_abort(db->txn);
        db->txn = NULL;
    }
}

static enum err db_commit(void *self)
{
    struct lmdb *db = self;
    enum err rc = lmdb_tallies_put(db);

    if (rc == ERR_OK) {
        rc = lmdb_sweep(db);
    }
    if (rc == ERR_OK) {
        rc = numbers_put(db);
    }
    if (rc != ERR_OK) {
        db_abort(db);
        return rc;
    }
    struct kv_txn *txn = db->txn;
    db->txn = NULL;
    rc = kv_commit(txn);
    if (rc == ERR_OK) {
        db->committed = db->now;
    }
    return rc;
}

static enum err db_read_begin(void *self, void **txn)
{
    struct lmdb *db = self;
    struct kv_txn *read;
    enum err rc = kv_begin_read(db->kv, &read);

    *txn = rc == ERR_OK ? read : NULL;
    return rc;
}

static void db_read_end(void *txn)
{
    kv_abort(txn);
}

static enum err db_layout_get(void *self, uint64_t *mark)
{
    struct lmdb *db = self;
    struct kv_txn *txn;
    enum err rc = kv_begin_read(db->kv, &txn);

    if (rc == ERR_OK) {
        rc = lmdb_meta_get(txn, "layout", mark);
        kv_abort(txn);
    }
    return rc;
}

static enum err db_layout_put(void *self, uint64_t mark)
{
    struct lmdb *db = self;
    struct kv_txn *txn;
    enum err rc = kv_begin_write(db->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = lmdb_meta_put(txn, "layout", mark);
    if (rc == ERR_OK) {
        return kv_commit(txn);
    }
    kv_abort(txn);
    return rc;
}

static void db_stat(void *self, struct engine_stat *out)
{
    struct lmdb *db = self;
    struct kv_stat stat;

    kv_stat(db->kv, &stat);
    out->used_bytes = stat.used_bytes + stat.recent_bytes;
    out->recent_bytes = stat.recent_bytes;
    out->map_bytes = stat.map_size;
    out->oldest_reader_ms = stat.oldest_reader_ms;
}

static enum err db_copy(void *self, const char *dir)
{
    struct lmdb *db = self;

    return kv_copy(db->kv, dir);
}

const struct store_engine engine_lmdb = {
    .scheme = "lmdb",
    .open = db_open,
    .close = db_close,
    .begin = db_begin,
    .apply = lmdb_apply,
    .commit = db_commit,
    .abort = db_abort,
    .read_begin = db_read_begin,
    .read_end = db_read_end,
    .get = lmdb_get,
    .page = lmdb_page,
    .count = lmdb_count,
    .counter = lmdb_counter,
    .counters = lmdb_counters,
    .feed = lmdb_feed,
    .feed_rev = lmdb_feed_rev,
    .scan = lmdb_scan,
    .walk = lmdb_walk,
    .jobs = lmdb_jobs,
    .job = lmdb_job,
    .layout_get = db_layout_get,
    .layout_put = db_layout_put,
    .stat = db_stat,
    .copy = db_copy,
};
