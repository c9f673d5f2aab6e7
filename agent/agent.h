/* agent.h: one turn of a conversation: from what a customer wrote to a reply, a handoff, or silence.
 *
 * QUEUE_TURN jobs {"conversation_id", "message_id"} run in the conversation's lane. A turn is a table of
 * named steps (turn.c): gather, rules, search, generate, decide, commit; each reads what is durable, so a
 * crash or a conflict starts the turn again with whatever is there then. The commit's change-set holds
 * message + conversation + jobs + events + trace and expects the conversation's revision that gather read: a
 * customer's newer message or a person who took over makes it fail, and the turn is decided again (all of the
 * burst in one answer, or silence). The rest of the room: profile.h (the agent's record), handoff.h (people),
 * watch.h (news of a turn). Thread: turns run on worker loops; the watch functions on any loop. */
#ifndef CHASQUI_AGENT_AGENT_H
#define CHASQUI_AGENT_AGENT_H

#include "agent/handoff/handoff.h"
#include "agent/profile/profile.h"
#include "agent/turn/watch.h"

struct kb;
struct workers;

/* Registers the handlers of the room's queues. kb outlives the workers. */
void agent_register(struct workers *workers, struct kb *kb);

#endif
