/* handoff.h: who has the pen: to a person, a person joins, back to the AI or closed.
 *
 * Each function writes the conversation with a guard on rev, so of two that decide at once one is told
 * ERR_CONFLICT and decides again; a reply that the AI had under way fails on the same guard. The events go
 * into the same change-set. conversation is changed in place. Thread: any. */
#ifndef CHASQUI_AGENT_HANDOFF_H
#define CHASQUI_AGENT_HANDOFF_H

#include "queue/base/id.h"
#include "queue/base/json.h"
#include "queue/store.h"

/* To a person: status handoff, mode human, event handoff.triggered {reason, note, conversation}. announce:
 * text sent to the customer as a system message, NULL or "" for none; it is left out when the window for free
 * text is closed. Where a person already has the conversation only the record is written, without event and
 * text. Returns the announcement's id,
 * "" if none was sent. */
struct id handoff_trigger(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation,
                          uint64_t rev, const char *reason, const char *note, const char *announce);
/* A person joins: mode human, event agent.joined {agent: {name}, conversation}. name may be NULL. */
void handoff_join(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation,
                  uint64_t rev, const char *name);
/* Back to the AI (return_to "ai") or closed ("closed"): event handoff.resolved (and conversation.ended). What
 * the customer wrote until now counts as dealt with: the AI answers what comes next. */
void handoff_resolve(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation,
                     uint64_t rev, const char *return_to);

#endif
