/* flow_act.h: steps that change other records than the conversation: dry first, for real in the turn's change-set.
 *
 * A flow has to know what comes of a booking before it says so, but nothing may be written before the commit.
 * So an act is carried out twice: into a change-set that is thrown away, which tells whether and how it works
 * out; and again when the commit is built. Where that second one does not work out any more, the turn is
 * decided again. Thread: the turn's. */
#ifndef CHASQUI_AGENT_FLOW_ACT_H
#define CHASQUI_AGENT_FLOW_ACT_H

#include "agent/turn/turn.h"

/* As flow_run.act, arg being the turn. */
bool flow_act(const char *what, const json_t *wish, json_t **result, const char **why, void *arg);

#endif
