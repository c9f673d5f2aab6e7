/* rank.c: fusion, order and the signals for confidence. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kb/group.h"
#include "kb/rank_int.h"
#include "kb/tops.h"

#define SMALL      60.0 /* chunks of a knowledge base half way between small and large */
#define WORD_SHARE 1.7  /* of a chunk that has all of the question's words, grams being 1 */

struct kb_ranker *kb_ranker_new(void)
{
    struct kb_ranker *r = xcalloc(1, sizeof *r);

    kb_bag_init(&r->bag);
    r->late_chunks = KB_LATE_CHUNKS;
    r->asked = xmalloc(KB_QUERY_GRAMS * sizeof *r->asked);
    r->spots = xmalloc(KB_SPOTS_MAX * sizeof *r->spots);
    return r;
}

/* Frees the arrays that are as long as there are slots. */
static void room_free(struct kb_ranker *r)
{
    for (int i = 0; i < 2; i++) {
        free(r->turns[i].scores[KB_WORDS]);
        free(r->turns[i].scores[KB_GRAMS]);
    }
    free(r->sums);
    free(r->tops);
    free(r->counts);
    free(r->touched);
}

void kb_ranker_free(struct kb_ranker *r)
{
    if (r == NULL) {
        return;
    }
    kb_bag_fini(&r->bag);
    room_free(r);
    for (int i = 0; i < 2; i++) {
        free(r->turns[i].late.items);
        free(r->turns[i].late.lists);
    }
    free(r->terms);
    free(r->stops);
    free(r->asked);
    free(r->spots);
    free(r);
}

/* Makes the arrays large enough for every slot. */
static void make_room(struct kb_ranker *r)
{
    if (r->slots <= r->room) {
        return;
    }
    room_free(r);
    r->room = r->slots + r->slots / 4;
    for (int i = 0; i < 2; i++) {
        r->turns[i].scores[KB_WORDS] = xmalloc(r->room * sizeof(float));
        r->turns[i].scores[KB_GRAMS] = xmalloc(r->room * sizeof(float));
    }
    r->sums = xmalloc(r->room * sizeof *r->sums);
    r->tops = xmalloc((r->room / KB_TOPS_BLOCK + 1) * sizeof *r->tops);
    r->counts = xcalloc(r->room, sizeof *r->counts);
    r->touched = xmalloc((r->room + 1) * sizeof *r->touched); /* one may be written in vain */
}

/* Takes the indexes of a question and their common statistics. */
static void ranker_set(struct kb_ranker *r, const struct kb_rank_query *q)
{
    uint64_t words = 0, grams = 0;

    r->indexes = q->indexes;
    r->index_count = q->index_count;
    r->slots = r->live = 0;
    for (size_t i = 0; i < q->index_count; i++) {
        r->slots += q->indexes[i]->slot_count;
        r->live += q->indexes[i]->live;
        words += q->indexes[i]->words_total;
        grams += q->indexes[i]->grams_total;
    }
    r->mean[KB_WORDS] = r->live > 0 ? (double)words / (double)r->live : 0;
    r->mean[KB_GRAMS] = r->live > 0 ? (double)grams / (double)r->live : 0;
    make_room(r);
}

/* What a unit of score is worth in the sum of both: grams by their largest, words by what the question could
 * reach, so that words count less when the question's words are hardly there (or the language has no spaces)
 * and the grams must do it. */
struct worth {
    float side[KB_SIDES];
};
static struct worth worth_of(const struct kb_turn *turn)
{
    return (struct worth){{[KB_WORDS] = turn->reach > 0 ? (float)(WORD_SHARE / turn->reach) : 0,
                           [KB_GRAMS] = turn->max[KB_GRAMS] > 0 ? 1.0f / turn->max[KB_GRAMS] : 0}};
}

/* The two scores as one. */
static inline float fused(struct worth worth, float words, float grams)
{
    return words * worth.side[KB_WORDS] + grams * worth.side[KB_GRAMS];
}

/* Adds the scores of a turn into the sums, or begins these with them. */
static void fuse(struct kb_ranker *r, const struct kb_turn *turn, float weight)
{
    const float *words = turn->scores[KB_WORDS], *grams = turn->scores[KB_GRAMS];
    struct worth worth = worth_of(turn);
    float *sums = r->sums;

    for (size_t i = 0; turn == &r->turns[0] && i < r->slots; i++) {
        sums[i] = fused(worth, words[i], grams[i]);
    }
    for (size_t i = 0; turn != &r->turns[0] && i < r->slots; i++) {
        sums[i] += weight * fused(worth, words[i], grams[i]);
    }
}

