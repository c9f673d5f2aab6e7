/* stopwords.h: the words of a question that carry its grammar and not its matter: "do you have", "wie viel".
 *
 * In a knowledge base of ten entries counting cannot tell them from the others, so the commonest ones of some
 * languages are listed (stopwords.c). A word counts as one only in a language the question is likely in:
 * "war" is a verb in German and a noun in English. Thread: any. */
#ifndef CHASQUI_KB_STOPWORDS_H
#define CHASQUI_KB_STOPWORDS_H

#include <stdbool.h>

#include "kb/words.h"

enum kb_stop {
    KB_STOP_NONE, /* a word of the matter */
    KB_STOP_WORD,
    KB_STOP_SELF, /* what customers call the business ("the shop"): all of its knowledge is about that */
};
/* Sets flags[i] for word i of the bag (flags: bag->count of them). Returns the languages taken, a bit each.
 */
unsigned kb_stopwords(const struct kb_bag *bag, enum kb_stop *flags);
/* True if the folded word is one in any of these languages. */
bool kb_stopword_in(unsigned languages, const char *word, size_t len, uint32_t hash);
/* True if the language of this code is among them. */
bool kb_stopwords_taken(unsigned languages, const char *code);
/* The code ("en") of the first of these languages, NULL if there is none. */
const char *kb_stopwords_code(unsigned languages);

#endif
