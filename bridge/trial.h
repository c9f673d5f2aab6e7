/* trial.h: the adversarial test of an agent: the shipped set of attacks (agent/adversary/cases.h) is played
 * against a copy of the agent in the test partition, case by case, in the background.
 *
 * Record KIND_TRIAL in the caller's partition: {"id", "agent_id", "status": "running|done|failed", "reason"?,
 * "total", "done", "passed", "score": 0 to 1 or null, "created_at", "updated_at", "cases": [{"attack",
 * "category", "language", "way", "said", "reply", "outcome", "verdict": "pass|fail|no_answer", "why"?}],
 * "work"? (ours, while it runs)}. The score goes to the KIND_SETTING record "adversarial:AGENT" {"score",
 * "at"}, too. Thread: trial_begin any; the job on a worker's loop. */
#ifndef CHASQUI_BRIDGE_TRIAL_H
#define CHASQUI_BRIDGE_TRIAL_H

#include "queue/base/json.h"
#include "queue/store.h"

struct kb;
struct workers;

void trial_register(struct workers *workers, struct kb *kb);
/* Adds the record and its job. test: the account's test partition. New reference. */
json_t *trial_begin(struct changes *cs, const char *home, const char *test, const char *agent_id);
/* The shape that leaves the house. New reference. */
json_t *trial_public(const json_t *trial);
/* The same without its cases, for lists. */
json_t *trial_brief(const json_t *trial);

#endif
