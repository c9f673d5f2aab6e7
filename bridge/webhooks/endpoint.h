/* endpoint.h: the record of a webhook endpoint and its secrets.
 *
 * Record (KIND_WEBHOOK): {"id", "agent_id"|null (the whole account), "url", "events": [], "status":
 * "active|failing|disabled", "reason"?, "ordered", "description"?, "signing_key": "base64|raw", "secrets":
 * [{"sealed", "until"?}] (the current one first; "until": end of its overlap), "failing_since"?,
 * "created_at", "updated_at"}. Thread: any. */
#ifndef CHASQUI_WEBHOOKS_ENDPOINT_H
#define CHASQUI_WEBHOOKS_ENDPOINT_H

#include "bridge/webhooks/sign.h"
#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

/* "whsec_" + base64 of 32 random bytes. */
void endpoint_secret_make(char out[SIGN_SECRET_SIZE]);
/* 16 to 256 printable ASCII characters. */
bool endpoint_secret_fits(const char *secret);
/* Makes secret the current one; the one before goes on signing until now + overlap_ms (0: it ends). At most
 * three live. */
void endpoint_secret_set(json_t *webhook, const char *part, const char *secret, int64_t overlap_ms);
/* The live secrets in the clear, current first. Returns their number; wipe after use. */
unsigned endpoint_secrets(const json_t *webhook, const char *part, char out[SIGN_SECRETS][SIGN_SECRET_SIZE]);
/* The shape that leaves the house: no secrets. New reference. */
json_t *endpoint_public(const json_t *webhook);
/* The name under which this endpoint gets an event of that type: its alias, if it subscribed to that alone.
 */
const char *endpoint_event_name(const json_t *webhook, const char *type);

#endif
