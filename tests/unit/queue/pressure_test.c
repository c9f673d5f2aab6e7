/* pressure_test.c: readers that stay, clocks that jump or run fast, lanes looked at from outside: the seam's
 * conformance, part four. */
#include "store_fixture.h"

#define CHURN_BYTES (256 << 10)

static uint64_t used_bytes(struct fixture *f)
{
    struct store_status status;

    store_status(f->store, &status);
    return status.used_bytes;
}

/* Writes the same few records anew, many times. */
static void churn(struct fixture *f, int rounds, char fill)
{
    char *bytes = xcalloc(1, CHURN_BYTES);
    char id[16];

    memset(bytes, fill, CHURN_BYTES);
    for (int i = 0; i < rounds; i++) {
        struct changes *cs = changes_new();
        snprintf(id, sizeof id, "hok_%d", i % 4);
        changes_put_bytes(cs, KIND_HOOK, PART, id, bytes, CHURN_BYTES);
        assert_int_equal(commit(f, cs), ERR_OK);
    }
    free(bytes);
}

static char first_byte(struct snapshot *snap, const char *id)
{
    const void *data = NULL;
    size_t size = 0;

    assert_int_equal(snapshot_get_bytes(snap, KIND_HOOK, PART, id, &data, &size, NULL), ERR_OK);
    assert_int_equal(size, CHURN_BYTES);
    return *(const char *)data;
}

/* A snapshot that nobody closes: it keeps its view, writes go on, its age is told; what it held is used again
 * once it is gone. */
static void test_reader_stays(void **state)
{
    struct fixture *f = *state;
    struct store_status status;
    struct snapshot *stuck;

    churn(f, 8, 'a');
    assert_int_equal(snapshot_open(f->store, &stuck), ERR_OK);
    churn(f, 60, 'b');
    clock_shift_mono(5000);
    store_status(f->store, &status);
    assert_true(status.writable);
    assert_true(status.oldest_reader_ms >= 5000);
    assert_true(store_accepts(f->store));
    assert_int_equal(first_byte(stuck, "hok_0"), 'a');
    assert_int_equal(first_byte(stuck, "hok_3"), 'a');
    snapshot_close(stuck);
    store_status(f->store, &status);
    assert_true(status.oldest_reader_ms < 5000);
    churn(f, 60, 'c');
    uint64_t held = used_bytes(f);
    churn(f, 240, 'd');
    assert_true(used_bytes(f) <= held + (8u << 20));
    assert_int_equal(snapshot_open(f->store, &stuck), ERR_OK);
    assert_int_equal(first_byte(stuck, "hok_2"), 'd');
    snapshot_close(stuck);
}

/* A reader of another thread that leaves when it is told to, or after two seconds. */
struct guest {
    struct fixture *f;
    struct gate gate;
    int inside, told;
    bool whole;
};

static void *guest_main(void *arg)
{
    struct guest *g = arg;
    struct snapshot *snap;

    assert_int_equal(snapshot_open(g->f->store, &snap), ERR_OK);
    gate_add(&g->gate, &g->inside, 1);
    (void)gate_wait(&g->gate, &g->told, 1, 2000);
    g->whole =
        first_byte(snap, "hok_1") == 'a' && snapshot_count(snap, KIND_HOOK, PART, INDEX_NONE, NULL) == 4;
    snapshot_close(snap);
    return NULL;
}

/* The map is full while somebody reads: at the latest when that one leaves it has grown; no write is lost,
 * and the reader saw its own state to the end. */
