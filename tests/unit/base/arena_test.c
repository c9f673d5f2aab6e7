/* arena_test.c: alignment, the bound, deferred calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/base/arena.h"

static void allocations_are_zeroed_aligned_and_apart(void **state)
{
    struct arena *a = arena_new(1 << 20);
    unsigned char *kept[200];

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        size_t size = i * i % 5000 + 1;
        kept[i] = arena_alloc(a, size);
        assert_int_equal((uintptr_t)kept[i] % alignof(max_align_t), 0);
        for (size_t k = 0; k < size; k++) {
            assert_int_equal(kept[i][k], 0);
        }
        memset(kept[i], (int)i, size);
    }
    for (size_t i = 0; i < 200; i++) {
        size_t size = i * i % 5000 + 1;
        assert_int_equal(kept[i][0], i);
        assert_int_equal(kept[i][size - 1], i);
    }
    arena_free(a);
}

static void try_keeps_the_bound(void **state)
{
    struct arena *a = arena_new(4096);

    (void)state;
    assert_non_null(arena_try(a, 4000));
    assert_null(arena_try(a, 200));
    assert_non_null(arena_try(a, 96));
    assert_null(arena_try(a, 1));
    assert_null(arena_try(a, SIZE_MAX));
    assert_int_equal(arena_used(a), 4096);
    assert_non_null(arena_alloc(a, 100));
    assert_null(arena_try(a, 0));
    arena_free(a);
}

/* A deferred call of the test below. */
static void count_up(void *arg)
{
    ++*(int *)arg;
}

static void a_reset_arena_is_as_new(void **state)
{
    static const size_t firsts[] = {1, 100, 4096, 100000};
    int calls = 0;

    (void)state;
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        struct arena *a = arena_new(200000);
        for (int round = 0; round < 3; round++) {
            for (size_t size = firsts[i]; size < 200000 && arena_used(a) + size <= 150000; size += 999) {
                unsigned char *bytes = arena_try(a, size);
                assert_non_null(bytes);
                for (size_t k = 0; k < size; k++) {
                    assert_int_equal(bytes[k], 0);
                }
                memset(bytes, 0xff, size);
            }
            arena_defer(a, count_up, &calls);
            arena_reset(a);
            assert_int_equal(arena_used(a), 0);
            assert_int_equal(calls, (int)i * 3 + round + 1);
        }
        arena_free(a);
    }
    assert_int_equal(calls, 12);
}

static void texts_are_copied(void **state)
{
    struct arena *a = arena_new(0);

    (void)state;
    assert_string_equal(arena_strdup(a, "whole"), "whole");
    assert_string_equal(arena_strndup(a, "whole", 2), "wh");
    assert_string_equal(arena_strndup(a, "who", 9), "who");
    assert_string_equal(arena_strdup(a, ""), "");
    assert_string_equal(arena_printf(a, "%05d|%s", 42, "x"), "00042|x");
    arena_free(a);
    arena_free(NULL);
}

static char order[8];

static void note(void *arg)
{
    strncat(order, arg, 1);
}

static void deferred_calls_run_latest_first(void **state)
{
    struct arena *a = arena_new(0);

    (void)state;
    arena_defer(a, note, "a");
    arena_defer(a, note, "b");
    arena_defer(a, free, malloc(10));
    arena_defer(a, note, arena_strdup(a, "c"));
    assert_string_equal(order, "");
    arena_free(a);
    assert_string_equal(order, "cba");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_zeroed_aligned_and_apart),
        cmocka_unit_test(try_keeps_the_bound),
        cmocka_unit_test(a_reset_arena_is_as_new),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(deferred_calls_run_latest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
