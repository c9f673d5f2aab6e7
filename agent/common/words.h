/* words.h: text reduced to plain words, and small word patterns over it.
 *
 * Folding: lower case, compatibility forms and Latin accents undone, anything but letters and digits becomes
 * one space. A pattern is a row of words: "a|b" alternatives, "?a|b" may be missing, "*" up to three words of
 * any kind, "^" and "$" the begin and end of the text. A word "~x" is looked for anywhere, without regard to
 * word limits: for scripts that write no spaces. Thread: any. */
#ifndef CHASQUI_AGENT_WORDS_H
#define CHASQUI_AGENT_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define WORDS_TEXT_MAX 4000 /* bytes of the text that are looked at */

/* malloc'ed. */
char *words_fold(const char *text);
/* Both folded; pattern in the language above (its operators are kept by words_fold_pattern). */
bool words_match(const char *folded, const char *pattern);
/* fn for each word with which a match of the pattern may begin. False if a match may begin with any word, or
 * with none; a text that has no such word does not match otherwise. */
typedef void (*words_start_fn)(const char *word, size_t size, void *arg);
bool words_starts(const char *pattern, words_start_fn fn, void *arg);
/* Words of a folded text one by one: *at moves on; 0 at the end, else the size of *word. */
size_t words_next(const char **at, const char **word);
/* As words_fold, leaving | ? * ^ $ ~ in place. malloc'ed. */
char *words_fold_pattern(const char *pattern);
/* True if the folded phrase stands in the folded text as whole words, or, where it has a script without
 * spaces, anywhere. */
bool words_hold(const char *folded, const char *phrase);

#endif
