/* surface.h: the ways the one API is worn: prefix, case of field names, list envelope, names of parameters.
 *
 * Inside there is one form, the canonical snake_case. A surface turns what came in to that form and what goes
 * out from it; keys under the customer's own data (metadata, custom_fields, ...) are left as they are.
 * Thread: any. */
#ifndef CHASQUI_API_SURFACE_H
#define CHASQUI_API_SURFACE_H

#include <stdbool.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"

/* Bits of a route's surfaces. */
enum {
    ON_API = 1u,   /* /api/v1 */
    ON_V1 = 2u,    /* /v1 */
    ON_ROOT = 4u,  /* operations and platform hooks: no key */
    ON_ADMIN = 8u, /* only over the Unix socket */
    ON_BOTH = ON_API | ON_V1,
    TEST_ONLY = 16u, /* keys of the test mode only */
    ON_VIVI = 32u,   /* /channelsApi: one channel, and its own key */
};

struct surface {
    unsigned bit;
    const char *prefix;    /* "/api/v1"; "" for the root */
    bool camel;            /* field and parameter names in camelCase */
    bool enveloped;        /* lists as {data, meta} instead of {count, next, previous, results} */
    const char *page_size; /* the parameter's name */
    const char *const (
        *aliases)[2]; /* first path segment -> canonical one; ends with {NULL, NULL}; may be NULL */
};

/* The surface of a path, and the path behind its prefix in *rest ("/" at least). */
const struct surface *surface_of(const char *path, const char **rest);
const struct surface *surface_at(unsigned index); /* NULL behind the last */
/* The canonical name of a first segment of len bytes; the segment itself if it is no alias. */
const char *surface_alias(const struct surface *surface, const char *segment, size_t len, size_t *out_len);

/* "pageSize" -> "page_size" and back. */
void case_snake(const char *name, struct buf *out);
void case_camel(const char *name, struct buf *out);
/* A copy with every key in the surface's case (out) or in ours (in). NULL: two keys fell together (field:
 * which). */
json_t *surface_in(const struct surface *surface, const json_t *body, struct buf *field);
json_t *surface_out(const struct surface *surface, const json_t *body);
/* A field's path ("documents/3/doc_type") in the surface's case. */
void surface_field(const struct surface *surface, const char *field, struct buf *out);

#endif
