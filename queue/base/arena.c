/* arena.c: a chain of blocks that grow with the arena; large requests get a block of their own. */
#include <stdarg.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/arena.h"
#include "queue/base/sanitized.h"

#define ARENA_MAGIC   0x4152454eU
#define BLOCK_FIRST   4096
#define BLOCK_LARGEST (64 * 1024)
#define BLOCK_KEPT    (32 * 1024) /* the largest first block that outlives a reset */

struct block {
    struct block *next;
    size_t size; /* usable bytes */
    size_t used;
    alignas(max_align_t) char bytes[];
};

struct deferred {
    struct deferred *next;
    void (*fn)(void *);
    void *arg;
};

struct arena {
    unsigned magic;
    size_t max;
    size_t used;           /* bytes handed out, rounded up */
    size_t block_size;     /* size of the next block */
    struct block *blocks;  /* newest first */
    struct deferred *late; /* latest registration first */
};

/* Makes an empty arena; the first block comes with the first allocation. */
struct arena *arena_new(size_t max)
{
    struct arena *a = xcalloc(1, sizeof *a);

    a->magic = ARENA_MAGIC;
    a->max = max;
    a->block_size = BLOCK_FIRST;
    return a;
}

/* Runs the deferred calls and frees the blocks; of a chain the last is the first that was made. */
static void take_back(struct arena *a, bool keep_first)
{
    CHECK(a->magic == ARENA_MAGIC);
    while (a->late != NULL) {
        struct deferred *d = a->late;
        a->late = d->next;
        d->fn(d->arg);
    }
    while (a->blocks != NULL && !(keep_first && a->blocks->next == NULL)) {
        struct block *b = a->blocks;
        a->blocks = b->next;
        free(b);
    }
}

/* NULL is allowed. */
void arena_free(struct arena *a)
{
    if (a == NULL) {
        return;
    }
    take_back(a, false);
    a->magic = 0;
    free(a);
}

/* The first block of an arena that had to hand out so much: large enough for as much again. */
static size_t block_for(size_t used)
{
    size_t size = BLOCK_FIRST;

    while (size < used && size < BLOCK_KEPT) {
        size *= 2;
    }
    return used <= BLOCK_KEPT ? size : BLOCK_FIRST;
}

/* A single block stays as it is; of several none does, and the next first one will be large enough for what
 * they held. Under AddressSanitizer no block stays, so that it still sees who uses what was taken back. */
void arena_reset(struct arena *a)
{
    const struct block *only = a->blocks != NULL && a->blocks->next == NULL ? a->blocks : NULL;
    bool stays = !SANITIZED && only != NULL && only->size <= BLOCK_KEPT;

    take_back(a, stays);
    a->block_size = stays ? a->blocks->size * 2 : block_for(a->used);
    if (stays) {
        a->blocks->used = 0;
    }
    a->used = 0;
}

/* Size rounded up so that the next allocation is aligned for any type; 0 if it cannot be. */
static size_t rounded(size_t size)
{
    size_t align = alignof(max_align_t);

    if (size > SIZE_MAX - sizeof(struct block) - align) {
        return 0;
    }
    return size == 0 ? align : (size + align - 1) / align * align;
}

/* Adds a block with room for size bytes, or returns NULL. A block made for one large request goes behind
 * the current one, whose free room stays in use. */
static struct block *block_add(struct arena *a, size_t size)
{
    size_t room = size > a->block_size ? size : a->block_size;
    struct block *b = malloc(sizeof *b + room);

    if (b == NULL) {
        return NULL;
    }
    *b = (struct block){.size = room};
    if (size >= a->block_size && a->blocks != NULL) {
        b->next = a->blocks->next;
        a->blocks->next = b;
        return b;
    }
    b->next = a->blocks;
    a->blocks = b;
    if (a->block_size < BLOCK_LARGEST) {
        a->block_size *= 2;
    }
    return b;
}

/* Hands out zeroed bytes without looking at the bound; NULL if memory is gone. size is rounded. */
static void *take_bytes(struct arena *a, size_t size)
{
    struct block *b = a->blocks;

    if (b == NULL || b->size - b->used < size) {
        b = block_add(a, size);
        if (b == NULL) {
            return NULL;
        }
    }
    void *bytes = b->bytes + b->used;
    b->used += size;
    a->used += size;
    return memset(bytes, 0, size);
}

void *arena_alloc(struct arena *a, size_t size)
{
    CHECK(a->magic == ARENA_MAGIC);
    size_t need = rounded(size);
    CHECK(need > 0);
    void *bytes = take_bytes(a, need);
    CHECK(bytes != NULL);
    return bytes;
}

void *arena_try(struct arena *a, size_t size)
{
    CHECK(a->magic == ARENA_MAGIC);
    size_t need = rounded(size);
    if (need == 0 || a->used > a->max || need > a->max - a->used) {
        return NULL;
    }
    return take_bytes(a, need);
}

char *arena_strdup(struct arena *a, const char *text)
{
    size_t size = strlen(text);

    return memcpy(arena_alloc(a, size + 1), text, size);
}

char *arena_strndup(struct arena *a, const char *text, size_t size)
{
    size_t len = strnlen(text, size);

    return memcpy(arena_alloc(a, len + 1), text, len);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    CHECK(len >= 0);

    char *text = arena_alloc(a, (size_t)len + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return text;
}

void arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
    struct deferred *d = arena_alloc(a, sizeof *d);

    *d = (struct deferred){.next = a->late, .fn = fn, .arg = arg};
    a->late = d;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
