/* chat_reader_test.c: what chat-completions servers answer, in the variants met in the field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/model/chat_reader.h"

#define CHUNK(delta, finish)                                                                               \
    "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta ",\"finish_reason\":" finish "}]}" \
    "\n\n"
#define TEXT(text) CHUNK("{\"content\":\"" text "\"}", "null")
#define STOP       CHUNK("{}", "\"stop\"")
#define DONE       "data: [DONE]\n\n"

static const struct {
    const char *label;
    long status;
    const char *body;
    enum model_class want;
    const char *text; /* when want is MODEL_OK */
    bool truncated;
    int64_t input, output;
} rows[] = {
    {"plain stream", 200,
     CHUNK("{\"role\":\"assistant\",\"content\":\"\"}", "null") TEXT("Hel") TEXT("lo") STOP DONE, MODEL_OK,
     "Hello", false, 0, 0},
    {"usage on a chunk of its own", 200,
     TEXT("a") STOP "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}\n\n" DONE,
     MODEL_OK, "a", false, 9, 3},
    {"usage on each chunk, null first", 200,
     "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\ndata: "
     "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_"
     "tokens\":2}}\n\n" DONE,
     MODEL_OK, "a", false, 1, 2},
    {"Azure's first chunk", 200,
     "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n" TEXT("a") STOP DONE, MODEL_OK, "a", false, 0,
     0},
    {"choices null at the end", 200, TEXT("a") STOP "data: {\"choices\":null}\n\n" DONE, MODEL_OK, "a", false,
     0, 0},
    {"choices absent", 200, "data: {\"id\":\"x\"}\n\n" TEXT("a") STOP, MODEL_OK, "a", false, 0, 0},
    {"no [DONE]", 200, TEXT("a") STOP, MODEL_OK, "a", false, 0, 0},
    {"[DONE] without a finish reason", 200, TEXT("a") DONE, MODEL_OK, "a", false, 0, 0},
    {"cut before the end", 200, TEXT("half an ans"), MODEL_SERVER, NULL, false, 0, 0},
    {"nothing at all", 200, "", MODEL_SERVER, NULL, false, 0, 0},
    {"comments only", 200, ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n", MODEL_SERVER, NULL,
     false, 0, 0},
    {"HTML with 200", 200, "<html><body>gateway</body></html>", MODEL_SERVER, NULL, false, 0, 0},
    {"content null", 200, CHUNK("{\"content\":null}", "null") TEXT("a") STOP, MODEL_OK, "a", false, 0, 0},
    {"padding and reasoning are dropped", 200,
     CHUNK("{\"reasoning_content\":\"hm\",\"reasoning\":\"hm\",\"obfuscation\":\"zz\"}", "null") TEXT("a")
         STOP,
     MODEL_OK, "a", false, 0, 0},
    {"a think block", 200, TEXT("<th") TEXT("ink>se</thi") TEXT("x</think>\\n\\n") TEXT("Yes.") STOP,
     MODEL_OK, "Yes.", false, 0, 0},
    {"no think block", 200, TEXT("<thanks") TEXT("!") STOP, MODEL_OK, "<thanks!", false, 0, 0},
    {"a think block alone", 200, TEXT("<think>all of it") STOP, MODEL_EMPTY, NULL, false, 0, 0},
    {"a later block is text", 200, TEXT("a <think>b</think>") STOP, MODEL_OK, "a <think>b</think>", false, 0,
     0},
    {"length", 200, TEXT("a. b") CHUNK("{}", "\"length\"") DONE, MODEL_OK, "a. b", true, 0, 0},
    {"content filter", 200, TEXT("a") CHUNK("{}", "\"content_filter\"") DONE, MODEL_FILTERED, NULL, false, 0,
     0},
    {"refusal", 200, CHUNK("{\"refusal\":\"I cannot\"}", "null") STOP DONE, MODEL_FILTERED, NULL, false, 0,
     0},
    {"empty answer", 200, TEXT(" \\n ") STOP DONE, MODEL_EMPTY, NULL, false, 0, 0},
    {"error object first", 200,
     "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":500}}\n\n", MODEL_SERVER, NULL,
     false, 0, 0},
    {"error after text", 200, TEXT("a") "data: {\"error\":{\"message\":\"Overloaded\",\"code\":529}}\n\n",
     MODEL_OVERLOADED, NULL, false, 0, 0},
    {"error as text", 200, "data: {\"error\":\"something broke\"}\n\n", MODEL_SERVER, NULL, false, 0, 0},
    {"older vLLM's error", 200,
     "data: {\"object\":\"error\",\"message\":\"This model's maximum context length is 32768 "
     "tokens.\",\"type\":\"BadRequestError\",\"code\":400}\n\n",
     MODEL_CONTEXT, NULL, false, 0, 0},
    {"event: error", 200,
     "event: error\ndata: "
     "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
     MODEL_OVERLOADED, NULL, false, 0, 0},
    {"finish reason error", 200, TEXT("a") CHUNK("{}", "\"error\"") DONE, MODEL_SERVER, NULL, false, 0, 0},
    {"a chunk that is no JSON", 200, "data: {oops\n\n" TEXT("a") STOP, MODEL_OK, "a", false, 0, 0},
    {"after [DONE] nothing counts", 200, TEXT("a") STOP DONE TEXT("b"), MODEL_OK, "a", false, 0, 0},
    {"JSON for a stream request", 200,
     "{\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}],"
     "\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":5}}",
     MODEL_OK, "Hello", false, 4, 5},
    {"JSON, parts", 200,
     " {\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
     "\"text\":\"b\"}]}}]}",
     MODEL_OK, "ab", false, 0, 0},
    {"JSON, length", 200, "{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}",
     MODEL_OK, "a", true, 0, 0},
    {"JSON, content null", 200, "{\"choices\":[{\"message\":{\"content\":null},\"finish_reason\":\"stop\"}]}",
     MODEL_EMPTY, NULL, false, 0, 0},
    {"JSON, an error", 200, "{\"error\":{\"message\":\"x\",\"code\":\"rate_limit_exceeded\"}}",
     MODEL_RATE_LIMITED, NULL, false, 0, 0},
    {"JSON behind a control character is no JSON", 200, "\n\x01{\"error\":{\"message\":\"x\",\"code\":401}}",
     MODEL_SERVER, NULL, false, 0, 0},
    {"JSON cut off", 200, "{\"choices\":[{\"mess", MODEL_MALFORMED, NULL, false, 0, 0},
    {"JSON, an array with an error", 200,
     "[{\"error\":{\"message\":\"x\",\"code\":401,\"type\":\"authentication_error\"}}]", MODEL_AUTH, NULL,
     false, 0, 0},
    {"401", 401, "{\"error\":{\"message\":\"bad key\"}}", MODEL_AUTH, NULL, false, 0, 0},
    {"500 HTML", 500, "<html>", MODEL_SERVER, NULL, false, 0, 0},
    {"502 empty", 502, "", MODEL_SERVER, NULL, false, 0, 0},
};

