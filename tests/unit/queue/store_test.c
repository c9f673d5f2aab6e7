/* store_test.c: batches, answers, backlog, faults, feed, walk, copy: the seam's conformance, part three. */
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "queue/base/kv.h"
#include "queue/base/loop.h"
#include "queue/keys.h"
#include "store_fixture.h"

/* Change-sets submitted on a loop, and their answers in order. */
struct sender {
    struct fixture *f;
    struct gate gate;
    void (*build)(struct changes *cs, int i);
    int count, submitted, answered;
    int inside; /* in store_submit */
    bool early; /* an answer came inside it, or on another thread */
    struct loop *loop;
    enum err rc[64];
    uint64_t rev[64];
};

static void sender_done(enum err rc, uint64_t rev, void *arg)
{
    struct sender *s = arg;

    s->early = s->early || s->inside != 0 || !loop_is_current(s->loop);
    s->rc[s->answered] = rc;
    s->rev[s->answered] = rev;
    gate_add(&s->gate, &s->answered, 1);
}

static void sender_run(void *arg)
{
    struct sender *s = arg;

    for (int i = 0; i < s->count; i++) {
        struct changes *cs = changes_new();
        s->build(cs, i);
        s->inside = 1;
        store_submit(s->f->store, cs, sender_done, s);
        s->inside = 0;
    }
    gate_add(&s->gate, &s->submitted, 1);
}

/* Submits all of the sender's sets into one batch and waits for the answers. */
static void send_batch(struct fixture *f, struct sender *s)
{
    struct brake b = {.gate = GATE_INIT};

    s->f = f;
    s->loop = loop_new("sender");
    assert_int_equal(loop_start(s->loop), ERR_OK);
    brake_on(f, &b);
    loop_post(s->loop, sender_run, s);
    assert_true(gate_wait(&s->gate, &s->submitted, 1, WAIT_MS));
    brake_off(f, &b);
    assert_true(gate_wait(&s->gate, &s->answered, s->count, WAIT_MS));
    loop_stop(s->loop);
    loop_join(s->loop);
    loop_free(s->loop);
    assert_false(s->early);
}

/* Ten sets that all want the same first-seen mark and the same absent record, every third one another. */
static void build_rivals(struct changes *cs, int i)
{
    char id[16];

    snprintf(id, sizeof id, "agt_%d", i % 3 == 0 ? i : 1);
    changes_expect(cs, KIND_AGENT, PART, id, 0);
    changes_add(cs, PART, "tries", 1);
    add_put(cs, KIND_AGENT, PART, id, "{}");
}

static void test_batch_guards_are_alone(void **state)
{
    struct fixture *f = *state;
    struct sender s = {.gate = GATE_INIT, .build = build_rivals, .count = 10};
    struct store_status before, after;
    struct snapshot *snap;

    store_status(f->store, &before);
    send_batch(f, &s);
    store_status(f->store, &after);
    for (int i = 0; i < 10; i++) {
        enum err want = i % 3 == 0 || i == 1 ? ERR_OK : ERR_CONFLICT;
        assert_int_equal(s.rc[i], want);
        assert_true((s.rev[i] != 0) == (want == ERR_OK));
        assert_true(want != ERR_OK || i == 0 || s.rev[i] > s.rev[0]);
    }
    assert_int_equal(after.commits - before.commits, 2); /* the brake's and the batch's */
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_counter(snap, PART, "tries"), 5);
    snapshot_close(snap);
}

static void build_any(struct changes *cs, int i)
{
    char id[16];

    snprintf(id, sizeof id, "agt_%d", i);
    add_put(cs, KIND_AGENT, PART, id, "{}");
}

static void test_backlog(void **state)
{
    struct fixture *f = *state;
    struct sender s = {.gate = GATE_INIT, .build = build_any, .count = 20};
    int busy = 0;

    store_close(f->store);
    assert_int_equal(store_open(f->uri, MAP_SIZE, 12, &f->store), ERR_OK);
    send_batch(f, &s);
    for (int i = 0; i < 20; i++) {
        busy += s.rc[i] == ERR_BUSY;
        assert_true(s.rc[i] == ERR_OK || s.rc[i] == ERR_BUSY);
    }
    assert_int_equal(busy, 8);
    assert_int_equal(count(f, KIND_AGENT, INDEX_NONE, NULL), 12);
    assert_true(store_accepts(f->store));
}

