/* encode.c: content coding of answers (RFC 9110 sections 8.4 and 12.5.3).
 *
 * Only gzip, only text and JSON, only from ENCODE_MIN bytes on and only if it comes out smaller: below that
 * the head weighs more than what is saved. Streams are never coded: their pieces must leave at once. An
 * answer that could have been coded says Vary, whether it was or not, so that no cache gives one client's
 * form to another. */
#include "bridge/http/encode.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <zlib.h>

#include "bridge/http/http_int.h"

#define ENCODE_MIN  1024
#define ENCODE_MAX  (8u << 20) /* packing more would hold up the loop */
#define LEVEL_FAST  1
#define GZIP_WINDOW (16 + MAX_WBITS)

struct http_packer {
    z_stream stream; /* kept for the loop's life: making one costs more than packing 1 KiB */
};

/* ---- what the client takes ---- */

/* True unless the parameters behind a coding say q=0, 0.0 and so on. */
static bool has_weight(const char *at, const char *end)
{
    const char *q = memchr(at, ';', (size_t)(end - at));
    if (q == NULL) {
        return true;
    }
    q += 1 + strspn(q + 1, " \t");
    if (strncasecmp(q, "q=", 2) != 0) {
        return true;
    }
    for (q += 2; q < end && *q != ' ' && *q != '\t'; q++) {
        if (*q != '0' && *q != '.') {
            return true;
        }
    }
    return false;
}

/* True if an Accept-Encoding takes gzip: by name, or by "*" if gzip is not named. */
bool http_takes_gzip(const char *accept)
{
    bool any = false;
    const char *at = accept != NULL ? accept : "";
    while (*at != '\0') {
        at += strspn(at, ", \t");
        const char *end = at + strcspn(at, ",");
        size_t len = strcspn(at, ",; \t");
        if ((len == 4 && strncasecmp(at, "gzip", 4) == 0) ||
            (len == 6 && strncasecmp(at, "x-gzip", 6) == 0)) {
            return has_weight(at, end);
        }
        if (len == 1 && *at == '*') {
            any = has_weight(at, end);
        }
        at = end;
    }
    return any;
}

/* True for types that shrink. */
static bool is_textual(const char *type)
{
    static const char *const TYPES[] = {"application/json", "application/problem+json",
                                        "application/javascript", "application/schema+json", "image/svg+xml"};
    size_t len = strcspn(type, "; ");
    if (strncasecmp(type, "text/", 5) == 0) {
        return strncasecmp(type, "text/event-stream", len) != 0;
    }
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        if (len == strlen(TYPES[i]) && strncasecmp(type, TYPES[i], len) == 0) {
            return true;
        }
    }
    return false;
}

/* True if an answer of this kind is worth packing for those who take it. */
bool http_worth_packing(const char *type, size_t size)
{
    return type != NULL && size >= ENCODE_MIN && size <= ENCODE_MAX && is_textual(type);
}

/* ---- packing ---- */

struct http_packer *http_packer_new(int level)
{
    struct http_packer *packer = xcalloc(1, sizeof *packer);
    CHECK(deflateInit2(&packer->stream, level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    return packer;
}

void http_packer_free(struct http_packer *packer)
{
    if (packer != NULL) {
        deflateEnd(&packer->stream);
        free(packer);
    }
}

/* Packs data; NULL if it does not become smaller. The caller frees. */
void *http_packer_run(struct http_packer *packer, const void *data, size_t size, size_t *packed)
{
    CHECK(size <= ENCODE_MAX);
    char *out = xmalloc(size);
    deflateReset(&packer->stream);
    packer->stream.next_in = (Bytef *)(uintptr_t)data;
    packer->stream.avail_in = (uInt)size;
    packer->stream.next_out = (Bytef *)out;
    packer->stream.avail_out = (uInt)size;
    if (deflate(&packer->stream, Z_FINISH) != Z_STREAM_END) {
        free(out);
        return NULL;
    }
    *packed = size - packer->stream.avail_out;
    return out;
}

/* Codes the body of an answer about to leave, and adds the fields that say so. NULL: it goes as it is. The
 * caller frees. */
void *http_encode(struct http_request *req, const char *type, const void *body, size_t size, size_t *packed)
{
    struct http_thread *thread = req->thread;
    if (!http_worth_packing(type, size) || http_has_extra(req, "Content-Encoding")) {
        return NULL;
    }
    if (!http_has_extra(req, "Vary")) {
        http_reply_header(req, "Vary", "Accept-Encoding");
    }
    if (!http_takes_gzip(http_header(req, "Accept-Encoding"))) {
        return NULL;
    }
    if (thread->packer == NULL) {
        thread->packer = http_packer_new(LEVEL_FAST);
    }
    void *out = http_packer_run(thread->packer, body, size, packed);
    if (out != NULL) {
        http_reply_header(req, "Content-Encoding", "gzip");
    }
    return out;
}
