/* agent.c: the jobs of the room. */
#include "agent/agent.h"

#include "agent/flow/flow_jobs.h"
#include "agent/reading/reading.h"
#include "agent/turn/turn.h"

void agent_register(struct workers *workers, struct kb *kb)
{
    turn_register(workers, kb);
    flow_jobs_register(workers);
    workers_handle(workers, QUEUE_READING, reading_run, NULL);
}
