/* follow_test.c: when the index is made anew, and what a stream of questions sees while documents go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdatomic.h>
#include <string.h>

#include "kb/rows.h"
#include "queue/base/sanitized.h"
#include "tests/unit/kb/room.h"

/* Sets a number of the closed index's META. */
static void meta_set(struct room *room, const char *name, uint64_t value)
{
    struct kv_options options = {.map_size = 64u << 20};
    struct kv *kv;
    struct kv_txn *txn;

    assert_int_equal(kv_open(room->index_dir, &options, KB_TABLE_NAMES, KB_TABLES, &kv), ERR_OK);
    assert_int_equal(kv_begin_write(kv, &txn), ERR_OK);
    assert_int_equal(kb_meta_put(txn, name, value), ERR_OK);
    assert_int_equal(kv_commit(txn), ERR_OK);
    kv_close(kv);
}

static const struct broken_case {
    const char *label, *name;
    uint64_t value;
} BROKEN[] = {
    {"ahead of the store", "rev", 1000000},
    {"a rebuild that was cut short", "rebuilding", 1},
    {"another format", "format", 999},
};

/* Each of these makes kb_open build the index anew, with the same answers. */
static void test_rebuilds(void **state)
{
    struct room *room = *state;

    room_put(room, "p1", "doc_a", "col_1", "Parking", "The garage costs two euros.", true);
    for (size_t i = 0; i < sizeof BROKEN / sizeof *BROKEN; i++) {
        struct kb_result result;
        struct kb_stats stats;
        kb_close(room->kb);
        meta_set(room, BROKEN[i].name, BROKEN[i].value);
        assert_int_equal(kb_open(room->store, room->index_dir, &room->kb), ERR_OK);
        kb_stats(room->kb, &stats);
        assert_int_equal(stats.documents, 1);
        assert_true(stats.feed_rev > 0 && stats.feed_rev < 1000000);
        room_search(room, "p1", "col_1", "garage", &result);
        assert_int_equal(result.count, 1);
    }
}

/* ---- memory of a rebuild ---- */

#define MANY      40000 /* records, of four partitions */
#define MANY_ONCE 500
#define PEAK_MOST (2u << 20) /* their names alone are 3.5 MB */

struct watch {
    atomic_bool stop;
    size_t most; /* heap in use */
};

static void *watch_main(void *arg)
{
    struct watch *w = arg;

    while (!atomic_load(&w->stop)) {
        size_t now = mallinfo2().uordblks;
        w->most = now > w->most ? now : w->most;
        usleep(200);
    }
    return NULL;
}

/* Stores many documents that no search may find, but the last. */
static void many_put(struct room *room)
{
    for (size_t i = 0; i < MANY;) {
        struct changes *cs = changes_new();
        uint64_t rev;
        for (size_t k = 0; k < MANY_ONCE; k++, i++) {
            char id[40], part[24];
            snprintf(id, sizeof id, "doc_%08zu", i);
            snprintf(part, sizeof part, "p%zu", i / (MANY / 4));
            json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "id", id, "collection_id", "col_1",
                                    "title", "Lamp", "content", "A lamp.", "doc_type", "text", "enabled",
                                    i % (MANY / 4) == MANY / 4 - 1);
            kb_document_prepare(doc);
            changes_put(cs, KIND_DOCUMENT, part, id, doc);
            json_decref(doc);
        }
        assert_int_equal(store_submit_wait(room->store, cs, &rev), ERR_OK);
    }
}

/* Opens the closed index, which must rebuild; returns by how much the heap in use grew at most. */
static size_t rebuild_watched(struct room *room)
{
    struct watch watch = {.most = 0};
    pthread_t thread;

    meta_set(room, "rebuilding", 1);
    size_t before = mallinfo2().uordblks;
    assert_int_equal(pthread_create(&thread, NULL, watch_main, &watch), 0);
    assert_int_equal(kb_open(room->store, room->index_dir, &room->kb), ERR_OK);
    atomic_store(&watch.stop, true);
    pthread_join(thread, NULL);
    return watch.most > before ? watch.most - before : 0;
}

/* A rebuild takes every document, with a part of their names in memory at a time. */
static void test_rebuild_memory(void **state)
{
    struct room *room = *state;
    struct kb_result result;
    struct kb_stats stats;

    kb_close(room->kb);
    (void)rebuild_watched(room);
    kb_close(room->kb);
    size_t empty = rebuild_watched(room); /* what opening takes */
    kb_close(room->kb);
    many_put(room);
    size_t full = rebuild_watched(room);
    kb_stats(room->kb, &stats);
    assert_int_equal(stats.documents, 4);
    for (unsigned i = 0; i < 4; i++) {
        char part[24];
        snprintf(part, sizeof part, "p%u", i);
        room_search(room, part, "col_1", "lamp", &result);
        assert_int_equal(result.count, 1);
    }
    if (!SANITIZED && full > empty + PEAK_MOST) {
        fail_msg("%zu bytes, without documents %zu", full, empty);
    }
}

