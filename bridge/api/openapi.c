/* openapi.c: the route table as an OpenAPI 3.1 document. */
#include "bridge/api/openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bridge/api/answer.h"
#include "bridge/api/call.h"
#include "bridge/api/deprecation.h"
#include "queue/events.h"

/* The path of a row on a surface, without a slash at its end. */
static void path_of(const struct route *route, const struct surface *surface, struct buf *out)
{
    buf_reset(out);
    size_t len = strlen(route->path);
    len -= len > 1 && route->path[len - 1] == '/';
    buf_adds(out, surface->prefix);
    buf_add(out, route->path, len);
}

/* What a handler reads out of the query. */
static const struct query_row {
    void (*handler)(struct call *c);
    const char *name, *kind, *text;
} query_rows[] = {
#define QUERY(handler, name, kind, text) {handler, name, kind, text},
#include "bridge/api/tbl_queries.h"
#undef QUERY
};

/* The schema of "text", "integer", "date", or of choices with bars between. */
static json_t *query_schema(const char *kind)
{
    json_t *schema = json_pack("{s:s}", "type", strcmp(kind, "integer") == 0 ? "integer" : "string");
    json_t *choices = json_array();
    for (const char *at = kind; strchr(kind, '|') != NULL && *at != '\0';) {
        size_t len = strcspn(at, "|");
        jx_push(choices, json_stringn(at, len));
        at += len + (at[len] == '|');
    }
    if (json_array_size(choices) > 0) {
        jx_set(schema, "enum", choices);
    } else {
        json_decref(choices);
    }
    return schema;
}

/* Adds the query parameters of a route's handler, in the surface's case. */
static void add_queries(json_t *list, const struct route *route, const struct surface *surface)
{
    struct buf worn;
    buf_init(&worn, 100);
    for (unsigned i = 0; i < sizeof(query_rows) / sizeof(query_rows[0]); i++) {
        const struct query_row *row = &query_rows[i];
        if (row->handler == route->handler) {
            buf_reset(&worn);
            surface_field(surface, row->name, &worn);
            jx_push(list,
                    json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", buf_str(&worn), "in", "query", "required",
                              0, "description", row->text, "schema", query_schema(row->kind)));
        }
    }
    buf_fini(&worn);
}

/* "{agent}" and the like as parameters, and those that every list and every POST takes. */
static json_t *parameters_of(const struct route *route, const struct surface *surface)
{
    json_t *list = json_array();
    const struct answer_row *answer = answer_of(route);
    for (const char *at = strchr(route->path, '{'); at != NULL; at = strchr(at, '{')) {
        size_t len = strcspn(++at, "}");
        jx_push(list, json_pack("{s:o, s:s, s:b, s:{s:s}}", "name", json_stringn(at, len), "in", "path",
                                "required", 1, "schema", "type", "string"));
    }
    add_queries(list, route, surface);
    if (answer != NULL && (answer->form == AS_LIST || answer->form == AS_BARE_LIST)) {
        jx_push(list, openapi_reference("parameters", "page"));
        jx_push(list, openapi_reference("parameters", surface->page_size));
        jx_push(list, openapi_reference("parameters", "cursor"));
    }
    if (route->scope[0] != '\0' && strcmp(route->method, "POST") == 0) {
        jx_push(list, openapi_reference("parameters", "idempotencyKey"));
    }
    return list;
}

/* "agentsCreate" and so on: the handler's words cannot be had from the table, so method and path make the
 * name. */
static void operation_id(const struct route *route, const struct surface *surface, struct buf *out)
{
    bool raise = true;
    buf_reset(out);
    for (const char *at = route->method; *at != '\0'; at++) {
        buf_addc(out, (char)tolower((unsigned char)*at));
    }
    buf_adds(out, surface->bit == ON_V1           ? "V1"
                  : surface->bit == ON_VIVI       ? "ChannelsApi"
                  : surface->prefix[0] == '\0' ? "Root"
                                                  : "");
    for (const char *at = route->path; *at != '\0'; at++) {
        if (isalnum((unsigned char)*at)) {
            buf_addc(out, raise ? (char)toupper((unsigned char)*at) : *at);
        }
        raise = !isalnum((unsigned char)*at);
    }
}

/* The first literal word of the path. */
static json_t *tag_of(const struct route *route)
{
    const char *word = (route->surfaces & ON_VIVI) != 0 ? "channelsApi" : route->path + 1;
    return json_stringn(word, strcspn(word, "/"));
}

