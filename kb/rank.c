/* rank.c: fusion, order and the signals for confidence. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kb/rank_int.h"

#define SMALL      60.0 /* chunks of a knowledge base half way between small and large */
#define WORD_SHARE 1.7  /* of a chunk that has all of the question's words, grams being 1 */

struct kb_ranker *kb_ranker_new(void)
{
    struct kb_ranker *r = xcalloc(1, sizeof *r);

    kb_bag_init(&r->bag);
    return r;
}

void kb_ranker_free(struct kb_ranker *r)
{
    if (r == NULL) {
        return;
    }
    kb_bag_fini(&r->bag);
    free(r->terms);
    free(r->stops);
    free(r->words);
    free(r->grams);
    free(r->sums);
    free(r->previous);
    free(r->counts);
    free(r->touched);
    free(r);
}

/* Makes the arrays large enough for every slot. */
static void make_room(struct kb_ranker *r)
{
    if (r->slots <= r->room) {
        return;
    }
    free(r->words);
    free(r->grams);
    free(r->sums);
    free(r->previous);
    free(r->counts);
    free(r->touched);
    r->room = r->slots + r->slots / 4;
    r->words = xmalloc(r->room * sizeof *r->words);
    r->grams = xmalloc(r->room * sizeof *r->grams);
    r->sums = xmalloc(r->room * sizeof *r->sums);
    r->previous = xmalloc(r->room * sizeof *r->previous);
    r->counts = xcalloc(r->room, sizeof *r->counts);
    r->touched = xmalloc(r->room * sizeof *r->touched);
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
    r->word_mean = r->live > 0 ? (double)words / (double)r->live : 0;
    r->gram_mean = r->live > 0 ? (double)grams / (double)r->live : 0;
    make_room(r);
}

/* Adds the two scores into sums: grams by their largest, words by what the question could reach, so that
 * words count less when the question's words are hardly there (or the language has no spaces) and the grams
 * must do it. */
static void fuse(const struct kb_ranker *r, float *sums)
{
    float words = r->word_reach > 0 ? (float)(WORD_SHARE / r->word_reach) : 0;
    float grams = r->gram_max > 0 ? 1.0f / r->gram_max : 0;

    for (size_t i = 0; i < r->slots; i++) {
        sums[i] = r->words[i] * words + r->grams[i] * grams;
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
static void pick(const struct kb_ranker *r, struct kb_ranking *out, size_t max)
{
    const float *sums = r->sums;

    for (size_t i = 0; i < r->index_count; i++) {
        const struct kb_index *index = r->indexes[i];
        for (size_t slot = 0; slot < index->slot_count; slot++) {
            float floor = out->count < max ? 0 : (float)out->hits[max - 1].score;
            if (sums[slot] <= 0 || sums[slot] < floor || kb_index_dead(index, slot)) {
                continue;
            }
            hit_insert(r, out, max, &(struct kb_rank_hit){(uint32_t)i, (uint32_t)slot, sums[slot]});
        }
        sums += index->slot_count;
    }
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
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (at[middle] >> 8 < slot) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
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
        words = r->words[other] > words ? r->words[other] : words;
        grams = r->grams[other] > grams ? r->grams[other] : grams;
        crowd += out->hits[i].score / 4;
    }
    if (others == 0) {
        signals[KB_SIGNAL_MARGIN] = 1;
    }
    signals[KB_SIGNAL_MARGIN_WORDS] = margin(r->words[at], words);
    signals[KB_SIGNAL_MARGIN_GRAMS] = margin(r->grams[at], grams);
    signals[KB_SIGNAL_CROWD] = margin(top->score, crowd);
}

/* Everything confidence needs to know of the first hit. */
static void signals_fill(const struct kb_ranker *r, struct kb_ranking *out)
{
    double *s = out->signals;
    size_t at = offset_of(r, &out->hits[0]);

    s[KB_SIGNAL_WORD_SHARE] = r->word_attainable > 0 ? r->words[at] / r->word_attainable : 0;
    s[KB_SIGNAL_GRAM_SHARE] = r->gram_attainable > 0 ? r->grams[at] / r->gram_attainable : 0;
    double unit = log(1.0 + ((double)r->live + KB_PRIOR_CHUNKS + 0.5) /
                                0.5); /* what a word of one chunk tells in so many */
    s[KB_SIGNAL_WORD_SCORE] = log(1.0 + r->words[at] / unit);
    s[KB_SIGNAL_GRAM_SCORE] = log(1.0 + r->grams[at] / unit);
    s[KB_SIGNAL_AGREEMENT] = (r->word_max > 0 ? r->words[at] / r->word_max : 0) +
                             (r->gram_max > 0 ? r->grams[at] / r->gram_max : 0);
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
    if (second) {
        kb_score(r, q->previous);
        fuse(r, r->previous);
    }
    kb_score(r, q->text);
    fuse(r, r->sums);
    for (size_t i = 0; second && i < r->slots; i++) {
        r->sums[i] += (float)q->previous_weight * r->previous[i];
    }
    size_t wide = q->limit < 20 ? 20 : q->limit; /* the margins look beyond a short list */
    pick(r, out, wide);
    if (out->count > 0) {
        signals_fill(r, out);
    }
    out->count = out->count < q->limit ? out->count : q->limit;
}
