/* kb.c: opening, closing and the state of the knowledge room. */
#include <stdlib.h>
#include <string.h>

#include "kb/kb_int.h"
#include "kb/rows.h"
#include "queue/base/log.h"

#define MAP_FIRST       ((size_t)256 << 20) /* address space, doubled when it is full */
#define CACHE_BYTES     ((size_t)512 << 20)
#define VECTOR_BYTES    ((size_t)256 << 20)
#define PREVIOUS_WEIGHT 0.35

enum err kb_open(struct store *store, const char *dir, struct kb **out)
{
    struct kb *kb = xcalloc(1, sizeof *kb);
    struct kv_options options = {.map_size = MAP_FIRST};
    enum err rc = kv_open(dir, &options, KB_TABLE_NAMES, KB_TABLES, &kb->kv);

    if (rc != ERR_OK) {
        free(kb);
        return rc;
    }
    kb->store = store;
    kb->cache = kb_cache_new(kb->kv, CACHE_BYTES);
    kb->vectors = kb_vectors_new(kb->kv, VECTOR_BYTES);
    kb->warm = kb_warm_new(kb);
    kb->previous_weight = PREVIOUS_WEIGHT;
    pthread_mutex_init(&kb->mutex, NULL);
    pthread_mutex_init(&kb->change_mutex, NULL);
    pthread_cond_init(&kb->wake, NULL);
    rc = kb_follow_start(kb);
    if (rc != ERR_OK) {
        log_error("kb.open", "error=%s", err_name(rc));
        kb_close(kb);
        return rc;
    }
    *out = kb;
    return ERR_OK;
}

void kb_close(struct kb *kb)
{
    if (kb == NULL) {
        return;
    }
    kb_warm_stop(kb->warm);
    kb_warm_free(kb->warm);
    kb_follow_stop(kb);
    for (size_t i = 0; i < kb->ranker_count; i++) {
        kb_ranker_free(kb->rankers[i]);
    }
    kb_cache_free(kb->cache);
    kb_vectors_free(kb->vectors);
    kv_close(kb->kv);
    pthread_cond_destroy(&kb->wake);
    pthread_mutex_destroy(&kb->mutex);
    pthread_mutex_destroy(&kb->change_mutex);
    free(kb);
}

void kb_set_memory(struct kb *kb, size_t bytes)
{
    kb_cache_limit(kb->cache, bytes);
}

void kb_stats(struct kb *kb, struct kb_stats *out)
{
    struct kb_cache_stat cache;
    struct kv_stat kv;
    struct kv_txn *txn;

    *out = (struct kb_stats){0};
    if (kv_begin_read(kb->kv, &txn) == ERR_OK) {
        out->documents = kv_count(txn, KB_DOCUMENT);
        out->chunks = kv_count(txn, KB_CHUNK);
        kv_abort(txn);
    }
    kb_cache_stat(kb->cache, &cache);
    kv_stat(kb->kv, &kv);
    out->terms = cache.words;
    out->memory = cache.bytes;
    out->bytes = kv.used_bytes;
    pthread_mutex_lock(&kb->mutex);
    out->feed_rev = kb->rev;
    pthread_mutex_unlock(&kb->mutex);
}
