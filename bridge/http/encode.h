/* encode.h: gzip for answers and what decides about it; inside the front only. Thread: a packer, one at a
 * time. */
#ifndef CHASQUI_HTTP_ENCODE_H
#define CHASQUI_HTTP_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

struct http_packer;
struct http_request;

/* level as zlib's, 1 to 9. */
struct http_packer *http_packer_new(int level);
void http_packer_free(struct http_packer *packer);
/* Packs data; NULL if it does not become smaller. The caller frees. */
void *http_packer_run(struct http_packer *packer, const void *data, size_t size, size_t *packed);

/* True if an Accept-Encoding (may be NULL) takes gzip. */
bool http_takes_gzip(const char *accept);
/* True if an answer of this type and size is worth packing for those who take it. */
bool http_worth_packing(const char *type, size_t size);
/* Codes the body of an answer about to leave, and adds the fields that say so. NULL: it goes as it is. The
 * caller frees. */
void *http_encode(struct http_request *req, const char *type, const void *body, size_t size, size_t *packed);
/* True if an If-None-Match (may be NULL) names this tag. */
bool http_tag_matches(const char *condition, const char *tag);

#endif