/* A list in the surface's envelope. */
static json_t *list_schema(enum schema_id id, const struct surface *surface, const struct surface *rows_of)
{
    json_t *rows = json_pack("{s:s, s:o}", "type", "array", "items", openapi_schema_reference(id, rows_of));
    if (surface->enveloped) {
        return json_pack(
            "{s:s, s:[s,s], s:{s:o, s:{s:s, s:[s,s,s], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}}}}", "type",
            "object", "required", "data", "meta", "properties", "data", rows, "meta", "type", "object",
            "required", "total", "page", "pageSize", "properties", "total", "type", "integer", "page", "type",
            "integer", "pageSize", "type", "integer", "nextCursor", "type", "string");
    }
    return json_pack("{s:s, s:[s,s,s,s], s:{s:{s:s}, s:{s:[s,s]}, s:{s:[s,s]}, s:o}}", "type", "object",
                     "required", "count", "next", "previous", "results", "properties", "count", "type",
                     "integer", "next", "type", "string", "null", "previous", "type", "string", "null",
                     "results", rows);
}

/* The body of a good answer as a media type and its schema; NULL: it has none. */
static json_t *content_of(const struct answer_row *answer, const struct surface *surface)
{
    switch (answer->form) {
    case AS_OBJECT:
        return json_pack("{s:{s:o}}", "application/json", "schema",
                         openapi_schema_reference(answer->schema, surface));
    case AS_LIST:
        return json_pack("{s:{s:o}}", "application/json", "schema",
                         list_schema(answer->schema, surface, surface));
    case AS_BARE_LIST:
        return json_pack("{s:{s:o}}", "application/json", "schema",
                         list_schema(answer->schema, surface, surface_at(0)));
    case AS_DATA:
        return json_pack("{s:{s:{s:s, s:[s], s:{s:o}}}}", "application/json", "schema", "type", "object",
                         "required", "data", "properties", "data",
                         openapi_schema_reference(answer->schema, surface));
    case AS_EVENTS:
        return json_pack("{s:{s:{s:s}}}", "text/event-stream", "schema", "type", "string");
    case AS_TEXT:
        return json_pack("{s:{s:{s:s}}}", "text/plain", "schema", "type", "string");
    case AS_FILE:
        return json_pack("{s:{s:{}}}", "*/*", "schema");
    case AS_JSON:
        return json_pack("{s:{s:{s:s}}}", "application/json", "schema", "type", "object");
    case AS_EMPTY:
        break;
    }
    return NULL;
}

/* The answer when all goes well. */
static json_t *good_answer(const struct route *route, const struct answer_row *answer,
                           const struct surface *surface)
{
    static const char *const limits[] = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"};
    json_t *out = json_pack("{s:s}", "description", "Done."), *headers = json_object();
    json_t *content = content_of(answer, surface);
    jx_set(headers, "X-Request-Id", openapi_reference("headers", "X-Request-Id"));
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]) && route->scope[0] != '\0'; i++) {
        jx_set(headers, limits[i], openapi_reference("headers", limits[i]));
    }
    if (deprecation_of(route) != NULL) {
        jx_set(headers, "Deprecation", openapi_reference("headers", "Deprecation"));
        jx_set(headers, "Sunset", openapi_reference("headers", "Sunset"));
    }
    jx_set(out, "headers", headers);
    if (content != NULL) {
        jx_set(out, "content", content);
    }
    return out;
}

/* The answers a client must expect. */
static json_t *responses_of(const struct route *route, const struct surface *surface)
{
    static const struct answer_row unknown = {.status = 200, .form = AS_JSON};
    static const char *const errors[] = {"400", "401", "403", "404", "default"};
    const struct answer_row *answer = answer_of(route);
    char status[8];
    json_t *out = json_object();
    answer = answer != NULL ? answer : &unknown;
    snprintf(status, sizeof(status), "%d", answer->status);
    jx_set(out, status, good_answer(route, answer, surface));
    if (answer->form == AS_FILE) {
        jx_set(out, "206", good_answer(route, answer, surface));
        jx_set(out, "304", json_pack("{s:s}", "description", "The client has it already."));
    }
    if (route->scope[0] == '\0') {
        jx_set(out, "4XX", openapi_reference("responses", "Refused"));
        jx_set(out, "5XX", openapi_reference("responses", "Wait"));
        return out;
    }
    for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        jx_set(out, errors[i], openapi_reference("responses", "Refused"));
    }
    jx_set(out, "429", openapi_reference("responses", "Wait"));
    jx_set(out, "503", openapi_reference("responses", "Wait"));
    return out;
}

/* Files as a body: the parts of a form, or the bytes of one. */
static json_t *upload_body(void)
{
    return json_pack("{s:b, s:{s:{s:{s:s, s:{s:{s:s}}}}, s:{s:{}}}}", "required", 1, "content",
                     "multipart/form-data", "schema", "type", "object", "properties", "file", "type",
                     "string", "application/octet-stream", "schema");
}

