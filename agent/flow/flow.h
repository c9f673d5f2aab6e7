/* flow.h: conversations that follow a plan: what a flow is, its interpreter, its records.
 *
 * Definition: {"name", "trigger": {"type": "keyword|intent|event|first_contact|button|schedule", "keywords"?,
 * "examples"?, "event"?, "buttons"?, "cron"?, "time_zone"?, "tag"?}, "steps": [...] (tbl_steps.h),
 * "timeout_minutes"? (1440), "exit_words"? [], "exit_text"?}. Record KIND_FLOW: {"id", "agent_id", "name",
 * "enabled", "version" (the newest published one, 0: none), "changed" (the draft differs from it), the
 * draft's fields, "created_at", "updated_at"}; a published version is a record of its own, "FLOW/N", which is
 * never changed: whoever is in a version stays in it. KIND_SETTING "flows/AGENT" holds the triggers of the
 * agent's enabled flows, so that a turn reads one record. State, in the conversation's record and so under
 * its guard: "flow": {"id", "version", "step", "asked", "retries", "vars", "since", "touched", "token"?}.
 *
 * The interpreter (run.c) is pure: it reads a definition, a state and what the customer said, changes the
 * state and says what is to be said; it stops where something else is needed. flow_turn.c carries it out in a
 * turn, rehearse.c plays it without effects. Thread: any; one run at a time. */
#ifndef CHASQUI_AGENT_FLOW_H
#define CHASQUI_AGENT_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/base/arena.h"
#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

#define FLOW_STEPS_MAX   50    /* of one turn: loops end */
#define FLOW_CALLS_MAX   10    /* API calls of one turn */
#define FLOW_VARS_MAX    65536 /* bytes of all variables as JSON */
#define FLOW_TIMEOUT_MIN 1440  /* minutes without an answer, unless the flow says otherwise */

enum flow_step_type {
    FLOW_EVERY,
#define STEP(symbol, type, fn, text) symbol,
#include "agent/flow/tbl_steps.h"
#undef STEP
    FLOW_TYPES
};
const char *flow_step_name(enum flow_step_type type);
/* FLOW_EVERY: no such type. */
enum flow_step_type flow_step_type(const char *name);

/* ---- checking (check.c) ---- */
/* Checks the draft's fields in a body, strictly. ERR_INVALID: *field is a JSON pointer ("/steps/3/text"),
 * good until the thread's next call here; why a sentence. */
enum err flow_check(const json_t *body, const char **field, struct buf *why) MUST_CHECK;
/* What publishing asks for besides: a name for every step, no step that points nowhere, at least one. */
enum err flow_check_whole(const json_t *definition, const char **field, struct buf *why) MUST_CHECK;
/* Gives every step an id. */
void flow_name_steps(json_t *steps);
/* The published JSON Schema (2020-12) of a flow. New reference. */
json_t *flow_schema(void);

/* ---- conditions (condition.c) ---- */
/* {"var", "op", "value"?} | {"all": []} | {"any": []} | {"not": {}}. */
bool flow_condition(const json_t *condition, const json_t *scope);
/* NULL if it is one, else what is wrong. */
const char *flow_condition_fault(const json_t *condition);

/* ---- answers (answer.c) ---- */
/* The value of an answer by a rule {"type", ...}, NULL if it does not fit. rule NULL: any text. New
 * reference. */
json_t *flow_answer(const json_t *rule, const char *text);
const char *flow_answer_fault(const json_t *rule); /* of the rule itself */
const char *flow_answer_hint(const json_t *rule);  /* what is said to a wrong answer by default */

/* An extended regular expression that can do no harm: short, without references back, few repetitions. NULL
 * is none. */
bool flow_pattern_ok(const char *pattern);

/* ---- times (cron.c) ---- */
/* "MIN HOUR DAY MONTH WEEKDAY" with * , - / and names of days and months. */
bool flow_cron_ok(const char *cron);
/* The first moment after at_ms, in the zone; -1 if there is none within 366 days. */
int64_t flow_cron_next(const char *cron, const char *zone, int64_t at_ms);

