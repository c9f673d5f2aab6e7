/* records_test.c: records, guards, indexes, counts, pages, numbers, counters: the seam's conformance, part
 * one. */
#include "queue/base/crypto.h"
#include "store_fixture.h"

static void test_put_get_delete(void **state)
{
    struct fixture *f = *state;
    uint64_t first, second;

    put(f, KIND_AGENT, "agt_1", "{'name':'one'}");
    json_t *body = get(f, KIND_AGENT, PART, "agt_1", &first);
    assert_string_equal(jx_str(body, "name"), "one");
    json_decref(body);
    put(f, KIND_AGENT, "agt_1", "{'name':'two'}");
    body = get(f, KIND_AGENT, PART, "agt_1", &second);
    assert_string_equal(jx_str(body, "name"), "two");
    json_decref(body);
    assert_true(second > first && first > 0);
    assert_null(get(f, KIND_AGENT, PART_B, "agt_1", NULL));
    assert_null(get(f, KIND_CHANNEL, PART, "agt_1", NULL));
    struct changes *cs = changes_new();
    changes_delete(cs, KIND_AGENT, PART, "agt_1");
    changes_delete(cs, KIND_AGENT, PART, "agt_never");
    assert_int_equal(commit(f, cs), ERR_OK);
    assert_null(get(f, KIND_AGENT, PART, "agt_1", &first));
    assert_int_equal(first, 0);
}

static void test_bytes(void **state)
{
    struct fixture *f = *state;
    struct changes *cs = changes_new();
    struct snapshot *snap;
    const void *data;
    size_t size;

    changes_put_bytes(cs, KIND_HOOK, PART, "hok_1", "a\0b", 3);
    assert_int_equal(commit(f, cs), ERR_OK);
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_get_bytes(snap, KIND_HOOK, PART, "hok_1", &data, &size, NULL), ERR_OK);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "a\0b", 3);
    snapshot_close(snap);
}

