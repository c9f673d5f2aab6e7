/* shelf.h: small memory that a thread keeps for its next use.
 *
 * A library that makes and drops some hundred small pieces for each message or transfer outruns what the C
 * library keeps ready for a thread, and its slower ways cost as much as the work. So each thread keeps what
 * it gives back here, by size, and takes it again. Every piece is one of malloc's own: it may be given to
 * free instead, and by another thread than its taker's. Under AddressSanitizer nothing is kept. Threads:
 * any. */
#ifndef CHASQUI_BASE_SHELF_H
#define CHASQUI_BASE_SHELF_H

#include <stddef.h>

/* As malloc, realloc, calloc, strdup and free; NULL when there is no memory. */
void *shelf_take(size_t size);
void *shelf_retake(void *memory, size_t size);
void *shelf_take_zeroed(size_t count, size_t size);
char *shelf_take_text(const char *text);
void shelf_give(void *memory);

#endif
