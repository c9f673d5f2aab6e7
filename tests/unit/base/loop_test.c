/* loop_test.c: order of the mailbox, timers, ending and starting again, many threads at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/base/clock.h"
#include "queue/base/loop.h"

#define THREADS       4
#define POSTS_OF_EACH 5000

struct note {
    struct loop *loop;
    int order[64];
    int count;
    int64_t at_us;
    struct loop_timer *timer;
};

struct letter {
    struct note *note;
    int value;
};

static void write_down(void *arg)
{
    struct letter *letter = arg;

    letter->note->order[letter->note->count++] = letter->value;
}

static void stop_it(void *arg)
{
    loop_stop(arg);
}

static void posts_run_in_order_until_stop(void **state)
{
    struct note note = {.loop = loop_new("order")};
    struct letter letters[6];

    (void)state;
    for (int i = 0; i < 6; i++) {
        letters[i] = (struct letter){.note = &note, .value = i};
    }
    for (int i = 0; i < 4; i++) {
        loop_post(note.loop, write_down, &letters[i]);
    }
    loop_stop(note.loop);
    loop_post(note.loop, write_down, &letters[4]);
    loop_run(note.loop);
    assert_int_equal(note.count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(note.order[i], i);
    }

    /* Run again, what was posted after the stop comes first. */
    loop_post(note.loop, write_down, &letters[5]);
    loop_stop(note.loop);
    loop_run(note.loop);
    assert_int_equal(note.count, 6);
    assert_int_equal(note.order[4], 4);
    assert_int_equal(note.order[5], 5);
    loop_free(note.loop);
}

static void posts_left_over_are_dropped(void **state)
{
    struct note note = {.loop = loop_new("left")};
    struct letter letter = {.note = &note, .value = 1};

    (void)state;
    loop_post(note.loop, write_down, &letter);
    loop_free(note.loop);
    assert_int_equal(note.count, 0);
    loop_free(NULL);
}

static void post_from_inside(void *arg)
{
    struct note *note = arg;
    static struct letter letter;

    letter = (struct letter){.note = note, .value = 2};
    loop_post(note->loop, write_down, &letter);
    note->order[note->count++] = 1; /* the letter has not run inside the call that posted it */
    loop_stop(note->loop);
}

static void a_post_never_runs_inside_posting(void **state)
{
    struct note note = {.loop = loop_new("inside")};

    (void)state;
    loop_post(note.loop, post_from_inside, &note);
    loop_run(note.loop);
    assert_int_equal(note.count, 2);
    assert_int_equal(note.order[0], 1);
    assert_int_equal(note.order[1], 2);
    loop_free(note.loop);
}

static void look_around(void *arg)
{
    struct note *note = arg;
    char name[16] = "";

    pthread_getname_np(pthread_self(), name, sizeof(name));
    note->order[0] = loop_is_current(note->loop) && loop_current() == note->loop;
    note->order[1] = strcmp(name, "a-name-longer-t") == 0;
    loop_stop(note->loop);
}

static void the_thread_knows_its_loop(void **state)
{
    struct note note = {.loop = loop_new("a-name-longer-than-fifteen")};

    (void)state;
    assert_null(loop_current());
    assert_int_equal(loop_start(note.loop), ERR_OK);
    loop_post(note.loop, look_around, &note);
    loop_join(note.loop);
    loop_join(note.loop);
    assert_true(note.order[0]);
    assert_true(note.order[1]);
    assert_false(loop_is_current(note.loop));
    assert_non_null(loop_base(note.loop));
    loop_free(note.loop);
}

static void fired(void *arg)
{
    struct letter *letter = arg;

    letter->note->order[letter->note->count++] = letter->value;
    letter->note->at_us = clock_mono_us();
}

