/* kv_test.c: what is written is there after a reopen; growing under load; cursors; one owner; copies. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/base/clock.h"
#include "queue/base/kv.h"

#define MIB ((size_t)1 << 20)

enum { T_MAIN, T_OTHER, T_COUNT };
static const char *const names[T_COUNT] = {"main", "other"};

struct room {
    char dir[64];
    char copy[64];
    struct kv *kv;
};

static struct kv_bytes text(const char *s)
{
    return KV_BYTES(s, strlen(s));
}

static struct kv_bytes number(uint8_t out[4], unsigned n)
{
    out[0] = (uint8_t)(n >> 24);
    out[1] = (uint8_t)(n >> 16);
    out[2] = (uint8_t)(n >> 8);
    out[3] = (uint8_t)n;
    return KV_BYTES(out, 4);
}

static enum err reopen(struct room *room, struct kv_options options)
{
    kv_close(room->kv);
    return kv_open(room->dir, &options, names, T_COUNT, &room->kv);
}

static int set_up(void **state)
{
    struct room *room = xcalloc(1, sizeof(*room));

    strncpy(room->dir, "/tmp/chasqui-kv-XXXXXX", sizeof(room->dir) - 1);
    strncpy(room->copy, "/tmp/chasqui-kv-XXXXXX", sizeof(room->copy) - 1);
    *state = room;
    if (mkdtemp(room->dir) == NULL || mkdtemp(room->copy) == NULL) {
        return -1;
    }
    return reopen(room, (struct kv_options){.map_size = MIB}) == ERR_OK ? 0 : -1;
}

static void remove_dir(const char *dir)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "lock.pid"};
    char path[128];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static int tear_down(void **state)
{
    struct room *room = *state;

    kv_close(room->kv);
    remove_dir(room->dir);
    remove_dir(room->copy);
    free(room);
    return 0;
}

static void put_one(struct kv *kv, unsigned table, const char *key, const char *value)
{
    struct kv_txn *txn;

    assert_int_equal(kv_begin_write(kv, &txn), ERR_OK);
    assert_int_equal(kv_put(txn, table, text(key), text(value)), ERR_OK);
    assert_int_equal(kv_commit(txn), ERR_OK);
}

static void assert_value(struct kv *kv, unsigned table, const char *key, const char *want)
{
    struct kv_bytes value;
    struct kv_txn *txn;

    assert_int_equal(kv_begin_read(kv, &txn), ERR_OK);
    if (want == NULL) {
        assert_int_equal(kv_get(txn, table, text(key), &value), ERR_NOTFOUND);
        assert_null(value.data);
    } else {
        assert_int_equal(kv_get(txn, table, text(key), &value), ERR_OK);
        assert_int_equal(value.size, strlen(want));
        assert_memory_equal(value.data, want, value.size);
    }
    kv_abort(txn);
}

static void committed_survives_a_reopen_aborted_does_not(void **state)
{
    struct room *room = *state;
    struct kv_txn *txn;

    put_one(room->kv, T_MAIN, "a", "one");
    put_one(room->kv, T_OTHER, "a", "two");
    assert_int_equal(kv_begin_write(room->kv, &txn), ERR_OK);
    assert_int_equal(kv_put(txn, T_MAIN, text("b"), text("gone")), ERR_OK);
    kv_abort(txn);
    assert_int_equal(reopen(room, (struct kv_options){.map_size = MIB}), ERR_OK);
    assert_value(room->kv, T_MAIN, "a", "one");
    assert_value(room->kv, T_OTHER, "a", "two");
    assert_value(room->kv, T_MAIN, "b", NULL);
    assert_int_equal(reopen(room, (struct kv_options){.no_sync = true}), ERR_OK);
    put_one(room->kv, T_MAIN, "c", "three");
    assert_int_equal(reopen(room, (struct kv_options){.map_size = 1}), ERR_OK);
    assert_value(room->kv, T_MAIN, "c", "three");
}

static void a_snapshot_does_not_see_later_writes(void **state)
{
    struct room *room = *state;
    struct kv_bytes value;
    struct kv_txn *txn;

    put_one(room->kv, T_MAIN, "k", "old");
    assert_int_equal(kv_begin_read(room->kv, &txn), ERR_OK);
    put_one(room->kv, T_MAIN, "k", "new");
    assert_int_equal(kv_get(txn, T_MAIN, text("k"), &value), ERR_OK);
    assert_memory_equal(value.data, "old", 3);
    assert_int_equal(kv_commit(txn), ERR_OK);
    assert_value(room->kv, T_MAIN, "k", "new");
}

static void keys_have_a_length(void **state)
{
    static const struct {
        const char *label;
        size_t size;
        enum err put, get;
    } cases[] = {
        {"empty", 0, ERR_INVALID, ERR_NOTFOUND},
        {"one", 1, ERR_OK, ERR_OK},
        {"longest", KV_KEY_MAX, ERR_OK, ERR_OK},
        {"too long", KV_KEY_MAX + 1, ERR_INVALID, ERR_NOTFOUND},
    };
    struct room *room = *state;
    char key[KV_KEY_MAX + 1];
    struct kv_bytes value;
    struct kv_txn *txn;

    memset(key, 'k', sizeof(key));
    assert_int_equal(kv_begin_write(room->kv, &txn), ERR_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kv_bytes k = KV_BYTES(key, cases[i].size);
        print_message("  %s\n", cases[i].label);
        assert_int_equal(kv_put(txn, T_MAIN, k, text("v")), cases[i].put);
        assert_int_equal(kv_get(txn, T_MAIN, k, &value), cases[i].get);
        assert_int_equal(kv_delete(txn, T_MAIN, k), cases[i].get);
        assert_int_equal(kv_delete(txn, T_MAIN, k), ERR_NOTFOUND);
    }
    assert_int_equal(kv_commit(txn), ERR_OK);
}

static void append_wants_rising_keys(void **state)
{
    struct room *room = *state;
    struct kv_txn *txn;

    assert_int_equal(kv_begin_write(room->kv, &txn), ERR_OK);
    assert_int_equal(kv_append(txn, T_MAIN, text("b"), text("1")), ERR_OK);
    assert_int_equal(kv_append(txn, T_MAIN, text("c"), text("2")), ERR_OK);
    assert_int_equal(kv_append(txn, T_MAIN, text("c"), text("3")), ERR_CONFLICT);
    assert_int_equal(kv_append(txn, T_MAIN, text("a"), text("4")), ERR_CONFLICT);
    assert_int_equal(kv_append(txn, T_MAIN, text("d"), text("5")), ERR_OK);
    assert_int_equal(kv_count(txn, T_MAIN), 3);
    assert_int_equal(kv_count(txn, T_OTHER), 0);
    assert_int_equal(kv_commit(txn), ERR_OK);
    assert_value(room->kv, T_MAIN, "c", "2");
}

static void clear_empties_one_table(void **state)
{
    struct room *room = *state;
    struct kv_txn *txn;

    put_one(room->kv, T_MAIN, "a", "1");
    put_one(room->kv, T_OTHER, "a", "1");
    assert_int_equal(kv_begin_write(room->kv, &txn), ERR_OK);
    assert_int_equal(kv_clear(txn, T_MAIN), ERR_OK);
    assert_int_equal(kv_count(txn, T_MAIN), 0);
    assert_int_equal(kv_count(txn, T_OTHER), 1);
    assert_int_equal(kv_commit(txn), ERR_OK);
    assert_value(room->kv, T_MAIN, "a", NULL);
}

static void assert_key(enum err rc, struct kv_bytes key, const char *want)
{
    assert_int_equal(rc, want == NULL ? ERR_NOTFOUND : ERR_OK);
    if (want != NULL) {
        assert_int_equal(key.size, strlen(want));
        assert_memory_equal(key.data, want, key.size);
    }
}

static void cursors_walk(void **state)
{
    struct room *room = *state;
    struct kv_cursor *c;
    struct kv_bytes k, v;
    struct kv_txn *txn;

    assert_int_equal(kv_begin_read(room->kv, &txn), ERR_OK);
    assert_int_equal(kv_cursor_open(txn, T_MAIN, &c), ERR_OK);
    assert_key(kv_cursor_first(c, &k, &v), k, NULL);
    assert_key(kv_cursor_last(c, &k, &v), k, NULL);
    assert_key(kv_cursor_next(c, &k, &v), k, NULL);
    assert_key(kv_cursor_seek(c, text("a"), &k, &v), k, NULL);
    kv_cursor_close(c);
    kv_cursor_close(NULL);
    kv_abort(txn);

    put_one(room->kv, T_MAIN, "b", "1");
    put_one(room->kv, T_MAIN, "d", "2");
    put_one(room->kv, T_MAIN, "f", "3");
    assert_int_equal(kv_begin_read(room->kv, &txn), ERR_OK);
    assert_int_equal(kv_cursor_open(txn, T_MAIN, &c), ERR_OK);
    assert_key(kv_cursor_next(c, &k, &v), k, "b");
    assert_key(kv_cursor_next(c, &k, &v), k, "d");
    assert_memory_equal(v.data, "2", 1);
    assert_key(kv_cursor_prev(c, &k, &v), k, "b");
    assert_key(kv_cursor_prev(c, &k, &v), k, NULL);
    assert_key(kv_cursor_seek(c, text("c"), &k, &v), k, "d");
    assert_key(kv_cursor_seek(c, text("d"), &k, &v), k, "d");
    assert_key(kv_cursor_seek(c, text(""), &k, &v), k, "b");
    assert_key(kv_cursor_seek(c, text("g"), &k, &v), k, NULL);
    assert_key(kv_cursor_last(c, &k, &v), k, "f");
    assert_key(kv_cursor_next(c, &k, &v), k, NULL);
    assert_key(kv_cursor_first(c, &k, &v), k, "b");
    kv_cursor_close(c);
    kv_abort(txn);
}

/* Deletes every entry whose number the rule names, while walking; enough entries for many pages. */
static void cursor_deletes_while_walking(void **state)
{
    enum { ENTRIES = 5000 };
    struct room *room = *state;
    static const unsigned modulus[] = {1, 2, 7};
    uint8_t key[4];
    char value[100] = "x";

    assert_int_equal(reopen(room, (struct kv_options){.map_size = 16 * MIB}), ERR_OK);
    for (size_t m = 0; m < sizeof(modulus) / sizeof(modulus[0]); m++) {
        struct kv_cursor *c;
        struct kv_bytes k, v;
        struct kv_txn *txn;
        unsigned seen = 0;

        assert_int_equal(kv_begin_write(room->kv, &txn), ERR_OK);
        assert_int_equal(kv_clear(txn, T_MAIN), ERR_OK);
        for (unsigned i = 0; i < ENTRIES; i++) {
            assert_int_equal(kv_append(txn, T_MAIN, number(key, i), KV_BYTES(value, sizeof(value))), ERR_OK);
        }
        assert_int_equal(kv_cursor_open(txn, T_MAIN, &c), ERR_OK);
        assert_int_equal(kv_cursor_delete(c), ERR_NOTFOUND);
        while (kv_cursor_next(c, &k, &v) == ERR_OK) {
            assert_memory_equal(k.data, number(key, seen).data, 4);
            if (seen % modulus[m] == 0) {
                assert_int_equal(kv_cursor_delete(c), ERR_OK);
                assert_int_equal(kv_cursor_delete(c), ERR_NOTFOUND);
            }
            seen++;
        }
        assert_int_equal(seen, ENTRIES);
        assert_int_equal(kv_count(txn, T_MAIN), ENTRIES - (ENTRIES + modulus[m] - 1) / modulus[m]);
        kv_cursor_close(c);
        assert_int_equal(kv_commit(txn), ERR_OK);
    }
}

