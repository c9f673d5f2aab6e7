/* Streamed answers: framing, back-pressure, and the notice when the client goes away; and clients that leave
 * in the middle of plain requests. */
#include "http_fixture.h"

#define PIECE      8192u
#define EXPORT_ALL (12u * 1024u * 1024u)

/* What a writer on the server's loop did; the test reads it from its own thread. */
struct writer {
    struct http_server *server;
    struct http_request *req;
    size_t left;
    bool inside; /* begin or write is on the stack */
    atomic_size_t most;
    atomic_uint paused;
    atomic_uint drained;
    atomic_uint gone;
    atomic_uint inside_calls; /* notices that came while begin or write was on the stack */
    atomic_uint answered;
    atomic_int last_status;
    atomic_size_t last_bytes;
};

static struct writer writer;

/* Writes until told to pause, ends when all is written. */
static void write_on(struct writer *w)
{
    static char piece[PIECE];
    memset(piece, 'e', sizeof piece);
    w->inside = true;
    while (w->left > 0) {
        size_t n = w->left < PIECE ? w->left : PIECE;
        size_t waiting = http_stream_write(w->req, piece, n);
        w->left -= n;
        if (waiting > atomic_load(&w->most)) {
            atomic_store(&w->most, waiting);
        }
        if (waiting > HTTP_STREAM_HIGH) {
            atomic_fetch_add(&w->paused, 1);
            w->inside = false;
            return;
        }
    }
    w->inside = false;
    http_stream_end(w->req);
}

static void on_drain(void *arg)
{
    struct writer *w = arg;
    atomic_fetch_add(&w->inside_calls, w->inside ? 1 : 0);
    atomic_fetch_add(&w->drained, 1);
    write_on(w);
}

static void on_gone(void *arg)
{
    struct writer *w = arg;
    atomic_fetch_add(&w->inside_calls, w->inside ? 1 : 0);
    http_stream_write(w->req, "late", 4);
    http_stream_end(w->req);
    atomic_fetch_add(&w->gone, 1);
}

static void begin(struct http_request *req, struct writer *w, size_t size)
{
    w->req = req;
    w->left = size;
    w->inside = true;
    http_stream_begin(req, 200, "text/plain", on_drain, on_gone, w);
    w->inside = false;
}

/* A stream that ignores what write tells it. */
static void flood(struct http_request *req)
{
    static char piece[PIECE * 8];
    begin(req, &writer, 0);
    for (unsigned i = 0; i < 1024; i++) {
        size_t waiting = http_stream_write(req, piece, sizeof piece);
        if (waiting > atomic_load(&writer.most)) {
            atomic_store(&writer.most, waiting);
        }
    }
}

static void later(void *arg)
{
    fixture_echo(arg, NULL);
}

/* Begins the stream when the client is gone for sure. */
static void begin_late(void *arg)
{
    struct http_stats stats;
    http_server_stats(writer.server, &stats);
    if (stats.connections > 0) {
        loop_after(http_loop(arg), 1, begin_late, arg);
    } else {
        begin(arg, &writer, 0);
    }
}

static void on_request(struct http_request *req, void *arg)
{
    const char *path = http_path(req);
    (void)arg;
    if (strcmp(path, "/export") == 0) {
        begin(req, &writer, EXPORT_ALL);
        write_on(&writer);
    } else if (strcmp(path, "/events") == 0) {
        begin(req, &writer, 0);
        http_stream_write(req, "data: hello\n\n", 13);
    } else if (strcmp(path, "/small") == 0) {
        http_stream_begin(req, 200, "text/plain", NULL, NULL, NULL);
        http_stream_write(req, "one,", 4);
        http_stream_write(req, "", 0);
        http_stream_write(req, "two", 3);
        http_stream_end(req);
    } else if (strcmp(path, "/flood") == 0) {
        flood(req);
    } else if (strcmp(path, "/late") == 0) {
        loop_after(http_loop(req), 1, begin_late, req);
    } else if (strcmp(path, "/later") == 0) {
        loop_after(http_loop(req), 50, later, req);
    } else {
        fixture_echo(req, NULL);
    }
}

static void on_answered(const struct http_request *req, int status, size_t bytes, int64_t took_us, void *arg)
{
    (void)arg;
    if (strncmp(http_request_id(req), "req_", 4) == 0 && took_us >= 0) {
        atomic_store(&writer.last_status, status);
        atomic_store(&writer.last_bytes, bytes);
        atomic_fetch_add(&writer.answered, 1);
    }
}

