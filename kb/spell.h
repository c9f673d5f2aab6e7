/* spell.h: what a customer meant by a word that nobody wrote: the nearest words of the vocabulary. Thread:
 * any. */
#ifndef CHASQUI_KB_SPELL_H
#define CHASQUI_KB_SPELL_H

#include <stddef.h>
#include <stdint.h>

#include "kb/index.h"

/* Damerau distance (insert, delete, replace, swap neighbours; no letter edited twice), or max + 1 if above
 * max. */
unsigned kb_distance(const int32_t *a, size_t a_len, const int32_t *b, size_t b_len, unsigned max);

#define KB_SPELL_MAX 3
struct kb_guess {
    const char *text; /* inside one of the indexes */
    size_t len;
    uint32_t hash;
    unsigned distance; /* 1 or 2 */
    unsigned letters;  /* of the word asked for */
    uint64_t live;     /* chunks that hold it, in all indexes */
};
/* The nearest words: distance 1 for up to five letters, 2 above; nearest first, then the more common. Returns
 * how many (0 for words under four letters, numbers, and Chinese or Japanese). */
size_t kb_spell(const struct kb_index *const *indexes, size_t count, const char *word, size_t len,
                struct kb_guess guesses[KB_SPELL_MAX]);

#endif
