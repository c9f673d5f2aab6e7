/* kv_journal_test.c: a kv with a journal gives what one without gives, whatever lies in memory, on its way or
 * in the tree; every commit survives an end at any moment; damage is told from an end. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/base/kv_int.h"

#define TABLES  3
#define ROUNDS  400
#define READERS 3

static const char *const names[TABLES] = {"one", "two", "three"};
static const char *const files[] = {"data.mdb", "journal-0", "journal-1", "lock.mdb", "lock.pid"};

struct room {
    char dir[64], plain_dir[64], copy[64];
    struct kv *kv, *plain;
    uint64_t dice;
};

static enum err open_at(const char *dir, bool journal, struct kv **out)
{
    struct kv_options options = {.map_size = (size_t)1 << 20, .journal = journal, .no_sync = !journal};

    return kv_open(dir, &options, names, TABLES, out);
}

static void dir_make(char dir[64])
{
    strcpy(dir, "/tmp/chasqui-kv-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static void dir_remove(const char *dir)
{
    char path[128];

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static int set_up(void **state)
{
    struct room *room = xcalloc(1, sizeof *room);

    dir_make(room->dir);
    dir_make(room->plain_dir);
    dir_make(room->copy);
    room->dice = 88172645463325252u;
    *state = room;
    assert_int_equal(open_at(room->dir, true, &room->kv), ERR_OK);
    assert_int_equal(open_at(room->plain_dir, false, &room->plain), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct room *room = *state;

    kv_close(room->kv);
    kv_close(room->plain);
    dir_remove(room->dir);
    dir_remove(room->plain_dir);
    dir_remove(room->copy);
    free(room);
    return 0;
}

static unsigned roll(struct room *room, unsigned sides)
{
    room->dice ^= room->dice << 13;
    room->dice ^= room->dice >> 7;
    room->dice ^= room->dice << 17;
    return (unsigned)(room->dice >> 20) % sides;
}

/* The directory as a process that was killed now would leave it. */
static void copy_as_killed(struct room *room)
{
    for (size_t i = 0; i < 3; i++) {
        char from[128], to[128];
        struct stat st;
        snprintf(from, sizeof from, "%s/%s", room->dir, files[i]);
        snprintf(to, sizeof to, "%s/%s", room->copy, files[i]);
        int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(in >= 0 && out >= 0);
        assert_int_equal(fstat(in, &st), 0);
        for (off_t done = 0; done < st.st_size;) {
            assert_true(sendfile(out, in, &done, (size_t)(st.st_size - done)) > 0);
        }
        close(in);
        close(out);
    }
}

static struct kv *open_as_killed(struct room *room)
{
    struct kv *kv;

    copy_as_killed(room);
    assert_int_equal(open_at(room->copy, true, &kv), ERR_OK);
    return kv;
}

/* ---- the same as without ---- */

static struct kv_bytes key_roll(struct room *room, char out[16])
{
    int size = snprintf(out, 16, "k%u", roll(room, 60));

    return KV_BYTES(out, (size_t)size);
}

static void assert_same(enum err a, struct kv_bytes ka, struct kv_bytes va, enum err b, struct kv_bytes kb,
                        struct kv_bytes vb)
{
    assert_int_equal(a, b);
    assert_int_equal(ka.size, kb.size);
    assert_int_equal(va.size, vb.size);
    if (a == ERR_OK) {
        assert_memory_equal(ka.data, kb.data, ka.size);
        assert_memory_equal(va.data, vb.data, va.size);
    }
}

/* A cursor in each, moved the same way. */
static void walk_both(struct room *room, struct kv_txn *a, struct kv_txn *b, unsigned moves)
{
    unsigned table = roll(room, TABLES);
    struct kv_cursor *ca, *cb;
    enum err ra = ERR_NOTFOUND, rb = ERR_NOTFOUND;

    assert_int_equal(kv_cursor_open(a, table, &ca), ERR_OK);
    assert_int_equal(kv_cursor_open(b, table, &cb), ERR_OK);
    for (unsigned i = 0; i < moves; i++) {
        static enum err (*const steps[])(struct kv_cursor *, struct kv_bytes *, struct kv_bytes *) = {
            kv_cursor_next, kv_cursor_next, kv_cursor_prev, kv_cursor_prev, kv_cursor_first, kv_cursor_last};
        struct kv_bytes ka, va, kb, vb;
        char key[16];
        unsigned way = ra == ERR_OK ? roll(room, 7) : 4 + roll(room, 3);
        if (way < 6) {
            ra = steps[way](ca, &ka, &va);
            rb = steps[way](cb, &kb, &vb);
        } else {
            struct kv_bytes wanted = key_roll(room, key);
            ra = kv_cursor_seek(ca, wanted, &ka, &va);
            rb = kv_cursor_seek(cb, wanted, &kb, &vb);
        }
        assert_same(ra, ka, va, rb, kb, vb);
    }
    kv_cursor_close(ca);
    kv_cursor_close(cb);
}

