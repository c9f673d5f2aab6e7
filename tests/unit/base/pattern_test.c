/* pattern_test.c: callers' patterns: what is one, what matches, and that a hostile one ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "queue/base/clock.h"
#include "queue/base/pattern.h"

static const struct {
    const char *pattern, *text;
    bool whole, fold, want;
} rows[] = {
    {"[0-9]{5}", "28013", true, false, true},
    {"[0-9]{5}", "28013 Madrid", true, false, false},
    {"[0-9]{5}", "28013 Madrid", false, false, true},
    {"refund", "REFUND now", false, true, true},
    {"refund", "REFUND now", false, false, false},
    {"^ñandú$", "ÑANDÚ", true, true, true},
    {"", "", true, false, false},
    {"(", "(", true, false, false},
};

static void test_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(pattern_match(rows[i].pattern, rows[i].text, rows[i].whole, rows[i].fold),
                         rows[i].want);
    }
}

static void test_ok(void **state)
{
    char longest[PATTERN_MAX + 2];

    (void)state;
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_true(pattern_ok("[a-z]+"));
    assert_false(pattern_ok("[a-z"));
    assert_false(pattern_ok("(a{4000000}"));
    assert_false(pattern_ok(longest));
    assert_false(pattern_ok("\xff"));
}

static void test_hostile(void **state)
{
    int64_t begun = clock_mono_ms();
    char text[3000];

    (void)state;
    memset(text, 'a', sizeof text - 2);
    memcpy(text + sizeof text - 2, "!", 2);
    assert_false(pattern_match("(a+)+$", text, true, false));
    assert_false(pattern_match("(a|aa)+$", text, true, false));
    assert_true(clock_mono_ms() - begun < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_ok),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
