/* spell_test.c: edit distance and the nearest words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kb/spell.h"

static const struct distance_case {
    const char *a, *b;
    unsigned want; /* 3: above 2 */
} DISTANCES[] = {
    {"kettle", "kettle", 0},
    {"kettle", "ketle", 1},
    {"ketle", "kettle", 1},
    {"kettle", "kettel", 1},
    {"kettle", "kattle", 1},
    {"kettle", "ketl", 2},
    {"kettle", "katle", 2},
    {"kettle", "elttek", 3},
    {"abcd", "badc", 2},
    {"ca", "abc", 3},
    {"", "ab", 2},
    {"", "abc", 3},
    {"refund", "refnud", 1},
    {"दुकान", "दूकान", 1},
    {"kettle", "kettles", 1},
    {"a", "", 1},
};

static void test_distance(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof DISTANCES / sizeof *DISTANCES; i++) {
        const struct distance_case *c = &DISTANCES[i];
        int32_t a[KB_WORD_CPS], b[KB_WORD_CPS];
        size_t a_len = kb_word_cps(c->a, strlen(c->a), a), b_len = kb_word_cps(c->b, strlen(c->b), b);
        assert_int_equal(kb_distance(a, a_len, b, b_len, 2), c->want);
        assert_int_equal(kb_distance(b, b_len, a, a_len, 2), c->want);
    }
}

/* The text of each guess, in order, with a space behind. */
static const char *guessed(const struct kb_index *index, const char *word)
{
    static char text[256];
    struct kb_guess guesses[KB_SPELL_MAX];
    size_t count = kb_spell(&index, 1, word, strlen(word), guesses);

    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        strncat(text, guesses[i].text, guesses[i].len);
        strncat(text, " ", 2);
    }
    return text;
}

static void test_spell(void **state)
{
    struct kb_index *index = kb_index_new();
    struct kb_bag bag;
    static const char *const CHUNKS[] = {"refund refunds return kettle", "return returns tea 12345",
                                         "teas seat seal seam"};

    (void)state;
    kb_bag_init(&bag);
    for (size_t i = 0; i < 3; i++) {
        kb_bag_reset(&bag);
        kb_bag_add(&bag, CHUNKS[i], strlen(CHUNKS[i]), 1);
        assert_true(kb_index_add(index, &bag, i + 1, "d", (uint32_t)i));
    }
    assert_string_equal(guessed(index, "refnud"), "refund refunds "); /* nearest first */
    assert_string_equal(guessed(index, "retrun"), "return returns ");
    assert_string_equal(guessed(index, "sear"), "seal seam seat "); /* equal: by bytes */
    assert_string_equal(guessed(index, "tee"), "");                 /* too short */
    assert_string_equal(guessed(index, "12346"), "");               /* a number */
    assert_string_equal(guessed(index, "ketel"), "");               /* five letters: one edit only */
    kb_bag_reset(&bag);
    kb_bag_add(&bag, CHUNKS[0], strlen(CHUNKS[0]), 1);
    kb_index_remove(index, &bag, 1);
    assert_string_equal(guessed(index, "refnud"), ""); /* words of dead chunks are no words */
    kb_bag_fini(&bag);
    kb_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_spell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
