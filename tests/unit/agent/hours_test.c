/* hours_test.c: opening hours on plain days, on days on which the clock changes, on exceptions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/common/hours.h"
#include "queue/base/clock.h"

static json_t *json_of(const char *text)
{
    char *copy = xstrdup(text);
    json_t *value = NULL;

    for (char *c = copy; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    assert_int_equal(jx_parse_lenient(copy, strlen(copy), &value), ERR_OK);
    free(copy);
    return value;
}

static int64_t at(const char *utc)
{
    int64_t ms;
    bool date_only;

    assert_true(clock_parse(utc, &ms, &date_only));
    return ms;
}

#define SHOP                                                                                           \
    "{'time_zone': 'Europe/Madrid', 'weekly': {'mon': [['09:00', '13:00'], ['16:00', '20:00']],"       \
    " 'sat': [['10:00', '14:00']], 'sun': [['00:00', '24:00']]},"                                      \
    " 'exceptions': [{'date': '2026-12-25', 'hours': []}, {'date': '2026-12-24', 'hours': [['09:00', " \
    "'12:00']]}]}"

/* Each row: a moment, whether it is open, when it opens next. */
static const struct {
    const char *utc;
    bool open;
    const char *next;
} moments[] = {
    {"2026-11-23T08:00:00Z", true, "2026-11-23T08:00:00Z"},  /* Monday 09:00 */
    {"2026-11-23T07:59:59Z", false, "2026-11-23T08:00:00Z"}, /* one second before */
    {"2026-11-23T12:00:00Z", false, "2026-11-23T15:00:00Z"}, /* 13:00, siesta */
    {"2026-11-23T19:00:00Z", false, "2026-11-28T09:00:00Z"}, /* until Saturday */
    {"2026-07-06T07:00:00Z", true, "2026-07-06T07:00:00Z"},  /* Monday 09:00 in summer */
    {"2026-12-24T10:00:00Z", true, "2026-12-24T10:00:00Z"},  /* a Thursday made open */
    {"2026-12-25T10:00:00Z", false, "2026-12-26T09:00:00Z"}, /* closed, then Saturday */
    {"2026-11-28T13:00:00Z", false, "2026-11-28T23:00:00Z"}, /* Saturday 14:00, then Sunday 00:00 */
};

static void test_open(void **state)
{
    json_t *shop = json_of(SHOP);

    (void)state;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        assert_int_equal(hours_open(shop, at(moments[i].utc)), moments[i].open);
        assert_int_equal(hours_next_open(shop, at(moments[i].utc)), at(moments[i].next));
    }
    json_decref(shop);
}

/* A whole day lasts 23 hours in spring and 25 in autumn, half an hour more or less on Lord Howe. */
static const struct {
    const char *zone, *utc;
    int64_t minutes;
} days[] = {
    {"Europe/Madrid", "2026-03-29T10:00:00Z", 23 * 60},
    {"Europe/Madrid", "2026-10-25T10:00:00Z", 25 * 60},
    {"America/New_York", "2026-03-08T18:00:00Z", 23 * 60},
    {"America/New_York", "2026-11-01T18:00:00Z", 25 * 60},
    {"Australia/Lord_Howe", "2026-04-05T00:00:00Z", 24 * 60 + 30},
    {"Australia/Lord_Howe", "2026-10-04T00:00:00Z", 24 * 60 - 30},
    {"Asia/Kolkata", "2026-03-29T10:00:00Z", 24 * 60},
};

static void test_long_days(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        struct hours_span span[2];
        json_t *hours = json_pack("{s:s}", "time_zone", days[i].zone);
        assert_int_equal(hours_of_day(hours, at(days[i].utc), span, 2), 1);
        assert_int_equal((span[0].to_ms - span[0].from_ms) / 60000, days[i].minutes);
        assert_true(hours_open(hours, at(days[i].utc)));
        json_decref(hours);
    }
}

static void test_never_open(void **state)
{
    json_t *hours = json_of("{'weekly': {}}");

    (void)state;
    assert_false(hours_open(hours, at("2026-01-01T00:00:00Z")));
    assert_int_equal(hours_next_open(hours, at("2026-01-01T00:00:00Z")), -1);
    json_decref(hours);
}

/* Each row: what somebody gave, the place of its fault. */
static const struct {
    const char *text, *where;
} faults[] = {
    {"[]", ""},
    {"{'timezone': 'UTC'}", "/timezone"},
    {"{'time_zone': 'Mars/Base'}", "/time_zone"},
    {"{'weekly': {'monday': []}}", "/weekly/monday"},
    {"{'weekly': {'mon': 'all day'}}", "/weekly/mon"},
    {"{'weekly': {'mon': [['9:00', '13:00']]}}", "/weekly/mon/0"},
    {"{'weekly': {'mon': [['09:00', '25:00']]}}", "/weekly/mon/0"},
    {"{'weekly': {'mon': [['13:00', '09:00']]}}", "/weekly/mon/0"},
    {"{'weekly': {'mon': [['09:00', '13:00'], ['12:00', '14:00']]}}", "/weekly/mon/1"},
    {"{'exceptions': [{'date': '2026-02-30', 'hours': []}]}", "/exceptions/0"},
    {"{'exceptions': [{'date': '2026-02-01', 'hours': [['a', 'b']]}]}", "/exceptions/0/hours/0"},
};

static void test_check(void **state)
{
    struct buf why;

    (void)state;
    buf_init(&why, 500);
    json_t *good = json_of(SHOP);
    assert_int_equal(hours_check(good, NULL, NULL), ERR_OK);
    json_decref(good);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *field = NULL;
        json_t *hours = json_of(faults[i].text);
        buf_reset(&why);
        assert_int_equal(hours_check(hours, &field, &why), ERR_INVALID);
        assert_string_equal(field, faults[i].where);
        assert_true(why.len > 0);
        json_decref(hours);
    }
    buf_fini(&why);
}

static void test_text(void **state)
{
    struct buf out;
    json_t *shop = json_of(SHOP);

    (void)state;
    buf_init(&out, 2000);
    hours_text(shop, &out);
    assert_string_equal(buf_str(&out),
                        "Mon 09:00-13:00, 16:00-20:00; Tue closed; Wed closed; Thu closed; Fri closed; "
                        "Sat 10:00-14:00; Sun 00:00-24:00; 2026-12-25 closed; 2026-12-24 09:00-12:00 "
                        "(Europe/Madrid)");
    buf_fini(&out);
    json_decref(shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),  cmocka_unit_test(test_long_days), cmocka_unit_test(test_never_open),
        cmocka_unit_test(test_check), cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
