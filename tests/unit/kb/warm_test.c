/* warm_test.c: large collections are read ahead, small ones in place, and nobody waits for ever. */
#include <stdatomic.h>

#include <string.h>

#include "kb/kb_int.h"
#include "tests/unit/kb/room.h"

#define PASSAGES 700

struct asked {
    struct room *room;
    const char *collection;
    bool ready;
    atomic_int told;
    atomic_bool answered;
};

static void told(void *arg)
{
    struct asked *a = arg;

    atomic_fetch_add(&a->told, 1);
}

/* On the room's loop. */
static void ask(void *arg)
{
    struct asked *a = arg;
    struct kb_query query = {
        .part = "p1", .collections = &a->collection, .collection_count = 1, .text = "kettle", .limit = 1};

    a->ready = kb_ready(a->room->kb, &query, told, a);
    atomic_store(&a->answered, true);
}

/* True if the collection can be searched at once; else waits until it was read. */
static bool ready(struct room *room, const char *collection)
{
    struct asked a = {.room = room, .collection = collection};

    loop_post(room->loop, ask, &a);
    for (int i = 0; i < 20000 && !(atomic_load(&a.answered) && (a.ready || atomic_load(&a.told) > 0)); i++) {
        usleep(1000);
    }
    assert_true(atomic_load(&a.answered));
    assert_int_equal(atomic_load(&a.told), a.ready ? 0 : 1);
    return a.ready;
}

static void fill(struct room *room, const char *collection, int count)
{
    struct changes *cs = changes_new();

    for (int i = 0; i < count; i++) {
        char id[48];
        snprintf(id, sizeof id, "doc_%s_%d", collection, i);
        json_t *doc = room_document(id, collection, "Kettle", "A kettle of copper.", true);
        kb_document_prepare(doc);
        changes_put(cs, KIND_DOCUMENT, "p1", id, doc);
        json_decref(doc);
    }
    room_submit(room, cs);
}

static void test_ready(void **state)
{
    struct room *room = *state;
    struct kb_result result;

    fill(room, "col_large", PASSAGES);
    fill(room, "col_small", 20);
    assert_false(ready(room, "col_large"));
    assert_true(ready(room, "col_large")); /* it is there now */
    room_search(room, "p1", "col_large", "kettle", &result);
    assert_int_equal(result.count, 5);
    assert_true(ready(room, "col_small"));
    assert_true(ready(room, "col_none"));
    kb_set_memory(room->kb, 1);
    assert_true(ready(room, "col_large")); /* the one searched last stays */
}

/* On the room's loop: a vector for the first chunk. */
static void embed(void *arg)
{
    struct asked *a = arg;
    static const uint8_t model[KB_MODEL_MARK] = "model";
    static const uint64_t numbers[] = {1};
    static const float vector[] = {1, 2, 3, 4};
    struct kb_embedded embedded = {{"p1", a->collection, model}, numbers, vector, 1, 4};

    kb_embed(a->room->kb, &embedded, told, a);
}

/* The vectors of a large collection are read with it. */
static void test_vectors(void **state)
{
    struct room *room = *state;
    struct asked a = {.room = room, .collection = "col_large"};

    fill(room, "col_large", PASSAGES);
    loop_post(room->loop, embed, &a);
    for (int i = 0; i < 20000 && atomic_load(&a.told) == 0; i++) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(&a.told), 1);
    assert_int_equal(kb_vectors_bytes(room->kb->vectors), 0);
    assert_false(ready(room, "col_large"));
    assert_true(kb_vectors_bytes(room->kb->vectors) > 0);
}

/* After kb_rest the caller reads in place. */
static void test_rest(void **state)
{
    struct room *room = *state;

    fill(room, "col_large", PASSAGES);
    kb_rest(room->kb);
    assert_true(ready(room, "col_large"));
    kb_rest(room->kb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ready, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(test_vectors, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(test_rest, room_setup, room_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
