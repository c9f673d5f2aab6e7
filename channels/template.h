/* template.h: message templates as the platform knows them, kept beside: synced, created, deleted by jobs;
 * their status follows the platform's webhooks. A template that the platform paused or refused is not sent.
 *
 * Record (id CHANNEL/NAME/LANGUAGE): {"channel_id", "name", "language", "category", "status":
 * "SUBMITTED|APPROVED|PENDING| REJECTED|PAUSED|DISABLED|FAILED|...", "components", "platform_id"?, "reason"?,
 * "updated_at"}. Thread: any. */
#ifndef CHASQUI_CHANNELS_TEMPLATE_H
#define CHASQUI_CHANNELS_TEMPLATE_H

#include "queue/base/json.h"
#include "queue/store.h"

/* Adds the job that brings all templates of the channel's account. */
void template_sync(struct changes *cs, const char *part, const json_t *channel);
/* Adds a template {"name", "language", "category", "components"} as SUBMITTED and the job that hands it in.
 * ERR_INVALID: *field says which. New reference in *out. */
enum err template_create(struct changes *cs, const char *part, const json_t *channel, const json_t *body,
                         const char **field, json_t **out) MUST_CHECK;
/* Adds the job that deletes a template in all its languages. */
void template_delete(struct changes *cs, const char *part, const json_t *channel, const char *name);

#endif
