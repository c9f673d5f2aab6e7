/* cache.c: see cache.h. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "kb/cache.h"
#include "kb/rows.h"

#define DEAD_MIN 1000 /* dead slots below which an index is never read anew */

struct kb_hot {
    uint32_t collection;
    unsigned holders; /* under the cache's mutex */
    bool orphan;      /* no longer in the cache: the last holder frees it */
    uint64_t used;    /* stamp of the last search */
    size_t bytes;     /* as counted in the cache */
    pthread_rwlock_t lock;
    struct kb_index *index; /* under lock; NULL: loading failed */
    uint64_t version;
    UT_hash_handle hh;
};

struct kb_cache {
    struct kv *kv;
    pthread_mutex_t mutex;
    struct kb_hot *by_collection;
    size_t limit;
    uint64_t clock;
    struct kb_cache_stat stat;
};

struct kb_cache *kb_cache_new(struct kv *kv, size_t bytes)
{
    struct kb_cache *cache = xcalloc(1, sizeof *cache);

    cache->kv = kv;
    cache->limit = bytes;
    pthread_mutex_init(&cache->mutex, NULL);
    return cache;
}

/* A new entry, locked for writing. Writers go before readers, or a stream of questions would starve them. */
static struct kb_hot *hot_new(uint32_t collection)
{
    struct kb_hot *hot = xcalloc(1, sizeof *hot);
    pthread_rwlockattr_t attr;

    hot->collection = collection;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&hot->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    pthread_rwlock_wrlock(&hot->lock);
    return hot;
}

static void hot_free(struct kb_hot *hot)
{
    kb_index_free(hot->index);
    pthread_rwlock_destroy(&hot->lock);
    free(hot);
}

/* Takes an entry out of the table; frees it now or leaves that to its last holder. Mutex held. */
static void hot_remove_locked(struct kb_cache *cache, struct kb_hot *hot)
{
    HASH_DEL(cache->by_collection, hot);
    cache->stat.bytes -= hot->bytes;
    cache->stat.collections--;
    hot->orphan = true;
    if (hot->holders == 0) {
        hot_free(hot);
    }
}

void kb_cache_clear(struct kb_cache *cache)
{
    struct kb_hot *hot, *next;

    pthread_mutex_lock(&cache->mutex);
    HASH_ITER (hh, cache->by_collection, hot, next) {
        hot_remove_locked(cache, hot);
    }
    pthread_mutex_unlock(&cache->mutex);
}

