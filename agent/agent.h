/* agent.h: one turn of a conversation: from what a customer wrote to a reply, a handoff, or silence.
 *
 * QUEUE_TURN jobs {"conversation_id", "message_id"} run in the conversation's lane. A turn is a table of named steps
 * (turn.c): gather, rules, search, generate, decide, commit; each reads what is durable, so a crash or a conflict starts the
 * turn again with whatever is there then. The commit's change-set holds message + conversation + jobs + events + trace and
 * expects the conversation's revision that gather read: a customer's newer message or a person who took over makes it fail,
 * and the turn is decided again (all of the burst in one answer, or silence).
 * Thread: turns run on worker loops; the watch functions on any loop. */
#ifndef CHASQUI_AGENT_AGENT_H
#define CHASQUI_AGENT_AGENT_H

#include <stdbool.h>

#include "queue/base/buf.h"
#include "queue/base/error.h"
#include "queue/base/json.h"
#include "queue/store.h"

struct kb;
struct workers;

/* Registers the handler of QUEUE_TURN. kb outlives the workers. */
void agent_register(struct workers *workers, struct kb *kb);

/* ---- the agent's record ----
 * {"id", "name", "status": "active|paused", "phone_number"|null, "system_prompt", "model": {"provider": "extractive|openai",
 * "base_url"?, "name"?, "api_key" (sealed)?, "temperature"?, "max_output_tokens"?}, "collection_id" (its own), "knowledge":
 * {"collections": []}, "settings": {"chat": {...}, "handoff": {...}}, "created_at", "updated_at"}. */
enum err agent_get(struct snapshot *snap, const char *part, const char *id, json_t **agent, uint64_t *rev) MUST_CHECK;
/* Validates body (ERR_INVALID: *field is a JSON pointer such as "/model/provider", why a sentence), fills defaults, seals
 * the API key, adds the agent and its own collection. id NULL: a new one. New reference in *agent. */
enum err agent_create(struct changes *cs, const char *part, const char *id, const json_t *body, json_t **agent,
                      const char **field, struct buf *why) MUST_CHECK;
/* Merges the given fields (objects merge by field, arrays replace; null unsets). agent is changed in place. */
enum err agent_update(struct changes *cs, struct snapshot *snap, const char *part, json_t *agent, uint64_t rev,
                      const json_t *body, const char **field, struct buf *why) MUST_CHECK;
/* The shape that leaves the house: no secrets; model.api_key becomes {"set": true, "last4": "..."}. New reference. */
json_t *agent_public(const json_t *agent);
/* Own collection first, then the attached ones: array of text, new reference. */
json_t *agent_collections(const json_t *agent);

/* ---- people ---- */
/* To a person: status handoff, mode human, event handoff.triggered {reason, note, conversation}; the conversation is
 * written with a guard on rev. announce: text sent to the customer as a system message, NULL for none. */
void handoff_trigger(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation, uint64_t rev,
                     const char *reason, const char *note, const char *announce);
/* A person joins: mode human, event agent.joined {name}. */
void handoff_join(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation, uint64_t rev,
                  const char *name);
/* Back to the AI (return_to "ai") or closed ("closed"): event handoff.resolved (and conversation.ended). */
void handoff_resolve(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation, uint64_t rev,
                     const char *return_to);

/* ---- watching a turn (invoke, stream, chat) ---- */
enum agent_news_kind {
    AGENT_STARTED, /* generation began */
    AGENT_DELTA,   /* text: a piece of the reply (drafts: a conflict may take it back with a new AGENT_STARTED) */
    AGENT_REPLIED, /* message: the committed reply */
    AGENT_HANDED,  /* the conversation is a person's now; message: the announcement, if any */
    AGENT_SILENT,  /* nothing is to be said (a human has the pen, nothing new) */
    AGENT_FAILED,  /* the turn gave up; text: reason class */
};
struct agent_news {
    enum agent_news_kind kind;
    const char *text;      /* good until the callback returns */
    const json_t *message; /* message record */
    bool final;            /* nothing more will come for this turn */
};
typedef void (*agent_news_fn)(const struct agent_news *news, void *arg);
struct agent_watch;
/* News of the conversation's turns, delivered on loop_current(). One process only sees its own turns. */
struct agent_watch *agent_watch_start(const char *part, const char *conversation_id, agent_news_fn fn, void *arg);
void agent_watch_stop(struct agent_watch *watch); /* on the same loop; no callback afterwards */

#endif
