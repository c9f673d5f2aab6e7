/* turns.h: which turn stands behind a message. Thread: the request's loop. */
#ifndef CHASQUI_API_TURNS_H
#define CHASQUI_API_TURNS_H

#include "queue/base/json.h"

struct call;

/* The id of the turn that wrote a message, or of the one that wrote the first answer behind it; NULL if there
 * is none. Kept for the call. */
const char *turn_behind(struct call *c, const json_t *message);

#endif
