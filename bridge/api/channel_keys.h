/* channel_keys.h: the keys of API channels: each such channel has one of its own, which opens nothing else.
 *
 * A channel's key is an API key (keys.h) that names its channel. During the overlap of a rotation there are
 * two; all of them end with the channel. Thread: the request's loop. */
#ifndef CHASQUI_API_CHANNEL_KEYS_H
#define CHASQUI_API_CHANNEL_KEYS_H

#include "bridge/api/call.h"
#include "bridge/api/keys.h"

/* Adds a key for the channel; its text goes to out. */
void channel_key_add(struct call *c, const json_t *channel, char out[KEY_TEXT_SIZE]);
/* Ends every key of the channel, now or when the overlap is over. False: the call has ended. */
bool channel_keys_end(struct call *c, const char *channel_id, int64_t overlap_s);
/* The addresses of a channel's document and test window, put into out. */
void channel_addresses(struct call *c, const char *channel_id, json_t *out);
/* The channel that the path names, if it is the agent's. NULL: 404. */
json_t *channels_find(struct call *c, uint64_t *rev);

#endif
