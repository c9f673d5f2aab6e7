/* write.c: one commit of the index: rows in the tables, and the same changes for the collections in memory.
 *
 * A document is replaced by taking all of its chunks out and putting the new ones in under new numbers;
 * numbers only rise and are never used again. A document whose digest is unchanged costs one read. Everything
 * happens in one write transaction; the memory is told only after the commit. */
#include <stdlib.h>
#include <string.h>

#include "kb/document.h"
#include "kb/kb_int.h"
#include "kb/rows.h"

#define ROW_BYTES_MAX (64u << 20)
#define ARENA_BYTES   (256u << 20)

/* A collection, by name. */
struct home {
    struct home *next;
    char *part, *collection; /* owned */
};

struct kb_batch {
    struct kb *kb;
    struct kv_txn *txn;
    struct kb_change *changes;
    size_t count, room;
    size_t bytes; /* of rows written */
    bool cleared;
    struct home *homes; /* collections that got chunks */
    struct kb_bag bag;
    struct buf row;
};

enum err kb_batch_open(struct kb *kb, struct kb_batch **out)
{
    struct kv_txn *txn;
    enum err rc = kv_begin_write(kb->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    struct kb_batch *batch = xcalloc(1, sizeof *batch);
    batch->kb = kb;
    batch->txn = txn;
    kb_bag_init(&batch->bag);
    buf_init(&batch->row, ROW_BYTES_MAX);
    *out = batch;
    return ERR_OK;
}

/* Notes a collection that got chunks, once. */
static void home_note(struct kb_batch *batch, const char *part, const char *collection)
{
    for (const struct home *home = batch->homes; home != NULL; home = home->next) {
        if (strcmp(home->part, part) == 0 && strcmp(home->collection, collection) == 0) {
            return;
        }
    }
    struct home *home = xcalloc(1, sizeof *home);
    *home = (struct home){batch->homes, xstrdup(part), xstrdup(collection)};
    batch->homes = home;
}

/* Frees the noted collections, and tells of them if the batch was committed. */
static void homes_end(struct kb_batch *batch, bool committed)
{
    while (batch->homes != NULL) {
        struct home *home = batch->homes;
        batch->homes = home->next;
        if (committed) {
            kb_change_tell(batch->kb, home->part, home->collection);
        }
        free(home->part);
        free(home->collection);
        free(home);
    }
}

static void batch_free(struct kb_batch *batch)
{
    homes_end(batch, false);
    for (size_t i = 0; i < batch->count; i++) {
        free(batch->changes[i].row);
    }
    free(batch->changes);
    kb_bag_fini(&batch->bag);
    buf_fini(&batch->row);
    free(batch);
}

void kb_batch_abort(struct kb_batch *batch)
{
    kv_abort(batch->txn);
    batch_free(batch);
}

size_t kb_batch_bytes(const struct kb_batch *batch)
{
    return batch->bytes;
}

enum err kb_batch_meta(struct kb_batch *batch, const char *name, uint64_t value)
{
    return kb_meta_put(batch->txn, name, value);
}

/* Notes a change for the collections in memory; copies the row. */
static void change_note(struct kb_batch *batch, uint32_t collection, uint64_t number, bool removed,
                        const void *row, size_t size)
{
    if (batch->count == batch->room) {
        batch->room = batch->room == 0 ? 64 : batch->room * 2;
        batch->changes = xrealloc(batch->changes, batch->room * sizeof *batch->changes);
    }
    char *copy = xmalloc(size);
    memcpy(copy, row, size);
    batch->changes[batch->count++] = (struct kb_change){collection, removed, number, copy, size};
    batch->bytes += size;
}

/* Takes one chunk out. */
static enum err chunk_remove(struct kb_batch *batch, uint32_t collection, uint64_t number)
{
    struct kb_key key;
    struct kv_bytes row;

    kb_key_numbered(&key, collection, number);
    enum err rc = kv_get(batch->txn, KB_TERMS, kb_key_bytes(&key), &row);
    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_CORRUPT : rc;
    }
    change_note(batch, collection, number, true, row.data, row.size);
    rc = kv_delete(batch->txn, KB_TERMS, kb_key_bytes(&key));
    if (rc == ERR_OK) {
        rc = kv_delete(batch->txn, KB_CHUNK, kb_key_bytes(&key));
    }
    if (rc == ERR_OK) {
        rc = kv_delete(batch->txn, KB_VECTORS, kb_key_bytes(&key));
        rc = rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    return rc;
}

/* Takes a document out with all of its chunks. */
static enum err document_remove(struct kb_batch *batch, const struct kb_key *key,
                                const struct kb_document_row *row)
{
    enum err rc = ERR_OK;

    for (uint32_t i = 0; i < row->count && rc == ERR_OK; i++) {
        rc = chunk_remove(batch, row->collection, row->first + i);
    }
    return rc == ERR_OK ? kv_delete(batch->txn, KB_DOCUMENT, kb_key_bytes(key)) : rc;
}

/* Writes one chunk. */
static enum err chunk_put(struct kb_batch *batch, const json_t *doc, const struct kb_chunk *chunk,
                          uint32_t collection, uint64_t number)
{
    struct kb_key key;

    kb_key_numbered(&key, collection, number);
    buf_reset(&batch->row);
    kb_chunk_encode(chunk, &batch->row);
    batch->bytes += batch->row.len;
    if (!buf_ok(&batch->row)) {
        return ERR_LIMIT;
    }
    enum err rc = kv_put(batch->txn, KB_CHUNK, kb_key_bytes(&key), KV_BYTES(batch->row.data, batch->row.len));
    if (rc != ERR_OK) {
        return rc;
    }
    kb_document_bag(doc, chunk, &batch->bag);
    buf_reset(&batch->row);
    const char *owner = chunk->page_id[0] != '\0' ? chunk->page_id : chunk->document_id;
    kb_terms_encode(owner, chunk->ordinal, &batch->bag, &batch->row);
    if (!buf_ok(&batch->row)) {
        return ERR_LIMIT;
    }
    change_note(batch, collection, number, false, batch->row.data, batch->row.len);
    return kv_put(batch->txn, KB_TERMS, kb_key_bytes(&key), KV_BYTES(batch->row.data, batch->row.len));
}

/* The row of a collection, made if it is new. */
static enum err collection_row(struct kb_batch *batch, const struct kb_key *key,
                               struct kb_collection_row *row)
{
    uint64_t number;
    enum err rc = kb_row_get(batch->txn, KB_COLLECTION, key, row, sizeof *row);

