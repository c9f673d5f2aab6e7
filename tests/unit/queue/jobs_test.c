/* jobs_test.c: lanes, leases, delays, retries, dead letters, workers: the seam's conformance, part two. */
#include "queue/base/loop.h"
#include "store_fixture.h"

/* What a handler saw and what it is to do. */
struct play {
    struct gate gate;
    int runs;       /* handler calls */
    int over;       /* answered ends */
    char log[4096]; /* "lane:n/tries " for each run */
    void (*end)(struct changes *cs, struct job *job, struct play *play);
    int running, most; /* at one time in one lane */
    bool hold;         /* leave jobs unfinished */
    struct job *held[16];
    int held_count;
    enum err last;
};

static void play_ended(enum err rc, uint64_t rev, void *arg)
{
    struct play *p = arg;

    (void)rev;
    pthread_mutex_lock(&p->gate.lock);
    p->last = rc;
    pthread_mutex_unlock(&p->gate.lock);
    gate_add(&p->gate, &p->over, 1);
}

static void play_run(struct job *job, void *arg)
{
    struct play *p = arg;
    struct changes *cs;

    pthread_mutex_lock(&p->gate.lock);
    size_t used = strlen(p->log);
    used = used < sizeof p->log ? used : sizeof p->log - 1;
    snprintf(p->log + used, sizeof p->log - used, "%s:%d/%u ", job_lane(job),
             (int)jx_int(job_payload(job), "n", -1), job_tries(job));
    p->running++;
    p->most = p->running > p->most ? p->running : p->most;
    if (p->hold) {
        p->held[p->held_count++] = job;
    }
    pthread_mutex_unlock(&p->gate.lock);
    if (!p->hold) {
        cs = changes_new();
        p->end(cs, job, p);
        pthread_mutex_lock(&p->gate.lock);
        p->running--;
        pthread_mutex_unlock(&p->gate.lock);
        job_finish(job, cs, play_ended, p);
    }
    gate_add(&p->gate, &p->runs, 1);
}

static void end_ack(struct changes *cs, struct job *job, struct play *p)
{
    (void)p;
    changes_ack(cs, job);
}

/* Fails until the third attempt. */
static void end_third(struct changes *cs, struct job *job, struct play *p)
{
    (void)p;
    if (job_tries(job) < 2) {
        changes_retry(cs, job, 1, "test");
    } else {
        changes_ack(cs, job);
    }
}

static struct workers *play_start(struct fixture *f, struct play *p, unsigned threads, unsigned in_flight)
{
    struct workers *ws = workers_new(f->store, threads, in_flight);

    workers_handle(ws, QUEUE_SEND, play_run, p);
    assert_int_equal(workers_start(ws), ERR_OK);
    return ws;
}

static void test_order_and_ack(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .end = end_ack};
    struct queue_shape shape;

    push(f, QUEUE_SEND, PART, "a", 0, 1);
    push(f, QUEUE_SEND, PART, "a", 0, 2);
    push(f, QUEUE_SEND, PART, "a", 0, 3);
    push(f, QUEUE_TURN, PART, "a", 0, 9);
    store_queue_shape(f->store, QUEUE_SEND, &shape);
    assert_int_equal(shape.jobs, 3);
    assert_int_equal(shape.lanes, 1);
    struct workers *ws = play_start(f, &p, 2, 4);
    assert_true(gate_wait(&p.gate, &p.over, 3, WAIT_MS));
    assert_int_equal(workers_stop(ws, WAIT_MS), 0);
    workers_free(ws);
    assert_string_equal(p.log, "a:1/0 a:2/0 a:3/0 ");
    assert_int_equal(p.most, 1);
    store_queue_shape(f->store, QUEUE_SEND, &shape);
    assert_int_equal(shape.jobs + shape.lanes + shape.held, 0);
    store_queue_shape(f->store, QUEUE_TURN, &shape);
    assert_int_equal(shape.jobs, 1);
}

