/* cite.h: source marks of a draft into citations, and citations into the reply's text. Thread: any. */
#ifndef CHASQUI_AGENT_CITE_H
#define CHASQUI_AGENT_CITE_H

#include "kb/kb.h"
#include "queue/base/arena.h"
#include "queue/base/json.h"

enum cite_style { CITE_NONE, CITE_INLINE, CITE_FOOTER };
enum cite_style cite_style_of(const char *name);

/* One citation {"document_id", "chunk_id", "title"} of a hit. New reference. */
json_t *cite_hit(const struct kb_hit *hit);
/* Replaces marks such as [1] in text: with INLINE by the source's title in brackets, else by nothing; with
 * FOOTER the titles stand in a last line. Marks of sources that do not exist vanish. citations receives what
 * was cited, each once. */
char *cite_marks(const char *text, const struct kb_result *found, enum cite_style style, json_t *citations,
                 struct arena *arena);
/* The text that says the hits of the citations in the style: for drafts without marks. */
char *cite_append(const char *text, const json_t *citations, enum cite_style style, struct arena *arena);

#endif
