/* head_test.c: the disk refuses a write: nothing is told as done any more that is not, and everything that
 * reads goes on, also in the threads that were reading at that moment.
 *
 * Of the tree it refuses the last write of all, the one of the head: LMDB writes its head through a
 * descriptor with O_DSYNC, everything else through one without. What was acknowledged before is in the
 * journal and stays. This program has a pwrite of its own, which LMDB calls, too. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/unit/queue/store_fixture.h"

#define READERS 3

enum { WELL, HEAD_FAILS, ALL_FAILS };
static atomic_int disk;

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    bool head = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;

    if (atomic_load(&disk) == ALL_FAILS || (atomic_load(&disk) == HEAD_FAILS && head)) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, size, offset);
}

struct reader {
    pthread_t thread;
    struct fixture *f;
    struct gate *gate;
    int *rounds;
    atomic_bool *over;
};

/* Reads what was committed before the fault, again and again. */
static void *reader_main(void *arg)
{
    struct reader *r = arg;

    while (!atomic_load(r->over)) {
        json_t *body = get(r->f, KIND_AGENT, PART, "agt_1", NULL);
        assert_non_null(body);
        json_decref(body);
        gate_add(r->gate, r->rounds, 1);
    }
    return NULL;
}

static enum err put_try(struct fixture *f, const char *id)
{
    struct changes *cs = changes_new();

    add_put(cs, KIND_AGENT, PART, id, "{}");
    return commit(f, cs);
}

/* Copies the store, which first brings in all that is only in the journal. */
static enum err copy_try(struct fixture *f)
{
    char copy[100];

    snprintf(copy, sizeof copy, "%s.copy", f->dir);
    assert_int_equal(mkdir(copy, 0700), 0);
    enum err rc = store_backup(f->store, copy);
    remove_dir(copy);
    return rc;
}

/* The disk fails from here on; with its head the tree is lost to writers, the journal takes one more. */
static void break_disk(struct fixture *f, int how)
{
    atomic_store(&disk, how);
    if (how == HEAD_FAILS) {
        assert_int_equal(put_try(f, "agt_2"), ERR_OK);
        assert_int_equal(copy_try(f), ERR_IO);
    }
    assert_int_equal(put_try(f, "agt_3"), ERR_IO);
}

/* Nothing is written any more, all is read. */
static void assert_reads_only(struct fixture *f)
{
    struct store_status status;
    struct snapshot *snap, *second;

    assert_int_equal(put_try(f, "agt_3"), ERR_IO);
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_open(f->store, &second), ERR_OK);
    assert_in_range(snapshot_count(snap, KIND_AGENT, PART, INDEX_NONE, NULL), 1, 2);
    snapshot_close(second);
    snapshot_close(snap);
    store_status(f->store, &status);
    assert_false(status.writable);
    assert_true(status.used_bytes > 0);
    assert_int_equal(copy_try(f), ERR_OK);
}

static void fails(struct fixture *f, int how)
{
    struct gate gate = GATE_INIT;
    int rounds = 0;
    atomic_bool over = false;
    struct reader readers[READERS];

    put(f, KIND_AGENT, "agt_1", "{}");
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.f = f, .gate = &gate, .rounds = &rounds, .over = &over};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, reader_main, &readers[i]), 0);
    }
    assert_true(gate_wait(&gate, &rounds, 50, WAIT_MS));
    break_disk(f, how);
    pthread_mutex_lock(&gate.lock);
    int before = rounds;
    pthread_mutex_unlock(&gate.lock);
    assert_true(gate_wait(&gate, &rounds, before + 200, WAIT_MS));
    atomic_store(&disk, WELL);
    assert_reads_only(f);
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
    }
    fixture_reopen(f);
    assert_int_equal(put_try(f, "agt_4"), ERR_OK);
    json_decref(get(f, KIND_AGENT, PART, "agt_1", NULL));
    assert_int_equal(count(f, KIND_AGENT, INDEX_NONE, NULL), how == HEAD_FAILS ? 3 : 2);
}

static void test_head_fails(void **state)
{
    fails(*state, HEAD_FAILS);
}

static void test_no_reader_at_that_moment(void **state)
{
    struct fixture *f = *state;

    put(f, KIND_AGENT, "agt_1", "{}");
    break_disk(f, HEAD_FAILS);
    atomic_store(&disk, WELL); /* the copy goes to another disk */
    assert_reads_only(f);
    fixture_reopen(f);
    json_decref(get(f, KIND_AGENT, PART, "agt_2", NULL));
    put(f, KIND_AGENT, "agt_3", "{}");
}

static void test_whole_disk_fails(void **state)
{
    fails(*state, ALL_FAILS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_head_fails),
        STORE_TEST(test_no_reader_at_that_moment),
        STORE_TEST(test_whole_disk_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
