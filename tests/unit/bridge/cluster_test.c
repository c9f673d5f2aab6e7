/* cluster_test.c: questions that mean the same come together; languages; what a segment may be made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/insight/cluster.h"
#include "bridge/insight/segment.h"
#include "bridge/insight/terms.h"

static void ask(struct clusters *clusters, const char *text, const char *passage, bool answered)
{
    struct question question = {.text = text,
                                .message_id = "msg_1",
                                .conversation_id = "cnv_1",
                                .passage = passage,
                                .answered = answered,
                                .confidence = answered ? 0.8 : -1};

    clusters_add(clusters, &question);
}

static void test_the_same_meaning_is_one_cluster(void **state)
{
    struct clusters *clusters = clusters_new();

    (void)state;
    ask(clusters, "When do you open?", NULL, true);
    ask(clusters, "What are your opening hours?", NULL, true);
    ask(clusters, "are you open on sunday", NULL, false);
    ask(clusters, "Do you deliver to Madrid?", NULL, true);
    ask(clusters, "hello!", NULL, true);
    json_t *list = clusters_list(clusters, 10), *first = json_array_get(list, 0);
    assert_int_equal(json_array_size(list), 2);
    assert_int_equal(jx_int(first, "count", 0), 3);
    assert_int_equal(jx_int(first, "answered", 0), 2);
    assert_string_equal(jx_str(first, "question"), "When do you open?");
    assert_int_equal(json_array_size(jx_arr(first, "examples")), 3);
    json_decref(list);
    list = clusters_list(clusters, 1);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    clusters_free(clusters);
}

static void test_the_passage_decides_where_words_nearly_do(void **state)
{
    static const char *const texts[] = {"parcel shipping price abroad", "What does shipping cost?"};

    (void)state;
    for (int same = 0; same <= 1; same++) {
        struct clusters *clusters = clusters_new();
        ask(clusters, texts[0], "chk_1", true);
        ask(clusters, texts[1], same ? "chk_1" : "chk_2", true);
        json_t *list = clusters_list(clusters, 10);
        assert_int_equal(json_array_size(list), same ? 1 : 2);
        json_decref(list);
        clusters_free(clusters);
    }
}

static void test_more_kinds_than_are_told_apart(void **state)
{
    struct clusters *clusters = clusters_new();
    char text[40];

    (void)state;
    for (int i = 0; i < CLUSTERS_MOST + 50; i++) {
        snprintf(text, sizeof text, "%c%c%c%c?", 'a' + i % 26, 'a' + i / 26 % 26, 'q', 'a' + i % 7);
        ask(clusters, text, NULL, true);
    }
    json_t *list = clusters_list(clusters, 1000);
    assert_true(json_array_size(list) <= CLUSTERS_MOST);
    json_decref(list);
    clusters_free(clusters);
}

static void test_languages(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"When does the shop open?", "en"},
        {"¿A qué hora abre la tienda?", "es"},
        {"Wann haben Sie geöffnet?", "de"},
        {"Quand est-ce que vous ouvrez ?", "fr"},
        {"Когда вы открываетесь?", "ru"},
        {"متى تفتحون؟", "ar"},
        {"何時に開きますか", "ja"},
        {"你们几点开门", "zh"},
        {"몇 시에 열어요?", "ko"},
        {"आप कब खुलते हैं?", "hi"},
        {"12345", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = terms_language(rows[i].text);
        assert_string_equal(got != NULL ? got : "-", rows[i].want != NULL ? rows[i].want : "-");
    }
}

static void test_a_segment_is_checked(void **state)
{
    static const struct {
        const char *body, *field; /* field NULL: fine */
    } rows[] = {
        {"{\"rules\":{\"language\":\"es\",\"min_messages\":2}}", NULL},
        {"{\"examples\":[\"where is my order\"]}", NULL},
        {"{}", "/rules"},
        {"{\"rules\":{}}", "/rules"},
        {"{\"rules\":{\"colour\":\"red\"}}", "/rules/colour"},
        {"{\"rules\":{\"segment\":\"nobody\"}}", "/rules/segment"},
        {"{\"rules\":{\"min_messages\":\"2\"}}", "/rules/min_messages"},
        {"{\"examples\":[\"the\"]}", "/examples"},
        {"{\"examples\":[7]}", "/examples"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *field = NULL;
        struct buf why;
        json_t *body = json_loads(rows[i].body, 0, NULL);
        buf_init(&why, 500);
        enum err rc = segment_check(body, &field, &why);
        assert_int_equal(rc, rows[i].field == NULL ? ERR_OK : ERR_INVALID);
        if (rows[i].field != NULL) {
            assert_string_equal(field, rows[i].field);
        }
        buf_fini(&why);
        json_decref(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_meaning_is_one_cluster),
        cmocka_unit_test(test_the_passage_decides_where_words_nearly_do),
        cmocka_unit_test(test_more_kinds_than_are_told_apart),
        cmocka_unit_test(test_languages),
        cmocka_unit_test(test_a_segment_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
