/* group.c: see group.h. */
#include <stdlib.h>
#include <string.h>

#include "kb/group.h"
#include "kb/tops.h"

#define LATE_SHARE 16 /* a group can be late that more than one in so many chunks holds */

static const float *lens_of(const struct kb_index *index, enum kb_side side)
{
    return side == KB_WORDS ? index->word_lens : index->gram_lens;
}

/* What a count adds to the score of a chunk of this length. */
static inline float saturated(float gain, float count, struct kb_norm norm, float len)
{
    return gain * count / (count + (norm.flat + norm.slope * len));
}

/* ---- over every chunk ---- */

/* Adds gain * saturated count to the score of every slot in the list. */
static void list_score(float *scores, const float *lens, struct kb_norm norm, const struct kb_postings *p,
                       float gain)
{
    const uint32_t *at = kb_postings_at(p);

    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t slot = at[i] >> 8;
        scores[slot] += saturated(gain, (float)(int)(at[i] & 255u), norm, lens[slot]);
    }
}

/* Adds a list's counts to those of its group in one index; returns how many slots have any. */
static size_t list_count(struct kb_ranker *r, const struct kb_list *list, size_t touched)
{
    const uint32_t *at = kb_postings_at(list->postings);

    for (uint32_t k = 0; k < list->postings->count; k++) {
        uint32_t slot = at[k] >> 8;
        r->touched[touched] = slot;
        touched += r->counts[slot] == 0;
        r->counts[slot] += list->factor * (float)(int)(at[k] & 255u);
    }
    return touched;
}

/* Scores a group of several lists in one index as if they were one. */
static void lists_score(struct kb_ranker *r, const struct kb_groups *late, const struct kb_group *g,
                        uint32_t index, float *scores)
{
    const float *lens = lens_of(r->indexes[index], g->side);
    struct kb_norm norm = r->norm[g->side];
    size_t touched = 0;

    for (size_t k = 0; k < g->count; k++) {
        const struct kb_list *list = &late->lists[g->first + k];
        touched = list->index == index ? list_count(r, list, touched) : touched;
    }
    for (size_t i = 0; i < touched; i++) {
        uint32_t slot = r->touched[i];
        float count = r->counts[slot];
        scores[slot] += saturated(g->gain, count, norm, lens[slot]);
        r->counts[slot] = 0;
    }
}

/* Scores a group over every chunk. */
static void group_score(struct kb_ranker *r, struct kb_turn *turn, const struct kb_group *g)
{
    const struct kb_list *lists = turn->late.lists + g->first;
    float *scores = turn->scores[g->side];

    for (uint32_t i = 0; i < r->index_count; i++) {
        size_t count = 0, only = 0;
        for (size_t k = 0; k < g->count; k++) {
            only = lists[k].index == i ? k : only;
            count += lists[k].index == i;
        }
        if (count == 1 && lists[only].factor == 1) {
            list_score(scores, lens_of(r->indexes[i], g->side), r->norm[g->side], lists[only].postings,
                       g->gain);
        } else if (count > 0) {
            lists_score(r, &turn->late, g, i, scores);
        }
        scores += r->indexes[i]->slot_count;
    }
}

/* ---- one chunk ---- */

/* How often the list has the slot; *from: where a smaller one was looked for, and then this one. As slots
 * rise by at least one, a slot's place is known to within the number of slots that the list does not have. */
static unsigned count_at(const struct kb_postings *p, uint32_t slot, size_t slots, size_t *from)
{
    const uint32_t *at = kb_postings_at(p);
    size_t absent = slots - p->count, low = slot > absent + *from ? slot - absent : *from;
    size_t high = slot < p->count ? (size_t)slot + 1 : p->count;

    low = kb_postings_seek(p, slot, low, high);
    *from = low;
    return low < p->count && at[low] >> 8 == slot ? at[low] & 255u : 0;
}

/* Notes in each spot how often it has the words of a group. */
static void group_count(struct kb_ranker *r, const struct kb_list *lists, size_t list_count,
                        size_t spot_count)
{
    for (size_t i = 0; i < spot_count; i++) {
        r->spots[i].count = 0;
    }
    for (size_t k = 0; k < list_count; k++) {
        size_t slots = r->indexes[lists[k].index]->slot_count, from = 0;
        for (size_t i = 0; i < spot_count; i++) {
            struct kb_spot *spot = &r->spots[i];
            if (spot->index == lists[k].index) {
                unsigned count = count_at(lists[k].postings, spot->slot, slots, &from);
                spot->count += lists[k].factor * (float)(int)count;
            }
        }
    }
}