void kb_cache_free(struct kb_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    kb_cache_clear(cache);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

/* Frees entries nobody holds, least recently used first, until the bound is kept; the newest one stays. Mutex
 * held. */
static void evict_locked(struct kb_cache *cache)
{
    while (cache->stat.bytes > cache->limit && cache->stat.collections > 1) {
        struct kb_hot *oldest = NULL, *hot, *next;
        HASH_ITER (hh, cache->by_collection, hot, next) {
            if (hot->holders == 0 && hot->used != cache->clock &&
                (oldest == NULL || hot->used < oldest->used)) {
                oldest = hot;
            }
        }
        if (oldest == NULL) {
            return;
        }
        hot_remove_locked(cache, oldest);
        cache->stat.evictions++;
    }
}

void kb_cache_limit(struct kb_cache *cache, size_t bytes)
{
    pthread_mutex_lock(&cache->mutex);
    cache->limit = bytes;
    evict_locked(cache);
    pthread_mutex_unlock(&cache->mutex);
}

/* Counts the entry's memory as it is now. The caller has it locked or is its loader. */
static void account(struct kb_cache *cache, struct kb_hot *hot)
{
    size_t bytes = hot->index == NULL ? 0 : kb_index_bytes(hot->index);

    pthread_mutex_lock(&cache->mutex);
    if (!hot->orphan) {
        cache->stat.bytes = cache->stat.bytes - hot->bytes + bytes;
        hot->bytes = bytes;
        evict_locked(cache);
    }
    pthread_mutex_unlock(&cache->mutex);
}

/* Reads every TERMS row of the collection into the index. */
static enum err rows_load(struct kv_txn *txn, uint32_t collection, struct kb_index *index)
{
    struct kv_cursor *cursor;
    struct kv_bytes k, v;
    struct kb_key key;
    struct kb_bag bag;
    enum err rc = kv_cursor_open(txn, KB_TERMS, &cursor);

    if (rc != ERR_OK) {
        return rc;
    }
    kb_bag_init(&bag);
    kb_key_numbered(&key, collection, 0);
    for (rc = kv_cursor_seek(cursor, kb_key_bytes(&key), &k, &v); rc == ERR_OK;
         rc = kv_cursor_next(cursor, &k, &v)) {
        uint32_t owner, ordinal;
        uint64_t number;
        const char *document;
        kb_key_read(k, &owner, &number);
        if (owner != collection) {
            break;
        }
        rc = kb_terms_decode(v, &document, &ordinal, &bag);
        if (rc == ERR_OK && !kb_index_add(index, &bag, number, document, ordinal)) {
            rc = ERR_LIMIT;
        }
        if (rc != ERR_OK) {
            break;
        }
    }
    kb_bag_fini(&bag);
    kv_cursor_close(cursor);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* Fills a new entry from the durable index. */
static enum err hot_load(struct kb_cache *cache, struct kb_hot *hot)
{
    struct kv_txn *txn;
    struct kb_index *index = kb_index_new();
    enum err rc = kv_begin_read(cache->kv, &txn);

    if (rc == ERR_OK) {
        rc = kb_meta_get(txn, "version", 0, &hot->version);
        if (rc == ERR_OK) {
            rc = rows_load(txn, hot->collection, index);
        }
        kv_abort(txn);
    }
    if (rc != ERR_OK) {
        kb_index_free(index);
        return rc;
    }
    hot->index = index;
    return ERR_OK;
}

/* The entry of the collection, held once more; made of *spare (which is then NULL) if there is none. */
static struct kb_hot *hot_find(struct kb_cache *cache, uint32_t collection, struct kb_hot **spare)
{
    struct kb_hot *hot;

    pthread_mutex_lock(&cache->mutex);
    HASH_FIND(hh, cache->by_collection, &collection, sizeof collection, hot);
    if (hot == NULL && *spare != NULL) {
        hot = *spare;
        *spare = NULL;
        HASH_ADD(hh, cache->by_collection, collection, sizeof collection, hot);
        cache->stat.collections++;
        cache->stat.loads++;
    }
    if (hot != NULL) {
        hot->holders++;
        hot->used = ++cache->clock;
    }
    pthread_mutex_unlock(&cache->mutex);
    return hot;
}

/* As hot_find, always with an entry; *fresh: it is new, locked for writing, and to be loaded by the caller.
 * The new entry is locked before the cache's mutex is taken, for that is the order of locks everywhere. */
static struct kb_hot *hot_get(struct kb_cache *cache, uint32_t collection, bool *fresh)
{
    struct kb_hot *spare = NULL;
    struct kb_hot *hot = hot_find(cache, collection, &spare);

    *fresh = false;
    if (hot != NULL) {
        return hot;
    }
    spare = hot_new(collection);
    hot = hot_find(cache, collection, &spare);
    *fresh = spare == NULL;
    if (spare != NULL) {
        pthread_rwlock_unlock(&spare->lock);
        hot_free(spare);
    }
    return hot;
}

/* One holder less. */
static void hot_release(struct kb_cache *cache, struct kb_hot *hot)
{
    pthread_mutex_lock(&cache->mutex);
    CHECK(hot->holders > 0);
    hot->holders--;
    if (hot->orphan && hot->holders == 0) {
        hot_free(hot);
    }
    pthread_mutex_unlock(&cache->mutex);
}

/* Takes an entry out of the cache if it is still there: the next search reads it anew. */
static void hot_forget(struct kb_cache *cache, struct kb_hot *hot)
{
    pthread_mutex_lock(&cache->mutex);
    if (!hot->orphan) {
        hot_remove_locked(cache, hot);
    }
    pthread_mutex_unlock(&cache->mutex);
}

enum err kb_cache_hold(struct kb_cache *cache, uint32_t collection, struct kb_hot **out)
{
    bool fresh;
    struct kb_hot *hot = hot_get(cache, collection, &fresh);
    enum err rc = ERR_OK;

    if (fresh) {
        rc = hot_load(cache, hot);
        account(cache, hot);
        pthread_rwlock_unlock(&hot->lock);
    }
    pthread_rwlock_rdlock(&hot->lock);
    if (hot->index == NULL) {
        rc = rc == ERR_OK ? ERR_IO : rc;
        pthread_rwlock_unlock(&hot->lock);
        hot_forget(cache, hot);
        hot_release(cache, hot);
        return rc;
    }
    *out = hot;
    return ERR_OK;
}

bool kb_cache_has(struct kb_cache *cache, uint32_t collection)
{
    struct kb_hot *hot;

    pthread_mutex_lock(&cache->mutex);
    HASH_FIND(hh, cache->by_collection, &collection, sizeof collection, hot);
    bool has = hot != NULL && pthread_rwlock_tryrdlock(&hot->lock) == 0;
    if (has) {
        pthread_rwlock_unlock(&hot->lock);
    }
    pthread_mutex_unlock(&cache->mutex);
    return has;
}

void kb_cache_drop(struct kb_cache *cache, struct kb_hot *hot)
{
    pthread_rwlock_unlock(&hot->lock);
    hot_release(cache, hot);
}

const struct kb_index *kb_hot_index(const struct kb_hot *hot)
{
    return hot->index;
}

/* Applies one change; false if the index cannot take it. */
static bool change_apply(struct kb_index *index, const struct kb_change *change, struct kb_bag *bag)
{
    const char *document;
    uint32_t ordinal;

    if (kb_terms_decode(KV_BYTES(change->row, change->size), &document, &ordinal, bag) != ERR_OK) {
        return false;
    }
    if (change->removed) {
        kb_index_remove(index, bag, change->number);
        return true;
    }
    return kb_index_add(index, bag, change->number, document, ordinal);
}

/* Applies the changes of the entry's collection. */
static void hot_apply(struct kb_cache *cache, struct kb_hot *hot, const struct kb_change *changes,
                      size_t count, uint64_t version)
{
    struct kb_bag bag;
    bool good = true;

    kb_bag_init(&bag);
    pthread_rwlock_wrlock(&hot->lock);
    if (hot->index != NULL && hot->version < version) {
        for (size_t i = 0; i < count && good; i++) {
            good = changes[i].collection != hot->collection || change_apply(hot->index, &changes[i], &bag);
        }
        hot->version = version;
        size_t dead = hot->index->slot_count - hot->index->live;
        good = good && (dead < DEAD_MIN || dead < hot->index->live);
        account(cache, hot);
    }
    pthread_rwlock_unlock(&hot->lock);
    kb_bag_fini(&bag);
    if (!good) {
        hot_forget(cache, hot);
    }
}

void kb_cache_apply(struct kb_cache *cache, const struct kb_change *changes, size_t count, uint64_t version)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && changes[i].collection == changes[i - 1].collection) {
            continue;
        }
        struct kb_hot *none = NULL, *hot = hot_find(cache, changes[i].collection, &none);
        if (hot != NULL) {
            hot_apply(cache, hot, changes, count, version);
            hot_release(cache, hot);
        }
    }
}

void kb_cache_stat(struct kb_cache *cache, struct kb_cache_stat *out)
{
    struct kb_hot *hot, *next;

    pthread_mutex_lock(&cache->mutex);
    cache->stat.words = 0;
    HASH_ITER (hh, cache->by_collection, hot, next) {
        if (pthread_rwlock_tryrdlock(&hot->lock) == 0) {
            cache->stat.words += hot->index == NULL ? 0 : hot->index->word_count;
            pthread_rwlock_unlock(&hot->lock);
        }
    }
    *out = cache->stat;
    pthread_mutex_unlock(&cache->mutex);
}
