/* buf_test.c: additions, the bound, taking the bytes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/base/buf.h"

static void additions_append(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    assert_string_equal(buf_str(&b), "");
    buf_adds(&b, "one");
    buf_addc(&b, ' ');
    buf_addf(&b, "%s %d", "two", 3);
    buf_add(&b, "\0x", 2);
    assert_int_equal(b.len, 11);
    assert_memory_equal(b.data, "one two 3\0x", 12);
    buf_drop(&b, 4);
    assert_string_equal(buf_str(&b), "two 3");
    buf_drop(&b, b.len);
    assert_int_equal(b.len, 0);
    assert_string_equal(buf_str(&b), "");
    buf_fini(&b);
}

static void long_prints_grow(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5000);
    for (int i = 0; i < 10; i++) {
        buf_addf(&b, "%0*d", 450, i);
    }
    assert_true(buf_ok(&b));
    assert_int_equal(b.len, 4500);
    assert_int_equal(strlen(buf_str(&b)), 4500);
    assert_true(b.room <= 5001);
    buf_fini(&b);
}

/* label of the rule: the addition that would pass max fails whole, and everything after it too */
static void bound_is_kept(void **state)
{
    static const struct {
        size_t max;
        const char *first, *second;
        bool good;
        const char *want;
    } cases[] = {
        {4, "ab", "cd", true, "abcd"}, {4, "ab", "cde", false, "ab"}, {0, "", "", true, ""},
        {0, "", "a", false, ""},       {4, "abcde", "f", false, ""},  {(size_t)-1, "ab", "c", true, "abc"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int print = 0; print < 2; print++) {
            struct buf b;
            buf_init(&b, cases[i].max);
            buf_adds(&b, cases[i].first);
            if (print) {
                buf_addf(&b, "%s", cases[i].second);
            } else {
                buf_adds(&b, cases[i].second);
            }
            assert_int_equal(buf_ok(&b), cases[i].good);
            assert_string_equal(buf_str(&b), cases[i].want);
            buf_fini(&b);
        }
    }
}

static void failure_stays_until_reset(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 3);
    buf_adds(&b, "abcd");
    buf_adds(&b, "a");
    assert_false(buf_ok(&b));
    assert_string_equal(buf_str(&b), "");
    buf_reset(&b);
    buf_adds(&b, "abc");
    assert_true(buf_ok(&b));
    assert_string_equal(buf_str(&b), "abc");
    buf_fini(&b);
}

static void take_moves_the_bytes(void **state)
{
    struct buf b;
    size_t len = 9;

    (void)state;
    buf_init(&b, 100);
    char *nothing = buf_take(&b, &len);
    assert_string_equal(nothing, "");
    assert_int_equal(len, 0);
    buf_adds(&b, "text");
    char *text = buf_take(&b, &len);
    assert_string_equal(text, "text");
    assert_int_equal(len, 4);
    assert_int_equal(b.len, 0);
    buf_adds(&b, "again");
    assert_string_equal(buf_str(&b), "again");
    free(nothing);
    free(text);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(additions_append),     cmocka_unit_test(long_prints_grow),
        cmocka_unit_test(bound_is_kept),        cmocka_unit_test(failure_stays_until_reset),
        cmocka_unit_test(take_moves_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