/* Everything in order, both ways. */
static void assert_all_same(struct kv_txn *a, struct kv_txn *b)
{
    for (unsigned table = 0; table < TABLES; table++) {
        for (int back = 0; back < 2; back++) {
            struct kv_cursor *ca, *cb;
            enum err rc = ERR_OK;
            assert_int_equal(kv_cursor_open(a, table, &ca), ERR_OK);
            assert_int_equal(kv_cursor_open(b, table, &cb), ERR_OK);
            while (rc == ERR_OK) {
                struct kv_bytes ka, va, kb, vb;
                rc = back ? kv_cursor_prev(ca, &ka, &va) : kv_cursor_next(ca, &ka, &va);
                enum err other = back ? kv_cursor_prev(cb, &kb, &vb) : kv_cursor_next(cb, &kb, &vb);
                assert_same(rc, ka, va, other, kb, vb);
            }
            kv_cursor_close(ca);
            kv_cursor_close(cb);
        }
        assert_int_equal(kv_count(a, table), kv_count(b, table));
    }
}

/* Deletes what a cursor of each stands on, and the same of what follows. */
static void delete_along(struct room *room, struct kv_txn *a, struct kv_txn *b)
{
    unsigned table = roll(room, TABLES);
    struct kv_cursor *ca, *cb;
    struct kv_bytes ka, va, kb, vb;
    char key[16];

    assert_int_equal(kv_cursor_open(a, table, &ca), ERR_OK);
    assert_int_equal(kv_cursor_open(b, table, &cb), ERR_OK);
    struct kv_bytes from = key_roll(room, key);
    enum err rc = kv_cursor_seek(ca, from, &ka, &va);
    assert_int_equal(kv_cursor_seek(cb, from, &kb, &vb), rc);
    for (int i = 0; i < 4 && rc == ERR_OK; i++) {
        assert_int_equal(kv_cursor_delete(ca), ERR_OK);
        assert_int_equal(kv_cursor_delete(cb), ERR_OK);
        assert_int_equal(kv_cursor_delete(ca), ERR_NOTFOUND);
        rc = kv_cursor_next(ca, &ka, &va);
        assert_same(rc, ka, va, kv_cursor_next(cb, &kb, &vb), kb, vb);
    }
    kv_cursor_close(ca);
    kv_cursor_close(cb);
}

/* One operation on both, in their write transactions. */
static void change_both(struct room *room, struct kv_txn *a, struct kv_txn *b)
{
    unsigned table = roll(room, TABLES);
    struct kv_bytes va, vb;
    char key[16], value[64];
    struct kv_bytes k = key_roll(room, key);

    switch (roll(room, 8)) {
    case 0:
    case 1:
        assert_int_equal(kv_delete(a, table, k), kv_delete(b, table, k));
        break;
    case 2:
        delete_along(room, a, b);
        break;
    case 3:
        assert_int_equal(kv_append(a, table, k, k), kv_append(b, table, k, k));
        break;
    case 4:
        walk_both(room, a, b, 8);
        break;
    default:
        memset(value, (int)('a' + roll(room, 26)), sizeof value);
        struct kv_bytes v = KV_BYTES(value, roll(room, sizeof value));
        assert_int_equal(kv_put(a, table, k, v), kv_put(b, table, k, v));
    }
    enum err rc = kv_get(a, table, k, &va);
    assert_same(rc, k, va, kv_get(b, table, k, &vb), k, vb);
}

