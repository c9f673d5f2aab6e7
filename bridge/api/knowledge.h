/* knowledge.h: how calls that change knowledge end. */
#ifndef CHASQUI_API_KNOWLEDGE_H
#define CHASQUI_API_KNOWLEDGE_H

#include "bridge/api/call.h"

/* For call_commit_then: answers when search sees the changes. */
void knowledge_committed(struct call *c, uint64_t rev);

/* The document that the path names, if it is this agent's own. NULL: the call has ended with 404. */
json_t *knowledge_find(struct call *c, uint64_t *rev);

#endif