/* One row: what a set expects of agt_1 (at revision rev) and agt_2 (absent), and the answer. */
static void test_expect(void **state)
{
    struct fixture *f = *state;
    uint64_t rev;

    put(f, KIND_AGENT, "agt_1", "{}");
    json_decref(get(f, KIND_AGENT, PART, "agt_1", &rev));
    const struct {
        const char *label, *id;
        uint64_t rev;
        enum err want;
    } rows[] = {
        {"there, as read", "agt_1", rev, ERR_OK},
        {"there, changed since", "agt_1", rev + 7, ERR_CONFLICT},
        {"there, expected absent", "agt_1", 0, ERR_CONFLICT},
        {"absent as expected", "agt_2", 0, ERR_OK},
        {"absent, expected", "agt_2", rev, ERR_CONFLICT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct changes *cs = changes_new();
        changes_expect(cs, KIND_AGENT, PART, rows[i].id, rows[i].rev);
        changes_add(cs, PART, rows[i].label, 1);
        enum err rc = commit(f, cs);
        struct snapshot *snap;
        assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
        int64_t written = snapshot_counter(snap, PART, rows[i].label);
        snapshot_close(snap);
        if (rc != rows[i].want || written != (rc == ERR_OK)) {
            fail_msg("%s: %s, written %lld", rows[i].label, err_name(rc), (long long)written);
        }
    }
}

static enum err once(struct fixture *f, const char *part, const char *scope, const char *id)
{
    struct changes *cs = changes_new();

    changes_once(cs, part, scope, id);
    return commit(f, cs);
}

static void test_once(void **state)
{
    struct fixture *f = *state;
    const int64_t day = 24LL * 3600 * 1000;

    assert_int_equal(once(f, PART, "in", "x"), ERR_OK);
    assert_int_equal(once(f, PART, "in", "x"), ERR_SEEN);
    assert_int_equal(once(f, PART, "in", "y"), ERR_OK);
    assert_int_equal(once(f, PART, "out", "x"), ERR_OK);
    assert_int_equal(once(f, PART_B, "in", "x"), ERR_OK);
    assert_int_equal(once(f, PART, "i", "nx"), ERR_OK);
    fixture_reopen(f);
    assert_int_equal(once(f, PART, "in", "x"), ERR_SEEN);
    clock_shift_wall(8 * day - 1000);
    assert_int_equal(once(f, PART, "in", "x"), ERR_SEEN);
    clock_shift_wall(8 * day);
    assert_int_equal(once(f, PART, "in", "x"), ERR_OK);
    clock_shift_wall(-4 * day);
    assert_int_equal(once(f, PART, "in", "x"), ERR_SEEN); /* set back over a border */
    clock_shift_wall(-12 * day + 1000);
}

struct page_want {
    const char *label;
    struct page_query query;
    const char *want; /* ids in order, each behind a space */
};

/* Reads the query to its end in pages of the given size and compares the ids. */
static void expect_pages(struct fixture *f, const struct page_want *row, size_t limit)
{
    struct page_query query = row->query;
    char got[4096] = "";
    char *after = NULL;
    bool more = true;

    query.limit = limit;
    while (more) {
        struct snapshot *snap;
        struct store_page page;
        assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
        query.after = after;
        assert_int_equal(snapshot_page(snap, &query, &page), ERR_OK);
        free(after);
        for (size_t i = 0; i < page.count; i++) {
            snprintf(got + strlen(got), sizeof got - strlen(got), " %s", page.rows[i].id);
            assert_non_null(page.rows[i].body);
        }
        more = page.more;
        assert_true(!more || page.count == limit);
        assert_true((page.count == 0) == (page.position == NULL));
        after = page.position != NULL ? xstrdup(page.position) : NULL;
        store_page_free(&page);
        snapshot_close(snap);
    }
    free(after);
    if (strcmp(got, row->want) != 0) {
        fail_msg("%s (limit %zu): got%s, want%s", row->label, limit, got, row->want);
    }
}

static void test_pages(void **state)
{
    struct fixture *f = *state;
    struct changes *cs = changes_new();

    add_put(cs, KIND_CONVERSATION, PART, "c1", "{'status':'open','last_message_at':'2026-01-03'}");
    add_put(cs, KIND_CONVERSATION, PART, "c2", "{'status':'open','last_message_at':'2026-01-01'}");
    add_put(cs, KIND_CONVERSATION, PART, "c3", "{'status':'closed','last_message_at':'2026-01-02'}");
    add_put(cs, KIND_CONVERSATION, PART, "c4", "{'status':'open','last_message_at':'2026-01-01'}");
    add_put(cs, KIND_CONVERSATION, PART, "c5", "{'status':'opener','last_message_at':'2026-01-05'}");
    add_put(cs, KIND_CONVERSATION, PART, "c6", "{'status':'open','last_message_at':null}");
    add_put(cs, KIND_CONVERSATION, PART_B, "x1", "{'status':'open','last_message_at':'2026-01-01'}");
    add_put(cs, KIND_CONVERSATION, "acc_A:live2", "x2", "{'status':'open','last_message_at':'2026-01-01'}");
    assert_int_equal(commit(f, cs), ERR_OK);
#define C    .kind = KIND_CONVERSATION, .part = PART
#define OPEN .index = INDEX_CONVERSATION_STATUS, .match = { "open" }
    const struct page_want rows[] = {
        {"by id", {C}, " c1 c2 c3 c4 c5 c6"},
        {"by id, newest first", {C, .descending = true}, " c6 c5 c4 c3 c2 c1"},
        {"by id, from and to", {C, .from = "c2", .to = "c5"}, " c2 c3 c4"},
        {"by id, from and to, back", {C, .from = "c2", .to = "c5", .descending = true}, " c4 c3 c2"},
        {"one status", {C, OPEN}, " c2 c4 c1"},
        {"one status, back", {C, OPEN, .descending = true}, " c1 c4 c2"},
        {"one status, from a day", {C, OPEN, .from = "2026-01-02"}, " c1"},
        {"one status, to a day", {C, OPEN, .to = "2026-01-03"}, " c2 c4"},
        {"one status, to a day, back", {C, OPEN, .to = "2026-01-03", .descending = true}, " c4 c2"},
        {"both fields, range on id",
         {C, .index = INDEX_CONVERSATION_STATUS, .match = {"open", "2026-01-01"}, .from = "c3"},
         " c4"},
        {"recent, newest first",
         {C, .index = INDEX_CONVERSATION_RECENT, .descending = true},
         " c5 c1 c3 c4 c2"},
        {"nothing", {C, .index = INDEX_CONVERSATION_STATUS, .match = {"none"}}, ""},
        {"nothing, back", {C, .index = INDEX_CONVERSATION_STATUS, .match = {"zzz"}, .descending = true}, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t limit = 1; limit <= 7; limit++) {
            expect_pages(f, &rows[i], limit);
        }
    }
}

static void test_page_position(void **state)
{
    struct fixture *f = *state;
    struct page_query query = {C, .limit = 1};
    struct store_page page, other;
    struct snapshot *snap;

    put(f, KIND_CONVERSATION, "c1", "{'status':'open','last_message_at':'1'}");
    put(f, KIND_CONVERSATION, "c2", "{'status':'open','last_message_at':'2'}");
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_page(snap, &query, &page), ERR_OK);
    const struct page_query bad[] = {
        {C, .limit = 1, .after = "junk"},
        {C, .limit = 1, .after = ""},
        {C, .limit = 0},
        {C, .limit = 1001},
        {C, .limit = 1, .after = page.position, .descending = true},
        {C, .limit = 1, .after = page.position, .index = INDEX_CONVERSATION_RECENT},
        {.kind = KIND_CONVERSATION, .part = PART_B, .limit = 1, .after = page.position},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(snapshot_page(snap, &bad[i], &other), ERR_INVALID);
    }
    store_page_free(&page);
    snapshot_close(snap);
}

