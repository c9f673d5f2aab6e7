/* index.h: the inverted index of one collection in memory: words and within-word 4-grams to chunks.
 *
 * A slot is one indexed chunk; removing one marks it dead and takes it out of every count, so that scores are
 * the same as if it had never been there. Nothing here locks: the owner does (cache.h). Limits: 2^24 slots.
 */
#ifndef CHASQUI_KB_INDEX_H
#define CHASQUI_KB_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kb/words.h"

/* Postings: slot << 8 | count, count at most 255, slots rising. Two fit without a block of their own. */
struct kb_postings {
    union {
        uint32_t near[2];
        uint32_t *far;
    };
    uint32_t count, room; /* room 2 or less: near */
};
static inline const uint32_t *kb_postings_at(const struct kb_postings *p)
{
    return p->room <= 2 ? p->near : p->far;
}
/* The place in [low, high) of the first entry whose slot is not below this one; high if there is none. */
static inline size_t kb_postings_seek(const struct kb_postings *p, uint32_t slot, size_t low, size_t high)
{
    const uint32_t *at = kb_postings_at(p);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (at[middle] >> 8 < slot) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct kb_vocable {
    uint32_t text; /* in index->texts */
    uint32_t hash;
    uint32_t grams; /* first one in index->word_grams */
    uint16_t len;
    uint8_t gram_count;
    uint8_t cps;   /* code points; 0 for a CJK pair */
    uint32_t live; /* living slots that hold it */
    struct kb_postings postings;
};

struct kb_gram {
    uint64_t key;
    uint32_t live;
    struct kb_postings postings;
};

struct kb_slot {
    uint64_t number;   /* of the chunk in the durable tables */
    uint32_t document; /* in index->documents */
    uint32_t ordinal;
};

struct kb_index {
    struct kb_vocable *words;
    uint64_t *masks;  /* one bit for each kind of letter in word i: what near.c looks at first */
    uint8_t *letters; /* of word i, as words[i].cps */
    size_t word_count, word_room;
    uint32_t *word_table; /* by hash, positions + 1 */
    size_t word_table_size;
    uint32_t *alike_heads; /* by hash of a word's beginning, as many as word_table: positions + 1 */
    uint32_t *alike_next;  /* of word i: the next one in its list, position + 1 */
    char *texts;
    size_t texts_len, texts_room;
    uint32_t *word_grams;
    size_t word_grams_len, word_grams_room;

    struct kb_gram *grams;
    uint32_t *gram_counts; /* scratch of kb_index_add, all zero in between */
    size_t gram_count, gram_room;
    uint32_t *gram_table;
    size_t gram_table_size;

    struct kb_slot *slots; /* rising numbers */
    float *word_lens;      /* of each slot, in words; negative when the slot is dead */
    float *gram_lens;
    size_t slot_count, slot_room;
    char **documents;
    size_t document_count, document_room;

    size_t live;                       /* living slots */
    uint64_t words_total, grams_total; /* of living slots */
    size_t postings_bytes, document_bytes;
};

struct kb_index *kb_index_new(void);
void kb_index_free(struct kb_index *index);

/* number must be above every number added before. False if the index is full. */
bool kb_index_add(struct kb_index *index, const struct kb_bag *bag, uint64_t number, const char *document,
                  uint32_t ordinal);
/* bag: what the slot was added with. Absent or dead numbers are fine. */
void kb_index_remove(struct kb_index *index, const struct kb_bag *bag, uint64_t number);

/* Position + 1, or 0 if the index does not have it. */
uint32_t kb_index_word(const struct kb_index *index, const char *word, size_t len, uint32_t hash);
/* The first of the words that begin like this one (KB_ALIKE_CPS code points; the list may hold others),
 * position + 1; the others follow in index->alike_next. 0: none, or the word is too short. */
#define KB_ALIKE_CPS 4
uint32_t kb_index_alike(const struct kb_index *index, const char *word, size_t len);
uint32_t kb_index_gram(const struct kb_index *index, uint64_t key);
const char *kb_index_document(const struct kb_index *index, size_t slot);
static inline bool kb_index_dead(const struct kb_index *index, size_t slot)
{
    return index->word_lens[slot] < 0;
}
/* Heap in use, for the cache's bound. */
size_t kb_index_bytes(const struct kb_index *index);
/* The letters of a word as bits. */
uint64_t kb_word_mask(const int32_t *cps, size_t count);

#endif
