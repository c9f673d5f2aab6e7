/* kb.h: the knowledge of a business: documents in, passages with a calibrated confidence out.
 *
 * The truth is the KIND_DOCUMENT records; everything in here is derived: passages (chunks) are cut from a
 * document's text and indexed in an LMDB environment of their own, which follows the store's change feed and
 * can be rebuilt at any time. A chunk's id is a function of its document and position, so it survives a
 * rebuild.
 *
 * A document is a text of its own, or a source (html, url, sitemap, file, feed) whose text is read elsewhere
 * and kept in KIND_PAGE records (kb/source/page.h). A page is indexed like a document, as long as its source
 * is there and enabled.
 *
 * Document record: {"id", "collection_id", "agent_id"?, "title", "content", "doc_type", "phrasings": [],
 * "external_id"?, "metadata": {}, "enabled", "status": "queued|processing|ready|failed", "reason"?, "hash",
 * "size", "created_at", "updated_at"}.
 *
 * Threads: kb_open/kb_close by the main thread; kb_search from any thread (reads a snapshot); the index has
 * one writer thread of its own. */
#ifndef CHASQUI_KB_KB_H
#define CHASQUI_KB_KB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/arena.h"
#include "queue/base/error.h"
#include "queue/store.h"

struct kb;

/* dir: where the index lives (created). Catches up with the store before it returns; rebuilds when it must.
 */
enum err kb_open(struct store *store, const char *dir, struct kb **out) MUST_CHECK;
/* Before store_close, and when nothing submits changes any more. Waiters of kb_when_indexed are dropped
 * uncalled. */
void kb_close(struct kb *kb);
/* How much memory searched collections may stay in (512 MiB unless set); the one searched last always stays.
 */
void kb_set_memory(struct kb *kb, size_t bytes);

/* ---- documents ---- */
/* The document types; others are refused with a reason. */
bool kb_doc_type_known(const char *doc_type);
/* True for types whose text comes from a file or an address. */
bool kb_doc_type_source(const char *doc_type);
/* Fills in what a document derives from its content: hash, size, status; normalises phrasings. doc is
 * changed. */
void kb_document_prepare(json_t *doc);
/* Adds a way to ask for the document, in a customer's words; one that it has is fine. ERR_INVALID: blank;
 * ERR_LIMIT: it has as many as it may. */
enum err kb_document_learn(json_t *doc, const char *phrasing) MUST_CHECK;
/* Calls fn(arg) on loop_current() once every change up to revision rev can be found (or is gone from) by
 * kb_search: at once (by post) if that is so already. A call that changes knowledge answers after this. */
void kb_when_indexed(struct kb *kb, uint64_t rev, void (*fn)(void *arg), void *arg);

/* A chunk of one document as the agent sees it. Text lives in the arena. */
struct kb_chunk {
    const char *id;
    const char *document_id;
    const char *page_id; /* the page of a source it was cut from; "" if none */
    const char *title;   /* document title, then the heading path, " > " between */
    const char *text;
    size_t offset;    /* bytes from the start of the document's content */
    unsigned ordinal; /* 0, 1, 2, ... within the document */
    unsigned tokens;  /* estimate: UTF-8 bytes / 3.6 */
};
/* The document that the index makes of a page and its source; new reference. */
json_t *kb_page_document(const json_t *page, const json_t *source);
/* Chunks of a document, in order, into *out (arena). */
enum err kb_document_chunks(const json_t *doc, struct arena *arena, struct kb_chunk **out,
                            size_t *count) MUST_CHECK;

/* ---- meaning (optional; vectors.h) ---- */
/* What tells the vectors of one model, at one server, from those of another. */
#define KB_MODEL_MARK 16
/* A question as a vector; parts as kb_quantise (dot.h) makes them. */
struct kb_vector {
    uint8_t model[KB_MODEL_MARK];
    float scale;
    size_t dimensions;
    const int8_t *parts;
    double certain; /* the cosine from which a passage is trusted that words do not find */
};
/* A collection and a model's mark. */
struct kb_embed_scope {
    const char *part, *collection;
    const uint8_t *model;
};
/* Chunks that have no vector of the model; in the arena. */
struct kb_unembedded {
    struct kb_unembedded_row {
        uint64_t number;
        const char *text; /* title and text */
    } * rows;
    size_t count;
};
/* The first `most` of them whose number is above after, rising. */
enum err kb_unembedded(struct kb *kb, const struct kb_embed_scope *scope, uint64_t after, size_t most,
                       struct arena *arena, struct kb_unembedded *out) MUST_CHECK;
