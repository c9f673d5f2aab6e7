/* care.h: what becomes of a conversation that a person should have: words out of hours, somebody else if
 * nobody joins, back to the AI if nobody writes any more.
 *
 * settings.handoff: "away_text" (said instead of the announcement while settings.hours says closed;
 * {{next_open}} and
 * {{hours}} are filled in), "assign_to" (queue or person of a new handoff), "escalate_after" (seconds without
 * a person joining: handoff.triggered once more with the reason nobody_joined, assigned to "escalate_to"),
 * "return_after" (seconds without a word: handoff.resolved, the AI goes on; 0 or absent: never). Timers are
 * jobs of QUEUE_CARE bound to the handoff's own time: a handoff that is over makes them void. Thread: any. */
#ifndef CHASQUI_AGENT_CARE_H
#define CHASQUI_AGENT_CARE_H

#include <stdint.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

struct workers;

/* What is said to the customer when a person is called: the away text while closed, else announce. Into out.
 */
void care_announcement(const json_t *agent, const char *announce, int64_t now_ms, struct buf *out);
/* Gives a conversation that nobody has to the queue or person of the settings. */
void care_assign(struct snapshot *snap, const char *part, json_t *conversation);
/* A person has joined: nobody else needs to be called. The caller writes the conversation behind this. */
void care_joined(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation);
/* A conversation has just become a person's, in this change-set: plans the timers. The caller
 * writes the conversation behind this. */
void care_begin(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation);
/* The handler of QUEUE_CARE. */
void care_register(struct workers *workers);

#endif
