/* openapi_schemas.c: the components of the OpenAPI document: schemas out of the tables of fields (JSON Schema
 * 2020-12, as OpenAPI 3.1 has it), and the few parameters, headers and answers that operations share. */
#include "bridge/api/openapi.h"

#include <string.h>

#include "bridge/api/answer.h"

json_t *openapi_reference(const char *kind, const char *name)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/%s/%s", kind, name));
}

const char *openapi_label(enum schema_id id, const struct surface *surface, struct buf *out)
{
    buf_reset(out);
    buf_addf(out, "%s%s", schema_name(id), surface->camel ? "Camel" : "");
    return buf_str(out);
}

json_t *openapi_schema_reference(enum schema_id id, const struct surface *surface)
{
    struct buf name;
    buf_init(&name, OPENAPI_NAME_MAX);
    json_t *out = openapi_reference("schemas", openapi_label(id, surface, &name));
    buf_fini(&name);
    return out;
}

/* What an array holds. */
static json_t *items_of(const struct field_row *row, const struct surface *surface)
{
    if (row->type == FIELD_OBJECTS && row->nested != SCHEMA_NONE) {
        return openapi_schema_reference(row->nested, surface);
    }
    return json_pack("{s:s}", "type", row->type == FIELD_TEXTS ? "string" : "object");
}

/* Sizes and forms. */
static void add_bounds(json_t *out, const struct field_row *row, const struct surface *surface)
{
    bool array = row->type == FIELD_TEXTS || row->type == FIELD_OBJECTS;
    if (row->type == FIELD_TEXT && row->max > 0) {
        jx_set_int(out, "maxLength", row->max);
    } else if ((row->type == FIELD_INT || row->type == FIELD_NUMBER) && row->max > 0) {
        jx_set_int(out, "minimum", 0);
        jx_set_int(out, "maximum", row->max);
    } else if (array && row->max > 0) {
        jx_set_int(out, "maxItems", row->max);
    } else if (row->type == FIELD_URL) {
        jx_set_str(out, "format", "uri");
    }
    if (array) {
        jx_set(out, "items", items_of(row, surface));
    }
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
        if ((row->flags & NULLABLE) != 0) {
            jx_push(list, json_null());
        }
        jx_set(schema, "enum", list);
    } else {
        json_decref(list);
    }
}

/* The schema of one field. */
static json_t *field_schema(const struct field_row *row, const struct surface *surface)
{
    static const char *const types[] = {
        [FIELD_TEXT] = "string",   [FIELD_INT] = "integer", [FIELD_NUMBER] = "number",
        [FIELD_BOOL] = "boolean",  [FIELD_TIME] = "string", [FIELD_URL] = "string",
        [FIELD_OBJECT] = "object", [FIELD_TEXTS] = "array", [FIELD_OBJECTS] = "array"};
    json_t *out = json_object();
    if (row->type == FIELD_OBJECT && row->nested != SCHEMA_NONE) {
        json_decref(out);
        return openapi_schema_reference(row->nested, surface);
    }
    if (row->type != FIELD_ANY) {
        json_t *type = json_string(types[row->type]);
        jx_set(out, "type", (row->flags & NULLABLE) != 0 ? json_pack("[o, s]", type, "null") : type);
    }
    jx_set_str(out, "description", row->text);
    add_bounds(out, row, surface);
    add_choices(out, row);
    return out;
}

