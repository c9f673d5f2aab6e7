/* Too many connections and too few descriptors: accepting rests, nothing spins, and it goes on afterwards. */
#include "http_fixture.h"

#include <sys/resource.h>
#include <sys/wait.h>

static struct http_server *start(unsigned connections_max, unsigned threads)
{
    struct http_config config;
    http_config_default(&config);
    config.on_request = fixture_echo;
    config.connections_max = connections_max;
    config.threads = threads;
    return fixture_start(&config);
}

static bool served(struct client *client)
{
    struct answer answer;
    bool fine = client_send(client, "GET /s HTTP/1.1\r\nHost: x\r\n\r\n") && client_answer(client, &answer);
    fine = fine && answer.status == 200;
    answer_fini(&answer);
    return fine;
}

/* Beyond connections_max a client waits in the kernel's queue until another leaves. */
static void test_connections_max(void **state)
{
    (void)state;
    log_set(LOG_ERROR, LOG_KEYVALUE);
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct http_server *server = start(3, threads);
        struct client clients[4];
        struct http_stats stats;
        for (unsigned i = 0; i < 3; i++) {
            client_open(&clients[i], server);
            assert_true(served(&clients[i]));
        }
        client_open(&clients[3], server);
        assert_true(client_send(&clients[3], "GET /s HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_true(served(&clients[0])); /* the loop has gone round since */
        http_server_stats(server, &stats);
        assert_int_equal(stats.connections, 3);
        assert_int_equal(stats.accepted, 3);
        client_close(&clients[1]);
        assert_true(served(&clients[3]));
        client_close(&clients[0]);
        client_close(&clients[2]);
        client_close(&clients[3]);
        fixture_end(server);
    }
}

/* User and system time of this process in milliseconds. */
static int64_t cpu_ms(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
           (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
}

/* Connects without looking whether the connection is served; -1 if we have no descriptor ourselves. */
static int knock(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        connect(fd, (struct sockaddr *)&to, sizeof to);
    }
    return fd;
}

/* In a child of its own: the server accepts until descriptors run out (clients and server share the process's
 * limit), rests without burning the processor or filling the log, and serves again when descriptors are free.
 * Returns the step that failed, 0 if none. */
static int exhaust(void)
{
    enum { LIMIT = 64, KNOCKS = 64 };
    struct http_server *server = start(10000, 1);
    unsigned port = fixture_port(server);
    unsigned long lines = log_count(LOG_WARN);
    struct rlimit limit = {.rlim_cur = LIMIT, .rlim_max = LIMIT};
    int fds[KNOCKS];
    unsigned knocks = 0;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1;
    }
    for (int fd = knock(port); fd >= 0 && knocks < KNOCKS; fd = knock(port)) {
        fds[knocks++] = fd;
    }
    int64_t end = fixture_now() + FIXTURE_WAIT_MS;
    while (log_count(LOG_WARN) == lines) {
        if (fixture_now() > end) {
            return 2;
        }
        poll(NULL, 0, 1);
    }
    int64_t spent = cpu_ms();
    poll(NULL, 0, 1000); /* what is measured is what happens while nothing happens */
    spent = cpu_ms() - spent;
    if (spent > 300 || log_count(LOG_WARN) > lines + 2) {
        return 3;
    }
    while (knocks > 0) {
        close(fds[--knocks]);
    }
    struct client client;
    client_open_port(&client, port, 0);
    if (!served(&client)) {
        return 4;
    }
    client_close(&client);
    fixture_end(server);
    return 0;
}

static void test_descriptors_run_out(void **state)
{
    int status = 0;
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        log_set(LOG_WARN, LOG_KEYVALUE);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        _exit(exhaust());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors_run_out),
        cmocka_unit_test(test_connections_max),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