static void test_indexes_follow(void **state)
{
    struct fixture *f = *state;
    const struct page_want open = {"open", {C, OPEN}, ""};
    const struct page_want closed = {
        "closed", {C, .index = INDEX_CONVERSATION_STATUS, .match = {"closed"}}, " c1"};

    put(f, KIND_CONVERSATION, "c1", "{'status':'open','last_message_at':'1'}");
    put(f, KIND_CONVERSATION, "c1", "{'status':'open','last_message_at':'2'}");
    assert_int_equal(count(f, KIND_CONVERSATION, INDEX_CONVERSATION_STATUS, "open"), 1);
    put(f, KIND_CONVERSATION, "c1", "{'status':'closed','last_message_at':'2'}");
    expect_pages(f, &open, 10);
    expect_pages(f, &closed, 10);
    assert_int_equal(count(f, KIND_CONVERSATION, INDEX_CONVERSATION_STATUS, "open"), 0);
    assert_int_equal(count(f, KIND_CONVERSATION, INDEX_CONVERSATION_STATUS, "closed"), 1);
    assert_int_equal(count(f, KIND_CONVERSATION, INDEX_NONE, NULL), 1);
    struct changes *cs = changes_new();
    changes_delete(cs, KIND_CONVERSATION, PART, "c1");
    assert_int_equal(commit(f, cs), ERR_OK);
    assert_int_equal(count(f, KIND_CONVERSATION, INDEX_CONVERSATION_STATUS, "closed"), 0);
    assert_int_equal(count(f, KIND_CONVERSATION, INDEX_NONE, NULL), 0);
    expect_pages(f, &(struct page_want){"closed", closed.query, ""}, 10);
}

