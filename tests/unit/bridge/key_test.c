/* key_test.c: the form of API keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/api/keys.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void form(void **state)
{
    static const struct {
        const char *label, *text;
        bool want;
    } cases[] = {
        {"live, checksum of another program", "ck_live_0123456789ABCDEFGHIJKL3s2xt6", true},
        {"test", "ck_test_zzzzzzzzzzzzzzzzzzzzzz1m9Hvd", true},
        {"one character mistyped", "ck_live_0123456789ABCDEFGHIJKM3s2xt6", false},
        {"the mode exchanged", "ck_test_0123456789ABCDEFGHIJKL3s2xt6", false},
        {"checksum mistyped", "ck_live_0123456789ABCDEFGHIJKL3s2xt7", false},
        {"too short", "ck_live_0123456789ABCDEFGHIJKL3s2xt", false},
        {"too long", "ck_live_0123456789ABCDEFGHIJKL3s2xt60", false},
        {"foreign character", "ck_live_0123456789ABCDEFGHIJK-3s2xt6", false},
        {"another prefix", "sk_live_0123456789ABCDEFGHIJKL3s2xt6", false},
        {"empty", "", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (key_is(cases[i].text) != cases[i].want) {
            fail_msg("%s", cases[i].label);
        }
    }
}

static void made_keys_fit_and_differ(void **state)
{
    char a[KEY_TEXT_SIZE], b[KEY_TEXT_SIZE];
    (void)state;
    for (int i = 0; i < 200; i++) {
        key_make(MODE_LIVE, a);
        key_make(MODE_TEST, b);
        assert_true(key_is(a));
        assert_true(key_is(b));
        assert_memory_equal(a, "ck_live_", 8);
        assert_memory_equal(b, "ck_test_", 8);
        assert_string_not_equal(a + 8, b + 8);
    }
}

static void scopes(void **state)
{
    static const struct {
        const char *held, *wanted;
        bool want;
    } cases[] = {
        {"[]", "admin", true},         {"[\"read\"]", "read", true},
        {"[\"read\"]", "any", true},   {"[\"read\"]", "messages", false},
        {"[\"admin\"]", "read", true}, {"[\"messages\",\"knowledge\"]", "admin", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *key = json_object(), *held;
        assert_int_equal(jx_parse_lenient(cases[i].held, strlen(cases[i].held), &held), ERR_OK);
        jx_set(key, "scopes", held);
        assert_int_equal(key_allows(key, cases[i].wanted), cases[i].want);
        json_decref(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(form), cmocka_unit_test(made_keys_fit_and_differ),
                                       cmocka_unit_test(scopes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
