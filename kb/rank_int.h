/* rank_int.h: shared by rank.c (order) and score.c (BM25): one question against some indexes. */
#ifndef CHASQUI_KB_RANK_INT_H
#define CHASQUI_KB_RANK_INT_H

#include "kb/rank.h"
#include "kb/stopwords.h"

#define KB_PRIOR_CHUNKS 60.0 /* chunks imagined beside the real ones, see score.c */
#define KB_MATCHES_MAX  16   /* a word itself, its forms, its synonyms, its near words */

/* A word of the vocabulary that a word of the question may stand for. */
struct kb_match {
    const char *text; /* inside one of the indexes */
    uint32_t hash;
    uint16_t len;
    bool same;    /* a synonym */
    float factor; /* what it counts, the word itself being 1 */
    float change; /* letters changed by all letters where the word is only a near one, else 0 */
};

/* A word of the question. */
struct kb_term {
    double idf; /* of a word nobody wrote: the largest there is */
    bool unknown;
    enum kb_stop stop;
    bool spaceless; /* of a script without spaces: a run of words or a part of one */
    size_t match_count;
    struct kb_match matches[KB_MATCHES_MAX];
};

/* What a chunk's length does to a count: norm = flat + slope * length = k1 * (1 - b + b * length / mean). */
struct kb_norm {
    float flat, slope;
};

struct kb_ranker {
    const struct kb_index *const *indexes;
    size_t index_count;
    size_t slots; /* of all indexes */
    size_t live;
    double word_mean, gram_mean;

    struct kb_bag bag; /* the text being scored */
    struct kb_term *terms;
    enum kb_stop *stops; /* of each term */
    size_t term_room;
    unsigned languages; /* of the question, as stopwords.h has them */

    struct kb_norm word_norm, gram_norm;
    float *words, *grams; /* scores by slot, index after index */
    float *sums, *previous;
    float *counts;     /* of one word with its forms, all zero in between */
    uint32_t *touched; /* slots where it is not */
    size_t touched_count;
    size_t room;
    float word_max, gram_max;
    double word_attainable, gram_attainable; /* the most any chunk could have */
    double word_reach; /* the same, with unknown words counted as their nearest neighbours */
};

/* Scores text into ranker->words and ranker->grams (all slots), with the largest values and what a chunk
 * could attain. */
void kb_score(struct kb_ranker *ranker, const char *text);

#endif
