/* gate_test.c: places, rate and breaker of an endpoint, in time that the test moves by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bridge/webhooks/gate.h"
#include "queue/base/clock.h"

/* One attempt that is let in and ends so. */
static void attempt(struct gate *gate, const char *endpoint, enum gate_result result)
{
    assert_int_equal(gate_enter(gate, endpoint), 0);
    gate_leave(gate, endpoint, result, 5);
}

/* Attempts until the breaker opens. */
static void break_it(struct gate *gate, const char *endpoint)
{
    for (int i = 0; i < 10; i++) {
        attempt(gate, endpoint, GATE_BAD);
    }
}

static void places_grow_with_success_and_halve_with_failure(void **state)
{
    struct gate *gate = gate_new(100, 0);
    struct gate_view view;
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(gate_enter(gate, "whk_a"), 0);
    }
    assert_true(gate_enter(gate, "whk_a") > 0);
    assert_int_equal(gate_enter(gate, "whk_b"), 0);
    for (int i = 0; i < 4; i++) {
        gate_leave(gate, "whk_a", GATE_GOOD, 5);
    }
    for (int i = 0; i < 100; i++) {
        attempt(gate, "whk_a", GATE_GOOD);
    }
    gate_look(gate, "whk_a", &view);
    assert_int_equal(view.limit, 8);
    attempt(gate, "whk_a", GATE_BAD);
    gate_look(gate, "whk_a", &view);
    assert_int_equal(view.limit, 4);
    attempt(gate, "whk_a", GATE_CUT);
    gate_look(gate, "whk_a", &view);
    assert_int_equal(view.limit, 4);
    gate_leave(gate, "whk_b", GATE_GOOD, 5);
    gate_free(gate);
}

static void only_a_quick_endpoint_that_is_well_lets_wait(void **state)
{
    struct gate *gate = gate_new(100, 0);
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(gate_try(gate, "whk_a"), 0);
    }
    assert_int_equal(gate_try(gate, "whk_a"), GATE_SOON);
    assert_true(gate_enter(gate, "whk_a") > 0);
    gate_leave(gate, "whk_a", GATE_GOOD, 60000); /* slow */
    assert_int_equal(gate_try(gate, "whk_a"), 0);
    assert_true(gate_try(gate, "whk_a") > 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(gate_try(gate, "whk_b"), 0);
    }
    gate_leave(gate, "whk_b", GATE_BAD, 5); /* not well */
    assert_true(gate_try(gate, "whk_b") > 0);
    gate_free(gate);
}

static void the_breaker_opens_probes_and_doubles(void **state)
{
    struct gate *gate = gate_new(100, 0);
    struct gate_view view;
    int64_t opened[] = {30000, 60000, 120000, 240000, 480000, 900000, 900000};
    (void)state;
    break_it(gate, "whk_a");
    for (int i = 0; i < 7; i++) {
        gate_look(gate, "whk_a", &view);
        assert_int_equal(view.breaker, BREAKER_OPEN);
        assert_in_range(view.open_ms, opened[i] - 500, opened[i]);
        assert_true(gate_enter(gate, "whk_a") > 0);
        clock_shift_mono(opened[i]);
        assert_int_equal(gate_enter(gate, "whk_a"), 0);
        assert_true(gate_enter(gate, "whk_a") > 0); /* one probe at a time */
        gate_leave(gate, "whk_a", GATE_BAD, 5);
    }
    clock_shift_mono(900000);
    attempt(gate, "whk_a", GATE_GOOD);
    gate_look(gate, "whk_a", &view);
    assert_int_equal(view.breaker, BREAKER_CLOSED);
    break_it(gate, "whk_a");
    gate_look(gate, "whk_a", &view);
    assert_in_range(view.open_ms, 29500, 30000);
    gate_reset(gate, "whk_a");
    attempt(gate, "whk_a", GATE_GOOD);
    gate_free(gate);
}

static void seven_of_ten_must_fail_within_five_minutes(void **state)
{
    struct gate *gate = gate_new(100, 0);
    struct gate_view view;
    (void)state;
    for (int i = 0; i < 40; i++) {
        attempt(gate, "whk_a", i % 5 < 3 ? GATE_BAD : GATE_GOOD);
    }
    gate_look(gate, "whk_a", &view);
    assert_int_equal(view.breaker, BREAKER_CLOSED);
    for (int i = 0; i < 9; i++) {
        attempt(gate, "whk_b", GATE_BAD);
    }
    clock_shift_mono(301000);
    for (int i = 0; i < 9; i++) {
        attempt(gate, "whk_b", GATE_BAD);
    }
    gate_look(gate, "whk_b", &view);
    assert_int_equal(view.breaker, BREAKER_CLOSED);
    attempt(gate, "whk_b", GATE_BAD);
    gate_look(gate, "whk_b", &view);
    assert_int_equal(view.breaker, BREAKER_OPEN);
    gate_free(gate);
}

static void those_turned_away_come_back_one_after_the_other(void **state)
{
    struct gate *gate = gate_new(100, 50);
    int64_t last = 0;
    int let_in = 0;
    (void)state;
    for (int i = 0; i < 500; i++) {
        int64_t wait = gate_enter(gate, "whk_a");
        if (wait == 0) {
            let_in++;
            gate_leave(gate, "whk_a", GATE_GOOD, 0);
            continue;
        }
        assert_true(wait >= last);
        last = wait;
    }
    assert_in_range(let_in, 50, 60);
    assert_in_range(last, 8000, 10500);
    gate_free(gate);
}

static void the_unwell_leave_room_for_the_well(void **state)
{
    struct gate *gate = gate_new(8, 0);
    const char *const bad[] = {"whk_1", "whk_2"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 30; k++) {
            attempt(gate, bad[i], GATE_GOOD);
        }
        attempt(gate, bad[i], GATE_BAD);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(gate_enter(gate, "whk_1"), 0);
    }
    assert_int_equal(gate_enter(gate, "whk_2"), 0);
    assert_true(gate_enter(gate, "whk_2") > 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gate_enter(gate, "whk_well"), 0);
    }
    assert_true(gate_enter(gate, "whk_well") > 0);
    gate_free(gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_grow_with_success_and_halve_with_failure),
        cmocka_unit_test(only_a_quick_endpoint_that_is_well_lets_wait),
        cmocka_unit_test(the_breaker_opens_probes_and_doubles),
        cmocka_unit_test(seven_of_ten_must_fail_within_five_minutes),
        cmocka_unit_test(those_turned_away_come_back_one_after_the_other),
        cmocka_unit_test(the_unwell_leave_room_for_the_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
