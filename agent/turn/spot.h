/* spot.h: what a customer's own words fill in, found in a turn. Thread: the turn's. */
#ifndef CHASQUI_AGENT_LEAD_SPOT_H
#define CHASQUI_AGENT_LEAD_SPOT_H

#include "agent/turn/turn.h"

/* Adds an effect to the turn if the agent collects leads and the burst holds an address or a number. */
void lead_spot_turn(struct turn *turn);

#endif
