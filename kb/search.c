/* search.c: a question against some collections of one partition. */
#include <stdlib.h>
#include <string.h>

#include "kb/confidence.h"
#include "kb/kb_int.h"
#include "kb/rows.h"
#include "queue/base/clock.h"

/* A collection of the question: its number, and where it stands in the question's list. */
struct member {
    uint32_t number;
    size_t listed;
    struct kb_hot *hot;
};
struct members {
    const struct kb_query *query;
    struct member *rows;
    const struct kb_index **indexes;
    size_t count; /* held */
};

/* A ranker nobody uses, or a new one. */
static struct kb_ranker *ranker_take(struct kb *kb)
{
    struct kb_ranker *ranker = NULL;

    pthread_mutex_lock(&kb->mutex);
    if (kb->ranker_count > 0) {
        ranker = kb->rankers[--kb->ranker_count];
    }
    pthread_mutex_unlock(&kb->mutex);
    return ranker != NULL ? ranker : kb_ranker_new();
}

/* Gives a ranker back. */
static void ranker_give(struct kb *kb, struct kb_ranker *ranker)
{
    pthread_mutex_lock(&kb->mutex);
    bool kept = kb->ranker_count < KB_RANKERS;
    if (kept) {
        kb->rankers[kb->ranker_count++] = ranker;
    }
    pthread_mutex_unlock(&kb->mutex);
    if (!kept) {
        kb_ranker_free(ranker);
    }
}

static int member_order(const void *a, const void *b)
{
    const struct member *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

/* The numbers of the question's collections, rising, each once; those without any document are left out. */
static enum err members_find(struct kb *kb, const struct kb_query *q, struct members *m)
{
    struct kv_txn *txn;
    size_t found = 0, kept = 0;
    enum err rc = kv_begin_read(kb->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < q->collection_count && rc == ERR_OK; i++) {
        struct kb_key key;
        struct kb_collection_row row;
        if (kb_key_named(&key, q->part, q->collections[i]) != ERR_OK) {
            continue;
        }
        rc = kb_row_get(txn, KB_COLLECTION, &key, &row, sizeof row);
        if (rc == ERR_OK) {
            m->rows[found++] = (struct member){row.collection, i, NULL};
        }
        rc = rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    kv_abort(txn);
    if (found > 1) {
        qsort(m->rows, found, sizeof *m->rows, member_order);
    }
    for (size_t i = 0; i < found; i++) {
        if (kept == 0 || m->rows[kept - 1].number != m->rows[i].number) {
            m->rows[kept++] = m->rows[i];
        }
    }
    m->count = kept;
    return rc;
}

/* Lets go of every collection. */
static void members_drop(struct kb *kb, struct members *m, size_t held)
{
    for (size_t i = 0; i < held; i++) {
        kb_cache_drop(kb->cache, m->rows[i].hot);
    }
}

/* Holds every collection of the question, or none. */
static enum err members_hold(struct kb *kb, struct members *m)
{
    for (size_t i = 0; i < m->count; i++) {
        enum err rc = kb_cache_hold(kb->cache, m->rows[i].number, &m->rows[i].hot);
        if (rc != ERR_OK) {
            members_drop(kb, m, i);
            return rc;
        }
        m->indexes[i] = kb_hot_index(m->rows[i].hot);
    }
    return ERR_OK;
}

/* Ranks, and notes the places of the hits while the collections are held. */
static size_t rank_held(struct kb *kb, const struct kb_query *q, const struct members *m,
                        struct kb_place *places, double *confidence)
{
    struct kb_ranker *ranker = ranker_take(kb);
    struct kb_ranking ranking;
    size_t limit = q->limit == 0 ? 1 : q->limit > KB_RANK_MAX || q->vector != NULL ? KB_RANK_MAX : q->limit;
    struct kb_rank_query rank = {m->indexes, m->count, q->text, q->previous, kb->previous_weight, limit};

    kb_rank(ranker, &rank, &ranking);
    ranker_give(kb, ranker);
    *confidence = ranking.count > 0 ? kb_confidence(ranking.signals) : 0;
    for (size_t i = 0; i < ranking.count; i++) {
        const struct kb_rank_hit *hit = &ranking.hits[i];
        places[i] = (struct kb_place){.collection = m->rows[hit->index].number,
                                      .number = m->indexes[hit->index]->slots[hit->slot].number,
                                      .score = hit->score};
    }
    return ranking.count;
}

/* Leaves out what was deleted since it was read into memory; much of that has the memory read anew. */
static enum err near_living(struct kb *kb, struct kb_near *near, size_t *count)
{
    struct kv_txn *txn;
    size_t kept = 0;
    enum err rc = kv_begin_read(kb->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < *count; i++) {
        struct kb_key key;
        struct kv_bytes row;
        kb_key_numbered(&key, near[i].collection, near[i].number);
        if (kv_get(txn, KB_CHUNK, kb_key_bytes(&key), &row) == ERR_OK) {
            near[kept++] = near[i];
        }
    }
    kv_abort(txn);
    if (kept < *count / 2) {
        kb_vectors_clear(kb->vectors);
    }
    *count = kept;
    return ERR_OK;
}

/* Joins what meaning finds to the places of the words. */
static enum err meaning_join(struct kb *kb, const struct members *m, struct kb_place *places, size_t *count,
                             double *confidence)
{
    const struct kb_query *q = m->query;
    struct kb_near near[KB_RANK_MAX];
    struct kb_place joined[KB_RANK_MAX];
    size_t near_count = 0, limit = q->limit == 0 ? 1 : q->limit > KB_RANK_MAX ? KB_RANK_MAX : q->limit;
    enum err rc = ERR_OK;

    for (size_t i = 0; i < m->count && rc == ERR_OK; i++) {
        rc = kb_vectors_near(kb->vectors, m->rows[i].number, q->vector, near, &near_count, KB_RANK_MAX);
    }
    if (rc == ERR_OK) {
        rc = near_living(kb, near, &near_count);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (near_count == 0) {
        *count = *count < limit ? *count : limit;
        return ERR_OK;
    }
    struct kb_fusion fusion = {places, *count, near, near_count, q->vector->certain};
    *count = kb_fuse(&fusion, joined, limit, confidence);
    memcpy(places, joined, *count * sizeof *places);
    return ERR_OK;
}

/* The question's own id of a collection. */
static const char *collection_id(const struct members *m, uint32_t number)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->rows[i].number == number) {
            return m->query->collections[m->rows[i].listed];
        }
    }
    return "";
}

