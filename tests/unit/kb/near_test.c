/* near_test.c: what rules words out before a distance is computed never rules out a near one; the distance is
 * that of the whole table; forms are found as by looking at every word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "kb/forms.h"
#include "kb/near.h"
#include "kb/spell.h"

#define WORDS  3000
#define WANTED 40
#define TEXT   (10 * WORDS)

static uint64_t seed = 7;

static unsigned draw(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

/* Appends a word of 3 to 8 letters out of few, so that many are near each other. */
static size_t word_make(char *out, size_t len)
{
    static const char *const ALL[] = {"a", "b", "c", "d", "e", "s", "g", "n", "i", "ж", "д"};
    size_t start = len;

    for (unsigned n = 3 + draw(6); n > 0; n--) {
        const char *letter = ALL[draw(sizeof ALL / sizeof *ALL)];
        memcpy(out + len, letter, strlen(letter));
        len += strlen(letter);
    }
    return len - start;
}

/* An index of one chunk of many words. */
static struct kb_index *vocabulary(void)
{
    static char text[2 * TEXT];
    struct kb_index *index = kb_index_new();
    struct kb_bag bag;
    size_t len = 0;

    for (size_t i = 0; i < WORDS; i++) {
        len += word_make(text, len);
        text[len++] = ' ';
    }
    kb_bag_init(&bag);
    kb_bag_add(&bag, text, len, 1);
    assert_true(kb_index_add(index, &bag, 1, "d", 0));
    kb_bag_fini(&bag);
    return index;
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The distance by the whole table. */
static size_t distance(const int32_t *a, size_t a_len, const int32_t *b, size_t b_len)
{
    static size_t t[KB_WORD_CPS + 1][KB_WORD_CPS + 1];

    for (size_t i = 0; i <= a_len; i++) {
        for (size_t j = 0; j <= b_len; j++) {
            if (i == 0 || j == 0) {
                t[i][j] = i + j;
                continue;
            }
            t[i][j] = min(min(t[i - 1][j], t[i][j - 1]) + 1, t[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                t[i][j] = min(t[i][j], t[i - 2][j - 2] + 1);
            }
        }
    }
    return t[a_len][b_len];
}

/* True if the word at position is among those let through. */
static bool let_through(const struct kb_index *index, size_t position, const struct kb_near_word *w)
{
    uint32_t out[KB_NEAR_BLOCK];
    size_t count = kb_near_words(index, position / KB_NEAR_BLOCK * KB_NEAR_BLOCK, w, out);

    for (size_t i = 0; i < count; i++) {
        if (out[i] == position) {
            return true;
        }
    }
    return false;
}

/* Checks one wanted word against the vocabulary; returns how many words were ruled out. */
static size_t check_word(const struct kb_index *index, const int32_t *cps, size_t count, unsigned edits)
{
    struct kb_near_word w = {kb_word_mask(cps, count), (unsigned)count, edits};
    size_t out = 0;

    for (size_t i = 0; i < index->word_count; i++) {
        int32_t other[KB_WORD_CPS];
        size_t len = kb_word_cps(index->texts + index->words[i].text, index->words[i].len, other);
        size_t want = distance(cps, count, other, len);
        assert_int_equal(kb_distance(cps, count, other, len, edits), want > edits ? edits + 1 : want);
        bool through = let_through(index, i, &w);
        assert_true(through || want > edits || len < 4);
        out += !through;
    }
    return out;
}

static void test_near(void **state)
{
    struct kb_index *index = vocabulary();
    size_t variants = 0;

    (void)state;
    for (; kb_near_choose(variants); variants++) {
        size_t out = 0;
        seed = 99;
        for (unsigned i = 0; i < WANTED; i++) {
            char word[64];
            int32_t cps[KB_WORD_CPS];
            size_t count = kb_word_cps(word, word_make(word, 0), cps);
            out += check_word(index, cps, count, 1 + i % 2);
        }
        assert_true(out > WANTED * index->word_count / 2); /* or it would be no use */
    }
    assert_true(variants >= 1);
    kb_near_choose(0);
    kb_index_free(index);
}

/* How many of the words are forms of this one, looking at each. */
static size_t forms_of(const struct kb_index *index, const char *word, size_t len)
{
    int32_t cps[KB_WORD_CPS], other[KB_WORD_CPS];
    size_t count = kb_word_cps(word, len, cps), found = 0;

    for (size_t i = 0; i < index->word_count; i++) {
        const struct kb_vocable *v = &index->words[i];
        double likeness;
        size_t other_count = kb_word_cps(index->texts + v->text, v->len, other);
        bool same = v->len == len && memcmp(index->texts + v->text, word, len) == 0;
        found += !same && kb_forms_alike(cps, count, other, other_count, &likeness);
    }
    return found < KB_FORMS_MAX ? found : KB_FORMS_MAX;
}

static void test_forms(void **state)
{
    static const char *const MORE =
        "bus busses bussed buses run runs running runned toe toes pay pays paying";
    struct kb_index *index = vocabulary();
    const struct kb_index *one = index;
    struct kb_form forms[KB_FORMS_MAX];
    struct kb_bag bag;
    size_t some = 0, first = index->word_count;

    (void)state;
    kb_bag_init(&bag);
    kb_bag_add(&bag, MORE, strlen(MORE), 1);
    assert_true(kb_index_add(index, &bag, 2, "e", 0));
    kb_bag_fini(&bag);
    for (size_t i = 0; i < index->word_count; i++) {
        const char *word = index->texts + index->words[i].text;
        size_t len = index->words[i].len, count = kb_forms(&one, 1, word, len, 0, forms);
        if (count != forms_of(index, word, len)) {
            print_error("%.*s: %zu forms, want %zu\n", (int)len, word, count, forms_of(index, word, len));
        }
        assert_int_equal(count, forms_of(index, word, len));
        assert_true(i < first || count > 0);
        some += count > 0;
    }
    assert_true(some > index->word_count / 20);
    kb_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near),
        cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
