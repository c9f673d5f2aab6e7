/* flow_test.c: filling of templates, conditions of branches, answers, times, likeness, checking, loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/flow/choice.h"
#include "agent/flow/flow.h"
#include "agent/tool/api_call.h"
#include "agent/tool/template.h"
#include "queue/base/clock.h"

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(value);
    return value;
}

#define VARS                                                                                            \
    "{\"a\":\"x y/z\",\"n\":5,\"f\":1.5,\"t\":true,\"o\":{\"list\":[{\"sku\":\"R\\\"1\"}]},\"e\":\"\"," \
    "\"s\":\"{{n}}\",\"crlf\":\"q\\r\\nX: 1\",\"nil\":null}"

static const struct {
    const char *text;
    enum template_form form;
    const char *want;
} fills[] = {
    {"plain", TEMPLATE_PLAIN, "plain"},
    {"{{a}}-{{ n }}-{{f}}-{{t}}", TEMPLATE_PLAIN, "x y/z-5-1.5-true"},
    {"{{o.list.0.sku}}|{{o.list.1.sku}}|{{missing}}|{{nil}}|", TEMPLATE_PLAIN, "R\"1||||"},
    {"{{s}}", TEMPLATE_PLAIN, "{{n}}"}, /* what a customer wrote is never filled again */
    {"/p/{{a}}?q={{o.list.0.sku}}", TEMPLATE_URL, "/p/x%20y%2Fz?q=R%221"},
    {"{{crlf}}", TEMPLATE_HEADER, "q  X: 1"},
    {"{\"a\":\"<{{o.list.0.sku}}>\",\"n\":{{n}},\"m\":{{missing}},\"o\":{{o}}}", TEMPLATE_JSON,
     "{\"a\":\"<R\\\"1>\",\"n\":5,\"m\":null,\"o\":{\"list\":[{\"sku\":\"R\\\"1\"}]}}"},
    {"{{not a name}} {{a", TEMPLATE_PLAIN, "{{not a name}} {{a"},
    {"{{secret.x}}", TEMPLATE_PLAIN, ""},
};

static void test_texts_are_filled(void **state)
{
    json_t *vars = parse(VARS);
    struct template_source source = {.vars = vars};

    (void)state;
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
        struct buf out;
        buf_init(&out, 4096);
        assert_true(template_fill(fills[i].text, fills[i].form, &source, &out));
        assert_string_equal(buf_str(&out), fills[i].want);
        buf_fini(&out);
    }
    json_decref(vars);
}

static const struct {
    const char *condition;
    bool want;
} conditions[] = {
    {"{\"var\":\"n\",\"op\":\"eq\",\"value\":\"5.0\"}", true},
    {"{\"var\":\"n\",\"op\":\"gt\",\"value\":10}", false},
    {"{\"var\":\"n\",\"op\":\"lt\",\"value\":10}", true},
    {"{\"var\":\"word\",\"op\":\"eq\",\"value\":\" YES! \"}", true},
    {"{\"var\":\"word\",\"op\":\"in\",\"value\":[\"no\",\"Yes\"]}", true},
    {"{\"var\":\"tags\",\"op\":\"contains\",\"value\":\"vip\"}", true},
    {"{\"var\":\"tags\",\"op\":\"contains\",\"value\":\"vi\"}", false},
    {"{\"var\":\"mail\",\"op\":\"ends\",\"value\":\"example.com\"}", true},
    {"{\"var\":\"mail\",\"op\":\"matches\",\"value\":\"^[a-z]+@\"}", true},
    {"{\"var\":\"gone\",\"op\":\"exists\"}", false},
    {"{\"var\":\"gone\",\"op\":\"empty\"}", true},
    {"{\"var\":\"gone\",\"op\":\"lt\",\"value\":1}", false},
    {"{\"not\":{\"var\":\"gone\",\"op\":\"exists\"}}", true},
    {"{\"all\":[{\"var\":\"n\",\"value\":5},{\"var\":\"word\",\"value\":\"no\"}]}", false},
    {"{\"any\":[{\"var\":\"n\",\"value\":6},{\"var\":\"word\",\"value\":\"yes\"}]}", true},
};

static void test_conditions_hold(void **state)
{
    json_t *scope = parse("{\"n\":5,\"word\":\"yes\",\"tags\":[\"vip\"],\"mail\":\"ana@example.com\"}");

    (void)state;
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        json_t *condition = parse(conditions[i].condition);
        if (flow_condition_fault(condition) != NULL ||
            flow_condition(condition, scope) != conditions[i].want) {
            fail_msg("%s", conditions[i].condition);
        }
        json_decref(condition);
    }
    json_decref(scope);
}

