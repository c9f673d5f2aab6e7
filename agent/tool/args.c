/* args.c: arguments of a tool against its JSON Schema. */
#include <stdlib.h>
#include <string.h>

#include "agent/tool/args.h"

#define PATH_SIZE 200

/* One check under way; path is where it stands, for the words. */
struct check {
    struct buf *why;
    char path[PATH_SIZE];
    unsigned depth;
};

static bool check_value(struct check *c, const json_t *schema, const json_t *value);

/* Says what is wrong with the value at the path. */
static bool fault(struct check *c, const char *what, const char *detail)
{
    if (c->why != NULL) {
        buf_addf(c->why, "%s %s%s", c->path[0] != '\0' ? c->path : "the arguments", what, detail);
    }
    return false;
}

/* True if the value is of the type with this name. */
static bool is_type(const json_t *value, const char *name)
{
    double number = json_number_value(value);

    return (strcmp(name, "string") == 0 && json_is_string(value)) ||
           (strcmp(name, "integer") == 0 && json_is_number(value) && number == (double)(long long)number) ||
           (strcmp(name, "number") == 0 && json_is_number(value)) ||
           (strcmp(name, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(name, "object") == 0 && json_is_object(value)) ||
           (strcmp(name, "array") == 0 && json_is_array(value)) ||
           (strcmp(name, "null") == 0 && json_is_null(value));
}

static bool check_type(struct check *c, const json_t *schema, const json_t *value)
{
    const json_t *type = json_object_get(schema, "type");
    bool fits = type == NULL;

    if (json_is_string(type)) {
        fits = is_type(value, json_string_value(type));
        return fits || fault(c, "must be of type ", json_string_value(type));
    }
    for (size_t i = 0; i < json_array_size(type); i++) {
        const char *name = json_string_value(json_array_get(type, i));
        fits = fits || (name != NULL && is_type(value, name));
    }
    return fits || fault(c, "is of the wrong type", "");
}

static bool check_choice(struct check *c, const json_t *schema, const json_t *value)
{
    const json_t *list = jx_arr(schema, "enum"), *only = json_object_get(schema, "const");
    bool fits = list == NULL;

    for (size_t i = 0; i < json_array_size(list); i++) {
        fits = fits || json_equal(json_array_get(list, i), value);
    }
    return (fits && (only == NULL || json_equal(only, value))) ||
           fault(c, "is not one of the allowed values", "");
}

/* One pair of bounds. */
static bool in_bounds(const json_t *schema, const char *least, const char *most, double value)
{
    return value >= jx_num(schema, least, value) && value <= jx_num(schema, most, value);
}

static bool check_bounds(struct check *c, const json_t *schema, const json_t *value)
{
    if (json_is_number(value) && !in_bounds(schema, "minimum", "maximum", json_number_value(value))) {
        return fault(c, "is out of range", "");
    }
    if (json_is_string(value) &&
        !in_bounds(schema, "minLength", "maxLength", (double)json_string_length(value))) {
        return fault(c, "is too short or too long", "");
    }
    if (json_is_array(value) && !in_bounds(schema, "minItems", "maxItems", (double)json_array_size(value))) {
        return fault(c, "has too few or too many items", "");
    }
    return true;
}

/* Checks a part of the value; name is added to the path meanwhile. */
static bool check_part(struct check *c, const char *name, const json_t *schema, const json_t *value)
{
    size_t end = strlen(c->path);

    strncat(c->path, "/", sizeof c->path - end - 1);
    strncat(c->path, name, sizeof c->path - strlen(c->path) - 1);
    bool fits = check_value(c, schema, value);
    c->path[end] = '\0';
    return fits;
}

static bool check_object(struct check *c, const json_t *schema, const json_t *value)
{
    const json_t *properties = jx_obj(schema, "properties"), *required = jx_arr(schema, "required");
    bool closed = json_is_false(json_object_get(schema, "additionalProperties"));
    const char *key;
    json_t *member;

    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name != NULL && json_object_get(value, name) == NULL) {
            return fault(c, "must hold ", name);
        }
    }
    json_object_foreach ((json_t *)value, key, member) {
        const json_t *rule = json_object_get(properties, key);
        if (rule == NULL && closed) {
            return fault(c, "must not hold ", key);
        }
        if (rule != NULL && !check_part(c, key, rule, member)) {
            return false;
        }
    }
    return true;
}

static bool check_items(struct check *c, const json_t *schema, const json_t *value)
{
    const json_t *rule = jx_obj(schema, "items");

    for (size_t i = 0; rule != NULL && i < json_array_size(value); i++) {
        if (!check_part(c, "item", rule, json_array_get(value, i))) {
            return false;
        }
    }
    return true;
}

static bool check_value(struct check *c, const json_t *schema, const json_t *value)
{
    if (++c->depth > ARGS_DEPTH) {
        return fault(c, "is nested too deeply", "");
    }
    bool fits =
        check_type(c, schema, value) && check_choice(c, schema, value) && check_bounds(c, schema, value);
    if (fits && json_is_object(value)) {
        fits = check_object(c, schema, value);
    } else if (fits && json_is_array(value)) {
        fits = check_items(c, schema, value);
    }
    c->depth--;
    return fits;
}

bool args_check(const json_t *schema, const json_t *value, struct buf *why)
{
    struct check c = {.why = why};

    return check_value(&c, schema, value);
}

bool args_schema_ok(const json_t *schema, struct buf *why)
{
    struct check c = {.why = why, .path = "the schema"};

    if (!json_is_object(schema) || strcmp(jx_str_or(schema, "type", ""), "object") != 0) {
        return fault(&c, "must be of type object", "");
    }
    char *text = jx_text(schema);
    bool small = strlen(text) <= ARGS_SCHEMA_MAX;
    free(text);
    return small || fault(&c, "is too large", "");
}