static void test_retry_keeps_order(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .end = end_third};

    push(f, QUEUE_SEND, PART, "a", 0, 1);
    push(f, QUEUE_SEND, PART, "a", 0, 2);
    struct workers *ws = play_start(f, &p, 1, 4);
    assert_true(gate_wait(&p.gate, &p.over, 6, WAIT_MS));
    workers_free(ws);
    assert_string_equal(p.log, "a:1/0 a:1/1 a:1/2 a:2/0 a:2/1 a:2/2 ");
}

/* Eight lanes, three workers: each lane's numbers come in order and one at a time. */
struct lane_play {
    struct gate gate;
    int over, busy[8], next[8], wrong;
};

static void lane_over(enum err rc, uint64_t rev, void *arg)
{
    struct lane_play *p = arg;

    (void)rev;
    gate_add(&p->gate, &p->over, rc == ERR_OK);
}

static void lane_check(struct job *job, void *arg)
{
    struct lane_play *p = arg;
    struct changes *cs = changes_new();
    int lane = job_lane(job)[0] - 'a', n = (int)jx_int(job_payload(job), "n", -1);

    pthread_mutex_lock(&p->gate.lock);
    p->wrong += p->busy[lane] != 0 || p->next[lane] != n;
    p->busy[lane] = 1;
    p->next[lane] = n + 1;
    pthread_mutex_unlock(&p->gate.lock);
    changes_ack(cs, job);
    pthread_mutex_lock(&p->gate.lock);
    p->busy[lane] = 0;
    pthread_mutex_unlock(&p->gate.lock);
    job_finish(job, cs, lane_over, p);
}

static void test_order_of_many(void **state)
{
    struct fixture *f = *state;
    struct lane_play p = {.gate = GATE_INIT};
    struct workers *ws = workers_new(f->store, 3, 4);

    workers_handle(ws, QUEUE_SEND, lane_check, &p);
    assert_int_equal(workers_start(ws), ERR_OK);
    for (int n = 0; n < 25; n++) {
        struct changes *cs = changes_new();
        for (int lane = 0; lane < 8; lane++) {
            char name[2] = {(char)('a' + lane), '\0'};
            add_push(cs, QUEUE_SEND, lane % 2 ? PART : PART_B, name, 0, n);
        }
        assert_int_equal(commit(f, cs), ERR_OK);
    }
    assert_true(gate_wait(&p.gate, &p.over, 200, WAIT_MS));
    workers_free(ws);
    assert_int_equal(p.wrong, 0);
}

/* A partition with one lane comes to its turn however many the other has. */
static void test_fair(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .end = end_ack};
    struct changes *cs = changes_new();

    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "busy%d", i);
        add_push(cs, QUEUE_SEND, PART, name, 0, i);
    }
    add_push(cs, QUEUE_SEND, PART_B, "quiet", 0, 0);
    assert_int_equal(commit(f, cs), ERR_OK);
    struct workers *ws = play_start(f, &p, 1, 1);
    assert_true(gate_wait(&p.gate, &p.over, 51, WAIT_MS));
    workers_free(ws);
    assert_ptr_equal(strstr(p.log, "quiet:0/0"), p.log + strlen("busy0:0/0 "));
}

/* A delay counts on the monotonic clock while the process runs: a jump of the wall clock fires nothing. */
static void test_delay(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .end = end_ack};
    const int64_t days = 10LL * 24 * 3600 * 1000;

    clock_shift_wall(-days);
    push(f, QUEUE_SEND, PART, "late", 60000, 1);
    push(f, QUEUE_SEND, PART, "behind", 0, 2);
    push(f, QUEUE_SEND, PART, "behind", 60000, 3);
    clock_shift_wall(2 * days);
    struct workers *ws = play_start(f, &p, 2, 4);
    push(f, QUEUE_SEND, PART, "now", 0, 4);
    assert_true(gate_wait(&p.gate, &p.over, 2, WAIT_MS));
    assert_false(gate_wait(&p.gate, &p.over, 3, 400)); /* longer than a worker's poll */
    assert_null(strstr(p.log, "late"));
    clock_shift_wall(-2 * days);
    clock_shift_mono(60001);
    assert_true(gate_wait(&p.gate, &p.over, 4, WAIT_MS));
    clock_shift_wall(days);
    workers_free(ws);
}

