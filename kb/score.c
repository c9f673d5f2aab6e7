/* score.c: BM25 of words and of 4-grams over several indexes as if they were one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kb/rank_int.h"
#include "kb/spell.h"
#include "queue/base/codec.h"

#define K1_WORDS    1.5 /* how slowly a repeated word stops counting */
#define K1_GRAMS    1.3
#define B           0.75
#define FACTOR_NEAR 0.8 /* weight of a replacement at distance 1 */
#define FACTOR_FAR  0.5 /* at distance 2 */
#define QUERY_GRAMS 4096
#define QUERY_BYTES 2048 /* of a text are scored; the rest of a longer one is not looked at */
#define GUESSED_MAX 16   /* unknown words of a question that are corrected */

/* Inverse document frequency; never negative. */
static double idf_of(const struct kb_ranker *r, uint64_t live)
{
    return log(1.0 + ((double)r->live - (double)live + 0.5) / ((double)live + 0.5));
}

/* Adds weight * saturated count to the score of every slot in the list. */
static void postings_score(struct kb_cell *cells, const struct kb_postings *p, double weight, double k1)
{
    const uint32_t *at = kb_postings_at(p);
    float gain = (float)(weight * (k1 + 1.0));

    for (uint32_t i = 0; i < p->count; i++) {
        struct kb_cell *cell = &cells[at[i] >> 8];
        float count = (float)(int)(at[i] & 255u);
        cell->score += gain * count / (count + cell->norm);
    }
}

/* Chunks that hold the word. */
static uint64_t word_live(const struct kb_ranker *r, const char *word, size_t len, uint32_t hash)
{
    uint64_t live = 0;

    for (size_t i = 0; i < r->index_count; i++) {
        uint32_t position = kb_index_word(r->indexes[i], word, len, hash);
        live += position == 0 ? 0 : r->indexes[i]->words[position - 1].live;
    }
    return live;
}

/* Scores one word of the vocabulary in every index. */
static void word_score(struct kb_ranker *r, const char *word, size_t len, uint32_t hash, double weight)
{
    struct kb_cell *cells = r->words;

    for (size_t i = 0; i < r->index_count; i++) {
        const struct kb_index *index = r->indexes[i];
        uint32_t position = kb_index_word(index, word, len, hash);
        if (position != 0) {
            postings_score(cells, &index->words[position - 1].postings, weight, K1_WORDS);
        }
        cells += index->slot_count;
    }
}

/* Scores the neighbours of a word that nobody wrote; returns the most a chunk could get for one, or a
 * negative number if there is none. */
static double unknown_score(struct kb_ranker *r, const struct kb_bag_word *w)
{
    struct kb_guess guesses[KB_SPELL_MAX];
    size_t count = kb_spell(r->indexes, r->index_count, kb_bag_text(&r->bag, w), w->len, guesses);
    double most = -1;

    for (size_t i = 0; i < count; i++) {
        double factor = guesses[i].distance == 1 ? FACTOR_NEAR : FACTOR_FAR;
        double weight = w->count * factor * idf_of(r, guesses[i].live);
        word_score(r, guesses[i].text, guesses[i].len, guesses[i].hash, weight);
        most = weight > most ? weight : most;
    }
    return most * (K1_WORDS + 1.0);
}

/* Scores every word of the bag and notes what each was worth. */
static void words_score(struct kb_ranker *r)
{
    if (r->bag.count > r->term_room) {
        r->term_room = r->bag.count * 2;
        r->terms = xrealloc(r->terms, r->term_room * sizeof *r->terms);
    }
    unsigned unknown = 0;
    r->word_attainable = r->word_reach = 0;
    for (size_t i = 0; i < r->bag.count; i++) {
        const struct kb_bag_word *w = &r->bag.words[i];
        const char *text = kb_bag_text(&r->bag, w);
        uint64_t live = word_live(r, text, w->len, w->hash);
        r->terms[i] = (struct kb_term){(uint32_t)i, idf_of(r, live), live == 0};
        double most = w->count * r->terms[i].idf * (K1_WORDS + 1.0), guessed = -1;
        if (live == 0) {
            guessed = unknown++ < GUESSED_MAX ? unknown_score(r, w) : -1;
        } else {
            word_score(r, text, w->len, w->hash, w->count * r->terms[i].idf);
        }
        r->word_attainable += most;
        r->word_reach += guessed >= 0 ? guessed : most;
    }
}

