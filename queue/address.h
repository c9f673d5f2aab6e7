/* address.h: the partition of an id that somebody without a key names: a platform's hook of a channel, an
 * agent's widget, an integration's hook. The record (KIND_ADDRESS, global) goes with what it leads to.
 * Thread: any. */
#ifndef CHASQUI_QUEUE_ADDRESS_H
#define CHASQUI_QUEUE_ADDRESS_H

#include "queue/store.h"

void address_put(struct changes *cs, const char *part, const char *id);
/* ERR_NOTFOUND. */
enum err address_find(struct snapshot *snap, const char *id, char part[PARTITION_SIZE]) MUST_CHECK;

#endif
