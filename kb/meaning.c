/* meaning.c: the vectors of a collection's chunks: which are missing, how many there are, how they come in.
 *
 * Vectors are made elsewhere (a model server is slow) and handed to the index's writer, which stores those
 * whose chunks are still there: so a document that was changed meanwhile cannot get the vectors of its old
 * text. */
#include <stdlib.h>
#include <string.h>

#include "kb/kb_int.h"
#include "kb/rows.h"
#include "queue/base/log.h"

/* A walk over the chunks of a collection, and whether each has its vector. */
struct walk {
    struct kv_txn *txn;
    struct kv_cursor *cursor;
    uint32_t collection;
    uint64_t number;
    struct kv_bytes row; /* of the chunk */
};

/* Begins behind a chunk's number. ERR_NOTFOUND: the collection has no chunk. */
static enum err walk_begin(struct kb *kb, const char *part, const char *collection, struct walk *walk)
{
    struct kb_key key;
    struct kb_collection_row row;
    enum err rc = kb_key_named(&key, part, collection);

    *walk = (struct walk){0};
    if (rc == ERR_OK) {
        rc = kv_begin_read(kb->kv, &walk->txn);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = kb_row_get(walk->txn, KB_COLLECTION, &key, &row, sizeof row);
    if (rc == ERR_OK) {
        walk->collection = row.collection;
        rc = kv_cursor_open(walk->txn, KB_CHUNK, &walk->cursor);
    }
    if (rc != ERR_OK) {
        kv_abort(walk->txn);
    }
    return rc;
}

static void walk_end(struct walk *walk)
{
    kv_cursor_close(walk->cursor);
    kv_abort(walk->txn);
}

/* Stands on the first chunk whose number is at least `from`. ERR_NOTFOUND: there is none. */
static enum err walk_to(struct walk *walk, uint64_t from)
{
    struct kb_key key;
    struct kv_bytes found;
    uint32_t collection;

    kb_key_numbered(&key, walk->collection, from);
    enum err rc = kv_cursor_seek(walk->cursor, kb_key_bytes(&key), &found, &walk->row);
    if (rc == ERR_OK) {
        kb_key_read(found, &collection, &walk->number);
        rc = collection == walk->collection ? ERR_OK : ERR_NOTFOUND;
    }
    return rc;
}

/* True if the chunk has a vector of that model. */
static bool has_vector(const struct walk *walk, const uint8_t model[KB_MODEL_MARK])
{
    struct kb_key key;
    struct kv_bytes row;

    kb_key_numbered(&key, walk->collection, walk->number);
    return kv_get(walk->txn, KB_VECTORS, kb_key_bytes(&key), &row) == ERR_OK &&
           row.size >= sizeof(struct kb_vector_head) && memcmp(row.data, model, KB_MODEL_MARK) == 0;
}

enum err kb_unembedded(struct kb *kb, const struct kb_embed_scope *scope, uint64_t after, size_t most,
                       struct arena *arena, struct kb_unembedded *out)
{
    struct walk walk;
    struct kb_chunk chunk;
    enum err rc = walk_begin(kb, scope->part, scope->collection, &walk);

    *out = (struct kb_unembedded){.rows = arena_alloc(arena, (most + 1) * sizeof *out->rows)};
    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    for (rc = walk_to(&walk, after + 1); rc == ERR_OK && out->count < most;
         rc = rc == ERR_OK ? walk_to(&walk, walk.number + 1) : rc) {
        if (has_vector(&walk, scope->model)) {
            continue;
        }
        rc = kb_chunk_decode(walk.row, arena, &chunk);
        if (rc == ERR_OK) {
            char *text = arena_printf(arena, "%s\n%s", chunk.title, chunk.text);
            out->rows[out->count++] = (struct kb_unembedded_row){walk.number, text};
        }
    }
    walk_end(&walk);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

enum err kb_embedded_count(struct kb *kb, const struct kb_embed_scope *scope, uint64_t *done, uint64_t *total)
{
    struct walk walk;
    enum err rc = walk_begin(kb, scope->part, scope->collection, &walk);

    *done = *total = 0;
    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    for (rc = walk_to(&walk, 0); rc == ERR_OK; rc = walk_to(&walk, walk.number + 1)) {
        *total += 1;
        *done += has_vector(&walk, scope->model) ? 1 : 0;
    }
    walk_end(&walk);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* The number of a collection; 0: it has no chunk. */
static uint32_t number_of(struct kb *kb, const char *part, const char *collection)
{
    struct walk walk;

    if (walk_begin(kb, part, collection, &walk) != ERR_OK) {
        return 0;
    }
    walk_end(&walk);
    return walk.collection;
}

void kb_embed(struct kb *kb, const struct kb_embedded *e, void (*fn)(void *arg), void *arg)
{
    struct kb_vector_batch *batch = xcalloc(1, sizeof *batch);

    CHECK(loop_current() != NULL && e->dimensions > 0 && e->dimensions <= KB_DIMENSIONS_MAX);
    *batch = (struct kb_vector_batch){.loop = loop_current(), .fn = fn, .arg = arg, .count = e->count};
    batch->collection = number_of(kb, e->scope.part, e->scope.collection);
    batch->dimensions = e->dimensions;
    memcpy(batch->model, e->scope.model, KB_MODEL_MARK);
    batch->numbers = xmalloc((e->count + 1) * sizeof *batch->numbers);
    batch->scales = xmalloc((e->count + 1) * sizeof *batch->scales);
    batch->parts = xmalloc((e->count + 1) * e->dimensions);
    for (size_t i = 0; i < e->count; i++) {
        batch->numbers[i] = e->numbers[i];
        batch->scales[i] =
            kb_quantise(e->vectors + i * e->dimensions, e->dimensions, batch->parts + i * e->dimensions);
    }
    pthread_mutex_lock(&kb->mutex);
    batch->next = kb->embedded;
    kb->embedded = batch;
    kb->dirty = true;
    pthread_cond_signal(&kb->wake);
    pthread_mutex_unlock(&kb->mutex);
}

/* Commits one batch. */
static enum err batch_write(struct kb *kb, const struct kb_vector_batch *batch)
{
    struct kv_txn *txn;
    enum err rc = kv_begin_write(kb->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = kb_vectors_write(txn, batch);
    if (rc != ERR_OK) {
        kv_abort(txn);
        return rc;
    }
    return kv_commit(txn);
}

void kb_embedded_write(struct kb *kb, struct kb_vector_batch *batches)
{
    while (batches != NULL) {
        struct kb_vector_batch *batch = batches;
        batches = batch->next;
        enum err rc = batch_write(kb, batch);
        if (rc == ERR_FULL && kv_grow(kb->kv) == ERR_OK) {
            rc = batch_write(kb, batch);
        }
        if (rc == ERR_OK) {
            kb_vectors_apply(kb->vectors, batch);
        } else {
            log_warn("kb.embed", "error=%s", err_name(rc));
        }
        loop_post(batch->loop, batch->fn, batch->arg);
        kb_vector_batch_free(batch);
    }
}

void kb_on_change(struct kb *kb, void (*fn)(const char *part, const char *id, void *arg), void *arg)
{
    pthread_mutex_lock(&kb->change_mutex);
    kb->on_change = fn;
    kb->on_change_arg = arg;
    pthread_mutex_unlock(&kb->change_mutex);
}

void kb_change_tell(struct kb *kb, const char *part, const char *id)
{
    pthread_mutex_lock(&kb->change_mutex);
    if (kb->on_change != NULL) {
        kb->on_change(part, id, kb->on_change_arg);
    }
    pthread_mutex_unlock(&kb->change_mutex);
}
