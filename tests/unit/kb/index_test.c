/* index_test.c: documents in the store become passages of a search, and stop being that when they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/id.h"
#include "tests/unit/kb/room.h"

/* A document is found after kb_when_indexed, with its chunk's fields. */
static void test_put(void **state)
{
    struct room *room = *state;
    struct kb_result result;

    room_put(room, "p1", "doc_a", "col_1", "Opening hours", "We are open from nine to five on weekdays.",
             true);
    room_search(room, "p1", "col_1", "when are you open", &result);
    assert_int_equal(result.count, 1);
    assert_string_equal(result.hits[0].chunk.document_id, "doc_a");
    assert_true(id_is(result.hits[0].chunk.id, "chk"));
    assert_string_equal(result.hits[0].chunk.title, "Opening hours");
    assert_string_equal(result.hits[0].chunk.text, "We are open from nine to five on weekdays.");
    assert_string_equal(result.hits[0].collection_id, "col_1");
    assert_true(result.confidence >= 0 && result.confidence <= 1);
}

/* A new text replaces the old one at once, in memory as well as on disk. */
static void test_replace(void **state)
{
    struct room *room = *state;
    struct kb_result result;

    room_put(room, "p1", "doc_a", "col_1", "Parking", "The garage costs two euros an hour.", true);
    room_search(room, "p1", "col_1", "garage", &result);
    assert_int_equal(result.count, 1);
    room_put(room, "p1", "doc_a", "col_1", "Parking", "Bicycles stand in the yard.", true);
    room_search(room, "p1", "col_1", "garage", &result);
    assert_int_equal(result.count, 0);
    room_search(room, "p1", "col_1", "bicycles", &result);
    assert_int_equal(result.count, 1);
}

/* Deleted and disabled documents are gone when the call returned; enabling brings them back. */
static void test_delete_disable(void **state)
{
    struct room *room = *state;
    struct kb_result result;

    room_put(room, "p1", "doc_a", "col_1", "Parking", "The garage costs two euros an hour.", true);
    room_put(room, "p1", "doc_b", "col_1", "Refunds", "Refunds take five days.", true);
    room_search(room, "p1", "col_1", "garage", &result);
    assert_int_equal(result.count, 1);
    room_put(room, "p1", "doc_a", "col_1", "Parking", "The garage costs two euros an hour.", false);
    room_search(room, "p1", "col_1", "garage", &result);
    assert_int_equal(result.count, 0);
    room_put(room, "p1", "doc_a", "col_1", "Parking", "The garage costs two euros an hour.", true);
    room_search(room, "p1", "col_1", "garage", &result);
    assert_int_equal(result.count, 1);
    room_delete(room, "p1", "doc_a");
    room_search(room, "p1", "col_1", "garage", &result);
    assert_int_equal(result.count, 0);
    room_search(room, "p1", "col_1", "refunds", &result);
    assert_int_equal(result.count, 1);
}

/* A document that moves to another collection leaves the first. */
static void test_move(void **state)
{
    struct room *room = *state;
    struct kb_result result;

    room_put(room, "p1", "doc_a", "col_1", "Parking", "The garage costs two euros.", true);
    room_put(room, "p1", "doc_a", "col_2", "Parking", "The garage costs two euros.", true);
    room_search(room, "p1", "col_1", "garage", &result);
    assert_int_equal(result.count, 0);
    room_search(room, "p1", "col_2", "garage", &result);
    assert_int_equal(result.count, 1);
}

