/* rows.h: the durable index: what stands in its tables, and how it is written and read.
 *
 * Postings are kept by chunk: one row names the chunk's words and their counts, and the inverted form is made
 * of these rows when a collection is searched for the first time (cache.h). So a change costs one small row
 * for each chunk, a delete is exact, and grams need no room, because they follow from the words.
 *
 *   META        name -> number: version (commits so far), rev (of the feed), rebuilding, next_collection,
 * format COLLECTION  partition NUL collection id -> number of the collection (u32), next chunk number (u64)
 *   DOCUMENT    partition NUL document id -> struct kb_document_row
 *   CHUNK       collection (u32), chunk number (u64), big endian -> what a hit shows
 *   TERMS       the same key -> ordinal, document id, words with counts
 *   VECTORS     the same key -> what an embedding model made of the chunk (vectors.h)
 *
 * Numbers in values have the machine's order of bytes: derived data never leaves its machine. Thread: the
 * transaction's. */
#ifndef CHASQUI_KB_ROWS_H
#define CHASQUI_KB_ROWS_H

#include <stdint.h>

#include "kb/kb.h"
#include "kb/words.h"
#include "queue/base/kv.h"

#define KB_FORMAT 4 /* raise it when rows, folding or splitting change: another format on disk is rebuilt */

enum kb_table { KB_META, KB_COLLECTION, KB_DOCUMENT, KB_CHUNK, KB_TERMS, KB_VECTORS, KB_TABLES };
extern const char *const KB_TABLE_NAMES[KB_TABLES];

struct kb_collection_row {
    uint64_t next; /* chunk number */
    uint32_t collection;
    uint32_t unused;
};
struct kb_document_row {
    uint64_t first; /* chunk number; the others follow */
    uint32_t collection;
    uint32_t count;
    uint8_t digest[32];
};

/* A key "partition NUL id", or a collection with a chunk number. */
struct kb_key {
    uint8_t bytes[KV_KEY_MAX];
    size_t size;
};
enum err kb_key_named(struct kb_key *key, const char *part,
                      const char *id) MUST_CHECK; /* ERR_INVALID if too long */
void kb_key_numbered(struct kb_key *key, uint32_t collection, uint64_t number);
void kb_key_read(struct kv_bytes key, uint32_t *collection, uint64_t *number);
static inline struct kv_bytes kb_key_bytes(const struct kb_key *key)
{
    return KV_BYTES(key->bytes, key->size);
}

/* A number of META; fallback if absent. */
enum err kb_meta_get(struct kv_txn *txn, const char *name, uint64_t fallback, uint64_t *out) MUST_CHECK;
enum err kb_meta_put(struct kv_txn *txn, const char *name, uint64_t value) MUST_CHECK;
/* A fixed-size row; ERR_NOTFOUND if absent, ERR_CORRUPT if of another size. */
enum err kb_row_get(struct kv_txn *txn, enum kb_table table, const struct kb_key *key, void *row,
                    size_t size) MUST_CHECK;

/* What a hit shows. */
void kb_chunk_encode(const struct kb_chunk *chunk, struct buf *out);
enum err kb_chunk_decode(struct kv_bytes value, struct arena *arena, struct kb_chunk *out) MUST_CHECK;

/* The words of a chunk. decode fills the bag anew; *document lives as long as value. */
void kb_terms_encode(const char *document, uint32_t ordinal, const struct kb_bag *bag, struct buf *out);
enum err kb_terms_decode(struct kv_bytes value, const char **document, uint32_t *ordinal,
                         struct kb_bag *bag) MUST_CHECK;

/* The id of a chunk, in the arena: "chk_" and 26 characters out of the document's id and the position, so
 * that it is the same after every rebuild. */
char *kb_chunk_id(struct arena *arena, const char *document, unsigned ordinal);

#endif