/* What the operation does; of one that will go: until when, and what to use instead. */
static void add_description(json_t *out, const struct route *route)
{
    const struct deprecation *row = deprecation_of(route);
    if (row == NULL) {
        jx_set_str(out, "description", route->text);
        return;
    }
    jx_set(out, "description",
           json_sprintf("%s. Deprecated since %s, answers until %s at least; use %s.", route->text,
                        row->since, row->until, row->instead));
    jx_set_bool(out, "deprecated", true);
}

/* One operation. */
static json_t *operation(const struct route *route, const struct surface *surface)
{
    struct buf name;
    json_t *out = json_object(), *tags = json_array();
    buf_init(&name, OPENAPI_NAME_MAX);
    operation_id(route, surface, &name);
    jx_set_str(out, "operationId", buf_str(&name));
    jx_set_str(out, "summary", route->text);
    add_description(out, route);
    jx_push(tags, tag_of(route));
    jx_set(out, "tags", tags);
    json_t *parameters = parameters_of(route, surface);
    if (json_array_size(parameters) > 0) {
        jx_set(out, "parameters", parameters);
    } else {
        json_decref(parameters);
    }
    if (route->body == BODY_FILES) {
        jx_set(out, "requestBody", upload_body());
    }
    if (route->schema != SCHEMA_NONE && route->schema != SCHEMA_EMPTY) {
        jx_set(out, "requestBody",
               json_pack("{s:b, s:{s:{s:o}}}", "required", 1, "content", "application/json", "schema",
                         openapi_body_schema(route->schema, surface, strcmp(route->method, "PATCH") == 0)));
    }
    jx_set(out, "responses", responses_of(route, surface));
    jx_set(out, "security",
           route->scope[0] == '\0' ? json_array() : json_pack("[{s:[]}, {s:[]}]", "bearer", "apiKey"));
    if (route->scope[0] != '\0') {
        jx_set_str(out, "x-scope", route->scope);
    }
    if ((route->surfaces & TEST_ONLY) != 0) {
        jx_set_str(out, "x-mode", "test");
    }
    buf_fini(&name);
    return out;
}

/* Every row on each of these surfaces that wears it. */
static json_t *paths(unsigned surfaces)
{
    struct buf path;
    json_t *out = json_object();
    buf_init(&path, OPENAPI_NAME_MAX);
    for (unsigned s = 0; surface_at(s) != NULL; s++) {
        const struct surface *surface = surface_at(s);
        for (unsigned i = 0; i < route_count; i++) {
            if ((routes[i].surfaces & surface->bit & surfaces) == 0) {
                continue;
            }
            char method[8] = "";
            for (unsigned k = 0; routes[i].method[k] != '\0' && k < sizeof(method) - 1; k++) {
                method[k] = (char)tolower((unsigned char)routes[i].method[k]);
            }
            path_of(&routes[i], surface, &path);
            json_t *item = jx_obj(out, buf_str(&path));
            if (item == NULL) {
                item = json_object();
                jx_set(out, buf_str(&path), item);
            }
            jx_set(item, method, operation(&routes[i], surface));
        }
    }
    buf_fini(&path);
    return out;
}

/* The tags that operations use, each once. */
static json_t *all_tags(unsigned surfaces)
{
    json_t *seen = json_object(), *out = json_array();
    for (unsigned i = 0; i < route_count; i++) {
        json_t *tag = tag_of(&routes[i]);
        const char *name = json_string_value(tag);
        if ((routes[i].surfaces & surfaces) != 0 && json_object_get(seen, name) == NULL) {
            jx_push(out, json_pack("{s:s, s:o}", "name", name, "description",
                                   json_sprintf("Operations on %s.", name)));
            jx_set(seen, name, json_true());
        }
        json_decref(tag);
    }
    json_decref(seen);
    return out;
}

json_t *openapi_document(const char *server, const char *title, unsigned surfaces)
{
    json_t *out = json_object();
    jx_set_str(out, "openapi", "3.1.0");
    jx_set(
        out, "info",
        json_pack("{s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}}", "title", title, "version", EVENT_API_VERSION,
                  "description",
                  "A bridge between messaging platforms, an agent that answers from a business's own "
                  "knowledge, and the "
                  "business's apps. Within a major version nothing that callers rely on is taken away. After "
                  "a new major version the old one stays for 12 months or longer; what will go says so "
                  "by Deprecation and Sunset headers.",
                  "contact", "name", "The operator of this server", "url", server, "license", "name",
                  "As the operator of this server grants", "url", server));
    jx_set(out, "servers", json_pack("[{s:s}]", "url", server));
    jx_set(out, "tags", all_tags(surfaces));
    jx_set(out, "paths", paths(surfaces));
    jx_set(out, "components", openapi_components(surfaces));
    return out;
}

void openapi_show(struct call *c)
{
    c->bare = true;
    call_reply(c, 200, openapi_document(c->api->app->public_url, "Chasqui", ON_BOTH | ON_VIVI | ON_ROOT));
}