static const struct {
    const char *rule, *text, *want; /* NULL: refused */
} answers[] = {
    {"{\"type\":\"text\"}", "  hello ", "\"hello\""},
    {"{\"type\":\"text\",\"min\":3}", "ab", NULL},
    {"{\"type\":\"email\"}", "Ana.B@Shop.Example", "\"Ana.B@shop.example\""},
    {"{\"type\":\"email\"}", "ana@shop", NULL},
    {"{\"type\":\"email\"}", "a b@shop.example", NULL},
    {"{\"type\":\"phone\"}", "+1 (415) 555-0123", "\"+14155550123\""},
    {"{\"type\":\"phone\"}", "call me", NULL},
    {"{\"type\":\"number\",\"min\":1,\"max\":9}", "7", "7"},
    {"{\"type\":\"number\",\"min\":1,\"max\":9}", "10", NULL},
    {"{\"type\":\"number\"}", "2,5", "2.5"},
    {"{\"type\":\"number\"}", "0x10", NULL},
    {"{\"type\":\"number\"}", "nan", NULL},
    {"{\"type\":\"choice\",\"choices\":[\"Red\",\"Grün\"]}", "grun", "\"Grün\""},
    {"{\"type\":\"choice\",\"choices\":[\"Red\",\"Green\"]}", "2", "\"Green\""},
    {"{\"type\":\"choice\",\"choices\":[\"Red\",\"Green\"]}", "3", NULL},
    {"{\"type\":\"date\"}", "29/02/2028", "\"2028-02-29\""},
    {"{\"type\":\"date\"}", "2027-02-29", NULL},
    {"{\"type\":\"regex\",\"pattern\":\"^[A-Z][0-9]{3}$\"}", "a123", "\"a123\""},
    {"{\"type\":\"regex\",\"pattern\":\"^[A-Z][0-9]{3}$\"}", "A1234", NULL},
    {"{\"type\":\"media\"}", "a picture", NULL},
};

static void test_answers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        json_t *rule = parse(answers[i].rule), *value = flow_answer(rule, answers[i].text);
        char *text = value != NULL ? jx_text(value) : NULL;
        assert_null(flow_answer_fault(rule));
        if ((text == NULL) != (answers[i].want == NULL) ||
            (text != NULL && strcmp(text, answers[i].want) != 0)) {
            fail_msg("%s of %s gave %s", answers[i].rule, answers[i].text, text != NULL ? text : "nothing");
        }
        free(text);
        json_decref(value);
        json_decref(rule);
    }
}

static void test_patterns_that_could_harm_are_refused(void **state)
{
    static const char *const bad[] = {"(", "(a)\\1", "(a{1,255}){1,255}", "a{6000}"};

    (void)state;
    assert_true(flow_pattern_ok("^[A-Z]{2}[0-9]{6}$"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(flow_pattern_ok(bad[i]));
    }
}

static const struct {
    const char *cron, *zone, *after, *want; /* want NULL: the text is refused */
} times[] = {
    {"*/15 * * * *", "UTC", "2026-05-10T14:22:01Z", "2026-05-10T14:30:00Z"},
    {"0 9 * * mon-fri", "Europe/Madrid", "2026-05-08T07:00:00Z", "2026-05-11T07:00:00Z"},
    {"30 8 1 jan *", "UTC", "2026-05-10T00:00:00Z", "2027-01-01T08:30:00Z"},
    {"0 0 13 * fri", "UTC", "2026-05-10T00:00:00Z", "2026-05-13T00:00:00Z"},
    {"0 12 * * 7", "America/New_York", "2026-05-09T12:00:00Z", "2026-05-10T16:00:00Z"},
    {"60 * * * *", "UTC", "", NULL},
    {"* * * *", "UTC", "", NULL},
    {"* * * * * *", "UTC", "", NULL},
    {"0 0 31 feb *", "UTC", "", NULL},
    {"5-1 * * * *", "UTC", "", NULL},
};

static void test_times_come_again(void **state)
{
    char out[CLOCK_TEXT_SIZE];
    int64_t after;
    bool date_only;

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_int_equal(flow_cron_ok(times[i].cron), times[i].want != NULL);
        if (times[i].want != NULL) {
            assert_true(clock_parse(times[i].after, &after, &date_only));
            clock_rfc3339(flow_cron_next(times[i].cron, times[i].zone, after), out);
            assert_string_equal(out, times[i].want);
        }
    }
}

