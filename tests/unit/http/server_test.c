/* The way of a plain request: methods, bodies, keep-alive, answers' fields, listeners, drain. */
#include "http_fixture.h"

#include <sys/stat.h>
#include <sys/un.h>

#include "queue/base/id.h"

static struct http_config config;

static int setup(void **state)
{
    (void)state;
    log_set(LOG_ERROR, LOG_KEYVALUE);
    http_config_default(&config);
    config.on_request = fixture_echo;
    return 0;
}

/* One request, one answer, on a connection of its own that stays open. */
static void exchange(struct client *client, const char *request, struct answer *answer)
{
    assert_true(client_send(client, request));
    assert_true(client_answer_to(client, answer, strncmp(request, "HEAD", 4) == 0));
}

static void test_methods_and_bodies(void **state)
{
    static const struct {
        const char *label;
        const char *request;
        const char *want;
    } CASES[] = {
        {"get", "GET /a/b?c=d HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a/b?c=d\n"},
        {"post", "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "POST /p?\nhello"},
        {"put", "PUT /p HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "PUT /p?\n"},
        {"patch chunked",
         "PATCH /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
         "PATCH /p?\nabcde"},
        {"chunk extension and trailer",
         "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nz\r\n0\r\nX-T: 1\r\n\r\n",
         "POST /p?\nz"},
        {"delete", "DELETE /p HTTP/1.1\r\nHost: x\r\n\r\n", "DELETE /p?\n"},
        {"options", "OPTIONS /p HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS /p?\n"},
        {"decoded path", "GET /caf%C3%A9/a%20b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /caf\xc3\xa9/a b?\n"},
        {"absolute form", "GET http://x/abs?q HTTP/1.1\r\nHost: x\r\n\r\n", "GET /abs?q\n"},
        {"upgrade is ignored", "GET /u HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
         "GET /u?\n"},
    };
    struct http_server *server = fixture_start(&config);
    struct client client;
    (void)state;
    client_open(&client, server);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct answer answer;
        exchange(&client, CASES[i].request, &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(buf_str(&answer.body), CASES[i].want);
        assert_null(answer_field(&answer, "Connection"));
        answer_fini(&answer);
    }
    client_close(&client);
    fixture_end(server);
}

static void test_answer_fields(void **state)
{
    struct http_server *server = fixture_start(&config);
    struct client client;
    struct answer answer;
    (void)state;
    client_open(&client, server);
    exchange(&client, "GET /f HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
    assert_true(id_is(answer_field(&answer, "X-Request-Id"), "req"));
    assert_string_equal(answer_field(&answer, "Content-Type"), "text/plain");
    assert_string_equal(answer_field(&answer, "Content-Length"), "8");
    const char *date = answer_field(&answer, "Date");
    struct tm parsed;
    assert_non_null(date);
    assert_non_null(strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &parsed));
    answer_fini(&answer);
    client_close(&client);
    fixture_end(server);
}

static void test_head_has_no_body(void **state)
{
    struct http_server *server = fixture_start(&config);
    struct client client;
    struct answer answer;
    (void)state;
    client_open(&client, server);
    exchange(&client, "HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer_field(&answer, "Content-Length"), "11");
    answer_fini(&answer);
    exchange(&client, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
    assert_string_equal(buf_str(&answer.body), "GET /next?\n");
    answer_fini(&answer);
    client_close(&client);
    fixture_end(server);
}

static void test_keep_alive(void **state)
{
    static const struct {
        const char *label;
        const char *request;
        const char *connection; /* what the answer says */
        bool closes;
    } CASES[] = {
        {"1.1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", NULL, false},
        {"1.1 close", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "close", true},
        {"1.1 Close in a list", "GET / HTTP/1.1\r\nHost: x\r\nConnection: te, Close\r\n\r\n", "close", true},
        {"1.0", "GET / HTTP/1.0\r\n\r\n", "close", true},
        {"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", false},
    };
    struct http_server *server = fixture_start(&config);
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct client client;
        struct answer answer;
        client_open(&client, server);
        exchange(&client, CASES[i].request, &answer);
        assert_int_equal(answer.status, 200);
        const char *connection = answer_field(&answer, "Connection");
        if (CASES[i].connection == NULL) {
            assert_null(connection);
        } else {
            assert_string_equal(connection, CASES[i].connection);
        }
        answer_fini(&answer);
        if (CASES[i].closes) {
            assert_true(client_at_end(&client));
        } else {
            exchange(&client, "GET /again HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
            assert_string_equal(buf_str(&answer.body), "GET /again?\n");
            answer_fini(&answer);
        }
        client_close(&client);
    }
    fixture_end(server);
}

/* When this returns the server has taken all bytes that were sent before on any connection: its one loop has
 * answered a request that came later. */
static void barrier(struct client *other)
{
    struct answer answer;
    exchange(other, "GET /barrier HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
    answer_fini(&answer);
}

static const char TWO_REQUESTS[] =
    "\r\nPOST /slow?x=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    "4;e\r\nwxyz\r\nB\r\n0123456789A\r\n0\r\nT: v\r\n\r\n"
    "POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";

static void expect_two_answers(struct client *client)
{
    struct answer answer;
    assert_true(client_answer(client, &answer));
    assert_string_equal(buf_str(&answer.body), "POST /slow?x=1\nwxyz0123456789A");
    answer_fini(&answer);
    assert_true(client_answer(client, &answer));
    assert_string_equal(buf_str(&answer.body), "POST /two?\nabc");
    answer_fini(&answer);
}

static void test_byte_by_byte(void **state)
{
    struct http_server *server = fixture_start(&config);
    struct client client;
    struct client other;
    (void)state;
    client_open(&client, server);
    client_open(&other, server);
    for (size_t i = 0; i + 1 < sizeof TWO_REQUESTS; i++) {
        assert_true(client_send_bytes(&client, TWO_REQUESTS + i, 1));
        barrier(&other);
    }
    expect_two_answers(&client);
    client_close(&client);
    client_close(&other);
    fixture_end(server);
}

static void test_cut_anywhere(void **state)
{
    struct http_server *server = fixture_start(&config);
    struct client client;
    struct client other;
    (void)state;
    client_open(&client, server);
    client_open(&other, server);
    for (size_t cut = 1; cut + 1 < sizeof TWO_REQUESTS; cut++) {
        assert_true(client_send_bytes(&client, TWO_REQUESTS, cut));
        barrier(&other);
        assert_true(client_send(&client, TWO_REQUESTS + cut));
        expect_two_answers(&client);
    }
    client_close(&client);
    client_close(&other);
    fixture_end(server);
}

static void large_bodies(struct http_request *req, size_t *body_max, void *arg)
{
    (void)req;
    (void)arg;
    *body_max = 8u * 1024u * 1024u;
}

static void test_large_body_comes_back(void **state)
{
    size_t size = 5u * 1024u * 1024u;
    char *body = malloc(size);
    struct client client;
    struct answer answer;
    char head[128];
    (void)state;
    config.on_head = large_bodies;
    struct http_server *server = fixture_start(&config);
    for (size_t i = 0; i < size; i++) {
        body[i] = (char)(i * 7 + i / 251);
    }
    client_open(&client, server);
    snprintf(head, sizeof head, "POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", size);
    assert_true(client_send(&client, head));
    assert_true(client_send_bytes(&client, body, size));
    assert_true(client_answer(&client, &answer));
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body.len, size + strlen("POST /big?\n"));
    assert_memory_equal(answer.body.data + strlen("POST /big?\n"), body, size);
    answer_fini(&answer);
    client_close(&client);
    fixture_end(server);
    free(body);
}

static void test_continue(void **state)
{
    struct http_server *server = fixture_start(&config);
    struct client client;
    struct answer answer;
    (void)state;
    client_open(&client, server);
    exchange(&client, "POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n",
             &answer);
    assert_int_equal(answer.status, 100);
    answer_fini(&answer);
    exchange(&client, "ok", &answer);
    assert_string_equal(buf_str(&answer.body), "POST /c?\nok");
    answer_fini(&answer);
    client_close(&client);
    fixture_end(server);
}

/* Answers in on_head: requests to /deny never reach on_request. */
static void deny(struct http_request *req, size_t *body_max, void *arg)
{
    (void)body_max;
    (void)arg;
    if (strcmp(http_path(req), "/deny") == 0) {
        http_reply_header(req, "X-Early", "yes");
        http_reply(req, 401, "text/plain", "no", 2);
    }
}

static void test_early_answer(void **state)
{
    struct client client;
    struct answer answer;
    (void)state;
    config.on_head = deny;
    struct http_server *server = fixture_start(&config);
    client_open(&client, server);
    exchange(&client, "GET /deny HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
    assert_int_equal(answer.status, 401);
    assert_string_equal(answer_field(&answer, "X-Early"), "yes");
    answer_fini(&answer);
    exchange(&client, "POST /deny HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\nExpect: 100-continue\r\n\r\n",
             &answer);
    assert_int_equal(answer.status, 401);
    assert_string_equal(answer_field(&answer, "Connection"), "close");
    answer_fini(&answer);
    assert_true(client_at_end(&client));
    client_close(&client);
    fixture_end(server);
}

static void test_unix_socket(void **state)
{
    char dir[] = "/tmp/chasqui-http-XXXXXX";
    char address[128];
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat st;
    struct client client = {.fd = -1};
    struct answer answer;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(name.sun_path, sizeof name.sun_path, "%s/s", dir);
    snprintf(address, sizeof address, "unix:%s/s", dir);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&name, sizeof name), 0);
    close(dead);

    struct http_server *server = http_server_new(&config);
    assert_int_equal(http_server_listen(server, address), ERR_OK);
    assert_int_equal(http_server_start(server), ERR_OK);
    assert_string_equal(http_server_url(server), "");
    assert_int_equal(stat(name.sun_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct http_server *second = http_server_new(&config);
    assert_int_equal(http_server_listen(second, address), ERR_BUSY);
    http_server_free(second);

    client.fd = socket(AF_UNIX, SOCK_STREAM, 0);
    buf_init(&client.in, ANSWER_MAX);
    assert_int_equal(connect(client.fd, (struct sockaddr *)&name, sizeof name), 0);
    exchange(&client, "GET /u HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer);
    assert_string_equal(buf_str(&answer.body), "GET /u?\n");
    answer_fini(&answer);
    client_close(&client);
    fixture_end(server);
    assert_int_equal(access(name.sun_path, F_OK), -1);
    assert_int_equal(rmdir(dir), 0);
}

static void test_listen_errors(void **state)
{
    static const struct {
        const char *address;
        enum err want;
    } CASES[] = {
        {"127.0.0.1", ERR_INVALID},
        {"127.0.0.1:", ERR_INVALID},
        {":80", ERR_INVALID},
        {"127.0.0.1:x", ERR_INVALID},
        {"127.0.0.1:70000", ERR_INVALID},
        {"::1:80", ERR_INVALID},
        {"192.0.2.1:0", ERR_INVALID},
        {"unix:", ERR_INVALID},
        {"unix:/nonexistent/dir/s", ERR_INVALID},
        {"[::1:80", ERR_INVALID},
        {"no.such.host.invalid:0", ERR_INVALID},
    };
    struct http_server *server = http_server_new(&config);
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(http_server_listen(server, CASES[i].address), CASES[i].want);
    }
    assert_int_equal(http_server_listen(server, "127.0.0.1:0"), ERR_OK);
    struct http_server *second = http_server_new(&config);
    assert_int_equal(http_server_listen(second, strstr(http_server_url(server), "127")), ERR_BUSY);
    http_server_free(second);
    http_server_free(server);
}

static void test_ipv6(void **state)
{
    struct http_server *server = http_server_new(&config);
    (void)state;
    if (http_server_listen(server, "[::1]:0") != ERR_OK) {
        http_server_free(server);
        skip();
    }
    assert_int_equal(strncmp(http_server_url(server), "http://[::1]:", 13), 0);
    http_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_methods_and_bodies, setup),
        cmocka_unit_test_setup(test_answer_fields, setup),
        cmocka_unit_test_setup(test_head_has_no_body, setup),
        cmocka_unit_test_setup(test_keep_alive, setup),
        cmocka_unit_test_setup(test_byte_by_byte, setup),
        cmocka_unit_test_setup(test_cut_anywhere, setup),
        cmocka_unit_test_setup(test_large_body_comes_back, setup),
        cmocka_unit_test_setup(test_continue, setup),
        cmocka_unit_test_setup(test_early_answer, setup),
        cmocka_unit_test_setup(test_unix_socket, setup),
        cmocka_unit_test_setup(test_listen_errors, setup),
        cmocka_unit_test_setup(test_ipv6, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
