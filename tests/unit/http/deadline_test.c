/* Clients that drip, stall or stay silent are closed at their deadline, however they space their bytes. */
#include "http_fixture.h"

#define HEAD_MS 300
#define BODY_MS 400
#define IDLE_MS 350

static struct http_server *server;

static int setup(void **state)
{
    struct http_config config;
    (void)state;
    log_set(LOG_ERROR, LOG_KEYVALUE);
    http_config_default(&config);
    config.on_request = fixture_echo;
    config.head_ms = HEAD_MS;
    config.body_ms = BODY_MS;
    config.idle_ms = IDLE_MS;
    server = fixture_start(&config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_end(server);
    return 0;
}

/* Sends a byte of filler every few milliseconds until the server says something. */
static void drip(struct client *client, const char *filler)
{
    struct pollfd waiting = {.fd = client->fd, .events = POLLIN};
    int64_t end = fixture_now() + FIXTURE_WAIT_MS;
    for (size_t i = 0; poll(&waiting, 1, 20) == 0; i++) {
        assert_true(fixture_now() < end);
        if (!client_send_bytes(client, filler + i % strlen(filler), 1)) {
            return;
        }
    }
}

static void test_dripping(void **state)
{
    static const struct {
        const char *label;
        const char *begin;
        const char *filler;
        int64_t deadline;
    } CASES[] = {
        {"request line", "GET /", "a", HEAD_MS},
        {"fields", "GET / HTTP/1.1\r\nHost: x\r\n", "X: y\r\n", HEAD_MS},
        {"body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "a", BODY_MS},
        {"chunks", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", BODY_MS},
        {"trailers", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n",
         BODY_MS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct client client;
        struct answer answer;
        int64_t begin = fixture_now();
        client_open(&client, server);
        assert_true(client_send(&client, CASES[i].begin));
        drip(&client, CASES[i].filler);
        assert_true(client_answer(&client, &answer));
        assert_int_equal(answer.status, 408);
        assert_string_equal(answer_field(&answer, "Connection"), "close");
        assert_true(fixture_now() - begin >= CASES[i].deadline);
        answer_fini(&answer);
        client_close(&client);
    }
}

/* A silent client is closed without a word: fresh ones at the head's deadline, others at the idle one. */
static void test_silent(void **state)
{
    struct client client;
    struct answer answer;
    (void)state;
    int64_t begin = fixture_now();
    client_open(&client, server);
    assert_true(client_at_end(&client));
    assert_true(fixture_now() - begin >= HEAD_MS);
    client_close(&client);

    client_open(&client, server);
    assert_true(client_send(&client, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(client_answer(&client, &answer));
    assert_int_equal(answer.status, 200);
    answer_fini(&answer);
    begin = fixture_now();
    assert_true(client_at_end(&client));
    assert_true(fixture_now() - begin >= IDLE_MS - 50);
    client_close(&client);
}

/* A promise to send a body after 100 Continue has the body's deadline too. */
static void test_continue_and_nothing(void **state)
{
    struct client client;
    struct answer answer;
    (void)state;
    client_open(&client, server);
    assert_true(client_send(
        &client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"));
    assert_true(client_answer(&client, &answer));
    assert_int_equal(answer.status, 100);
    answer_fini(&answer);
    assert_true(client_answer(&client, &answer));
    assert_int_equal(answer.status, 408);
    answer_fini(&answer);
    assert_true(client_at_end(&client));
    client_close(&client);
}

/* A second request has a head deadline of its own, and an answer under way does not shorten it. */
static void test_second_head(void **state)
{
    struct client client;
    struct answer answer;
    (void)state;
    client_open(&client, server);
    assert_true(client_send(&client, "GET /x HTTP/1.1\r\nHost: x\r\n\r\nGET /y HTT"));
    assert_true(client_answer(&client, &answer));
    assert_int_equal(answer.status, 200);
    answer_fini(&answer);
    assert_true(client_answer(&client, &answer));
    assert_int_equal(answer.status, 408);
    answer_fini(&answer);
    client_close(&client);
}

static bool none_open(void *arg)
{
    struct http_stats stats;
    http_server_stats(arg, &stats);
    return stats.connections == 0;
}

/* A client that asks for much and reads nothing is dropped, and so is one that never ends its side. */
static void test_stalled_reader(void **state)
{
    struct client client;
    struct client lingerer;
    char *body = calloc(1, 1000000);
    (void)state;
    memset(body, 'x', 1000000);
    client_open_port(&client, fixture_port(server), 4096);
    for (int i = 0; i < 8; i++) {
        if (!client_send(&client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n") ||
            !client_send_bytes(&client, body, 1000000)) {
            break;
        }
    }
    client_open(&lingerer, server);
    assert_true(client_send(&lingerer, "nonsense\r\n\r\n"));
    assert_true(fixture_until(none_open, server));
    client_close(&client);
    client_close(&lingerer);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dripping),       cmocka_unit_test(test_silent),
        cmocka_unit_test(test_second_head),    cmocka_unit_test(test_continue_and_nothing),
        cmocka_unit_test(test_stalled_reader),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