    if (rc != ERR_NOTFOUND) {
        return rc;
    }
    rc = kb_meta_get(batch->txn, "next_collection", 1, &number);
    if (rc == ERR_OK && number > UINT32_MAX) {
        rc = ERR_LIMIT;
    }
    if (rc == ERR_OK) {
        *row = (struct kb_collection_row){.next = 1, .collection = (uint32_t)number};
        rc = kb_meta_put(batch->txn, "next_collection", number + 1);
    }
    return rc;
}

/* Writes the chunks of a document and its row. */
static enum err document_put(struct kb_batch *batch, const char *part, const struct kb_key *key,
                             const json_t *doc, const uint8_t digest[32], struct arena *arena)
{
    struct kb_collection_row collection;
    struct kb_document_row row = {0};
    struct kb_key collection_key;
    struct kb_chunk *chunks;
    size_t count;
    enum err rc = kb_key_named(&collection_key, part, jx_str_or(doc, "collection_id", ""));

    if (rc == ERR_OK) {
        rc = kb_document_chunks(doc, arena, &chunks, &count);
    }
    if (rc == ERR_OK) {
        rc = collection_row(batch, &collection_key, &collection);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    row.first = collection.next;
    row.collection = collection.collection;
    row.count = (uint32_t)count;
    memcpy(row.digest, digest, sizeof row.digest);
    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        rc = chunk_put(batch, doc, &chunks[i], collection.collection, collection.next++);
    }
    if (rc == ERR_OK) {
        rc = kv_put(batch->txn, KB_COLLECTION, kb_key_bytes(&collection_key),
                    KV_BYTES(&collection, sizeof collection));
    }
    return rc == ERR_OK ? kv_put(batch->txn, KB_DOCUMENT, kb_key_bytes(key), KV_BYTES(&row, sizeof row)) : rc;
}

enum err kb_batch_document(struct kb_batch *batch, const char *part, const char *id, const json_t *doc)
{
    struct kb_key key;
    struct kb_document_row old;
    uint8_t digest[32];
    bool wanted =
        doc != NULL && kb_document_findable(doc) && kb_doc_type_known(jx_str_or(doc, "doc_type", "text"));
    enum err rc = kb_key_named(&key, part, id);

    if (rc != ERR_OK) {
        return rc;
    }
    if (wanted) {
        kb_document_digest(doc, digest);
    }
    rc = kb_row_get(batch->txn, KB_DOCUMENT, &key, &old, sizeof old);
    if (rc == ERR_OK && wanted && memcmp(old.digest, digest, sizeof digest) == 0) {
        return ERR_OK;
    }
    if (rc == ERR_OK) {
        rc = document_remove(batch, &key, &old);
    } else if (rc == ERR_NOTFOUND) {
        rc = ERR_OK;
    }
    if (rc != ERR_OK || !wanted) {
        return rc;
    }
    struct arena *arena = arena_new(ARENA_BYTES);
    rc = document_put(batch, part, &key, doc, digest, arena);
    arena_free(arena);
    home_note(batch, part, jx_str_or(doc, "collection_id", ""));
    return rc;
}

enum err kb_batch_clear(struct kb_batch *batch)
{
    enum err rc = ERR_OK;

    for (unsigned table = KB_COLLECTION; table < KB_TABLES && rc == ERR_OK; table++) {
        rc = kv_clear(batch->txn, table);
    }
    batch->cleared = true;
    return rc;
}

enum err kb_batch_commit(struct kb_batch *batch)
{
    struct kb *kb = batch->kb;
    uint64_t version;
    enum err rc = kb_meta_get(batch->txn, "version", 0, &version);

    if (rc == ERR_OK) {
        rc = kb_meta_put(batch->txn, "version", ++version);
    }
    if (rc != ERR_OK) {
        kb_batch_abort(batch);
        return rc;
    }
    rc = kv_commit(batch->txn);
    if (rc == ERR_OK && batch->cleared) {
        kb_cache_clear(kb->cache);
        kb_vectors_clear(kb->vectors);
    }
    if (rc == ERR_OK) {
        kb_cache_apply(kb->cache, batch->changes, batch->count, version);
    }
    homes_end(batch, rc == ERR_OK);
    batch_free(batch);
    return rc;
}
