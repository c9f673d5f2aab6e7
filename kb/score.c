/* score.c: BM25 of words and of 4-grams over several indexes as if they were one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kb/forms.h"
#include "kb/group.h"
#include "kb/spell.h"
#include "kb/stopwords.h"
#include "kb/synonyms.h"
#include "kb/text.h"
#include "queue/base/codec.h"

#define K1_WORDS    1.5 /* how slowly a repeated word stops counting */
#define K1_GRAMS    1.3
#define B           0.75
#define FACTOR_NEAR 0.8  /* weight of a replacement at distance 1 */
#define FACTOR_FAR  0.5  /* at distance 2 */
#define FACTOR_FORM 0.5  /* of another form beside the word itself; times how alike they are */
#define FACTOR_SAME 0.6  /* of another word for the same thing */
#define PRIOR_STOP  0.5  /* share of the imagined chunks (KB_PRIOR_CHUNKS) that hold a stop word */
#define PRIOR_SELF  1.0  /* and a name for the business itself */
#define PRIOR_OWN   0.3  /* the same where the texts themselves call it so */
#define OWN_SHARE   0.3  /* in this share of the chunks or more */
#define QUERY_BYTES 2048 /* of a text are scored; the rest of a longer one is not looked at */
#define LATE_PART   .04  /* of what a question can reach may be late: see group.h */
#define GUESSED_MAX 16   /* unknown words of a question that are corrected */

/* Inverse document frequency, never negative, as if the collections had KB_PRIOR_CHUNKS chunks more, of which
 * a stop word is in a share and any other word in none: in a handful of chunks counting alone says little.
 */
