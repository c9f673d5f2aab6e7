/* cache.h: the collections held in memory, within a bound; the least recently searched go first.
 *
 * A collection is loaded from the durable index when it is first searched. Every entry knows the version
 * (number of commits) it holds; the writer brings entries up to each new commit, so a search sees every
 * change that was told as indexed. Order that makes this safe: a loader publishes its entry, locked, before
 * it opens its read transaction, and the writer looks for entries after its commit. Either the loader reads
 * the commit, or the writer waits for the loader. Locks: entries are locked for reading in rising order of
 * collection; the writer locks one at a time. Thread: any. */
#ifndef CHASQUI_KB_CACHE_H
#define CHASQUI_KB_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "kb/index.h"
#include "queue/base/kv.h"

struct kb_cache;
struct kb_hot; /* one collection in memory, held by whoever got it until kb_cache_drop */

struct kb_cache *kb_cache_new(struct kv *kv, size_t bytes);
void kb_cache_free(struct kb_cache *cache); /* nothing may be held */
void kb_cache_limit(struct kb_cache *cache, size_t bytes);

/* Loads the collection if it is not there and locks it for reading. */
enum err kb_cache_hold(struct kb_cache *cache, uint32_t collection, struct kb_hot **out) MUST_CHECK;
/* True if the collection is there and nobody is writing to it. */
bool kb_cache_has(struct kb_cache *cache, uint32_t collection);
void kb_cache_drop(struct kb_cache *cache, struct kb_hot *hot);
const struct kb_index *kb_hot_index(const struct kb_hot *hot);

/* One chunk that came or went in a commit; row: its TERMS row. */
struct kb_change {
    uint32_t collection;
    bool removed;
    uint64_t number;
    char *row; /* owned by the list */
    size_t size;
};
/* The writer, after the commit that made version: applies the changes to the collections in memory. */
void kb_cache_apply(struct kb_cache *cache, const struct kb_change *changes, size_t count, uint64_t version);
/* Forgets every collection (the durable index was emptied). */
void kb_cache_clear(struct kb_cache *cache);

struct kb_cache_stat {
    size_t bytes, collections;
    uint64_t words, loads, evictions;
};
void kb_cache_stat(struct kb_cache *cache, struct kb_cache_stat *out);

#endif
