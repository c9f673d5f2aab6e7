/* kb_int.h: the parts of struct kb, shared by kb.c, search.c, meaning.c, write.c and follow.c. */
#ifndef CHASQUI_KB_INT_H
#define CHASQUI_KB_INT_H

#include <pthread.h>

#include "kb/cache.h"
#include "kb/kb.h"
#include "kb/rank.h"
#include "kb/vectors.h"
#include "queue/base/kv.h"
#include "queue/base/loop.h"

#define KB_RANKERS 8 /* scratch memories kept for the next question */

struct kb_waiter; /* follow.c */
struct kb_warm;   /* warm.c */

struct kb {
    struct store *store;
    struct kv *kv; /* owned */
    struct kb_cache *cache;
    struct kb_warm *warm;       /* owned */
    struct kb_vectors *vectors; /* owned */
    double previous_weight;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;   /* of the writer */
    bool stop, dirty;
    bool running;
    uint64_t rev; /* indexed up to here */
    struct kb_waiter *waiters;
    struct kb_vector_batch *embedded; /* to be written, newest first */
    struct kb_ranker *rankers[KB_RANKERS];
    size_t ranker_count;
    pthread_t writer;

    pthread_mutex_t change_mutex; /* guards what follows, and is held while it is called */
    void (*on_change)(const char *part, const char *id, void *arg);
    void *on_change_arg;
};

/* ---- warm.c: the reader ahead ---- */
struct kb_warm *kb_warm_new(struct kb *kb);
void kb_warm_stop(struct kb_warm *warm); /* tells who waits; once more is fine */
void kb_warm_free(struct kb_warm *warm); /* stopped */

/* ---- write.c: the changes of one commit ---- */
struct kb_batch;
enum err kb_batch_open(struct kb *kb, struct kb_batch **out) MUST_CHECK;
/* Puts what the index holds of a document in line with the record; doc NULL: there is none. */
enum err kb_batch_document(struct kb_batch *batch, const char *part, const char *id,
                           const json_t *doc) MUST_CHECK;
enum err kb_batch_meta(struct kb_batch *batch, const char *name, uint64_t value) MUST_CHECK;
/* Empties every table but META's version. */
enum err kb_batch_clear(struct kb_batch *batch) MUST_CHECK;
size_t kb_batch_bytes(const struct kb_batch *batch);
/* Commits and brings the collections in memory up to it; frees the batch whatever the outcome. */
enum err kb_batch_commit(struct kb_batch *batch) MUST_CHECK;
void kb_batch_abort(struct kb_batch *batch);

/* ---- meaning.c ---- */
/* Writes the batches in the list (newest first), tells who waits, frees them. The writer's thread. */
void kb_embedded_write(struct kb *kb, struct kb_vector_batch *batches);
void kb_change_tell(struct kb *kb, const char *part, const char *id);

/* ---- fuse.c ---- */
/* Where a hit's chunk stands in the durable index. */
struct kb_place {
    uint32_t collection;
    uint64_t number;
    double score, cosine;
};
/* What words find, best first, and what meaning finds. */
struct kb_fusion {
    const struct kb_place *words;
    size_t word_count;
    const struct kb_near *near;
    size_t near_count;
    double certain;
};
/* Joins them into out, which holds most; returns how many. confidence is that of the words before, and of the
 * first one joined behind. The rules are with kb_query. */
size_t kb_fuse(const struct kb_fusion *fusion, struct kb_place *out, size_t most, double *confidence);

/* ---- follow.c: the writer's thread ---- */
enum err kb_follow_start(struct kb *kb) MUST_CHECK; /* catches up, then starts the thread */
void kb_follow_stop(struct kb *kb);

#endif
