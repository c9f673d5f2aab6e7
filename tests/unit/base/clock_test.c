/* clock_test.c: RFC 3339 both ways, and the shifts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <time.h>

#include <cmocka.h>

#include "queue/base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void times_print_and_parse_back(void **state)
{
    static const struct {
        int64_t ms;
        const char *seconds, *millis;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"},
        {1778422921123, "2026-05-10T14:22:01Z", "2026-05-10T14:22:01.123Z"},
        {253402300799999, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z"},
        {-62167219200000, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"},
    };
    char text[CLOCK_TEXT_SIZE];
    int64_t back;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(clock_rfc3339(cases[i].ms, text), cases[i].seconds);
        assert_string_equal(clock_rfc3339_ms(cases[i].ms, text), cases[i].millis);
        assert_true(clock_parse(text, &back, NULL));
        assert_int_equal(back, cases[i].ms);
    }
    assert_string_equal(clock_rfc3339(INT64_MAX, text), "9999-12-31T23:59:59Z");
    assert_string_equal(clock_rfc3339(INT64_MIN, text), "0000-01-01T00:00:00Z");
}

/* The calendar agrees with the C library's over four centuries, in steps that are no whole days. */
static void calendar_agrees_with_the_library(void **state)
{
    char text[CLOCK_TEXT_SIZE], want[CLOCK_TEXT_SIZE];

    (void)state;
    for (int64_t s = -6000000000; s < 7000000000; s += 3333331) {
        time_t now = (time_t)s;
        struct tm tm;
        assert_non_null(gmtime_r(&now, &tm));
        strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &tm);
        assert_string_equal(clock_rfc3339(s * 1000, text), want);
    }
}

static void texts_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
        bool date_only;
    } cases[] = {
        {"1970-01-01", 0, true},
        {"2024-02-29", 1709164800000, true},
        {"2026-05-10T14:22:01Z", 1778422921000, false},
        {"2026-05-10t14:22:01z", 1778422921000, false},
        {"2026-05-10T14:22:01.5Z", 1778422921500, false},
        {"2026-05-10T14:22:01.123456789Z", 1778422921123, false},
        {"2026-05-10T16:22:01+02:00", 1778422921000, false},
        {"2026-05-10T08:52:01-05:30", 1778422921000, false},
        {"2026-05-10T14:21:60Z", 1778422920000, false},
    };
    bool date_only;
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(clock_parse(cases[i].text, &ms, &date_only));
        assert_int_equal(ms, cases[i].want);
        assert_int_equal(date_only, cases[i].date_only);
    }
}

static void other_texts_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "2026",
        "2026-5-10",
        "2026-13-01",
        "2026-00-01",
        "2023-02-29",
        "1900-02-29",
        "2026-04-31",
        "2026-05-10T",
        "2026-05-10 14:22:01Z",
        "2026-05-10T14:22Z",
        "2026-05-10T14:22:01",
        "2026-05-10T24:00:00Z",
        "2026-05-10T14:60:00Z",
        "2026-05-10T14:22:61Z",
        "2026-05-10T14:22:01.Z",
        "2026-05-10T14:22:01Zx",
        "2026-05-10T14:22:01+0200",
        "2026-05-10T14:22:01+24:00",
        "2026-05-10x",
        "+026-05-10",
        " 2026-05-10",
    };
    int64_t ms = 77;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_false(clock_parse(cases[i], &ms, NULL));
        assert_int_equal(ms, 77);
    }
}

static void shifts_move_the_clocks(void **state)
{
    (void)state;
    int64_t wall = clock_wall_ms();
    int64_t mono = clock_mono_ms();

    clock_shift_wall(5000000);
    assert_in_range(clock_wall_ms() - wall, 5000000, 5060000);
    assert_true(clock_mono_ms() - mono < 60000);
    clock_shift_mono(7000000);
    assert_in_range(clock_mono_ms() - mono, 7000000, 7060000);
    assert_in_range(clock_mono_us() / 1000 - mono, 7000000, 7060000);
    clock_shift_wall(-5000000);
    clock_shift_mono(-7000000);
    assert_true(clock_wall_ms() - wall < 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_print_and_parse_back),
        cmocka_unit_test(calendar_agrees_with_the_library),
        cmocka_unit_test(texts_parse),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(shifts_move_the_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
