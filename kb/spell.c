/* spell.c: edit distance against the whole vocabulary. A bit mask of letters and the length rule out almost
 * every word before a distance is computed: each edit changes at most two bits. */
#include <string.h>
#include <utf8proc.h>

#include "kb/spell.h"
#include "kb/text.h"

#define LETTERS_MIN 4
#define SHORT_MAX   5 /* letters up to which one edit is allowed */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* One row of the distance table, only the cells at most max off the diagonal (the others are above max
 * anyway); returns its least value. */
static unsigned row_fill(unsigned rows[3][KB_WORD_CPS + 2], size_t i, const int32_t *a, const int32_t *b,
                         size_t b_len, unsigned max)
{
    unsigned *row = rows[i % 3], *before = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
    size_t from = i > max ? i - max : 1, to = i + max < b_len ? i + max : b_len;
    unsigned least = row[from - 1] = from == 1 ? (unsigned)i : max + 1;

    for (size_t j = from; j <= to; j++) {
        unsigned cost = a[i - 1] == b[j - 1] ? 0 : 1;
        row[j] = min3(before[j] + 1, row[j - 1] + 1, before[j - 1] + cost);
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && second[j - 2] + 1 < row[j]) {
            row[j] = second[j - 2] + 1;
        }
        least = row[j] < least ? row[j] : least;
    }
    row[to + 1] = max + 1;
    return least;
}

unsigned kb_distance(const int32_t *a, size_t a_len, const int32_t *b, size_t b_len, unsigned max)
{
    unsigned rows[3][KB_WORD_CPS + 2];

    CHECK(a_len <= KB_WORD_CPS && b_len <= KB_WORD_CPS);
    if (a_len > b_len + max || b_len > a_len + max) {
        return max + 1;
    }
    for (size_t j = 0; j <= b_len + 1; j++) {
        rows[0][j] = (unsigned)j;
    }
    unsigned least_before = 0;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned least = row_fill(rows, i, a, b, b_len, max);
        if (least > max && least_before > max) {
            return max + 1;
        }
        least_before = least;
    }
    unsigned distance = rows[a_len % 3][b_len];
    return distance > max ? max + 1 : distance;
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
};

/* The next word from i on whose letters differ from the mask in at most `bits` kinds; the count of words if
 * none. With a constant for bits the compiler unrolls the loop: this is where a correction spends its time.
 */
static inline size_t next_alike(const struct kb_index *index, size_t i, uint64_t mask, unsigned bits)
{
    for (; i < index->word_count; i++) {
        uint64_t rest = index->masks[i] ^ mask;
        for (unsigned k = 0; k < bits; k++) {
            rest &= rest - 1; /* drops the lowest bit; none stays none */
        }
        if (rest == 0) {
            break;
        }
    }
    return i;
}

/* The distance of word i to the wanted one, max + 1 if it is too far. */
static unsigned distance_of(const struct kb_index *index, size_t i, const struct wanted *w)
{
    const struct kb_vocable *v = &index->words[i];
    int32_t cps[KB_WORD_CPS];

    if (v->live == 0 || v->cps < LETTERS_MIN || v->cps + w->max < w->count || v->cps > w->count + w->max) {
        return w->max + 1;
    }
    size_t count = kb_word_cps(index->texts + v->text, v->len, cps);
    return kb_distance(w->cps, w->count, cps, count, w->max);
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
    size_t i = 0;

    for (;; i++) {
        i = w->max == 1 ? next_alike(index, i, w->mask, 2) : next_alike(index, i, w->mask, 4);
        if (i >= index->word_count) {
            return found;
        }
        unsigned distance = distance_of(index, i, w);
        if (distance > w->max) {
            continue;
        }
        const struct kb_vocable *v = &index->words[i];
        struct kb_guess guess = {index->texts + v->text, v->len, v->hash, distance, (unsigned)w->count, 0};
        guess.live = live_of(indexes, count, &guess);
        found = guess_insert(guesses, found, &guess);
    }
}

size_t kb_spell(const struct kb_index *const *indexes, size_t count, const char *word, size_t len,
                struct kb_guess guesses[KB_SPELL_MAX])
{
    struct wanted w = {0};
    size_t found = 0;

    w.count = kb_word_cps(word, len, w.cps);
    size_t letters = letters_of(&w);
    if (letters < LETTERS_MIN) {
        return 0;
    }
    w.mask = kb_word_mask(w.cps, w.count);
    w.max = letters <= SHORT_MAX ? 1 : 2;
    for (size_t k = 0; k < count; k++) {
        found = index_spell(indexes, count, indexes[k], &w, guesses, found);
    }
    return found;
}
