/* text.h: the one way text is folded before it is compared, the same for entries and for questions.
 *
 * NFKC and case folding (Unicode 14 or what utf8proc knows), accents of Latin, Greek and Cyrillic letters
 * away, Arabic vowel marks and tatweel away, Arabic letter variants to one form, every decimal digit to
 * ASCII, Turkish dotless i to i. Marks of Indic scripts, Thai and Japanese are part of the word and stay.
 * Thread: any. */
#ifndef CHASQUI_KB_TEXT_H
#define CHASQUI_KB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/buf.h"

/* Adds the folded text to out as UTF-8. Bytes that are no UTF-8 become a space. */
void kb_fold(const char *text, size_t len, struct buf *out);

/* The code point at text (len > 0) into *cp, -1 for a bad byte; returns the bytes it takes (at least 1). */
size_t kb_cp_next(const char *text, size_t len, int32_t *cp);

enum kb_cp_class {
    KB_CP_OTHER, /* separates words */
    KB_CP_WORD,  /* letter, digit or mark */
    KB_CP_CJK,   /* Han, Hiragana, Katakana: written without spaces */
};
enum kb_cp_class kb_cp_class(int32_t cp);
/* True for a letter of a script that puts no spaces between words: CJK, Thai, Lao, Burmese, Khmer. */
bool kb_cp_spaceless(int32_t cp);

#endif
