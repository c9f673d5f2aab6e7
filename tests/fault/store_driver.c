/* store_driver.c: the program whose power fails: writes to a store and tells what was acknowledged.
 *
 * `store_driver run DIR WRITERS STEPS [nosync]`: each writer, a thread of its own, makes STEPS more steps of
 * the workload; a worker consumes the jobs. On descriptor RECORD_ACK_FD every acknowledged step is a line
 * "WRITER STEP", written after the store said so, and every refused one a line "refused WRITER STEP ERROR";
 * that step is tried again, at most REFUSALS times in a row. The last line, "reads ok" or "reads ERROR",
 * tells whether a snapshot can still be had.
 *
 * `store_driver check DIR ACKED...`: opens what is left, compares it with the script and with the steps that
 * writer 0, 1, ... had acknowledged, sees that a repeated step is refused, makes more steps and compares
 * again.
 *
 * Exit: 0 all well, 1 an acknowledged step is lost, 2 damaged or not to be opened, 3 wrong use. nosync opens
 * LMDB without any sync, by wrapping kv_open at link time: the store itself has no such setting. */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/base/kv_int.h"
#include "tests/fault/record.h"
#include "tests/fault/workload.h"

#define MAP_SIZE   (64u << 20)
#define BACKLOG    1024
#define REFUSALS   20
#define MORE_STEPS 3

enum outcome { WELL, LOST, DAMAGED, WRONG_USE };

static bool no_sync;
static struct kv *opened; /* the store's */

enum err __real_kv_open(const char *dir, const struct kv_options *options, const char *const tables[],
                        size_t count, struct kv **out) MUST_CHECK;
enum err __wrap_kv_open(const char *dir, const struct kv_options *options, const char *const tables[],
                        size_t count, struct kv **out) MUST_CHECK;

enum err __wrap_kv_open(const char *dir, const struct kv_options *options, const char *const tables[],
                        size_t count, struct kv **out)
{
    struct kv_options mine = *options;

    mine.no_sync = no_sync;
    enum err rc = __real_kv_open(dir, &mine, tables, count, out);
    opened = *out;
    return rc;
}

/* Brings the journal into the tree again and again: the fault is to fall into that, too. */
static void *bring_in(void *arg)
{
    const atomic_bool *over = arg;

    while (!atomic_load(over) && kv_flush_all(opened) == ERR_OK) {
    }
    return NULL;
}

static struct store *open_store(const char *dir)
{
    struct store *store = NULL;
    char *uri = xasprintf("lmdb:%s", dir);
    enum err rc = store_open(uri, MAP_SIZE, BACKLOG, &store);

    free(uri);
    if (rc != ERR_OK) {
        fprintf(stderr, "open: %s\n", err_name(rc));
    }
    return store;
}

/* ---- run ---- */

struct writer {
    pthread_t thread;
    struct store *store;
    unsigned number, first, steps;
};

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* One line on the acknowledgements' descriptor, in one call. */
static void say(const char *fmt, ...)
{
    char line[80];
    va_list args;

    va_start(args, fmt);
    int size = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (size < 0 || write(RECORD_ACK_FD, line, (size_t)size) != size) {
        _exit(WRONG_USE);
    }
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    unsigned refused = 0;

    for (unsigned n = w->first; n < w->first + w->steps && refused < REFUSALS;) {
        enum err rc = store_submit_wait(w->store, workload_step(w->number, n), NULL);
        if (rc == ERR_OK) {
            say("%u %u\n", w->number, n++);
            refused = 0;
        } else {
            say("refused %u %u %s\n", w->number, n, err_name(rc));
            refused++;
        }
    }
    return NULL;
}

static enum outcome run(const char *dir, unsigned writers, unsigned steps)
{
    struct writer all[WORKLOAD_WRITERS_MAX];
    struct store *store = open_store(dir);

