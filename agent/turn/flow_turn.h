/* flow_turn.h: the flow of a turn, as other steps of the turn see it. Private to the room. */
#ifndef CHASQUI_AGENT_FLOW_TURN_H
#define CHASQUI_AGENT_FLOW_TURN_H

#include "agent/turn/turn.h"

/* {"id", "version", "steps": [...]} for the trace, NULL if no flow ran. New reference. */
json_t *flow_turn_trace(const struct turn *turn);
/* True if the flow of this conversation waits for a message that is no text. */
bool flow_turn_wants_media(const struct turn *turn);

#endif
