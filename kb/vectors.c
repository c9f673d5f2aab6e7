/* vectors.c: see vectors.h. */
#include "kb/vectors.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "kb/rows.h"

/* What an entry is known by. */
struct entry_key {
    uint32_t collection;
    uint8_t model[KB_MODEL_MARK];
};

/* The vectors of one collection by one model. */
struct entry {
    struct entry_key key;
    size_t dimensions, count, room, bytes;
    uint64_t *numbers;
    float *scales;
    int8_t *parts;
    atomic_uint_fast64_t used; /* stamp of the last search */
    UT_hash_handle hh;
};

struct kb_vectors {
    struct kv *kv;
    size_t limit, bytes;
    atomic_uint_fast64_t clock;
    pthread_rwlock_t lock; /* read to search, written to load and to follow */
    struct entry *entries;
};

struct kb_vectors *kb_vectors_new(struct kv *kv, size_t bytes)
{
    struct kb_vectors *vectors = xcalloc(1, sizeof *vectors);

    vectors->kv = kv;
    vectors->limit = bytes;
    pthread_rwlock_init(&vectors->lock, NULL);
    return vectors;
}

/* Takes an entry out and frees it. Lock held for writing. */
static void entry_drop(struct kb_vectors *vectors, struct entry *entry)
{
    HASH_DEL(vectors->entries, entry);
    vectors->bytes -= entry->bytes;
    free(entry->numbers);
    free(entry->scales);
    free(entry->parts);
    free(entry);
}

void kb_vectors_clear(struct kb_vectors *vectors)
{
    struct entry *entry, *next;

    pthread_rwlock_wrlock(&vectors->lock);
    HASH_ITER (hh, vectors->entries, entry, next) {
        entry_drop(vectors, entry);
    }
    pthread_rwlock_unlock(&vectors->lock);
}

void kb_vectors_free(struct kb_vectors *vectors)
{
    kb_vectors_clear(vectors);
    pthread_rwlock_destroy(&vectors->lock);
    free(vectors);
}

static struct entry_key key_of(uint32_t collection, const uint8_t model[KB_MODEL_MARK])
{
    struct entry_key key;

    memset(&key, 0, sizeof key);
    key.collection = collection;
    memcpy(key.model, model, KB_MODEL_MARK);
    return key;
}

static struct entry *entry_find(struct kb_vectors *vectors, const struct entry_key *key)
{
    struct entry *entry;

    HASH_FIND(hh, vectors->entries, key, sizeof *key, entry);
    return entry;
}

/* Adds one vector; one of another length is left out. */
static void entry_add(struct kb_vectors *vectors, struct entry *entry, uint64_t number, float scale,
                      size_t dimensions, const int8_t *parts)
{
    if (entry->dimensions == 0) {
        entry->dimensions = dimensions;
    }
    if (dimensions != entry->dimensions) {
        return;
    }
    if (entry->count == entry->room) {
        size_t each = sizeof *entry->numbers + sizeof *entry->scales + dimensions;
        entry->room = entry->room == 0 ? 64 : entry->room * 2;
        entry->numbers = xrealloc(entry->numbers, entry->room * sizeof *entry->numbers);
        entry->scales = xrealloc(entry->scales, entry->room * sizeof *entry->scales);
        entry->parts = xrealloc(entry->parts, entry->room * dimensions);
        vectors->bytes += entry->room * each - entry->bytes;
        entry->bytes = entry->room * each;
    }
    entry->numbers[entry->count] = number;
    entry->scales[entry->count] = scale;
    memcpy(entry->parts + entry->count * dimensions, parts, dimensions);
    entry->count++;
}

/* Takes the least recently searched entries out, but for this one, until the rest fits. */
static void evict(struct kb_vectors *vectors, const struct entry *keep)
{
    while (vectors->bytes > vectors->limit) {
        struct entry *oldest = NULL, *entry, *next;
        HASH_ITER (hh, vectors->entries, entry, next) {
            if (entry != keep && (oldest == NULL || entry->used < oldest->used)) {
                oldest = entry;
            }
        }
        if (oldest == NULL) {
            return;
        }
        entry_drop(vectors, oldest);
    }
}

