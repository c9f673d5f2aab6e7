/* json_test.c: what the two ways in accept, the way out, the getters and setters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/base/arena.h"
#include "queue/base/json.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define TEN(x)        x x x x x x x x x x
#define DEEP_63(open) TEN(open) TEN(open) TEN(open) TEN(open) TEN(open) TEN(open) open open open

static void strict_and_lenient_parse(void **state)
{
    static const struct {
        const char *text;
        enum err strict;
        const char *why;
        enum err lenient;
    } cases[] = {
        {"{}", ERR_OK, "", ERR_OK},
        {" {\"a\":[1,2.5,null,true,\"x\"]}\n", ERR_OK, "", ERR_OK},
        {"", ERR_INVALID, "empty text at byte 0", ERR_INVALID},
        {"  ", ERR_INVALID, "unexpected end at byte 2", ERR_INVALID},
        {"[]", ERR_INVALID, "not an object at byte 0", ERR_OK},
        {"\"a\"", ERR_INVALID, "not an object at byte 0", ERR_OK},
        {"{\"a\":1,\"a\":2}", ERR_INVALID, "duplicate key at byte 10", ERR_OK},
        {"{\"a\":\"x\\u0000y\"}", ERR_INVALID, NULL, ERR_OK},
        {"{\"a\\u0000\":1}", ERR_INVALID, NULL, ERR_INVALID},
        {"{\"a\":\"\xff\"}", ERR_INVALID, NULL, ERR_INVALID},
        {"{\"a\":\"\\ud800\"}", ERR_INVALID, NULL, ERR_INVALID},
        {"{\"a\":1} x", ERR_INVALID, NULL, ERR_INVALID},
        {"{\"a\":1", ERR_INVALID, "unexpected end at byte 6", ERR_INVALID},
        {"{\"a\":1e999}", ERR_INVALID, NULL, ERR_INVALID},
        {"{'a':1}", ERR_INVALID, NULL, ERR_INVALID},
        {"{\"a\":NaN}", ERR_INVALID, NULL, ERR_INVALID},
        {"{\"a\":" DEEP_63("[") DEEP_63("]") "}", ERR_OK, "", ERR_OK},
        {"{\"a\":[" DEEP_63("[") DEEP_63("]") "]}", ERR_INVALID, "nesting too deep at byte 68", ERR_OK},
        {"{\"a\":\"\\\"[" DEEP_63("[") "\"}", ERR_OK, "", ERR_OK},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf why;
        json_t *value;
        size_t len = strlen(cases[i].text);

        buf_init(&why, 200);
        assert_int_equal(jx_parse_strict(cases[i].text, len, &value, &why), cases[i].strict);
        assert_int_equal(value != NULL, cases[i].strict == ERR_OK);
        if (cases[i].why != NULL) {
            assert_string_equal(buf_str(&why), cases[i].why);
        } else {
            assert_true(why.len > 0);
        }
        json_decref(value);
        assert_int_equal(jx_parse_strict(cases[i].text, len, &value, NULL), cases[i].strict);
        json_decref(value);
        assert_int_equal(jx_parse_lenient(cases[i].text, len, &value), cases[i].lenient);
        assert_int_equal(value != NULL, cases[i].lenient == ERR_OK);
        json_decref(value);
        buf_fini(&why);
    }
}

/* The reason never quotes what came in. */
static void reasons_keep_the_input_to_themselves(void **state)
{
    static const char text[] = "{\"token\": sk-secret-1234}";
    struct buf why;
    json_t *value;

    (void)state;
    buf_init(&why, 200);
    assert_int_equal(jx_parse_strict(text, strlen(text), &value, &why), ERR_INVALID);
    assert_null(strstr(buf_str(&why), "sk-"));
    buf_fini(&why);
}