static void test_accepts_reserve(void **state)
{
    struct fixture *f = *state;
    struct store_status status;

    assert_true(store_accepts(f->store));
    store_set_reserve(f->store, UINT64_MAX);
    assert_false(store_accepts(f->store));
    store_status(f->store, &status);
    assert_true(status.disk_low && status.writable);
    put(f, KIND_AGENT, "agt_1", "{}"); /* what is under way goes on */
    store_set_reserve(f->store, 0);
    assert_true(store_accepts(f->store));
}

static enum err put_large(struct fixture *f, const char *id, size_t size)
{
    struct changes *cs = changes_new();
    char *data = xcalloc(1, size);

    changes_put_bytes(cs, KIND_HOOK, PART, id, data, size);
    free(data);
    return commit(f, cs);
}

static void test_map_grows(void **state)
{
    struct fixture *f = *state;
    struct store_status status;

    store_close(f->store);
    assert_int_equal(store_open(f->uri, 1 << 20, 100, &f->store), ERR_OK);
    for (int i = 0; i < 4; i++) {
        char id[16];
        snprintf(id, sizeof id, "hok_%d", i);
        assert_int_equal(put_large(f, id, 4 << 20), ERR_OK);
        push(f, QUEUE_SEND, PART, "a", 0, i);
    }
    int64_t deadline = clock_mono_ms() + 20000;
    do { /* what was committed comes into the tree a little later */
        store_status(f->store, &status);
        sched_yield();
    } while (status.map_bytes <= 16 << 20 && clock_mono_ms() < deadline);
    assert_true(status.map_bytes > 16 << 20);
    assert_int_equal(count(f, KIND_HOOK, INDEX_NONE, NULL), 4);
}

/* A failed write: no success is ever answered again, reads go on. */
static void test_io_error_is_final(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, tight;
    struct store_status status;
    char path[100];
    struct stat file;

    put(f, KIND_AGENT, "agt_1", "{}");
    snprintf(path, sizeof path, "%s/data.mdb", f->dir);
    assert_int_equal(stat(path, &file), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)file.st_size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    enum err rc = put_large(f, "hok_1", 4 << 20);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, ERR_IO);
    assert_int_equal(put_large(f, "hok_2", 10), ERR_IO);
    assert_false(store_accepts(f->store));
    store_status(f->store, &status);
    assert_false(status.writable);
    json_decref(get(f, KIND_AGENT, PART, "agt_1", NULL));
    assert_int_equal(count(f, KIND_HOOK, INDEX_NONE, NULL), 0);
    fixture_reopen(f);
    assert_int_equal(put_large(f, "hok_1", 10), ERR_OK);
}

/* A full file system: refused, readable, and well again by itself. Needs the right to mount. */
static void test_disk_full(void **state)
{
    struct fixture *f = *state;
    char filler[100];
    struct changes *cs;

    store_close(f->store);
    f->store = NULL;
    if (mount("tmpfs", f->dir, "tmpfs", 0, "size=6m") != 0) {
        fixture_reopen(f);
        skip();
    }
    fixture_reopen(f);
    put(f, KIND_AGENT, "agt_1", "{}");
    snprintf(filler, sizeof filler, "%s/filler", f->dir);
    FILE *file = fopen(filler, "w");
    while (file != NULL &&
           fputs("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", file) >= 0 &&
           fflush(file) == 0) {
    }
    (void)fclose(file);
    enum err full = put_large(f, "hok_1", 2 << 20);
    enum err again = put_large(f, "hok_1", 1 << 20);
    json_t *body = get(f, KIND_AGENT, PART, "agt_1", NULL);
    (void)unlink(filler);
    enum err well = put_large(f, "hok_1", 1 << 20);
    cs = changes_new();
    changes_delete(cs, KIND_HOOK, PART, "hok_1");
    enum err deleted = commit(f, cs);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(umount(f->dir), 0);
    assert_non_null(body);
    json_decref(body);
    assert_int_equal(full, ERR_FULL);
    assert_int_equal(again, ERR_FULL);
    assert_int_equal(well, ERR_OK);
    assert_int_equal(deleted, ERR_OK);
}

