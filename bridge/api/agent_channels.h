/* agent_channels.h: the channels of an agent as a part of the agent: a list that is set and read back. */
#ifndef CHASQUI_API_AGENT_CHANNELS_H
#define CHASQUI_API_AGENT_CHANNELS_H

#include "bridge/api/call.h"

/* Makes the body's "channels" the agent's: an id (as text, or in an object) assigns that channel, an object
 * with a type keeps the agent's channel of that type or connects a new one; what the list does not name is
 * assigned to no agent any more. Returns the list as it then is ({"id", "type", "status"}), kept by the call;
 * NULL: the call has ended. */
json_t *agent_channels_set(struct call *c, const json_t *agent);
/* One channel as agents show it. New reference. */
json_t *agent_channel_show(const json_t *channel);

#endif