static void lenient_keeps_the_last_duplicate_and_nul(void **state)
{
    static const char text[] = "{\"a\":1,\"a\":\"x\\u0000y\"}";
    json_t *value;

    (void)state;
    assert_int_equal(jx_parse_lenient(text, strlen(text), &value), ERR_OK);
    assert_int_equal(json_string_length(json_object_get(value, "a")), 3);
    json_decref(value);
}

static void dumps_are_compact_and_ordered(void **state)
{
    static const char *const cases[] = {
        "{\"z\":1,\"a\":[1,2.5,19.99,0.1,true,null],\"m\":{}}",
        "[\"\xc3\xa9\xf0\x9f\x98\x80\",\"\\n\\\"\"]",
        "\"text\"",
        "-9223372036854775808",
        "null",
    };
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *value;
        assert_int_equal(jx_parse_lenient(cases[i], strlen(cases[i]), &value), ERR_OK);
        buf_reset(&out);
        jx_dump(value, &out);
        assert_string_equal(buf_str(&out), cases[i]);
        char *text = jx_text(value);
        assert_string_equal(text, cases[i]);
        free(text);
        json_decref(value);
    }
    buf_fini(&out);

    json_t *value = json_pack("{s:s}", "key", "a text that does not fit");
    buf_init(&out, 20);
    jx_dump(value, &out);
    assert_false(buf_ok(&out));
    buf_fini(&out);
    json_decref(value);
}

static void largest_numbers_stay_readable(void **state)
{
    static const char *const texts[] = {
        "{\"a\":1.7976931348623157e308}",
        "{\"a\":-1.7976931348623157e308}",
        "{\"a\":[{\"b\":1.797693134862315e308}]}",
        "{\"a\":1.79769313486231e308}",
        "{\"a\":5e-324}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        json_t *strict, *lenient, *again;
        assert_int_equal(jx_parse_strict(texts[i], strlen(texts[i]), &strict, NULL), ERR_OK);
        assert_int_equal(jx_parse_lenient(texts[i], strlen(texts[i]), &lenient), ERR_OK);
        assert_true(json_equal(strict, lenient));
        char *text = jx_text(strict);
        assert_int_equal(jx_parse_strict(text, strlen(text), &again, NULL), ERR_OK);
        assert_true(json_equal(strict, again));
        free(text);
        json_decref(strict);
        json_decref(lenient);
        json_decref(again);
    }
}

static void getters_fall_back(void **state)
{
    json_t *obj =
        json_pack("{s:s, s:i, s:f, s:b, s:{}, s:[i]}", "s", "text", "i", 7, "r", 2.5, "b", 1, "o", "a", 1);
    json_t *arr = jx_arr(obj, "a");
    json_t *const not_objects[] = {NULL, arr};

    (void)state;
    assert_string_equal(jx_str(obj, "s"), "text");
    assert_null(jx_str(obj, "i"));
    assert_null(jx_str(obj, "none"));
    assert_string_equal(jx_str_or(obj, "s", "else"), "text");
    assert_string_equal(jx_str_or(obj, "i", "else"), "else");
    assert_int_equal(jx_int(obj, "i", -1), 7);
    assert_int_equal(jx_int(obj, "r", -1), -1);
    assert_int_equal(jx_int(obj, "s", -1), -1);
    assert_true(jx_num(obj, "r", 0) == 2.5);
    assert_true(jx_num(obj, "i", 0) == 7.0);
    assert_true(jx_num(obj, "s", 1.5) == 1.5);
    assert_true(jx_bool(obj, "b", false));
    assert_false(jx_bool(obj, "i", false));
    assert_true(jx_bool(obj, "none", true));
    assert_non_null(jx_obj(obj, "o"));
    assert_null(jx_obj(obj, "a"));
    assert_non_null(arr);
    assert_null(jx_arr(obj, "o"));
    for (size_t i = 0; i < COUNT(not_objects); i++) {
        assert_null(jx_str(not_objects[i], "s"));
        assert_int_equal(jx_int(not_objects[i], "i", 3), 3);
        assert_null(jx_obj(not_objects[i], "o"));
        assert_null(jx_arr(not_objects[i], "a"));
    }
    json_decref(obj);
}

