/* multipart.h: takes a multipart/form-data body (RFC 7578, RFC 2046 section 5.1) apart as it arrives.
 *
 * Bytes come in pieces of any size; what belongs to a part is handed on at once, so that nothing but one
 * part's head (8 KiB at most) and the boundary is ever held. Strict where two readers could differ: lines end
 * in CR LF, no folded fields, every part says Content-Disposition: form-data with a name, the last boundary
 * must come. What stands before the first boundary and behind the last is thrown away, 4 KiB of each at most.
 * Thread: one at a time. */
#ifndef CHASQUI_HTTP_MULTIPART_H
#define CHASQUI_HTTP_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/base/buf.h"

#define MULTIPART_HEAD_MAX     8192 /* bytes of all fields of one part */
#define MULTIPART_BOUNDARY_MAX 70   /* RFC 2046 section 5.1.1 */

struct http_fault;
struct multipart;

/* The head of a part; good inside the call only. */
struct multipart_head {
    const char *name;      /* raw, as the client said, valid UTF-8 */
    const char *filename;  /* made safe, "" if the client said none; NULL: the part is no file */
    const char *mime_type; /* "" if there is none */
};

/* Each answers false to stop: the sink then knows why, and *fault is left alone. */
struct multipart_sink {
    bool (*on_part)(const struct multipart_head *head, void *arg);
    bool (*on_data)(const void *data, size_t size, void *arg);
    bool (*on_end)(void *arg); /* the part is whole */
};

/* The boundary of a Content-Type. False: the type is multipart/form-data but names no boundary that is one.
 * *boundary becomes empty if the type is another one (or type is NULL). */
bool multipart_boundary(const char *type, struct buf *boundary);
/* boundary is copied, sink is not. */
struct multipart *multipart_new(const char *boundary, const struct multipart_sink *sink, void *arg);
void multipart_free(struct multipart *m);
/* The next bytes. False: malformed (*fault says how), too large, or stopped by the sink. */
bool multipart_take(struct multipart *m, const char *data, size_t size, struct http_fault *fault);
/* The body's end. False: the last boundary has not come. */
bool multipart_end(const struct multipart *m, struct http_fault *fault);

/* ---- words.c: what multipart reads in fields ---- */
/* Reads the next "; name=value" at *at, a quoted value without its quotes. 1: one was read; 0: the end; -1:
 * malformed. */
int words_parameter(const char **at, const char **name, size_t *name_len, struct buf *value);
/* The last component of a client's file name, safe in paths, headers and pages: no separators, control
 * characters, characters that turn the direction of writing, leading dots; at most 200 bytes with the ending
 * kept; "file" if nothing is left. */
void words_filename(const char *said, struct buf *out);

#endif
