/* openapi.c: the route and schema tables as an OpenAPI 3.1 document. */
#include <ctype.h>
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/reply.h"
#include "queue/events.h"

#define NAME_MAX_BYTES 300

/* The JSON type of a field. */
static json_t *field_schema(const struct field_row *row)
{
    static const char *const types[] = {
        [FIELD_TEXT] = "string",   [FIELD_INT] = "integer", [FIELD_NUMBER] = "number",
        [FIELD_BOOL] = "boolean",  [FIELD_TIME] = "string", [FIELD_URL] = "string",
        [FIELD_OBJECT] = "object", [FIELD_TEXTS] = "array", [FIELD_OBJECTS] = "array"};
    json_t *out = json_object();
    if (row->type != FIELD_ANY) {
        json_t *type = json_string(types[row->type]);
        jx_set(out, "type", (row->flags & NULLABLE) != 0 ? json_pack("[o, s]", type, "null") : type);
    }
    jx_set_str(out, "description", row->text);
    if (row->type == FIELD_TEXT && row->max > 0) {
        jx_set_int(out, "maxLength", row->max);
    } else if ((row->type == FIELD_INT || row->type == FIELD_NUMBER) && row->max > 0) {
        jx_set_int(out, "minimum", 0);
        jx_set_int(out, "maximum", row->max);
    } else if (row->type == FIELD_TEXTS || row->type == FIELD_OBJECTS) {
        jx_set_int(out, "maxItems", row->max);
        jx_set(out, "items", json_pack("{s:s}", "type", row->type == FIELD_TEXTS ? "string" : "object"));
    } else if (row->type == FIELD_URL) {
        jx_set_str(out, "format", "uri");
    }
    return out;
}

/* "a|b|c" as an enum. */
static void add_choices(json_t *schema, const struct field_row *row)
{
    json_t *list = json_array();
    for (const char *at = row->choices; *at != '\0';) {
        size_t len = strcspn(at, "|");
        jx_push(list, json_stringn(at, len));
        at += len + (at[len] == '|');
    }
    if (json_array_size(list) > 0) {
        jx_set(schema, "enum", list);
    } else {
        json_decref(list);
    }
}

/* "#/components/schemas/NAME". */
static json_t *reference(const char *name)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", name));
}

/* A field's name in a surface's case. */
static void worn_name(const struct surface *surface, const char *name, struct buf *out)
{
    buf_reset(out);
    surface_field(surface, name, out);
}

/* The name of a schema on a surface: the camelCase form stands beside the canonical one. */
static const char *schema_label(enum schema_id id, const struct surface *surface, struct buf *out)
{
    buf_reset(out);
    buf_addf(out, "%s%s", schema_name(id), surface->camel ? "Camel" : "");
    return buf_str(out);
}

/* One schema of the table in a surface's case. */
static json_t *object_schema(enum schema_id id, const struct surface *surface)
{
    struct buf name;
    json_t *out = json_object(), *properties = json_object(), *required = json_array();
    buf_init(&name, NAME_MAX_BYTES);
    for (unsigned i = 0; i < field_row_count; i++) {
        const struct field_row *row = &field_rows[i];
        if (row->schema != id) {
            continue;
        }
        json_t *field = row->type == FIELD_OBJECT && row->nested != SCHEMA_NONE
                            ? reference(schema_label(row->nested, surface, &name))
                            : field_schema(row);
        add_choices(field, row);
        worn_name(surface, row->name, &name);
        jx_set(properties, buf_str(&name), field);
        if ((row->flags & REQUIRED) != 0) {
            jx_push(required, json_string(buf_str(&name)));
        }
    }
    buf_fini(&name);
    jx_set_str(out, "type", "object");
    jx_set(out, "properties", properties);
    if (json_array_size(required) > 0) {
        jx_set(out, "required", required);
    } else {
        json_decref(required);
    }
    jx_set_bool(out, "additionalProperties", schema_open(id));
    return out;
}

/* The error envelope. */
static json_t *error_schema(void)
{
    return json_pack(
        "{s:s, s:[s,s], s:{s:{s:s}, s:{s:s, s:[s,s,s,s,s], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, "
        "s:{s:s}}}}}",
        "type", "object", "required", "error", "message", "properties", "message", "type", "string", "error",
        "type", "object", "required", "code", "message", "status", "timestamp", "request_id", "properties",
        "code", "type", "string", "message", "type", "string", "status", "type", "integer", "timestamp",
        "type", "string", "field", "type", "string", "request_id", "type", "string");
}

/* True if a row of this surface, or a schema that one reads, refers to the schema. */
static bool is_used(enum schema_id id, const struct surface *surface)
{
    bool used = false;
    for (unsigned i = 0; i < route_count && !used; i++) {
        used = routes[i].schema == id && (routes[i].surfaces & surface->bit) != 0;
    }
    for (unsigned i = 0; i < field_row_count && !used; i++) {
        used = field_rows[i].nested == id && field_rows[i].type == FIELD_OBJECT &&
               is_used(field_rows[i].schema, surface);
    }
    return used && id != SCHEMA_EMPTY;
}

