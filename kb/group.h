/* group.h: what one word of a question, with its forms, or one gram adds to the scores of chunks.
 *
 * Most groups are scored at once, over every chunk that holds them. A group that a large share of a large
 * base holds tells little and costs most: it is kept for later, and only chunks which can still be among the
 * best are looked at for it. The bound that makes this exact: a group never adds more than its gain. Each
 * chunk's sum is made in one order, groups at once before late ones, so its bits do not depend on how many
 * chunks were looked at. Thread: the ranker's. */
#ifndef CHASQUI_KB_GROUP_H
#define CHASQUI_KB_GROUP_H

#include "kb/rank_int.h"

#define KB_ROUNDING 1e-4f /* of a bound: what floating point may make of it */

/* Between open and close: the lists of the group, those of one word over all indexes before the next word's.
 * live: living chunks in the list. A chunk's count is the sum of its counts in the lists, times factors. */
void kb_group_open(struct kb_ranker *r, enum kb_side side, double gain);
void kb_group_list(struct kb_ranker *r, size_t index, const struct kb_postings *postings, uint32_t live,
                   float factor);
void kb_group_close(struct kb_ranker *r);

/* After the last group: scores the common groups of the largest gains too, until what is late cannot add more
 * than this to a chunk. */
void kb_groups_settle(struct kb_ranker *r, const float most[KB_SIDES]);

/* Forgets what is late. */
void kb_groups_reset(struct kb_turn *turn);
/* Scores what is late over every chunk. */
void kb_groups_flush(struct kb_ranker *r, struct kb_turn *turn);
/* Adds what is late in a turn to the sums of r->spots (which start as the sums without it), and with `keep`
 * to the turn's scores. Drops spots as soon as they cannot reach the floor any more; returns how many stay.
 */
struct kb_sift {
    struct kb_turn *turn;
    float worth[KB_SIDES]; /* of a unit of score in the sums; 0: this side is left out */
    float rest;            /* what may still come, from this turn and others */
    float floor;
    bool keep;
};
size_t kb_groups_sift(struct kb_ranker *r, const struct kb_sift *sift, size_t count);
/* Notes the largest full scores of a living chunk; scores what is late if many chunks could have them. */
void kb_groups_max(struct kb_ranker *r, struct kb_turn *turn);

#endif
