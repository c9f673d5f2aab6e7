/* fields.c: checking and merging a JSON body by a table of fields. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/profile/fields.h"

#include "channels/contact.h"
#include "queue/base/id.h"

#define WHERE_SIZE     256
#define TEXTS_ITEM_MAX 300

/* One check under way. */
struct check {
    const struct field *rows;
    size_t count;
    struct buf *why;
};

static _Thread_local char where_text[WHERE_SIZE];

/* The row of a pointer, NULL if there is none. */
static const struct field *row_of(const struct field *rows, size_t count, const char *pointer)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].pointer, pointer) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* Writes prefix + "/" + key, escaped by RFC 6901, cut to size. */
static void pointer_join(char *out, size_t size, const char *prefix, const char *key)
{
    size_t n = (size_t)snprintf(out, size, "%s/", prefix);

    for (const char *p = key; *p != '\0' && n + 3 < size; p++) {
        if (*p == '~' || *p == '/') {
            out[n++] = '~';
            out[n++] = *p == '~' ? '0' : '1';
        } else {
            out[n++] = *p;
        }
    }
    out[n < size ? n : size - 1] = '\0';
}

/* Notes the fault; the pointer is remembered for the caller. */
static enum err fault(struct check *c, const char *pointer, const char *why)
{
    snprintf(where_text, sizeof where_text, "%s", pointer);
    if (c->why != NULL) {
        buf_adds(c->why, why);
    }
    return ERR_INVALID;
}

/* As fault, for an item of an array. */
static enum err fault_at(struct check *c, const char *pointer, size_t index, const char *why)
{
    snprintf(where_text, sizeof where_text, "%s/%zu", pointer, index);
    if (c->why != NULL) {
        buf_adds(c->why, why);
    }
    return ERR_INVALID;
}

/* Notes a fault that names the allowed range. */
static enum err fault_range(struct check *c, const struct field *row, const char *what)
{
    snprintf(where_text, sizeof where_text, "%s", row->pointer);
    if (c->why != NULL) {
        buf_addf(c->why, "must be %s from %.15g to %.15g", what, row->min, row->max);
    }
    return ERR_INVALID;
}

/* True if the text has a control character other than newline and tab; with strict, those count too. */
static bool has_control(const char *text, size_t size, bool strict)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == 0x7f || (c < 0x20 && (strict || (c != '\n' && c != '\t' && c != '\r')))) {
            return true;
        }
    }
    return false;
}

static enum err check_text(struct check *c, const struct field *row, const json_t *value)
{
    if (!json_is_string(value)) {
        return fault(c, row->pointer, "must be text");
    }
    size_t size = json_string_length(value);
    if (size < (size_t)row->min || size > (size_t)row->max) {
        return fault_range(c, row, "text with a length in bytes");
    }
    if (has_control(json_string_value(value), size, row->type != FIELD_TEXT)) {
        return fault(c, row->pointer, "must not hold control characters");
    }
    return ERR_OK;
}

static enum err check_url(struct check *c, const struct field *row, const json_t *value)
{
    enum err rc = check_text(c, row, value);

    if (rc != ERR_OK) {
        return rc;
    }
    const char *url = json_string_value(value);
    const char *host = NULL;
    if (strncasecmp(url, "http://", 7) == 0) {
        host = url + 7;
    } else if (strncasecmp(url, "https://", 8) == 0) {
        host = url + 8;
    } else {
        return fault(c, row->pointer, "must be an http or https URL");
    }
    size_t authority = strcspn(host, "/?#");
    if (authority == 0 || host[0] == ':') {
        return fault(c, row->pointer, "must name a host");
    }
    if (memchr(host, '@', authority) != NULL || strpbrk(url, "# \\\"<>") != NULL) {
        return fault(c, row->pointer, "must be a URL without credentials, spaces or fragment");
    }
    return ERR_OK;
}

static enum err check_phone(struct check *c, const struct field *row, const json_t *value)
{
    char out[24];

    if (!json_is_string(value) || !contact_phone_normalise(json_string_value(value), out)) {
        return fault(c, row->pointer, "must be a telephone number with its country code");
    }
    return ERR_OK;
}

