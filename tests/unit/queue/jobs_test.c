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

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_order_and_ack),
        STORE_TEST(test_retry_keeps_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
