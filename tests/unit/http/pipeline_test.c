/* Many requests on one connection: answers come in the order of the requests whatever order handlers finish
 * in, and every answer is that of its own request. */
#include "http_fixture.h"

/* A handler that keeps requests back and answers them later, in an order of its own. It lives on the server's
 * only loop; `most` is read by the test when the server has stopped. */
struct keeper {
    struct http_request *held[64];
    unsigned count;
    unsigned most;
    unsigned batch; /* answers when so many are held, or when the timer fires */
    unsigned seed;
    struct loop_timer *timer;
};

static struct keeper keeper;

/* Answers all that is held, in a shuffled order. */
static void answer_held(void *arg)
{
    struct keeper *k = arg;
    k->timer = NULL;
    while (k->count > 0) {
        k->seed = k->seed * 1103515245u + 12345u;
        unsigned pick = (k->seed >> 16) % k->count;
        struct http_request *req = k->held[pick];
        k->held[pick] = k->held[--k->count];
        fixture_echo(req, NULL);
    }
}

static void keep(struct http_request *req, void *arg)
{
    struct keeper *k = arg;
    if (strcmp(http_path(req), "/now") == 0) {
        fixture_echo(req, NULL);
        return;
    }
    k->held[k->count++] = req;
    k->most = k->count > k->most ? k->count : k->most;
    if (k->timer == NULL) {
        k->timer = loop_after(http_loop(req), 1, answer_held, k);
    }
}

static struct http_server *start_keeper(struct http_config *config)
{
    http_config_default(config);
    memset(&keeper, 0, sizeof keeper);
    keeper.seed = 7;
    config->on_request = keep;
    config->arg = &keeper;
    log_set(LOG_ERROR, LOG_KEYVALUE);
    return fixture_start(config);
}

/* Sends n requests at once, each to its own path; every seventh has a body. */
static void send_many(struct client *client, unsigned n)
{
    struct buf text;
    buf_init(&text, ANSWER_MAX);
    for (unsigned i = 0; i < n; i++) {
        if (i % 7 == 3) {
            buf_addf(&text, "POST /r/%u HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n%04u", i, i);
        } else {
            buf_addf(&text, "GET /r/%u HTTP/1.1\r\nHost: x\r\n\r\n", i);
        }
    }
    assert_true(client_send_bytes(client, text.data, text.len));
    buf_fini(&text);
}

static void expect_many(struct client *client, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct answer answer;
        char want[64];
        if (i % 7 == 3) {
            snprintf(want, sizeof want, "POST /r/%u?\n%04u", i, i);
        } else {
            snprintf(want, sizeof want, "GET /r/%u?\n", i);
        }
        assert_true(client_answer(client, &answer));
        assert_string_equal(buf_str(&answer.body), want);
        answer_fini(&answer);
    }
    assert_int_equal(client->in.len, 0);
}

static void test_answers_in_order(void **state)
{
    static const unsigned COUNTS[] = {1, 2, 10, 1000};
    struct http_config config;
    struct http_server *server = start_keeper(&config);
    (void)state;
    for (size_t i = 0; i < sizeof COUNTS / sizeof COUNTS[0]; i++) {
        struct client client;
        client_open(&client, server);
        send_many(&client, COUNTS[i]);
        expect_many(&client, COUNTS[i]);
        send_many(&client, 3);
        expect_many(&client, 3);
        client_close(&client);
    }
    fixture_end(server);
    assert_int_equal(keeper.most, config.pipeline_max);
}

/* Handlers that answer at once take turns with handlers that answer late. */
static void test_mixed(void **state)
{
    struct http_config config;
    struct http_server *server = start_keeper(&config);
    struct client client;
    struct answer answer;
    (void)state;
    client_open(&client, server);
    assert_true(client_send(&client,
                            "GET /late HTTP/1.1\r\nHost: x\r\n\r\nGET /now HTTP/1.1\r\nHost: x\r\n\r\n"
                            "HEAD /now HTTP/1.1\r\nHost: x\r\n\r\nGET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(client_answer(&client, &answer));
    assert_string_equal(buf_str(&answer.body), "GET /late?\n");
    answer_fini(&answer);
    assert_true(client_answer(&client, &answer));
    assert_string_equal(buf_str(&answer.body), "GET /now?\n");
    answer_fini(&answer);
    assert_true(client_answer_to(&client, &answer, true));
    answer_fini(&answer);
    assert_true(client_answer(&client, &answer));
    assert_string_equal(buf_str(&answer.body), "GET /later?\n");
    answer_fini(&answer);
    client_close(&client);
    fixture_end(server);
}

/* 100 Continue does not overtake the answer of the request before. */
static void test_continue_waits(void **state)
{
    struct http_config config;
    struct http_server *server = start_keeper(&config);
    struct client client;
    struct answer answer;
    (void)state;
    client_open(&client, server);
    assert_true(client_send(&client, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n"
                                     "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: "
                                     "100-continue\r\n\r\n"));
    assert_true(client_answer(&client, &answer));
    assert_int_equal(answer.status, 200);
    answer_fini(&answer);
    assert_true(client_answer(&client, &answer));
    assert_int_equal(answer.status, 100);
    answer_fini(&answer);
    assert_true(client_send(&client, "hi"));
    assert_true(client_answer(&client, &answer));
    assert_string_equal(buf_str(&answer.body), "POST /now?\nhi");
    answer_fini(&answer);
    client_close(&client);
    fixture_end(server);
}

/* A client that shuts its side after sending still gets every answer. */
static void test_half_closed(void **state)
{
    struct http_config config;
    struct http_server *server = start_keeper(&config);
    struct client client;
    (void)state;
    client_open(&client, server);
    send_many(&client, 100);
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    expect_many(&client, 100);
    assert_true(client_at_end(&client));
    client_close(&client);
    fixture_end(server);
}

/* A client that pipelines and does not read is held back, not buffered without bound; then it gets all. */
static void test_client_that_does_not_read(void **state)
{
    enum { ROUNDS = 200 };
    struct http_config config;
    struct http_server *server = start_keeper(&config);
    struct client client;
    char *body = calloc(1, 65536);
    char head[128];
    unsigned sent = 0;
    (void)state;
    memset(body, 'b', 65535);
    client_open_port(&client, fixture_port(server), 4096);
    snprintf(head, sizeof head, "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 65535\r\n\r\n");
    struct timeval soon = {.tv_usec = 300000};
    setsockopt(client.fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
    while (sent < ROUNDS && client_send(&client, head) && client_send_bytes(&client, body, 65535)) {
        sent++;
    }
    struct http_stats stats;
    http_server_stats(server, &stats);
    assert_true(sent < ROUNDS);
    assert_true(stats.requests <= sent + 1);
    for (unsigned i = 0; i < sent; i++) {
        struct answer answer;
        assert_true(client_answer(&client, &answer));
        assert_int_equal(answer.body.len, strlen("POST /now?\n") + 65535);
        answer_fini(&answer);
    }
    client_close(&client);
    fixture_end(server);
    free(body);
}

/* Several loops, several clients at once. */
static void test_threads(void **state)
{
    enum { CLIENTS = 12 };
    struct http_config config;
    struct client clients[CLIENTS];
    (void)state;
    http_config_default(&config);
    config.threads = 3;
    config.on_request = fixture_echo;
    struct http_server *server = fixture_start(&config);
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], server);
        send_many(&clients[i], 50 + i);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        expect_many(&clients[i], 50 + i);
        client_close(&clients[i]);
    }
    fixture_end(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_in_order),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_continue_waits),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_client_that_does_not_read),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