/* Marks of buckets that no longer count are dropped by later commits. */
static void test_marks_are_dropped(void **state)
{
    struct fixture *f = *state;
    const char *const tables[] = {"seen"};
    const int64_t days = 13LL * 24 * 3600 * 1000;
    struct kv_options options = {.map_size = MAP_SIZE};
    struct kv_txn *txn;
    struct kv *kv;

    struct changes *cs = changes_new();
    for (int i = 0; i < 200; i++) {
        char id[16];
        snprintf(id, sizeof id, "old%d", i);
        changes_once(cs, PART, "in", id);
    }
    assert_int_equal(commit(f, cs), ERR_OK);
    clock_shift_wall(days);
    for (int i = 0; i < 2; i++) {
        char id[16];
        cs = changes_new();
        snprintf(id, sizeof id, "new%d", i);
        changes_once(cs, PART, "in", id);
        assert_int_equal(commit(f, cs), ERR_OK);
    }
    clock_shift_wall(-days);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(kv_open(f->dir, &options, tables, 1, &kv), ERR_OK);
    assert_int_equal(kv_begin_read(kv, &txn), ERR_OK);
    assert_int_equal(kv_count(txn, 0), 2);
    kv_abort(txn);
    kv_close(kv);
}

struct feed_text {
    char text[400];
    int limit;
};

static bool feed_add(uint64_t rev, enum kind kind, const char *part, const char *id, void *arg)
{
    struct feed_text *out = arg;
    size_t used = strlen(out->text);

    assert_true(rev > 0);
    snprintf(out->text + used, sizeof out->text - used, " %s/%s/%s", kind_row(kind)->name, part, id);
    return --out->limit > 0;
}

static void expect_feed(struct fixture *f, uint64_t after, int limit, const char *want, bool want_gap)
{
    struct feed_text out = {.limit = limit};
    struct snapshot *snap;
    bool gap;

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_feed(snap, after, feed_add, &out, &gap), ERR_OK);
    snapshot_close(snap);
    assert_string_equal(out.text, want);
    assert_int_equal(gap, want_gap);
}

static void test_feed(void **state)
{
    struct fixture *f = *state;
    struct snapshot *snap;
    struct changes *cs;

    expect_feed(f, 0, 100, "", false);
    put(f, KIND_DOCUMENT, "doc_1", "{}");
    put(f, KIND_MESSAGE, "msg_1", "{}");
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    uint64_t first = snapshot_feed_rev(snap);
    snapshot_close(snap);
    cs = changes_new();
    add_put(cs, KIND_COLLECTION, PART_B, "col_1", "{}");
    changes_delete(cs, KIND_DOCUMENT, PART, "doc_1");
    changes_delete(cs, KIND_DOCUMENT, PART, "doc_never");
    assert_int_equal(commit(f, cs), ERR_OK);
    expect_feed(f, 0, 100, " document/acc_A:live/doc_1 collection/acc_B:live/col_1 document/acc_A:live/doc_1",
                false);
    expect_feed(f, first, 100, " collection/acc_B:live/col_1 document/acc_A:live/doc_1", false);
    expect_feed(f, first, 1, " collection/acc_B:live/col_1", false);
    expect_feed(f, 1000000, 100, "", true); /* a follower of a newer store than this copy */
}

static void test_feed_is_trimmed(void **state)
{
    struct fixture *f = *state;
    struct snapshot *snap;
    struct feed_text out = {.limit = 1};
    bool gap;

    for (int round = 0; round < 6; round++) {
        struct changes *cs = changes_new();
        for (int i = 0; i < 20000; i++) {
            changes_put_bytes(cs, KIND_DOCUMENT, PART, "doc_1", "x", 1);
        }
        assert_int_equal(commit(f, cs), ERR_OK);
    }
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_feed(snap, 0, feed_add, &out, &gap), ERR_OK);
    assert_true(gap);
    assert_int_equal(snapshot_feed(snap, snapshot_feed_rev(snap), feed_add, &out, &gap), ERR_OK);
    assert_false(gap);
    assert_int_equal(snapshot_count(snap, KIND_DOCUMENT, PART, INDEX_NONE, NULL), 1);
    snapshot_close(snap);
}

static bool walk_add(const char *part, const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    char *text = arg;

    assert_true(rev > 0);
    snprintf(text + strlen(text), 100, " %s/%s=%.*s", part, id, (int)size, (const char *)data);
    return true;
}

static void test_walk(void **state)
{
    struct fixture *f = *state;
    struct changes *cs = changes_new();
    struct snapshot *snap;
    char text[400] = "";

    add_put(cs, KIND_AGENT, PART_B, "agt_2", "{'a':2}");
    add_put(cs, KIND_AGENT, PART, "agt_1", "{'a':1}");
    add_put(cs, KIND_CHANNEL, PART, "chn_1", "{}");
    assert_int_equal(commit(f, cs), ERR_OK);
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_walk(snap, KIND_AGENT, walk_add, text), ERR_OK);
    snapshot_close(snap);
    assert_string_equal(text, " acc_A:live/agt_1={\"a\":1} acc_B:live/agt_2={\"a\":2}");
}

