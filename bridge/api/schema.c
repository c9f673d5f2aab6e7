/* schema.c: checks a body against the rows of its schema; the first fault is told, with its path. */
#include "bridge/api/schema.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "queue/base/clock.h"

const struct field_row field_rows[] = {
#define SCHEMA(symbol, name, open)
#define FIELD(schema, name, type, flags, max, choices, nested, text) \
    {schema, name, type, flags, max, choices, nested, text},
#include "bridge/api/tbl_schemas.h"
#undef SCHEMA
#undef FIELD
};
const unsigned field_row_count = sizeof(field_rows) / sizeof(field_rows[0]);

static const struct {
    const char *name;
    bool open;
} schemas[SCHEMA_COUNT] = {
    [SCHEMA_NONE] = {"", true},
#define SCHEMA(symbol, name, open) [symbol] = {name, open},
#define FIELD(schema, name, type, flags, max, choices, nested, text)
#include "bridge/api/tbl_schemas.h"
#undef SCHEMA
#undef FIELD
};

/* Each schema's rows in a chain, in the table's order: row + 1; 0 ends it. */
static unsigned short chain_first[SCHEMA_COUNT];
static unsigned short chain_next[sizeof(field_rows) / sizeof(field_rows[0])];
static pthread_once_t chains_once = PTHREAD_ONCE_INIT;

/* Puts every row into its schema's chain, the last first. */
static void link_chains(void)
{
    for (unsigned i = field_row_count; i-- > 0;) {
        chain_next[i] = chain_first[field_rows[i].schema];
        chain_first[field_rows[i].schema] = (unsigned short)(i + 1);
    }
}

const char *schema_name(enum schema_id id)
{
    return schemas[id].name;
}

bool schema_open(enum schema_id id)
{
    return schemas[id].open;
}

/* Notes the fault; prefix is the path of what holds the field. */
static enum err refuse(struct schema_fault *fault, const char *prefix, const char *name, const char *why)
{
    snprintf(fault->field, sizeof(fault->field), "%s%s", prefix, name);
    snprintf(fault->why, sizeof(fault->why), "%s", why);
    return ERR_INVALID;
}

bool schema_url_ok(const char *url)
{
    const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : NULL;
    if (host == NULL || host[0] == '\0' || host[0] == '/' || host[0] == ':' || strlen(url) > 2048) {
        return false;
    }
    for (const char *at = url; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '\\') {
            return false;
        }
    }
    return memchr(host, '@', strcspn(host, "/?#")) == NULL;
}

/* True if text is one of "a|b|c". */
static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (const char *at = choices; *at != '\0';) {
        size_t n = strcspn(at, "|");
        if (n == len && memcmp(at, text, n) == 0) {
            return true;
        }
        at += n + (at[n] == '|');
    }
    return false;
}

/* A text's length, choice and form; why goes to *reason. */
static bool text_fits(const struct field_row *row, const json_t *value, char *reason, size_t size)
{
    const char *text = json_string_value(value);
    bool date_only;
    int64_t ms;
    if (text == NULL) {
        snprintf(reason, size, "must be text");
    } else if (row->max > 0 && json_string_length(value) > (size_t)row->max) {
        snprintf(reason, size, "must not be longer than %lld bytes", (long long)row->max);
    } else if ((row->flags & REQUIRED) != 0 && text[0] == '\0') {
        snprintf(reason, size, "must not be empty");
    } else if (row->choices[0] != '\0' && !is_choice(row->choices, text)) {
        snprintf(reason, size, "must be one of %s", row->choices);
    } else if (row->type == FIELD_TIME && !clock_parse(text, &ms, &date_only)) {
        snprintf(reason, size, "must be an RFC 3339 date or date-time");
    } else if (row->type == FIELD_URL && !schema_url_ok(text)) {
        snprintf(reason, size, "must be an http or https URL without credentials");
    } else {
        return true;
    }
    return false;
}

/* A number's kind and range. */
static bool number_fits(const struct field_row *row, const json_t *value, char *reason, size_t size)
{
    if (row->type == FIELD_INT ? !json_is_integer(value) : !json_is_number(value)) {
        snprintf(reason, size, row->type == FIELD_INT ? "must be a whole number" : "must be a number");
        return false;
    }
    double number = json_number_value(value);
    if (number < 0 || (row->max > 0 && number > (double)row->max)) {
        snprintf(reason, size, "must be from 0 to %lld", (long long)row->max);
        return false;
    }
    return true;
}

