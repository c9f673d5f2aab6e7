/* page.h: the pages of a source: what was read of it, kept as records that the index follows.
 *
 * KIND_PAGE record: {"id", "document_id", "ordinal", "title", "content" (Markdown), "url"?, "number"? (of a
 * PDF page), "etag"?, "last_modified"?, "links"?: [], "hash", "size", "fetched_at"}. A page keeps its id as
 * long as its url, number and place in it stay. Thread: any. */
#ifndef CHASQUI_KB_SOURCE_PAGE_H
#define CHASQUI_KB_SOURCE_PAGE_H

#include "kb/source/extract.h"
#include "queue/base/json.h"
#include "queue/store.h"

#define PAGES_MAX       5000        /* of one source */
#define PAGES_BYTES_MAX (24u << 20) /* their text in all */

/* All pages of a source, in order, as an array; new reference. ERR_LIMIT: more than there can be. */
enum err pages_load(struct snapshot *snap, const char *part, const char *document_id,
                    json_t **pages) MUST_CHECK;
/* Adds the sections of a result to the list of new pages; url may be NULL, titled: pages carry the result's
 * own title. */
void pages_take(json_t *pages, const struct extract_result *result, const char *url, bool titled);
/* Moves the old pages of this address to the new list: it did not change, or could not be read just now. True
 * if there were any. */
bool pages_keep(json_t *pages, const json_t *old, const char *url);
/* Bytes of text in the list. */
size_t pages_size(const json_t *pages);
/* Writes what changed between old and new; *changed counts. */
void pages_write(struct changes *cs, const char *part, const char *document_id, const json_t *old,
                 const json_t *pages, unsigned *changed);

#endif
