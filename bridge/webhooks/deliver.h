/* deliver.h: what the delivery engine tells of an endpoint. webhooks_register (app.h) must have run. Thread:
 * any. */
#ifndef CHASQUI_WEBHOOKS_DELIVER_H
#define CHASQUI_WEBHOOKS_DELIVER_H

#include "bridge/webhooks/gate.h"

void webhooks_gate_look(const char *endpoint, struct gate_view *out);
/* The endpoint was switched on again by hand: no breaker from before. */
void webhooks_gate_reset(const char *endpoint);

#endif