/* A store that went back to an earlier state takes the index with it, although that was ahead. */
static void test_older_store(void **state)
{
    struct room *room = *state;
    struct kb_result result;
    char uri[128];

    for (int i = 0; i < 5; i++) {
        room_put(room, "p1", "doc_a", "col_1", "Parking", i % 2 ? "The garage is free." : "The garage costs.",
                 true);
    }
    kb_close(room->kb);
    store_close(room->store);
    snprintf(uri, sizeof uri, "lmdb:%s/older", room->dir);
    assert_int_equal(store_open(uri, 64u << 20, 64, &room->store), ERR_OK);
    assert_int_equal(kb_open(room->store, room->index_dir, &room->kb), ERR_OK);
    room_search(room, "p1", "col_1", "garage", &result);
    assert_int_equal(result.count, 0);
    room_put(room, "p1", "doc_b", "col_1", "Bikes", "Bicycles stand in the yard.", true);
    room_search(room, "p1", "col_1", "bicycles", &result);
    assert_int_equal(result.count, 1);
}

/* Many documents in one change-set, one of them of several hundred chunks. */
static void test_bulk(void **state)
{
    struct room *room = *state;
    struct kb_result result;
    struct kb_stats stats;
    struct changes *cs = changes_new();
    struct buf text;

    buf_init(&text, 1 << 20);
    for (int i = 0; i < 4000; i++) {
        buf_addf(&text,
                 "Paragraph %d speaks of thing number %d and of nothing else in the whole wide world.\n\n", i,
                 i);
    }
    json_t *big = room_document("doc_big", "col_1", "Big", buf_str(&text), true);
    jx_set_str(big, "doc_type", "text");
    kb_document_prepare(big);
    changes_put(cs, KIND_DOCUMENT, "p1", "doc_big", big);
    json_decref(big);
    buf_fini(&text);
    for (int i = 0; i < 700; i++) {
        char id[32], title[64];
        snprintf(id, sizeof id, "doc_%d", i);
        snprintf(title, sizeof title, "Article a%d", i);
        json_t *doc = room_document(id, i % 2 ? "col_1" : "col_2", title, "An article with a number.", true);
        kb_document_prepare(doc);
        changes_put(cs, KIND_DOCUMENT, "p1", id, doc);
        json_decref(doc);
    }
    room_submit(room, cs);
    kb_stats(room->kb, &stats);
    assert_int_equal(stats.documents, 701);
    assert_true(stats.chunks > 900);
    room_search(room, "p1", "col_1", "thing 3777", &result);
    assert_true(result.count > 0);
    assert_non_null(strstr(result.hits[0].chunk.text, "Paragraph 3777 "));
    room_search(room, "p1", "col_2", "article a42", &result);
    assert_string_equal(result.hits[0].chunk.document_id, "doc_42");
    room_delete(room, "p1", "doc_big");
    room_search(room, "p1", "col_1", "paragraph", &result);
    assert_int_equal(result.count, 0);
}

struct stream {
    struct room *room;
    atomic_bool stop;
    atomic_uint stage; /* the document's text may be of this stage or the next */
    atomic_uint questions, stale;
};

/* Asks without end; counts answers that were already gone when the question was put. */
static void *stream_main(void *arg)
{
    struct stream *s = arg;
    const char *collection = "col_1";

    while (!atomic_load(&s->stop)) {
        struct arena *arena = arena_new(1 << 20);
        struct kb_query query = {"p1", &collection, 1, "what stage has the garage", "hello", 5, NULL};
        struct kb_result result;
        unsigned stage = atomic_load(&s->stage), seen = 0;
        if (kb_search(s->room->kb, &query, arena, &result) == ERR_OK && result.count > 0) {
            seen = (unsigned)strtoul(strstr(result.hits[0].chunk.text, "stage") + 5, NULL, 10);
            atomic_fetch_add(&s->stale, seen < stage);
        }
        atomic_fetch_add(&s->questions, 1);
        arena_free(arena);
    }
    return NULL;
}

/* While questions stream from three threads a document is replaced, deleted and put again: never an older
 * text than the one that kb_when_indexed told of. */
static void test_stream(void **state)
{
    struct room *room = *state;
    struct stream s = {.room = room};
    pthread_t threads[3];

    room_put(room, "p1", "doc_other", "col_1", "Tea", "Green tea is fresh.", true);
    room_put(room, "p1", "doc_a", "col_1", "Garage", "The garage has stage 0 now.", true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, stream_main, &s), 0);
    }
    for (unsigned stage = 1; stage <= 60; stage++) {
        char text[64];
        snprintf(text, sizeof text, "The garage has stage %u now.", stage);
        room_put(room, "p1", "doc_a", "col_1", "Garage", text, true);
        atomic_store(&s.stage, stage);
        if (stage % 10 == 0) {
            kb_set_memory(room->kb, stage % 20 == 0 ? 1 : 1 << 20);
            room_delete(room, "p1", "doc_other");
            room_put(room, "p1", "doc_other", "col_1", "Tea", "Black tea, stage 99999.", true);
        }
    }
    atomic_store(&s.stop, true);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(atomic_load(&s.questions) > 0);
    assert_int_equal(atomic_load(&s.stale), 0);
}

int main(void)
{
#define ROOM_TEST(fn) cmocka_unit_test_setup_teardown(fn, room_setup, room_teardown)
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_rebuilds), ROOM_TEST(test_rebuild_memory), ROOM_TEST(test_older_store),
        ROOM_TEST(test_bulk),     ROOM_TEST(test_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
