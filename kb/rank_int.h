/* rank_int.h: shared by rank.c (order) and score.c (BM25): one question against some indexes. */
#ifndef CHASQUI_KB_RANK_INT_H
#define CHASQUI_KB_RANK_INT_H

#include "kb/rank.h"
#include "kb/stopwords.h"

#define KB_PRIOR_CHUNKS 60.0 /* chunks imagined beside the real ones, see score.c */
#define KB_LATE_CHUNKS  2000 /* fewer than these have nothing late: all are looked at in no time */
#define KB_QUERY_GRAMS  4096
#define KB_MATCHES_MAX  16 /* a word itself, its forms, its synonyms, its near words */

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

enum kb_side { KB_WORDS, KB_GRAMS, KB_SIDES };

/* One list of a group (group.h). */
struct kb_list {
    const struct kb_postings *postings;
    uint32_t index;
    float factor;
};
struct kb_group {
    enum kb_side side;
    float gain;
    bool late;
    size_t first, count; /* of the lists */
    uint64_t live;
};
struct kb_groups {
    struct kb_group *items;
    struct kb_list *lists;
    size_t count, room, list_count, list_room;
    float rest[KB_SIDES]; /* the most they can add to a chunk */
};

/* What a text, the question or the turn before it, is worth to every slot, index after index. */
struct kb_turn {
    float *scores[KB_SIDES]; /* without what is late */
    float max[KB_SIDES];     /* of the full scores of living slots */
    double reach; /* the most words can give a chunk, unknown ones counted as their nearest neighbours */
    struct kb_groups late;
};

/* A slot, and where it stands in the arrays of scores. */
struct kb_spot {
    uint32_t index, slot;
    size_t offset;
    float sum, count; /* scratch of kb_groups_sift */
};

struct kb_asked_gram {
    uint64_t key;
    enum kb_stop stop; /* only stop words have it */
};

struct kb_ranker {
    const struct kb_index *const *indexes;
    size_t index_count;
    size_t slots; /* of all indexes */
    size_t live;
    size_t late_chunks;    /* KB_LATE_CHUNKS; tests set it */
    double mean[KB_SIDES]; /* length of a chunk, in words and in grams */
    struct kb_norm norm[KB_SIDES];

    struct kb_bag bag; /* the text being scored */
    struct kb_term *terms;
    enum kb_stop *stops; /* of each term */
    size_t term_room;
    unsigned languages;          /* of the question, as stopwords.h has them */
    struct kb_asked_gram *asked; /* room for KB_QUERY_GRAMS */
    double attainable[KB_SIDES]; /* the most any chunk could have */

    struct kb_turn turns[2]; /* the question, the turn before */
    struct kb_turn *turn;    /* the one being scored */
    float *sums;
    float *tops;           /* see tops.h */
    struct kb_spot *spots; /* of KB_SPOTS_MAX */
    float *counts;         /* of one word with its forms, all zero in between */
    uint32_t *touched;     /* slots where it is not */
    size_t room;
};

/* Scores text into the turn (all slots), with the largest values, and notes what a chunk could attain. */
void kb_score(struct kb_ranker *ranker, struct kb_turn *turn, const char *text);

#endif