static int setup(void **state)
{
    struct http_config config;
    (void)state;
    log_set(LOG_ERROR, LOG_KEYVALUE);
    memset(&writer, 0, sizeof writer);
    http_config_default(&config);
    config.on_request = on_request;
    config.on_answered = on_answered;
    writer.server = fixture_start(&config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_end(writer.server);
    return 0;
}

static bool gone_once(void *arg)
{
    (void)arg;
    return atomic_load(&writer.gone) > 0;
}

static bool all_closed(void *arg)
{
    struct http_stats stats;
    (void)arg;
    http_server_stats(writer.server, &stats);
    return stats.connections == 0;
}

static bool one_answered(void *arg)
{
    (void)arg;
    return atomic_load(&writer.answered) > 0;
}

static void test_framing(void **state)
{
    struct client client;
    struct answer answer;
    (void)state;
    client_open(&client, writer.server);
    assert_true(client_send(&client,
                            "GET /small HTTP/1.1\r\nHost: x\r\n\r\nHEAD /small HTTP/1.1\r\nHost: x\r\n\r\n"
                            "GET /small HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    assert_true(client_answer(&client, &answer));
    assert_string_equal(answer_field(&answer, "Transfer-Encoding"), "chunked");
    assert_null(answer_field(&answer, "Content-Length"));
    assert_string_equal(buf_str(&answer.body), "one,two");
    answer_fini(&answer);
    assert_true(client_answer_to(&client, &answer, true));
    assert_int_equal(answer.status, 200);
    answer_fini(&answer);
    assert_true(client_answer(&client, &answer));
    assert_null(answer_field(&answer, "Transfer-Encoding"));
    assert_string_equal(answer_field(&answer, "Connection"), "close");
    assert_string_equal(buf_str(&answer.body), "one,two");
    answer_fini(&answer);
    client_close(&client);
}

static void test_back_pressure(void **state)
{
    struct client client;
    struct answer answer;
    (void)state;
    client_open_port(&client, fixture_port(writer.server), 8192);
    assert_true(
        client_send(&client, "GET /export HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(client_answer(&client, &answer));
    assert_int_equal(answer.body.len, EXPORT_ALL);
    answer_fini(&answer);
    assert_true(client_answer(&client, &answer));
    assert_string_equal(buf_str(&answer.body), "GET /next?\n");
    answer_fini(&answer);
    client_close(&client);
    assert_true(atomic_load(&writer.paused) > 0);
    assert_int_equal(atomic_load(&writer.paused), atomic_load(&writer.drained));
    assert_true(atomic_load(&writer.most) < HTTP_STREAM_HIGH + 2 * PIECE);
    assert_int_equal(atomic_load(&writer.gone), 0);
    assert_int_equal(atomic_load(&writer.inside_calls), 0);
}

/* The subscriber leaves: its stream learns it once, though nothing is being written. */
static void test_gone_while_silent(void **state)
{
    struct client client;
    (void)state;
    client_open(&client, writer.server);
    assert_true(client_send(&client, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(client_find(&client, "data: hello\n\n", 0) > 0);
    client_close(&client);
    assert_true(fixture_until(gone_once, NULL));
    assert_true(fixture_until(all_closed, NULL));
    assert_int_equal(atomic_load(&writer.gone), 1);
    assert_int_equal(atomic_load(&writer.answered), 1);
    assert_int_equal(atomic_load(&writer.inside_calls), 0);
}

/* The reader leaves in the middle of a large answer. */
static void test_gone_while_paused(void **state)
{
    struct client client;
    (void)state;
    client_open_port(&client, fixture_port(writer.server), 4096);
    assert_true(client_send(&client, "GET /export HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(client_find(&client, "eeee", 0) > 0);
    client_close(&client);
    assert_true(fixture_until(gone_once, NULL));
    assert_int_equal(atomic_load(&writer.gone), 1);
    assert_int_equal(atomic_load(&writer.inside_calls), 0);
}

/* A writer that never pauses loses its client instead of filling the memory. */
static void test_flood(void **state)
{
    struct client client;
    (void)state;
    client_open_port(&client, fixture_port(writer.server), 4096);
    assert_true(client_send(&client, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(fixture_until(gone_once, NULL));
    assert_true(atomic_load(&writer.most) < 5u * 1024u * 1024u);
    assert_int_equal(atomic_load(&writer.gone), 1);
    client_close(&client);
}

/* The client of a plain request leaves; its handler answers all the same, exactly once, into nothing. */
static void test_gone_before_answer(void **state)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    struct client client;
    (void)state;
    client_open(&client, writer.server);
    assert_true(
        client_send(&client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
    client_close(&client);
    client_open(&client, writer.server);
    assert_true(client_send(&client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\nPOST /half HTTP/1.1\r\nHost: "
                                     "x\r\nContent-Length: 10\r\n\r\nabc"));
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    client_close(&client);
    assert_true(fixture_until(one_answered, NULL));
    assert_true(fixture_until(all_closed, NULL));
}

/* A stream that begins after its client has gone is told so, after begin has returned. */
static void test_gone_before_begin(void **state)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    struct client client;
    (void)state;
    client_open(&client, writer.server);
    assert_true(client_send(&client, "GET /late HTTP/1.1\r\nHost: x\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n"));
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    client_close(&client);
    assert_true(fixture_until(gone_once, NULL));
    assert_int_equal(atomic_load(&writer.gone), 1);
    assert_int_equal(atomic_load(&writer.inside_calls), 0);
}

/* The access log hears of a streamed answer with its status and the bytes of its body. */
static void test_access_line(void **state)
{
    struct client client;
    struct answer answer;
    (void)state;
    client_open(&client, writer.server);
    assert_true(client_send(&client, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(client_answer(&client, &answer));
    answer_fini(&answer);
    assert_true(fixture_until(one_answered, NULL));
    assert_int_equal(atomic_load(&writer.last_status), 200);
    assert_int_equal(atomic_load(&writer.last_bytes), 7);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_framing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_back_pressure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_while_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_while_paused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_before_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_before_begin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_access_line, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
