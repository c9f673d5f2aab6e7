/* turns.c: why the agent said what it said: the traces of its turns, without any message's text. */
#include "bridge/api/call.h"
#include "bridge/api/list.h"

static json_t *show(const json_t *trace)
{
    return json_incref((json_t *)trace);
}

void turns_show(struct call *c)
{
    json_t *trace = call_find(c, KIND_TURN, call_param(c, "turn"), NULL);

    if (trace != NULL) {
        call_reply(c, 200, show(trace));
    }
}

/* The turn that wrote this message, or that answered it; NULL: the call has ended. */
static json_t *trace_of(struct call *c, const char *message_id)
{
    struct page_query query = {.kind = KIND_TURN,
                               .part = c->part,
                               .index = INDEX_TURN_MESSAGE,
                               .match = {message_id},
                               .descending = true,
                               .limit = 1};
    struct store_page page;
    json_t *trace = NULL;
    enum err rc = snapshot_page(c->snap, &query, &page);

    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return NULL;
    }
    if (page.count > 0) {
        trace = call_keep(c, json_incref(page.rows[0].body));
    } else {
        call_fail(c, API_NOT_FOUND, NULL, "No trace of a turn is kept for this message.");
    }
    store_page_free(&page);
    return trace;
}

void messages_trace(struct call *c)
{
    json_t *message = call_find(c, KIND_MESSAGE, call_param(c, "message"), NULL);

    if (message == NULL) {
        return;
    }
    const char *turn = jx_str(message, "turn_id");
    json_t *trace = turn != NULL ? call_find(c, KIND_TURN, turn, NULL) : trace_of(c, jx_str_or(message, "id", ""));
    if (trace != NULL) {
        call_reply(c, 200, show(trace));
    }
}
