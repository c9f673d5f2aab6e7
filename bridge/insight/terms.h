/* terms.h: what a short text is about: its words without those of grammar, and how alike two texts are.
 *
 * Words are folded and told from grammar as the knowledge index does it (kb/text.h, kb/stopwords.h), forms of
 * one word (open, opening) count as alike (kb/forms.h). Thread: any. */
#ifndef CHASQUI_INSIGHT_TERMS_H
#define CHASQUI_INSIGHT_TERMS_H

#include <stdbool.h>
#include <stddef.h>

struct terms;
/* The first words that matter, as many as count; the caller frees. Never NULL. */
struct terms *terms_of(const char *text);
void terms_free(struct terms *terms);
size_t terms_count(const struct terms *terms);
/* 0..1: the share of words on both sides that the other one has, too. */
double terms_likeness(const struct terms *a, const struct terms *b);
/* True if a word of the text matters. */
bool terms_any(const char *text);
/* The language of a text by its script and its words of grammar ("en"), NULL if it does not show. */
const char *terms_language(const char *text);

#endif
