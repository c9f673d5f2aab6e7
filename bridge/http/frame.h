/* frame.h: where a request's head and body end, decided from the raw bytes before any parser sees them (RFC
 * 9112). Inside the front only. Thread: one at a time. */
#ifndef CHASQUI_HTTP_FRAME_H
#define CHASQUI_HTTP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_config;

/* A refusal by the front: status 0 means none. reason is a constant sentence, never input. */
struct http_fault {
    int status;
    const char *reason;
};

/* ---- guard.c: raw bytes of a head, before anything parses them ---- */
struct http_guard {
    size_t seen;   /* bytes scanned */
    size_t line;   /* where the current line begins */
    size_t begin;  /* where the request line begins */
    size_t fields; /* where the first field begins */
    unsigned lines;
    bool blank;  /* the one empty line allowed in front */
    size_t size; /* of the whole head, when done */
};

enum http_verdict { HTTP_MORE, HTTP_DONE, HTTP_REFUSED };
enum http_verdict http_guard_head(struct http_guard *guard, const struct http_config *config,
                                  const char *data, size_t len, struct http_fault *fault);
bool http_is_token_byte(unsigned char c);
bool http_is_field_byte(unsigned char c);

/* ---- chunks.c: raw bytes of a chunked body ---- */
struct http_chunks {
    int state;
    uint64_t left;  /* of the current chunk */
    uint64_t total; /* data bytes announced so far */
    unsigned digits;
    size_t extra; /* bytes of the extension or of all trailers */
    unsigned trailers;
};
/* Looks at data. *taken: bytes that belong to this body; *feed: how many of them the parser is to see
 * (trailers are not among them). HTTP_DONE at the body's end. */
enum http_verdict http_chunks_scan(struct http_chunks *chunks, const struct http_config *config,
                                   size_t body_max, const char *data, size_t len, size_t *taken, size_t *feed,
                                   struct http_fault *fault);

#endif
