/* conversations.h: conversations as they leave the house, and which of them a list or an export holds.
 * Thread: the request's loop. */
#ifndef CHASQUI_API_CONVERSATIONS_H
#define CHASQUI_API_CONVERSATIONS_H

#include <stdbool.h>

#include "queue/base/json.h"

struct call;

/* New reference. */
json_t *conversation_public(const json_t *conversation);

/* What a caller's query asks for; NULL: all. Good as long as the call. */
struct conversation_filter {
    const char *agent, *status, *mode, *contact, *tag, *assigned;
    const char *channel;   /* its type or its id */
    const char *from, *to; /* half-open, of last_message_at */
};
/* Reads the filters of the query. False: the call has ended. */
bool conversation_filter_read(struct call *c, struct conversation_filter *filter);
bool conversation_filter_keep(const json_t *conversation, const struct conversation_filter *filter);

/* The conversations that q finds, as a list; ends the call (conversation_search.c). */
void conversations_search(struct call *c, const char *query, const struct conversation_filter *filter);

#endif
