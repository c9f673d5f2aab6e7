/* What handlers read from a request: path, query, fields, body, peer; and the hooks around a request. */
#include "http_fixture.h"

static bool list_param(const char *name, const char *value, void *arg)
{
    struct buf *out = arg;
    buf_addf(out, "[%s|%s]", name, value);
    return strcmp(name, "stop") != 0;
}

/* Answers with the decoded parameters, and what "q" is. */
static void show_query(struct http_request *req, void *arg)
{
    struct buf out;
    (void)arg;
    buf_init(&out, 65536);
    bool fine = http_query_each(req, list_param, &out);
    const char *q = http_query_value(req, "q");
    buf_addf(&out, " %s q=%s", fine ? "fine" : "bad", q == NULL ? "(none)" : q);
    http_reply(req, 200, "text/plain", buf_str(&out), out.len);
    buf_fini(&out);
}

/* Answers with fields, peer and kind of socket. */
static void show_fields(struct http_request *req, void *arg)
{
    struct buf out;
    size_t size = 9;
    (void)arg;
    buf_init(&out, 65536);
    const char *twice = http_header(req, "x-twice");
    const char *none = http_header(req, "X-None");
    const char *body = http_body(req, &size);
    buf_addf(&out, "%s|%s|%s|%s|%zu%s|%s", twice, none == NULL ? "(none)" : none, http_peer(req),
             http_from_unix_socket(req) ? "unix" : "tcp", size, body, (const char *)http_context(req));
    http_reply_header(req, "X-One", "1");
    http_reply_header(req, "X-Two", "2; a=\"b\"");
    http_reply(req, 201, NULL, buf_str(&out), out.len);
    buf_fini(&out);
}

static void on_head(struct http_request *req, size_t *body_max, void *arg)
{
    (void)arg;
    *body_max = 10;
    http_set_context(req, arena_printf(http_arena(req), "context of %s", http_path(req)));
}

static void on_request(struct http_request *req, void *arg)
{
    if (strcmp(http_path(req), "/query") == 0) {
        show_query(req, arg);
    } else if (strcmp(http_path(req), "/none") == 0) {
        http_reply(req, 204, NULL, NULL, 0);
    } else {
        show_fields(req, arg);
    }
}

static void on_refused(struct http_request *req, int status, const char *reason, void *arg)
{
    struct buf out;
    (void)arg;
    buf_init(&out, 4096);
    buf_addf(&out, "%s %s %d %s", http_method(req), http_path(req), status, reason);
    http_reply(req, status, "text/x-refusal", buf_str(&out), out.len);
    buf_fini(&out);
}

static struct http_server *server;

static int setup(void **state)
{
    struct http_config config;
    (void)state;
    log_set(LOG_ERROR, LOG_KEYVALUE);
    http_config_default(&config);
    config.on_head = on_head;
    config.on_request = on_request;
    config.on_refused = on_refused;
    server = fixture_start(&config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_end(server);
    return 0;
}

/* Sends one request on a connection of its own. */
static void ask(const char *request, struct answer *answer)
{
    struct client client;
    client_open(&client, server);
    assert_true(client_send(&client, request));
    assert_true(client_answer(&client, answer));
    client_close(&client);
}

static void test_query(void **state)
{
    static const struct {
        const char *query;
        const char *want;
    } CASES[] = {
        {"", " fine q=(none)"},
        {"?", " fine q=(none)"},
        {"?q=1", "[q|1] fine q=1"},
        {"?q=1&q=2", "[q|1][q|2] fine q=1"},
        {"?q", "[q|] fine q="},
        {"?q=", "[q|] fine q="},
        {"?a&&b=&=c&q=x=y", "[a|][b|][|c][q|x=y] fine q=x=y"},
        {"?q=a+b%20c%2Bd", "[q|a b c+d] fine q=a b c+d"},
        {"?%71=caf%C3%A9", "[q|caf\xc3\xa9] fine q=caf\xc3\xa9"},
        {"?q=a%26b%3Dc", "[q|a&b=c] fine q=a&b=c"},
        {"?q=1&bad=%zz", " bad q=1"},
        {"?q=%00", " bad q=(none)"},
        {"?q=%4", " bad q=(none)"},
        {"?a=1&stop=2&q=3", "[a|1][stop|2] fine q=3"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char request[256];
        struct answer answer;
        snprintf(request, sizeof request, "GET /query%s HTTP/1.1\r\nHost: x\r\n\r\n", CASES[i].query);
        ask(request, &answer);
        assert_string_equal(buf_str(&answer.body), CASES[i].want);
        answer_fini(&answer);
    }
}

static void test_fields_and_context(void **state)
{
    struct answer answer;
    (void)state;
    ask("POST /f HTTP/1.1\r\nHost: x\r\nX-Twice: \t first \r\nX-Twice: second\r\nContent-Length: "
        "3\r\n\r\nabc",
        &answer);
    assert_int_equal(answer.status, 201);
    assert_string_equal(buf_str(&answer.body), "first|(none)|127.0.0.1|tcp|3abc|context of /f");
    assert_string_equal(answer_field(&answer, "X-One"), "1");
    assert_string_equal(answer_field(&answer, "X-Two"), "2; a=\"b\"");
    assert_null(answer_field(&answer, "Content-Type"));
    answer_fini(&answer);
}

static void test_no_content(void **state)
{
    struct answer answer;
    (void)state;
    ask("GET /none HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
    assert_int_equal(answer.status, 204);
    assert_null(answer_field(&answer, "Content-Length"));
    answer_fini(&answer);
}

/* The layer above renders refusals, knows the request's path once the head is whole, and sets the body's
 * limit. */
static void test_refusals_are_rendered_above(void **state)
{
    static const struct {
        const char *request;
        const char *want;
    } CASES[] = {
        {"POST /f HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", "POST /f 413 the body is too large"},
        {"POST /f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n",
         "POST /f 413 the body is too large"},
        {"GET /f HTTP/1.1\r\n\r\n", "GET  400 the Host field is missing"},
        {"GET /f HTTP/3.0\r\n", "  505 only HTTP/1.0 and HTTP/1.1 are spoken here"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct answer answer;
        ask(CASES[i].request, &answer);
        assert_string_equal(buf_str(&answer.body), CASES[i].want);
        assert_string_equal(answer_field(&answer, "Content-Type"), "text/x-refusal");
        answer_fini(&answer);
    }
}

static void test_status_text(void **state)
{
    (void)state;
    assert_string_equal(http_status_text(404), "Not Found");
    assert_string_equal(http_status_text(200), "OK");
    assert_string_equal(http_status_text(299), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),       cmocka_unit_test(test_fields_and_context),
        cmocka_unit_test(test_no_content),  cmocka_unit_test(test_refusals_are_rendered_above),
        cmocka_unit_test(test_status_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