struct load {
    struct kv *kv;
    atomic_bool stop;
    atomic_int faults;
    atomic_uint written; /* numbers below this are committed */
};

/* Reads committed entries back, sometimes with a second transaction inside the first. */
static void *read_under_load(void *arg)
{
    struct load *load = arg;
    unsigned turn = 0;

    while (!atomic_load(&load->stop)) {
        unsigned n = atomic_load(&load->written);
        struct kv_txn *outer, *inner = NULL;
        struct kv_bytes value = {0};
        uint8_t key[4];

        if (kv_begin_read(load->kv, &outer) != ERR_OK) {
            atomic_fetch_add(&load->faults, 1);
            continue;
        }
        if (turn++ % 3 == 0 && kv_begin_read(load->kv, &inner) != ERR_OK) {
            atomic_fetch_add(&load->faults, 1);
        }
        if (n > 0) {
            struct kv_bytes k = number(key, turn * 7919u % n);
            enum err rc = kv_get(inner != NULL ? inner : outer, T_MAIN, k, &value);
            if (rc != ERR_OK || value.size != 1000 || ((const char *)value.data)[999] != 'v') {
                atomic_fetch_add(&load->faults, 1);
            }
        }
        kv_abort(inner);
        kv_abort(outer);
    }
    return NULL;
}