/* Stores vectors of a collection's chunks: count times `dimensions` numbers, one after the other. fn(arg)
 * comes on loop_current() once they can be found, or could not be stored. A vector without direction is left
 * out. */
struct kb_embedded {
    struct kb_embed_scope scope;
    const uint64_t *numbers;
    const float *vectors;
    size_t count, dimensions;
};
void kb_embed(struct kb *kb, const struct kb_embedded *embedded, void (*fn)(void *arg), void *arg);
/* How many chunks a collection has, and how many of them have a vector of the model. Reads every key. */
enum err kb_embedded_count(struct kb *kb, const struct kb_embed_scope *scope, uint64_t *done,
                           uint64_t *total) MUST_CHECK;
/* fn(part, id, arg) once chunks of a collection were added to the index; on the index's thread, which it must
 * not hold up. NULL: nobody any more; nothing is called after it returns. */
void kb_on_change(struct kb *kb, void (*fn)(const char *part, const char *id, void *arg), void *arg);

/* ---- search ---- */
/* With a vector, words and meaning each make a list, and a passage's score is the sum of 1 / (60 + rank) over
 * both. Confidence is calibrated on words, so: where words are sure (.5 or more), their first stays first and
 * confidence is theirs. Else a passage whose cosine reaches `certain` leads, with confidence .65. Else the
 * joined order holds, and a first passage that is not the words' first has half of their confidence. */
struct kb_query {
    const char *part;
    const char *const *collections; /* ids; search never leaves them */
    size_t collection_count;
    const char *text;
    const char *previous; /* the turn before (last AI or customer message), low weight; NULL if none */
    size_t limit;         /* hits wanted, 1..50 */
    const struct kb_vector *vector; /* NULL: words alone */
};
struct kb_hit {
    struct kb_chunk chunk;
    const char *collection_id;
    double score; /* comparable within one result only */
};
struct kb_result {
    struct kb_hit *hits; /* best first */
    size_t count;
    double confidence; /* calibrated probability that hits[0] answers the question; 0 if there is none */
    double shipped;    /* the same before an account's own calibration (refit.h), which is the caller's */
    int64_t took_us;
};
/* Everything in *result lives in the arena. An empty knowledge base gives count 0 and ERR_OK. Of text and
 * previous the first 2,048 bytes count. The first search of a collection reads it into memory (some 20,000
 * chunks a second) and blocks as long (kb_ready avoids that); later ones take well under a millisecond for up
 * to 20,000 chunks. */
enum err kb_search(struct kb *kb, const struct kb_query *query, struct arena *arena,
                   struct kb_result *result) MUST_CHECK;

/* For callers on a loop that must not block: true if kb_search with this query may be called now. False: some
 * collection is large and not in memory; it is being read, and fn(arg) comes on loop_current() once it is, or
 * could not be. Then search, whatever this would say again. The query is not kept. */
bool kb_ready(struct kb *kb, const struct kb_query *query, void (*fn)(void *arg), void *arg);
/* Tells at once whoever waits for that, and makes nobody wait any more; before loops are stopped. */
void kb_rest(struct kb *kb);

/* The sentences of a passage that answer the query, in their order in the passage, at most max bytes: what
 * the extractive generator says. Whole sentences only; falls back to the head of the passage cut at a word.
 */
char *kb_excerpt(const char *query, const struct kb_chunk *chunk, size_t max, struct arena *arena);

struct kb_stats {
    uint64_t documents, chunks; /* in the index, all partitions */
    uint64_t terms;             /* distinct words of the collections in memory */
    uint64_t memory;            /* bytes they take */
    uint64_t feed_rev;          /* the index has everything up to here */
    uint64_t bytes;             /* of the index file in use */
};
void kb_stats(struct kb *kb, struct kb_stats *out);

#endif
