/* lmdb_read.c: the reading half of the LMDB engine, except pages (lmdb_page.c). */
#include <stdlib.h>
#include <string.h>

#include "queue/engine_lmdb.h"

enum err lmdb_get(void *txn, enum kind kind, const char *part, const char *id, struct record_view *out)
{
    struct kv_bytes value;
    struct key key;

    key_record(&key, kind, part, id);
    if (!key.ok) {
        return ERR_NOTFOUND;
    }
    enum err rc = kv_get(txn, TABLE_RECORD, key_kv(&key), &value);
    if (rc == ERR_OK && !record_view(value, out)) {
        return ERR_CORRUPT;
    }
    return rc;
}

/* A stored 64-bit number; 0 if there is none. */
static uint64_t number_get(void *txn, unsigned table, const struct key *key)
{
    struct kv_bytes value;

    if (!key->ok || kv_get(txn, table, key_kv(key), &value) != ERR_OK || value.size != 8) {
        return 0;
    }
    return get_u64(value.data);
}

uint64_t lmdb_count(void *txn, enum kind kind, const char *part, enum index_id index, const char *match)
{
    struct key key;

    key_count(&key, kind, index, part, match != NULL ? match : "");
    return number_get(txn, TABLE_COUNT, &key);
}

int64_t lmdb_counter(void *txn, const char *part, const char *name)
{
    struct key key;

    key_named(&key, part, name);
    return (int64_t)number_get(txn, TABLE_COUNTER, &key);
}

static bool begins_with(struct kv_bytes bytes, const void *prefix, size_t size)
{
    return bytes.size >= size && memcmp(bytes.data, prefix, size) == 0;
}

/* The last text of a key as a text with its NUL; false if it is longer than any of ours. */
static bool tail_text(struct kv_bytes key, size_t from, char out[KEY_NAME_MAX + 1])
{
    size_t size = key.size - from;

    if (size > KEY_NAME_MAX) {
        return false;
    }
    memcpy(out, (const char *)key.data + from, size);
    out[size] = '\0';
    return true;
}

void lmdb_counters(void *txn, const char *part, const char *prefix, engine_counter_fn fn, void *arg)
{
    size_t part_size = strlen(part) + 1;
    struct kv_cursor *cursor;
    struct kv_bytes k, v;
    struct key key;

    key_named(&key, part, prefix);
    if (!key.ok || kv_cursor_open(txn, TABLE_COUNTER, &cursor) != ERR_OK) {
        return;
    }
    enum err rc = kv_cursor_seek(cursor, key_kv(&key), &k, &v);
    while (rc == ERR_OK && begins_with(k, key.data, key.size)) {
        char name[KEY_NAME_MAX + 1];
        if (v.size == 8 && tail_text(k, part_size, name) && !fn(name, (int64_t)get_u64(v.data), arg)) {
            break;
        }
        rc = kv_cursor_next(cursor, &k, &v);
    }
    kv_cursor_close(cursor);
}

/* Splits kind, part and id of a record's key; false if it is none. */
static bool record_key_split(struct kv_bytes key, enum kind *kind, char part[PARTITION_SIZE],
                             char id[KEY_NAME_MAX + 1])
{
    const uint8_t *data = key.data;
    const uint8_t *nul = key.size > 1 ? memchr(data + 1, 0, key.size - 1) : NULL;

    if (nul == NULL || nul - data - 1 >= PARTITION_SIZE) {
        return false;
    }
    *kind = (enum kind)data[0];
    memcpy(part, data + 1, (size_t)(nul - data));
    return tail_text(key, (size_t)(nul - data) + 1, id);
}

/* One feed entry to fn; *more is false when fn had enough. */
static enum err feed_entry(struct kv_bytes k, struct kv_bytes v, feed_fn fn, void *arg, bool *more)
{
    char part[PARTITION_SIZE], id[KEY_NAME_MAX + 1];
    enum kind kind;

    if (k.size != 12 || !record_key_split(v, &kind, part, id)) {
        return ERR_CORRUPT;
    }
    *more = fn(get_u64(k.data), kind, part, id, arg);
    return ERR_OK;
}

/* True if the feed cannot lead a follower on who has read up to after: entries were dropped, or the store is
 * older than he is (a restored copy). */
static enum err feed_gap(void *txn, uint64_t after, bool *gap)
{
    uint64_t dropped, rev;
    enum err rc = lmdb_meta_get(txn, "feed_dropped", &dropped);

    if (rc == ERR_OK) {
        rc = lmdb_meta_get(txn, "rev", &rev);
    }
    *gap = rc == ERR_OK && (after < dropped || after > rev);
    return rc;
}

enum err lmdb_feed(void *txn, uint64_t after, feed_fn fn, void *arg, bool *gap)
{
    struct kv_cursor *cursor;
    struct kv_bytes k, v;
    struct key key;
    bool more = true;
    enum err rc = feed_gap(txn, after, gap);

