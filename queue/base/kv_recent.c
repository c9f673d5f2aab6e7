/* kv_recent.c: see kv_recent.h. */
#include "queue/base/kv_recent.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HEIGHT_MAX  12
#define BLOCK       ((size_t)1 << 20)
#define FILTER_BITS (1u << 20)
#define FILTER_STEP 2 /* bits that each key sets */
#define RUN_SHORT   8 /* versions of one key that are walked past before the list is searched instead */

struct block {
    struct block *next;
    size_t used, size; /* the block's head included */
    size_t pad;        /* what follows is aligned for any type */
};

struct kv_recent {
    atomic_uint holders;
    _Atomic size_t bytes;
    uint64_t segment;
    _Atomic uint64_t flushed_from, flushed_as;
    uint64_t dice; /* heights of nodes */
    struct block *blocks;
    _Atomic uint64_t
        filter[FILTER_BITS / 64]; /* of tables and keys: a clear bit says that a key is not here */
    struct kv_recent_node *head;  /* stands before all; has no key */
};

int kv_compare(struct kv_bytes a, struct kv_bytes b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

struct kv_recent *kv_recent_new(uint64_t segment)
{
    struct kv_recent *r = xcalloc(1, sizeof *r);

    atomic_store(&r->holders, 1);
    r->segment = segment;
    atomic_store(&r->flushed_from, UINT64_MAX);
    atomic_store(&r->flushed_as, UINT64_MAX);
    r->dice = 0x9e3779b97f4a7c15u ^ segment;
    r->head = xcalloc(1, sizeof *r->head + HEIGHT_MAX * sizeof r->head->next[0]);
    r->head->height = HEIGHT_MAX;
    return r;
}

void kv_recent_hold(struct kv_recent *r)
{
    atomic_fetch_add(&r->holders, 1);
}

void kv_recent_release(struct kv_recent *r)
{
    if (r == NULL || atomic_fetch_sub(&r->holders, 1) != 1) {
        return;
    }
    while (r->blocks != NULL) {
        struct block *next = r->blocks->next;
        munmap(r->blocks, r->blocks->size);
        r->blocks = next;
    }
    free(r->head);
    free(r);
}

uint64_t kv_recent_segment(const struct kv_recent *r)
{
    return r->segment;
}

uint64_t kv_recent_flushed_as(const struct kv_recent *r)
{
    return atomic_load(&r->flushed_as);
}

uint64_t kv_recent_flushed_from(const struct kv_recent *r)
{
    return atomic_load(&r->flushed_from);
}

void kv_recent_set_flushed(struct kv_recent *r, uint64_t txn, bool last)
{
    if (atomic_load(&r->flushed_from) == UINT64_MAX) {
        atomic_store(&r->flushed_from, txn);
    }
    atomic_store(&r->flushed_as, last ? txn : UINT64_MAX);
}

size_t kv_recent_bytes(const struct kv_recent *r)
{
    return atomic_load_explicit(&r->bytes, memory_order_relaxed);
}

bool kv_recent_is_empty(const struct kv_recent *r)
{
    return kv_recent_bytes(r) == 0;
}

/* A block of the system's own, not of malloc, which would keep what one large list had for the next hour. */
static struct block *block_new(size_t size)
{
    struct block *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(block != MAP_FAILED);
    block->used = sizeof *block;
    block->size = size;
    return block;
}

/* Memory that goes with the list. */
static void *take(struct kv_recent *r, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (r->blocks == NULL || r->blocks->size - r->blocks->used < size) {
        size_t room = size > BLOCK / 4 ? size + sizeof(struct block) : BLOCK;
        struct block *block = block_new(room);
        block->next = r->blocks;
        r->blocks = block;
    }
    void *out = (char *)r->blocks + r->blocks->used;
    r->blocks->used += size;
    atomic_fetch_add_explicit(&r->bytes, size, memory_order_relaxed);
    return out;
}

/* ---- the filter ---- */

/* A number out of a table and a key, every bit of which depends on all of them. */
static uint64_t hash_of(unsigned table, struct kv_bytes key)
{
    const char *at = key.data;
    size_t left = key.size;
    uint64_t hash = (table + 1) * 0x9e3779b97f4a7c15u + key.size;

    while (left > 0) {
        uint64_t word = 0;
        size_t step = left < sizeof word ? left : sizeof word;
        memcpy(&word, at, step);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
        at += step;
        left -= step;
    }
    return hash;
}

static void filter_add(struct kv_recent *r, uint64_t hash)
{
    for (int i = 0; i < FILTER_STEP; i++, hash >>= 20) {
        size_t bit = hash % FILTER_BITS;
        atomic_fetch_or_explicit(&r->filter[bit / 64], (uint64_t)1 << bit % 64, memory_order_relaxed);
    }
}

static bool filter_has(const struct kv_recent *r, uint64_t hash)
{
    for (int i = 0; i < FILTER_STEP; i++, hash >>= 20) {
        size_t bit = hash % FILTER_BITS;
        uint64_t word = atomic_load_explicit(&r->filter[bit / 64], memory_order_relaxed);
        if ((word >> bit % 64 & 1) == 0) {
            return false;
        }
    }
    return true;
}

/* ---- the list ---- */

static struct kv_recent_node *next_of(const struct kv_recent_node *node, int level)
{
    return atomic_load_explicit(&node->next[level], memory_order_acquire);
}

static struct kv_recent_node *prev_of(const struct kv_recent_node *node)
{
    return atomic_load_explicit(&node->prev, memory_order_acquire);
}

/* The order of a node against a table's key. */
static int order(const struct kv_recent_node *node, unsigned table, struct kv_bytes key)
{
    return node->table != table ? (node->table > table) - (node->table < table) : kv_compare(node->key, key);
}

/* The first node at or above a key (after: above it); before[], unless NULL, gets the last one below it of
 * each level. */
static struct kv_recent_node *find(const struct kv_recent *r, unsigned table, struct kv_bytes key, bool after,
                                   struct kv_recent_node *before[HEIGHT_MAX])
{
    struct kv_recent_node *at = r->head;
    struct kv_recent_node *known = NULL; /* compared already, one level up */

    for (int level = HEIGHT_MAX - 1; level >= 0; level--) {
        struct kv_recent_node *next = next_of(at, level);
        while (next != NULL && next != known && order(next, table, key) < (after ? 1 : 0)) {
            at = next;
            next = next_of(at, level);
        }
        known = next;
        if (before != NULL) {
            before[level] = at;
        }
    }
    return known;
}

/* A height: each level has a quarter of the nodes of the one below. */
static uint8_t height_roll(struct kv_recent *r)
{
    uint8_t height = 1;

    r->dice ^= r->dice << 13;
    r->dice ^= r->dice >> 7;
    r->dice ^= r->dice << 17;
    for (uint64_t dice = r->dice; height < HEIGHT_MAX && (dice & 3) == 0; dice >>= 2) {
        height++;
    }
    return height;
}

/* A node that is in no list yet. */
static struct kv_recent_node *node_new(struct kv_recent *r, unsigned table, struct kv_bytes key,
                                       struct kv_bytes value, uint64_t number)
{
    uint8_t height = height_roll(r);
    struct kv_recent_node *node = take(r, sizeof *node + height * sizeof node->next[0]);
    char *bytes = take(r, key.size + value.size);

    memcpy(bytes, key.data, key.size);
    if (value.size > 0) {
        memcpy(bytes + key.size, value.data, value.size);
    }
    atomic_init(&node->number, number);
    node->key = KV_BYTES(bytes, key.size);
    node->value = KV_BYTES(bytes + key.size, value.size);
    node->table = (uint8_t)table;
    node->gone = value.data == NULL;
    node->height = height;
    return node;
}

struct kv_recent_node *kv_recent_add(struct kv_recent *r, unsigned table, struct kv_bytes key,
                                     struct kv_bytes value, uint64_t number)
{
    struct kv_recent_node *before[HEIGHT_MAX];
    struct kv_recent_node *next = find(r, table, key, false, before);
    struct kv_recent_node *node = node_new(r, table, key, value, number);

    filter_add(r, hash_of(table, key));
    atomic_init(&node->prev, before[0]);
    for (int level = 0; level < node->height; level++) {
        atomic_init(&node->next[level], next_of(before[level], level));
    }
    for (int level = 0; level < node->height; level++) {
        atomic_store_explicit(&before[level]->next[level], node, memory_order_release);
    }
    if (next != NULL) {
        atomic_store_explicit(&next->prev, node, memory_order_release);
    }
    return node;
}

void kv_recent_give_up(struct kv_recent_node *node)
{
    atomic_store_explicit(&node->number, UINT64_MAX, memory_order_relaxed);
}

/* ---- reading ---- */

static bool seen_by(const struct kv_recent_node *node, uint64_t number)
{
    return atomic_load_explicit(&node->number, memory_order_relaxed) <= number;
}

static bool same_key(const struct kv_recent_node *a, const struct kv_recent_node *b)
{
    return a->table == b->table && a->key.size == b->key.size &&
           memcmp(a->key.data, b->key.data, a->key.size) == 0;
}

/* The first node behind all versions of a node's key. */
static struct kv_recent_node *past_key(const struct kv_recent *r, const struct kv_recent_node *node)
{
    struct kv_recent_node *next = next_of(node, 0);

    for (int steps = 0; next != NULL && same_key(next, node); steps++) {
        next = steps < RUN_SHORT ? next_of(next, 0) : find(r, node->table, node->key, true, NULL);
    }
    return next;
}

/* The first visible version from node on that belongs to table. */
static const struct kv_recent_node *settle_on(const struct kv_recent *r, const struct kv_recent_node *node,
                                              unsigned table, uint64_t number)
{
    while (node != NULL && node->table == table) {
        for (const struct kv_recent_node *at = node; at != NULL && same_key(at, node); at = next_of(at, 0)) {
            if (seen_by(at, number)) {
                return at;
            }
        }
        node = past_key(r, node);
    }
    return NULL;
}

/* The visible version of the last key at or before node, which is the last node of its key. */
static const struct kv_recent_node *settle_back(const struct kv_recent *r, const struct kv_recent_node *node,
                                                unsigned table, uint64_t number)
{
    while (node != r->head && node->table == table) {
        const struct kv_recent_node *first = node, *newest = seen_by(node, number) ? node : NULL;
        const struct kv_recent_node *back = prev_of(node);
        for (int steps = 0; back != r->head && same_key(back, node) && steps < RUN_SHORT; steps++) {
            first = back;
            newest = seen_by(back, number) ? back : newest;
            back = prev_of(back);
        }
        if (back != r->head && same_key(back, node)) {
            first = find(r, table, node->key, false, NULL);
            back = prev_of(first);
            for (newest = first; newest != NULL && !seen_by(newest, number);) {
                newest = next_of(newest, 0);
                newest = newest != NULL && same_key(newest, first) ? newest : NULL;
            }
        }
        if (newest != NULL) {
            return newest;
        }
        node = back;
    }
    return NULL;
}

const struct kv_recent_node *kv_recent_get(const struct kv_recent *r, unsigned table, struct kv_bytes key,
                                           uint64_t number)
{
    if (!filter_has(r, hash_of(table, key))) {
        return NULL;
    }
    const struct kv_recent_node *node = find(r, table, key, false, NULL);
    while (node != NULL && order(node, table, key) == 0) {
        if (seen_by(node, number)) {
            return node;
        }
        node = next_of(node, 0);
    }
    return NULL;
}

const struct kv_recent_node *kv_recent_from(const struct kv_recent *r, unsigned table, struct kv_bytes key,
                                            bool after, uint64_t number)
{
    return settle_on(r, find(r, table, key, after, NULL), table, number);
}

const struct kv_recent_node *kv_recent_before(const struct kv_recent *r, unsigned table, struct kv_bytes key,
                                              uint64_t number)
{
    struct kv_recent_node *before[HEIGHT_MAX];

    find(r, key.size > 0 ? table : table + 1, key, false, before);
    return settle_back(r, before[0], table, number);
}

const struct kv_recent_node *kv_recent_next(const struct kv_recent *r, const struct kv_recent_node *node,
                                            uint64_t number)
{
    return settle_on(r, past_key(r, node), node->table, number);
}

const struct kv_recent_node *kv_recent_prev(const struct kv_recent *r, const struct kv_recent_node *node,
                                            uint64_t number)
{
    const struct kv_recent_node *back = prev_of(node);

    for (int steps = 0; back != r->head && same_key(back, node); steps++) {
        back = steps < RUN_SHORT ? prev_of(back) : prev_of(find(r, node->table, node->key, false, NULL));
    }
    return settle_back(r, back, node->table, number);
}