/* Writes 16 entries in one transaction; grows the map and does it again when they do not fit. */
static unsigned write_batch(struct kv *kv, unsigned first)
{
    char value[1000];
    unsigned grown = 0;
    enum err rc;

    memset(value, 'v', sizeof(value));
    do {
        struct kv_txn *txn;
        uint8_t key[4];
        assert_int_equal(kv_begin_write(kv, &txn), ERR_OK);
        rc = ERR_OK;
        for (unsigned i = 0; i < 16; i++) {
            enum err now = kv_put(txn, T_MAIN, number(key, first + i), KV_BYTES(value, sizeof(value)));
            assert_true(rc == ERR_OK || now == rc); /* once failed, always failed */
            rc = now;
        }
        if (rc == ERR_OK) {
            rc = kv_commit(txn);
        } else {
            assert_int_equal(kv_commit(txn), rc);
        }
        if (rc == ERR_FULL) {
            assert_int_equal(kv_grow(kv), ERR_OK);
            grown++;
        }
    } while (rc == ERR_FULL);
    assert_int_equal(rc, ERR_OK);
    return grown;
}

static void the_map_grows_under_load(void **state)
{
    enum { ENTRIES = 12000 };
    struct room *room = *state;
    struct load load = {.kv = NULL};
    struct kv_stat stat;
    pthread_t threads[3];
    unsigned grown = 0;

    assert_int_equal(reopen(room, (struct kv_options){.map_size = MIB, .no_sync = true}), ERR_OK);
    load.kv = room->kv;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_under_load, &load), 0);
    }
    for (unsigned n = 0; n < ENTRIES; n += 16) {
        grown += write_batch(room->kv, n);
        atomic_store(&load.written, n + 16);
    }
    atomic_store(&load.stop, true);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&load.faults), 0);
    assert_true(grown >= 4);
    kv_stat(room->kv, &stat);
    assert_true(stat.map_size >= 16 * MIB);
    assert_true(stat.used_bytes > 12 * MIB && stat.used_bytes <= stat.map_size);
    assert_int_equal(stat.readers, 0);
}