static void test_map_grows_beside_a_reader(void **state)
{
    struct fixture *f = *state;
    struct guest g = {.f = f, .gate = GATE_INIT};
    pthread_t thread;
    char id[16];

    store_close(f->store);
    assert_int_equal(store_open(f->uri, 1 << 20, 100, &f->store), ERR_OK);
    churn(f, 4, 'a');
    assert_int_equal(pthread_create(&thread, NULL, guest_main, &g), 0);
    assert_true(gate_wait(&g.gate, &g.inside, 1, WAIT_MS));
    char *bytes = xcalloc(1, CHURN_BYTES);
    for (int i = 100; i < 160; i++) {
        struct changes *cs = changes_new();
        snprintf(id, sizeof id, "hok_%d", i);
        changes_put_bytes(cs, KIND_HOOK, PART, id, bytes, CHURN_BYTES);
        assert_int_equal(commit(f, cs), ERR_OK);
    }
    free(bytes);
    gate_add(&g.gate, &g.told, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(g.whole);
    fixture_reopen(f);
    assert_int_equal(count(f, KIND_HOOK, INDEX_NONE, NULL), 64);
}

/* A job that fails once and is tried again after a minute. */
struct retry {
    struct gate gate;
    int runs;
};

static void retry_run(struct job *job, void *arg)
{
    struct retry *r = arg;
    struct changes *cs = changes_new();

    if (job_tries(job) == 0) {
        changes_retry(cs, job, 60000, "test");
    } else {
        changes_ack(cs, job);
    }
    job_finish(job, cs, NULL, NULL);
    gate_add(&r->gate, &r->runs, 1);
}

/* Waits until the lane's job is put off: its end is durable after the handler has run. */
static void await_waiting(struct fixture *f)
{
    struct queue_shape shape;
    int64_t deadline = clock_mono_ms() + WAIT_MS;

    do {
        store_queue_shape(f->store, QUEUE_SEND, &shape);
    } while (shape.held > 0 && clock_mono_ms() < deadline);
    assert_int_equal(shape.held, 0);
    assert_int_equal(shape.jobs, 1);
}

/* Whatever the wall clock does, a retry comes after its minute, not before and not later. */
static void test_retry_and_the_wall_clock(void **state)
{
    static const struct {
        const char *label;
        int64_t at_once_ms, per_second_ms;
    } rows[] = {{"ten days ahead", 864000000, 0},
                {"two hours back", -7200000, 0},
                {"a leap second", -1000, 0},
                {"ten times as fast", 0, 9000},
                {"standing still", 0, -1000}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture *f = *state;
        struct retry r = {.gate = GATE_INIT};
        int64_t shifted = rows[i].at_once_ms;
        struct workers *ws = workers_new(f->store, 1, 4);
        workers_handle(ws, QUEUE_SEND, retry_run, &r);
        assert_int_equal(workers_start(ws), ERR_OK);
        push(f, QUEUE_SEND, PART, "a", 0, 1);
        assert_true(gate_wait(&r.gate, &r.runs, 1, WAIT_MS));
        await_waiting(f);
        clock_shift_wall(shifted);
        for (int second = 0; second < 50; second++) {
            clock_shift_mono(1000);
            clock_shift_wall(1000 + rows[i].per_second_ms);
            shifted += 1000 + rows[i].per_second_ms;
        }
        if (gate_wait(&r.gate, &r.runs, 2, 300)) {
            fail_msg("%s: tried again too early", rows[i].label);
        }
        clock_shift_mono(11000);
        if (!gate_wait(&r.gate, &r.runs, 2, WAIT_MS)) {
            fail_msg("%s: stuck", rows[i].label);
        }
        workers_stop(ws, WAIT_MS);
        workers_free(ws);
        clock_shift_wall(-shifted);
    }
}

/* The age of a lane's first job, held or not; nothing for an empty lane. */
static void test_lane_oldest(void **state)
{
    struct fixture *f = *state;
    int64_t before = clock_wall_ms();

    assert_int_equal(store_lane_oldest(f->store, QUEUE_SEND, PART, "a"), 0);
    push(f, QUEUE_SEND, PART, "a", 3600000, 1);
    clock_shift_wall(60000);
    push(f, QUEUE_SEND, PART, "a", 0, 2);
    push(f, QUEUE_SEND, PART_B, "a", 0, 3);
    assert_in_range(store_lane_oldest(f->store, QUEUE_SEND, PART, "a"), before, before + 30000);
    assert_in_range(store_lane_oldest(f->store, QUEUE_SEND, PART_B, "a"), before + 60000, before + 90000);
    assert_int_equal(store_lane_oldest(f->store, QUEUE_TURN, PART, "a"), 0);
    fixture_reopen(f);
    assert_in_range(store_lane_oldest(f->store, QUEUE_SEND, PART, "a"), before, before + 30000);
    clock_shift_wall(-60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_reader_stays),
        STORE_TEST(test_map_grows_beside_a_reader),
        STORE_TEST(test_retry_and_the_wall_clock),
        STORE_TEST(test_lane_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
