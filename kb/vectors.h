/* vectors.h: what passages mean, as vectors that an embedding model made, and the nearest ones to a question.
 *
 * Optional: without them everything is found by words. A row of the table VECTORS has the key of its chunk's
 * row: the model's mark (16 bytes), the scale, the number of parts, the parts. It goes in the same commit as
 * the chunk, so a passage that was changed or deleted has no vector any more; rows are written by the index's
 * writer alone (follow.c), and only where the chunk still is. All of it is derived: a rebuild of the index
 * drops them, and they are made again.
 *
 * A collection's vectors of one model are read into memory when they are first searched, and every one is
 * compared. Memory has a bound; the least recently searched go first. Thread: any. */
#ifndef CHASQUI_KB_VECTORS_H
#define CHASQUI_KB_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include "kb/dot.h"
#include "kb/kb.h"
#include "queue/base/kv.h"

struct kb_vectors;
struct kb_vectors *kb_vectors_new(struct kv *kv, size_t bytes);
void kb_vectors_free(struct kb_vectors *vectors);

/* The head of a row. */
struct kb_vector_head {
    uint8_t model[KB_MODEL_MARK];
    float scale;
    uint32_t dimensions;
};

/* Vectors on their way into the index; owned by who has it. */
struct kb_vector_batch {
    struct kb_vector_batch *next;
    struct loop *loop;
    void (*fn)(void *arg);
    void *arg;
    uint32_t collection;
    uint8_t model[KB_MODEL_MARK];
    size_t count, dimensions;
    uint64_t *numbers;
    float *scales; /* 0: this one has no vector and is left out */
    int8_t *parts;
};
void kb_vector_batch_free(struct kb_vector_batch *batch);
/* Writes the rows whose chunks are there. The writer's thread. */
enum err kb_vectors_write(struct kv_txn *txn, const struct kb_vector_batch *batch) MUST_CHECK;
/* Behind the commit: brings what is in memory up to it. */
void kb_vectors_apply(struct kb_vectors *vectors, const struct kb_vector_batch *batch);
/* The index was emptied. */
void kb_vectors_clear(struct kb_vectors *vectors);

/* Reads a collection's vectors into memory ahead of the first question, if it has any: those by the model of
 * the first one. */
enum err kb_vectors_warm(struct kb_vectors *vectors, uint32_t collection) MUST_CHECK;
/* Memory in use. */
size_t kb_vectors_bytes(struct kb_vectors *vectors);

/* The chunks nearest to a question. */
struct kb_near {
    uint32_t collection;
    uint64_t number;
    float cosine;
};
/* The nearest of one collection, nearest first, all with a cosine above 0, added to the count in near[],
 * which holds most. Rows of chunks that are gone may be among them. */
enum err kb_vectors_near(struct kb_vectors *vectors, uint32_t collection, const struct kb_vector *question,
                         struct kb_near *near, size_t *count, size_t most) MUST_CHECK;

#endif