/* Long texts are cut, a text with a NUL ends there, numbers and booleans count by their words. */
static void test_index_values(void **state)
{
    struct fixture *f = *state;
    char longer[400], text[600];

    memset(longer, 'q', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    snprintf(text, sizeof text, "{'hash':'%s'}", longer);
    put(f, KIND_KEY, "k1", text);
    put(f, KIND_KEY, "k2", "{'hash':42}");
    put(f, KIND_KEY, "k3", "{'hash':true}");
    put(f, KIND_KEY, "k4", "{'hash':[1]}");
    put(f, KIND_KEY, "k5", "{'hash':'ab\\u0000c'}");
#define K .kind = KIND_KEY, .part = PART, .index = INDEX_KEY_BY_HASH
    const struct page_want rows[] = {
        {"long", {K, .match = {longer}}, " k1"},
        {"number", {K, .match = {"42"}}, " k2"},
        {"true", {K, .match = {"true"}}, " k3"},
        {"NUL", {K, .match = {"ab"}}, " k5"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_pages(f, &rows[i], 10);
    }
}

static void test_faults(void **state)
{
    struct fixture *f = *state;
    char id[STORE_ID_MAX + 2];
    struct changes *cs = changes_new();

    memset(id, 'i', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    add_put(cs, KIND_AGENT, PART, id, "{}");
    assert_int_equal(commit(f, cs), ERR_INVALID);
    cs = changes_new();
    add_put(cs, KIND_AGENT, PART, "agt_kept_out", "{}");
    add_put(cs, KIND_AGENT, PART, "", "{}");
    assert_int_equal(commit(f, cs), ERR_INVALID);
    assert_null(get(f, KIND_AGENT, PART, "agt_kept_out", NULL));
    cs = changes_new();
    add_put(cs, KIND_AGENT, PART, "\xff", "{}");
    assert_int_equal(commit(f, cs), ERR_INVALID);
    cs = changes_new();
    char *large = xcalloc(1, STORE_BODY_MAX + 1);
    changes_put_bytes(cs, KIND_HOOK, PART, "h", large, STORE_BODY_MAX + 1);
    free(large);
    assert_int_equal(commit(f, cs), ERR_LIMIT);
    cs = changes_new();
    for (int i = 0; i <= STORE_CHANGES_MAX; i++) {
        changes_add(cs, PART, "n", 1);
    }
    assert_int_equal(commit(f, cs), ERR_LIMIT);
}

static bool counter_seen(const char *name, int64_t value, void *arg)
{
    char *text = arg;

    snprintf(text + strlen(text), 40, " %s=%lld", name, (long long)value);
    return strcmp(name, "b.2") != 0;
}

static void test_counters(void **state)
{
    struct fixture *f = *state;
    struct changes *cs = changes_new();
    struct snapshot *snap;
    char text[200] = "";

    changes_add(cs, PART, "b.1", 5);
    changes_add(cs, PART, "b.1", -7);
    changes_add(cs, PART, "b.2", 1);
    changes_add(cs, PART, "b.3", 1);
    changes_add(cs, PART, "a", 1);
    changes_add(cs, PART_B, "b.1", 100);
    assert_int_equal(commit(f, cs), ERR_OK);
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_counter(snap, PART, "b.1"), -2);
    assert_int_equal(snapshot_counter(snap, PART, "never"), 0);
    snapshot_counters(snap, PART, "b.", counter_seen, text);
    assert_string_equal(text, " b.1=-2 b.2=1");
    snapshot_close(snap);
}

struct numberer {
    struct fixture *f;
    int first;
};

/* Puts 50 numbered records, waiting for each. */
static void *number_records(void *arg)
{
    struct numberer *n = arg;

    for (int i = 0; i < 50; i++) {
        struct changes *cs = changes_new();
        json_t *body = json_pack("{s:i,s:s}", "sequence", -1, "x", "y");
        char id[32];
        snprintf(id, sizeof id, "evt_%03d", n->first + i);
        changes_expect(cs, KIND_EVENT, PART, id, 0);
        changes_put_numbered(cs, KIND_EVENT, PART, id, body, "s");
        json_decref(body);
        if (store_submit_wait(n->f->store, cs, NULL) != ERR_OK) {
            return n;
        }
    }
    return NULL;
}

static void test_numbered(void **state)
{
    struct fixture *f = *state;
    struct numberer n[4];
    pthread_t threads[4];
    bool seen[201] = {false};
    json_t *empty = json_object();

    for (int i = 0; i < 4; i++) {
        n[i] = (struct numberer){f, i * 50};
        assert_int_equal(pthread_create(&threads[i], NULL, number_records, &n[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (int i = 0; i < 200; i++) {
        char id[32];
        snprintf(id, sizeof id, "evt_%03d", i);
        json_t *body = get(f, KIND_EVENT, PART, id, NULL);
        int64_t sequence = jx_int(body, "sequence", 0);
        assert_in_range(sequence, 1, 200);
        assert_false(seen[sequence]);
        seen[sequence] = true;
        assert_string_equal(jx_str(body, "x"), "y");
        json_decref(body);
    }
    struct changes *cs = changes_new();
    changes_put_numbered(cs, KIND_EVENT, PART, "evt_e", empty, "other");
    assert_int_equal(commit(f, cs), ERR_OK);
    json_decref(empty);
    json_t *body = get(f, KIND_EVENT, PART, "evt_e", NULL);
    assert_int_equal(jx_int(body, "sequence", 0), 1);
    assert_int_equal(json_object_size(body), 1);
    json_decref(body);
}

/* The hash of a record's bytes as stored. */
static void stored_hash(struct fixture *f, const char *id, char out[65])
{
    struct snapshot *snap;
    const void *data;
    size_t size;
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_get_bytes(snap, KIND_AUDIT, PART, id, &data, &size, NULL), ERR_OK);
    sha256_hex(data, size, out);
    snapshot_close(snap);
}

/* Each record of a chained stream holds the hash of the one before; the last hash stands apart; a set that
 * fails adds no link. */
static void test_chained(void **state)
{
    struct fixture *f = *state;
    char expected[65], id[32];
    memset(expected, '0', 64);
    expected[64] = '\0';
    for (int i = 1; i <= 5; i++) {
        struct changes *cs = changes_new();
        json_t *body = json_pack("{s:s,s:i,s:s}", "previous", "mine", "n", i, "sequence", "mine");
        snprintf(id, sizeof id, "aud_%d", i);
        changes_put_chained(cs, KIND_AUDIT, PART, id, body, "audit");
        assert_int_equal(commit(f, cs), ERR_OK);
        cs = changes_new();
        changes_expect(cs, KIND_AUDIT, PART, id, 0); /* it is there */
        changes_put_chained(cs, KIND_AUDIT, PART, "aud_no", body, "audit");
        assert_int_equal(commit(f, cs), ERR_CONFLICT);
        json_decref(body);
        body = get(f, KIND_AUDIT, PART, id, NULL);
        assert_int_equal(jx_int(body, "sequence", 0), i);
        assert_int_equal(jx_int(body, "n", 0), i);
        assert_string_equal(jx_str(body, "previous"), expected);
        json_decref(body);
        stored_hash(f, id, expected);
        json_t *link = get(f, KIND_CHAIN, PART, "audit", NULL);
        assert_string_equal(jx_str(link, "hash"), expected);
        assert_int_equal(jx_int(link, "sequence", 0), i);
        json_decref(link);
    }
    json_t *empty = json_object();
    struct changes *cs = changes_new(); /* two links in one set, in another stream */
    changes_put_chained(cs, KIND_AUDIT, PART, "aud_a", empty, "other");
    changes_put_chained(cs, KIND_AUDIT, PART, "aud_b", empty, "other");
    assert_int_equal(commit(f, cs), ERR_OK);
    json_decref(empty);
    stored_hash(f, "aud_a", expected);
    json_t *body = get(f, KIND_AUDIT, PART, "aud_b", NULL);
    assert_string_equal(jx_str(body, "previous"), expected);
    json_decref(body);
}

/* Many different counts in one commit, the same one often, and put and deleted within one set. */
static void test_counts_of_one_commit(void **state)
{
    enum { VALUES = 100 };
    struct fixture *f = *state;
    struct changes *cs = changes_new();

    for (int i = 0; i < VALUES * 3; i++) {
        char id[16], text[80];
        snprintf(id, sizeof id, "cnv_%03d", i);
        snprintf(text, sizeof text, "{'status':'s%02d','last_message_at':'%03d'}", i % VALUES, i);
        json_t *body = json_of(text);
        changes_put(cs, KIND_CONVERSATION, PART, id, body);
        json_decref(body);
    }
    changes_delete(cs, KIND_CONVERSATION, PART, "cnv_000");
    assert_int_equal(commit(f, cs), ERR_OK);
    assert_int_equal(count(f, KIND_CONVERSATION, INDEX_CONVERSATION_STATUS, "s00"), 2);
    for (int i = 1; i < VALUES; i++) {
        char status[8];
        snprintf(status, sizeof status, "s%02d", i);
        assert_int_equal(count(f, KIND_CONVERSATION, INDEX_CONVERSATION_STATUS, status), 3);
    }
    assert_int_equal(count(f, KIND_CONVERSATION, INDEX_NONE, NULL), VALUES * 3 - 1);
}

/* A guard that found a record absent saves the look before its put; a set that puts it twice, or one of the
 * same name in another partition or of another kind, must still count and index right. */
static void test_expected_absent(void **state)
{
    struct fixture *f = *state;
    json_t *open = json_of("{'status':'open','last_message_at':'1'}");
    json_t *closed = json_of("{'status':'closed','last_message_at':'1'}");
    struct changes *cs = changes_new();

    changes_put(cs, KIND_CONVERSATION, PART_B, "cnv_1", open);
    assert_int_equal(commit(f, cs), ERR_OK);
    cs = changes_new();
    changes_expect(cs, KIND_CONVERSATION, PART, "cnv_1", 0);
    changes_expect(cs, KIND_HOOK, PART_B, "cnv_1", 0);
    changes_put(cs, KIND_CONVERSATION, PART, "cnv_1", open);
    changes_put(cs, KIND_CONVERSATION, PART, "cnv_1", closed);
    changes_put(cs, KIND_CONVERSATION, PART_B, "cnv_1", closed);
    assert_int_equal(commit(f, cs), ERR_OK);
    assert_int_equal(count(f, KIND_CONVERSATION, INDEX_NONE, NULL), 1);
    assert_int_equal(count(f, KIND_CONVERSATION, INDEX_CONVERSATION_STATUS, "open"), 0);
    assert_int_equal(count(f, KIND_CONVERSATION, INDEX_CONVERSATION_STATUS, "closed"), 1);
    struct snapshot *snap;
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_count(snap, KIND_CONVERSATION, PART_B, INDEX_NONE, NULL), 1);
    assert_int_equal(snapshot_count(snap, KIND_CONVERSATION, PART_B, INDEX_CONVERSATION_STATUS, "open"), 0);
    snapshot_close(snap);
    json_decref(open);
    json_decref(closed);
}

/* A body in two pieces, a job's payload as text, and both beyond their bounds. */
static void test_laid_out_bytes(void **state)
{
    struct fixture *f = *state;
    char *large = xcalloc(1, STORE_BODY_MAX + 1);
    const void *data;
    size_t size;
    struct snapshot *snap;
    struct changes *cs = changes_new();

    changes_put_joined(cs, KIND_HOOK, PART, "hok_1", "about\n", 6, "\0body", 5);
    assert_int_equal(commit(f, cs), ERR_OK);
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_get_bytes(snap, KIND_HOOK, PART, "hok_1", &data, &size, NULL), ERR_OK);
    assert_int_equal(size, 11);
    assert_memory_equal(data, "about\n\0body", 11);
    snapshot_close(snap);
    cs = changes_new();
    changes_put_joined(cs, KIND_HOOK, PART, "hok_2", "x", 1, large, STORE_BODY_MAX);
    assert_int_equal(commit(f, cs), ERR_LIMIT);
    cs = changes_new();
    changes_push_text(cs, QUEUE_INTAKE, PART, "lane", 0, large, STORE_BODY_MAX + 1);
    assert_int_equal(commit(f, cs), ERR_LIMIT);
    free(large);
}

struct tally {
    char last[STORE_ID_MAX + 1];
    size_t seen, most;
};

static bool tally_row(const struct store_row *row, void *arg)
{
    struct tally *tally = arg;

    assert_true(strcmp(tally->last, row->id) < 0);
    assert_non_null(row->body);
    memcpy(tally->last, row->id, sizeof tally->last);
    return ++tally->seen < tally->most;
}

/* Each row once and in order over several pages, no further than the caller wants. */
static void test_rows(void **state)
{
    struct fixture *f = *state;
    json_t *body = json_pack("{s:s}", "status", "open");
    struct changes *cs = changes_new();
    struct page_query query = {.kind = KIND_CONVERSATION, .part = PART, .after = "ignored", .limit = 1};
    struct snapshot *snap;

    for (int i = 0; i < 1101; i++) {
        char id[16];
        snprintf(id, sizeof id, "cnv_%04d", i);
        changes_put(cs, KIND_CONVERSATION, PART, id, body);
    }
    assert_int_equal(commit(f, cs), ERR_OK);
    json_decref(body);
    static const size_t cases[][2] = {{SIZE_MAX, 1101}, {1, 1}, {500, 500}, {501, 501}, {1101, 1101}};
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tally tally = {.most = cases[i][0]};
        assert_int_equal(snapshot_rows(snap, &query, tally_row, &tally), ERR_OK);
        assert_int_equal(tally.seen, cases[i][1]);
    }
    struct tally none = {.most = SIZE_MAX};
    query.part = PART_B;
    assert_int_equal(snapshot_rows(snap, &query, tally_row, &none), ERR_OK);
    assert_int_equal(none.seen, 0);
    snapshot_close(snap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_put_get_delete),
        STORE_TEST(test_bytes),
        STORE_TEST(test_expect),
        STORE_TEST(test_once),
        STORE_TEST(test_pages),
        STORE_TEST(test_page_position),
        STORE_TEST(test_rows),
        STORE_TEST(test_indexes_follow),
        STORE_TEST(test_index_values),
        STORE_TEST(test_faults),
        STORE_TEST(test_counters),
        STORE_TEST(test_numbered),
        STORE_TEST(test_chained),
        STORE_TEST(test_counts_of_one_commit),
        STORE_TEST(test_expected_absent),
        STORE_TEST(test_laid_out_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
