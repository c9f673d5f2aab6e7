/* conversation.h: one thread between a contact and an agent on a channel; who has the pen; the 24-hour
 * window.
 *
 * Record: {"id", "agent_id", "channel_id", "channel" (type), "contact_id", "thread"? (an API caller's own
 * id), "status": "open|handoff|closed", "mode": "ai|human", "window_expires_at"|null, "answered" (id of the
 * newest customer message that a turn has dealt with)|null, "tags": [], "metadata": {}, "created_at",
 * "updated_at", "last_message_at"}.
 *
 * The record's revision is the guard of every reply: whatever changes who may speak or what was said (a new
 * customer message, a takeover, a close) writes the record, so a reply built on an older view fails to commit
 * and is decided again. Delivery statuses do not touch it. Thread: any. */
#ifndef CHASQUI_CHANNELS_CONVERSATION_H
#define CHASQUI_CHANNELS_CONVERSATION_H

#include "queue/base/json.h"
#include "queue/store.h"

enum err conversation_get(struct snapshot *snap, const char *part, const char *id, json_t **conversation,
                          uint64_t *rev) MUST_CHECK;
/* The newest conversation of this contact on this channel that is not closed. ERR_NOTFOUND. */
enum err conversation_find(struct snapshot *snap, const char *part, const char *channel_id,
                           const char *contact_id, json_t **conversation, uint64_t *rev) MUST_CHECK;
/* By the API caller's own thread id (also closed ones). ERR_NOTFOUND. */
enum err conversation_find_thread(struct snapshot *snap, const char *part, const char *channel_id,
                                  const char *thread, json_t **conversation, uint64_t *rev) MUST_CHECK;
/* A new open one, added to cs with its event conversation.started. channel: the channel record; contact: from
 * contact_resolve in the same cs (its write is the guard against two at once). thread may be NULL. New
 * reference. */
json_t *conversation_begin(struct changes *cs, struct snapshot *snap, const char *part, const json_t *channel,
                           const json_t *contact, const char *thread);
/* Writes a changed conversation: guard on rev (0: no guard, it was begun in this cs), updated_at set. */
void conversation_put(struct changes *cs, const char *part, json_t *conversation, uint64_t rev);
/* The event conversation.updated / conversation.ended with the conversation as data. */
void conversation_event(struct changes *cs, struct snapshot *snap, const char *part, const char *type,
                        const json_t *conversation);

/* Has the agent's care look at the conversation's handoff after so many ms; what: "begin" (plan its timers),
 * or one of them (agent/handoff/care.c). The handoff has its "at". */
void conversation_care(struct changes *cs, const char *part, const json_t *conversation, const char *what,
                       int64_t wait_ms);

/* To a person: status handoff, mode human, "handoff" {reason, note, at}, event handoff.triggered; the caller
 * writes the record. Nothing happens where a person already has it. */
void conversation_hand_over(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation,
                            const char *reason, const char *note);
/* Whether free text would leave as the agent's fallback template although the window is closed. */
bool conversation_has_fallback(struct snapshot *snap, const char *part, const json_t *conversation);
/* Appends window.closing for the conversations whose window ends within lead_ms, once for each window: up to
 * limit in this set. Returns how many. */
size_t conversation_windows_tell(struct changes *cs, struct snapshot *snap, const char *part, int64_t lead_ms,
                                 size_t limit);

bool conversation_is_human(const json_t *conversation);
/* True if free-form text may be sent now: the channel has no window, or it is open for at least another
 * minute. */
bool conversation_window_open(const json_t *conversation, int64_t now_ms);

#endif
