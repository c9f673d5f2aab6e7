/* crash_test.c: a writer killed at any moment loses nothing it was told is durable, and half-does nothing. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store_fixture.h"

#define ROUNDS 8

/* The n-th set: a record, a counter and a job that must be there together. */
static struct changes *nth_set(int n)
{
    struct changes *cs = changes_new();
    char id[16];

    snprintf(id, sizeof id, "msg_%08d", n);
    changes_expect(cs, KIND_MESSAGE, PART, id, 0);
    add_put(cs, KIND_MESSAGE, PART, id, "{'conversation_id':'cnv_1'}");
    changes_add(cs, PART, "messages", 1);
    add_push(cs, QUEUE_TURN, PART, "cnv_1", 0, n);
    return cs;
}

/* Leaves the process no memory but what it has taken from the system, and takes that. */
static void memory_ends(void)
{
    static void *volatile taken;

    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, 1 << 20});
    for (size_t size = 1 << 20; size >= 64; size /= 2) {
        do {
            taken = malloc(size);
        } while (taken != NULL);
    }
}

/* Writes sets from number first on and reports each that is durable, until killed; after number `dry` there
 * is no memory left, 0: there is. */
_Noreturn static void writer(const char *uri, int first, int dry, int out)
{
    struct store *store;

    if (store_open(uri, MAP_SIZE, 1024, &store) != ERR_OK) {
        _exit(1);
    }
    for (int n = first;; n++) {
        if (store_submit_wait(store, nth_set(n), NULL) != ERR_OK || write(out, &n, sizeof n) != sizeof n) {
            _exit(2);
        }
        if (n == dry) {
            memory_ends();
        }
    }
}

/* Runs a writer, kills it (dry: takes its memory away) after some answers; returns the last number it was
 * told is durable. */
static int ended_writer(const struct fixture *f, int first, int answers, bool dry)
{
    int fds[2], n, last = first - 1;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        writer(f->uri, first, dry ? first + answers - 1 : 0, fds[1]);
    }
    close(fds[1]);
    while (read(fds[0], &n, sizeof n) == sizeof n) {
        assert_int_equal(n, last + 1);
        last = n;
        if (!dry && n - first + 1 == answers) {
            kill(pid, SIGKILL);
        }
    }
    close(fds[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return last;
}

/* Ends writers again and again; what they were told is durable is whole each time. */
static void end_and_check(struct fixture *f, bool dry)
{
    int next = 1;

    store_close(f->store);
    f->store = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        struct queue_shape shape;
        struct snapshot *snap;
        int last = ended_writer(f, next, 3 + round * 7, dry);
        assert_true(last >= next);
        assert_int_equal(store_open(f->uri, MAP_SIZE, 1024, &f->store), ERR_OK);
        assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
        uint64_t there = snapshot_count(snap, KIND_MESSAGE, PART, INDEX_NONE, NULL);
        assert_in_range(there, last, last + 1); /* the last one may be durable and not yet told */
        assert_int_equal(snapshot_counter(snap, PART, "messages"), there);
        assert_int_equal(snapshot_count(snap, KIND_MESSAGE, PART, INDEX_MESSAGE_CONVERSATION, "cnv_1"),
                         there);
        snapshot_close(snap);
        store_queue_shape(f->store, QUEUE_TURN, &shape);
        assert_int_equal(shape.jobs, there);
        store_close(f->store);
        f->store = NULL;
        next = (int)there + 1;
    }
}

static void test_kill(void **state)
{
    end_and_check(*state, false);
}

/* An allocation of ours that fails ends the process at once: as a crash does, it may cost what was not
 * acknowledged, and nothing else. */
static void test_memory_ends(void **state)
{
    end_and_check(*state, true);
}

static void test_second_process(void **state)
{
    struct fixture *f = *state;
    int fds[2], status;

    store_close(f->store);
    f->store = NULL;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        writer(f->uri, 1, 0, fds[1]);
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &status, sizeof status), sizeof status);
    struct store *second;
    assert_int_equal(store_open(f->uri, MAP_SIZE, 10, &second), ERR_BUSY);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(fds[0]);
    assert_int_equal(store_open(f->uri, MAP_SIZE, 10, &f->store), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_kill),
        STORE_TEST(test_memory_ends),
        STORE_TEST(test_second_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