static enum err check_enum(struct check *c, const struct field *row, const json_t *value)
{
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    size_t size = strlen(text);

    for (const char *p = row->choices; size > 0 && p != NULL;) {
        size_t n = strcspn(p, "|");
        if (n == size && memcmp(p, text, n) == 0) {
            return ERR_OK;
        }
        p = p[n] == '|' ? p + n + 1 : NULL;
    }
    snprintf(where_text, sizeof where_text, "%s", row->pointer);
    if (c->why != NULL) {
        buf_addf(c->why, "must be one of %s", row->choices);
    }
    return ERR_INVALID;
}

static enum err check_color(struct check *c, const struct field *row, const json_t *value)
{
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    size_t size = strlen(text);

    if (text[0] != '#' || (size != 4 && size != 7) || strspn(text + 1, "0123456789abcdefABCDEF") != size - 1) {
        return fault(c, row->pointer, "must be a colour such as #1c62b5");
    }
    return ERR_OK;
}

static enum err check_number(struct check *c, const struct field *row, const json_t *value)
{
    bool whole = row->type == FIELD_INT;

    if (whole ? !json_is_integer(value) : !json_is_number(value)) {
        return fault_range(c, row, whole ? "a whole number" : "a number");
    }
    double number = json_number_value(value);
    if (!(number >= row->min && number <= row->max)) {
        return fault_range(c, row, whole ? "a whole number" : "a number");
    }
    return ERR_OK;
}

static enum err check_bool(struct check *c, const struct field *row, const json_t *value)
{
    return json_is_boolean(value) ? ERR_OK : fault(c, row->pointer, "must be true or false");
}

/* True if an earlier item of the array is the same text. */
static bool is_repeated(const json_t *array, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (json_equal(json_array_get(array, i), json_array_get(array, index))) {
            return true;
        }
    }
    return false;
}

/* One item of an array of texts or ids; NULL if it is fine. */
static const char *item_fault(const struct field *row, const json_t *array, size_t index)
{
    const json_t *item = json_array_get(array, index);

    if (!json_is_string(item)) {
        return "must be text";
    }
    size_t size = json_string_length(item);
    if (row->type == FIELD_IDS) {
        if (!id_is(json_string_value(item), row->choices)) {
            return "is not an id of the right kind";
        }
        return is_repeated(array, index) ? "is named twice" : NULL;
    }
    if (size == 0 || size > TEXTS_ITEM_MAX) {
        return "must be text of 1 to 300 bytes";
    }
    return has_control(json_string_value(item), size, true) ? "must not hold control characters" : NULL;
}

static enum err check_list(struct check *c, const struct field *row, const json_t *value)
{
    if (!json_is_array(value)) {
        return fault(c, row->pointer, "must be a list");
    }
    if (json_array_size(value) > (size_t)row->max) {
        return fault(c, row->pointer, "has too many items");
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *why = item_fault(row, value, i);
        if (why != NULL) {
            return fault_at(c, row->pointer, i, why);
        }
    }
    return ERR_OK;
}

static enum err check_object(struct check *c, const struct field *row, const json_t *value)
{
    return json_is_object(value) ? ERR_OK : fault(c, row->pointer, "must be an object");
}

static enum err check_json(struct check *c, const struct field *row, const json_t *value)
{
    bool list = row->choices != NULL;

    if (list ? !json_is_array(value) : !json_is_object(value)) {
        return fault(c, row->pointer, list ? "must be a list" : "must be an object");
    }
    char *text = jx_text(value);
    bool small = row->max <= 0 || strlen(text) <= (size_t)row->max;
    free(text);
    return small ? ERR_OK : fault(c, row->pointer, "is too large");
}

static enum err check_nothing(struct check *c, const struct field *row, const json_t *value)
{
    (void)c;
    (void)row;
    (void)value;
    return ERR_OK;
}

