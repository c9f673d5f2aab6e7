/* known.h: records that every request needs, parsed once and not each time.
 *
 * Each thread keeps the last few with the bytes they came from. The bytes are fetched from the caller's
 * snapshot every time and compared: a record that was changed, revoked or deleted is never taken out of here.
 * What comes out is shared and must not be changed. Thread: any; nothing is shared between threads. */
#ifndef CHASQUI_API_KNOWN_H
#define CHASQUI_API_KNOWN_H

#include "queue/base/json.h"
#include "queue/store.h"

/* A record of PARTITION_GLOBAL. New reference. rev may be NULL. ERR_NOTFOUND, ERR_CORRUPT. */
enum err known_get(struct snapshot *snap, enum kind kind, const char *id, json_t **body,
                   uint64_t *rev) MUST_CHECK;
/* The id last noted under a name of at most 64 characters (the hash of a key), NULL if none: only a hint.
 * Good until the next note. */
const char *known_id(const char *name);
void known_note(const char *name, const char *id);

#endif
