/* document.h: what the index needs to know of a document record. Thread: any. */
#ifndef CHASQUI_KB_DOCUMENT_H
#define CHASQUI_KB_DOCUMENT_H

#include <stdbool.h>

#include "kb/kb.h"
#include "kb/words.h"

/* False for documents that must not be found: disabled, failed, without a collection. */
bool kb_document_findable(const json_t *doc);
/* The words a chunk is found by: title (weighted), text, and with the first chunk the document's phrasings.
 */
void kb_document_bag(const json_t *doc, const struct kb_chunk *chunk, struct kb_bag *bag);
/* Digest of everything the index holds of the document. */
void kb_document_digest(const json_t *doc, uint8_t out[32]);

#endif
