/* spell.c: the words of the vocabulary within a small edit distance. Their letters and lengths rule out
 * almost all others (near.h) before a distance is computed. */
#include <string.h>
#include <utf8proc.h>

#include "kb/near.h"
#include "kb/spell.h"
#include "kb/text.h"

#define LETTERS_MIN 4
#define SHORT_MAX   5 /* letters up to which one edit is allowed */

/* A word as bits: for each letter, the places where it stands. */
struct pattern {
    size_t count, others; /* letters; kinds beyond ASCII */
    uint64_t ascii[128];
    int32_t other[KB_WORD_CPS];
    uint64_t other_places[KB_WORD_CPS];
};

/* The places of a letter beyond ASCII; SIZE_MAX letters: none. */
static size_t other_find(const struct pattern *p, int32_t cp)
{
    size_t i = 0;

    while (i < p->others && p->other[i] != cp) {
        i++;
    }
    return i;
}

static void pattern_set(struct pattern *p, const int32_t *cps, size_t count)
{
    memset(p->ascii, 0, sizeof p->ascii);
    p->count = count;
    p->others = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t place = UINT64_C(1) << i;
        if (cps[i] >= 0 && cps[i] < 128) {
            p->ascii[cps[i]] |= place;
            continue;
        }
        size_t at = other_find(p, cps[i]);
        if (at == p->others) {
            p->other[at] = cps[i];
            p->other_places[at] = 0;
            p->others++;
        }
        p->other_places[at] |= place;
    }
}

static inline uint64_t places_of(const struct pattern *p, int32_t cp)
{
    if (cp >= 0 && cp < 128) {
        return p->ascii[cp];
    }
    size_t at = other_find(p, cp);
    return at < p->others ? p->other_places[at] : 0;
}

/* The distance table, one column for each letter of the word. A column is kept as its differences from cell
 * to cell, up and down, a bit each, so that one step fills it whole (Hyyro, 2003). */
struct column {
    uint64_t up, down, same, before; /* before: places of the letter before */
    size_t distance;
};

static inline void column_next(struct column *c, uint64_t places, uint64_t last)
{
    uint64_t swap = ((~c->same & places) << 1) & c->before;

    c->same = ((((places & c->up) + c->up) ^ c->up) | places | c->down) | swap;
    uint64_t right_up = c->down | ~(c->same | c->up), right_down = c->same & c->up;
    c->distance += (right_up & last) != 0;
    c->distance -= (right_down & last) != 0;
    right_up = right_up << 1 | 1;
    right_down <<= 1;
    c->up = right_down | ~(c->same | right_up);
    c->down = right_up & c->same;
    c->before = places;
}

/* The distance of a pattern of at least one letter. */
static size_t pattern_distance(const struct pattern *p, const int32_t *cps, size_t count)
{
    struct column c = {.up = ~UINT64_C(0), .distance = p->count};
    uint64_t last = UINT64_C(1) << (p->count - 1);

    for (size_t i = 0; i < count; i++) {
        column_next(&c, places_of(p, cps[i]), last);
    }
    return c.distance;
}

unsigned kb_distance(const int32_t *a, size_t a_len, const int32_t *b, size_t b_len, unsigned max)
{
    struct pattern p;

    CHECK(a_len <= KB_WORD_CPS && b_len <= KB_WORD_CPS);
    pattern_set(&p, a, a_len);
    size_t distance = a_len == 0 ? b_len : pattern_distance(&p, b, b_len);
    return distance > max ? max + 1 : (unsigned)distance;
}

/* True if a comes before b: nearer, then more common, then by bytes (so that the order never depends on
 * history). */
static bool guess_before(const struct kb_guess *a, const struct kb_guess *b)
{
    if (a->distance != b->distance) {
        return a->distance < b->distance;
    }
    if (a->live != b->live) {
        return a->live > b->live;
    }
    int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    return order != 0 ? order < 0 : a->len < b->len;
}