/* The examples of RFC 6901 section 5, and pointers that lead nowhere. */
static void pointers_lead_there(void **state)
{
    static const char text[] = "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\" \":7,\"m~n\":8,"
                               "\"o\":{\"p\":[{\"q\":9}]}}";
    static const struct {
        const char *pointer, *want; /* NULL: nothing there */
    } cases[] = {
        {"/foo", "[\"bar\",\"baz\"]"},
        {"/foo/0", "\"bar\""},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/ ", "7"},
        {"/m~0n", "8"},
        {"/o/p/0/q", "9"},
        {"/foo/2", NULL},
        {"/foo/-", NULL},
        {"/foo/00", NULL},
        {"/foo/01", NULL},
        {"/foo/", NULL},
        {"foo", NULL},
        {"/none/x", NULL},
        {"/m~n", NULL},
        {"/m~", NULL},
        {"/foo/0/x", NULL},
        {"/foo/99999999999999999999", NULL},
    };
    json_t *root;

    (void)state;
    assert_int_equal(jx_parse_strict(text, strlen(text), &root, NULL), ERR_OK);
    assert_ptr_equal(jx_at(root, ""), root);
    assert_null(jx_at(NULL, "/foo"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *value = jx_at(root, cases[i].pointer);
        if (cases[i].want == NULL) {
            assert_null(value);
            continue;
        }
        assert_non_null(value);
        char *got = jx_text(value);
        assert_string_equal(got, cases[i].want);
        free(got);
    }
    json_decref(root);
}

static void setters_build(void **state)
{
    struct arena *a = arena_new(0);
    json_t *obj = json_object();
    json_t *arr = json_array();

    (void)state;
    arena_defer(a, jx_decref, obj);
    jx_set_str(obj, "text", "caf\xc3\xa9");
    jx_set_str(obj, "broken", "x\xff");
    jx_set_str(obj, "none", NULL);
    jx_set_strn(obj, "part", "abcdef", 3);
    jx_set_strn(obj, "nul", "a\0b", 3);
    jx_set_int(obj, "n", INT64_MAX);
    jx_set_bool(obj, "yes", true);
    jx_set_time(obj, "at", 1778422921123);
    jx_push(arr, json_integer(1));
    jx_set(obj, "list", arr);
    char *text = jx_text(obj);
    assert_string_equal(text, "{\"text\":\"caf\xc3\xa9\",\"broken\":\"x\xef\xbf\xbd\",\"none\":null,"
                              "\"part\":\"abc\",\"nul\":\"a\\u0000b\",\"n\":9223372036854775807,\"yes\":true,"
                              "\"at\":\"2026-05-10T14:22:01Z\",\"list\":[1]}");
    free(text);
    arena_free(a);
}

/* The writer is ours for speed alone: its text is jansson's. */
static void the_text_is_janssons(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "[[],{}]",
        "{\"a\":{\"b\":[1,2,{\"c\":null}]},\"d\":[true,false]}",
        "\"\"",
        "[0,-1,9223372036854775807,-9223372036854775808]",
        "[1.5,-0.1,1e300,19.99,0.0,1e-7]",
        "\"\\u0001\\u001f\\u007f \\\" \\\\ \\/ \\b\\f\\n\\r\\t caf\xc3\xa9 \\ud83d\\ude00\"",
        "{\"\\n\\\"\":\"\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *value = NULL;
        assert_int_equal(jx_parse_lenient(texts[i], strlen(texts[i]), &value), ERR_OK);
        char *ours = jx_text(value);
        char *theirs = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        assert_string_equal(ours, theirs);
        free(ours);
        free(theirs);
        json_decref(value);
    }
}

