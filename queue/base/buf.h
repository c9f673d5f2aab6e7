/* buf.h: a growing byte buffer that states its largest size at birth.
 *
 * No input can grow memory without bound: an addition beyond max fails and marks the buffer, so that a run
 * of additions needs one check at its end (buf_ok). The content always has a NUL behind it that is not
 * counted. Owner: whoever called buf_init; buf_take moves the bytes out. Thread: one at a time. */
#ifndef CHASQUI_BASE_BUF_H
#define CHASQUI_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/base/error.h"

struct buf {
    char *data;  /* owned; NULL while empty */
    size_t len;  /* bytes of content */
    size_t room; /* bytes allocated */
    size_t max;  /* len never exceeds this */
    bool failed; /* an addition was refused; stays set until buf_reset */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
/* Empties and clears the failure mark; keeps the memory. */
void buf_reset(struct buf *b);

/* Additions; after a failure they do nothing. */
void buf_add(struct buf *b, const void *data, size_t size);
void buf_adds(struct buf *b, const char *text);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Drops n bytes from the front (n <= len). */
void buf_drop(struct buf *b, size_t n);

bool buf_ok(const struct buf *b);
/* The content as text, never NULL. Good until the next change. */
const char *buf_str(const struct buf *b);
/* Moves the bytes to the caller, who frees them with free(); the buffer is empty afterwards. Never NULL. */
char *buf_take(struct buf *b, size_t *len);

#endif
