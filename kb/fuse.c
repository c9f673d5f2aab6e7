/* fuse.c: joins what words find with what meaning finds: reciprocal rank fusion, with k = 60.
 *
 * Ranks are joined and not scores, because neither side's scores mean anything to the other. What confidence
 * becomes stands with kb_query (kb.h). */
#include <stdlib.h>
#include <string.h>

#include "kb/kb_int.h"

#define FUSE_K        60.0
#define WORDS_SURE    .5
#define MEANING_SURE  .65
#define MEANING_SHARE .5 /* of the words' confidence, for a passage that they did not put first */

static bool same(const struct kb_place *a, uint32_t collection, uint64_t number)
{
    return a->collection == collection && a->number == number;
}

/* Better first; of equal ones the nearer in meaning. */
static int place_order(const void *a, const void *b)
{
    const struct kb_place *x = a, *y = b;

    if (x->score > y->score || x->score < y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return (x->cosine < y->cosine) - (x->cosine > y->cosine);
}

/* Brings the place of a chunk to the front. */
static void lead(struct kb_place *places, size_t count, uint32_t collection, uint64_t number)
{
    for (size_t i = 1; i < count; i++) {
        if (same(&places[i], collection, number)) {
            struct kb_place first = places[i];
            first.score = places[0].score;
            memmove(places + 1, places, i * sizeof *places);
            places[0] = first;
            return;
        }
    }
}

/* Adds what meaning finds to the places of the words. */
static size_t near_add(struct kb_place *all, size_t count, const struct kb_near *near, size_t near_count)
{
    size_t by_words = count;

    for (size_t i = 0; i < near_count; i++) {
        double score = 1 / (FUSE_K + (double)i + 1);
        size_t at = 0;
        while (at < by_words && !same(&all[at], near[i].collection, near[i].number)) {
            at++;
        }
        if (at == by_words) {
            at = count++;
            all[at] = (struct kb_place){near[i].collection, near[i].number, 0, 0};
        }
        all[at].score += score;
        all[at].cosine = near[i].cosine;
    }
    return count;
}

size_t kb_fuse(const struct kb_fusion *fusion, struct kb_place *out, size_t most, double *confidence)
{
    const struct kb_place *words = fusion->words;
    const struct kb_near *near = fusion->near;
    size_t word_count = fusion->word_count, near_count = fusion->near_count;
    struct kb_place *all = xcalloc(word_count + near_count + 1, sizeof *all);

    for (size_t i = 0; i < word_count; i++) {
        all[i] = words[i];
        all[i].score = 1 / (FUSE_K + (double)i + 1);
    }
    size_t count = near_add(all, word_count, near, near_count);
    qsort(all, count, sizeof *all, place_order);
    if (word_count > 0 && *confidence >= WORDS_SURE) {
        lead(all, count, words[0].collection, words[0].number);
    } else if (near_count > 0 && near[0].cosine >= fusion->certain) {
        lead(all, count, near[0].collection, near[0].number);
        *confidence = MEANING_SURE;
    } else if (word_count == 0 || !same(&all[0], words[0].collection, words[0].number)) {
        *confidence *= MEANING_SHARE;
    }
    count = count < most ? count : most;
    memcpy(out, all, count * sizeof *out);
    free(all);
    return count;
}
