/* errors_test.c: every provider's spelling of an error has one class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/model/dialect.h"
#include "agent/model/errors.h"
#include "queue/base/clock.h"

static const struct {
    const char *label;
    long status;
    const char *body;
    enum model_class want;
} rows[] = {
    {"plain 429", 429, "", MODEL_RATE_LIMITED},
    {"no credit, OpenAI", 429,
     "{\"error\":{\"code\":\"insufficient_quota\",\"type\":\"insufficient_quota\",\"message\":\"x\"}}",
     MODEL_QUOTA},
    {"no credit, 402", 402, "{\"error\":{\"code\":402,\"message\":\"x\"}}", MODEL_QUOTA},
    {"spend limit, Anthropic", 429,
     "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"x\",\"details\":{\"error_"
     "code\":\"enforced_spend_limit_reached\"}}}",
     MODEL_QUOTA},
    {"529", 529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}",
     MODEL_OVERLOADED},
    {"503 loading", 503,
     "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}",
     MODEL_OVERLOADED},
    {"500 HTML", 500, NULL, MODEL_SERVER},
    {"408", 408, "", MODEL_SERVER},
    {"409", 409, "", MODEL_SERVER},
    {"504", 504, "", MODEL_SERVER},
    {"context, OpenAI", 400, "{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"x\"}}",
     MODEL_CONTEXT},
    {"context, llama.cpp", 400,
     "{\"error\":{\"code\":400,\"type\":\"exceed_context_size_error\",\"message\":\"request (13392 tokens) "
     "exceeds the available context size (8192 tokens)\",\"n_prompt_tokens\":13392,\"n_ctx\":8192}}",
     MODEL_CONTEXT},
    {"context, vLLM", 400,
     "{\"object\":\"error\",\"message\":\"This model's maximum context length is 32768 tokens. However, you "
     "requested 32818 tokens\",\"type\":\"BadRequestError\",\"code\":400}",
     MODEL_CONTEXT},
    {"context, Anthropic", 400,
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: "
     "210000 tokens\"}}",
     MODEL_CONTEXT},
    {"413", 413, "", MODEL_CONTEXT},
    {"401", 401, "{\"error\":{\"message\":\"x\"}}", MODEL_AUTH},
    {"403", 403, "{\"detail\":\"x\"}", MODEL_AUTH},
    {"404", 404, "{\"error\":\"x\"}", MODEL_NOT_FOUND},
    {"no such model", 400, "{\"error\":{\"code\":\"model_not_found\",\"message\":\"x\"}}", MODEL_NOT_FOUND},
    {"other 400", 400, "{\"error\":{\"message\":\"messages must not be empty\"}}", MODEL_BAD_REQUEST},
    {"422", 422, "{\"detail\":[{\"msg\":\"x\"}]}", MODEL_BAD_REQUEST},
    {"redirect", 302, "", MODEL_BAD_REQUEST},
    {"Azure's filter", 400, "{\"error\":{\"code\":\"content_filter\",\"message\":\"x\"}}", MODEL_FILTERED},
    {"a parameter by code", 400,
     "{\"error\":{\"code\":\"unsupported_parameter\",\"param\":\"max_tokens\",\"message\":\"x\"}}",
     MODEL_PARAMETER},
    {"a parameter by words", 400,
     "{\"error\":{\"message\":\"Unsupported value: 'temperature' does not support 0.3 with this "
     "model.\",\"param\":\"temperature\",\"code\":\"unsupported_value\"}}",
     MODEL_PARAMETER},
    {"an unknown field", 400, "{\"detail\":\"Extra inputs are not permitted: stream_options\"}",
     MODEL_PARAMETER},
    {"in a stream, by number", 200, "{\"error\":{\"code\":429,\"message\":\"x\"}}", MODEL_RATE_LIMITED},
    {"in a stream, no sign", 200, "{\"error\":\"x\"}", MODEL_SERVER},
};

static void classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *body = NULL;
        if (rows[i].body != NULL && jx_parse_lenient(rows[i].body, strlen(rows[i].body), &body) != ERR_OK) {
            body = NULL;
        }
        enum model_class class = model_error_class(rows[i].status, body);
        if (class != rows[i].want) {
            fail_msg("%s: %s", rows[i].label, model_class_name(class));
        }
        json_decref(body);
    }
}

static void every_outcome_has_a_class(void **state)
{
    (void)state;
    assert_int_equal(model_outcome_class(HTTPC_ANSWERED), MODEL_OK);
    assert_int_equal(model_outcome_class(HTTPC_BLOCKED), MODEL_BLOCKED);
    assert_int_equal(model_outcome_class(HTTPC_BROKEN), MODEL_SERVER);
    assert_int_equal(model_outcome_class(HTTPC_TIMEOUT), MODEL_TIMEOUT);
    assert_int_equal(model_outcome_class(HTTPC_TOO_LARGE), MODEL_MALFORMED);
    assert_int_equal(model_class_act(MODEL_BLOCKED), ACT_STOP);
    assert_int_equal(model_class_act(MODEL_CONTEXT), ACT_SHRINK);
    assert_int_equal(model_class_act(MODEL_SERVER), ACT_RETRY);
}

static void waits(void **state)
{
    static const struct {
        const char *ms, *after;
        int64_t want;
    } cases[] = {
        {NULL, "", -1},
        {NULL, NULL, -1},
        {NULL, "2", 2000},
        {NULL, "0.5", 500},
        {"250", "9", 250},
        {NULL, "x", -1},
        {NULL, "-1", -1},
        {NULL, "600", 600000},
        {NULL, "Sat, 21 Nov 2026 00:00:10 GMT", 10000},
        {NULL, "Sat, 21 Nov 2020 00:00:10 GMT", 0},
    };
    int64_t now = 0;
    bool date_only;

    (void)state;
    assert_true(clock_parse("2026-11-21T00:00:00Z", &now, &date_only));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(model_retry_after(cases[i].ms, cases[i].after, now), cases[i].want);
    }
}

/* A refused parameter is news once, for that server and model only. */
static void dialects_are_learnt(void **state)
{
    (void)state;
    dialect_reset();
    assert_int_equal(dialect_get("http://a/v1", "m"), 0);
    assert_true(dialect_learn("http://a/v1", "m", "max_tokens"));
    assert_false(dialect_learn("http://a/v1", "m", "max_tokens"));
    assert_false(dialect_learn("http://a/v1", "m", "messages"));
    assert_true(dialect_learn("http://a/v1", "m", "temperature"));
    assert_int_equal(dialect_get("http://a/v1", "m"), DIALECT_COMPLETION_TOKENS | DIALECT_NO_TEMPERATURE);
    assert_int_equal(dialect_get("http://a/v1", "n"), 0);
    dialect_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes),
        cmocka_unit_test(every_outcome_has_a_class),
        cmocka_unit_test(waits),
        cmocka_unit_test(dialects_are_learnt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
