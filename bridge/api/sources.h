/* sources.h: documents whose text is read elsewhere, as the API makes and changes them. Thread: the request's
 * loop. */
#ifndef CHASQUI_API_SOURCES_H
#define CHASQUI_API_SOURCES_H

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

/* Brings a checked document in line with its type: looks up its file, plans its reading and its schedule when
 * what it is read from is new, takes its pages away when it is no source any more. before: as it was, NULL if
 * new. The caller writes doc in the same change-set. ERR_INVALID: *field and why. */
enum err source_settle(struct changes *cs, struct snapshot *snap, const char *part, const json_t *before,
                       json_t *doc, const char **field, struct buf *why) MUST_CHECK;
/* Removes the document and what hangs on it. */
void source_delete(struct changes *cs, const char *part, const json_t *doc);

#endif
