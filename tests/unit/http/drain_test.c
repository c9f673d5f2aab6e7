/* The end of a server: what has begun is finished, what has not is closed, what takes too long is cut. */
#include "http_fixture.h"

#include <pthread.h>

struct late {
    struct http_request *held[8];
    struct loop *loop;
    atomic_uint count;
};

static struct late late;

static void hold(struct http_request *req, void *arg)
{
    (void)arg;
    if (strcmp(http_path(req), "/now") == 0) {
        fixture_echo(req, NULL);
        return;
    }
    late.loop = http_loop(req);
    late.held[atomic_load(&late.count)] = req;
    atomic_fetch_add(&late.count, 1);
}

static void release(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < atomic_load(&late.count); i++) {
        fixture_echo(late.held[i], NULL);
    }
}

static struct http_server *start(void)
{
    struct http_config config;
    memset(&late, 0, sizeof late);
    log_set(LOG_ERROR, LOG_KEYVALUE);
    http_config_default(&config);
    config.on_request = hold;
    return fixture_start(&config);
}

static bool holds_one(void *arg)
{
    (void)arg;
    return atomic_load(&late.count) >= 1;
}

struct stopping {
    struct http_server *server;
    unsigned cut;
    atomic_bool done;
};

static void *stop_main(void *arg)
{
    struct stopping *stopping = arg;
    stopping->cut = http_server_stop(stopping->server, FIXTURE_WAIT_MS);
    atomic_store(&stopping->done, true);
    return NULL;
}

static void test_idle_connections_close_at_once(void **state)
{
    struct http_server *server = start();
    struct client fresh;
    struct client used;
    struct answer answer;
    (void)state;
    client_open(&fresh, server);
    client_open(&used, server);
    assert_true(client_send(&used, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(client_answer(&used, &answer));
    answer_fini(&answer);
    int64_t begin = fixture_now();
    assert_int_equal(http_server_stop(server, FIXTURE_WAIT_MS), 0);
    assert_true(fixture_now() - begin < FIXTURE_WAIT_MS / 4);
    assert_int_equal(http_server_stop(server, FIXTURE_WAIT_MS), 0);
    assert_true(client_at_end(&used));
    client_close(&fresh);
    client_close(&used);
    http_server_free(server);
}

/* True if nobody listens on the port. */
static bool refused(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool failed = connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno == ECONNREFUSED;
    close(fd);
    return failed;
}

/* Two requests are under way when the drain begins, one of them only half read: both are answered, in order,
 * and the last says that the connection ends. */
static void test_work_under_way_is_finished(void **state)
{
    struct stopping stopping = {.server = start()};
    struct client client;
    struct client idle;
    struct answer answer;
    pthread_t thread;
    (void)state;
    client_open(&idle, stopping.server);
    client_open(&client, stopping.server);
    assert_true(client_send(&client, "GET /held HTTP/1.1\r\nHost: x\r\n\r\n"
                                     "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab"));
    assert_true(fixture_until(holds_one, NULL));
    assert_int_equal(pthread_create(&thread, NULL, stop_main, &stopping), 0);
    assert_true(client_at_end(&idle)); /* the drain has begun */
    assert_false(atomic_load(&stopping.done));
    assert_true(refused(fixture_port(stopping.server)));
    assert_true(client_send(&client, "cd"));
    loop_post(late.loop, release, NULL);
    assert_true(client_answer(&client, &answer));
    assert_string_equal(buf_str(&answer.body), "GET /held?\n");
    answer_fini(&answer);
    assert_true(client_answer(&client, &answer));
    assert_string_equal(buf_str(&answer.body), "POST /now?\nabcd");
    assert_string_equal(answer_field(&answer, "Connection"), "close");
    answer_fini(&answer);
    assert_true(client_at_end(&client));
    pthread_join(thread, NULL);
    assert_int_equal(stopping.cut, 0);
    client_close(&client);
    client_close(&idle);
    http_server_free(stopping.server);
}

static void test_late_work_is_cut(void **state)
{
    struct http_server *server = start();
    struct client client;
    (void)state;
    client_open(&client, server);
    assert_true(client_send(&client, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n"));
    while (atomic_load(&late.count) < 2) {
        assert_true(fixture_until(holds_one, NULL));
    }
    assert_int_equal(http_server_stop(server, 20), 2);
    assert_int_equal(http_server_stop(server, 20), 2);
    assert_false(client_more(&client));
    client_close(&client);
    http_server_free(server);
}

static void test_never_started(void **state)
{
    struct http_config config;
    (void)state;
    http_config_default(&config);
    config.on_request = hold;
    struct http_server *server = http_server_new(&config);
    assert_int_equal(http_server_listen(server, "127.0.0.1:0"), ERR_OK);
    assert_int_equal(http_server_stop(server, 0), 0);
    http_server_free(server);
    http_server_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_connections_close_at_once),
        cmocka_unit_test(test_work_under_way_is_finished),
        cmocka_unit_test(test_late_work_is_cut),
        cmocka_unit_test(test_never_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
