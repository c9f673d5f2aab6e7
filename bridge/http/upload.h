/* upload.h: bodies that go to temporary files while they arrive, so that a large one costs no memory.
 *
 * http_upload_begin, called inside on_head, turns the body of one request into parts. A multipart/form-data
 * body (RFC 7578) gives one part for each of its fields; any other body gives one file with the name "". Each
 * file lies under http_config.upload_dir with a name of our own, its SHA-256 is computed on the way, and it
 * is removed with the request unless the handler took it (blob_adopt moves it to its place). on_request comes
 * when all parts are whole.
 *
 * Refused by the front, with nothing handed over: malformed multipart or a missing boundary 400,
 * Content-Transfer-Encoding but 7bit, 8bit and binary 400, a part without a name 400, more parts than
 * parts_max 413, a file beyond file_max 413, a field beyond field_max 413, a disk that does not take the
 * bytes 503 with Retry-After. Thread: the request's loop. Writing blocks as long as the page cache does;
 * nothing is synced here. */
#ifndef CHASQUI_HTTP_UPLOAD_H
#define CHASQUI_HTTP_UPLOAD_H

#include <stdint.h>

#include "bridge/http/http.h"

struct http_upload_limits {
    uint64_t file_max;  /* bytes of one file */
    unsigned parts_max; /* files and fields */
    size_t field_max;   /* bytes of a field that is no file; these are kept in memory */
};

/* Lives as long as its request. */
struct http_part {
    const char *name;      /* of the form's field; "" for a body that is one file */
    const char *filename;  /* the last component of what the client said, made safe; NULL if it said none */
    const char *mime_type; /* what the client said, "" if nothing: not to be believed */
    const char *value;     /* of a field that is no file, NUL-terminated; NULL for a file */
    const char *path;      /* of the file; NULL for a field */
    uint64_t size;
    char sha256[65]; /* lower-case hex; "" for a field */
};

/* Inside on_head only, at most once, and not after an answer. */
void http_upload_begin(struct http_request *req, const struct http_upload_limits *limits);
/* The parts in their order; NULL and 0 if the body was not an upload or is not whole yet. */
const struct http_part *http_parts(const struct http_request *req, unsigned *count);
/* The first part of that name, NULL if there is none. */
const struct http_part *http_part_named(const struct http_request *req, const char *name);

#endif