    if (rc == ERR_OK) {
        rc = kv_cursor_open(txn, TABLE_FEED, &cursor);
    }
    if (rc != ERR_OK || after == UINT64_MAX) {
        return rc;
    }
    key_begin(&key);
    key_u64(&key, after + 1);
    rc = kv_cursor_seek(cursor, key_kv(&key), &k, &v);
    while (rc == ERR_OK) {
        rc = feed_entry(k, v, fn, arg, &more);
        if (rc != ERR_OK || !more) {
            break;
        }
        rc = kv_cursor_next(cursor, &k, &v);
    }
    kv_cursor_close(cursor);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

uint64_t lmdb_feed_rev(void *txn)
{
    struct kv_cursor *cursor;
    struct kv_bytes k, v;
    uint64_t rev = 0;

    if (kv_cursor_open(txn, TABLE_FEED, &cursor) != ERR_OK) {
        return 0;
    }
    if (kv_cursor_last(cursor, &k, &v) == ERR_OK && k.size == 12) {
        rev = get_u64(k.data);
    }
    kv_cursor_close(cursor);
    return rev;
}

/* One record of a walk to fn. */
static enum err walk_record(struct kv_bytes k, struct kv_bytes v, engine_walk_fn fn, void *arg, bool *more)
{
    char part[PARTITION_SIZE], id[KEY_NAME_MAX + 1];
    struct record_view view;
    enum kind kind;

    if (!record_key_split(k, &kind, part, id) || !record_view(v, &view)) {
        return ERR_CORRUPT;
    }
    *more = fn(part, id, view.body, view.body_size, view.rev, arg);
    return ERR_OK;
}

enum err lmdb_walk(void *txn, enum kind kind, engine_walk_fn fn, void *arg)
{
    uint8_t prefix = (uint8_t)kind;
    struct kv_cursor *cursor;
    struct kv_bytes k, v;
    bool more = true;
    enum err rc = kv_cursor_open(txn, TABLE_RECORD, &cursor);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = kv_cursor_seek(cursor, KV_BYTES(&prefix, 1), &k, &v);
    while (rc == ERR_OK && begins_with(k, &prefix, 1)) {
        rc = walk_record(k, v, fn, arg, &more);
        if (rc != ERR_OK || !more) {
            break;
        }
        rc = kv_cursor_next(cursor, &k, &v);
    }
    kv_cursor_close(cursor);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* ---- jobs ---- */

/* Splits a job's key; the texts stay inside it. False if it is none. */
static bool job_key_split(struct kv_bytes key, struct lane_name *name, uint64_t *seq)
{
    const char *data = key.data;
    size_t size = key.size > 9 ? key.size - 8 : 0;
    const char *nul = size > 1 ? memchr(data + 1, 0, size - 1) : NULL;

    if (nul == NULL || nul - data - 1 >= PARTITION_SIZE) {
        return false;
    }
    name->queue = (uint8_t)data[0];
    name->part = data + 1;
    name->lane = nul + 1;
    size_t lane_room = size - (size_t)(name->lane - data);
    *seq = get_u64((const uint8_t *)data + size);
    return queue_row((enum queue_id)name->queue) != NULL && lane_room >= 2 && lane_room <= JOB_LANE_MAX + 1 &&
           strnlen(name->lane, lane_room) == lane_room - 1;
}

/* Passes every job on; due is read for the first job of each lane only, it is all that the schedule wants. */
static enum err jobs_pass(struct lmdb *db, struct kv_cursor *cursor, engine_job_fn fn, void *arg)
{
    struct key before = {.size = 0};
    struct kv_bytes k, v;
    enum err rc = kv_cursor_first(cursor, &k, &v);

    for (; rc == ERR_OK; rc = kv_cursor_next(cursor, &k, &v)) {
        struct job_head head = {.run = db->run};
        struct lane_name name;
        uint64_t seq;
        if (!job_key_split(k, &name, &seq)) {
            return ERR_CORRUPT;
        }
        bool first = k.size - 8 != before.size || memcmp(k.data, before.data, before.size) != 0;
        if (first && !job_head_get(v, &head)) {
            return ERR_CORRUPT;
        }
        fn(&name, seq, lmdb_due(db, &head), arg);
        before.size = k.size - 8;
        memcpy(before.data, k.data, before.size);
    }
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

enum err lmdb_jobs(void *self, engine_job_fn fn, void *arg)
{
    struct lmdb *db = self;
    struct kv_cursor *cursor;
    struct kv_txn *txn;
    enum err rc = kv_begin_read(db->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = kv_cursor_open(txn, TABLE_JOB, &cursor);
    if (rc == ERR_OK) {
        rc = jobs_pass(db, cursor, fn, arg);
        kv_cursor_close(cursor);
    }
    kv_abort(txn);
    return rc;
}

/* Copies head and payload out of the stored bytes. */
static enum err job_copy(struct kv_bytes value, struct engine_job *out)
{
    if (!job_head_get(value, &out->head)) {
        return ERR_CORRUPT;
    }
    out->size = value.size - JOB_HEAD;
    out->payload = xmalloc(out->size + 1);
    memcpy(out->payload, (const uint8_t *)value.data + JOB_HEAD, out->size);
    return ERR_OK;
}

enum err lmdb_job(void *self, const struct lane_name *name, uint64_t seq, struct engine_job *out)
{
    struct lmdb *db = self;
    struct kv_bytes value;
    struct kv_txn *txn;
    struct key key;
    enum err rc = kv_begin_read(db->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    key_job_lane(&key, name->queue, name->part, name->lane);
    key_u64(&key, seq);
    rc = kv_get(txn, TABLE_JOB, key_kv(&key), &value);
    if (rc == ERR_OK) {
        rc = job_copy(value, out);
    }
    kv_abort(txn);
    return rc;
}
