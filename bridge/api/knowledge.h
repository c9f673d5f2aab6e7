/* knowledge.h: how calls that change knowledge end. */
#ifndef CHASQUI_API_KNOWLEDGE_H
#define CHASQUI_API_KNOWLEDGE_H

#include "bridge/api/call.h"

/* For call_commit_then: answers when search sees the changes. */
void knowledge_committed(struct call *c, uint64_t rev);

/* Whose documents the path is about: the agent of call_agent, or a collection in the same fields
 * ("collection_id", "id" of the agent or null). NULL: 404. */
json_t *knowledge_home(struct call *c);

/* The document that the path names, if it is this agent's own. NULL: the call has ended with 404. */
json_t *knowledge_find(struct call *c, uint64_t *rev);

#endif
