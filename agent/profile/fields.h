/* fields.h: checking and merging a JSON body by a table of fields.
 *
 * One row describes one place of a record by its JSON pointer: type, range, choices, default. What no row
 * names is refused, so a misspelt field is an error and not a silent nothing. Null unsets a field; the
 * default takes its place. Thread: any. */
#ifndef CHASQUI_AGENT_FIELDS_H
#define CHASQUI_AGENT_FIELDS_H

#include <stddef.h>

#include "queue/base/buf.h"
#include "queue/base/error.h"
#include "queue/base/json.h"

enum field_type {
    FIELD_READONLY, /* may be in the body, as it was read; is ignored */
    FIELD_OBJECT,   /* holds other fields */
    FIELD_TEXT,     /* min..max bytes */
    FIELD_LINE,     /* text without control characters */
    FIELD_URL,      /* http or https, with a host, without credentials and fragment */
    FIELD_PHONE,    /* a telephone number */
    FIELD_ENUM,     /* one of choices, "A|B|C" */
    FIELD_INT,      /* min..max */
    FIELD_REAL,     /* min..max */
    FIELD_BOOL,
    FIELD_COLOR, /* "#rgb" or "#rrggbb" */
    FIELD_TEXTS, /* array of at most max non-empty texts of 300 bytes */
    FIELD_JSON,  /* an object, or a list where choices is "[]", of at most max bytes as text (0: any); its own
                    room checks what is inside */
    FIELD_IDS,   /* array of at most max different ids with the prefix named in choices */
};

struct field {
    const char *pointer;
    enum field_type type;
    double min, max;
    const char *choices;
    const char *fallback; /* default as JSON text; NULL: absent. "!" : required, cannot be unset */
};

/* ERR_INVALID: *where is the JSON pointer of the first fault (good until the thread's next call), why one
 * sentence. */
enum err fields_check(const struct field *rows, size_t count, const json_t *body, const char **where,
                      struct buf *why) MUST_CHECK;
/* Puts defaults where nothing or null is; removes nulls that have no default. The first required field that
 * is missing is returned as a pointer, NULL if none is. */
const char *fields_fill(const struct field *rows, size_t count, json_t *record);
/* Removes from body what the rows call read-only. */
void fields_strip(const struct field *rows, size_t count, json_t *body);
/* Objects merge by field, anything else replaces, null stays as null for fields_fill. */
void fields_merge(json_t *record, const json_t *body);

#endif