/* True if hit a stands before b: the higher score, then the smaller document and position, whatever the
 * slots' order. */
static bool hit_before(const struct kb_ranker *r, const struct kb_rank_hit *a, const struct kb_rank_hit *b)
{
    if (a->score != b->score) {
        return a->score > b->score;
    }
    int order = strcmp(kb_index_document(r->indexes[a->index], a->slot),
                       kb_index_document(r->indexes[b->index], b->slot));
    if (order != 0) {
        return order < 0;
    }
    return r->indexes[a->index]->slots[a->slot].ordinal < r->indexes[b->index]->slots[b->slot].ordinal;
}

/* Puts a hit into the list, best first, of at most max. */
static void hit_insert(const struct kb_ranker *r, struct kb_ranking *out, size_t max,
                       const struct kb_rank_hit *hit)
{
    size_t at = out->count;

    while (at > 0 && hit_before(r, hit, &out->hits[at - 1])) {
        at--;
    }
    if (at == max) {
        return;
    }
    size_t tail = out->count < max ? out->count - at : max - 1 - at;
    memmove(&out->hits[at + 1], &out->hits[at], tail * sizeof *out->hits);
    out->hits[at] = *hit;
    out->count += out->count < max;
}

/* Picks the best living slots with any score. */
static void pick(struct kb_ranker *r, struct kb_ranking *out, size_t max)
{
    struct kb_walk walk = {0};
    struct kb_spot spot;
    float floor = 0;

    out->count = 0;
    kb_tops_fill(r, r->sums);
    while (kb_tops_next(r, r->sums, floor, &walk, &spot)) {
        struct kb_rank_hit hit = {spot.index, spot.slot, r->sums[spot.offset]};
        hit_insert(r, out, max, &hit);
        floor = out->count < max ? 0 : (float)out->hits[max - 1].score;
    }
}

/* The most that what is late can add to a sum. */
static float late_most(const struct kb_turn *turn)
{
    return fused(worth_of(turn), turn->late.rest[KB_WORDS], turn->late.rest[KB_GRAMS]);
}

/* The full sum of a spot whose scores are complete. */
static float full_sum(const struct kb_ranker *r, size_t offset, float weight)
{
    float sum = 0;

    for (int t = 0; t < (weight > 0 ? 2 : 1); t++) {
        const struct kb_turn *turn = &r->turns[t];
        float both = fused(worth_of(turn), turn->scores[KB_WORDS][offset], turn->scores[KB_GRAMS][offset]);
        sum = t == 0 ? both : sum + weight * both;
    }
    return sum;
}

/* Completes the scores of the spots and picks the best of these. */
static void pick_spots(struct kb_ranker *r, size_t count, float rest, float weight, struct kb_ranking *out,
                       size_t max)
{
    float floor = (float)out->hits[max - 1].score * (1 - KB_ROUNDING);

    for (int t = 0; t < (weight > 0 ? 2 : 1); t++) {
        struct kb_turn *turn = &r->turns[t];
        float by = t == 0 ? 1 : weight;
        struct worth worth = worth_of(turn);
        struct kb_sift sift = {.turn = turn, .rest = rest, .floor = floor, .keep = true};
        sift.worth[KB_WORDS] = by * worth.side[KB_WORDS];
        sift.worth[KB_GRAMS] = by * worth.side[KB_GRAMS];
        count = kb_groups_sift(r, &sift, count);
        rest -= by * late_most(turn);
    }
    out->count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct kb_spot *spot = &r->spots[i];
        float sum = full_sum(r, spot->offset, weight);
        hit_insert(r, out, max, &(struct kb_rank_hit){spot->index, spot->slot, sum});
    }
}

/* Picks the best slots by their full scores: out of those that what is late can bring among the best. If they
 * are many, what is late is scored for all. */
