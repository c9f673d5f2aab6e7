/* phrases.h: recognises what needs no search: a wish for a person, a greeting, thanks; in many languages.
 *
 * Rows of tbl_phrases.h. Decided by code on the customer's words alone: no model can talk itself out of it.
 * Thread: any. */
#ifndef CHASQUI_AGENT_PHRASES_H
#define CHASQUI_AGENT_PHRASES_H

enum phrase_meaning { PHRASE_NONE, PHRASE_PERSON, PHRASE_GREETING, PHRASE_THANKS, PHRASE_EXIT };

/* The meaning of a text, folded by words_fold; *language (may be NULL) becomes the row's. */
enum phrase_meaning phrase_of(const char *folded, const char **language);
/* What is said back in a language; English where there is no row. NULL for meanings that get no small talk.
 */
const char *phrase_reply(enum phrase_meaning meaning, const char *language);

#endif
