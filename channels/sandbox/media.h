/* media.h: media of played customers. Private to the sandbox. */
#ifndef CHASQUI_CHANNELS_SANDBOX_MEDIA_H
#define CHASQUI_CHANNELS_SANDBOX_MEDIA_H

#include "channels/channels_int.h"

/* Makes of a customer's media object ({"file_id"} or {"data": base64, "mime_type"} or {"id"}) the one that
 * the platform posts, in place. ERR_INVALID: *field is the member at fault. ERR_IO. */
enum err sandbox_media_take(struct changes *cs, const char *part, json_t *own, const char **field) MUST_CHECK;
/* The row's fetch. */
void sandbox_fetch(const struct send_call *call, const char *media_id, media_done_fn done, void *arg);
/* Adds {"to": id, "behaviour"} for each id of tbl_sandbox_media.h. */
void sandbox_media_list(json_t *list);

#endif
