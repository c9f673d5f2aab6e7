/* json_memory.c: the memory of JSON values.
 *
 * A parsed message is some hundreds of small allocations that live for a moment, more than the C library
 * keeps ready for a thread, and its slower ways cost as much as the parsing. So each thread keeps what it
 * frees, by size, for its next values. Every piece is one of malloc's own: what jansson hands out may be
 * given to free, and a value may be freed by another thread than its maker's. Under AddressSanitizer nothing
 * is kept. */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include <jansson.h>

#include "queue/base/json_memory.h"

#include "queue/base/error.h"
#include "queue/base/sanitized.h"

#define UNIT  16  /* malloc's pieces grow by so much */
#define HEAD  8   /* of which so much is not ours */
#define LEAST 2   /* units of the smallest piece */
#define SIZES 17  /* up to 256 bytes with the head */
#define KEPT  512 /* pieces of one size */

struct piece {
    struct piece *next;
};

/* What one thread keeps. */
struct shelf {
    struct piece *first[SIZES];
    unsigned count[SIZES];
};

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

/* A value's memory, or NULL. */
static void *take(size_t size)
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

/* Makes the calling thread's shelf at its first use; NULL if there is no memory. */
static struct shelf *shelf_of_thread(void)
{
    if (mine == NULL) {
        mine = calloc(1, sizeof *mine);
        if (mine != NULL && pthread_setspecific(key_shelf, mine) != 0) {
            free(mine);
            mine = NULL;
        }
    }
    return mine;
}

/* Takes a value's memory back. */
static void give(void *memory)
{
    size_t at = memory != NULL ? (malloc_usable_size(memory) + HEAD) / UNIT : SIZES;
    struct shelf *shelf = at < SIZES ? shelf_of_thread() : NULL;

    if (shelf == NULL || shelf->count[at] == KEPT) {
        free(memory);
        return;
    }
    struct piece *piece = memory;
    piece->next = shelf->first[at];
    shelf->first[at] = piece;
    shelf->count[at]++;
}

void json_memory_use(void)
{
    if (!SANITIZED) {
        CHECK(pthread_key_create(&key_shelf, shelf_free) == 0);
        json_set_alloc_funcs(take, give);
    }
}