size_t kb_groups_sift(struct kb_ranker *r, const struct kb_sift *sift, size_t count)
{
    const struct kb_groups *late = &sift->turn->late;
    float rest = sift->rest;

    for (size_t i = 0; i < late->count; i++) {
        const struct kb_group *g = &late->items[i];
        float worth = sift->worth[g->side], *scores = sift->turn->scores[g->side];
        if (worth <= 0) {
            continue;
        }
        size_t kept = 0;
        group_count(r, late->lists + g->first, g->count, count);
        rest -= g->gain * worth;
        for (size_t k = 0; k < count; k++) {
            struct kb_spot *spot = &r->spots[k];
            const float *lens = lens_of(r->indexes[spot->index], g->side);
            if (spot->count > 0) {
                float value = saturated(g->gain, spot->count, r->norm[g->side], lens[spot->slot]);
                spot->sum += value * worth;
                scores[spot->offset] += sift->keep ? value : 0;
            }
            if (spot->sum + rest >= sift->floor) {
                r->spots[kept++] = *spot;
            }
        }
        count = kept;
    }
    return count;
}

/* ---- groups ---- */

void kb_group_open(struct kb_ranker *r, enum kb_side side, double gain)
{
    struct kb_groups *late = &r->turn->late;

    if (late->count == late->room) {
        late->room = late->room == 0 ? 16 : late->room * 2;
        late->items = xrealloc(late->items, late->room * sizeof *late->items);
    }
    late->items[late->count] =
        (struct kb_group){.side = side, .gain = (float)gain, .first = late->list_count};
}

void kb_group_list(struct kb_ranker *r, size_t index, const struct kb_postings *postings, uint32_t live,
                   float factor)
{
    struct kb_groups *late = &r->turn->late;

    if (late->list_count == late->list_room) {
        late->list_room = late->list_room == 0 ? 64 : late->list_room * 2;
        late->lists = xrealloc(late->lists, late->list_room * sizeof *late->lists);
    }
    late->lists[late->list_count++] = (struct kb_list){postings, (uint32_t)index, factor};
    late->items[late->count].count++;
    late->items[late->count].live += live;
}

void kb_group_close(struct kb_ranker *r)
{
    struct kb_groups *late = &r->turn->late;
    const struct kb_group *g = &late->items[late->count];

    if (r->live >= r->late_chunks && g->live > r->live / LATE_SHARE) {
        late->count++;
        return;
    }
    group_score(r, r->turn, g);
    late->list_count = g->first;
}

/* Larger gain first; of equal ones the one that was asked first. */
static int group_order(const void *a, const void *b)
{
    const struct kb_group *x = a, *y = b;

    if (x->gain > y->gain || x->gain < y->gain) {
        return x->gain > y->gain ? -1 : 1;
    }
    return (x->first > y->first) - (x->first < y->first);
}

void kb_groups_settle(struct kb_ranker *r, const float most[KB_SIDES])
{
    struct kb_groups *late = &r->turn->late;
    size_t kept = 0;

    if (late->count > 1) {
        qsort(late->items, late->count, sizeof *late->items, group_order);
    }
    memset(late->rest, 0, sizeof late->rest);
    for (size_t i = late->count; i-- > 0;) {
        struct kb_group *g = &late->items[i];
        float rest = late->rest[g->side] + g->gain * (1 + KB_ROUNDING);
        g->late = rest <= most[g->side];
        late->rest[g->side] = g->late ? rest : late->rest[g->side];
    }
    for (size_t i = 0; i < late->count; i++) {
        if (late->items[i].late) {
            late->items[kept++] = late->items[i];
        } else {
            group_score(r, r->turn, &late->items[i]);
        }
    }
    late->count = kept;
}

void kb_groups_reset(struct kb_turn *turn)
{
    turn->late.count = turn->late.list_count = 0;
    memset(turn->late.rest, 0, sizeof turn->late.rest);
}

void kb_groups_flush(struct kb_ranker *r, struct kb_turn *turn)
{
    for (size_t i = 0; i < turn->late.count; i++) {
        group_score(r, turn, &turn->late.items[i]);
    }
    kb_groups_reset(turn);
}

/* The largest full score on one side; a negative number if too many chunks could have it. */
static float side_max(struct kb_ranker *r, struct kb_turn *turn, enum kb_side side)
{
    const float *scores = turn->scores[side];

    kb_tops_fill(r, scores);
    float max = kb_tops_max(r, scores), rest = turn->late.rest[side];
    if (rest <= 0) {
        return max;
    }
    struct kb_sift sift = {.turn = turn, .rest = rest, .floor = max * (1 - KB_ROUNDING)};
    sift.worth[side] = 1;
    size_t count = max > rest ? kb_tops_find(r, scores, sift.floor - rest) : KB_SPOTS_MAX + 1;
    if (count > KB_SPOTS_MAX) {
        return -1;
    }
    count = kb_groups_sift(r, &sift, count);
    for (size_t i = 0; i < count; i++) {
        max = r->spots[i].sum > max ? r->spots[i].sum : max;
    }
    return max;
}

void kb_groups_max(struct kb_ranker *r, struct kb_turn *turn)
{
    for (int side = 0; side < KB_SIDES; side++) {
        float max = side_max(r, turn, (enum kb_side)side);
        if (max < 0) {
            kb_groups_flush(r, turn);
            kb_tops_fill(r, turn->scores[side]);
            max = kb_tops_max(r, turn->scores[side]);
        }
        turn->max[side] = max;
    }
}
