/* knowledge.h: how calls that change knowledge end. */
#ifndef CHASQUI_API_KNOWLEDGE_H
#define CHASQUI_API_KNOWLEDGE_H

#include "bridge/api/call.h"

/* For call_commit_then: answers when search sees the changes. */
void knowledge_committed(struct call *c, uint64_t rev);

#endif
