/* webhooks.h: the endpoint that a path names. */
#ifndef CHASQUI_API_WEBHOOKS_H
#define CHASQUI_API_WEBHOOKS_H

#include "bridge/api/call.h"

/* NULL: the call has ended with 404. rev may be NULL. */
json_t *webhook_find(struct call *c, uint64_t *rev);

#endif
