/* excerpt_test.c: which sentences of a passage are given for a question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kb/kb.h"

#define LONG                                                                                                 \
    "Our house has a long history that nobody needs to know. The founder came from the coast and liked the " \
    "wind. "                                                                                                 \
    "Parcels are sent twice a day. Refunds arrive on your card within five working days. "                   \
    "We then write you a message. The garden behind the house may be visited in summer. Dogs stay outside. " \
    "The cellar is cold and is used for storage of apples."

static const struct excerpt_case {
    const char *label, *query, *text;
    size_t max;
    const char *want;
} CASES[] = {
    {"short stays whole", "refund", "Yes. Bring the receipt.", 600, "Yes. Bring the receipt."},
    {"best sentence and the next", "when do refunds arrive", LONG, 300,
     "Refunds arrive on your card within five working days. We then write you a message."},
    {"misspelt", "refnuds on my crad", LONG, 300,
     "Refunds arrive on your card within five working days. We then write you a message."},
    {"room for one only", "when do refunds arrive", LONG, 60,
     "Refunds arrive on your card within five working days."},
    {"nothing shared: the head", "zzzz", LONG, 120,
     "Our house has a long history that nobody needs to know. The founder came from the coast and liked the "
     "wind."},
    {"no sentence fits: cut at a word", "refunds", LONG, 30, "Our house has a long history"},
    {"list items are sentences", "blue tea",
     "We have these kinds of tea in our shop all year round and more of them in winter, so come and see:\n- "
     "red tea from the "
     "south, strong and dark, for the morning and for guests who like their tea strong\n- blue tea from the "
     "north, mild and "
     "clear, for the evening and for children\n- green tea from the west, fresh and light, for any hour of "
     "the day or night, also cold",
     90, "- blue tea from the north, mild and clear, for the evening and for children"},
    {"empty", "refund", "", 100, ""},
};

static void test_excerpt(void **state)
{
    struct arena *arena = arena_new(4u << 20);

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct kb_chunk chunk = {.text = CASES[i].text, .title = ""};
        char *got = kb_excerpt(CASES[i].query, &chunk, CASES[i].max, arena);
        if (strcmp(got, CASES[i].want) != 0) {
            print_error("%s: got '%s'\n", CASES[i].label, got);
        }
        assert_string_equal(got, CASES[i].want);
        assert_true(strlen(got) <= CASES[i].max);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_excerpt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
