/* kv_recent.h: what was committed lately and is not in the tree yet, in memory and in order.
 *
 * A skip list of versions. One thread writes (the kv's writer), any number read at the same time without a
 * lock: nodes are only ever added, and all of them go together with the list. Each version carries the number
 * of the transaction that made it; a reader sees, of each key, the newest version whose number is not above
 * its own. Versions of one key stand beside each other, newest first. A deletion is a version, too: it hides
 * what the tree has. Invariants:
 *   - A node is complete before a pointer to it is stored (release), and pointers are loaded with acquire.
 *   - A number is published, under the kv's lock, after its nodes are in; so whoever may see a node finds it,
 *     and its bit in the filter.
 *   - The way back (prev) may miss nodes added meanwhile; those are newer than any reader on that way.
 * Private to kv*.c. */
#ifndef CHASQUI_BASE_KV_RECENT_H
#define CHASQUI_BASE_KV_RECENT_H

#include <stdatomic.h>

#include "queue/base/kv.h"

struct kv_recent;

struct kv_recent_node {
    _Atomic uint64_t number; /* of its transaction; UINT64_MAX: given up, nobody sees it */
    _Atomic(struct kv_recent_node *) prev;
    struct kv_bytes key, value; /* the list's memory, good as long as the list */
    uint8_t table;
    bool gone; /* a deletion */
    uint8_t height;
    _Atomic(struct kv_recent_node *) next[]; /* height of them */
};

/* An empty list, held once. segment: which piece of the journal holds the same. */
struct kv_recent *kv_recent_new(uint64_t segment);
/* Any thread. The last release frees. */
void kv_recent_hold(struct kv_recent *r);
void kv_recent_release(struct kv_recent *r);

uint64_t kv_recent_segment(const struct kv_recent *r);
/* The tree's transactions that bring the list in, the first and the last; UINT64_MAX before they are known.
 * Who sees the tree before the first needs all of the list, who sees it after the last nothing. Any thread.
 */
uint64_t kv_recent_flushed_from(const struct kv_recent *r);
uint64_t kv_recent_flushed_as(const struct kv_recent *r);
/* Before each of those transactions commits. */
void kv_recent_set_flushed(struct kv_recent *r, uint64_t txn, bool last);
/* Memory taken; any thread. */
size_t kv_recent_bytes(const struct kv_recent *r);
bool kv_recent_is_empty(const struct kv_recent *r);

/* The writer: adds a version, copying key and value; value.data NULL: a deletion. */
struct kv_recent_node *kv_recent_add(struct kv_recent *r, unsigned table, struct kv_bytes key,
                                     struct kv_bytes value, uint64_t number);
/* Makes a version of a transaction that failed invisible for good. */
void kv_recent_give_up(struct kv_recent_node *node);

/* The version of a key that a reader with this number sees, a deletion included; NULL if there is none. */
const struct kv_recent_node *kv_recent_get(const struct kv_recent *r, unsigned table, struct kv_bytes key,
                                           uint64_t number);
/* The first visible version with a key at or above (after: above) the given one, the last with a key below
 * it. An empty key stands before all keys, and for kv_recent_before behind all. */
const struct kv_recent_node *kv_recent_from(const struct kv_recent *r, unsigned table, struct kv_bytes key,
                                            bool after, uint64_t number);
const struct kv_recent_node *kv_recent_before(const struct kv_recent *r, unsigned table, struct kv_bytes key,
                                              uint64_t number);
/* The visible version of the next key of the same table, and of the one before. */
const struct kv_recent_node *kv_recent_next(const struct kv_recent *r, const struct kv_recent_node *node,
                                            uint64_t number);
const struct kv_recent_node *kv_recent_prev(const struct kv_recent *r, const struct kv_recent_node *node,
                                            uint64_t number);

/* The order of keys, LMDB's own: bytes, then length. */
int kv_compare(struct kv_bytes a, struct kv_bytes b);

#endif
