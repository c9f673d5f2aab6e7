/* toolbox.h: what a model may do besides writing: the tools of one turn.
 *
 * Three kinds: rows of tbl_tools.h, which work on our own records; HTTP calls that the agent declares
 * ("tools": [{"name", "description", "parameters": JSON Schema, "call": as in tool/api_call.h,
 * "side_effect"?}]); tools of MCP servers (tool/mcp.h). What holds for all:
 *   - only what the agent has enabled is offered; a call of anything else is answered with an error;
 *   - arguments are checked against the schema by code; contact and conversation are filled in by us and
 *     never taken from arguments;
 *   - what is written to our store is written by the turn's commit (turn_effect), or not at all;
 *   - a call with a side effect outside is made once for each turn, tool and arguments, also when the turn is
 *     decided again, and carries an Idempotency-Key made of the newest message, tool and arguments;
 *   - at most TOOL_ROUNDS rounds and TOOL_CALLS calls; results are cut at TOOL_RESULT_MAX and reach the model
 *     as untrusted data;
 *   - the trace holds name, time and success, never arguments or results.
 * Thread: the turn's loop. */
#ifndef CHASQUI_AGENT_TOOLBOX_H
#define CHASQUI_AGENT_TOOLBOX_H

#include "agent/turn/turn.h"

#define TOOL_ROUNDS     5
#define TOOL_CALLS      8
#define TOOL_RESULT_MAX (8u << 10)
#define TOOLS_OFFERED   32

typedef void (*toolbox_fn)(void *arg);

/* The tools of a turn's run; lives in its arena. NULL if none is enabled. */
struct toolbox *toolbox_open(struct turn *turn);
/* Asks the MCP servers for what they offer. False: fn is called later. True: there is nothing to wait for. */
bool toolbox_prepare(struct toolbox *box, toolbox_fn fn, void *arg);
bool toolbox_prepared(const struct toolbox *box);
/* For the request: array of tools, array of rounds so far, whether calling is over. */
const json_t *toolbox_offered(const struct toolbox *box);
const json_t *toolbox_rounds(const struct toolbox *box);
bool toolbox_over(const struct toolbox *box);
/* Takes a call of the model's answer. */
void toolbox_take(struct toolbox *box, const char *id, const char *name, const char *arguments);
/* Forgets the calls taken: the attempt failed. */
void toolbox_forget(struct toolbox *box);
bool toolbox_has_calls(const struct toolbox *box);
/* Runs the calls; said: the text that came with them. False: fn is called once all have ended. True: they
 * have. */
bool toolbox_run(struct toolbox *box, const char *said, toolbox_fn fn, void *arg);
/* Ends what is under way; fn is not called. NULL is fine. */
void toolbox_cancel(struct toolbox *box);
/* True once some tool's result was good in this run. */
bool toolbox_helped(const struct toolbox *box);
/* The model's reason if it asked for a person, else NULL. */
const char *toolbox_person(const struct toolbox *box);

/* ---- for the rows of tbl_tools.h ---- */
/* Writes what the model is told; false: it did not work. */
typedef bool (*tool_fn)(struct turn *turn, const json_t *arguments, struct buf *out);
struct tool_row {
    const char *name, *description, *parameters; /* JSON text; NULL: made of the agent's settings */
    tool_fn fn;
    bool (*enabled)(const json_t *agent);
    unsigned times; /* in one turn */
};
const struct tool_row *tool_rows(size_t *count);
/* True if the agent's list of tools ("settings": {"tools"}) names it, or there is no list and fallback is
 * true. */
bool tool_listed(const json_t *agent, const char *name, bool fallback);
/* Appointments (tool_appointments.c); in a list their name is "appointments", all together. */
bool tool_booking_enabled(const json_t *agent);
bool tool_find_slots(struct turn *turn, const json_t *arguments, struct buf *out);
bool tool_book(struct turn *turn, const json_t *arguments, struct buf *out);
bool tool_cancel(struct turn *turn, const json_t *arguments, struct buf *out);
/* The parameters of a row for this agent; new reference. */
json_t *tool_parameters(const struct tool_row *row, const json_t *agent);
/* Notes that the model wants a person; the summary may be NULL. */
void toolbox_want_person(struct turn *turn, const char *reason);

#endif
