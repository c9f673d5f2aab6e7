/* near.h: which words of a vocabulary can be within a few edits of another, by their kinds of letters and
 * their lengths alone. Thread: any. */
#ifndef CHASQUI_KB_NEAR_H
#define CHASQUI_KB_NEAR_H

#include "kb/index.h"

#define KB_NEAR_BLOCK 64 /* words looked at in one call */

struct kb_near_word {
    uint64_t mask; /* kb_word_mask of it */
    unsigned letters;
    unsigned edits; /* 1 or 2 */
};
/* Those of the words from..from + KB_NEAR_BLOCK - 1 that can be, in order; returns how many. No word within
 * that many edits is left out. */
size_t kb_near_words(const struct kb_index *index, size_t from, const struct kb_near_word *wanted,
                     uint32_t out[KB_NEAR_BLOCK]);

/* Variant i of this build that this processor can run, for tests; false behind the last. The choice holds for
 * all threads. */
bool kb_near_choose(size_t i);

#endif
