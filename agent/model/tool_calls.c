/* tool_calls.c: the calls of tools in one answer, put together from pieces. */
#include <stdio.h>
#include <string.h>

#include "agent/model/tool_calls.h"

void tool_calls_init(struct tool_calls *calls)
{
    memset(calls, 0, sizeof *calls);
}

void tool_calls_fini(struct tool_calls *calls)
{
    for (size_t i = 0; i < calls->count; i++) {
        buf_fini(&calls->items[i].arguments);
    }
    calls->count = 0;
}

/* The newest call that a piece with this index may belong to, NULL if there is none. */
static struct tool_call *call_of(struct tool_calls *calls, int64_t index)
{
    for (size_t i = calls->count; i > 0; i--) {
        struct tool_call *call = &calls->items[i - 1];
        if (index < 0 || call->index == index) {
            return call;
        }
    }
    return NULL;
}

/* A new call; NULL where there are enough of them. */
static struct tool_call *call_add(struct tool_calls *calls, int64_t index)
{
    if (calls->count == MODEL_CALLS) {
        calls->dropped = true;
        return NULL;
    }
    struct tool_call *call = &calls->items[calls->count++];
    buf_init(&call->arguments, MODEL_CALL_MAX);
    call->index = index;
    return call;
}

void tool_calls_piece(struct tool_calls *calls, int64_t index, const char *id, const char *name,
                      const char *arguments)
{
    struct tool_call *call = call_of(calls, index);
    bool other = call != NULL && id != NULL && id[0] != '\0' && call->id[0] != '\0' &&
                 strncmp(call->id, id, sizeof call->id - 1) != 0;

    if (call == NULL || other) {
        call = call_add(calls, index);
    } else if (calls->dropped && index < 0) {
        return;
    }
    if (call == NULL) {
        return;
    }
    if (call->id[0] == '\0' && id != NULL) {
        snprintf(call->id, sizeof call->id, "%s", id);
    }
    if (call->name[0] == '\0' && name != NULL) {
        snprintf(call->name, sizeof call->name, "%s", name);
    }
    if (arguments != NULL) {
        buf_adds(&call->arguments, arguments);
    }
}

void tool_calls_give(const struct tool_calls *calls, model_event_fn fn, void *arg)
{
    for (size_t i = 0; i < calls->count; i++) {
        const struct tool_call *call = &calls->items[i];
        char made[32];
        snprintf(made, sizeof made, "call_%zu", i + 1);
        struct model_event event = {
            .kind = MODEL_TOOL,
            .call_id = call->id[0] != '\0' ? call->id : made,
            .tool = call->name,
            .arguments = call->arguments.len > 0 ? buf_str(&call->arguments) : "{}",
        };
        fn(&event, arg);
    }
}
