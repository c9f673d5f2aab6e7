/* sweep_test.c: retention drops what is too old, keeps the rest, and its one job stays for the next run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "bridge/app.h"
#include "queue/base/clock.h"
#include "queue/base/id.h"
#include "queue/jobs.h"

#define PART       "acc_01ARZ3NDEKTSV4RRFFQ69G5FAV:live"
#define TEST_PART  "acc_01ARZ3NDEKTSV4RRFFQ69G5FAV:test"
#define DAY_MS     (24 * 3600 * (int64_t)1000)
#define OLD_EVENTS 1203 /* more than two batches */

static char dir[] = "/tmp/sweep_test.XXXXXX";

/* An id that was born so long ago. */
static void old_id(const char *prefix, int64_t age_ms, unsigned number, char out[64])
{
    char floor[27];
    id_floor(clock_wall_ms() - age_ms + number, floor);
    snprintf(out, 64, "%s_%s", prefix, floor);
}

/* A record whose age is in its id. */
static void add(struct changes *cs, enum kind kind, int64_t age_ms, unsigned number)
{
    char id[64];
    json_t *body = json_object();
    old_id(kind_row(kind)->prefix, age_ms, number, id);
    changes_put(cs, kind, PART, id, body);
    json_decref(body);
}

/* A record whose age is in a field. */
static void add_dated(struct changes *cs, enum kind kind, const char *id, const char *field, int64_t age_ms)
{
    json_t *body = json_object();
    jx_set_int(body, field, clock_wall_ms() - age_ms);
    changes_put(cs, kind, PART, id, body);
    json_decref(body);
}

static uint64_t count_in(struct store *store, enum kind kind, const char *part)
{
    struct snapshot *snap;
    assert_int_equal(snapshot_open(store, &snap), ERR_OK);
    uint64_t n = snapshot_count(snap, kind, part, INDEX_NONE, NULL);
    snapshot_close(snap);
    return n;
}

static uint64_t count(struct store *store, enum kind kind)
{
    return count_in(store, kind, PART);
}

/* Waits until so many are left. */
static void wait_count(struct store *store, enum kind kind, uint64_t want)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    int64_t deadline = clock_mono_ms() + 20000;
    while (count(store, kind) != want && clock_mono_ms() < deadline) {
        nanosleep(&pause, NULL);
    }
    assert_int_equal(count(store, kind), want);
}

/* The account keeps messages for a year, as it says itself. */
static void add_account(struct changes *cs)
{
    json_t *account = json_pack("{s:{s:i,s:i}}", "retention", "messages_days", 365, "traces_days", 2);
    changes_put(cs, KIND_ACCOUNT, PARTITION_GLOBAL, "acc_01ARZ3NDEKTSV4RRFFQ69G5FAV", account);
    json_decref(account);
}

/* Lines of the audit log, in the order of their commits: the third is younger than the fourth by its id and
 * holds it back; where all are old, the newest stays. */
static void add_lines(struct changes *cs)
{
    static const int days[] = {400, 399, 364, 366, 1};
    json_t *line = json_object();
    char id[64];
    for (unsigned i = 0; i < sizeof days / sizeof *days; i++) {
        old_id(kind_row(KIND_AUDIT)->prefix, days[i] * DAY_MS, 0, id);
        changes_put_chained(cs, KIND_AUDIT, PART, id, line, "audit");
        old_id(kind_row(KIND_AUDIT)->prefix, (500 - (int)i) * DAY_MS, 0, id);
        changes_put_chained(cs, KIND_AUDIT, TEST_PART, id, line, "audit");
    }
    json_decref(line);
}

static void fill(struct store *store)
{
    struct changes *cs = changes_new();
    add_account(cs);
    add_lines(cs);
    for (unsigned i = 0; i < OLD_EVENTS; i++) {
        add(cs, KIND_EVENT, 31 * DAY_MS, i);
    }
    add(cs, KIND_EVENT, 29 * DAY_MS, 0);
    add(cs, KIND_DELIVERY, 31 * DAY_MS, 0);
    add(cs, KIND_DELIVERY, 1000, 0);
    add(cs, KIND_HOOK, 8 * DAY_MS, 0);
    add(cs, KIND_HOOK, 6 * DAY_MS, 0);
    add(cs, KIND_MESSAGE, 400 * DAY_MS, 0);
    add(cs, KIND_MESSAGE, 300 * DAY_MS, 0);
    add(cs, KIND_TURN, 3 * DAY_MS, 0);
    add(cs, KIND_FILE, 900 * DAY_MS, 0);
    add_dated(cs, KIND_IDEMPOTENCY, "old", "created_ms", DAY_MS + 60000);
    add_dated(cs, KIND_IDEMPOTENCY, "young", "created_ms", DAY_MS - 60000);
    add_dated(cs, KIND_LIMIT, "old", "started_at_ms", DAY_MS + 60000);
    add_dated(cs, KIND_LIMIT, "young", "started_at_ms", 1000);
    assert_int_equal(store_submit_wait(store, cs, NULL), ERR_OK);
}

static void old_goes_young_stays(void **state)
{
    struct store *store;
    struct queue_shape shape;
    char uri[64];
    (void)state;
    snprintf(uri, sizeof(uri), "lmdb:%s", dir);
    assert_int_equal(store_open(uri, 64u << 20, 100, &store), ERR_OK);
    fill(store);
    struct workers *workers = workers_new(store, 1, 8);
    sweep_register(workers);
    assert_int_equal(sweep_ensure(store), ERR_OK);
    store_queue_shape(store, QUEUE_SWEEP, &shape);
    uint64_t chores = shape.jobs; /* one job for each, however often it is asked for */
    assert_true(chores >= 3);
    assert_int_equal(sweep_ensure(store), ERR_OK);
    store_queue_shape(store, QUEUE_SWEEP, &shape);
    assert_int_equal(shape.jobs, chores);
    assert_int_equal(workers_start(workers), ERR_OK);
    wait_count(store, KIND_EVENT, 1);
    wait_count(store, KIND_DELIVERY, 1);
    wait_count(store, KIND_HOOK, 1);
    wait_count(store, KIND_IDEMPOTENCY, 1);
    wait_count(store, KIND_LIMIT, 1);
    wait_count(store, KIND_MESSAGE, 1);
    wait_count(store, KIND_TURN, 0);
    wait_count(store, KIND_AUDIT, 3);
    assert_int_equal(count_in(store, KIND_AUDIT, TEST_PART), 1);
    assert_int_equal(count(store, KIND_FILE), 1);
    assert_int_equal(workers_stop(workers, 5000), 0);
    store_queue_shape(store, QUEUE_SWEEP, &shape);
    assert_int_equal(shape.jobs, chores);
    workers_free(workers);
    store_close(store);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int drop_dir(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(old_goes_young_stays)};
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
