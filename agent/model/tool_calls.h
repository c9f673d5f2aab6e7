/* tool_calls.h: the calls of tools in one answer, put together from the pieces in which servers send them.
 *
 * Pieces carry an index, an id, a name and a part of the arguments, any of which may be missing: no id ever,
 * no index on later pieces (they belong to the last call), always index 0 with a new id for each call, the
 * name in each piece. Thread: one at a time. */
#ifndef CHASQUI_AGENT_MODEL_TOOL_CALLS_H
#define CHASQUI_AGENT_MODEL_TOOL_CALLS_H

#include "agent/model/model.h"
#include "queue/base/buf.h"

#define TOOL_CALL_ID   96
#define TOOL_CALL_NAME 72

struct tool_call {
    char id[TOOL_CALL_ID], name[TOOL_CALL_NAME];
    struct buf arguments;
    int64_t index; /* the server's, -1: none */
};
struct tool_calls {
    struct tool_call items[MODEL_CALLS];
    size_t count;
    bool dropped; /* there were more than MODEL_CALLS; pieces of those go nowhere */
};

void tool_calls_init(struct tool_calls *calls);
void tool_calls_fini(struct tool_calls *calls);
/* Takes a piece. index < 0: none given; id, name, arguments may be NULL. */
void tool_calls_piece(struct tool_calls *calls, int64_t index, const char *id, const char *name,
                      const char *arguments);
/* Gives each call as a MODEL_TOOL event; a missing id becomes "call_N", missing arguments "{}". */
void tool_calls_give(const struct tool_calls *calls, model_event_fn fn, void *arg);

#endif
