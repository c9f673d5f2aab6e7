/* sandbox.h: the platform that test mode talks to: accepts, delivers, reads, fails on the magic numbers; and
 * plays customers. Nothing of it leaves the process. Magic recipients (E.164) are rows of tbl_sandbox.h.
 * Thread: any. */
#ifndef CHASQUI_CHANNELS_SANDBOX_H
#define CHASQUI_CHANNELS_SANDBOX_H

#include "queue/base/json.h"
#include "queue/store.h"

/* Plays a customer: builds the platform's own payload for {"from", "text", "name"?, "type"?...} (media: the
 * type's object holds "file_id" of a file of this mode, or "data" in base64 with "mime_type", or an "id" of
 * tbl_sandbox_media.h) and stores it
 * as a hook of that channel (channel_hook_store), so that it goes the way of a real one. Returns the
 * customer's platform message id in *platform_id (malloc'ed). ERR_INVALID: field says which. */
enum err sandbox_inbound(struct changes *cs, const char *part, const json_t *channel, const json_t *body,
                         const char **field, char **platform_id) MUST_CHECK;

/* The numbers to which the simulated platform behaves in a special way: array of {"to", "behaviour"}. New
 * reference. */
json_t *sandbox_numbers(void);

#endif