static void timers_fire_in_order_of_time(void **state)
{
    struct note note = {.loop = loop_new("timers")};
    struct letter late = {&note, 3}, soon = {&note, 1}, middle = {&note, 2}, never = {&note, 9};
    struct loop_timer *cancelled;
    int64_t begun = clock_mono_us();

    (void)state;
    loop_after(note.loop, 60, fired, &late);
    loop_after(note.loop, 0, fired, &soon);
    loop_after(note.loop, 30, fired, &middle);
    cancelled = loop_after(note.loop, 10, fired, &never);
    loop_cancel(cancelled);
    loop_cancel(NULL);
    loop_after(note.loop, 90, stop_it, note.loop);
    loop_run(note.loop);
    assert_int_equal(note.count, 3);
    assert_int_equal(note.order[0], 1);
    assert_int_equal(note.order[1], 2);
    assert_int_equal(note.order[2], 3);
    assert_true(note.at_us - begun >= 50000);
    loop_free(note.loop);
}

static void after_a_long_turn(void *arg)
{
    struct letter *letter = arg;
    int64_t until = clock_mono_us() + 60000;

    while (clock_mono_us() < until) {
    }
    letter->value = 7;
    letter->note->at_us = clock_mono_us();
    loop_after(letter->note->loop, 40, stop_it, letter->note->loop);
}

static void a_timer_counts_from_now_not_from_the_turn(void **state)
{
    struct note note = {.loop = loop_new("turn")};
    struct letter letter = {.note = &note};

    (void)state;
    loop_post(note.loop, after_a_long_turn, &letter);
    loop_run(note.loop);
    assert_int_equal(letter.value, 7);
    assert_true(clock_mono_us() - note.at_us >= 30000);
    loop_free(note.loop);
}

static void timers_left_over_are_freed(void **state)
{
    struct note note = {.loop = loop_new("over")};
    struct letter letter = {.note = &note};

    (void)state;
    loop_after(note.loop, 100000, fired, &letter);
    loop_after(note.loop, 100000, fired, &letter);
    loop_free(note.loop);
    assert_int_equal(note.count, 0);
}

struct crowd {
    struct loop *loop;
    int last[THREADS]; /* touched on the loop's thread only */
    int faults;
    int total;
};

struct member {
    struct crowd *crowd;
    int index;
};

struct shout {
    struct crowd *crowd;
    int index;
    int value;
};

static void hear(void *arg)
{
    struct shout *shout = arg;
    struct crowd *crowd = shout->crowd;

    crowd->faults += shout->value != crowd->last[shout->index] + 1;
    crowd->last[shout->index] = shout->value;
    crowd->total++;
    free(shout);
    if (crowd->total == THREADS * POSTS_OF_EACH) {
        loop_stop(crowd->loop);
    }
}

static void *shout_all(void *arg)
{
    struct member *member = arg;

    for (int i = 1; i <= POSTS_OF_EACH; i++) {
        struct shout *shout = xmalloc(sizeof(*shout));
        *shout = (struct shout){.crowd = member->crowd, .index = member->index, .value = i};
        loop_post(member->crowd->loop, hear, shout);
    }
    return NULL;
}

static void many_threads_post(void **state)
{
    struct crowd crowd = {.loop = loop_new("crowd")};
    struct member *members = xcalloc(THREADS, sizeof(*members));
    pthread_t threads[THREADS];

    (void)state;
    assert_int_equal(loop_start(crowd.loop), ERR_OK);
    for (int i = 0; i < THREADS; i++) {
        members[i].crowd = &crowd;
        members[i].index = i;
        assert_int_equal(pthread_create(&threads[i], NULL, shout_all, &members[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    loop_join(crowd.loop);
    assert_int_equal(crowd.total, THREADS * POSTS_OF_EACH);
    assert_int_equal(crowd.faults, 0);
    loop_free(crowd.loop);
    free(members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_run_in_order_until_stop),
        cmocka_unit_test(posts_left_over_are_dropped),
        cmocka_unit_test(a_post_never_runs_inside_posting),
        cmocka_unit_test(the_thread_knows_its_loop),
        cmocka_unit_test(timers_fire_in_order_of_time),
        cmocka_unit_test(a_timer_counts_from_now_not_from_the_turn),
        cmocka_unit_test(timers_left_over_are_freed),
        cmocka_unit_test(many_threads_post),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
