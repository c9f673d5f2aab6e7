/* rank.h: the best chunks of some collections for a question, and the signals that tell how good the best one
 * is.
 *
 * Two BM25 scores are added: of words (unknown ones replaced by their nearest neighbours), by the most the
 * question could reach, and of within-word 4-grams, by their largest value for the question. The statistics
 * (how common a word is, how long a chunk is) are those of all the collections together. The caller holds the
 * indexes still. Thread: any, one ranker each. */
#ifndef CHASQUI_KB_RANK_H
#define CHASQUI_KB_RANK_H

#include <stddef.h>
#include <stdint.h>

#include "kb/index.h"

#define KB_RANK_MAX 50

/* What confidence is computed from; all of the first hit against the question. */
#define KB_SIGNALS(X)                                                                                      \
    X(WORD_SHARE, "word score by the best a chunk could have")                                             \
    X(GRAM_SHARE, "gram score by the best a chunk could have")                                             \
    X(WORD_SCORE, "log of 1 + word score, in units of the rarest word's information")                      \
    X(GRAM_SCORE, "the same for grams")                                                                    \
    X(MARGIN, "distance to the next document's score, by the score")                                       \
    X(MARGIN_WORDS, "the same for words alone")                                                            \
    X(MARGIN_GRAMS, "the same for grams alone")                                                            \
    X(CROWD, "distance to the mean of the four documents that follow")                                     \
    X(COVERAGE, "share of the question's information that the chunk's words cover")                        \
    X(UNKNOWN, "share of the question's words that no chunk has")                                          \
    X(LENGTH, "log of 1 + words of the question")                                                          \
    X(AGREEMENT, "how near the first hit is to the top of both scores")                                    \
    X(MATTER, "share of the information of words other than stop words that the chunk has in any form")    \
    X(MISSING, "the same share of those that no chunk has in any form, nor a near one")                    \
    X(UNMET, "log of 1 + words other than stop words that the chunk has in no form")                       \
    X(MATTERS, "log of 1 + words other than stop words")                                                   \
    X(WHOLE, "1 if the chunk has every word other than stop words, in some form")                          \
    X(CHANGED,                                                                                             \
      "the same share of those that the chunk has only as a near word, by four times the letters changed") \
    X(GAP, "MISSING of words written with spaces, squared, the more the shorter the question")             \
    X(SMALLNESS, "near 1 for a handful of chunks, near 0 for thousands")
enum kb_signal {
#define X(symbol, text) KB_SIGNAL_##symbol,
    KB_SIGNALS(X)
#undef X
        KB_SIGNAL_COUNT
};

struct kb_rank_hit {
    uint32_t index; /* which of the indexes */
    uint32_t slot;
    double score;
};
struct kb_ranking {
    struct kb_rank_hit hits[KB_RANK_MAX];
    size_t count;
    double signals[KB_SIGNAL_COUNT];
};

struct kb_ranker; /* scratch memory, kept between questions */
struct kb_ranker *kb_ranker_new(void);
void kb_ranker_free(struct kb_ranker *ranker);

struct kb_rank_query {
    const struct kb_index *const *indexes;
    size_t index_count;
    const char *text;
    const char *previous;   /* NULL if none */
    double previous_weight; /* of the previous turn's score, 0..1 */
    size_t limit;           /* 1..KB_RANK_MAX */
};
void kb_rank(struct kb_ranker *ranker, const struct kb_rank_query *query, struct kb_ranking *out);

#endif
