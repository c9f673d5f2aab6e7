/* upgrade_test.c: a store written by an older version is brought forward, whatever interrupts it. */
#include <signal.h>
#include <sys/wait.h>

#include "queue/base/kv.h"
#include "queue/keys.h"
#include "store_fixture.h"

#define MESSAGES   700
#define TEST_PART  "acc_1:live"
#define KILLS_MOST 40

/* Takes the index entries out of every record, as a version wrote them that had no index. */
static void records_without_entries(struct kv_txn *txn, unsigned table)
{
    struct kv_cursor *cursor;
    struct kv_bytes key, value;
    struct record_view view;
    struct {
        uint8_t key[KV_KEY_MAX], value[512];
        size_t key_size, value_size;
    } *rows = xcalloc(1000, sizeof *rows);
    size_t count = 0;

    assert_int_equal(kv_cursor_open(txn, table, &cursor), ERR_OK);
    for (enum err rc = kv_cursor_first(cursor, &key, &value); rc == ERR_OK;
         rc = kv_cursor_next(cursor, &key, &value)) {
        assert_true(count < 1000 && record_view(value, &view));
        memcpy(rows[count].key, key.data, key.size);
        rows[count].key_size = key.size;
        memcpy(rows[count].value, value.data, RECORD_HEAD - 4);
        put_u32(rows[count].value + RECORD_HEAD - 4, 0);
        memcpy(rows[count].value + RECORD_HEAD, view.body, view.body_size);
        rows[count++].value_size = RECORD_HEAD + view.body_size;
    }
    kv_cursor_close(cursor);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(kv_put(txn, table, KV_BYTES(rows[i].key, rows[i].key_size),
                                KV_BYTES(rows[i].value, rows[i].value_size)),
                         ERR_OK);
    }
    free(rows);
}

/* Closes the store and leaves it as a version without these indexes would have. */
static void make_older(struct fixture *f)
{
    const char *const tables[] = {"meta", "index", "count", "record"};
    const uint8_t older[8] = {[7] = 42};
    struct kv_options options = {.map_size = MAP_SIZE};
    struct kv_txn *txn;
    struct kv *kv;

    struct changes *cs = changes_new();
    add_put(cs, KIND_ACCOUNT, PARTITION_GLOBAL, "acc_1", "{'id':'acc_1'}");
    for (int i = 0; i < MESSAGES; i++) {
        char id[32];
        snprintf(id, sizeof id, "msg_%04d", i);
        add_put(cs, KIND_MESSAGE, TEST_PART, id, "{'conversation_id':'cnv_1'}");
    }
    assert_int_equal(store_submit_wait(f->store, cs, NULL), ERR_OK);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(kv_open(f->dir, &options, tables, 4, &kv), ERR_OK);
    assert_int_equal(kv_begin_write(kv, &txn), ERR_OK);
    assert_int_equal(kv_clear(txn, 1), ERR_OK);
    assert_int_equal(kv_clear(txn, 2), ERR_OK);
    records_without_entries(txn, 3);
    assert_int_equal(kv_put(txn, 0, KV_BYTES("layout", 6), KV_BYTES(older, 8)), ERR_OK);
    assert_int_equal(kv_commit(txn), ERR_OK);
    kv_close(kv);
}

/* All messages are there and found by their conversation, and the next opening has nothing to do. */
static void check_forward(struct fixture *f)
{
    struct page_query query = {.kind = KIND_MESSAGE,
                               .part = TEST_PART,
                               .index = INDEX_MESSAGE_CONVERSATION,
                               .match = {"cnv_1"},
                               .limit = 1000};
    struct store_page page;
    struct snapshot *snap;
    uint64_t before = 0, after = 0;

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_page(snap, &query, &page), ERR_OK);
    assert_int_equal(page.count, MESSAGES);
    assert_string_equal(page.rows[MESSAGES - 1].id, "msg_0699");
    assert_int_equal(snapshot_count(snap, KIND_MESSAGE, TEST_PART, INDEX_MESSAGE_CONVERSATION, "cnv_1"),
                     MESSAGES);
    store_page_free(&page);
    snapshot_close(snap);
    json_decref(get(f, KIND_MESSAGE, TEST_PART, "msg_0001", &before));
    fixture_reopen(f);
    json_decref(get(f, KIND_MESSAGE, TEST_PART, "msg_0001", &after));
    assert_int_equal(before, after);
}

/* Index entries made by an older table are made anew; the records stay as they are. */
static void test_indexes_anew(void **state)
{
    struct fixture *f = *state;

    make_older(f);
    fixture_reopen(f);
    check_forward(f);
}

/* Opens the store in a process that is to end at the place, and says whether it was killed there. */
static bool killed_at_opening(const struct fixture *f, const char *place)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct store *store;
        setenv("TEST_KILL_POINT", place, 1);
        enum err rc = store_open(f->uri, MAP_SIZE, 1024, &store);
        if (rc == ERR_OK) {
            store_close(store);
        }
        _exit(rc == ERR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

/* Killed again and again before and after its commits, each time one commit further on, the way forward is
 * gone to its end by the next opening. Without kill points in the build the first opening goes through. */
static void test_killed_on_the_way(void **state)
{
    static const char *const places[] = {"commit.before", "commit.after", "answers.before"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bool killed = true;
        int kills = -1;
        make_older(f);
        for (int nth = 1; killed && nth < KILLS_MOST; nth++, kills++) {
            char place[64];
            snprintf(place, sizeof place, "%s:%d", places[i], nth);
            killed = killed_at_opening(f, place);
        }
        assert_false(killed);
#ifdef CHASQUI_KILL_POINTS
        assert_true(kills > 0);
#else
        assert_int_equal(kills, 0);
#endif
        assert_int_equal(store_open(f->uri, MAP_SIZE, 1024, &f->store), ERR_OK);
        check_forward(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_killed_on_the_way),
        STORE_TEST(test_indexes_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