/* Every schema on every surface that wears it. */
static json_t *components(void)
{
    struct buf name;
    json_t *schemas = json_object();
    buf_init(&name, NAME_MAX_BYTES);
    jx_set(schemas, "Error", error_schema());
    for (unsigned s = 0; s < 2; s++) {
        for (int id = SCHEMA_NONE + 1; id < SCHEMA_COUNT; id++) {
            const struct surface *surface = surface_at(s);
            if (is_used((enum schema_id)id, surface)) {
                json_t *schema = object_schema((enum schema_id)id, surface);
                jx_set(schemas, schema_label((enum schema_id)id, surface, &name), schema);
            }
        }
    }
    buf_fini(&name);
    json_t *security =
        json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s, s:s}}", "bearer", "type", "http", "scheme", "bearer",
                  "description", "An API key: ck_live_... or ck_test_...", "apiKey", "type", "apiKey", "in",
                  "header", "name", "X-API-Key", "description", "The same key in a header of its own");
    return json_pack("{s:o, s:o}", "schemas", schemas, "securitySchemes", security);
}

/* The path of a row on a surface, without a slash at its end. */
static void path_of(const struct route *route, const struct surface *surface, struct buf *out)
{
    buf_reset(out);
    size_t len = strlen(route->path);
    len -= len > 1 && route->path[len - 1] == '/';
    buf_adds(out, surface->prefix);
    buf_add(out, route->path, len);
}

/* "{agent}" and the like as parameters. */
static json_t *parameters_of(const struct route *route)
{
    json_t *list = json_array();
    for (const char *at = strchr(route->path, '{'); at != NULL; at = strchr(at, '{')) {
        size_t len = strcspn(++at, "}");
        jx_push(list, json_pack("{s:o, s:s, s:b, s:{s:s}}", "name", json_stringn(at, len), "in", "path",
                                "required", 1, "schema", "type", "string"));
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
    buf_adds(out, surface->bit == ON_V1 ? "V1" : surface->prefix[0] == '\0' ? "Root" : "");
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
    const char *word = route->path + 1;
    return json_stringn(word, strcspn(word, "/"));
}

/* The answers a client must expect. */
static json_t *responses_of(const struct route *route)
{
    static const char *const errors[] = {"400", "401", "403", "404", "429", "503"};
    json_t *out = json_object();
    const char *good = strcmp(route->method, "DELETE") == 0 ? "204" : "2XX";
    jx_set(out, good, json_pack("{s:s}", "description", "Done."));
    for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]) && route->scope[0] != '\0'; i++) {
        jx_set(out, errors[i],
               json_pack("{s:s, s:{s:{s:o}}}", "description", "Refused; the body says why.", "content",
                         "application/json", "schema", reference("Error")));
    }
    if (route->scope[0] == '\0') {
        jx_set(out, "4XX", json_pack("{s:s}", "description", "Refused."));
    }
    return out;
}

/* One operation. */
static json_t *operation(const struct route *route, const struct surface *surface)
{
    struct buf name;
    json_t *out = json_object(), *tags = json_array();
    buf_init(&name, NAME_MAX_BYTES);
    operation_id(route, surface, &name);
    jx_set_str(out, "operationId", buf_str(&name));
    jx_set_str(out, "summary", route->text);
    jx_set_str(out, "description", route->text);
    jx_push(tags, tag_of(route));
    jx_set(out, "tags", tags);
    json_t *parameters = parameters_of(route);
    if (json_array_size(parameters) > 0) {
        jx_set(out, "parameters", parameters);
    } else {
        json_decref(parameters);
    }
    if (route->schema != SCHEMA_NONE && route->schema != SCHEMA_EMPTY) {
        jx_set(out, "requestBody",
               json_pack("{s:b, s:{s:{s:o}}}", "required", 1, "content", "application/json", "schema",
                         reference(schema_label(route->schema, surface, &name))));
    }
    jx_set(out, "responses", responses_of(route));
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

/* Every row on every surface that wears it. */
static json_t *paths(void)
{
    struct buf path;
    json_t *out = json_object();
    buf_init(&path, NAME_MAX_BYTES);
    for (unsigned s = 0; surface_at(s) != NULL; s++) {
        const struct surface *surface = surface_at(s);
        for (unsigned i = 0; i < route_count; i++) {
            if ((routes[i].surfaces & surface->bit & ~(unsigned)ON_ADMIN) == 0) {
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
static json_t *all_tags(void)
{
    json_t *seen = json_object(), *out = json_array();
    for (unsigned i = 0; i < route_count; i++) {
        json_t *tag = tag_of(&routes[i]);
        const char *name = json_string_value(tag);
        if ((routes[i].surfaces & (ON_BOTH | ON_ROOT)) != 0 && json_object_get(seen, name) == NULL) {
            jx_push(out, json_pack("{s:s, s:o}", "name", name, "description",
                                   json_sprintf("Operations on %s.", name)));
            jx_set(seen, name, json_true());
        }
        json_decref(tag);
    }
    json_decref(seen);
    return out;
}

void openapi_show(struct call *c)
{
    json_t *out = json_object();
    jx_set_str(out, "openapi", "3.1.0");
    jx_set(out, "info",
           json_pack("{s:s, s:s, s:s, s:{s:s, s:s}}", "title", "Chasqui", "version", EVENT_API_VERSION,
                     "description",
                     "A bridge between messaging platforms, an agent that answers from a business's own "
                     "knowledge, and the "
                     "business's apps.",
                     "contact", "name", "The operator of this server", "url", c->api->app->public_url));
    jx_set(out, "servers", json_pack("[{s:s}]", "url", c->api->app->public_url));
    jx_set(out, "tags", all_tags());
    jx_set(out, "paths", paths());
    jx_set(out, "components", components());
    c->bare = true;
    call_reply(c, 200, out);
}
