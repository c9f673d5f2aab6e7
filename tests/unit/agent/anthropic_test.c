/* anthropic_test.c: Anthropic Messages and tool calls of both dialects, as they are asked and as they read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/model/call.h"

#define EV(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define START                                                                                             \
    EV("message_start", ",\"message\":{\"model\":\"c\",\"usage\":{\"input_tokens\":4,\"cache_read_input_" \
                        "tokens\":3,\"cache_creation_input_tokens\":2}}")
#define TEXT(text) \
    EV("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define STOP(reason)                                                                                   \
    EV("message_delta", ",\"delta\":{\"stop_reason\":\"" reason "\"},\"usage\":{\"output_tokens\":7}") \
    EV("message_stop", "")
#define USE(index, name)                                                                \
    EV("content_block_start",                                                           \
       ",\"index\":" index ",\"content_block\":{\"type\":\"tool_use\",\"id\":\"t" index \
       "\",\"name\":\"" name "\",\"input\":{}}")
#define JSON(index, part)     \
    EV("content_block_delta", \
       ",\"index\":" index ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"" part "\"}")
#define CHUNK(delta) "data: {\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define END          "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n"

static const struct {
    const char *label;
    const struct wire *wire;
    const char *body;
    enum model_class want;
    const char *said; /* text, then " name(arguments)" for each call */
    bool truncated;
} rows[] = {
    {"text", &anthropic_wire, START EV("ping", "") TEXT("Hel") TEXT("lo") STOP("end_turn"), MODEL_OK, "Hello",
     false},
    {"an unknown event and delta", &anthropic_wire,
     START EV("tomorrow", ",\"x\":1")
         EV("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}")
             TEXT("a") STOP("end_turn"),
     MODEL_OK, "a", false},
    {"cut before its end", &anthropic_wire, START TEXT("half"), MODEL_SERVER, NULL, false},
    {"overloaded in the middle", &anthropic_wire,
     START TEXT(
         "half") "event: error\ndata: "
                 "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
     MODEL_OVERLOADED, NULL, false},
    {"a refusal", &anthropic_wire, START TEXT("I can't") STOP("refusal"), MODEL_FILTERED, NULL, false},
    {"too long", &anthropic_wire, START TEXT("a") STOP("max_tokens"), MODEL_OK, "a", true},
    {"nothing said", &anthropic_wire, START STOP("end_turn"), MODEL_EMPTY, NULL, false},
    {"two tools, interleaved", &anthropic_wire,
     START USE("1", "f") USE("2", "g") JSON("1", "{\\\"a\\\"") JSON("2", "{}") JSON("1", ":1}")
         STOP("tool_use"),
     MODEL_OK, " f({\"a\":1}) g({})", false},
    {"a whole answer", &anthropic_wire,
     "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"tool_use\",\"id\":"
     "\"x\",\"name\":\"f\",\"input\":{\"b\":2}}],\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":9,"
     "\"output_tokens\":7}}",
     MODEL_OK, "a f({\"b\":2})", false},
    {"an error as a whole answer", &anthropic_wire,
     "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}", MODEL_OVERLOADED,
     NULL, false},
    {"a call in pieces", &openai_wire,
     CHUNK("{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}")
         CHUNK("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]}") END,
     MODEL_OK, " f({})", false},
    {"no index later, no id ever", &openai_wire,
     CHUNK("{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}")
         CHUNK("{\"tool_calls\":[{\"function\":{\"arguments\":\"}\"}}]}") END,
     MODEL_OK, " f({})", false},
    {"always index 0, new ids", &openai_wire,
     CHUNK("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}")
         CHUNK("{\"tool_calls\":[{\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}"
               "}]}") END,
     MODEL_OK, " f({}) g({})", false},
    {"the name in each piece", &openai_wire,
     CHUNK("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}")
         CHUNK("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"}\"}}"
               "]}") END,
     MODEL_OK, " f({})", false},
    {"arguments as an object", &openai_wire,
     "{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"a\","
     "\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}]}}]}",
     MODEL_OK, " f({\"a\":1})", false},
};

static void take_text(const char *text, size_t size, void *arg)
{
    buf_add(arg, text, size);
}

static void take_call(const struct model_event *event, void *arg)
{
    assert_int_equal(event->kind, MODEL_TOOL);
    assert_true(event->call_id[0] != '\0');
    buf_addf(arg, " %s(%s)", event->tool, event->arguments);
}

/* Reads a body in steps of so many bytes. */
static void read_row(size_t i, size_t step)
{
    struct chat_reader r;
    struct buf said;
    size_t size = strlen(rows[i].body);

    buf_init(&said, 4096);
    chat_reader_init(&r, rows[i].wire->take, take_text, &said);
    for (size_t at = 0; at < size; at += step) {
        if (!chat_reader_feed(&r, rows[i].body + at, size - at < step ? size - at : step, 200)) {
            break;
        }
    }
    enum model_class class = chat_reader_end(&r, MODEL_OK, 200);
    tool_calls_give(&r.calls, take_call, &said);
    if (class != rows[i].want || r.truncated != rows[i].truncated ||
        (class == MODEL_OK && strcmp(buf_str(&said), rows[i].said) != 0)) {
        fail_msg("%s, steps of %zu: %s \"%s\"", rows[i].label, step, model_class_name(class), buf_str(&said));
    }
    if (class == MODEL_OK && rows[i].wire == &anthropic_wire) {
        assert_int_equal(r.usage.input, 9);
        assert_int_equal(r.usage.output, 7);
    }
    chat_reader_fini(&r);
    buf_fini(&said);
}

static void answers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        read_row(i, 1);
        read_row(i, 13);
        read_row(i, 1u << 20);
    }
}

static void calls_beyond_the_bound_are_dropped(void **state)
{
    struct tool_calls calls;
    struct buf said;

    (void)state;
    buf_init(&said, 4096);
    tool_calls_init(&calls);
    for (int i = 0; i < 3 * MODEL_CALLS; i++) {
        tool_calls_piece(&calls, i, "", "f", "{}");
        tool_calls_piece(&calls, -1, NULL, NULL, i < MODEL_CALLS ? " " : "lost");
    }
    assert_int_equal(calls.count, MODEL_CALLS);
    assert_true(calls.dropped);
    tool_calls_give(&calls, take_call, &said);
    assert_null(strstr(buf_str(&said), "lost"));
    tool_calls_fini(&calls);
    buf_fini(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(calls_beyond_the_bound_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