static void growth_ends_at_the_limit(void **state)
{
    struct room *room = *state;
    char value[4096] = "";
    struct kv_stat stat;
    struct kv_txn *txn;
    enum err rc = ERR_OK;
    uint8_t key[4];

    assert_int_equal(reopen(room, (struct kv_options){.map_size = MIB, .map_max = 3 * MIB}), ERR_OK);
    put_one(room->kv, T_MAIN, "kept", "yes");
    assert_int_equal(kv_grow(room->kv), ERR_OK);
    assert_int_equal(kv_grow(room->kv), ERR_OK);
    assert_int_equal(kv_grow(room->kv), ERR_FULL);
    kv_stat(room->kv, &stat);
    assert_int_equal(stat.map_size, 3 * MIB);
    assert_int_equal(kv_begin_write(room->kv, &txn), ERR_OK);
    for (unsigned i = 0; i < 2000 && rc == ERR_OK; i++) {
        rc = kv_put(txn, T_MAIN, number(key, i), KV_BYTES(value, sizeof(value)));
    }
    assert_int_equal(rc, ERR_FULL);
    assert_int_equal(kv_commit(txn), ERR_FULL);
    assert_value(room->kv, T_MAIN, "kept", "yes");
    assert_int_equal(kv_begin_write(room->kv, &txn), ERR_OK);
    assert_int_equal(kv_count(txn, T_MAIN), 1);
    assert_int_equal(kv_delete(txn, T_MAIN, text("kept")), ERR_OK);
    assert_int_equal(kv_commit(txn), ERR_OK);
}

