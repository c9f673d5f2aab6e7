/* run.h: one QUEUE_INTEGRATION job under way; what the services' files share. Private to the room.
 *
 * A service's function begins a run with one call and hands on to a step for each answer; every way ends in
 * run_done or run_fail, once. Thread: the worker's loop. */
#ifndef CHASQUI_INTEGRATIONS_RUN_H
#define CHASQUI_INTEGRATIONS_RUN_H

#include "agent/tool/api_call.h"
#include "bridge/integrations/integration.h"
#include "queue/base/arena.h"
#include "queue/jobs.h"

struct run;
typedef void (*run_step_fn)(struct run *run, const struct api_call_result *result);
/* Adds what follows from the run to cs; called again after a conflict. */
typedef enum err (*run_changes_fn)(struct run *run, struct changes *cs, struct snapshot *snap);

struct run {
    struct job *job;
    const char *part;
    struct arena *arena;
    json_t *integration, *event;
    json_t *vars; /* what the call's texts name: also secrets, hence never shown */
    json_t *made; /* the service's answer, kept for run_done */
    struct api_call *call;
    run_step_fn step;
    run_changes_fn changes;
};

/* Calls the service; spec is stolen. step hears of the answer unless the call is to be tried again. */
void run_call(struct run *run, json_t *spec, run_step_fn step);
/* Over: changes (may be NULL) and the end of the job are one set. */
void run_done(struct run *run, run_changes_fn changes);
/* Not done: later again, or never (bury). */
void run_fail(struct run *run, const char *why, bool final);
/* Sets a variable to a secret of the integration; false: it is not set. */
bool run_secret(struct run *run, const char *field, const char *name);

void slack_run(struct run *run);
void zoom_run(struct run *run);
void post_run(struct run *run); /* zapier, http */

#endif
