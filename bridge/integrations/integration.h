/* integration.h: services of others that an account joins to its agents: Slack, Zoom, Zapier, any HTTP API.
 *
 * KIND_INTEGRATION: {"id", "type", "name"?, "events": [], "enabled", "config": {what may be shown}, "sealed":
 * {FIELD: {"value", "last4"?}}, "created_at", "updated_at"}. Which fields a type has, and which of them are
 * secrets, is one table (tbl_integrations.h). An event that an integration wants pushes a QUEUE_INTEGRATION
 * job in the event's own change-set; the job calls the service, and is tried again when that is busy or
 * away. Every call passes the guard against private addresses. Thread: any. */
#ifndef CHASQUI_INTEGRATION_H
#define CHASQUI_INTEGRATION_H

#include <stdbool.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

struct workers;

bool integration_type_known(const char *type);
/* Takes a body's fields ("name", "events", "enabled", "config") into the record; null unsets. ERR_INVALID:
 * *field and why. */
enum err integration_take(json_t *integration, const char *part, const json_t *body, const char **field,
                          struct buf *why) MUST_CHECK;
/* A secret field in the clear, added to out. ERR_NOTFOUND: not set. */
enum err integration_secret(const json_t *integration, const char *part, const char *field,
                            struct buf *out) MUST_CHECK;
/* A shown field, or the fallback. */
const char *integration_text(const json_t *integration, const char *field, const char *fallback);
bool integration_has(const json_t *integration, const char *field);
/* The shape that leaves: of secrets only whether they are set. New reference. */
json_t *integration_public(const json_t *integration);
/* Whether an event of this type is for it. */
bool integration_wants(const json_t *integration, const char *type);

/* The handler of QUEUE_INTEGRATION and the listener that pushes its jobs. */
void integrations_register(struct workers *workers);

/* ---- slack.c: a thread as a human inbox ---- */
/* True if a handoff opens a thread and replies come back from it. */
bool slack_is_inbox(const json_t *integration);
/* "v0=" HMAC over "v0:TIME:BODY" with the app's signing secret; the time within five minutes. ERR_DENIED. */
enum err slack_verify(const json_t *integration, const char *part, const char *time, const char *signature,
                      const char *body, size_t size) MUST_CHECK;
/* Adds what a verified event callback means: a reply in a known thread becomes a person's message. False:
 * nothing of ours. */
bool slack_take(struct changes *cs, struct snapshot *snap, const char *part, const json_t *integration,
                const json_t *callback);

#endif