/* The result of opening dir in a new process. */
static int child_opens(const char *dir)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        struct kv_options options = {.map_size = MIB};
        struct kv *kv = NULL;
        _exit((int)kv_open(dir, &options, names, T_COUNT, &kv));
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Waits for a byte on a pipe. */
static void await_byte(int fd)
{
    char c;

    assert_int_equal(read(fd, &c, 1), 1);
}

static void a_second_process_is_refused(void **state)
{
    struct room *room = *state;
    int ready[2], go[2];
    struct kv *kv = NULL;
    struct kv_options options = {.map_size = MIB};
    int status;
    pid_t pid;

    kv_close(room->kv);
    room->kv = NULL;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid = fork();
    if (pid == 0) {
        char c = 'r';
        enum err rc = kv_open(room->dir, &options, names, T_COUNT, &kv);
        if (rc != ERR_OK || write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 1) {
            _exit(1);
        }
        _exit(0); /* without closing, as a killed process would */
    }
    await_byte(ready[0]);
    assert_int_equal(kv_open(room->dir, &options, names, T_COUNT, &kv), ERR_BUSY);
    assert_null(kv);
    assert_int_equal(child_opens(room->dir), ERR_BUSY);
    assert_int_equal(write(go[1], "g", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(reopen(room, options), ERR_OK);
    close(ready[0]);
    close(ready[1]);
    close(go[0]);
    close(go[1]);
}

static void a_second_open_in_one_process_is_refused(void **state)
{
    struct room *room = *state;
    struct kv_options options = {.map_size = MIB};
    struct kv *kv = NULL;

    assert_int_equal(kv_open(room->dir, &options, names, T_COUNT, &kv), ERR_BUSY);
    options.read_only = true;
    assert_int_equal(kv_open(room->dir, &options, names, T_COUNT, &kv), ERR_BUSY);
    put_one(room->kv, T_MAIN, "still", "open");
}

/* A read-only process beside the owner sees what is committed, also after the owner enlarged the map. */
static void a_reader_process_follows_a_growing_map(void **state)
{
    struct room *room = *state;
    int ready[2], go[2];
    int status;
    pid_t pid;

    kv_close(room->kv);
    room->kv = NULL;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid = fork();
    if (pid == 0) {
        struct kv_options options = {.read_only = true, .map_size = MIB};
        struct kv_txn *txn = NULL;
        struct kv_bytes value;
        struct kv *kv = NULL;
        uint8_t key[4];
        char c = 'r';
        if (read(go[0], &c, 1) != 1 || kv_open(room->dir, &options, names, T_COUNT, &kv) != ERR_OK ||
            write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 1 || kv_begin_read(kv, &txn) != ERR_OK) {
            _exit(1);
        }
        _exit(kv_get(txn, T_MAIN, number(key, 5000), &value) == ERR_OK ? 0 : 2);
    }
    assert_int_equal(reopen(room, (struct kv_options){.map_size = MIB}), ERR_OK);
    assert_int_equal(write(go[1], "o", 1), 1);
    await_byte(ready[0]);
    for (unsigned n = 0; n < 8000; n += 16) {
        write_batch(room->kv, n);
    }
    assert_int_equal(write(go[1], "g", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(ready[0]);
    close(ready[1]);
    close(go[0]);
    close(go[1]);
}

static void read_only_changes_nothing(void **state)
{
    struct room *room = *state;
    struct kv_options options = {.read_only = true};
    struct kv *kv = NULL;

    put_one(room->kv, T_MAIN, "a", "1");
    assert_int_equal(reopen(room, options), ERR_OK);
    assert_value(room->kv, T_MAIN, "a", "1");
    assert_int_equal(kv_open("/tmp/chasqui-kv-there-is-none", &options, names, T_COUNT, &kv), ERR_NOTFOUND);
    assert_int_not_equal(access("/tmp/chasqui-kv-there-is-none", F_OK), 0);
}

static void a_foreign_file_is_corrupt(void **state)
{
    struct room *room = *state;
    char path[128];
    char junk[16384];
    struct kv_options options = {.map_size = MIB};
    struct kv *kv = NULL;
    int fd;

    memset(junk, 'j', sizeof(junk));
    snprintf(path, sizeof(path), "%s/data.mdb", room->copy);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
    close(fd);
    assert_int_equal(kv_open(room->copy, &options, names, T_COUNT, &kv), ERR_CORRUPT);
    assert_null(kv);
}

static void a_copy_is_whole_and_compact(void **state)
{
    struct room *room = *state;
    struct kv_options options = {.map_size = MIB};
    struct kv_stat before, after;
    struct kv_txn *txn;
    struct kv *copy = NULL;
    uint8_t key[4];

    for (unsigned n = 0; n < 4000; n += 16) {
        write_batch(room->kv, n);
    }
    assert_int_equal(kv_begin_write(room->kv, &txn), ERR_OK);
    for (unsigned n = 100; n < 4000; n++) {
        assert_int_equal(kv_delete(txn, T_MAIN, number(key, n)), ERR_OK);
    }
    assert_int_equal(kv_commit(txn), ERR_OK);
    kv_stat(room->kv, &before);
    assert_int_equal(kv_copy(room->kv, room->copy), ERR_OK);
    assert_int_equal(kv_copy(room->kv, room->copy), ERR_INVALID);
    assert_int_equal(kv_copy(room->kv, "/tmp/chasqui-kv-there-is-none"), ERR_INVALID);
    assert_int_equal(kv_open(room->copy, &options, names, T_COUNT, &copy), ERR_OK);
    kv_stat(copy, &after);
    assert_true(after.used_bytes * 4 < before.used_bytes);
    assert_int_equal(kv_begin_read(copy, &txn), ERR_OK);
    assert_int_equal(kv_count(txn, T_MAIN), 100);
    kv_abort(txn);
    kv_close(copy);
}

static void the_oldest_reader_has_an_age(void **state)
{
    struct room *room = *state;
    struct kv_txn *first, *second, *writer;
    struct kv_stat stat;

    kv_stat(room->kv, &stat);
    assert_int_equal(stat.oldest_reader_ms, 0);
    assert_int_equal(kv_begin_write(room->kv, &writer), ERR_OK);
    assert_int_equal(kv_begin_read(room->kv, &first), ERR_OK);
    clock_shift_mono(5000);
    assert_int_equal(kv_begin_read(room->kv, &second), ERR_OK);
    clock_shift_mono(2000);
    kv_stat(room->kv, &stat);
    assert_in_range(stat.oldest_reader_ms, 7000, 8000);
    assert_int_equal(stat.readers, 2);
    kv_abort(first);
    kv_stat(room->kv, &stat);
    assert_in_range(stat.oldest_reader_ms, 2000, 3000);
    kv_abort(second);
    kv_stat(room->kv, &stat);
    assert_int_equal(stat.oldest_reader_ms, 0);
    assert_int_equal(stat.readers, 0);
    kv_abort(writer);
}

static void reader_slots_run_out(void **state)
{
    struct room *room = *state;
    struct kv_txn *txns[8];
    struct kv_txn *extra;

    /* The lock file keeps the number of slots of its first open, so begin with a fresh one. */
    kv_close(room->kv);
    room->kv = NULL;
    remove_dir(room->dir);
    assert_int_equal(reopen(room, (struct kv_options){.map_size = MIB, .readers = 8}), ERR_OK);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(kv_begin_read(room->kv, &txns[i]), ERR_OK);
    }
    assert_int_equal(kv_begin_read(room->kv, &extra), ERR_BUSY);
    assert_null(extra);
    kv_abort(txns[0]);
    assert_int_equal(kv_begin_read(room->kv, &txns[0]), ERR_OK);
    for (size_t i = 0; i < 8; i++) {
        kv_abort(txns[i]);
    }
}

enum { FULL_OK, FULL_NO_MOUNT, FULL_WRONG };

/* Writes a small file system full, then reads, deletes and writes again. In a mount namespace of its own. */
static int fill_the_disk(const char *dir)
{
    struct kv_options options = {.map_size = 64 * MIB};
    struct kv *kv = NULL;
    struct kv_txn *txn;
    struct kv_bytes value;
    char block[4000] = "";
    unsigned n = 0;
    uint8_t key[4];
    enum err rc = ERR_OK;

    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", dir, "tmpfs", 0, "size=6m") != 0) {
        return FULL_NO_MOUNT;
    }
    assert_int_equal(kv_open(dir, &options, names, T_COUNT, &kv), ERR_OK);
    while (rc == ERR_OK && n < 20000) {
        assert_int_equal(kv_begin_write(kv, &txn), ERR_OK);
        for (unsigned i = 0; i < 10; i++) {
            assert_int_equal(kv_put(txn, T_MAIN, number(key, n + i), KV_BYTES(block, sizeof(block))), ERR_OK);
        }
        rc = kv_commit(txn);
        n += rc == ERR_OK ? 10 : 0;
    }
    if (rc != ERR_FULL || kv_grow(kv) != ERR_FULL || n < 100) {
        return FULL_WRONG;
    }
    assert_int_equal(kv_begin_write(kv, &txn), ERR_OK);
    if (kv_count(txn, T_MAIN) != n || kv_get(txn, T_MAIN, number(key, n - 1), &value) != ERR_OK) {
        return FULL_WRONG;
    }
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(kv_delete(txn, T_MAIN, number(key, i)), ERR_OK);
    }
    if (kv_commit(txn) != ERR_OK) {
        return FULL_WRONG;
    }
    /* LMDB uses freed pages again once no snapshot before the delete can see them: two commits on. */
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(kv_begin_write(kv, &txn), ERR_OK);
        assert_int_equal(kv_put(txn, T_MAIN, number(key, i), KV_BYTES(block, 8)), ERR_OK);
        rc = kv_commit(txn);
    }
    kv_close(kv);
    return rc == ERR_OK ? FULL_OK : FULL_WRONG;
}