/* One string written by itself, escaped and repaired. */
static void strings_are_dumped(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    jx_dump_str(&out, "");
    jx_dump_str(&out, "a\"\\\n\x01");
    jx_dump_str(&out, "caf\xc3\xa9 \xff.");
    assert_string_equal(buf_str(&out), "\"\"\"a\\\"\\\\\\n\\u0001\"\"caf\xc3\xa9 \xef\xbf\xbd.\"");
    buf_fini(&out);
}

/* The two ways in against jansson: the same texts are taken, and for the same values. */
static void assert_read_as_jansson(const char *text, size_t len)
{
    json_t *strict = NULL, *lenient = NULL;
    json_t *tight = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    json_t *loose = json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);

    assert_int_equal(jx_parse_strict(text, len, &strict, NULL) == ERR_OK, json_is_object(tight));
    assert_int_equal(jx_parse_lenient(text, len, &lenient) == ERR_OK, loose != NULL);
    assert_true(strict == NULL || json_equal(strict, tight));
    assert_true(loose == NULL || json_equal(loose, lenient));
    json_decref(strict);
    json_decref(lenient);
    json_decref(tight);
    json_decref(loose);
}

/* Every byte of each text is replaced by many others, left out, and made the last. */
static void the_values_are_janssons(void **state)
{
    static const char with[] = "\"\\/{}[],:- +.eE0129aAbuftnrld\n\t\b\x1f\x7f\x80\xc3\xa9\xed\xf4\xff";
    static const char *const texts[] = {
        "{\"a\":[1,-2.5e3,null,true,false,\"x\"],\"b\":{\"c\":{}}}",
        " { \"key\" : 120 ,\r\n\t        \"key2\":[ ] } ",
        "[0,-0,-0.0,10,999999999999999999,9223372036854775807,9223372036854775808,1E+2,1e-400,0.1]",
        "\"\\u0001\\u00e9\\u20ac\\ud83d\\ude00\\uFFFF \\\" \\\\ \\/ \\b\\f\\n\\r\\t\"",
        "{\"caf\xc3\xa9\":\"a longer text with \xe2\x82\xac and \xf0\x9f\x98\x80 in its middle\",\"caf\":1}",
        "{\"aa\":1,\"ab\":2,\"ba\":3}",
        "{\"\":1,\"e\\u0073c\":2,\"esc\":3}",
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t len = strlen(texts[i]);
        assert_true(len < sizeof text);
        for (size_t at = 0; at < len; at++) {
            for (size_t k = 0; k < sizeof with; k++) { /* the zero at the end, too */
                memcpy(text, texts[i], len);
                text[at] = with[k];
                assert_read_as_jansson(text, len);
            }
            memmove(text + at, texts[i] + at + 1, len - at - 1);
            memcpy(text, texts[i], at);
            assert_read_as_jansson(text, len - 1);
            assert_read_as_jansson(texts[i], at);
        }
    }
}

static void test_lists(void **state)
{
    json_t *obj = json_pack("{s:[s,i,s], s:s}", "tags", "vip", 7, "", "text", "vip");

    (void)state;
    assert_true(jx_lists(obj, "tags", "vip"));
    assert_true(jx_lists(obj, "tags", ""));
    assert_false(jx_lists(obj, "tags", "VIP"));
    assert_false(jx_lists(obj, "tags", "7"));
    assert_false(jx_lists(obj, "text", "vip"));
    assert_false(jx_lists(obj, "none", "vip"));
    assert_false(jx_lists(NULL, "tags", "vip"));
    json_decref(obj);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_and_lenient_parse),
        cmocka_unit_test(reasons_keep_the_input_to_themselves),
        cmocka_unit_test(lenient_keeps_the_last_duplicate_and_nul),
        cmocka_unit_test(dumps_are_compact_and_ordered),
        cmocka_unit_test(largest_numbers_stay_readable),
        cmocka_unit_test(getters_fall_back),
        cmocka_unit_test(pointers_lead_there),
        cmocka_unit_test(setters_build),
        cmocka_unit_test(the_text_is_janssons),
        cmocka_unit_test(the_values_are_janssons),
        cmocka_unit_test(strings_are_dumped),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