/* Takes one row, if it is of the entry's model. */
static void row_take(struct kb_vectors *vectors, struct entry *entry, uint64_t number, struct kv_bytes row)
{
    struct kb_vector_head head;

    if (row.size < sizeof head) {
        return;
    }
    memcpy(&head, row.data, sizeof head);
    if (memcmp(head.model, entry->key.model, KB_MODEL_MARK) == 0 &&
        row.size == sizeof head + head.dimensions) {
        entry_add(vectors, entry, number, head.scale, head.dimensions,
                  (const int8_t *)row.data + sizeof head);
    }
}

/* Reads the rows of a collection. */
static enum err rows_read(struct kb_vectors *vectors, struct entry *entry)
{
    struct kv_txn *txn;
    struct kv_cursor *cursor;
    struct kv_bytes key, row;
    struct kb_key first;
    enum err rc = kv_begin_read(vectors->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    kb_key_numbered(&first, entry->key.collection, 0);
    rc = kv_cursor_open(txn, KB_VECTORS, &cursor);
    if (rc == ERR_OK) {
        for (rc = kv_cursor_seek(cursor, kb_key_bytes(&first), &key, &row); rc == ERR_OK;
             rc = kv_cursor_next(cursor, &key, &row)) {
            uint32_t collection;
            uint64_t number;
            kb_key_read(key, &collection, &number);
            if (collection != entry->key.collection) {
                break;
            }
            row_take(vectors, entry, number, row);
        }
        kv_cursor_close(cursor);
    }
    kv_abort(txn);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* Has the entry in memory. The writer's changes wait for the lock, and come again behind it: an addition that
 * was read already is there twice until the next reading, and the search takes each chunk once. */
static enum err entry_load(struct kb_vectors *vectors, const struct entry_key *key)
{
    enum err rc = ERR_OK;

    pthread_rwlock_wrlock(&vectors->lock);
    if (entry_find(vectors, key) == NULL) {
        struct entry *entry = xcalloc(1, sizeof *entry);
        entry->key = *key;
        entry->used = ++vectors->clock;
        HASH_ADD(hh, vectors->entries, key, sizeof *key, entry);
        rc = rows_read(vectors, entry);
        if (rc != ERR_OK) {
            entry_drop(vectors, entry);
        } else {
            evict(vectors, entry);
        }
    }
    pthread_rwlock_unlock(&vectors->lock);
    return rc;
}

/* The model of a collection's first vector. ERR_NOTFOUND: it has none. */
static enum err model_first(struct kb_vectors *vectors, uint32_t collection, uint8_t model[KB_MODEL_MARK])
{
    struct kv_txn *txn;
    struct kv_cursor *cursor;
    struct kv_bytes key, row;
    struct kb_key first;
    uint32_t owner = 0;
    uint64_t number;
    enum err rc = kv_begin_read(vectors->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    kb_key_numbered(&first, collection, 0);
    rc = kv_cursor_open(txn, KB_VECTORS, &cursor);
    if (rc == ERR_OK) {
        rc = kv_cursor_seek(cursor, kb_key_bytes(&first), &key, &row);
        if (rc == ERR_OK) {
            kb_key_read(key, &owner, &number);
            rc = owner == collection && row.size >= sizeof(struct kb_vector_head) ? ERR_OK : ERR_NOTFOUND;
        }
        if (rc == ERR_OK) {
            memcpy(model, row.data, KB_MODEL_MARK); /* the head begins with it */
        }
        kv_cursor_close(cursor);
    }
    kv_abort(txn);
    return rc;
}

enum err kb_vectors_warm(struct kb_vectors *vectors, uint32_t collection)
{
    uint8_t model[KB_MODEL_MARK];
    enum err rc = model_first(vectors, collection, model);

    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    struct entry_key key = key_of(collection, model);
    return entry_load(vectors, &key);
}

size_t kb_vectors_bytes(struct kb_vectors *vectors)
{
    pthread_rwlock_rdlock(&vectors->lock);
    size_t bytes = vectors->bytes;
    pthread_rwlock_unlock(&vectors->lock);
    return bytes;
}

/* Puts one chunk in its place among the nearest. */
static void near_put(struct kb_near *near, size_t *count, size_t most, const struct kb_near *one)
{
    size_t at = *count;

    if (at == most && near[at - 1].cosine >= one->cosine) {
        return;
    }
    while (at > 0 && near[at - 1].cosine < one->cosine) {
        at--;
    }
    for (size_t i = 0; i < *count; i++) {
        if (near[i].collection == one->collection && near[i].number == one->number) {
            return;
        }
    }
    if (*count < most) {
        ++*count;
    }
    memmove(near + at + 1, near + at, (*count - 1 - at) * sizeof *near);
    near[at] = *one;
}

/* Compares the question with every vector of an entry. */
static void entry_scan(const struct entry *entry, const struct kb_vector *question, struct kb_near *near,
                       size_t *count, size_t most)
{
    kb_dot_fn dot = kb_dot();

    if (entry->dimensions != question->dimensions) {
        return;
    }
    for (size_t i = 0; i < entry->count; i++) {
        int32_t product = dot(question->parts, entry->parts + i * entry->dimensions, entry->dimensions);
        struct kb_near one = {entry->key.collection, entry->numbers[i],
                              (float)product * question->scale * entry->scales[i]};
        if (product > 0) {
            near_put(near, count, most, &one);
        }
    }
}

enum err kb_vectors_near(struct kb_vectors *vectors, uint32_t collection, const struct kb_vector *question,
                         struct kb_near *near, size_t *count, size_t most)
{
    struct entry_key key = key_of(collection, question->model);
    bool done = false;

    for (unsigned tries = 0; tries < 3 && !done; tries++) {
        pthread_rwlock_rdlock(&vectors->lock);
        struct entry *entry = entry_find(vectors, &key);
        if (entry != NULL) {
            entry->used = ++vectors->clock;
            entry_scan(entry, question, near, count, most);
            done = true;
        }
        pthread_rwlock_unlock(&vectors->lock);
        enum err rc = done ? ERR_OK : entry_load(vectors, &key);
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return ERR_OK;
}

/* ---- writing ---- */

void kb_vector_batch_free(struct kb_vector_batch *batch)
{
    free(batch->numbers);
    free(batch->scales);
    free(batch->parts);
    free(batch);
}

/* Writes one row; a chunk that is gone gets none. */
static enum err row_write(struct kv_txn *txn, const struct kb_vector_batch *batch, size_t i, uint8_t *row)
{
    struct kb_key key;
    struct kv_bytes chunk;
    struct kb_vector_head head = {.scale = batch->scales[i], .dimensions = (uint32_t)batch->dimensions};

    kb_key_numbered(&key, batch->collection, batch->numbers[i]);
    enum err rc = kv_get(txn, KB_CHUNK, kb_key_bytes(&key), &chunk);
    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    memcpy(head.model, batch->model, KB_MODEL_MARK);
    memcpy(row, &head, sizeof head);
    memcpy(row + sizeof head, batch->parts + i * batch->dimensions, batch->dimensions);
    return kv_put(txn, KB_VECTORS, kb_key_bytes(&key), KV_BYTES(row, sizeof head + batch->dimensions));
}

enum err kb_vectors_write(struct kv_txn *txn, const struct kb_vector_batch *batch)
{
    uint8_t *row = xmalloc(sizeof(struct kb_vector_head) + batch->dimensions);
    enum err rc = ERR_OK;

    for (size_t i = 0; i < batch->count && rc == ERR_OK; i++) {
        if (batch->scales[i] > 0) {
            rc = row_write(txn, batch, i, row);
        }
    }
    free(row);
    return rc;
}

void kb_vectors_apply(struct kb_vectors *vectors, const struct kb_vector_batch *batch)
{
    struct entry_key key = key_of(batch->collection, batch->model);

    pthread_rwlock_wrlock(&vectors->lock);
    struct entry *entry = entry_find(vectors, &key);
    for (size_t i = 0; entry != NULL && i < batch->count; i++) {
        if (batch->scales[i] > 0) {
            entry_add(vectors, entry, batch->numbers[i], batch->scales[i], batch->dimensions,
                      batch->parts + i * batch->dimensions);
        }
    }
    if (entry != NULL) {
        evict(vectors, entry);
    }
    pthread_rwlock_unlock(&vectors->lock);
}
