/* tool_args_test.c: what code says of a model's arguments, and the counters of what turns cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/model/breaker.h"
#include "agent/turn/spend.h"
#include "agent/tool/args.h"

#define SCHEMA                                                                                               \
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":5},"   \
    "\"kind\":{\"enum\":[\"a\",\"b\"]},\"count\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9},"        \
    "\"note\":{\"type\":[\"string\",\"null\"]},\"list\":{\"type\":\"array\",\"maxItems\":2,\"items\":"       \
    "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"number\"}},\"required\":[\"x\"]}}},\"required\"" \
    ":[\"name\"],\"additionalProperties\":false}"

static const struct {
    const char *label, *value;
    const char *why; /* NULL: fits */
} rows[] = {
    {"the least", "{\"name\":\"ab\"}", NULL},
    {"everything", "{\"name\":\"abcde\",\"kind\":\"b\",\"count\":9,\"note\":null,\"list\":[{\"x\":1.5}]}",
     NULL},
    {"no object", "[]", "must be of type object"},
    {"required is missing", "{}", "must hold name"},
    {"a name too short", "{\"name\":\"a\"}", "/name is too short"},
    {"a name too long", "{\"name\":\"abcdef\"}", "/name is too short or too long"},
    {"another type", "{\"name\":5}", "/name must be of type string"},
    {"not one of the choices", "{\"name\":\"ab\",\"kind\":\"c\"}", "/kind is not one of"},
    {"a fraction", "{\"name\":\"ab\",\"count\":1.5}", "/count must be of type integer"},
    {"out of range", "{\"name\":\"ab\",\"count\":10}", "/count is out of range"},
    {"none of the types", "{\"name\":\"ab\",\"note\":1}", "/note is of the wrong type"},
    {"too many items", "{\"name\":\"ab\",\"list\":[{\"x\":1},{\"x\":1},{\"x\":1}]}", "/list has too few"},
    {"inside an item", "{\"name\":\"ab\",\"list\":[{\"x\":\"1\"}]}", "/list/item/x must be of type number"},
    {"something else besides", "{\"name\":\"ab\",\"contact_id\":\"x\"}", "must not hold contact_id"},
};

static void arguments_are_judged(void **state)
{
    json_t *schema = json_loads(SCHEMA, 0, NULL);

    (void)state;
    assert_non_null(schema);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf why;
        json_t *value = json_loads(rows[i].value, 0, NULL);
        buf_init(&why, 1000);
        bool fits = args_check(schema, value, &why);
        if (fits != (rows[i].why == NULL) || (!fits && strstr(buf_str(&why), rows[i].why) == NULL)) {
            fail_msg("%s: %s", rows[i].label, buf_str(&why));
        }
        buf_fini(&why);
        json_decref(value);
    }
    json_decref(schema);
}

static void nesting_is_bounded(void **state)
{
    json_t *schema = json_pack("{s:s}", "type", "array"), *value = json_array();

    (void)state;
    for (int i = 0; i < 20; i++) {
        schema = json_pack("{s:s,s:o}", "type", "array", "items", schema);
        value = json_pack("[o]", value);
    }
    assert_false(args_check(schema, value, NULL));
    json_decref(schema);
    json_decref(value);
}

static void declared_schemas_are_objects_of_bounded_size(void **state)
{
    json_t *good = json_pack("{s:s}", "type", "object"), *text = json_pack("{s:s}", "type", "string");
    static char large[ARGS_SCHEMA_MAX];

    (void)state;
    assert_true(args_schema_ok(good, NULL));
    assert_false(args_schema_ok(text, NULL));
    assert_false(args_schema_ok(NULL, NULL));
    memset(large, 'x', sizeof large - 1);
    json_object_set_new(good, "description", json_string(large));
    assert_false(args_schema_ok(good, NULL));
    json_decref(good);
    json_decref(text);
}

static void a_server_that_fails_is_left_alone_and_tried_again(void **state)
{
    (void)state;
    breaker_reset();
    for (int i = 0; i < BREAKER_FAILURES; i++) {
        assert_true(breaker_allows("u", "m", 1000));
        breaker_note("u", "m", MODEL_SERVER, 1000);
    }
    assert_false(breaker_allows("u", "m", 1000));
    assert_true(breaker_allows("u", "other", 1000));
    assert_false(breaker_allows("u", "m", 999 + BREAKER_OPEN_MS));
    assert_true(breaker_allows("u", "m", 1000 + BREAKER_OPEN_MS));
    assert_false(breaker_allows("u", "m", 1001 + BREAKER_OPEN_MS)); /* one probe */
    breaker_note("u", "m", MODEL_TIMEOUT, 1500 + BREAKER_OPEN_MS);
    assert_false(breaker_allows("u", "m", 1000 + 2 * BREAKER_OPEN_MS));
    assert_true(breaker_allows("u", "m", 1500 + 2 * BREAKER_OPEN_MS));
    breaker_note("u", "m", MODEL_OK, 1600 + 2 * BREAKER_OPEN_MS);
    assert_true(breaker_allows("u", "m", 1600 + 2 * BREAKER_OPEN_MS));
}

static void a_good_answer_between_failures_starts_the_count_anew(void **state)
{
    (void)state;
    breaker_reset();
    for (int i = 0; i < 3 * BREAKER_FAILURES; i++) {
        breaker_note("u", "m", i % BREAKER_FAILURES == 4 ? MODEL_RATE_LIMITED : MODEL_SERVER, 1000);
    }
    assert_true(breaker_allows("u", "m", 1000));
    breaker_reset();
    for (int i = 0; i < 3 * BREAKER_FAILURES; i++) { /* far apart */
        breaker_note("u", "m", MODEL_SERVER, 1000 + i * (int64_t)(BREAKER_WINDOW_MS / 2));
    }
    assert_true(breaker_allows("u", "m", 1000 + 8 * (int64_t)BREAKER_WINDOW_MS));
}

static void prices_are_for_a_million_tokens(void **state)
{
    json_t *price = json_pack("{s:f,s:f,s:f}", "input", 3.0, "output", 15.0, "cached", 0.3);
    struct model_usage usage = {.known = true, .input = 1000, .cached = 400, .output = 100};
    struct spend spent = {0};

    (void)state;
    assert_int_equal(spend_micros(&usage, price), 600 * 3 + 120 + 1500);
    json_object_del(price, "cached");
    assert_int_equal(spend_micros(&usage, price), 3000 + 1500);
    assert_int_equal(spend_micros(&usage, NULL), 0);
    assert_true(spend_note(&spent, &usage, price));
    usage.known = false;
    assert_true(spend_note(&spent, &usage, price));
    assert_int_equal(spent.input, 2000);
    assert_int_equal(spent.micros, 9000);
    assert_true(spent.estimated);
    assert_false(spend_note(&spent, &(struct model_usage){0}, price));
    json_decref(price);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_judged),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(declared_schemas_are_objects_of_bounded_size),
        cmocka_unit_test(a_server_that_fails_is_left_alone_and_tried_again),
        cmocka_unit_test(a_good_answer_between_failures_starts_the_count_anew),
        cmocka_unit_test(prices_are_for_a_million_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
