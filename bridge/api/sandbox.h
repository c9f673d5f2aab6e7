/* sandbox.h: an agent's simulated WhatsApp number in test mode. Thread: any. */
#ifndef CHASQUI_API_SANDBOX_H
#define CHASQUI_API_SANDBOX_H

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

#define SANDBOX_NUMBER "+15550100000"

/* The agent's sandbox number, if it has one: new reference. ERR_NOTFOUND; *guard is then for
 * sandbox_channel_add. */
enum err sandbox_channel_find(struct snapshot *snap, const char *part, const char *agent_id, json_t **channel,
                              uint64_t *guard) MUST_CHECK;
/* Adds it (guard: two at once make one). New reference in *channel. */
enum err sandbox_channel_add(struct changes *cs, const char *part, const char *agent_id, uint64_t guard,
                             json_t **channel, const char **field, struct buf *why) MUST_CHECK;

/* The same for the agent's built-in API channel, over which invoke and stream talk; in both modes. */
enum err builtin_channel_find(struct snapshot *snap, const char *part, const char *agent_id, json_t **channel,
                              uint64_t *guard) MUST_CHECK;
enum err builtin_channel_add(struct changes *cs, const char *part, const char *agent_id, uint64_t guard,
                             json_t **channel, const char **field, struct buf *why) MUST_CHECK;

#endif