/* The same ids in two partitions, and two collections of one: no search sees the other's. */
static void test_isolation(void **state)
{
    struct room *room = *state;
    struct kb_result result;

    room_put(room, "acc_1:live", "doc_a", "col_1", "Secret", "The vault code is written below.", true);
    room_put(room, "acc_2:live", "doc_a", "col_1", "Menu", "Soup and bread.", true);
    room_put(room, "acc_1:live", "doc_b", "col_2", "Lunch", "Noodles.", true);
    room_search(room, "acc_2:live", "col_1", "vault code", &result);
    assert_int_equal(result.count, 0);
    room_search(room, "acc_1:test", "col_1", "vault code", &result);
    assert_int_equal(result.count, 0);
    room_search(room, "acc_1:live", "col_2", "vault code", &result);
    assert_int_equal(result.count, 0);
    room_search(room, "acc_1:live", "col_1", "vault code", &result);
    assert_int_equal(result.count, 1);
    assert_string_equal(result.hits[0].chunk.title, "Secret");
}

/* Two collections in one search are ranked together; a collection named twice counts once. */
static void test_collections(void **state)
{
    struct room *room = *state;
    struct kb_result result;
    const char *collections[] = {"col_2", "col_1", "col_2", "col_none"};
    struct kb_query query = {"p1", collections, 4, "garage price", NULL, 5, NULL};

    room_put(room, "p1", "doc_a", "col_1", "Parking", "The garage price is two euros an hour.", true);
    room_put(room, "p1", "doc_b", "col_2", "Garage", "Our garage is in the cellar.", true);
    assert_int_equal(kb_search(room->kb, &query, room->arena, &result), ERR_OK);
    assert_int_equal(result.count, 2);
    assert_string_equal(result.hits[0].chunk.document_id, "doc_a");
    assert_string_equal(result.hits[0].collection_id, "col_1");
    assert_string_equal(result.hits[1].collection_id, "col_2");
}

/* The index is still there after a restart, and follows what changed while it was closed. */
static void test_reopen(void **state)
{
    struct room *room = *state;
    struct kb_result result;
    struct kb_stats stats;

    room_put(room, "p1", "doc_a", "col_1", "Parking", "The garage costs two euros.", true);
    kb_close(room->kb);
    room->kb = NULL;
    room_put(room, "p1", "doc_b", "col_1", "Refunds", "Refunds take five days.", true);
    assert_int_equal(kb_open(room->store, room->index_dir, &room->kb), ERR_OK);
    kb_stats(room->kb, &stats);
    assert_int_equal(stats.documents, 2);
    assert_int_equal(stats.chunks, 2);
    room_search(room, "p1", "col_1", "garage", &result);
    assert_int_equal(result.count, 1);
    room_search(room, "p1", "col_1", "refunds", &result);
    assert_int_equal(result.count, 1);
}

/* Writes the whole answer to a set of questions as text. */
static char *answers(struct room *room)
{
    static const char *const QUESTIONS[] = {"garage price",   "refund of a delivery", "word 7 and 13",
                                            "openning hours", "nothing at all",       "delivery"};
    struct buf text;

    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < sizeof QUESTIONS / sizeof *QUESTIONS; i++) {
        struct kb_result result;
        room_search(room, "p1", "col_1", QUESTIONS[i], &result);
        buf_addf(&text, "%s %.17g\n", QUESTIONS[i], result.confidence);
        for (size_t k = 0; k < result.count; k++) {
            buf_addf(&text, "%s %.17g %s\n", result.hits[k].chunk.id, result.hits[k].score,
                     result.hits[k].chunk.text);
        }
    }
    return buf_take(&text, NULL);
}

/* An index that lived through many changes answers exactly as one made anew from the records. */
static void test_rebuild_equal(void **state)
{
    static const char *const SUBJECTS[] = {"garage",        "delivery", "refund",
                                           "opening hours", "price",    "gift wrapping"};
    struct room *room = *state;
    unsigned seed = 7;

    for (int i = 0; i < 120; i++) {
        char id[32], text[160];
        seed = seed * 1103515245u + 12345u;
        unsigned pick = seed >> 16;
        snprintf(id, sizeof id, "doc_%u", pick % 30);
        snprintf(text, sizeof text, "The %s of %s is word %u. About %s we say more.", SUBJECTS[pick % 6],
                 SUBJECTS[pick / 7 % 6], pick % 17, SUBJECTS[pick / 3 % 6]);
        if (pick % 5 == 0) {
            room_delete(room, "p1", id);
        } else {
            room_put(room, "p1", id, "col_1", SUBJECTS[pick / 11 % 6], text, pick % 7 != 0);
        }
        if (i % 40 == 0) {
            free(answers(room)); /* so that changes reach an index in memory */
        }
    }
    char *grown = answers(room);
    room_reopen(room, true);
    char *anew = answers(room);
    assert_true(strlen(anew) > 500);
    assert_string_equal(grown, anew);
    free(grown);
    free(anew);
}