/* An array's length and, for text, its items. */
static bool array_fits(const struct field_row *row, const json_t *value, char *reason, size_t size)
{
    size_t i;
    json_t *item;
    if (!json_is_array(value)) {
        snprintf(reason, size, "must be an array");
        return false;
    }
    if (row->max > 0 && json_array_size(value) > (size_t)row->max) {
        snprintf(reason, size, "must not have more than %lld items", (long long)row->max);
        return false;
    }
    json_array_foreach (value, i, item) {
        if (row->type == FIELD_TEXTS ? !json_is_string(item) : !json_is_object(item)) {
            snprintf(reason, size,
                     row->type == FIELD_TEXTS ? "must hold text only" : "must hold objects only");
            return false;
        }
    }
    return true;
}

/* True if the value has the row's type; nested objects are looked at later. */
static bool value_fits(const struct field_row *row, const json_t *value, char *reason, size_t size)
{
    switch (row->type) {
    case FIELD_TEXT:
    case FIELD_TIME:
    case FIELD_URL:
        return text_fits(row, value, reason, size);
    case FIELD_INT:
    case FIELD_NUMBER:
        return number_fits(row, value, reason, size);
    case FIELD_TEXTS:
    case FIELD_OBJECTS:
        return array_fits(row, value, reason, size);
    case FIELD_BOOL:
        snprintf(reason, size, "must be true or false");
        return json_is_boolean(value);
    case FIELD_OBJECT:
        snprintf(reason, size, "must be an object");
        return json_is_object(value);
    case FIELD_ANY:
        break;
    }
    return true;
}

static enum err check_object(enum schema_id id, const json_t *body, bool partial, const char *prefix,
                             struct schema_fault *fault);

/* The schema of what is inside an object or an array of objects. */
static enum err check_nested(const struct field_row *row, const json_t *value, const char *prefix,
                             struct schema_fault *fault)
{
    char path[200];
    size_t i;
    json_t *item;
    if (row->nested == SCHEMA_NONE) {
        return ERR_OK;
    }
    if (row->type == FIELD_OBJECT) {
        snprintf(path, sizeof(path), "%s%s/", prefix, row->name);
        return check_object(row->nested, value, false, path, fault);
    }
    json_array_foreach (value, i, item) {
        snprintf(path, sizeof(path), "%s%s/%zu/", prefix, row->name, i);
        enum err rc = check_object(row->nested, item, false, path, fault);
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return ERR_OK;
}

/* One field that is there. */
static enum err check_field(const struct field_row *row, const json_t *value, const char *prefix,
                            struct schema_fault *fault)
{
    char reason[200] = "";
    if (json_is_null(value) && (row->flags & NULLABLE) != 0) {
        return ERR_OK;
    }
    if (!value_fits(row, value, reason, sizeof(reason))) {
        return refuse(fault, prefix, row->name, reason);
    }
    return check_nested(row, value, prefix, fault);
}

/* The row of a name, NULL if the schema has none. */
static const struct field_row *find_row(enum schema_id id, const char *name)
{
    for (unsigned row = chain_first[id]; row != 0; row = chain_next[row - 1]) {
        if (strcmp(field_rows[row - 1].name, name) == 0) {
            return &field_rows[row - 1];
        }
    }
    return NULL;
}

/* Every field that is there, then every one that must be. */
static enum err check_object(enum schema_id id, const json_t *body, bool partial, const char *prefix,
                             struct schema_fault *fault)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)body, key, value) {
        const struct field_row *row = find_row(id, key);
        if (row == NULL && !schemas[id].open) {
            fault->unknown = true;
            return refuse(fault, prefix, key, "is not a known parameter");
        }
        enum err rc = row == NULL ? ERR_OK : check_field(row, value, prefix, fault);
        if (rc != ERR_OK) {
            return rc;
        }
    }
    for (unsigned at = partial ? 0 : chain_first[id]; at != 0; at = chain_next[at - 1]) {
        const struct field_row *row = &field_rows[at - 1];
        if ((row->flags & REQUIRED) != 0 && json_object_get(body, row->name) == NULL) {
            return refuse(fault, prefix, row->name, "is required");
        }
    }
    return ERR_OK;
}

enum err schema_check(enum schema_id id, const json_t *body, bool partial, struct schema_fault *fault)
{
    memset(fault, 0, sizeof(*fault));
    pthread_once(&chains_once, link_chains);
    return id == SCHEMA_NONE ? ERR_OK : check_object(id, body, partial, "", fault);
}