static void pick_full(struct kb_ranker *r, float weight, struct kb_ranking *out, size_t max)
{
    struct kb_turn *now = &r->turns[0], *before = &r->turns[1];
    float rest = late_most(now) + (weight > 0 ? weight * late_most(before) : 0);
    size_t count = KB_SPOTS_MAX + 1;

    pick(r, out, max);
    if (rest <= 0) {
        return;
    }
    float floor = out->count < max ? 0 : ((float)out->hits[max - 1].score - rest) * (1 - KB_ROUNDING);
    if (floor > 0) {
        count = kb_tops_find(r, r->sums, floor);
    }
    if (count <= KB_SPOTS_MAX) {
        pick_spots(r, count, rest, weight, out, max);
        return;
    }
    kb_groups_flush(r, now);
    fuse(r, now, 1);
    if (weight > 0) {
        kb_groups_flush(r, before);
        fuse(r, before, weight);
    }
    pick(r, out, max);
}

/* Where a hit stands in the arrays of scores. */
static size_t offset_of(const struct kb_ranker *r, const struct kb_rank_hit *hit)
{
    size_t offset = hit->slot;

    for (size_t i = 0; i < hit->index; i++) {
        offset += r->indexes[i]->slot_count;
    }
    return offset;
}

/* True if the chunk holds the word. */
static bool holds(const struct kb_index *index, uint32_t slot, const struct kb_match *m)
{
    uint32_t position = kb_index_word(index, m->text, m->len, m->hash);

    if (position == 0) {
        return false;
    }
    const struct kb_postings *p = &index->words[position - 1].postings;
    const uint32_t *at = kb_postings_at(p);
    size_t low = kb_postings_seek(p, slot, 0, p->count);
    return low < p->count && at[low] >> 8 == slot;
}

/* How well the chunk meets a word of the question: 1 has it, less for a form of it or a near word, 0 not at
 * all.
 */
static double met(const struct kb_ranker *r, const struct kb_rank_hit *hit, const struct kb_term *term,
                  double *change)
{
    double best = 0;

    *change = 0;
    for (size_t i = 0; i < term->match_count; i++) {
        const struct kb_match *m = &term->matches[i];
        if (m->factor > best && holds(r->indexes[hit->index], hit->slot, m)) {
            best = m->factor;
            *change = m->change;
        }
    }
    return best;
}

/* What the words of a question add up to, weighted by their information. */
struct tally {
    double all, covered, unknown;         /* of every word */
    double matter, met, missing, changed; /* of words other than stop words */
    double missing_spaced;                /* of those that spaces stand between */
    double words, unmet;                  /* how many of those */
};

/* Counts one word of the question. */
static void tally_add(struct tally *t, const struct kb_term *term, double count, double credit, double change)
{
    double mass = term->idf * count;

    t->all += mass;
    t->covered += credit >= 1 ? mass : 0;
    t->unknown += term->unknown ? count : 0;
    if (term->stop) {
        return;
    }
    t->matter += mass;
    t->met += mass * credit;
    t->changed += mass * change;
    t->missing += term->match_count == 0 ? mass : 0;
    t->missing_spaced += term->match_count == 0 && !term->spaceless ? mass : 0;
    t->words++;
    t->unmet += credit <= 0;
}

/* The signals of the question's words. */
static void signals_words(const struct kb_ranker *r, const struct kb_rank_hit *top, double *signals)
{
    struct tally t = {0};

    for (size_t i = 0; i < r->bag.count; i++) {
        double change;
        double credit = met(r, top, &r->terms[i], &change);
        tally_add(&t, &r->terms[i], r->bag.words[i].count, credit, change);
    }
    signals[KB_SIGNAL_COVERAGE] = t.all > 0 ? t.covered / t.all : 0;
    signals[KB_SIGNAL_UNKNOWN] = r->bag.total > 0 ? t.unknown / (double)r->bag.total : 0;
    signals[KB_SIGNAL_LENGTH] = log(1.0 + (double)r->bag.total);
    signals[KB_SIGNAL_MATTER] = t.matter > 0 ? t.met / t.matter : 0;
    signals[KB_SIGNAL_MISSING] = t.matter > 0 ? t.missing / t.matter : 0;
    signals[KB_SIGNAL_CHANGED] = t.matter > 0 ? 4.0 * t.changed / t.matter : 0;
    double missing = t.matter > 0 ? t.missing_spaced / t.matter : 0;
    signals[KB_SIGNAL_GAP] = missing * missing * 2 / (1 + t.words);
    signals[KB_SIGNAL_UNMET] = log(1.0 + t.unmet);
    signals[KB_SIGNAL_MATTERS] = log(1.0 + t.words);
    signals[KB_SIGNAL_WHOLE] = t.words > 0 && t.unmet == 0;
}

