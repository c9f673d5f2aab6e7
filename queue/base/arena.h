/* arena.h: memory that dies together: one arena for a request, one for a job.
 *
 * Allocations are never freed one by one; arena_free takes all. The arena has a bound: beyond it
 * arena_alloc dies if xmalloc would (our own sizes), arena_try returns NULL (sizes a peer chose).
 * Thread: one at a time. */
#ifndef CHASQUI_BASE_ARENA_H
#define CHASQUI_BASE_ARENA_H

#include <stddef.h>

#include "queue/base/error.h"

struct arena;

/* max: the most bytes that arena_try may hand out in all. */
struct arena *arena_new(size_t max);
void arena_free(struct arena *a);
/* As freed and made anew, but for a first block, which stays for what comes or will be as large as was
 * needed. */
void arena_reset(struct arena *a);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_try(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *text);
char *arena_strndup(struct arena *a, const char *text, size_t size);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Calls fn(arg) when the arena is freed, latest registration first: for json_decref and the like. */
void arena_defer(struct arena *a, void (*fn)(void *), void *arg);
size_t arena_used(const struct arena *a);

#endif
