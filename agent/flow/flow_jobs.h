/* flow_jobs.h: flows that nobody's message sets going: a wait that is over, an event, a schedule.
 *
 * QUEUE_FLOW jobs, each in a lane of its own, so that a long wait holds up nobody: {"wake":
 * {"conversation_id", "flow", "token"}}, {"event": {"conversation_id", "flow", "version", "vars"}},
 * {"schedule": {"flow", "version", "at", "after"?}}. At its time a wake or an event becomes a QUEUE_TURN job
 * in the conversation's lane, where the flow runs under the same guard as an answer would. A schedule walks
 * the agent's conversations page by page and pushes one event job for each that is open, with the AI, has the
 * trigger's tag and whose contact has not opted out of marketing; then it puts itself off until the next
 * time. Inside a conversation nothing begins while a flow runs there or a person has it, and outside the
 * platform's window only templates are sent. Thread: any. */
#ifndef CHASQUI_AGENT_FLOW_JOBS_H
#define CHASQUI_AGENT_FLOW_JOBS_H

#include "queue/base/json.h"
#include "queue/store.h"

struct workers;

void flow_jobs_register(struct workers *workers);
/* Adds the first schedule job of a published flow whose trigger is one. */
void flow_schedule(struct changes *cs, const char *part, const json_t *flow);
/* Wakes the state after its step's time. */
void flow_sleep(struct changes *cs, const char *part, const char *conversation_id, const json_t *state,
                int64_t ms);

#endif