/* True if two hits are of one document. */
static bool same_document(const struct kb_ranker *r, const struct kb_rank_hit *a, const struct kb_rank_hit *b)
{
    return a->index == b->index &&
           r->indexes[a->index]->slots[a->slot].document == r->indexes[b->index]->slots[b->slot].document;
}

/* (a - b) / a, at least -1; 0 if a is. */
static double margin(double a, double b)
{
    if (a <= 0) {
        return b > 0 ? -1 : 0;
    }
    return b > 2 * a ? -1 : (a - b) / a;
}

/* Margins to the documents that follow. */
static void signals_margins(const struct kb_ranker *r, const struct kb_ranking *out, double *signals)
{
    const float *words_of = r->turns[0].scores[KB_WORDS], *grams_of = r->turns[0].scores[KB_GRAMS];
    const struct kb_rank_hit *top = &out->hits[0];
    size_t at = offset_of(r, top), others = 0;
    double words = 0, grams = 0, crowd = 0;

    for (size_t i = 1; i < out->count && others < 4; i++) {
        if (same_document(r, top, &out->hits[i])) {
            continue;
        }
        size_t other = offset_of(r, &out->hits[i]);
        if (others++ == 0) {
            signals[KB_SIGNAL_MARGIN] = margin(top->score, out->hits[i].score);
        }
        words = words_of[other] > words ? words_of[other] : words;
        grams = grams_of[other] > grams ? grams_of[other] : grams;
        crowd += out->hits[i].score / 4;
    }
    if (others == 0) {
        signals[KB_SIGNAL_MARGIN] = 1;
    }
    signals[KB_SIGNAL_MARGIN_WORDS] = margin(words_of[at], words);
    signals[KB_SIGNAL_MARGIN_GRAMS] = margin(grams_of[at], grams);
    signals[KB_SIGNAL_CROWD] = margin(top->score, crowd);
}

/* Everything confidence needs to know of the first hit. */
static void signals_fill(const struct kb_ranker *r, struct kb_ranking *out)
{
    const struct kb_turn *turn = &r->turns[0];
    double *s = out->signals;
    size_t at = offset_of(r, &out->hits[0]);
    float words = turn->scores[KB_WORDS][at], grams = turn->scores[KB_GRAMS][at];

    s[KB_SIGNAL_WORD_SHARE] = r->attainable[KB_WORDS] > 0 ? words / r->attainable[KB_WORDS] : 0;
    s[KB_SIGNAL_GRAM_SHARE] = r->attainable[KB_GRAMS] > 0 ? grams / r->attainable[KB_GRAMS] : 0;
    double unit = log(1.0 + ((double)r->live + KB_PRIOR_CHUNKS + 0.5) /
                                0.5); /* what a word of one chunk tells in so many */
    s[KB_SIGNAL_WORD_SCORE] = log(1.0 + words / unit);
    s[KB_SIGNAL_GRAM_SCORE] = log(1.0 + grams / unit);
    s[KB_SIGNAL_AGREEMENT] = (turn->max[KB_WORDS] > 0 ? words / turn->max[KB_WORDS] : 0) +
                             (turn->max[KB_GRAMS] > 0 ? grams / turn->max[KB_GRAMS] : 0);
    s[KB_SIGNAL_SMALLNESS] = SMALL / (SMALL + (double)r->live);
    signals_words(r, &out->hits[0], s);
    signals_margins(r, out, s);
}

void kb_rank(struct kb_ranker *r, const struct kb_rank_query *q, struct kb_ranking *out)
{
    CHECK(q->limit >= 1 && q->limit <= KB_RANK_MAX);
    *out = (struct kb_ranking){0};
    ranker_set(r, q);
    if (r->live == 0) {
        return;
    }
    bool second = q->previous != NULL && q->previous[0] != '\0' && q->previous_weight > 0;
    float weight = second ? (float)q->previous_weight : 0;
    if (second) {
        kb_score(r, &r->turns[1], q->previous);
    }
    kb_score(r, &r->turns[0], q->text);
    fuse(r, &r->turns[0], 1);
    if (second) {
        fuse(r, &r->turns[1], weight);
    }
    size_t wide = q->limit < 20 ? 20 : q->limit; /* the margins look beyond a short list */
    pick_full(r, weight, out, wide);
    if (out->count > 0) {
        signals_fill(r, out);
    }
    out->count = out->count < q->limit ? out->count : q->limit;
}
