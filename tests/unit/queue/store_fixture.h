/* store_fixture.h: a store in a directory of its own, short forms of reading and writing, a way to wait. */
#ifndef CHASQUI_TESTS_STORE_FIXTURE_H
#define CHASQUI_TESTS_STORE_FIXTURE_H

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/base/clock.h"
#include "queue/jobs.h"
#include "queue/store.h"

#define PART     "acc_A:live"
#define PART_B   "acc_B:live"
#define MAP_SIZE (64u << 20)
#define WAIT_MS  20000

struct fixture {
    char dir[64];
    char uri[80];
    struct store *store;
};

static inline void fixture_reopen(struct fixture *f)
{
    store_close(f->store);
    assert_int_equal(store_open(f->uri, MAP_SIZE, 1024, &f->store), ERR_OK);
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);

    snprintf(f->dir, sizeof f->dir, "/tmp/chasqui_store_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->uri, sizeof f->uri, "lmdb:%s", f->dir);
    fixture_reopen(f);
    *state = f;
    return 0;
}

/* Removes the files of a directory and the directory. */
static inline void remove_dir(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    for (entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    (void)rmdir(path);
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    remove_dir(f->dir);
    free(f);
    return 0;
}

#define STORE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

/* A value out of JSON text with ' for ". */
static inline json_t *json_of(const char *text)
{
    char *copy = xstrdup(text);
    json_t *value = NULL;

    for (char *c = copy; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    assert_int_equal(jx_parse_lenient(copy, strlen(copy), &value), ERR_OK);
    free(copy);
    return value;
}

static inline enum err commit(struct fixture *f, struct changes *cs)
{
    return store_submit_wait(f->store, cs, NULL);
}

static inline void add_put(struct changes *cs, enum kind kind, const char *part, const char *id,
                           const char *text)
{
    json_t *body = json_of(text);

    changes_put(cs, kind, part, id, body);
    json_decref(body);
}

static inline void put(struct fixture *f, enum kind kind, const char *id, const char *text)
{
    struct changes *cs = changes_new();

    add_put(cs, kind, PART, id, text);
    assert_int_equal(commit(f, cs), ERR_OK);
}

static inline void add_push(struct changes *cs, enum queue_id queue, const char *part, const char *lane,
                            int64_t delay, int number)
{
    json_t *payload = json_pack("{s:i}", "n", number);

    changes_push(cs, queue, part, lane, delay, payload);
    json_decref(payload);
}

static inline void push(struct fixture *f, enum queue_id queue, const char *part, const char *lane,
                        int64_t delay, int number)
{
    struct changes *cs = changes_new();

    add_push(cs, queue, part, lane, delay, number);
    assert_int_equal(commit(f, cs), ERR_OK);
}

/* The body in a fresh snapshot, new reference; NULL if it is not there. */
static inline json_t *get(struct fixture *f, enum kind kind, const char *part, const char *id, uint64_t *rev)
{
    struct snapshot *snap;
    json_t *body = NULL;

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    enum err rc = snapshot_get(snap, kind, part, id, &body, rev);
    assert_true(rc == ERR_OK || rc == ERR_NOTFOUND);
    snapshot_close(snap);
    return body;
}

static inline uint64_t count(struct fixture *f, enum kind kind, enum index_id index, const char *match)
{
    struct snapshot *snap;

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    uint64_t n = snapshot_count(snap, kind, PART, index, match);
    snapshot_close(snap);
    return n;
}

/* Waits for a condition that other threads bring about. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
};
#define GATE_INIT                                           \
    {                                                       \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER \
    }

static inline void gate_add(struct gate *gate, int *number, int delta)
{
    pthread_mutex_lock(&gate->lock);
    *number += delta;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

/* True once *number is at least `want`. */
static inline bool gate_wait(struct gate *gate, const int *number, int want, int64_t ms)
{
    struct timespec end;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += ms / 1000;
    end.tv_nsec += ms % 1000 * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_nsec -= 1000000000;
        end.tv_sec++;
    }
    pthread_mutex_lock(&gate->lock);
    while (*number < want && rc == 0) {
        rc = pthread_cond_timedwait(&gate->changed, &gate->lock, &end);
    }
    bool reached = *number >= want;
    pthread_mutex_unlock(&gate->lock);
    return reached;
}

/* Holds the committer's thread inside the feed's callback, so that a test decides what one batch is. */
struct brake {
    struct gate gate;
    int stopped, released;
};

static inline void brake_feed(uint64_t rev, void *arg)
{
    struct brake *b = arg;

    (void)rev;
    gate_add(&b->gate, &b->stopped, 1);
    assert_true(gate_wait(&b->gate, &b->released, 1, WAIT_MS));
}

static inline void brake_on(struct fixture *f, struct brake *b)
{
    struct changes *cs = changes_new();

    store_on_feed(f->store, brake_feed, b);
    add_put(cs, KIND_DOCUMENT, PART, "doc_brake", "{}");
    store_submit(f->store, cs, NULL, NULL);
    assert_true(gate_wait(&b->gate, &b->stopped, 1, WAIT_MS));
}

static inline void brake_off(struct fixture *f, struct brake *b)
{
    store_on_feed(f->store, NULL, NULL);
    gate_add(&b->gate, &b->released, 1);
}

#endif
