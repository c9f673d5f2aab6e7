/* learn.h: what people teach the knowledge: a confirmed or corrected answer leaves the customer's phrasing
 * with the document that answers it, and a label for the confidence. Thread: the request's loop. */
#ifndef CHASQUI_API_LEARN_H
#define CHASQUI_API_LEARN_H

#include <stdbool.h>

#include "queue/base/json.h"

struct call;

/* Adds the question that message_id (of the customer or the agent) belongs to, to the document that the
 * answer came from. False: there is nothing to learn; the call goes on. */
bool learn_confirmed(struct call *c, const char *message_id);

#endif