static void a_full_disk_is_told_apart(void **state)
{
    struct room *room = *state;
    int status;
    pid_t pid;

    kv_close(room->kv);
    room->kv = NULL;
    pid = fork();
    if (pid == 0) {
        _exit(fill_the_disk(room->copy));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == FULL_NO_MOUNT) {
        print_message("  needs the right to mount\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), FULL_OK);
}

static void transactions_are_numbered(void **state)
{
    struct room *room = *state;
    struct kv_stat before, after;

    kv_stat(room->kv, &before);
    put_one(room->kv, T_MAIN, "a", "1");
    put_one(room->kv, T_MAIN, "a", "2");
    kv_stat(room->kv, &after);
    assert_int_equal(after.last_txn, before.last_txn + 2);
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(committed_survives_a_reopen_aborted_does_not),
        IN_ROOM(a_snapshot_does_not_see_later_writes),
        IN_ROOM(keys_have_a_length),
        IN_ROOM(append_wants_rising_keys),
        IN_ROOM(clear_empties_one_table),
        IN_ROOM(cursors_walk),
        IN_ROOM(cursor_deletes_while_walking),
        IN_ROOM(the_map_grows_under_load),
        IN_ROOM(growth_ends_at_the_limit),
        IN_ROOM(a_second_process_is_refused),
        IN_ROOM(a_second_open_in_one_process_is_refused),
        IN_ROOM(a_reader_process_follows_a_growing_map),
        IN_ROOM(read_only_changes_nothing),
        IN_ROOM(a_foreign_file_is_corrupt),
        IN_ROOM(a_copy_is_whole_and_compact),
        IN_ROOM(the_oldest_reader_has_an_age),
        IN_ROOM(reader_slots_run_out),
        IN_ROOM(a_full_disk_is_told_apart),
        IN_ROOM(transactions_are_numbered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
