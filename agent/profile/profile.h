/* profile.h: the agent's record: what it is called, how it speaks, what it knows, which model writes.
 *
 * {"id", "name", "status": "active|paused", "phone_number"|null, "system_prompt", "model": {"provider":
 * "extractive|openai|anthropic", "base_url"?, "name"?, "api_key" (sealed)?, "api_key_last4"?, "temperature"?,
 * "max_output_tokens"?, "context_tokens"?, "stream"?, "vision"? (the model reads pictures),
 * "transcription"?: {"base_url", "name", "api_key" (sealed)?, "api_key_last4"?} (who writes down voice
 * messages), "price"?: {"input", "output", "cached"} (spend.h), "fallback"?: {"provider", "base_url", "name",
 * "api_key" (sealed)?, "price"?} (asked when the first fails)}, "tools"?, "mcp_servers"? (toolbox.h),
 * "collection_id" (its own), "knowledge":
 * {"collections": [], "embedding"?: {"base_url", "name", "api_key" (sealed)?, "dimensions"?, "certain"?},
 * "rerank"?: {"base_url", "shape", "name"?, "api_key" (sealed)?}} (embed/embed.h), "settings": {"chat": {"tone", "response_style", "fallback_behavior",
 * "confidence_threshold", "citation_style", "conversation_starters"}, "handoff": {"keywords", "announce",
 * "low_confidence"}, "tools"? (names; absent: what leads and appointments bring), "budget"? (spend.h),
 * "hours"? (hours.h)}, "created_at", "updated_at"}. The rows are agent/profile/tbl_agent.h. Thread: any. */
#ifndef CHASQUI_AGENT_PROFILE_H
#define CHASQUI_AGENT_PROFILE_H

#include <stdint.h>

#include "queue/base/buf.h"
#include "queue/base/error.h"
#include "queue/base/json.h"
#include "queue/store.h"

enum err agent_get(struct snapshot *snap, const char *part, const char *id, json_t **agent,
                   uint64_t *rev) MUST_CHECK;
/* Validates body (ERR_INVALID: *field is a JSON pointer such as "/model/provider", good until the thread's
 * next call here; why a sentence), fills defaults, seals the API key, adds the agent and its own collection.
 * id NULL: a new one. New reference in *agent. ERR_DENIED: a key was given and there is no master key to seal
 * it. */
enum err agent_create(struct changes *cs, const char *part, const char *id, const json_t *body,
                      json_t **agent, const char **field, struct buf *why) MUST_CHECK;
/* Merges the given fields (objects merge by field, arrays replace; null unsets). agent is changed in place,
 * only on ERR_OK. The write is guarded by rev. */
enum err agent_update(struct changes *cs, struct snapshot *snap, const char *part, json_t *agent,
                      uint64_t rev, const json_t *body, const char **field, struct buf *why) MUST_CHECK;
/* The shape that leaves the house: no secrets; model.api_key becomes {"set": true, "last4": "..."}. New
 * reference. */
json_t *agent_public(const json_t *agent);
/* Own collection first, then the attached ones: array of text, new reference. */
json_t *agent_collections(const json_t *agent);
/* The model server's key in clear; ERR_NOTFOUND if none is set. Wipe it after use. */
enum err agent_api_key(const char *part, const json_t *agent, struct buf *out) MUST_CHECK;
/* The same of the transcription server. */
/* The same for the model that is asked when the first fails. */
enum err agent_fallback_key(const char *part, const json_t *agent, struct buf *out) MUST_CHECK;
enum err agent_transcription_key(const char *part, const json_t *agent, struct buf *out) MUST_CHECK;
/* The same of the embedding server and of the reranker. */
enum err agent_embedding_key(const char *part, const json_t *agent, struct buf *out) MUST_CHECK;
enum err agent_rerank_key(const char *part, const json_t *agent, struct buf *out) MUST_CHECK;

#endif
