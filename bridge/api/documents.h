/* documents.h: a document's record as the API makes and changes it; used one by one and in bulk.
 *
 * external_id is unique in its collection: the index finds the document, and a KIND_SETTING record for each
 * (collection, external_id) is the guard against two that are created at once. Thread: any. */
#ifndef CHASQUI_API_DOCUMENTS_H
#define CHASQUI_API_DOCUMENTS_H

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

/* Takes the fields of a canonical body into doc (null unsets) and checks the whole. ERR_INVALID: *field and
 * why. */
enum err document_take(json_t *doc, const json_t *body, const char **field, struct buf *why) MUST_CHECK;
/* An empty record of this collection; agent_id may be NULL. New reference. */
json_t *document_blank(const char *collection_id, const char *agent_id);
/* New reference. ERR_NOTFOUND. */
enum err document_find_external(struct snapshot *snap, const char *part, const char *collection_id,
                                const char *external_id, json_t **doc, uint64_t *rev) MUST_CHECK;
/* Writes a new document, or one read at rev. */
void document_add(struct changes *cs, struct snapshot *snap, const char *part, const json_t *doc);
void document_put(struct changes *cs, const char *part, json_t *doc, uint64_t rev);
/* knowledge.synced: count documents of the agent were written, one of them doc (NULL: several). */
void document_event(struct changes *cs, struct snapshot *snap, const char *part, const char *agent_id, unsigned count,
                    const json_t *doc);
/* True if body would change nothing that doc says. */
bool document_same(const json_t *doc, const json_t *other);
/* As it leaves; without its content for lists. New references. */
json_t *document_public(const json_t *doc);
json_t *document_brief(const json_t *doc);

#endif
