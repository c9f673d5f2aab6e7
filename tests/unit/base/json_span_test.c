/* json_span_test.c: members found in the text of an object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "queue/base/json_span.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void members(void **state)
{
    static const char *const names[] = {"a", "bb"};
    static const struct {
        const char *label, *text;
        bool want;
        const char *a, *bb; /* NULL: not there */
    } cases[] = {
        {"both", "{\"a\":1,\"bb\":\"x\"}", true, "1", "\"x\""},
        {"nested ones do not count", "{\"c\":{\"a\":1},\"bb\":[{\"a\":2}]}", true, NULL, "[{\"a\":2}]"},
        {"brackets in texts", "{\"c\":\"}],{\",\"a\":[\"]\",\"}\"]}", true, "[\"]\",\"}\"]", NULL},
        {"quotes in texts", "{\"c\":\"\\\"a\\\":1\",\"a\":\"\\\\\"}", true, "\"\\\\\"", NULL},
        {"blanks", " { \"a\" : null , \"bb\" : { } } ", true, "null", "{ }"},
        {"twice: the last", "{\"a\":1,\"a\":2}", true, "2", NULL},
        {"longer and shorter names", "{\"aa\":1,\"b\":2,\"\":3}", true, NULL, NULL},
        {"none", "{}", true, NULL, NULL},
        {"no object", "[\"a\",1]", false, NULL, NULL},
        {"empty", "", false, NULL, NULL},
        {"breaks off in a text", "{\"a\":1,\"bb\":\"x", false, NULL, NULL},
        {"breaks off behind a backslash", "{\"a\":1,\"bb\":\"x\\", false, NULL, NULL},
        {"breaks off in a list", "{\"a\":1,\"bb\":[1,2", false, NULL, NULL},
        {"breaks off behind a comma", "{\"a\":1,", false, NULL, NULL},
        {"breaks off in a number", "{\"a\":1", false, NULL, NULL},
        {"no colon", "{\"a\" 1}", false, NULL, NULL},
        {"no comma", "{\"a\":1 \"bb\":2}", false, NULL, NULL},
        {"no value", "{\"a\":}", false, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct jx_span out[2];
        bool got = jx_spans(cases[i].text, strlen(cases[i].text), names, 2, out);
        const char *want[] = {cases[i].a, cases[i].bb};
        if (got != cases[i].want) {
            fail_msg("%s: %d", cases[i].label, got);
        }
        for (int k = 0; k < 2; k++) {
            bool same = want[k] != NULL ? jx_span_is(&out[k], want[k]) : out[k].at == NULL;
            if (!same) {
                fail_msg("%s: %s is %.*s", cases[i].label, names[k], (int)out[k].size,
                         out[k].at != NULL ? out[k].at : "");
            }
        }
    }
}

static void texts(void **state)
{
    static const struct {
        const char *text;
        bool want;
        const char *out;
    } cases[] = {
        {"\"abc\"", true, "abc"}, {"\"\"", true, ""},      {"\"abcd\"", false, ""},
        {"12", false, ""},        {"\"a\\n\"", false, ""}, {"\"", false, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[4] = "zz";
        struct jx_span span = {cases[i].text, strlen(cases[i].text)};
        assert_int_equal(jx_span_str(&span, out, sizeof(out)), cases[i].want);
        assert_string_equal(out, cases[i].out);
    }
    char out[4] = "zz";
    assert_false(jx_span_str(&(struct jx_span){NULL, 0}, out, sizeof(out)));
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