static void collect(const char *text, size_t size, void *arg)
{
    buf_add(arg, text, size);
}

/* Reads the body in pieces of n bytes. */
static void read_row(size_t i, size_t n)
{
    struct chat_reader r;
    struct buf out;
    size_t size = strlen(rows[i].body);

    buf_init(&out, 1u << 20);
    chat_reader_init(&r, chat_reader_take, collect, &out);
    bool more = true;
    for (size_t at = 0; at < size && more; at += n) {
        more = chat_reader_feed(&r, rows[i].body + at, n < size - at ? n : size - at, rows[i].status);
    }
    enum model_class class = chat_reader_end(&r, MODEL_OK, rows[i].status);
    if (class != rows[i].want) {
        fail_msg("%s (pieces of %zu): %s", rows[i].label, n, model_class_name(class));
    }
    if (class == MODEL_OK) {
        assert_string_equal(buf_str(&out), rows[i].text);
        assert_int_equal(r.truncated, rows[i].truncated);
        assert_int_equal(r.usage.input, rows[i].input);
        assert_int_equal(r.usage.output, rows[i].output);
    }
    chat_reader_fini(&r);
    buf_fini(&out);
}

static void variants(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 7, 64, 100000};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
            read_row(i, pieces[p]);
        }
    }
}

/* A transfer that broke off is an error, but for one that had said everything. */
static void broken_transfers(void **state)
{
    static const struct {
        const char *body;
        enum model_class want;
    } cases[] = {{TEXT("a"), MODEL_TIMEOUT}, {TEXT("a") STOP, MODEL_OK}, {"{\"choices\"", MODEL_TIMEOUT}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct chat_reader r;
        struct buf out;
        buf_init(&out, 1024);
        chat_reader_init(&r, chat_reader_take, collect, &out);
        (void)chat_reader_feed(&r, cases[i].body, strlen(cases[i].body), 200);
        assert_int_equal(chat_reader_end(&r, MODEL_TIMEOUT, 200), cases[i].want);
        chat_reader_fini(&r);
        buf_fini(&out);
    }
}

/* A model that never stops is cut off: what it wrote is thrown away. */
static void text_is_bounded(void **state)
{
    struct chat_reader r;
    struct buf out;
    bool more = true;
    int fed = 0;

    (void)state;
    buf_init(&out, 1u << 20);
    chat_reader_init(&r, chat_reader_take, collect, &out);
    while (more && fed < 100000) {
        more = chat_reader_feed(&r, TEXT("0123456789012345678901234567890123456789"),
                                strlen(TEXT("0123456789012345678901234567890123456789")), 200);
        fed++;
    }
    assert_false(more);
    assert_true(out.len <= MODEL_TEXT_MAX);
    assert_int_equal(chat_reader_end(&r, MODEL_OK, 200), MODEL_MALFORMED);
    chat_reader_fini(&r);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants),
        cmocka_unit_test(broken_transfers),
        cmocka_unit_test(text_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
