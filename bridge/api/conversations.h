/* conversations.h: the shape in which a conversation leaves the house. */
#ifndef CHASQUI_API_CONVERSATIONS_H
#define CHASQUI_API_CONVERSATIONS_H

#include "queue/base/json.h"

/* New reference. */
json_t *conversation_public(const json_t *conversation);

#endif