static void test_utterances_are_alike(void **state)
{
    (void)state;
    assert_true(flow_likeness("I want to return an item", "can I return this item?") >= 0.6);
    assert_true(flow_likeness("book a table", "booking a table please") >= 0.6);
    assert_true(flow_likeness("I want to return an item", "when do you open?") < 0.2);
    assert_true(flow_likeness("", "x") == 0);
}

/* Notes nothing; no act of these flows may come here. */
static bool no_act(const char *what, const json_t *wish, json_t **result, const char **why, void *arg)
{
    (void)wish;
    (void)result;
    (void)arg;
    *why = what;
    return false;
}

static void test_a_loop_is_bounded(void **state)
{
    struct arena *arena = arena_new(1 << 20);
    json_t *flow = parse("{\"steps\":[{\"id\":\"a\",\"type\":\"set\",\"values\":{\"x\":\"1\"}},"
                         "{\"id\":\"b\",\"type\":\"jump\",\"to\":\"a\"}]}");
    json_t *state_ = flow_begin("flw_x", 1, flow, clock_wall_ms());
    struct flow_run run = {.arena = arena,
                           .definition = flow,
                           .state = state_,
                           .scope = json_object(),
                           .said = json_array(),
                           .trace = json_array(),
                           .tags = json_array(),
                           .fields = json_object(),
                           .act = no_act};

    (void)state;
    run.input.text = "";
    assert_int_equal(flow_go(&run), FLOW_LOOPS);
    assert_int_equal(run.steps, FLOW_STEPS_MAX + 1);
    json_t *owned[] = {flow, state_, run.scope, run.said, run.trace, run.tags, run.fields};
    arena_free(arena);
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        json_decref(owned[i]);
    }
}

static void test_a_stuck_flow_expires(void **state)
{
    json_t *flow = parse("{\"timeout_minutes\":10,\"steps\":[{\"id\":\"a\",\"type\":\"end\"}]}");
    int64_t now = clock_wall_ms();
    json_t *state_ = flow_begin("flw_x", 1, flow, now);

    (void)state;
    assert_false(flow_expired(state_, flow, now + 9 * 60000));
    assert_true(flow_expired(state_, flow, now + 11 * 60000));
    jx_set_str(state_, "token", "tok_x"); /* asleep: it is not the customer who is waited for */
    assert_false(flow_expired(state_, flow, now + 11 * 60000));
    json_decref(state_);
    json_decref(flow);
}

static void test_variables_have_a_bound(void **state)
{
    struct arena *arena = arena_new(1 << 20);
    json_t *vars = parse("{\"vars\":{}}"), *scope = json_object();
    struct flow_run run = {.arena = arena, .state = vars, .scope = scope};
    char *large = xcalloc(1, FLOW_VARS_MAX + 1);

    (void)state;
    memset(large, 'x', FLOW_VARS_MAX);
    assert_true(flow_set(&run, "a", json_string("small")));
    assert_false(flow_set(&run, "a", json_string(large)));
    assert_string_equal(jx_str(jx_obj(vars, "vars"), "a"), "small");
    free(large);
    json_decref(vars);
    json_decref(scope);
    arena_free(arena);
}

static void test_choices_are_meant(void **state)
{
    static const struct {
        const char *text;
        size_t want; /* 3: none */
    } cases[] = {
        {"Medium, 14 people", 1},
        {"MEDIUM", 1},
        {"the medium one please", 1},
        {"2", 1},
        {"8", 0},
        {"24", 2},
        {"people", 3},
        {"small or large", 3},
        {"4", 3},
        {"", 3},
        {"huge", 3},
        {"for 14 people", 1},
        {"i am not sure which of the small ones would be enough", 3},
    };
    json_t *titles = json_pack("[s, s, s]", "Small, 8 people", "Medium, 14 people", "Large, 24 people");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t chosen = flow_choose(titles, cases[i].text);
        if (chosen != cases[i].want) {
            fail_msg("%s: %zu, wanted %zu", cases[i].text, chosen, cases[i].want);
        }
    }
    json_decref(titles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_filled),
        cmocka_unit_test(test_conditions_hold),
        cmocka_unit_test(test_answers_are_read),
        cmocka_unit_test(test_patterns_that_could_harm_are_refused),
        cmocka_unit_test(test_times_come_again),
        cmocka_unit_test(test_utterances_are_alike),
        cmocka_unit_test(test_choices_are_meant),
        cmocka_unit_test(test_a_loop_is_bounded),
        cmocka_unit_test(test_a_stuck_flow_expires),
        cmocka_unit_test(test_variables_have_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
