/* fields.h: the rows of tbl_steps.h and of triggers, for check and schema. Private to the room. */
#ifndef CHASQUI_AGENT_FLOW_FIELDS_H
#define CHASQUI_AGENT_FLOW_FIELDS_H

#include "agent/flow/flow.h"

enum flow_field_type {
    FLD_TEXT,    /* with {{names}}, max bytes */
    FLD_LINE,    /* one line, max bytes */
    FLD_ID,      /* a name for a step */
    FLD_STEP,    /* the name of a step */
    FLD_NAME,    /* of a variable */
    FLD_INT,     /* 0..max */
    FLD_OBJECT,  /* of anything; its texts may hold {{names}} */
    FLD_VALUES,  /* {name: value with {{names}}} */
    FLD_TAGS,    /* texts with {{names}} */
    FLD_RULE,    /* of an answer */
    FLD_CASES,   /* [{"if", "next"}] */
    FLD_OPTIONS, /* [{"id"?, "title", "description"?, "next"?}] */
    FLD_CALL,    /* judged by api_call_check */
};
#define FLOW_REQUIRED 1u
#define REQUIRED      FLOW_REQUIRED

struct flow_field {
    enum flow_step_type step;
    const char *name;
    enum flow_field_type type;
    unsigned flags;
    size_t max;
    const char *text;
};
extern const struct flow_field flow_fields[];
extern const size_t flow_field_count;
const struct flow_field *flow_field(enum flow_step_type type, const char *name);
/* Whether a variable may have this name. */
bool flow_name_ok(const char *name);

struct flow_trigger_row {
    const char *name;
    const char *needs; /* the field it cannot do without, NULL: none */
    bool list;         /* of texts */
    const char *text;
};
extern const struct flow_trigger_row flow_trigger_rows[];
extern const size_t flow_trigger_count;
const struct flow_trigger_row *flow_trigger_row(const char *name);
/* The events a flow may begin with: NULL ends the list. */
extern const char *const flow_events[];
bool flow_event_ok(const char *event);

#endif
