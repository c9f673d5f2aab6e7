/* words.h: words and within-word 4-grams of a text, and the bag that counts them.
 *
 * A word is a run of letters, digits and combining marks of the folded text, at most KB_WORD_CPS code points
 * (longer runs are cut into several, which overlap in scripts without spaces). Chinese and Japanese runs give
 * overlapping pairs of characters. Thread: one at a time. */
#ifndef CHASQUI_KB_WORDS_H
#define CHASQUI_KB_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/buf.h"

#define KB_WORD_CPS     48
#define KB_WORD_BYTES   (4 * KB_WORD_CPS)
#define KB_TITLE_WEIGHT 4           /* a word of the title counts as that many of the text */
#define KB_PATH_WEIGHT  1           /* a word of the headings above it */
#define KB_BAG_BYTES    (64u << 20) /* folded text one bag takes at most; the rest is not counted */

struct kb_bag_word {
    uint32_t at;   /* of the text in bag->text */
    uint32_t hash; /* kb_word_hash of it */
    uint32_t count;
    uint16_t len; /* bytes */
    bool cjk;
};

/* Distinct words in order of first appearance. */
struct kb_bag {
    struct buf text;
    struct kb_bag_word *words; /* owned */
    size_t count, room;
    uint64_t total;  /* sum of counts */
    uint32_t *table; /* owned: positions + 1 by hash; table_size is a power of two */
    size_t table_size;
    struct buf folded; /* scratch */
};

void kb_bag_init(struct kb_bag *bag);
void kb_bag_fini(struct kb_bag *bag);
void kb_bag_reset(struct kb_bag *bag);
/* Folds and splits text; each word counts weight times. */
void kb_bag_add(struct kb_bag *bag, const char *text, size_t len, unsigned weight);
/* One word that is folded already. */
void kb_bag_add_word(struct kb_bag *bag, const char *word, size_t len, unsigned weight);
/* Position + 1, or 0 if the bag does not have it. */
uint32_t kb_bag_find(const struct kb_bag *bag, const char *word, size_t len, uint32_t hash);
const char *kb_bag_text(const struct kb_bag *bag, const struct kb_bag_word *word);

uint32_t kb_word_hash(const char *word, size_t len);
/* Code points of a word into cps; returns how many (at most KB_WORD_CPS). */
size_t kb_word_cps(const char *word, size_t len, int32_t cps[KB_WORD_CPS]);

#define KB_WORD_GRAMS (KB_WORD_CPS + 2)
/* Keys of the 4-grams of a word with a mark on both sides; a CJK pair is one gram. Returns how many. */
size_t kb_word_grams(const char *word, size_t len, uint64_t grams[KB_WORD_GRAMS]);

#endif