static double idf_of(const struct kb_ranker *r, uint64_t live, enum kb_stop stop)
{
    bool own = stop == KB_STOP_SELF && (double)live >= OWN_SHARE * (double)r->live;
    const double priors[] = {
        [KB_STOP_NONE] = 0, [KB_STOP_WORD] = PRIOR_STOP, [KB_STOP_SELF] = own ? PRIOR_OWN : PRIOR_SELF};
    double all = (double)r->live + KB_PRIOR_CHUNKS, with = (double)live + priors[stop] * KB_PRIOR_CHUNKS;

    return log(1.0 + (all - with + 0.5) / (with + 0.5));
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

/* Adds the lists of one word of the vocabulary, in every index, to the open group. */
static void word_lists(struct kb_ranker *r, const char *word, size_t len, uint32_t hash, float factor)
{
    for (size_t i = 0; i < r->index_count; i++) {
        uint32_t position = kb_index_word(r->indexes[i], word, len, hash);
        if (position != 0) {
            const struct kb_vocable *v = &r->indexes[i]->words[position - 1];
            kb_group_list(r, i, &v->postings, v->live, factor);
        }
    }
}

/* Scores one word of the vocabulary. */
static void word_score(struct kb_ranker *r, const char *word, size_t len, uint32_t hash, double weight)
{
    kb_group_open(r, KB_WORDS, weight * (K1_WORDS + 1.0));
    word_lists(r, word, len, hash, 1);
    kb_group_close(r);
}

/* Notes that a term may stand for a word of the vocabulary; false if it has that one, or too many. */
static bool match_add(struct kb_term *term, const char *text, size_t len, uint32_t hash, double factor,
                      double change)
{
    for (size_t i = 0; i < term->match_count; i++) {
        if (term->matches[i].len == len && memcmp(term->matches[i].text, text, len) == 0) {
            return false;
        }
    }
    if (term->match_count == KB_MATCHES_MAX) {
        return false;
    }
    term->matches[term->match_count++] =
        (struct kb_match){text, hash, (uint16_t)len, false, (float)factor, (float)change};
    return true;
}

/* Scores a word with its forms as if they were one word. */
static void merged_score(struct kb_ranker *r, const struct kb_term *term, double weight)
{
    kb_group_open(r, KB_WORDS, weight * (K1_WORDS + 1.0));
    for (size_t i = 0; i < term->match_count; i++) {
        const struct kb_match *m = &term->matches[i];
        word_lists(r, m->text, m->len, m->hash, m->factor);
    }
    kb_group_close(r);
}

/* Notes the synonyms of a word of the matter that the collections have. */
static void synonyms_add(const struct kb_ranker *r, const struct kb_bag_word *w, struct kb_term *term)
{
    struct kb_synonym others[KB_SYNONYMS_MAX];
    size_t count =
        term->stop ? 0 : kb_synonyms(kb_bag_text(&r->bag, w), w->len, w->hash, r->languages, others);

    for (size_t i = 0; i < count; i++) {
        if (word_live(r, others[i].text, others[i].len, others[i].hash) > 0) {
            bool added = match_add(term, others[i].text, others[i].len, others[i].hash, FACTOR_SAME, 0);
            term->matches[term->match_count - 1].same |= added;
        }
    }
}

/* Scores a word that is in the vocabulary. */
static void known_score(struct kb_ranker *r, const struct kb_bag_word *w, struct kb_term *term)
{
    const char *text = kb_bag_text(&r->bag, w);
    struct kb_form forms[KB_FORMS_MAX];
    size_t count = term->stop ? 0 : kb_forms(r->indexes, r->index_count, text, w->len, r->languages, forms);

    match_add(term, text, w->len, w->hash, 1, 0);
    for (size_t i = 0; i < count; i++) {
        match_add(term, forms[i].text, forms[i].len, forms[i].hash, FACTOR_FORM * forms[i].likeness, 0);
    }
    synonyms_add(r, w, term);
    merged_score(r, term, w->count * term->idf);
}

/* Scores the forms and the neighbours of a word that nobody wrote; returns the most a chunk could get for
 * one, or a negative number if there is none. */
static double unknown_score(struct kb_ranker *r, const struct kb_bag_word *w, struct kb_term *term)
{
    struct kb_guess guesses[KB_SPELL_MAX];
    struct kb_form forms[KB_FORMS_MAX];
    const char *text = kb_bag_text(&r->bag, w);
    double most = -1;

    size_t count = term->stop ? 0 : kb_forms(r->indexes, r->index_count, text, w->len, r->languages, forms);
    for (size_t i = 0; i < count; i++) {
        match_add(term, forms[i].text, forms[i].len, forms[i].hash, forms[i].likeness, 0);
    }
    synonyms_add(r, w, term);
    count = kb_spell(r->indexes, r->index_count, text, w->len, guesses);
    for (size_t i = 0; i < count; i++) {
        double factor = guesses[i].distance == 1 ? FACTOR_NEAR : FACTOR_FAR;
        match_add(term, guesses[i].text, guesses[i].len, guesses[i].hash, factor,
                  (double)guesses[i].distance / (double)guesses[i].letters);
    }
    for (size_t i = 0; i < term->match_count; i++) {
        const struct kb_match *m = &term->matches[i];
        double idf = idf_of(r, word_live(r, m->text, m->len, m->hash), term->stop);
        double weight = w->count * m->factor * idf;
        word_score(r, m->text, m->len, m->hash, weight);
        most = weight > most ? weight : most;
    }
    return most * (K1_WORDS + 1.0);
}

/* Makes room for the bag's terms. */
static void terms_room(struct kb_ranker *r)
{
    if (r->bag.count > r->term_room) {
        r->term_room = r->bag.count * 2;
        r->terms = xrealloc(r->terms, r->term_room * sizeof *r->terms);
        r->stops = xrealloc(r->stops, r->term_room * sizeof *r->stops);
    }
}

/* Describes word i of the question. */
static void term_set(struct kb_ranker *r, size_t i, uint64_t live)
{
    const struct kb_bag_word *w = &r->bag.words[i];
    int32_t cp;

    kb_cp_next(kb_bag_text(&r->bag, w), w->len, &cp);
    r->terms[i] = (struct kb_term){.idf = idf_of(r, live, r->stops[i]),
                                   .unknown = live == 0,
                                   .stop = r->stops[i],
                                   .spaceless = kb_cp_spaceless(cp)};
}

/* Scores every word of the bag and notes what each was worth. */
static void words_score(struct kb_ranker *r)
{
    unsigned unknown = 0;

    terms_room(r);
    r->languages = kb_stopwords(&r->bag, r->stops);
    r->attainable[KB_WORDS] = r->turn->reach = 0;
    for (size_t i = 0; i < r->bag.count; i++) {
        const struct kb_bag_word *w = &r->bag.words[i];
        struct kb_term *term = &r->terms[i];
        uint64_t live = word_live(r, kb_bag_text(&r->bag, w), w->len, w->hash);
        term_set(r, i, live);
        double most = w->count * term->idf * (K1_WORDS + 1.0), guessed = -1;
        if (live == 0) {
            guessed = unknown++ < GUESSED_MAX ? unknown_score(r, w, term) : -1;
        } else {
            known_score(r, w, term);
        }
        r->attainable[KB_WORDS] += most;
        r->turn->reach += guessed >= 0 ? guessed : most;
    }
}

/* By key, those of other words before those of stop words. */
static int gram_order(const void *a, const void *b)
{
    const struct kb_asked_gram *x = a, *y = b;

    return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (int)x->stop - (int)y->stop;
}

/* Scores one gram of the question. */
static void gram_score(struct kb_ranker *r, const struct kb_asked_gram *gram)
{
    uint64_t live = 0;

    for (size_t i = 0; i < r->index_count; i++) {
        uint32_t position = kb_index_gram(r->indexes[i], gram->key);
        live += position == 0 ? 0 : r->indexes[i]->grams[position - 1].live;
    }
    double gain = idf_of(r, live, gram->stop) * (K1_GRAMS + 1.0);
    r->attainable[KB_GRAMS] += gain;
    if (live == 0) {
        return;
    }
    kb_group_open(r, KB_GRAMS, gain);
    for (size_t i = 0; i < r->index_count; i++) {
        uint32_t position = kb_index_gram(r->indexes[i], gram->key);
        if (position != 0) {
            const struct kb_gram *g = &r->indexes[i]->grams[position - 1];
            kb_group_list(r, i, &g->postings, g->live, 1);
        }
    }
    kb_group_close(r);
}

/* Adds the grams of a word to those asked for, if there is room. */
static size_t grams_ask(struct kb_asked_gram *grams, size_t count, const char *word, size_t len,
                        enum kb_stop stop)
{
    uint64_t keys[KB_WORD_GRAMS];
    size_t more = count + KB_WORD_GRAMS <= KB_QUERY_GRAMS ? kb_word_grams(word, len, keys) : 0;

    for (size_t k = 0; k < more; k++) {
        grams[count++] = (struct kb_asked_gram){keys[k], stop};
    }
    return count;
}

/* Scores the grams of every word of the bag and of its synonyms, each once however often the question has it.
 */
static void grams_score(struct kb_ranker *r)
{
    struct kb_asked_gram *grams = r->asked;
    size_t count = 0;

    for (size_t i = 0; i < r->bag.count; i++) {
        const struct kb_bag_word *w = &r->bag.words[i];
        const struct kb_term *term = &r->terms[i];
        count = grams_ask(grams, count, kb_bag_text(&r->bag, w), w->len, r->stops[i]);
        for (size_t k = 0; k < term->match_count; k++) {
            const struct kb_match *m = &term->matches[k];
            count = m->same ? grams_ask(grams, count, m->text, m->len, KB_STOP_NONE) : count;
        }
    }
    if (count > 1) {
        qsort(grams, count, sizeof *grams, gram_order);
    }
    r->attainable[KB_GRAMS] = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || grams[i].key != grams[i - 1].key) {
            gram_score(r, &grams[i]);
        }
    }
}

/* What length does to counts where the mean length is this. */
static struct kb_norm norm_of(double k1, double mean)
{
    return (struct kb_norm){(float)(k1 * (1.0 - B)), (float)(k1 * B / (mean > 0 ? mean : 1.0))};
}

void kb_score(struct kb_ranker *r, struct kb_turn *turn, const char *text)
{
    r->turn = turn;
    kb_groups_reset(turn);
    memset(turn->scores[KB_WORDS], 0, r->slots * sizeof(float));
    memset(turn->scores[KB_GRAMS], 0, r->slots * sizeof(float));
    r->norm[KB_WORDS] = norm_of(K1_WORDS, r->mean[KB_WORDS]);
    r->norm[KB_GRAMS] = norm_of(K1_GRAMS, r->mean[KB_GRAMS]);
    kb_bag_reset(&r->bag);
    kb_bag_add(&r->bag, text, utf8_prefix(text, strlen(text), QUERY_BYTES), 1);
    words_score(r);
    grams_score(r);
    kb_groups_settle(
        r, (float[KB_SIDES]){(float)(LATE_PART * turn->reach), (float)(LATE_PART * r->attainable[KB_GRAMS])});
    kb_groups_max(r, turn);
}
