/* id_test.c: form, order and time of ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/base/clock.h"
#include "queue/base/id.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void ids_rise_even_when_the_clock_steps_back(void **state)
{
    struct id before = id_new("msg");

    (void)state;
    for (int i = 0; i < 20000; i++) {
        if (i == 10000) {
            clock_shift_wall(-3600000);
        }
        struct id id = id_new("msg");
        assert_true(id_is(id.text, "msg"));
        assert_true(strcmp(before.text, id.text) < 0);
        before = id;
    }
    clock_shift_wall(3600000);
}

static void ids_carry_their_time(void **state)
{
    (void)state;
    clock_shift_wall(1000000); /* away from the ids of other tests, which may have run ahead */
    int64_t low = clock_wall_ms();
    struct id id = id_new("evt");
    int64_t high = clock_wall_ms();
    char floor[27], after[27];

    assert_in_range(id_time_ms(id.text), low, high);
    id_floor(id_time_ms(id.text), floor);
    id_floor(id_time_ms(id.text) + 1, after);
    assert_int_equal(strlen(floor), 26);
    assert_true(strcmp(floor, id.text + 4) <= 0);
    assert_true(strcmp(id.text + 4, after) < 0);
    clock_shift_wall(-1000000);
}

static void floor_is_clamped(void **state)
{
    char text[27];

    (void)state;
    id_floor(-5, text);
    assert_string_equal(text, "00000000000000000000000000");
    id_floor(INT64_MAX, text);
    assert_string_equal(text, "7ZZZZZZZZZ0000000000000000");
    id_floor(1469918176385, text);
    assert_memory_equal(text, "01ARYZ6S41", 10);
}

static void forms_are_checked(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"msg_01ARYZ6S410000000000000000", true},
        {"msg_7ZZZZZZZZZZZZZZZZZZZZZZZZZ", true},
        {"msg_8ZZZZZZZZZZZZZZZZZZZZZZZZZ", false},
        {"msg_01ARYZ6S41000000000000000", false},
        {"msg_01ARYZ6S4100000000000000000", false},
        {"msg_01aryz6s410000000000000000", false},
        {"msg_01ARYZ6S41000000000000000U", false},
        {"msg-01ARYZ6S410000000000000000", false},
        {"evt_01ARYZ6S410000000000000000", false},
        {"ms_01ARYZ6S410000000000000000", false},
        {"msg", false},
        {"", false},
        {NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(id_is(cases[i].text, "msg"), cases[i].good);
    }
    assert_int_equal(id_time_ms("msg_01ARYZ6S410000000000000000"), 1469918176385);
    assert_int_equal(id_time_ms("msg_01ARYZ6S41"), -1);
    assert_int_equal(id_time_ms(NULL), -1);
}

#define THREADS 4
#define EACH    5000

static struct id made[THREADS][EACH];

static void *make_ids(void *arg)
{
    for (int i = 0; i < EACH; i++) {
        ((struct id *)arg)[i] = id_new("job");
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct id *)a)->text, ((const struct id *)b)->text);
}

static void threads_never_share_an_id(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, made[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    struct id *all = &made[0][0];
    qsort(all, THREADS * EACH, sizeof *all, compare);
    for (int i = 1; i < THREADS * EACH; i++) {
        assert_string_not_equal(all[i - 1].text, all[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_rise_even_when_the_clock_steps_back),
        cmocka_unit_test(ids_carry_their_time),
        cmocka_unit_test(floor_is_clamped),
        cmocka_unit_test(forms_are_checked),
        cmocka_unit_test(threads_never_share_an_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