/* Puts a guess among the best three unless the word is there already. */
static size_t guess_insert(struct kb_guess guesses[KB_SPELL_MAX], size_t count, const struct kb_guess *guess)
{
    for (size_t i = 0; i < count; i++) {
        if (guesses[i].len == guess->len && memcmp(guesses[i].text, guess->text, guess->len) == 0) {
            return count;
        }
    }
    size_t at = count;
    while (at > 0 && guess_before(guess, &guesses[at - 1])) {
        at--;
    }
    if (at == KB_SPELL_MAX) {
        return count;
    }
    size_t tail = count < KB_SPELL_MAX ? count - at : KB_SPELL_MAX - 1 - at;
    memmove(&guesses[at + 1], &guesses[at], tail * sizeof *guesses);
    guesses[at] = *guess;
    return count < KB_SPELL_MAX ? count + 1 : count;
}

/* Chunks that hold the word, over all indexes. */
static uint64_t live_of(const struct kb_index *const *indexes, size_t count, const struct kb_guess *guess)
{
    uint64_t live = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t position = kb_index_word(indexes[i], guess->text, guess->len, guess->hash);
        live += position == 0 ? 0 : indexes[i]->words[position - 1].live;
    }
    return live;
}

struct wanted {
    int32_t cps[KB_WORD_CPS];
    size_t count;
    uint64_t mask;
    unsigned max;
    struct pattern pattern;
};

/* The distance of word i to the wanted one, max + 1 if it is too far. */
static unsigned distance_of(const struct kb_index *index, size_t i, const struct wanted *w)
{
    const struct kb_vocable *v = &index->words[i];
    int32_t cps[KB_WORD_CPS];

    if (v->live == 0) {
        return w->max + 1;
    }
    size_t count = kb_word_cps(index->texts + v->text, v->len, cps);
    size_t distance = pattern_distance(&w->pattern, cps, count);
    return distance > w->max ? w->max + 1 : (unsigned)distance;
}

/* Letters of the word, marks not counted; 0 for a number or a CJK pair. */
static size_t letters_of(const struct wanted *w)
{
    size_t letters = 0, digits = 0;

    for (size_t i = 0; i < w->count; i++) {
        utf8proc_category_t category = utf8proc_category(w->cps[i]);
        letters += category < UTF8PROC_CATEGORY_MN || category > UTF8PROC_CATEGORY_ME;
        digits += category == UTF8PROC_CATEGORY_ND;
    }
    return digits == letters || w->count == 0 || kb_cp_class(w->cps[0]) != KB_CP_WORD ? 0 : letters;
}

/* Adds the guesses out of one index to those found. */
static size_t index_spell(const struct kb_index *const *indexes, size_t count, const struct kb_index *index,
                          const struct wanted *w, struct kb_guess guesses[KB_SPELL_MAX], size_t found)
{
    uint32_t near[KB_NEAR_BLOCK];
    struct kb_near_word wanted = {w->mask, (unsigned)w->count, w->max};

    for (size_t from = 0; from < index->word_count; from += KB_NEAR_BLOCK) {
        size_t some = kb_near_words(index, from, &wanted, near);
        for (size_t k = 0; k < some; k++) {
            unsigned distance = distance_of(index, near[k], w);
            if (distance <= w->max) {
                const struct kb_vocable *v = &index->words[near[k]];
                struct kb_guess guess = {index->texts + v->text, v->len, v->hash, distance,
                                         (unsigned)w->count,     0};
                guess.live = live_of(indexes, count, &guess);
                found = guess_insert(guesses, found, &guess);
            }
        }
    }
    return found;
}

size_t kb_spell(const struct kb_index *const *indexes, size_t count, const char *word, size_t len,
                struct kb_guess guesses[KB_SPELL_MAX])
{
    struct wanted w;
    size_t found = 0;

    w.count = kb_word_cps(word, len, w.cps);
    size_t letters = letters_of(&w);
    if (letters < LETTERS_MIN) {
        return 0;
    }
    w.mask = kb_word_mask(w.cps, w.count);
    w.max = letters <= SHORT_MAX ? 1 : 2;
    pattern_set(&w.pattern, w.cps, w.count);
    for (size_t k = 0; k < count; k++) {
        found = index_spell(indexes, count, indexes[k], &w, guesses, found);
    }
    return found;
}