/* One check for each type. */
static enum err (*const checks[])(struct check *, const struct field *, const json_t *) = {
    [FIELD_READONLY] = check_nothing, [FIELD_OBJECT] = check_object, [FIELD_TEXT] = check_text,
    [FIELD_LINE] = check_text,        [FIELD_URL] = check_url,       [FIELD_PHONE] = check_phone,
    [FIELD_ENUM] = check_enum,        [FIELD_INT] = check_number,    [FIELD_REAL] = check_number,
    [FIELD_BOOL] = check_bool,        [FIELD_TEXTS] = check_list,    [FIELD_IDS] = check_list,
    [FIELD_JSON] = check_json,        [FIELD_COLOR] = check_color,
};

/* Checks each field of an object and goes down into the objects it holds. */
static enum err check_members(struct check *c, const json_t *body, const char *prefix)
{
    const char *key;
    json_t *value;
    char pointer[WHERE_SIZE];

    json_object_foreach ((json_t *)body, key, value) {
        pointer_join(pointer, sizeof pointer, prefix, key);
        const struct field *row = row_of(c->rows, c->count, pointer);
        if (row == NULL) {
            return fault(c, pointer, "is not a known field");
        }
        if (json_is_null(value)) {
            if (row->fallback != NULL && row->fallback[0] == '!') {
                return fault(c, pointer, "cannot be unset");
            }
            continue;
        }
        enum err rc = checks[row->type](c, row, value);
        if (rc == ERR_OK && row->type == FIELD_OBJECT) {
            rc = check_members(c, value, pointer);
        }
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return ERR_OK;
}

enum err fields_check(const struct field *rows, size_t count, const json_t *body, const char **where,
                      struct buf *why)
{
    struct check c = {.rows = rows, .count = count, .why = why};
    enum err rc = ERR_OK;

    where_text[0] = '\0';
    if (!json_is_object(body)) {
        rc = fault(&c, "", "must be an object");
    } else {
        rc = check_members(&c, body, "");
    }
    if (where != NULL) {
        *where = rc == ERR_OK ? NULL : where_text;
    }
    return rc;
}

/* The object that holds the field a pointer names, and the field's key. Missing objects are NULL. */
static json_t *parent_of(json_t *record, const char *pointer, const char **key)
{
    json_t *at = record;
    char name[WHERE_SIZE];
    const char *p = pointer + 1;

    for (const char *slash = strchr(p, '/'); slash != NULL; slash = strchr(p, '/')) {
        snprintf(name, sizeof name, "%.*s", (int)(slash - p), p);
        at = json_object_get(at, name);
        p = slash + 1;
    }
    *key = p;
    return json_is_object(at) ? at : NULL;
}

const char *fields_fill(const struct field *rows, size_t count, json_t *record)
{
    const char *missing = NULL;

    for (size_t i = 0; i < count; i++) {
        const char *key;
        json_t *parent = parent_of(record, rows[i].pointer, &key);
        const json_t *value = parent != NULL ? json_object_get(parent, key) : NULL;
        if (parent == NULL || (value != NULL && !json_is_null(value))) {
            continue;
        }
        if (rows[i].fallback == NULL) {
            json_object_del(parent, key);
        } else if (rows[i].fallback[0] == '!') {
            missing = missing != NULL ? missing : rows[i].pointer;
        } else {
            json_t *fallback = json_loads(rows[i].fallback, JSON_DECODE_ANY, NULL);
            CHECK(fallback != NULL);
            jx_set(parent, key, fallback);
        }
    }
    return missing;
}

void fields_strip(const struct field *rows, size_t count, json_t *body)
{
    for (size_t i = 0; i < count; i++) {
        const char *key;
        json_t *parent = rows[i].type == FIELD_READONLY ? parent_of(body, rows[i].pointer, &key) : NULL;
        if (parent != NULL) {
            json_object_del(parent, key);
        }
    }
}

void fields_merge(json_t *record, const json_t *body)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)body, key, value) {
        json_t *old = json_object_get(record, key);
        if (json_is_object(value) && json_is_object(old)) {
            fields_merge(old, value);
        } else {
            jx_set(record, key, json_deep_copy(value));
        }
    }
}