/* Takes two rows at most. */
static bool scan_two(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    char *text = arg;

    assert_true(rev > 0);
    snprintf(text + strlen(text), 100, " %s=%.*s", id, (int)size, (const char *)data);
    return strchr(text + 1, ' ') == NULL;
}

static void test_scan_goes_both_ways_and_on(void **state)
{
    struct fixture *f = *state;
    struct changes *cs = changes_new();
    struct page_query query = {.kind = KIND_AGENT, .part = PART};
    struct snapshot *snap;
    char text[400] = "";

    add_put(cs, KIND_AGENT, PART_B, "agt_0", "{}");
    add_put(cs, KIND_AGENT, PART, "agt_1", "{'a':1}");
    add_put(cs, KIND_AGENT, PART, "agt_2", "{'a':2}");
    add_put(cs, KIND_AGENT, PART, "agt_3", "{'a':3}");
    assert_int_equal(commit(f, cs), ERR_OK);
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_scan(snap, &query, scan_two, text), ERR_OK);
    assert_string_equal(text, " agt_1={\"a\":1} agt_2={\"a\":2}");
    text[0] = '\0';
    query.descending = true;
    assert_int_equal(snapshot_scan(snap, &query, scan_two, text), ERR_OK);
    assert_string_equal(text, " agt_3={\"a\":3} agt_2={\"a\":2}");
    text[0] = '\0';
    query.to = "agt_2";
    assert_int_equal(snapshot_scan(snap, &query, scan_two, text), ERR_OK);
    assert_string_equal(text, " agt_1={\"a\":1}");
    snapshot_close(snap);
}

static void test_backup(void **state)
{
    struct fixture *f = *state;
    struct fixture copy = {.dir = "/tmp/chasqui_copy_XXXXXX"};
    struct queue_shape shape;

    put(f, KIND_AGENT, "agt_1", "{'name':'kept'}");
    push(f, QUEUE_SEND, PART, "a", 0, 1);
    assert_non_null(mkdtemp(copy.dir));
    assert_int_equal(store_backup(f->store, copy.dir), ERR_OK);
    snprintf(copy.uri, sizeof copy.uri, "lmdb:%s", copy.dir);
    fixture_reopen(&copy);
    json_t *body = get(&copy, KIND_AGENT, PART, "agt_1", NULL);
    assert_string_equal(jx_str(body, "name"), "kept");
    json_decref(body);
    store_queue_shape(copy.store, QUEUE_SEND, &shape);
    assert_int_equal(shape.jobs, 1);
    store_close(copy.store);
    remove_dir(copy.dir);
}

static void test_open_refusals(void **state)
{
    struct fixture *f = *state;
    const char *const tables[] = {"meta"};
    const uint8_t newer[8] = {[7] = STORE_SCHEMA + 1};
    struct kv_options options = {.map_size = MAP_SIZE};
    struct store *second;
    struct kv_txn *txn;
    struct kv *kv;

    assert_int_equal(store_open("nothing:/tmp/x", MAP_SIZE, 10, &second), ERR_INVALID);
    assert_int_equal(store_open("lmdb:", MAP_SIZE, 10, &second), ERR_INVALID);
    assert_int_equal(store_open("lmdb:/nowhere/at/all", MAP_SIZE, 10, &second), ERR_NOTFOUND);
    assert_int_equal(store_open(f->uri, MAP_SIZE, 10, &second), ERR_BUSY);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(kv_open(f->dir, &options, tables, 1, &kv), ERR_OK);
    assert_int_equal(kv_begin_write(kv, &txn), ERR_OK);
    assert_int_equal(kv_put(txn, 0, KV_BYTES("schema", 6), KV_BYTES(newer, 8)), ERR_OK);
    assert_int_equal(kv_commit(txn), ERR_OK);
    kv_close(kv);
    assert_int_equal(store_open(f->uri, MAP_SIZE, 10, &second), ERR_SCHEMA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_batch_guards_are_alone),
        STORE_TEST(test_backlog),
        STORE_TEST(test_accepts_reserve),
        STORE_TEST(test_map_grows),
        STORE_TEST(test_io_error_is_final),
        STORE_TEST(test_disk_full),
        STORE_TEST(test_marks_are_dropped),
        STORE_TEST(test_feed),
        STORE_TEST(test_feed_is_trimmed),
        STORE_TEST(test_walk),
        STORE_TEST(test_scan_goes_both_ways_and_on),
        STORE_TEST(test_backup),
        STORE_TEST(test_open_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