/* After a restart delays count on the wall clock, but none grows when that was set back. */
static void test_delay_reopen(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .end = end_ack};
    const int64_t days = 10LL * 24 * 3600 * 1000;
    struct queue_shape shape;

    push(f, QUEUE_SEND, PART, "minute", 60000, 1);
    push(f, QUEUE_SEND, PART, "hour", 3600000, 2);
    clock_shift_wall(61000);
    fixture_reopen(f);
    struct workers *ws = play_start(f, &p, 1, 4);
    assert_true(gate_wait(&p.gate, &p.over, 1, WAIT_MS));
    assert_int_equal(workers_stop(ws, WAIT_MS), 0);
    workers_free(ws);
    assert_string_equal(p.log, "minute:1/0 ");
    clock_shift_wall(-days);
    fixture_reopen(f);
    ws = play_start(f, &p, 1, 4);
    clock_shift_mono(3600001);
    assert_true(gate_wait(&p.gate, &p.over, 2, WAIT_MS));
    workers_free(ws);
    clock_shift_wall(days - 61000);
    store_queue_shape(f->store, QUEUE_SEND, &shape);
    assert_int_equal(shape.jobs, 0);
}

static void test_reopen(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .end = end_ack};
    struct queue_shape shape;

    push(f, QUEUE_SEND, PART, "a", 0, 1);
    push(f, QUEUE_SEND, PART_B, "a", 0, 2);
    push(f, QUEUE_SEND, PART, "a", 0, 3);
    push(f, QUEUE_SEND, PART, "ab", 0, 4);
    fixture_reopen(f);
    store_queue_shape(f->store, QUEUE_SEND, &shape);
    assert_int_equal(shape.jobs, 4);
    assert_int_equal(shape.lanes, 3);
    push(f, QUEUE_SEND, PART, "a", 0, 5);
    struct workers *ws = play_start(f, &p, 1, 1);
    assert_true(gate_wait(&p.gate, &p.over, 5, WAIT_MS));
    workers_free(ws);
    char *one = strstr(p.log, "a:1/0"), *three = strstr(p.log, "a:3/0"), *five = strstr(p.log, "a:5/0");
    assert_true(one != NULL && three > one && five > three);
}

static void end_fail(struct changes *cs, struct job *job, struct play *p)
{
    (void)p;
    changes_fail(cs, job, "no luck");
}

/* A queue's tries are used up, the job is buried with its payload, the lane goes on. */
static void test_bury(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .end = end_fail};
    struct page_query query = {.kind = KIND_DEAD, .part = PART, .limit = 10};
    int tries = (int)queue_row(QUEUE_SEND)->tries;
    struct snapshot *snap;
    struct store_page page;

    push(f, QUEUE_SEND, PART, "a", 0, 7);
    push(f, QUEUE_SEND, PART, "a", 0, 8);
    struct workers *ws = play_start(f, &p, 1, 4);
    for (int i = 1; i <= tries; i++) {
        assert_true(gate_wait(&p.gate, &p.over, i, WAIT_MS));
        clock_shift_mono(queue_row(QUEUE_SEND)->cap_ms);
    }
    assert_true(gate_wait(&p.gate, &p.runs, tries + 1, WAIT_MS));
    workers_free(ws);
    assert_non_null(strstr(p.log, "a:7/9 a:8/0"));
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_page(snap, &query, &page), ERR_OK);
    assert_int_equal(page.count, 1);
    const json_t *dead = page.rows[0].body;
    assert_string_equal(jx_str(dead, "queue"), "send");
    assert_string_equal(jx_str(dead, "lane"), "a");
    assert_string_equal(jx_str(dead, "why"), "no luck");
    assert_int_equal(jx_int(dead, "tries", 0), tries);
    assert_int_equal(jx_int(jx_obj(dead, "payload"), "n", 0), 7);
    store_page_free(&page);
    snapshot_close(snap);
}

