/* Tests of memory kept by a thread (queue/base/shelf.h). */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/base/sanitized.h"
#include "queue/base/shelf.h"

static void what_was_given_is_taken_again(void **state)
{
    static const size_t sizes[] = {1, 24, 25, 100, 256, 257, 1025, 2000};
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *first = shelf_take(sizes[i]);
        uintptr_t was = (uintptr_t)first;
        memset(first, 'a', sizes[i]);
        shelf_give(first);
        char *again = shelf_take(sizes[i]);
        if (!SANITIZED) {
            assert_int_equal(was, (uintptr_t)again);
        }
        memset(again, 'b', sizes[i]);
        shelf_give(again);
    }
}

static void a_piece_grows_with_what_it_holds(void **state)
{
    char *text = shelf_retake(NULL, 1);
    (void)state;
    text[0] = 'x';
    for (size_t size = 2; size < 100000; size = size * 3 / 2 + 1) {
        text = shelf_retake(text, size);
        assert_int_equal(text[0], 'x');
        assert_int_equal(text[size / 2 - (size / 2 > 0)], 'x');
        memset(text, 'x', size);
    }
    shelf_give(text);
}

static void zeroed_is_zeroed_even_when_kept(void **state)
{
    static const char blank[200];
    char *used = shelf_take(200);
    (void)state;
    memset(used, 0xff, 200);
    shelf_give(used);
    char *zeroed = shelf_take_zeroed(10, 20);
    assert_memory_equal(zeroed, blank, 200);
    shelf_give(zeroed);
    assert_null(shelf_take_zeroed(SIZE_MAX / 2, 3));
}

static void a_text_is_copied(void **state)
{
    char *copy = shelf_take_text("one two");
    (void)state;
    assert_string_equal(copy, "one two");
    free(copy);
}

/* Frees what another thread took. */
static void *other_thread(void *arg)
{
    shelf_give(arg);
    return shelf_take(64);
}

static void pieces_cross_threads(void **state)
{
    pthread_t thread;
    void *theirs;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, other_thread, shelf_take(64)), 0);
    assert_int_equal(pthread_join(thread, &theirs), 0);
    memset(theirs, 1, 64);
    shelf_give(theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_is_taken_again),
        cmocka_unit_test(a_piece_grows_with_what_it_holds),
        cmocka_unit_test(zeroed_is_zeroed_even_when_kept),
        cmocka_unit_test(a_text_is_copied),
        cmocka_unit_test(pieces_cross_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
