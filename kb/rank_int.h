/* rank_int.h: shared by rank.c (order) and score.c (BM25): one question against some indexes. */
#ifndef CHASQUI_KB_RANK_INT_H
#define CHASQUI_KB_RANK_INT_H

#include "kb/rank.h"

/* A word of the question. */
struct kb_term {
    uint32_t word; /* in the bag */
    double idf;    /* of a word nobody wrote: the largest there is */
    bool unknown;
};

/* A chunk's score beside what its length does to it: one line of the processor's cache for each posting. */
struct kb_cell {
    float score;
    float norm; /* k1 * (1 - b + b * length / mean) */
};

struct kb_ranker {
    const struct kb_index *const *indexes;
    size_t index_count;
    size_t slots; /* of all indexes */
    size_t live;
    double word_mean, gram_mean;

    struct kb_bag bag; /* the text being scored */
    struct kb_term *terms;
    size_t term_room;

    struct kb_cell *words, *grams; /* by slot, index after index */
    float *sums, *previous;
    size_t room;
    float word_max, gram_max;
    double word_attainable, gram_attainable; /* the most any chunk could have */
    double word_reach; /* the same, with unknown words counted as their nearest neighbours */
};

/* Scores text into ranker->words and ranker->grams (all slots), with the largest values and what a chunk
 * could attain. */
void kb_score(struct kb_ranker *ranker, const char *text);

#endif