static void end_consume(struct changes *cs, struct job *job, struct play *p)
{
    int n = (int)jx_int(job_payload(job), "n", 0);

    (void)p;
    changes_ack(cs, job);
    if (n < 5) {
        add_push(cs, QUEUE_SEND, job_partition(job), job_lane(job), 0, n + 1);
    }
}

static void test_consume_produce(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .end = end_consume};

    push(f, QUEUE_SEND, PART, "a", 0, 1);
    struct workers *ws = play_start(f, &p, 2, 2);
    assert_true(gate_wait(&p.gate, &p.over, 5, WAIT_MS));
    workers_free(ws);
    assert_string_equal(p.log, "a:1/0 a:2/0 a:3/0 a:4/0 a:5/0 ");
}

/* The first answer is refused (conflict), the handler decides again. */
static void again_done(enum err rc, uint64_t rev, void *arg)
{
    struct job *job = arg;
    struct changes *cs;
    json_t *body = json_pack("{s:s}", "rc", err_name(rc));

    (void)rev;
    if (rc == ERR_CONFLICT) {
        cs = changes_new();
        changes_ack(cs, job);
        changes_put(cs, KIND_SETTING, job_partition(job), "answer", body);
        job_finish(job, cs, again_done, job);
    }
    json_decref(body);
}

static void again_run(struct job *job, void *arg)
{
    struct changes *cs = changes_new();

    (void)arg;
    changes_expect(cs, KIND_AGENT, job_partition(job), "agt_missing", 5);
    changes_ack(cs, job);
    changes_put_bytes(cs, KIND_HOOK, job_partition(job), "hok_wrong", "x", 1);
    job_finish(job, cs, again_done, job);
}

static void test_conflict_decides_again(void **state)
{
    struct fixture *f = *state;
    struct workers *ws = workers_new(f->store, 1, 2);
    struct queue_shape shape = {.jobs = 1};

    workers_handle(ws, QUEUE_SEND, again_run, NULL);
    assert_int_equal(workers_start(ws), ERR_OK);
    push(f, QUEUE_SEND, PART, "a", 0, 1);
    for (int64_t end = clock_mono_ms() + WAIT_MS; shape.jobs > 0 && clock_mono_ms() < end;) {
        store_queue_shape(f->store, QUEUE_SEND, &shape);
    }
    workers_free(ws);
    assert_int_equal(shape.jobs, 0);
    json_t *body = get(f, KIND_SETTING, PART, "answer", NULL);
    assert_string_equal(jx_str(body, "rc"), "conflict");
    json_decref(body);
    assert_int_equal(count(f, KIND_HOOK, INDEX_NONE, NULL), 0);
}

static void end_invalid(struct changes *cs, struct job *job, struct play *p)
{
    (void)p;
    changes_ack(cs, job);
    if (job_tries(job) == 0) {
        changes_delete(cs, KIND_AGENT, job_partition(job), "");
    }
}

/* A set that can never be taken counts as a failed attempt. */
static void test_refused_set_is_a_failure(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .end = end_invalid};

    push(f, QUEUE_SEND, PART, "a", 0, 1);
    struct workers *ws = play_start(f, &p, 1, 2);
    assert_true(gate_wait(&p.gate, &p.over, 2, WAIT_MS));
    workers_free(ws);
    assert_string_equal(p.log, "a:1/0 a:1/1 ");
    assert_int_equal(p.last, ERR_OK);
}

