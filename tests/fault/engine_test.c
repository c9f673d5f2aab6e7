/* engine_test.c: each storage call fails in turn: nothing told as done is lost, nothing is half done, and
 * after a failed write or sync nothing is told as done any more. */
#include <sys/stat.h>

#include "queue/store_int.h"
#include "tests/fault/engine_fault.h"
#include "tests/fault/workload.h"
#include "tests/unit/queue/store_fixture.h"

#define WRITERS  2
#define STEPS    9
#define REFUSALS 12           /* more than any case that passes */
#define SMALL    (128u << 10) /* a map so small that it must grow */

struct writer {
    pthread_t thread;
    struct store *store;
    unsigned number, acked, refused, acked_after_io;
};

/* Makes the steps in order; each refused one again, a few times. */
static void *writer_main(void *arg)
{
    struct writer *w = arg;
    bool io = false;

    while (w->acked < STEPS && w->refused < REFUSALS) {
        enum err rc = store_submit_wait(w->store, workload_step(w->number, w->acked + 1), NULL);
        if (rc == ERR_OK || rc == ERR_SEEN) {
            w->acked++;
            w->acked_after_io += io;
        } else {
            w->refused++;
            io = io || rc == ERR_IO;
        }
    }
    return NULL;
}

struct outcome {
    unsigned acked[WRITERS], refused, acked_after_io;
};

/* Runs the script on an open store, with a worker for the jobs if wanted. */
static struct outcome script(struct store *store, bool working)
{
    struct writer writers[WRITERS];
    struct outcome out = {0};
    struct workers *workers = NULL;

    if (working) {
        workers = workers_new(store, 1, 2);
        workers_handle(workers, QUEUE_DELIVER, workload_job, NULL);
        assert_int_equal(workers_start(workers), ERR_OK);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.store = store, .number = i, .acked = workload_done(store, i)};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, writer_main, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        out.acked[i] = writers[i].acked;
        out.refused += writers[i].refused;
        out.acked_after_io += writers[i].acked_after_io;
    }
    if (working) {
        workers_stop(workers, 1000);
        workers_free(workers);
    }
    return out;
}

static void assert_fits(struct store *store)
{
    struct buf why;

    buf_init(&why, 4096);
    bool fits = workload_check(store, WRITERS, &why);
    if (!fits) {
        print_error("%s", buf_str(&why));
    }
    buf_fini(&why);
    assert_true(fits);
}

/* After a failed write or sync: read-only until restart, and it says so. */
static void assert_read_only(struct store *store)
{
    struct store_status status;

    store_status(store, &status);
    assert_false(status.writable);
    assert_false(store_accepts(store));
    assert_int_equal(store_submit_wait(store, workload_step(0, STEPS + 1), NULL), ERR_IO);
    assert_int_equal(fault_commits_after_io(), 0);
}

static void assert_done(struct store *store, const struct outcome *out, unsigned slack)
{
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_in_range(workload_done(store, i), out->acked[i], out->acked[i] + slack);
    }
}

/* One life of a store under a plan, and the next one without. Returns how many calls failed. */
static unsigned live_through(struct fixture *f, const struct fault_plan *plan, bool working)
{
    bool final = plan->rc == ERR_IO && plan->call != FAULT_JOB;

    /* A commit that is to come through must not meet a small map. */
    uint64_t map = plan->late ? MAP_SIZE : SMALL;
    assert_int_equal(store_open_engine(engine_fault(), f->dir, map, 1024, &f->store), ERR_OK);
    fault_set(plan);
    struct outcome out = script(f->store, working);
    unsigned hit = fault_hits();
    assert_int_equal(out.acked_after_io, 0);
    assert_done(f->store, &out, plan->late ? 1 : 0);
    if (final && hit > 0) {
        assert_read_only(f->store);
    } else if (plan->times == 1) {
        assert_true(out.acked[0] == STEPS && out.acked[1] == STEPS);
    }
    if (!plan->late) {
        assert_fits(f->store);
    }
    fault_set(NULL);
    fixture_reopen(f);
    assert_done(f->store, &out, plan->late ? 1 : 0);
    assert_fits(f->store);
    out = script(f->store, working);
    assert_true(out.refused == 0 && out.acked[0] == STEPS && out.acked[1] == STEPS);
    assert_fits(f->store);
    store_close(f->store);
    f->store = NULL;
    return hit;
}

static void emptied(struct fixture *f)
{
    remove_dir(f->dir);
    assert_int_equal(mkdir(f->dir, 0700), 0);
}