/* Reads the chunks of the hits; one that was deleted since is left out. */
static enum err hits_read(struct kb *kb, const struct members *m, const struct kb_place *places, size_t count,
                          struct arena *arena, struct kb_result *result)
{
    struct kv_txn *txn;
    enum err rc = kv_begin_read(kb->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    result->hits = arena_alloc(arena, (count + 1) * sizeof *result->hits);
    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        struct kb_key key;
        struct kv_bytes value;
        struct kb_hit *hit = &result->hits[result->count];
        kb_key_numbered(&key, places[i].collection, places[i].number);
        rc = kv_get(txn, KB_CHUNK, kb_key_bytes(&key), &value);
        if (rc == ERR_NOTFOUND) {
            rc = ERR_OK;
            continue;
        }
        if (rc == ERR_OK) {
            rc = kb_chunk_decode(value, arena, &hit->chunk);
            hit->collection_id = arena_strdup(arena, collection_id(m, places[i].collection));
            hit->score = places[i].score;
            result->count++;
        }
    }
    kv_abort(txn);
    return rc;
}

enum err kb_search(struct kb *kb, const struct kb_query *q, struct arena *arena, struct kb_result *result)
{
    int64_t start = clock_mono_us();
    struct members m = {.query = q};
    size_t count = 0;

    *result = (struct kb_result){0};
    if (q->part == NULL || q->text == NULL) {
        return ERR_INVALID;
    }
    m.rows = arena_alloc(arena, (q->collection_count + 1) * sizeof *m.rows);
    m.indexes = arena_alloc(arena, (q->collection_count + 1) * sizeof *m.indexes);
    struct kb_place *places = arena_alloc(arena, KB_RANK_MAX * sizeof *places);
    enum err rc = members_find(kb, q, &m);
    if (rc == ERR_OK) {
        rc = members_hold(kb, &m);
    }
    if (rc == ERR_OK) {
        count = rank_held(kb, q, &m, places, &result->confidence);
        members_drop(kb, &m, m.count);
    }
    if (rc == ERR_OK && q->vector != NULL) {
        rc = meaning_join(kb, &m, places, &count, &result->confidence);
    }
    if (rc == ERR_OK) {
        rc = hits_read(kb, &m, places, count, arena, result);
    }
    if (rc != ERR_OK || result->count == 0) {
        *result = (struct kb_result){.hits = result->hits};
    }
    result->shipped = result->confidence;
    result->took_us = clock_mono_us() - start;
    return rc;
}
