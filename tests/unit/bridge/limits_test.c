/* limits_test.c: fixed windows: what is accepted in one, when it ends, what a clock jump does, what a restart
 * keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/api/limits.h"
#include "queue/base/clock.h"

static unsigned accepted(struct limits *limits, const char *who, const struct plan *plan, enum limit_id id,
                         unsigned tries)
{
    struct limit_state state;
    unsigned count = 0;
    for (unsigned i = 0; i < tries; i++) {
        count += limits_take(limits, who, plan, id, 1, &state);
    }
    return count;
}

static void plans_as_promised(void **state)
{
    static const struct {
        const char *plan;
        unsigned requests, messages, writes;
    } cases[] = {{"free", 30, 60, 20}, {"pro", 300, 1000, 500}, {"enterprise", 3000, 0, 0}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct plan *plan = plan_find(cases[i].plan);
        assert_non_null(plan);
        assert_int_equal(plan->limits[LIMIT_REQUESTS], cases[i].requests);
        assert_int_equal(plan->limits[LIMIT_MESSAGES], cases[i].messages);
        assert_int_equal(plan->limits[LIMIT_WRITES], cases[i].writes);
    }
    assert_null(plan_find("gold"));
}

static void a_window_takes_its_limit_and_no_more(void **state)
{
    struct limits *limits = limits_new();
    const struct plan *plan = plan_find("free");
    struct limit_state window;
    (void)state;
    assert_int_equal(accepted(limits, "key_a", plan, LIMIT_REQUESTS, 100), 30);
    assert_int_equal(accepted(limits, "key_b", plan, LIMIT_REQUESTS, 10), 10);
    assert_false(limits_take(limits, "key_a", plan, LIMIT_REQUESTS, 1, &window));
    assert_int_equal(window.limit, 30);
    assert_int_equal(window.remaining, 0);
    assert_in_range(window.retry_s, 1, 61);
    assert_in_range(window.reset_s - clock_wall_ms() / 1000, 1, 61);
    clock_shift_mono(window.retry_s * 1000);
    clock_shift_wall(window.retry_s * 1000);
    assert_int_equal(accepted(limits, "key_a", plan, LIMIT_REQUESTS, 100), 30);
    limits_free(limits);
}

static void remaining_falls_by_one(void **state)
{
    struct limits *limits = limits_new();
    struct limit_state window;
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(limits_take(limits, "key_c", plan_find("pro"), LIMIT_REQUESTS, 1, &window));
        assert_int_equal(window.remaining, 299 - i);
    }
    limits_free(limits);
}

static void a_jump_of_the_wall_clock_changes_nothing(void **state)
{
    struct limits *limits = limits_new();
    const struct plan *plan = plan_find("free");
    struct limit_state window;
    (void)state;
    assert_int_equal(accepted(limits, "key_d", plan, LIMIT_REQUESTS, 30), 30);
    clock_shift_wall(10 * 24 * 3600 * (int64_t)1000);
    assert_false(limits_take(limits, "key_d", plan, LIMIT_REQUESTS, 1, &window));
    assert_in_range(window.reset_s - clock_wall_ms() / 1000, 1, 61);
    clock_shift_wall(-12 * 24 * 3600 * (int64_t)1000);
    assert_false(limits_take(limits, "key_d", plan, LIMIT_REQUESTS, 1, &window));
    assert_in_range(window.retry_s, 1, 61);
    clock_shift_wall(2 * 24 * 3600 * (int64_t)1000);
    limits_free(limits);
}

static void units_go_in_whole_or_not_at_all_and_can_come_back(void **state)
{
    struct limits *limits = limits_new();
    const struct plan *plan = plan_find("free");
    struct limit_state window;
    (void)state;
    assert_true(limits_take(limits, "key_e", plan, LIMIT_WRITES, 15, &window));
    assert_false(limits_take(limits, "key_e", plan, LIMIT_WRITES, 6, &window));
    assert_int_equal(window.remaining, 5);
    limits_return(limits, "key_e", LIMIT_WRITES, 15);
    assert_true(limits_take(limits, "key_e", plan, LIMIT_WRITES, 20, &window));
    assert_true(limits_take(limits, "key_f", plan_find("enterprise"), LIMIT_WRITES, 100000, &window));
    assert_false(limits_take(limits, "key_g", plan, LIMIT_WRITES, 21, &window));
    assert_int_equal(window.remaining, 20);
    limits_free(limits);
}

static void a_record_brings_the_window_back(void **state)
{
    struct limits *before = limits_new(), *after = limits_new();
    const struct plan *plan = plan_find("free");
    (void)state;
    assert_null(limits_record(before, "key_h", LIMIT_MESSAGES));
    assert_int_equal(accepted(before, "key_h", plan, LIMIT_MESSAGES, 45), 45);
    clock_shift_mono(1000 * 1000);
    clock_shift_wall(1000 * 1000);
    json_t *record = limits_record(before, "key_h", LIMIT_MESSAGES);
    assert_non_null(record);
    assert_false(limits_known(after, "key_h", LIMIT_MESSAGES));
    limits_restore(after, "key_h", LIMIT_MESSAGES, record);
    assert_true(limits_known(after, "key_h", LIMIT_MESSAGES));
    assert_int_equal(accepted(after, "key_h", plan, LIMIT_MESSAGES, 60), 15);
    clock_shift_mono(2601 * 1000);
    clock_shift_wall(2601 * 1000);
    assert_int_equal(accepted(after, "key_h", plan, LIMIT_MESSAGES, 100), 60);
    json_decref(record);
    limits_free(before);
    limits_free(after);
}

static void many_strangers_do_not_stay(void **state)
{
    struct limits *limits = limits_new();
    char who[32];
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3000; i++) {
            struct limit_state window;
            snprintf(who, sizeof(who), "192.0.2.%d/%d", i, round);
            assert_true(limits_take(limits, who, plan_common(), LIMIT_SIGN_IN, 1, &window));
        }
        clock_shift_mono(61 * 1000);
    }
    assert_int_equal(accepted(limits, "198.51.100.1", plan_common(), LIMIT_SIGN_IN, 50), 20);
    limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_as_promised),
        cmocka_unit_test(a_window_takes_its_limit_and_no_more),
        cmocka_unit_test(remaining_falls_by_one),
        cmocka_unit_test(a_jump_of_the_wall_clock_changes_nothing),
        cmocka_unit_test(units_go_in_whole_or_not_at_all_and_can_come_back),
        cmocka_unit_test(a_record_brings_the_window_back),
        cmocka_unit_test(many_strangers_do_not_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
