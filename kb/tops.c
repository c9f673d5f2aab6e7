/* tops.c: see tops.h. */
#include <string.h>

#include "kb/tops.h"

/* The largest of some scores. None is negative, so that their bits are in the order of the numbers, and the
 * compiler can compare several at once. */
static float largest(const float *scores, size_t count)
{
    int32_t max = 0;
    float out;

    for (size_t i = 0; i < count; i++) {
        int32_t bits;
        memcpy(&bits, &scores[i], sizeof bits);
        max = bits > max ? bits : max;
    }
    memcpy(&out, &max, sizeof out);
    return out;
}

void kb_tops_fill(struct kb_ranker *r, const float *scores)
{
    size_t whole = r->slots / KB_TOPS_BLOCK, rest = r->slots % KB_TOPS_BLOCK;

    for (size_t i = 0; i < whole; i++) {
        r->tops[i] = largest(scores + i * KB_TOPS_BLOCK, KB_TOPS_BLOCK);
    }
    if (rest > 0) {
        r->tops[whole] = largest(scores + whole * KB_TOPS_BLOCK, rest);
    }
}

/* True if the score at the offset counts; brings the walk to its index. */
static bool counts(const struct kb_ranker *r, const float *scores, float floor, struct kb_walk *walk,
                   size_t at)
{
    if (scores[at] <= 0 || scores[at] < floor) {
        return false;
    }
    while (at - walk->base >= r->indexes[walk->index]->slot_count) {
        walk->base += r->indexes[walk->index++]->slot_count;
    }
    return !kb_index_dead(r->indexes[walk->index], at - walk->base);
}

bool kb_tops_next(const struct kb_ranker *r, const float *scores, float floor, struct kb_walk *walk,
                  struct kb_spot *spot)
{
    for (size_t at = walk->next; at < r->slots; at++) {
        float top = r->tops[at / KB_TOPS_BLOCK];
        if (at % KB_TOPS_BLOCK == 0 && (top <= 0 || top < floor)) {
            at += KB_TOPS_BLOCK - 1;
        } else if (counts(r, scores, floor, walk, at)) {
            *spot = (struct kb_spot){walk->index, (uint32_t)(at - walk->base), at, scores[at], 0};
            walk->next = at + 1;
            return true;
        }
    }
    walk->next = r->slots;
    return false;
}

float kb_tops_max(const struct kb_ranker *r, const float *scores)
{
    struct kb_walk walk = {0};
    struct kb_spot spot;
    float max = 0;

    while (kb_tops_next(r, scores, max, &walk, &spot)) {
        max = spot.sum;
    }
    return max;
}

size_t kb_tops_find(struct kb_ranker *r, const float *scores, float floor)
{
    struct kb_walk walk = {0};
    struct kb_spot spot;
    size_t count = 0;

    while (kb_tops_next(r, scores, floor, &walk, &spot)) {
        if (count == KB_SPOTS_MAX) {
            return KB_SPOTS_MAX + 1;
        }
        r->spots[count++] = spot;
    }
    return count;
}