static void transaction_on_both(struct room *room)
{
    struct kv_txn *a, *b;
    bool keep = roll(room, 4) != 0;

    assert_int_equal(kv_begin_write(room->kv, &a), ERR_OK);
    assert_int_equal(kv_begin_write(room->plain, &b), ERR_OK);
    for (unsigned i = roll(room, 12); i > 0; i--) {
        change_both(room, a, b);
    }
    if (keep) {
        assert_int_equal(kv_commit(a), ERR_OK);
        assert_int_equal(kv_commit(b), ERR_OK);
    } else {
        kv_abort(a);
        kv_abort(b);
    }
}

/* Snapshots are held over commits and flushes; now and then the process ends, well or not. */
static void it_gives_what_a_plain_one_gives(void **state)
{
    struct room *room = *state;

    for (int round = 0; round < ROUNDS; round++) {
        struct kv_txn *a, *b;
        assert_int_equal(kv_begin_read(room->kv, &a), ERR_OK);
        assert_int_equal(kv_begin_read(room->plain, &b), ERR_OK);
        for (unsigned i = roll(room, 4); i > 0; i--) {
            transaction_on_both(room);
        }
        if (roll(room, 3) == 0) {
            assert_int_equal(kv_flush_all(room->kv), ERR_OK);
        }
        walk_both(room, a, b, 12);
        assert_all_same(a, b);
        kv_abort(a);
        kv_abort(b);
        if (roll(room, 20) == 0) {
            kv_close(room->kv);
            assert_int_equal(open_at(room->dir, true, &room->kv), ERR_OK);
        }
        if (roll(room, 20) == 0) {
            struct kv *killed = open_as_killed(room);
            assert_int_equal(kv_begin_read(killed, &a), ERR_OK);
            assert_int_equal(kv_begin_read(room->plain, &b), ERR_OK);
            assert_all_same(a, b);
            kv_abort(a);
            kv_abort(b);
            kv_close(killed);
        }
    }
}

/* A key with thousands of versions, and thousands of deleted keys, do not get in the way. */
static void many_versions_of_one_key(void **state)
{
    struct room *room = *state;
    struct kv_bytes k, v;
    struct kv_cursor *cursor;
    struct kv_txn *txn, *old;
    char text[16];

    assert_int_equal(kv_begin_write(room->kv, &txn), ERR_OK);
    assert_int_equal(kv_put(txn, 0, KV_BYTES("a", 1), KV_BYTES("", 0)), ERR_OK);
    assert_int_equal(kv_put(txn, 0, KV_BYTES("m", 1), KV_BYTES("0", 1)), ERR_OK);
    assert_int_equal(kv_put(txn, 0, KV_BYTES("z", 1), KV_BYTES("", 0)), ERR_OK);
    assert_int_equal(kv_commit(txn), ERR_OK);
    assert_int_equal(kv_begin_read(room->kv, &old), ERR_OK);
    assert_int_equal(kv_begin_write(room->kv, &txn), ERR_OK);
    for (int i = 1; i <= 3000; i++) {
        int size = snprintf(text, sizeof text, "%d", i);
        assert_int_equal(kv_put(txn, 0, KV_BYTES("m", 1), KV_BYTES(text, (size_t)size)), ERR_OK);
    }
    assert_int_equal(kv_commit(txn), ERR_OK);
    for (int now = 0; now < 2; now++) {
        struct kv_txn *reader = old;
        if (now) {
            assert_int_equal(kv_begin_read(room->kv, &reader), ERR_OK);
        }
        assert_int_equal(kv_cursor_open(reader, 0, &cursor), ERR_OK);
        assert_int_equal(kv_cursor_seek(cursor, KV_BYTES("b", 1), &k, &v), ERR_OK);
        assert_int_equal(v.size, now ? 4 : 1);
        assert_memory_equal(v.data, now ? "3000" : "0", v.size);
        assert_int_equal(kv_cursor_next(cursor, &k, &v), ERR_OK);
        assert_memory_equal(k.data, "z", 1);
        assert_int_equal(kv_cursor_prev(cursor, &k, &v), ERR_OK);
        assert_int_equal(v.size, now ? 4 : 1);
        assert_int_equal(kv_cursor_prev(cursor, &k, &v), ERR_OK);
        assert_memory_equal(k.data, "a", 1);
        assert_int_equal(kv_cursor_prev(cursor, &k, &v), ERR_NOTFOUND);
        kv_cursor_close(cursor);
        kv_abort(reader);
    }
}

