/* answer.h: what handlers answer with (tbl_answers.h), for the API's own document. Thread: any. */
#ifndef CHASQUI_API_ANSWER_H
#define CHASQUI_API_ANSWER_H

#include "bridge/api/route.h"
#include "bridge/api/schema.h"

enum answer_form {
    AS_EMPTY,
    AS_OBJECT,
    AS_LIST,
    AS_BARE_LIST,
    AS_DATA,
    AS_EVENTS,
    AS_TEXT,
    AS_FILE,
    AS_JSON
};

struct answer_row {
    void (*handler)(struct call *c);
    int status;
    enum answer_form form;
    enum schema_id schema; /* of the object, or of a list's rows */
};
extern const struct answer_row answer_rows[];
extern const unsigned answer_row_count;

/* The row of a route's handler; NULL if nobody wrote one (administration has none). */
const struct answer_row *answer_of(const struct route *route);

#endif
