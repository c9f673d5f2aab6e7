/* route.h: the route table (tbl_routes.h) and matching by it. Thread: any. */
#ifndef CHASQUI_API_ROUTE_H
#define CHASQUI_API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "bridge/api/schema.h"
#include "bridge/api/surface.h"
#include "queue/base/buf.h"

struct call;

/* What one accepted request counts against. */
enum rate_class {
    RATE_NONE,      /* nothing: operations, platform hooks */
    RATE_REQUEST,   /* requests per minute */
    RATE_MESSAGE,   /* and messages per hour */
    RATE_KNOWLEDGE, /* and knowledge writes per day */
};
enum body_class {
    BODY_NONE, /* small and ignored */
    BODY_JSON, /* option http.body_max */
    BODY_BULK, /* 16 MiB of JSON */
    BODY_FILES, /* into temporary files while it comes (http/upload.h); option http.file_max */
    BODY_HOOK, /* option http.hook_body_max, any bytes */
};

struct route {
    const char *method;
    const char *path; /* "/agents/{agent}/channels/" behind the surface's prefix */
    unsigned surfaces;
    const char *scope; /* "": no key needed; "any": any key */
    enum body_class body;
    enum schema_id schema;
    enum rate_class rate;
    void (*handler)(struct call *call);
    const char *text; /* one line of documentation */
};
extern const struct route routes[];
extern const unsigned route_count;

#define ROUTE_PARAMS 4
struct route_param {
    const char *name; /* in the template, name_len bytes */
    size_t name_len;
    const char *value; /* in the path, len bytes */
    size_t len;
};
struct route_match {
    const struct route *route; /* NULL: no row with this method */
    const struct route *any;   /* some row of the best template; NULL: the path is unknown */
    struct route_param params[ROUTE_PARAMS];
    unsigned param_count;
};
/* The row for a method and the path behind the surface's prefix. HEAD finds GET's row. A literal segment wins
 * over a parameter. A slash at the end makes no difference. */
void route_find(const struct surface *surface, const char *method, const char *path,
                struct route_match *match);
/* "GET, HEAD, OPTIONS, POST": what the template of this row takes on this surface. */
void route_allow(const struct surface *surface, const struct route *any, struct buf *out);

/* Every handler of the table. */
#define ROUTE(method, path, surfaces, scope, body, schema, rate, handler, text) void handler(struct call *c);
#include "bridge/api/tbl_routes.h"
#undef ROUTE

#endif