/* The n-th call fails, for n = 1, 2, ... until there is no n-th call. */
static void test_each_call_fails(void **state)
{
    static const struct {
        const char *label;
        struct fault_plan plan;
    } cases[] = {
        {"begin io", {.call = FAULT_BEGIN, .rc = ERR_IO}},
        {"begin no memory", {.call = FAULT_BEGIN, .rc = ERR_NOMEM}},
        {"apply io", {.call = FAULT_APPLY, .rc = ERR_IO}},
        {"apply full", {.call = FAULT_APPLY, .rc = ERR_FULL}},
        {"apply corrupt", {.call = FAULT_APPLY, .rc = ERR_CORRUPT}},
        {"commit io", {.call = FAULT_COMMIT, .rc = ERR_IO}},
        {"commit io, but durable", {.call = FAULT_COMMIT, .rc = ERR_IO, .late = true}},
        {"commit full", {.call = FAULT_COMMIT, .rc = ERR_FULL}},
        {"commit corrupt", {.call = FAULT_COMMIT, .rc = ERR_CORRUPT}},
        {"read a job io", {.call = FAULT_JOB, .rc = ERR_IO}},
        {"read a job no memory", {.call = FAULT_JOB, .rc = ERR_NOMEM}},
    };
    struct fixture *f = *state;
    unsigned lives = 0;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fault_plan plan = cases[i].plan;
        plan.times = 1;
        unsigned hit = 1;
        for (plan.nth = 1; hit > 0; plan.nth++, lives++) {
            emptied(f);
            hit = live_through(f, &plan, plan.call == FAULT_JOB || plan.nth % 2 == 0);
        }
        print_message("  %-24s %u calls failed in turn\n", cases[i].label, plan.nth - 2);
        assert_true(plan.nth > 2);
    }
    print_message("  %u lives\n", lives);
}

/* A full disk: refused for as long as it is full, well again by itself. */
static void test_full_for_a_while(void **state)
{
    struct fixture *f = *state;

    for (unsigned times = 1; times <= 6; times++) {
        struct fault_plan plan = {.call = FAULT_COMMIT, .nth = 5, .times = times, .rc = ERR_FULL};
        emptied(f);
        unsigned hit = live_through(f, &plan, times % 2 == 0);
        assert_in_range(hit, 1, times); /* fewer when what waited shared its commits */
    }
}

/* A set that cannot be applied is refused alone, whatever shares its batch. */
static void test_poison_stays_alone(void **state)
{
    struct fixture *f = *state;
    struct fault_plan plan = {
        .call = FAULT_APPLY, .nth = 1, .times = UINT32_MAX, .rc = ERR_CORRUPT, .name = "poison"};
    struct brake b = {.gate = GATE_INIT};
    struct store_status before, after;

    emptied(f);
    assert_int_equal(store_open_engine(engine_fault(), f->dir, MAP_SIZE, 1024, &f->store), ERR_OK);
    fault_set(&plan);
    brake_on(f, &b);
    store_status(f->store, &before);
    for (int i = 0; i < 9; i++) {
        struct changes *cs = changes_new();
        changes_add(cs, PART, i == 4 ? "poison" : "fine", 1);
        store_submit(f->store, cs, NULL, NULL);
    }
    brake_off(f, &b);
    struct changes *cs = changes_new();
    changes_add(cs, PART, "poison", 1);
    assert_int_equal(commit(f, cs), ERR_CORRUPT);
    store_status(f->store, &after);
    assert_true(after.writable);
    struct snapshot *snap;
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_counter(snap, PART, "fine"), 8);
    assert_int_equal(snapshot_counter(snap, PART, "poison"), 0);
    snapshot_close(snap);
    assert_true(after.commits > before.commits);
    fault_set(NULL);
}

/* Opens nothing by name: no uri leads here. */
static void test_no_uri_chooses_it(void **state)
{
    struct fixture *f = *state;
    struct store *store;
    char uri[100];

    snprintf(uri, sizeof uri, "fault:%s", f->dir);
    assert_int_equal(store_open(uri, MAP_SIZE, 10, &store), ERR_INVALID);
}

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *f = *state;

    store_close(f->store);
    f->store = NULL;
    return rc;
}

#define FAULT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(test_each_call_fails),
        FAULT_TEST(test_full_for_a_while),
        FAULT_TEST(test_poison_stays_alone),
        FAULT_TEST(test_no_uri_chooses_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