static int key_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Scores one gram of the question. */
static void gram_score(struct kb_ranker *r, uint64_t key)
{
    uint64_t live = 0;
    struct kb_cell *cells = r->grams;

    for (size_t i = 0; i < r->index_count; i++) {
        uint32_t position = kb_index_gram(r->indexes[i], key);
        live += position == 0 ? 0 : r->indexes[i]->grams[position - 1].live;
    }
    double weight = idf_of(r, live);
    r->gram_attainable += weight * (K1_GRAMS + 1.0);
    for (size_t i = 0; i < r->index_count && live > 0; i++) {
        const struct kb_index *index = r->indexes[i];
        uint32_t position = kb_index_gram(index, key);
        if (position != 0) {
            postings_score(cells, &index->grams[position - 1].postings, weight, K1_GRAMS);
        }
        cells += index->slot_count;
    }
}

/* Scores the grams of every word of the bag, each once however often the question has it. */
static void grams_score(struct kb_ranker *r)
{
    uint64_t keys[QUERY_GRAMS];
    size_t count = 0;

    for (size_t i = 0; i < r->bag.count && count + KB_WORD_GRAMS <= QUERY_GRAMS; i++) {
        const struct kb_bag_word *w = &r->bag.words[i];
        count += kb_word_grams(kb_bag_text(&r->bag, w), w->len, keys + count);
    }
    if (count > 1) {
        qsort(keys, count, sizeof *keys, key_order);
    }
    r->gram_attainable = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || keys[i] != keys[i - 1]) {
            gram_score(r, keys[i]);
        }
    }
}

/* Sets the cells of every slot to nothing, with the norm of its length. */
static void cells_clear(const struct kb_ranker *r, struct kb_cell *cells, bool grams)
{
    double k1 = grams ? K1_GRAMS : K1_WORDS, mean = grams ? r->gram_mean : r->word_mean;
    float flat = (float)(k1 * (1.0 - B)), slope = (float)(k1 * B / (mean > 0 ? mean : 1.0));

    for (size_t i = 0; i < r->index_count; i++) {
        const struct kb_index *index = r->indexes[i];
        const float *lens = grams ? index->gram_lens : index->word_lens;
        for (size_t slot = 0; slot < index->slot_count; slot++) {
            cells[slot] = (struct kb_cell){0, flat + slope * lens[slot]};
        }
        cells += index->slot_count;
    }
}

/* The largest score of a living slot. */
static float max_of(const struct kb_ranker *r, const struct kb_cell *cells)
{
    float max = 0;

    for (size_t i = 0; i < r->index_count; i++) {
        const struct kb_index *index = r->indexes[i];
        for (size_t slot = 0; slot < index->slot_count; slot++) {
            if (cells[slot].score > max && !kb_index_dead(index, slot)) {
                max = cells[slot].score;
            }
        }
        cells += index->slot_count;
    }
    return max;
}

void kb_score(struct kb_ranker *r, const char *text)
{
    cells_clear(r, r->words, false);
    cells_clear(r, r->grams, true);
    kb_bag_reset(&r->bag);
    kb_bag_add(&r->bag, text, utf8_prefix(text, strlen(text), QUERY_BYTES), 1);
    words_score(r);
    grams_score(r);
    r->word_max = max_of(r, r->words);
    r->gram_max = max_of(r, r->grams);
}
