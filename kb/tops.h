/* tops.h: finding the few best of many scores: the largest of each block of them is noted first, and only
 * blocks that can hold one of the best are looked into. Thread: the ranker's. */
#ifndef CHASQUI_KB_TOPS_H
#define CHASQUI_KB_TOPS_H

#include "kb/rank_int.h"

#define KB_TOPS_BLOCK 16
#define KB_SPOTS_MAX  1000

/* Notes the largest of each block of r->slots scores, none negative, in r->tops. */
void kb_tops_fill(struct kb_ranker *r, const float *scores);
/* The rest of this header: of the scores that r->tops is of. */

/* The largest score of a living slot. */
float kb_tops_max(const struct kb_ranker *r, const float *scores);
/* Lists the living slots whose scores are above 0 and at least floor in r->spots, in order; returns how many,
 * KB_SPOTS_MAX + 1 if they are more than that. */
size_t kb_tops_find(struct kb_ranker *r, const float *scores, float floor);

/* A walk over them one by one, from {0} on; false at the end. The floor may rise on the way. */
struct kb_walk {
    size_t next, base; /* of the index it is in */
    uint32_t index;
};
bool kb_tops_next(const struct kb_ranker *r, const float *scores, float floor, struct kb_walk *walk,
                  struct kb_spot *spot);

#endif