    if (store == NULL) {
        return DAMAGED;
    }
    atomic_bool over = false;
    pthread_t bringer;
    CHECK(pthread_create(&bringer, NULL, bring_in, &over) == 0);
    struct workers *workers = workers_new(store, 1, 4);
    workers_handle(workers, QUEUE_DELIVER, workload_job, NULL);
    CHECK(workers_start(workers) == ERR_OK);
    for (unsigned i = 0; i < writers; i++) {
        all[i] = (struct writer){
            .store = store, .number = i, .first = workload_done(store, i) + 1, .steps = steps};
        CHECK(pthread_create(&all[i].thread, NULL, writer_main, &all[i]) == 0);
    }
    for (unsigned i = 0; i < writers; i++) {
        pthread_join(all[i].thread, NULL);
    }
    atomic_store(&over, true);
    pthread_join(bringer, NULL);
    struct snapshot *snap;
    enum err rc = snapshot_open(store, &snap);
    say("reads %s\n", err_name(rc));
    snapshot_close(snap);
    workers_stop(workers, 1000);
    workers_free(workers);
    store_close(store);
    return WELL;
}

/* ---- check ---- */

/* The store against its script. */
static bool consistent(struct store *store, unsigned writers)
{
    struct buf why;

    buf_init(&why, 4096);
    bool fits = workload_check(store, writers, &why);
    if (!fits) {
        fprintf(stderr, "%s", buf_str(&why));
    }
    buf_fini(&why);
    return fits;
}

/* A writer has at most one step under way, so at most one more than acknowledged may be there. */
static enum outcome compare_acked(struct store *store, unsigned writer, unsigned acked)
{
    unsigned done = workload_done(store, writer);

    if (done == acked || done == acked + 1) {
        return WELL;
    }
    fprintf(stderr, "writer %u: %u steps are there, %u were acknowledged\n", writer, done, acked);
    return done < acked ? LOST : DAMAGED;
}

/* Goes on where the writer stopped; the last step that is there must be refused as seen. */
static bool go_on(struct store *store, unsigned writer)
{
    unsigned done = workload_done(store, writer);

    if (done > 0 && store_submit_wait(store, workload_step(writer, done), NULL) != ERR_SEEN) {
        fprintf(stderr, "writer %u: step %u was not known\n", writer, done);
        return false;
    }
    for (unsigned n = done + 1; n <= done + MORE_STEPS; n++) {
        enum err rc = store_submit_wait(store, workload_step(writer, n), NULL);
        if (rc != ERR_OK) {
            fprintf(stderr, "writer %u: step %u after the fault: %s\n", writer, n, err_name(rc));
            return false;
        }
    }
    return true;
}

static enum outcome check_store(struct store *store, const unsigned *acked, unsigned writers)
{
    for (unsigned i = 0; i < writers; i++) {
        enum outcome outcome = compare_acked(store, i, acked[i]);
        if (outcome != WELL) {
            return outcome;
        }
    }
    bool well = consistent(store, writers);
    for (unsigned i = 0; i < writers && well; i++) {
        well = go_on(store, i);
    }
    return well && consistent(store, writers) ? WELL : DAMAGED;
}

static enum outcome check(const char *dir, const unsigned *acked, unsigned writers)
{
    struct store *store = open_store(dir);

    if (store == NULL) {
        return DAMAGED;
    }
    enum outcome outcome = check_store(store, acked, writers);
    store_close(store);
    return outcome;
}

int main(int argc, char **argv)
{
    unsigned numbers[WORKLOAD_WRITERS_MAX];
    unsigned count = 0;

    for (int i = 3; i < argc && count < WORKLOAD_WRITERS_MAX; i++) {
        if (strcmp(argv[i], "nosync") == 0) {
            no_sync = true;
        } else {
            numbers[count++] = (unsigned)strtoul(argv[i], NULL, 10);
        }
    }
    if (argc > 3 && strcmp(argv[1], "check") == 0) {
        return check(argv[2], numbers, count);
    }
    if (count == 2 && strcmp(argv[1], "run") == 0 && numbers[0] <= WORKLOAD_WRITERS_MAX) {
        return run(argv[2], numbers[0], numbers[1]);
    }
    fprintf(stderr, "store_driver run DIR WRITERS STEPS [nosync] | check DIR ACKED...\n");
    return WRONG_USE;
}
