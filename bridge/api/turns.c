/* turns.c: why the agent said what it said: the traces of its turns, without any message's text. */
#include "bridge/api/call.h"

#define LOOKED_BEHIND 20 /* messages of a burst before its answer */

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

/* The id of the turn that wrote a message, or of the one that wrote the first answer behind it; NULL if there is
 * none. Kept for the call. */
static const char *turn_behind(struct call *c, const json_t *message)
{
    struct page_query query = {.kind = KIND_MESSAGE,
                               .part = c->part,
                               .index = INDEX_MESSAGE_CONVERSATION,
                               .match = {jx_str_or(message, "conversation_id", "")},
                               .from = jx_str_or(message, "id", ""),
                               .limit = LOOKED_BEHIND};
    struct store_page page;
    const char *turn = NULL;

    if (snapshot_page(c->snap, &query, &page) != ERR_OK) {
        return NULL;
    }
    for (size_t i = 0; turn == NULL && i < page.count; i++) {
        turn = jx_str(page.rows[i].body, "turn_id");
    }
    turn = turn != NULL ? arena_strdup(c->arena, turn) : NULL;
    store_page_free(&page);
    return turn;
}

void messages_trace(struct call *c)
{
    json_t *message = call_find(c, KIND_MESSAGE, call_param(c, "message"), NULL), *trace;

    if (message == NULL) {
        return;
    }
    const char *turn = turn_behind(c, message);
    if (turn == NULL) {
        call_fail(c, API_NOT_FOUND, NULL, "No turn of the agent stands behind this message.");
        return;
    }
    trace = call_find(c, KIND_TURN, turn, NULL);
    if (trace != NULL) {
        call_reply(c, 200, show(trace));
    }
}