/* A cache too small for two collections still answers from both. */
static void test_eviction(void **state)
{
    struct room *room = *state;
    struct kb_result result;
    struct kb_stats stats;

    room_put(room, "p1", "doc_a", "col_1", "Parking", "The garage costs two euros.", true);
    room_put(room, "p1", "doc_b", "col_2", "Refunds", "Refunds take five days.", true);
    kb_set_memory(room->kb, 1);
    for (int i = 0; i < 3; i++) {
        room_search(room, "p1", "col_1", "garage", &result);
        assert_int_equal(result.count, 1);
        size_t one = (kb_stats(room->kb, &stats), stats.memory);
        room_search(room, "p1", "col_2", "refunds", &result);
        assert_int_equal(result.count, 1);
        kb_stats(room->kb, &stats);
        assert_true(stats.memory > 0 && stats.memory < 2 * one);
    }
}

/* No knowledge, no words, no collections: no hits, and no error. */
static void test_empty(void **state)
{
    struct room *room = *state;
    struct kb_result result;

    room_search(room, "p1", "col_1", "anything", &result);
    assert_int_equal(result.count, 0);
    room_put(room, "p1", "doc_a", "col_1", "Parking", "The garage costs two euros.", true);
    room_search(room, "p1", "col_1", "", &result);
    assert_int_equal(result.count, 0);
    room_search(room, "p1", "col_1", "?!", &result);
    assert_int_equal(result.count, 0);
    struct kb_query query = {"p1", NULL, 0, "garage", NULL, 5, NULL};
    assert_int_equal(kb_search(room->kb, &query, room->arena, &result), ERR_OK);
    assert_int_equal(result.count, 0);
    assert_true(result.confidence == 0);
}

/* Phrasings find the answer; the turn before weighs a little. */
static void test_phrasings_previous(void **state)
{
    struct room *room = *state;
    struct kb_result result;
    const char *collection = "col_1";
    struct kb_query query = {"p1", &collection, 1, "and how much is it", "I would like to park my car",
                             2,    NULL};

    room_put(room, "p1", "doc_b", "col_1", "Delivery", "It is four euros, and how much later depends.", true);
    json_t *doc = room_document("doc_a", "col_1", "Garage",
                                "It is two euros an hour, and how much fits is shown.", true);
    json_t *phrasings = json_array();
    jx_push(phrasings, json_string("where can I park my car"));
    jx_push(phrasings, json_string("  "));
    jx_set(doc, "phrasings", phrasings);
    room_put_doc(room, "p1", doc);
    room_search(room, "p1", "col_1", "park", &result);
    assert_int_equal(result.count, 1);
    assert_int_equal(kb_search(room->kb, &query, room->arena, &result), ERR_OK);
    assert_int_equal(result.count, 2);
    assert_string_equal(result.hits[0].chunk.document_id, "doc_a");
}

int main(void)
{
#define ROOM_TEST(fn) cmocka_unit_test_setup_teardown(fn, room_setup, room_teardown)
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_put),
        ROOM_TEST(test_replace),
        ROOM_TEST(test_delete_disable),
        ROOM_TEST(test_move),
        ROOM_TEST(test_isolation),
        ROOM_TEST(test_collections),
        ROOM_TEST(test_reopen),
        ROOM_TEST(test_rebuild_equal),
        ROOM_TEST(test_eviction),
        ROOM_TEST(test_empty),
        ROOM_TEST(test_phrasings_previous),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