/* A job that was ended already is stale, also within one batch. */
static void test_stale(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .hold = true};
    struct changes *cs;

    push(f, QUEUE_SEND, PART, "a", 0, 1);
    push(f, QUEUE_SEND, PART, "a", 60000, 2);
    struct workers *ws = play_start(f, &p, 1, 2);
    assert_true(gate_wait(&p.gate, &p.runs, 1, WAIT_MS));
    cs = changes_new();
    changes_ack(cs, p.held[0]);
    changes_ack(cs, p.held[0]);
    assert_int_equal(commit(f, cs), ERR_INVALID);
    cs = changes_new();
    changes_retry(cs, p.held[0], 60000, "test");
    assert_int_equal(commit(f, cs), ERR_OK);
    cs = changes_new();
    changes_ack(cs, p.held[0]);
    changes_put_bytes(cs, KIND_HOOK, PART, "hok_wrong", "x", 1);
    job_finish(p.held[0], cs, play_ended, &p);
    assert_true(gate_wait(&p.gate, &p.over, 1, WAIT_MS));
    assert_int_equal(p.last, ERR_STALE);
    workers_free(ws);
    assert_int_equal(count(f, KIND_HOOK, INDEX_NONE, NULL), 0);
}

/* Two ends of one job in one batch: the first counts, the second is stale. */
static void test_stale_in_batch(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .hold = true};
    struct brake b = {.gate = GATE_INIT};
    struct changes *first, *second;
    struct queue_shape shape;

    push(f, QUEUE_SEND, PART, "a", 0, 1);
    push(f, QUEUE_SEND, PART, "a", 60000, 2);
    struct workers *ws = play_start(f, &p, 1, 2);
    assert_true(gate_wait(&p.gate, &p.runs, 1, WAIT_MS));
    first = changes_new();
    second = changes_new();
    changes_retry(first, p.held[0], 60000, "test");
    changes_ack(second, p.held[0]);
    changes_put_bytes(second, KIND_HOOK, PART, "hok_wrong", "x", 1);
    brake_on(f, &b);
    store_submit(f->store, first, NULL, NULL);
    job_finish(p.held[0], second, play_ended, &p);
    brake_off(f, &b);
    assert_true(gate_wait(&p.gate, &p.over, 1, WAIT_MS));
    assert_int_equal(p.last, ERR_STALE);
    workers_free(ws);
    assert_int_equal(count(f, KIND_HOOK, INDEX_NONE, NULL), 0);
    store_queue_shape(f->store, QUEUE_SEND, &shape);
    assert_int_equal(shape.jobs, 2);
    assert_int_equal(shape.held, 0);
}

/* The end of a job is taken however long the backlog is. */
static void test_end_passes_backlog(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .hold = true};
    struct brake b = {.gate = GATE_INIT};

    store_close(f->store);
    assert_int_equal(store_open(f->uri, MAP_SIZE, 1, &f->store), ERR_OK);
    push(f, QUEUE_SEND, PART, "a", 0, 1);
    struct workers *ws = play_start(f, &p, 1, 2);
    assert_true(gate_wait(&p.gate, &p.runs, 1, WAIT_MS));
    brake_on(f, &b);
    for (int i = 0; i < 3; i++) {
        struct changes *cs = changes_new();
        changes_add(cs, PART, "n", 1);
        store_submit(f->store, cs, NULL, NULL);
    }
    assert_false(store_accepts(f->store));
    struct changes *end = changes_new();
    changes_ack(end, p.held[0]);
    job_finish(p.held[0], end, play_ended, &p);
    brake_off(f, &b);
    assert_true(gate_wait(&p.gate, &p.over, 1, WAIT_MS));
    assert_int_equal(p.last, ERR_OK);
    workers_free(ws);
}