/* ---- interpreter (run.c) ---- */
enum flow_stop {
    FLOW_GOES_ON,
    FLOW_ASKS,      /* until the customer answers */
    FLOW_CALLS,     /* the API call of the current step */
    FLOW_ANSWERS,   /* an answer from the knowledge */
    FLOW_SLEEPS,    /* until its time */
    FLOW_HANDS_OFF, /* to a person; the flow is over */
    FLOW_ENDS,      /* over */
    FLOW_LOOPS      /* FLOW_STEPS_MAX without an end; over */
};
struct flow_input {
    const json_t *texts; /* array: what the customer wrote, oldest first */
    const char *text;    /* all of it */
    const char *button;  /* id of the button that was pressed, NULL: none */
    const json_t *media; /* of a message that has some, NULL */
    const char *type;    /* of the newest message */
};
struct flow_run {
    struct arena *arena;
    const json_t *definition;
    json_t *state;         /* changed in place */
    json_t *scope;         /* what {{names}} mean: variables, contact, message, ...; changed in place */
    json_t *said;          /* array of {"type", "text"?, "content"?} or {"type": "options", "text", "options",
                              "button"?} */
    json_t *trace;         /* array of {"step", "type", ...}: no texts, no values */
    json_t *tags, *fields; /* of the conversation: changed in place */
    struct flow_input input;
    bool heard;     /* the input was used */
    bool has_input; /* there is one */
    unsigned steps;
    const char *why; /* of FLOW_HANDS_OFF */
    const char *note, *announce;
    /* Carries out a step that changes other records: "book", "lead", "contact". False with *why: refused.
     * result: new reference. */
    bool (*act)(const char *what, const json_t *wish, json_t **result, const char **why, void *arg);
    void *arg;
};
/* Goes on until it stops. */
enum flow_stop flow_go(struct flow_run *run);
/* Whether it stands at options of which one has this id. */
bool flow_knows_button(const struct flow_run *run, const char *id);
/* The step it stands at, NULL if it is none of the definition's. */
const json_t *flow_here(const struct flow_run *run);
/* What the current step waited for has come: on to the next, or to its on_error. FLOW_GOES_ON, or
 * FLOW_HANDS_OFF where there is no on_error. saved, why may be NULL. */
enum flow_stop flow_resolve(struct flow_run *run, bool ok, const json_t *saved, const char *why);
/* A state at the first step of a version. New reference. */
json_t *flow_begin(const char *id, int64_t version, const json_t *definition, int64_t now_ms);
/* Sets a variable; false where there is no room for it. */
bool flow_set(struct flow_run *run, const char *name, json_t *value);
/* A text of the definition with its names filled, in the run's arena. */
const char *flow_text(struct flow_run *run, const char *text);
/* Options as text, for channels that have no buttons. malloc'ed. */
char *flow_options_text(const json_t *said);
/* Options as the platform's interactive object. New reference. */
json_t *flow_options_content(const json_t *said);
bool flow_expired(const json_t *state, const json_t *definition, int64_t now_ms);

/* ---- records (record.c) ---- */
enum err flow_create(struct changes *cs, struct snapshot *snap, const char *part, const char *agent_id,
                     const json_t *body, json_t **flow, const char **field, struct buf *why) MUST_CHECK;
/* whole: what body leaves out goes back to its default. flow is changed in place. */
enum err flow_update(struct changes *cs, struct snapshot *snap, const char *part, json_t *flow, uint64_t rev,
                     const json_t *body, bool whole, const char **field, struct buf *why) MUST_CHECK;
void flow_delete(struct changes *cs, struct snapshot *snap, const char *part, const json_t *flow,
                 uint64_t rev);
/* All flows of an agent that is being deleted. */
void flow_delete_all(struct changes *cs, struct snapshot *snap, const char *part, const char *agent_id);
/* The definition of a published version. New reference. ERR_NOTFOUND. */
enum err flow_version(struct snapshot *snap, const char *part, const char *id, int64_t version,
                      json_t **definition) MUST_CHECK;
/* The triggers of the agent's enabled flows: array of {"id", "version", "trigger"}, new reference; empty if
 * none. */
json_t *flow_triggers(struct snapshot *snap, const char *part, const char *agent_id);

/* ---- triggers (trigger.c) ---- */
/* The row whose trigger the input meets, NULL. */
const json_t *flow_triggered(const json_t *rows, const struct flow_input *input, bool first_contact);
/* How alike two utterances are, 0..1. */
double flow_likeness(const char *a, const char *b);

/* ---- test runs (rehearse.c) ---- */
struct httpc;
/* Plays messages (texts, or {"text"?, "button"?}) against the draft: {"transcript": [{"from":
 * "customer|flow", ...}], "state": {"ended", "reason", "step", "vars"}}, new reference, to done; live:
 * api_calls are really made. done comes exactly once, maybe before this returns. */
void flow_rehearse(struct httpc *http, struct store *store, const char *part, const json_t *flow,
                   const json_t *messages, bool live, void (*done)(json_t *result, void *arg), void *arg);

#endif
