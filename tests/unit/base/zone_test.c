/* zone_test.c: wall time around the changes of three zones: one hour, half an hour, none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queue/base/clock.h"
#include "queue/base/zone.h"

/* Each row: UTC, what the clock on the wall shows then. */
static const struct {
    const char *zone, *utc;
    struct zone_time want;
} walls[] = {
    {"Europe/Madrid", "2026-03-29T00:59:59Z", {2026, 3, 29, 1, 59, 59, 6, 3600}},
    {"Europe/Madrid", "2026-03-29T01:00:00Z", {2026, 3, 29, 3, 0, 0, 6, 7200}},
    {"Europe/Madrid", "2026-10-25T00:59:59Z", {2026, 10, 25, 2, 59, 59, 6, 7200}},
    {"Europe/Madrid", "2026-10-25T01:00:00Z", {2026, 10, 25, 2, 0, 0, 6, 3600}},
    {"America/New_York", "2026-03-08T06:59:59Z", {2026, 3, 8, 1, 59, 59, 6, -18000}},
    {"America/New_York", "2026-03-08T07:00:00Z", {2026, 3, 8, 3, 0, 0, 6, -14400}},
    {"America/New_York", "2026-11-01T06:00:00Z", {2026, 11, 1, 1, 0, 0, 6, -18000}},
    {"Asia/Kolkata", "2026-06-30T18:30:00Z", {2026, 7, 1, 0, 0, 0, 2, 19800}},
    {"Australia/Lord_Howe", "2026-04-04T14:59:59Z", {2026, 4, 5, 1, 59, 59, 6, 39600}},
    {"Australia/Lord_Howe", "2026-04-04T15:00:00Z", {2026, 4, 5, 1, 30, 0, 6, 37800}},
    {"Nowhere/Land", "2026-01-01T00:00:00Z", {2026, 1, 1, 0, 0, 0, 3, 0}},
};

static int64_t at(const char *utc)
{
    int64_t ms;
    bool date_only;

    assert_true(clock_parse(utc, &ms, &date_only));
    return ms;
}

static void test_local(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof walls / sizeof *walls; i++) {
        struct zone_time got;
        const struct zone_time *want = &walls[i].want;
        zone_local(walls[i].zone, at(walls[i].utc), &got);
        assert_int_equal(got.year, want->year);
        assert_int_equal(got.month, want->month);
        assert_int_equal(got.day, want->day);
        assert_int_equal(got.hour, want->hour);
        assert_int_equal(got.minute, want->minute);
        assert_int_equal(got.second, want->second);
        assert_int_equal(got.weekday, want->weekday);
        assert_int_equal(got.offset_s, want->offset_s);
    }
}

/* Each row: what the wall shows (or would show), and when that is. */
static const struct {
    const char *label, *zone;
    struct zone_time local;
    const char *want;
} times[] = {
    {"plain", "Europe/Madrid", {2026, 7, 1, 9, 0, 0, 0, 0}, "2026-07-01T07:00:00Z"},
    {"skipped moves on by the gap", "Europe/Madrid", {2026, 3, 29, 2, 30, 0, 0, 0}, "2026-03-29T01:30:00Z"},
    {"repeated is its first", "Europe/Madrid", {2026, 10, 25, 2, 30, 0, 0, 0}, "2026-10-25T00:30:00Z"},
    {"skipped, west", "America/New_York", {2026, 3, 8, 2, 30, 0, 0, 0}, "2026-03-08T07:30:00Z"},
    {"repeated, west", "America/New_York", {2026, 11, 1, 1, 30, 0, 0, 0}, "2026-11-01T05:30:00Z"},
    {"half hour repeated", "Australia/Lord_Howe", {2026, 4, 5, 1, 45, 0, 0, 0}, "2026-04-04T14:45:00Z"},
    {"half hour skipped", "Australia/Lord_Howe", {2026, 10, 4, 2, 15, 0, 0, 0}, "2026-10-03T15:45:00Z"},
    {"hour 24 is the next day", "Asia/Kolkata", {2026, 6, 30, 24, 0, 0, 0, 0}, "2026-06-30T18:30:00Z"},
    {"day 32 carries", "Europe/Madrid", {2026, 12, 32, 0, 0, 0, 0, 0}, "2026-12-31T23:00:00Z"},
};

static void test_utc(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char text[CLOCK_TEXT_SIZE];
        int64_t got = zone_utc_ms(times[i].zone, &times[i].local);
        if (got != at(times[i].want)) {
            print_error("%s: %s\n", times[i].label, clock_rfc3339(got, text));
        }
        assert_int_equal(got, at(times[i].want));
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_true(zone_known("Europe/Madrid"));
    assert_true(zone_known("UTC"));
    assert_false(zone_known("Nowhere/Land"));
    assert_false(zone_known(""));
    assert_false(zone_known(NULL));
    assert_false(zone_known("Europe/Madrid; DROP"));
    assert_false(zone_known("GMT+25"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_utc),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
