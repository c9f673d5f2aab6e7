/* desk_test.c: who waits at an endpoint and in which order they come out, and ends that go to the committer
 * together. A worker collects the jobs, then plays one scene with them on its own thread. */
#include "tests/unit/queue/store_fixture.h"

#include "bridge/webhooks/desk.h"
#include "queue/base/buf.h"

#define JOBS_MOST 200

struct scene {
    struct gate gate;
    int jobs;   /* that the scene is for */
    int played; /* scenes */
    int done, cut;
    void (*play)(struct scene *scene, struct desk *desk);
    struct job *job[JOBS_MOST];
    int have;
    char log[2048];
};

static void say(struct scene *s, const char *what, const struct job *job)
{
    size_t used = strlen(s->log);
    if (job != NULL) {
        snprintf(s->log + used, sizeof(s->log) - used, "%s:%d ", what,
                 (int)jx_int(job_payload(job), "n", -1));
    } else {
        snprintf(s->log + used, sizeof(s->log) - used, "%s:- ", what);
    }
}

static void on_done(enum err rc, uint64_t rev, void *arg)
{
    struct scene *s = arg;
    (void)rev;
    if (rc == ERR_OK) {
        gate_add(&s->gate, &s->done, 1);
    }
}

static void on_cut(void *arg)
{
    struct scene *s = arg;
    gate_add(&s->gate, &s->cut, 1);
}

/* Ends a job through the desk. */
static void end_job(struct scene *s, struct desk *desk, struct job *job)
{
    struct changes *cs = changes_new();
    changes_ack(cs, job);
    desk_finish(desk, job, cs, on_done, on_cut, s);
}

static void collect(struct job *job, void *arg)
{
    struct scene *s = arg;
    s->job[s->have++] = job;
    if (s->have == s->jobs) {
        s->play(s, desk_here(job));
        gate_add(&s->gate, &s->played, 1);
    }
}

/* Pushes the scene's jobs, one lane each so that all are leased, in the order of their numbers. */
static struct workers *start(struct fixture *f, struct scene *s)
{
    struct changes *cs = changes_new();
    for (int i = 0; i < s->jobs; i++) {
        char lane[16];
        snprintf(lane, sizeof(lane), "lane%d", i);
        add_push(cs, QUEUE_DELIVER, PART, lane, 0, i);
    }
    assert_int_equal(commit(f, cs), ERR_OK);
    struct workers *ws = workers_new(f->store, 1, JOBS_MOST);
    workers_handle(ws, QUEUE_DELIVER, collect, s);
    assert_int_equal(workers_start(ws), ERR_OK);
    return ws;
}

static void stop(struct workers *ws)
{
    assert_int_equal(workers_stop(ws, WAIT_MS), 0);
    workers_free(ws);
    desks_reset(0);
}

static uint64_t jobs_left(struct fixture *f)
{
    struct queue_shape shape;
    store_queue_shape(f->store, QUEUE_DELIVER, &shape);
    return shape.jobs;
}

/* 0 flies at a; 1 and 2 wait there; 3 finds the desk full; 4 has nobody to wait for at b. */
static void play_waiting(struct scene *s, struct desk *desk)
{
    desk_enter(desk, "whk_a");
    say(s, desk_wait(desk, "whk_a", s->job[1]) ? "waits" : "no", s->job[1]);
    say(s, desk_wait(desk, "whk_a", s->job[2]) ? "waits" : "no", s->job[2]);
    say(s, desk_wait(desk, "whk_a", s->job[3]) ? "waits" : "no", s->job[3]);
    say(s, desk_wait(desk, "whk_b", s->job[4]) ? "waits" : "no", s->job[4]);
    say(s, "stranded", desk_stranded(desk, "whk_a")); /* one is under way: nobody is */
    say(s, "next", desk_leave(desk, "whk_a"));
    say(s, "stranded", desk_stranded(desk, "whk_a")); /* 1 was not let in: 2 would wait for ever */
    say(s, "stranded", desk_stranded(desk, "whk_a"));
    for (int i = 0; i < s->have; i++) {
        end_job(s, desk, s->job[i]);
    }
}

static void waiters_come_out_oldest_first_and_none_is_stranded(void **state)
{
    struct fixture *f = *state;
    struct scene s = {.gate = GATE_INIT, .jobs = 5, .play = play_waiting};
    desks_reset(2);
    struct workers *ws = start(f, &s);
    assert_true(gate_wait(&s.gate, &s.done, 5, WAIT_MS));
    stop(ws);
    assert_string_equal(s.log, "waits:1 waits:2 no:3 no:4 stranded:- next:1 stranded:2 stranded:- ");
    assert_int_equal(s.cut, 0);
    assert_int_equal(jobs_left(f), 0);
}