/* What a stop cuts off is handed out again, untouched. */
static void test_cut_off(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .hold = true};
    struct play second = {.gate = GATE_INIT, .end = end_ack};
    struct queue_shape shape;

    push(f, QUEUE_SEND, PART, "a", 0, 1);
    push(f, QUEUE_SEND, PART, "b", 0, 2);
    struct workers *ws = play_start(f, &p, 2, 2);
    assert_true(gate_wait(&p.gate, &p.runs, 2, WAIT_MS));
    store_queue_shape(f->store, QUEUE_SEND, &shape);
    assert_int_equal(shape.held, 2);
    assert_int_equal(workers_stop(ws, 20), 2);
    workers_free(ws);
    store_queue_shape(f->store, QUEUE_SEND, &shape);
    assert_int_equal(shape.held, 0);
    ws = play_start(f, &second, 1, 2);
    assert_true(gate_wait(&second.gate, &second.over, 2, WAIT_MS));
    workers_free(ws);
    assert_non_null(strstr(second.log, "a:1/0"));
    assert_non_null(strstr(second.log, "b:2/0"));
}

/* Jobs whose loops stop while their ends are on the way to the disk: run under load, for the sanitizers. */
static void test_stop_under_load(void **state)
{
    struct fixture *f = *state;

    for (int round = 0; round < 5; round++) {
        struct play p = {.gate = GATE_INIT, .end = end_consume};
        struct changes *cs = changes_new();
        for (int i = 0; i < 40; i++) {
            char name[16];
            snprintf(name, sizeof name, "l%d", i);
            add_push(cs, QUEUE_SEND, PART, name, 0, -1000000);
        }
        assert_int_equal(commit(f, cs), ERR_OK);
        struct workers *ws = play_start(f, &p, 2, 8);
        assert_true(gate_wait(&p.gate, &p.over, 20, WAIT_MS));
        (void)workers_stop(ws, round % 2 ? 0 : 5);
        workers_free(ws);
    }
}

/* A set that expects an empty lane: what was pushed before it counts, in the same commit, too. */
static void test_expect_idle(void **state)
{
    struct fixture *f = *state;
    struct play p = {.gate = GATE_INIT, .end = end_ack};

    for (int round = 0; round < 50; round++) {
        char lane[16];
        snprintf(lane, sizeof lane, "l%d", round);
        for (int i = 0; i < 2; i++) { /* the first keeps the committer busy while the others gather */
            struct changes *cs = changes_new();
            add_push(cs, QUEUE_SEND, PART, i == 0 ? "busy" : lane, 0, i);
            store_submit(f->store, cs, NULL, NULL);
        }
        struct changes *cs = changes_new(), *other = changes_new();
        changes_expect_idle(cs, QUEUE_SEND, PART, lane);
        add_put(cs, KIND_SETTING, PART, lane, "{'n':1}");
        assert_int_equal(commit(f, cs), ERR_CONFLICT);
        changes_expect_idle(other, QUEUE_TURN, PART, lane);
        changes_expect_idle(other, QUEUE_SEND, PART_B, lane);
        add_put(other, KIND_SETTING, PART, lane, "{'n':2}");
        assert_int_equal(commit(f, other), ERR_OK);
    }
    struct workers *ws = play_start(f, &p, 1, 8);
    assert_true(gate_wait(&p.gate, &p.over, 100, WAIT_MS));
    workers_free(ws);
    struct changes *cs = changes_new();
    changes_expect_idle(cs, QUEUE_SEND, PART, "l7");
    add_put(cs, KIND_SETTING, PART, "l7", "{'n':3}");
    assert_int_equal(commit(f, cs), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_order_and_ack),
        STORE_TEST(test_retry_keeps_order),
        STORE_TEST(test_order_of_many),
        STORE_TEST(test_fair),
        STORE_TEST(test_delay),
        STORE_TEST(test_delay_reopen),
        STORE_TEST(test_reopen),
        STORE_TEST(test_bury),
        STORE_TEST(test_consume_produce),
        STORE_TEST(test_conflict_decides_again),
        STORE_TEST(test_refused_set_is_a_failure),
        STORE_TEST(test_stale),
        STORE_TEST(test_stale_in_batch),
        STORE_TEST(test_end_passes_backlog),
        STORE_TEST(test_cut_off),
        STORE_TEST(test_stop_under_load),
        STORE_TEST(test_expect_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
