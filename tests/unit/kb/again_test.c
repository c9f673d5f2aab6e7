/* again_test.c: which failed fetches are tried again, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kb/source/again.h"

static const struct {
    const char *label;
    enum httpc_outcome outcome;
    long status;
    bool again;
} CLASSES[] = {
    {"no connection", HTTPC_UNREACHED, 0, true},    {"timeout", HTTPC_TIMEOUT, 0, true},
    {"broken off", HTTPC_BROKEN, 200, true},        {"blocked address", HTTPC_BLOCKED, 0, false},
    {"too large", HTTPC_TOO_LARGE, 200, false},     {"good", HTTPC_ANSWERED, 200, false},
    {"bad request", HTTPC_ANSWERED, 400, false},    {"login wanted", HTTPC_ANSWERED, 401, false},
    {"forbidden", HTTPC_ANSWERED, 403, false},      {"not found", HTTPC_ANSWERED, 404, false},
    {"slow request", HTTPC_ANSWERED, 408, true},    {"gone", HTTPC_ANSWERED, 410, false},
    {"too early", HTTPC_ANSWERED, 425, true},       {"too many requests", HTTPC_ANSWERED, 429, true},
    {"server's fault", HTTPC_ANSWERED, 500, true},  {"no such method", HTTPC_ANSWERED, 501, false},
    {"bad gateway", HTTPC_ANSWERED, 502, true},     {"unavailable", HTTPC_ANSWERED, 503, true},
    {"gateway timeout", HTTPC_ANSWERED, 504, true}, {"HTTP version", HTTPC_ANSWERED, 505, false},
    {"a proxy's own", HTTPC_ANSWERED, 522, true},
};

static void test_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++) {
        if (again_worth(CLASSES[i].outcome, CLASSES[i].status) != CLASSES[i].again) {
            fail_msg("%s", CLASSES[i].label);
        }
    }
}

#define NOW 784111777000 /* Sun, 06 Nov 1994 08:49:37 GMT */

static const struct {
    const char *label, *text;
    int64_t want;
} ASKED[] = {
    {"none", "", 0},
    {"seconds", "120", 120000},
    {"zero", "0", 0},
    {"a day", "86400", AGAIN_WAIT_MS},
    {"no number there is", "99999999999999999999999", AGAIN_WAIT_MS},
    {"rubbish behind", "12 minutes", 0},
    {"negative", "-5", 0},
    {"date", "Sun, 06 Nov 1994 08:50:37 GMT", 60000},
    {"past date", "Sun, 06 Nov 1994 08:40:37 GMT", 0},
    {"far date", "Sun, 06 Nov 1999 08:40:37 GMT", AGAIN_WAIT_MS},
    {"words", "soon", 0},
};

static void test_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ASKED / sizeof *ASKED; i++) {
        if (again_asked_ms(ASKED[i].text, NOW) != ASKED[i].want) {
            fail_msg("%s", ASKED[i].label);
        }
    }
}

static void test_waits(void **state)
{
    static const int64_t MIDDLE[] = {30000, 120000, 600000};
    int64_t wait = 0, first = 0;
    bool differ = false;

    (void)state;
    for (unsigned n = 1; n < AGAIN_MOST; n++) {
        for (int k = 0; k < 200; k++) {
            assert_true(again_wait(n, 30000, 0, &wait));
            assert_in_range(wait, MIDDLE[n - 1] * 8 / 10, MIDDLE[n - 1] * 12 / 10);
            first = first == 0 ? wait : first;
            differ = differ || (n == 1 && wait != first);
        }
    }
    assert_true(differ);
    assert_false(again_wait(AGAIN_MOST, 30000, 0, &wait));
    assert_false(again_wait(0, 30000, 0, &wait));
    assert_true(again_wait(1, 30000, 900000, &wait)); /* the site's word goes before ours */
    assert_int_equal(wait, 900000);
    assert_true(again_wait(1, 30000, 5000, &wait));
    assert_in_range(wait, 24000, 36000);
    assert_true(again_wait(3, 3600000, 0, &wait));
    assert_int_equal(wait, AGAIN_WAIT_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