/* Two rooms: who leaves one lets in nobody of the other. */
static void play_rooms(struct scene *s, struct desk *desk)
{
    desk_enter(desk, "whk_a");
    desk_enter(desk, "whk_a");
    desk_enter(desk, "whk_b");
    say(s, desk_wait(desk, "whk_b", s->job[3]) ? "waits" : "no", s->job[3]);
    say(s, "a", desk_leave(desk, "whk_a"));
    say(s, "b", desk_leave(desk, "whk_b"));
    say(s, "a", desk_leave(desk, "whk_a"));
    for (int i = 0; i < s->have; i++) {
        end_job(s, desk, s->job[i]);
    }
}

static void each_endpoint_has_a_room_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct scene s = {.gate = GATE_INIT, .jobs = 4, .play = play_rooms};
    desks_reset(8);
    struct workers *ws = start(f, &s);
    assert_true(gate_wait(&s.gate, &s.done, 4, WAIT_MS));
    stop(ws);
    assert_string_equal(s.log, "waits:3 a:- b:3 a:- ");
}

/* While others are under way an end waits for the timer; the number of ends fills a handful and more. */
static void play_ends(struct scene *s, struct desk *desk)
{
    desk_enter(desk, "whk_a");
    for (int i = 0; i < s->have; i++) {
        end_job(s, desk, s->job[i]);
    }
}

static void ends_are_handed_over_though_others_are_under_way(void **state)
{
    static const int cases[] = {1, 3, 128, 150};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene s = {.gate = GATE_INIT, .jobs = cases[i], .play = play_ends};
        desks_reset(0);
        struct workers *ws = start(f, &s);
        assert_true(gate_wait(&s.gate, &s.done, cases[i], WAIT_MS));
        stop(ws);
        assert_int_equal(s.done, cases[i]);
        assert_int_equal(s.cut, 0);
        assert_int_equal(jobs_left(f), 0);
    }
}

/* 0 flies, 1 waits; nothing more happens. */
static void play_stay(struct scene *s, struct desk *desk)
{
    desk_enter(desk, "whk_a");
    say(s, desk_wait(desk, "whk_a", s->job[1]) ? "waits" : "no", s->job[1]);
}

static void a_stop_hands_out_again_who_waited(void **state)
{
    struct fixture *f = *state;
    struct scene s = {.gate = GATE_INIT, .jobs = 2, .play = play_stay};
    struct scene again = {.gate = GATE_INIT, .jobs = 2, .play = play_ends};
    desks_reset(8);
    struct workers *ws = start(f, &s);
    assert_true(gate_wait(&s.gate, &s.played, 1, WAIT_MS));
    assert_int_equal(workers_stop(ws, 0), 2);
    workers_free(ws);
    desks_reset(0);
    assert_string_equal(s.log, "waits:1 ");
    assert_int_equal(jobs_left(f), 2);
    ws = workers_new(f->store, 1, JOBS_MOST);
    workers_handle(ws, QUEUE_DELIVER, collect, &again);
    assert_int_equal(workers_start(ws), ERR_OK);
    assert_true(gate_wait(&again.gate, &again.done, 2, WAIT_MS));
    stop(ws);
    assert_int_equal(jobs_left(f), 0);
}

/* Stopped at once: each end is either recorded or told that it was cut, and only what was recorded is gone.
 */
static void a_stop_cuts_ends_or_records_them(void **state)
{
    struct fixture *f = *state;
    struct scene s = {.gate = GATE_INIT, .jobs = 20, .play = play_ends};
    desks_reset(0);
    struct workers *ws = start(f, &s);
    assert_true(gate_wait(&s.gate, &s.played, 1, WAIT_MS));
    unsigned lost = workers_stop(ws, 0);
    workers_free(ws);
    desks_reset(0);
    fixture_reopen(f); /* what was on its way to the committer is there now */
    assert_true((unsigned)s.cut <= lost);
    assert_true(s.done + s.cut <= 20);
    assert_true(jobs_left(f) <= 20 - (unsigned)s.done);
    assert_true(jobs_left(f) >= (unsigned)s.cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(waiters_come_out_oldest_first_and_none_is_stranded),
        STORE_TEST(each_endpoint_has_a_room_of_its_own),
        STORE_TEST(ends_are_handed_over_though_others_are_under_way),
        STORE_TEST(a_stop_hands_out_again_who_waited),
        STORE_TEST(a_stop_cuts_ends_or_records_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
