/* buf.c: the bounded byte buffer. Every addition goes through reserve, the only place that grows memory. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/buf.h"

#define ROOM_FIRST 64

/* Makes an empty buffer that never holds more than max bytes. */
void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

/* Frees the bytes; the bound stays, so the buffer may be used again. */
void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data != NULL) {
        b->data[0] = '\0';
    }
}

/* The next allocation that holds need bytes: doubling, but never far beyond what max can use. */
static size_t room_for(const struct buf *b, size_t need)
{
    size_t room = b->room > 0 ? b->room : ROOM_FIRST;

    while (room < need) {
        if (room > need / 2) {
            room = room > (size_t)-1 / 2 ? need : room * 2;
        } else {
            room = need;
        }
    }
    if (b->max < (size_t)-1 && room > b->max + 1) {
        room = b->max + 1;
    }
    return room;
}

/* Gets room for size more bytes and the NUL, or marks the buffer as failed. */
static bool grow(struct buf *b, size_t size)
{
    if (b->failed) {
        return false;
    }
    if (b->len > b->max || size > b->max - b->len || size >= (size_t)-1 - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + size + 1;
    if (need <= b->room) {
        return true;
    }
    size_t room = room_for(b, need);
    char *data = realloc(b->data, room);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->room = room;
    return true;
}

/* Makes sure that size more bytes and the NUL fit; nearly always they do. */
static inline bool reserve(struct buf *b, size_t size)
{
    bool fits = !b->failed && size < b->room - b->len && b->len <= b->max && size <= b->max - b->len;
    return fits || grow(b, size);
}

void buf_add(struct buf *b, const void *data, size_t size)
{
    if (size == 0 || !reserve(b, size)) {
        return;
    }
    memcpy(b->data + b->len, data, size);
    b->len += size;
    b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_addc(struct buf *b, char c)
{
    if (reserve(b, 1)) {
        b->data[b->len++] = c;
        b->data[b->len] = '\0';
    }
}

/* Prints straight into the free room, and a second time if that was too little. */
void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_list again;

    if (!reserve(b, 0)) {
        return;
    }
    va_start(args, fmt);
    va_copy(again, args);
    size_t free_room = b->room - b->len;
    int len = vsnprintf(b->data + b->len, free_room, fmt, args);
    va_end(args);
    if (len < 0 || !reserve(b, (size_t)len)) {
        b->failed = true;
        b->data[b->len] = '\0';
    } else {
        if ((size_t)len >= free_room) {
            vsnprintf(b->data + b->len, b->room - b->len, fmt, again);
        }
        b->len += (size_t)len;
    }
    va_end(again);
}

void buf_drop(struct buf *b, size_t n)
{
    CHECK(n <= b->len);
    if (n == 0) {
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}

bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

const char *buf_str(const struct buf *b)
{
    return b->data != NULL ? b->data : "";
}

char *buf_take(struct buf *b, size_t *len)
{
    char *data = b->data != NULL ? b->data : xcalloc(1, 1);

    if (len != NULL) {
        *len = b->len;
    }
    *b = (struct buf){.max = b->max};
    return data;
}
