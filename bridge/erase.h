/* erase.h: a person's data goes, everywhere.
 *
 * erase_begin takes the person's name and addresses out of the store at once, so that whoever writes from
 * them later is somebody new, and pushes a QUEUE_ERASE job which deletes all else: messages, conversations,
 * files, traces, events, deliveries, leads, appointments, raw posts of platforms, kept answers, dead letters.
 * The contact's record stays as a tombstone without personal data: {"id", "status": "erasing|erased",
 * "requested_at", "erased_at"?, "removed"?: {kind: count}}. Bytes of deleted records may stand in free pages
 * of the store's file until it is compacted (`chasqui compact`). Thread: erase_begin any; the job on a
 * worker's loop. */
#ifndef CHASQUI_BRIDGE_ERASE_H
#define CHASQUI_BRIDGE_ERASE_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/base/json.h"
#include "queue/store.h"

struct workers;

void erase_register(struct workers *workers);
/* Adds the beginning of the erasure to cs, guarded by rev. */
void erase_begin(struct changes *cs, struct snapshot *snap, const char *part, const json_t *contact,
                 uint64_t rev);
/* True for the record that an erasure leaves. */
bool erase_is_tombstone(const json_t *contact);

#endif