/* One schema of the table in a surface's case. */
static json_t *object_schema(enum schema_id id, const struct surface *surface)
{
    struct buf name;
    json_t *out = json_object(), *properties = json_object(), *required = json_array();
    buf_init(&name, OPENAPI_NAME_MAX);
    for (unsigned i = 0; i < field_row_count; i++) {
        const struct field_row *row = &field_rows[i];
        if (row->schema != id) {
            continue;
        }
        buf_reset(&name);
        surface_field(surface, row->name, &name);
        jx_set(properties, buf_str(&name), field_schema(row, surface));
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

json_t *openapi_body_schema(enum schema_id id, const struct surface *surface, bool partial)
{
    bool required = false;
    for (unsigned i = 0; i < field_row_count; i++) {
        required = required || (field_rows[i].schema == id && (field_rows[i].flags & REQUIRED) != 0);
    }
    if (!partial || !required) {
        return openapi_schema_reference(id, surface);
    }
    json_t *out = object_schema(id, surface);
    json_object_del(out, "required");
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

/* True if the route takes or gives the schema with names as this surface wears them. */
static bool wears(const struct route *route, enum schema_id id, const struct surface *surface,
                  unsigned surfaces)
{
    const struct answer_row *answer = answer_of(route);
    if ((route->surfaces & surface->bit & surfaces) == 0) {
        return false;
    }
    return route->schema == id ||
           (answer != NULL && answer->schema == id && (answer->form != AS_BARE_LIST || !surface->camel));
}

/* True if a row of this surface wears the schema, or a schema that one does refers to it. */
static bool is_used(enum schema_id id, const struct surface *surface, unsigned surfaces)
{
    bool used = false;
    for (unsigned i = 0; i < route_count && !used; i++) {
        used = wears(&routes[i], id, surface, surfaces);
    }
    for (unsigned i = 0; i < field_row_count && !used; i++) {
        used = field_rows[i].nested == id && is_used(field_rows[i].schema, surface, surfaces);
    }
    return used && id != SCHEMA_EMPTY;
}

/* Every schema on each of these surfaces that wears it. */
static json_t *all_schemas(unsigned surfaces)
{
    struct buf name;
    json_t *schemas = json_object();
    buf_init(&name, OPENAPI_NAME_MAX);
    jx_set(schemas, "Error", error_schema());
    for (unsigned s = 0; surface_at(s) != NULL; s++) {
        const struct surface *surface = surface_at(s);
        for (int id = SCHEMA_NONE + 1; id < SCHEMA_COUNT; id++) {
            if (is_used((enum schema_id)id, surface, surfaces)) {
                json_t *schema = object_schema((enum schema_id)id, surface);
                jx_set(schemas, openapi_label((enum schema_id)id, surface, &name), schema);
            }
        }
    }
    buf_fini(&name);
    return schemas;
}

/* A parameter of the query. */
static json_t *query_parameter(const char *name, const char *type, const char *text)
{
    return json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", name, "in", "query", "description", text, "schema",
                     "type", type);
}

/* The parameters that many operations take. */
static json_t *all_parameters(void)
{
    json_t *out = json_object();
    jx_set(out, "page", query_parameter("page", "integer", "The page, from 1"));
    jx_set(out, "page_size",
           query_parameter("page_size", "integer", "Rows of a page: 20 unless told, at most 100"));
    jx_set(out, "pageSize",
           query_parameter("pageSize", "integer", "Rows of a page: 20 unless told, at most 100"));
    jx_set(out, "cursor",
           query_parameter("cursor", "string",
                           "Goes on where an earlier page ended; stays right while rows are added"));
    jx_set(out, "idempotencyKey",
           json_pack("{s:s, s:s, s:s, s:{s:s, s:i, s:i}}", "name", "Idempotency-Key", "in", "header",
                     "description", "The same key and body get the first answer again for 24 hours", "schema",
                     "type", "string", "minLength", 1, "maxLength", 257));
    return out;
}

/* The headers of answers. */
static json_t *all_headers(void)
{
    static const struct {
        const char *name, *type, *text;
    } headers[] = {
        {"X-Request-Id", "string", "Names this request in logs and errors"},
        {"X-RateLimit-Limit", "integer", "Requests the plan allows in a window"},
        {"X-RateLimit-Remaining", "integer", "Requests left in this window"},
        {"X-RateLimit-Reset", "integer", "Unix second at which the window ends"},
        {"Retry-After", "integer", "Seconds to wait"},
        {"Deprecation", "string", "Since when the operation is deprecated (RFC 9745)"},
        {"Sunset", "string", "When the operation may be gone (RFC 8594)"},
    };
    json_t *out = json_object();
    for (unsigned i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        jx_set(
            out, headers[i].name,
            json_pack("{s:s, s:{s:s}}", "description", headers[i].text, "schema", "type", headers[i].type));
    }
    return out;
}

/* Every refusal looks the same; those of a limit tell when to come again. */
static json_t *refusal(const char *text, bool waits)
{
    json_t *out = json_pack("{s:s, s:{s:o}, s:{s:{s:o}}}", "description", text, "headers", "X-Request-Id",
                            openapi_reference("headers", "X-Request-Id"), "content", "application/json",
                            "schema", openapi_reference("schemas", "Error"));
    if (waits) {
        jx_set(jx_obj(out, "headers"), "Retry-After", openapi_reference("headers", "Retry-After"));
    }
    return out;
}

json_t *openapi_components(unsigned surfaces)
{
    json_t *security =
        json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s, s:s}}", "bearer", "type", "http", "scheme", "bearer",
                  "description", "An API key: ck_live_... or ck_test_...", "apiKey", "type", "apiKey", "in",
                  "header", "name", "X-API-Key", "description", "The same key in a header of its own");
    json_t *responses = json_object();
    jx_set(responses, "Refused", refusal("Refused; the body says why.", false));
    jx_set(responses, "Wait", refusal("Not now; Retry-After says when.", true));
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "schemas", all_schemas(surfaces), "parameters",
                     all_parameters(), "headers", all_headers(), "responses", responses, "securitySchemes",
                     security);
}
