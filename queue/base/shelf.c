/* shelf.c: see shelf.h. Lists of kept pieces by size, one shelf for each thread, freed with it. */
#include "queue/base/shelf.h"

#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/error.h"
#include "queue/base/sanitized.h"

#define UNIT       16  /* malloc's pieces grow by so much */
#define HEAD       8   /* of which so much is not ours */
#define LEAST      2   /* units of the smallest piece */
#define SMALL      17  /* up to 256 bytes with the head: of each size many are kept, */
#define SIZES      140 /* of the larger ones, up to 2 kB, a few */
#define KEPT_SMALL 512
#define KEPT_LARGE 32

struct piece {
    struct piece *next;
};

/* What one thread keeps. */
struct shelf {
    struct piece *first[SIZES];
    unsigned count[SIZES];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key_shelf;
static _Thread_local struct shelf *mine;

/* A thread ends. */
static void shelf_free(void *arg)
{
    struct shelf *shelf = arg;

    mine = NULL;
    for (unsigned i = 0; i < SIZES; i++) {
        while (shelf->first[i] != NULL) {
            struct piece *piece = shelf->first[i];
            shelf->first[i] = piece->next;
            free(piece);
        }
    }
    free(shelf);
}

static void make_key(void)
{
    CHECK(pthread_key_create(&key_shelf, shelf_free) == 0);
}

/* Makes the calling thread's shelf at its first use; NULL if there is no memory. */
static struct shelf *shelf_of_thread(void)
{
    if (mine == NULL && !SANITIZED) {
        CHECK(pthread_once(&once, make_key) == 0);
        mine = calloc(1, sizeof *mine);
        if (mine != NULL && pthread_setspecific(key_shelf, mine) != 0) {
            free(mine);
            mine = NULL;
        }
    }
    return mine;
}

void *shelf_take(size_t size)
{
    size_t least = (size + HEAD + UNIT - 1) / UNIT, at = least > LEAST ? least : LEAST;

    if (mine == NULL || at >= SIZES || mine->first[at] == NULL) {
        return malloc(size);
    }
    struct piece *piece = mine->first[at];
    mine->first[at] = piece->next;
    mine->count[at]--;
    return piece;
}

void shelf_give(void *memory)
{
    size_t at = memory != NULL ? (malloc_usable_size(memory) + HEAD) / UNIT : SIZES;
    struct shelf *shelf = at < SIZES ? shelf_of_thread() : NULL;

    if (shelf == NULL || shelf->count[at] == (at < SMALL ? KEPT_SMALL : KEPT_LARGE)) {
        free(memory);
        return;
    }
    struct piece *piece = memory;
    piece->next = shelf->first[at];
    shelf->first[at] = piece;
    shelf->count[at]++;
}

/* What is larger than any kept piece is malloc's to move. */
void *shelf_retake(void *memory, size_t size)
{
    size_t had = memory != NULL ? malloc_usable_size(memory) : 0;

    if (memory == NULL) {
        return shelf_take(size);
    }
    if (!SANITIZED && size > 0 && had >= size) {
        return memory;
    }
    if (SANITIZED || (had + HEAD) / UNIT >= SIZES || size == 0) {
        return realloc(memory, size);
    }
    void *larger = shelf_take(size);
    if (larger != NULL) {
        memcpy(larger, memory, had < size ? had : size);
        shelf_give(memory);
    }
    return larger;
}

void *shelf_take_zeroed(size_t count, size_t size)
{
    if (count > 0 && size > SIZE_MAX / count) {
        return NULL;
    }
    if (count * size > (size_t)SIZES * UNIT) {
        return calloc(count, size);
    }
    void *memory = shelf_take(count * size);
    if (memory != NULL) {
        memset(memory, 0, count * size);
    }
    return memory;
}

char *shelf_take_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = shelf_take(size);

    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}