/* ---- at the same time ---- */

struct scene {
    struct kv *kv;
    atomic_bool over;
    atomic_uint looks;
};

/* All keys have the same value, and it never falls. */
static void *read_on(void *arg)
{
    struct scene *scene = arg;
    uint64_t before = 0;

    while (!atomic_load(&scene->over)) {
        struct kv_txn *txn;
        uint64_t first = 0;
        if (kv_begin_read(scene->kv, &txn) != ERR_OK) {
            continue;
        }
        for (unsigned i = 0; i < 20; i++) {
            struct kv_bytes value;
            uint64_t found = 0;
            uint8_t key = (uint8_t)i;
            if (kv_get(txn, i % TABLES, KV_BYTES(&key, 1), &value) == ERR_OK) {
                memcpy(&found, value.data, sizeof found);
            }
            first = i == 0 ? found : first;
            CHECK(found == first && found >= before);
        }
        before = first;
        kv_abort(txn);
        atomic_fetch_add(&scene->looks, 1);
    }
    return NULL;
}

static void *flush_on(void *arg)
{
    struct scene *scene = arg;

    while (!atomic_load(&scene->over)) {
        CHECK(kv_flush_all(scene->kv) == ERR_OK);
    }
    return NULL;
}

static void readers_see_whole_commits_while_lists_come_and_go(void **state)
{
    struct room *room = *state;
    struct scene scene = {.kv = room->kv};
    pthread_t readers[READERS], flusher;

    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &scene), 0);
    }
    assert_int_equal(pthread_create(&flusher, NULL, flush_on, &scene), 0);
    for (uint64_t n = 1; n <= 300 || atomic_load(&scene.looks) < 300; n++) {
        struct kv_txn *txn;
        assert_int_equal(kv_begin_write(room->kv, &txn), ERR_OK);
        for (unsigned i = 0; i < 20; i++) {
            uint8_t key = (uint8_t)i;
            assert_int_equal(kv_put(txn, i % TABLES, KV_BYTES(&key, 1), KV_BYTES(&n, sizeof n)), ERR_OK);
        }
        assert_int_equal(kv_commit(txn), ERR_OK);
    }
    atomic_store(&scene.over, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    pthread_join(flusher, NULL);
}

/* ---- damage ---- */

static void commit_some(struct kv *kv, int count)
{
    for (int i = 0; i < count; i++) {
        struct kv_txn *txn;
        uint8_t key = (uint8_t)i;
        assert_int_equal(kv_begin_write(kv, &txn), ERR_OK);
        assert_int_equal(kv_put(txn, 0, KV_BYTES(&key, 1), KV_BYTES("value", 5)), ERR_OK);
        assert_int_equal(kv_commit(txn), ERR_OK);
    }
}

/* Changes one byte of the copy's journal files at a place. */
static void damage(const struct room *room, off_t at)
{
    for (int i = 0; i < 2; i++) {
        char path[128], byte;
        snprintf(path, sizeof path, "%s/journal-%d", room->copy, i);
        int fd = open(path, O_RDWR);
        if (fd >= 0 && pread(fd, &byte, 1, at) == 1) {
            byte ^= 1;
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
        close(fd);
    }
}

static uint64_t count_in(struct kv *kv)
{
    struct kv_txn *txn;

    assert_int_equal(kv_begin_read(kv, &txn), ERR_OK);
    uint64_t count = kv_count(txn, 0);
    kv_abort(txn);
    return count;
}

/* A last record that is not whole was never acknowledged; one in the midst was. */
static void a_torn_end_is_dropped_and_damage_before_it_refused(void **state)
{
    struct room *room = *state;
    struct kv *kv;

    commit_some(room->kv, 10);
    for (off_t record = 0; record <= 10; record++) {
        copy_as_killed(room);
        damage(room, record * 4096 + 8); /* each commit is one block here; the tenth is behind the end */
        enum err rc = open_at(room->copy, true, &kv);
        assert_int_equal(rc, record < 9 ? ERR_CORRUPT : ERR_OK);
        if (rc == ERR_OK) {
            assert_int_equal(count_in(kv), record < 10 ? 9 : 10);
            kv_close(kv);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_gives_what_a_plain_one_gives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_versions_of_one_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_see_whole_commits_while_lists_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_end_is_dropped_and_damage_before_it_refused, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
