/* schema.h: what a request's body may hold, as a table (tbl_schemas.h): validation and OpenAPI read the same
 * rows.
 *
 * Names are canonical (snake_case). An unknown field is refused unless the schema is open (then the room that
 * takes the body judges the rest). Thread: any. */
#ifndef CHASQUI_API_SCHEMA_H
#define CHASQUI_API_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/base/buf.h"
#include "queue/base/error.h"
#include "queue/base/json.h"

enum schema_id {
    SCHEMA_NONE, /* no body is read */
#define SCHEMA(symbol, name, open) symbol,
#define FIELD(schema, name, type, flags, max, choices, nested, text)
#include "bridge/api/tbl_schemas.h"
#undef SCHEMA
#undef FIELD
    SCHEMA_COUNT
};

enum field_type {
    FIELD_TEXT,   /* max: bytes */
    FIELD_INT,    /* 0..max */
    FIELD_NUMBER, /* 0..max */
    FIELD_BOOL,
    FIELD_TIME,    /* RFC 3339 date or date-time */
    FIELD_URL,     /* http or https, no credentials in it */
    FIELD_OBJECT,  /* nested schema, or any keys */
    FIELD_TEXTS,   /* array of text, at most max items */
    FIELD_OBJECTS, /* array of objects of the nested schema, at most max items */
    FIELD_ANY,
};
enum {
    REQUIRED = 1u,
    NULLABLE = 2u,
};

struct field_row {
    enum schema_id schema;
    const char *name;
    enum field_type type;
    unsigned flags;
    int64_t max;
    const char *choices; /* "a|b|c"; "" for any */
    enum schema_id nested;
    const char *text;
};
extern const struct field_row field_rows[];
extern const unsigned field_row_count;
const char *schema_name(enum schema_id id);
bool schema_open(enum schema_id id);

struct schema_fault {
    char field[256]; /* "documents/3/title" */
    char why[256];
    bool unknown; /* the field is not in the schema */
};
/* partial: required fields may be missing (PATCH). ERR_INVALID with the first fault. */
enum err schema_check(enum schema_id id, const json_t *body, bool partial,
                      struct schema_fault *fault) MUST_CHECK;
/* http or https, a host, no user, no spaces. */
bool schema_url_ok(const char *url);

#endif
