/* words_test.c: words, pairs and grams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "kb/words.h"

static const struct cut_case {
    const char *label, *input, *want; /* "word*count word*count" in order of appearance */
} CUTS[] = {
    {"plain", "The cat, the dog.", "the*2 cat*1 dog*1"},
    {"apostrophe separates", "Allen'ın don't", "allen*1 in*1 don*1 t*1"},
    {"digits and letters", "iPhone12 v2.0", "iphone12*1 v2*1 0*1"},
    {"Hindi marks belong to the word", "दुकान का", "दुकान*1 का*1"},
    {"Thai runs on", "ที่ไหน ดี", "ที่ไหน*1 ดี*1"},
    {"Chinese pairs", "营业时间", "营业*1 业时*1 时间*1"},
    {"one character alone", "茶 好茶", "茶*1 好茶*1"},
    {"Chinese beside Latin", "iPhone手机12", "iphone*1 手机*1 12*1"},
    {"Japanese", "カード払い", "カー*1 ード*1 ド払*1 払い*1"},
    {"Korean words", "한국어 책", "한국어*1 책*1"},
    {"nothing", " .,!? ", ""},
};

static void test_words(void **state)
{
    struct kb_bag bag;

    (void)state;
    kb_bag_init(&bag);
    for (size_t i = 0; i < sizeof CUTS / sizeof *CUTS; i++) {
        char got[512] = "";
        kb_bag_reset(&bag);
        kb_bag_add(&bag, CUTS[i].input, strlen(CUTS[i].input), 1);
        for (size_t k = 0; k < bag.count; k++) {
            size_t len = strlen(got);
            snprintf(got + len, sizeof got - len, "%s%.*s*%u", k > 0 ? " " : "", (int)bag.words[k].len,
                     kb_bag_text(&bag, &bag.words[k]), bag.words[k].count);
        }
        assert_string_equal(got, CUTS[i].want);
    }
    kb_bag_fini(&bag);
}

/* A run of ten thousand letters is cut, not refused and not one word. */
static void test_long(void **state)
{
    struct kb_bag bag;
    char text[10000];

    (void)state;
    memset(text, 'x', sizeof text);
    kb_bag_init(&bag);
    kb_bag_add(&bag, text, sizeof text, 3);
    assert_int_equal(bag.total, 3 * (sizeof text / KB_WORD_CPS + 1));
    assert_int_equal(bag.count, 2);
    kb_bag_fini(&bag);
}

/* A run of a script without spaces is cut into pieces that share some characters: every gram of it but the
 * padded ends is there, as it is not where a word of letters is cut. */
static void test_overlap(void **state)
{
    static const char SYLLABLES[][7] = {"\u0e01\u0e32", "\u0e02\u0e35", "\u0e04\u0e39", "\u0e07\u0e48"};
    struct bag_text {
        char text[61 * 3 + 1];
        size_t len;
    } run = {0};
    struct kb_bag bag;

    (void)state;
    for (size_t i = 0; i < 30; i++) { /* 60 characters, no two neighbours repeat in step with the cut */
        const char *syllable = SYLLABLES[(i * i + i / 7) % 4];
        memcpy(run.text + run.len, syllable, strlen(syllable));
        run.len += strlen(syllable);
    }
    kb_bag_init(&bag);
    kb_bag_add(&bag, run.text, run.len, 1);
    assert_int_equal(bag.count, 2);
    const char *first = kb_bag_text(&bag, &bag.words[0]), *second = kb_bag_text(&bag, &bag.words[1]);
    assert_int_equal(bag.words[0].len, 48 * 3);
    assert_int_equal(bag.words[1].len, (60 - 48 + 10) * 3);
    assert_memory_equal(first + (48 - 10) * 3, second, 10 * 3);
    kb_bag_fini(&bag);
}

static void test_many(void **state)
{
    struct kb_bag bag;

    (void)state;
    kb_bag_init(&bag);
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < 5000; i++) {
            char word[16];
            int len = snprintf(word, sizeof word, "w%d", i);
            kb_bag_add(&bag, word, (size_t)len, (unsigned)round);
        }
    }
    assert_int_equal(bag.count, 5000);
    assert_int_equal(bag.total, 15000);
    for (size_t i = 0; i < bag.count; i++) {
        assert_int_equal(bag.words[i].count, 3);
    }
    kb_bag_fini(&bag);
}

static void test_grams(void **state)
{
    uint64_t a[KB_WORD_GRAMS], b[KB_WORD_GRAMS];

    (void)state;
    assert_int_equal(kb_word_grams("tea", 3, a), 2);    /* _tea tea_ */
    assert_int_equal(kb_word_grams("a", 1, a), 1);      /* _a_ */
    assert_int_equal(kb_word_grams("kettle", 6, a), 5); /* _ket kett ettl ttle tle_ */
    assert_int_equal(kb_word_grams("nettle", 6, b), 5);
    assert_true(a[0] != b[0] && a[1] != b[1]);
    assert_true(a[2] == b[2] && a[3] == b[3] && a[4] == b[4]);
    assert_int_equal(kb_word_grams("营业", strlen("营业"), a), 1);
    char longest[KB_WORD_BYTES];
    memset(longest, 'x', KB_WORD_CPS);
    assert_int_equal(kb_word_grams(longest, KB_WORD_CPS, a), KB_WORD_CPS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words), cmocka_unit_test(test_long),  cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_many),  cmocka_unit_test(test_grams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
