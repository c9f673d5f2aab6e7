/* httpc_test.c: the client against a small server of our own on loopback that misbehaves on request.
 *
 * The server is one thread for each connection. The path of the request says what it does: see serve_one. The
 * client runs in the test's thread: run() turns its loop until as many transfers ended as were asked for,
 * with a deadline that ends the test instead of hanging it. */
#include <arpa/inet.h>
#include <locale.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/base/clock.h"
#include "queue/base/httpc.h"
#include "queue/base/loop.h"
#include "queue/base/netguard.h"

#define DEADLINE_MS 20000
#define ENDS_MAX    256

/* ---- the server ---- */

struct server {
    int fd;
    int port;
    pthread_t thread;
    pthread_mutex_t mutex;
    char last[8192]; /* the last request, head and body */
    atomic_int connections;
    atomic_int requests;
    atomic_int alive; /* connection threads that run */
};

struct connection {
    struct server *server;
    int fd;
    int number;
};

static void say(int fd, const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

/* Reads one request with its body; false if the client went away. */
static bool hear(struct connection *c, char *out, size_t size)
{
    size_t len = 0;
    size_t want = 0;

    while (want == 0 || len < want) {
        ssize_t n = recv(c->fd, out + len, size - 1 - len, 0);
        const char *head_end, *length;
        if (n <= 0) {
            return false;
        }
        len += (size_t)n;
        out[len] = '\0';
        head_end = strstr(out, "\r\n\r\n");
        if (head_end != NULL && want == 0) {
            length = strstr(out, "Content-Length: ");
            want = (size_t)(head_end - out) + 4;
            want += length != NULL && length < head_end ? strtoul(length + 16, NULL, 10) : 0;
        }
    }
    return true;
}

/* Waits until the client closes. */
static void await_close(int fd)
{
    char byte[64];

    while (recv(fd, byte, sizeof(byte), 0) > 0) {
    }
}

static void reset_connection(int fd)
{
    struct linger now = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* One byte each few milliseconds until the client goes. */
static void drip(int fd)
{
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (send(fd, "d", 1, MSG_NOSIGNAL) == 1) {
        usleep(5000);
    }
}

/* Answers without end. */
static void flood(int fd)
{
    static char block[16384];

    memset(block, 'f', sizeof(block) - 1);
    say(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    while (send(fd, block, sizeof(block) - 1, MSG_NOSIGNAL) > 0) {
    }
}

/* Headers without end. */
static void flood_headers(int fd)
{
    say(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 20000; i++) {
        say(fd, "X-Many: 0123456789012345678901234567890123456789\r\n");
    }
}

struct reply {
    const char *path;
    const char *text; /* NUL means: see serve_one */
    bool close;
};

static const struct reply replies[] = {
    {"/ok", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello", false},
    {"/created",
     "HTTP/1.1 201 Created\r\nX-One: a\r\nx-one:  b \r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", false},
    {"/busy", "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 4\r\n\r\nbusy", false},
    {"/away", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", false},
    {"/nobody", "HTTP/1.1 204 No Content\r\n\r\n", false},
    {"/chunks",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-A: "
     "2\r\n\r\n",
     false},
    {"/interim",
     "HTTP/1.1 103 Early\r\nX-A: early\r\n\r\nHTTP/1.1 200 OK\r\nX-B: late\r\nContent-Length: 2\r\n\r\nok",
     false},
    {"/short", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true},
    {"/garbage", "\x01\x02 this is no answer\r\n\r\n", true},
    {"/silent-close", "", true},
    {"/head", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", false},
};

/* Does what the path asks for; false when the connection is over. */
static bool serve_one(struct connection *c, const char *request)
{
    const char *path = strchr(request, ' ');
    size_t len;

    path = path != NULL ? path + 1 : "";
    len = strcspn(path, " ?");
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        if (strlen(replies[i].path) == len && memcmp(replies[i].path, path, len) == 0) {
            say(c->fd, replies[i].text);
            return !replies[i].close;
        }
    }
    if (strncmp(path, "/hang", 5) == 0) {
        await_close(c->fd);
    } else if (strncmp(path, "/stall", 6) == 0) {
        say(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        await_close(c->fd);
    } else if (strncmp(path, "/drip", 5) == 0) {
        drip(c->fd);
    } else if (strncmp(path, "/flood-headers", 14) == 0) {
        flood_headers(c->fd);
    } else if (strncmp(path, "/flood", 6) == 0) {
        flood(c->fd);
    } else if (strncmp(path, "/reset", 6) == 0) {
        reset_connection(c->fd);
    } else if (strncmp(path, "/connection", 11) == 0) {
        char text[128];
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%04d", c->number);
        say(c->fd, text);
        return true;
    }
    return false;
}

static void *connection_main(void *arg)
{
    struct connection *c = arg;
    struct server *server = c->server;
    char request[8192];

    while (hear(c, request, sizeof(request))) {
        pthread_mutex_lock(&server->mutex);
        memcpy(server->last, request, sizeof(request));
        pthread_mutex_unlock(&server->mutex);
        atomic_fetch_add(&server->requests, 1);
        if (!serve_one(c, request)) {
            break;
        }
    }
    close(c->fd);
    free(c);
    atomic_fetch_sub(&server->alive, 1);
    return NULL;
}

static void *server_main(void *arg)
{
    struct server *server = arg;
    int fd = accept(server->fd, NULL, NULL);

    while (fd >= 0) {
        struct connection *c = xcalloc(1, sizeof(*c));
        pthread_t thread;
        *c = (struct connection){.server = server, .fd = fd};
        c->number = atomic_fetch_add(&server->connections, 1);
        atomic_fetch_add(&server->alive, 1);
        pthread_create(&thread, NULL, connection_main, c);
        pthread_detach(thread);
        fd = accept(server->fd, NULL, NULL);
    }
    return NULL;
}

/* A listening socket on loopback and its port. */
static int listen_on_loopback(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 128) != 0) {
        return -1;
    }
    getsockname(fd, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    return fd;
}

/* ---- the room of a test ---- */

struct ending {
    enum httpc_outcome outcome;
    long status;
    char body[64];
    size_t body_size;
    char content_type[64];
    char retry_after[64];
    char header_a[64];   /* X-A */
    char header_b[64];   /* X-B */
    char header_one[64]; /* X-One */
    char reason[256];
    int64_t total_us;
};

struct room {
    struct server server;
    struct loop *loop;
    struct httpc *client;
    struct ending ends[ENDS_MAX];
    size_t ended;
    size_t awaited;
    bool in_send;
    size_t streamed;
    size_t stream_stop; /* on_data refuses from this many bytes on; 0: never */
    uint64_t cancel_in_stream;
    size_t send_again; /* transfers still to be sent out of done */
};

static void copy_header(const struct httpc_answer *answer, const char *name, char out[64])
{
    const char *value = httpc_answer_header(answer, name);

    snprintf(out, 64, "%s", value != NULL ? value : "(none)");
}

static void post_to(struct room *room, const char *path);

static void on_done(const struct httpc_answer *answer, void *arg)
{
    struct room *room = arg;
    struct ending *end = &room->ends[room->ended];

    CHECK(!room->in_send && room->ended < ENDS_MAX);
    room->ended++;
    end->outcome = answer->outcome;
    end->status = answer->status;
    CHECK(strlen(answer->body) <= answer->body_size);
    snprintf(end->body, sizeof(end->body), "%s", answer->body);
    end->body_size = answer->body_size;
    snprintf(end->content_type, sizeof(end->content_type), "%s", answer->content_type);
    snprintf(end->retry_after, sizeof(end->retry_after), "%s", answer->retry_after);
    snprintf(end->reason, sizeof(end->reason), "%s", answer->reason);
    copy_header(answer, "x-a", end->header_a);
    copy_header(answer, "X-B", end->header_b);
    copy_header(answer, "X-ONE", end->header_one);
    end->total_us = answer->total_us;
    if (room->send_again > 0) {
        room->send_again--;
        post_to(room, "/ok");
    }
    if (room->ended >= room->awaited && room->awaited > 0) {
        loop_stop(room->loop);
    }
}

static void on_deadline(void *arg)
{
    (void)arg;
    print_error("the transfers did not end in time\n");
    abort();
}

/* Turns the loop until so many transfers ended since the test began. */
static void run(struct room *room, size_t count)
{
    struct loop_timer *deadline = loop_after(room->loop, DEADLINE_MS, on_deadline, NULL);

    room->awaited = count;
    if (room->ended < count) {
        loop_run(room->loop);
    }
    loop_cancel(deadline);
    room->awaited = 0;
    assert_int_equal(room->ended, count);
}

static uint64_t send_request(struct room *room, const struct httpc_request *request)
{
    uint64_t number;

    room->in_send = true;
    number = httpc_send(room->client, request, on_done, room);
    room->in_send = false;
    assert_int_not_equal(number, 0);
    return number;
}

/* Sends to the server of the test; the request's url is only a path. */
static uint64_t send_to(struct room *room, struct httpc_request request)
{
    char url[256];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", room->server.port, request.url);
    request.url = url;
    request.method = request.method != NULL ? request.method : "GET";
    return send_request(room, &request);
}

/* Sends and waits for the end. */
static const struct ending *ask(struct room *room, struct httpc_request request)
{
    send_to(room, request);
    run(room, room->ended + 1);
    return &room->ends[room->ended - 1];
}

static void post_to(struct room *room, const char *path)
{
    send_to(room, (struct httpc_request){.method = "POST", .url = path, .body = "b", .body_size = 1});
}

static int set_up(void **state)
{
    struct room *room = xcalloc(1, sizeof(*room));

    *state = room;
    netguard_reset();
    netguard_allow_all(true);
    pthread_mutex_init(&room->server.mutex, NULL);
    room->server.fd = listen_on_loopback(&room->server.port);
    if (room->server.fd < 0 || pthread_create(&room->server.thread, NULL, server_main, &room->server) != 0) {
        return -1;
    }
    room->loop = loop_new("httpc-test");
    room->client = httpc_new(room->loop);
    return 0;
}

static int tear_down(void **state)
{
    struct room *room = *state;

    httpc_free(room->client);
    loop_free(room->loop);
    shutdown(room->server.fd, SHUT_RDWR);
    pthread_join(room->server.thread, NULL);
    close(room->server.fd);
    while (atomic_load(&room->server.alive) > 0) {
        usleep(1000); /* the client's sockets are closed, so each connection's thread is on its way out */
    }
    pthread_mutex_destroy(&room->server.mutex);
    netguard_reset();
    free(room);
    return 0;
}

static void assert_heard(struct room *room, const char *part, bool there)
{
    pthread_mutex_lock(&room->server.mutex);
    if ((strstr(room->server.last, part) != NULL) != there) {
        print_error("%s %s in:\n%s\n", part, there ? "is not" : "is", room->server.last);
    }
    assert_int_equal(strstr(room->server.last, part) != NULL, there);
    pthread_mutex_unlock(&room->server.mutex);
}

/* ---- the tests ---- */

static void outcomes(void **state)
{
    static const struct {
        struct httpc_request request;
        enum httpc_outcome outcome;
        long status;
        const char *body;
    } cases[] = {
        {{.url = "/ok"}, HTTPC_ANSWERED, 200, "hello"},
        {{.url = "/created", .method = "POST"}, HTTPC_ANSWERED, 201, ""},
        {{.url = "/busy"}, HTTPC_ANSWERED, 503, "busy"},
        {{.url = "/away"}, HTTPC_ANSWERED, 302, ""},
        {{.url = "/nobody", .method = "DELETE"}, HTTPC_ANSWERED, 204, ""},
        {{.url = "/chunks"}, HTTPC_ANSWERED, 200, "abcde"},
        {{.url = "/interim"}, HTTPC_ANSWERED, 200, "ok"},
        {{.url = "/head", .method = "HEAD"}, HTTPC_ANSWERED, 200, ""},
        {{.url = "/short"}, HTTPC_BROKEN, 200, "half"},
        {{.url = "/garbage"}, HTTPC_BROKEN, 0, ""},
        {{.url = "/silent-close", .method = "POST"}, HTTPC_BROKEN, 0, ""},
        {{.url = "/reset", .method = "POST"}, HTTPC_BROKEN, 0, ""},
        {{.url = "/hang", .total_ms = 100}, HTTPC_TIMEOUT, 0, ""},
        {{.url = "/hang", .silence_ms = 50}, HTTPC_TIMEOUT, 0, ""},
        {{.url = "/stall", .silence_ms = 50}, HTTPC_TIMEOUT, 200, "half"},
        {{.url = "/drip", .silence_ms = 5000, .total_ms = 100}, HTTPC_TIMEOUT, 200, NULL},
        {{.url = "/ok", .max_answer = 5}, HTTPC_ANSWERED, 200, "hello"},
        {{.url = "/ok", .max_answer = 4}, HTTPC_TOO_LARGE, 200, NULL},
        {{.url = "/flood"}, HTTPC_TOO_LARGE, 200, NULL},
        {{.url = "/flood-headers"}, HTTPC_TOO_LARGE, 200, NULL},
    };
    struct room *room = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct ending *end = ask(room, cases[i].request);
        print_message("  %s: %s, %ld, %s\n", cases[i].request.url, httpc_outcome_name(end->outcome),
                      end->status, end->reason);
        assert_int_equal(end->outcome, cases[i].outcome);
        assert_int_equal(end->status, cases[i].status);
        assert_int_equal(end->reason[0] == '\0', end->outcome == HTTPC_ANSWERED);
        assert_true(end->body_size <= (1 << 20));
        if (cases[i].body != NULL) {
            assert_string_equal(end->body, cases[i].body);
            assert_int_equal(end->body_size, strlen(cases[i].body));
        }
        assert_int_equal(httpc_in_flight(room->client), 0);
    }
}

static void answer_headers(void **state)
{
    struct room *room = *state;
    const struct ending *end = ask(room, (struct httpc_request){.url = "/ok"});

    assert_string_equal(end->content_type, "text/plain");
    assert_string_equal(end->retry_after, "");
    assert_string_equal(end->header_a, "(none)");
    assert_true(end->total_us > 0);
    end = ask(room, (struct httpc_request){.url = "/created"});
    assert_string_equal(end->retry_after, "7");
    assert_string_equal(end->content_type, "");
    assert_string_equal(end->header_one, "b");
    end = ask(room, (struct httpc_request){.url = "/interim"});
    assert_string_equal(end->header_a, "(none)");
    assert_string_equal(end->header_b, "late");
    end = ask(room, (struct httpc_request){.url = "/chunks"});
    assert_string_equal(end->header_a, "1");
}

static void what_is_sent(void **state)
{
    static const char *const headers[] = {"X-Mine: yes", "Content-Type: application/json", "X-Empty:"};
    static const char *const agent[] = {"User-Agent: Other/1"};
    struct room *room = *state;
    char body[] = "{\"a\":1}";
    uint64_t number;

    number = send_to(room, (struct httpc_request){.method = "POST",
                                                  .url = "/ok?q=1",
                                                  .headers = headers,
                                                  .header_count = 3,
                                                  .body = body,
                                                  .body_size = strlen(body)});
    memset(body, '!', sizeof(body)); /* it was copied */
    run(room, 1);
    assert_true(number > 0);
    assert_heard(room, "POST /ok?q=1 HTTP/1.1\r\n", true);
    assert_heard(room, "\r\nX-Mine: yes\r\n", true);
    assert_heard(room, "\r\nX-Empty:\r\n", true);
    assert_heard(room, "\r\nContent-Type: application/json\r\n", true);
    assert_heard(room, "\r\nUser-Agent: Chasqui/" CHASQUI_VERSION "\r\n", true);
    assert_heard(room, "\r\nContent-Length: 7\r\n", true);
    assert_heard(room, "\r\n\r\n{\"a\":1}", true);
    assert_heard(room, "Expect:", false);
    assert_heard(room, "Cookie:", false);

    ask(room, (struct httpc_request){.url = "/ok", .method = "PUT", .headers = agent, .header_count = 1});
    assert_heard(room, "PUT /ok HTTP/1.1\r\n", true);
    assert_heard(room, "User-Agent: Other/1\r\n", true);
    assert_heard(room, "Chasqui/", false);
    assert_heard(room, "Content-Type:", false);
    assert_heard(room, "Content-Length: 0\r\n", true);
    ask(room, (struct httpc_request){.url = "/ok", .method = "GET"});
    assert_heard(room, "GET /ok HTTP/1.1\r\n", true);
    assert_heard(room, "Content-Length:", false);
    ask(room, (struct httpc_request){.url = "/ok", .method = "DELETE", .body = "x", .body_size = 1});
    assert_heard(room, "DELETE /ok HTTP/1.1\r\n", true);
    assert_heard(room, "Content-Length: 1\r\n", true);
}

/* The environment must not lead us to a proxy. */
static void no_proxy_from_the_environment(void **state)
{
    struct room *room = *state;

    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("all_proxy", "http://127.0.0.1:1/", 1);
    assert_int_equal(ask(room, (struct httpc_request){.url = "/ok"})->outcome, HTTPC_ANSWERED);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

static void urls_and_headers_we_refuse(void **state)
{
    static const char *const urls[] = {
        "",
        "/ok",
        "127.0.0.1/ok",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "dict://127.0.0.1/",
        "ldap://127.0.0.1/",
        "ws://127.0.0.1/",
        "javascript:alert(1)",
        "http://",
        "http:///x",
        "http:/127.0.0.1/",
        "http:127.0.0.1",
        "http:\\\\127.0.0.1/",
        "http://@127.0.0.1/",
        "http://127.0.0.1:80@127.0.0.1/",
        "http://user@127.0.0.1/",
        "http://user:pass@127.0.0.1/",
        "http://:pass@127.0.0.1/",
        "http://127.0.0.1 /",
        "http://127.0.0.1/\r\nX: y",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://[::1/",
    };
    static const char *const headers[] = {
        "X: a\r\nY: b",
        "X: a\nY: b",
        "no colon",
        "Content-Length : 3",
        "Transfer-Encoding\t: chunked",
        " X: folded",
        "X: \x01",
        "X\x7f: a",
        ": no name",
        "Content-Length: 3",
        "transfer-encoding: chunked",
    };
    static const char *const methods[] = {"", "get", "GET /x", "GET\r\n", "AVERYLONGMETHODNAME"};
    struct room *room = *state;
    size_t want = 0;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct httpc_request request = {.method = "GET", .url = urls[i], .trusted = true};
        send_request(room, &request);
        run(room, ++want);
        print_message("  %s: %s\n", urls[i], room->ends[want - 1].reason);
        assert_int_equal(room->ends[want - 1].outcome, HTTPC_BLOCKED);
    }
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        ask(room, (struct httpc_request){.url = "/ok", .headers = &headers[i], .header_count = 1});
        assert_int_equal(room->ends[want++].outcome, HTTPC_BLOCKED);
    }
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        ask(room, (struct httpc_request){.url = "/ok", .method = methods[i]});
        assert_int_equal(room->ends[want++].outcome, HTTPC_BLOCKED);
    }
    assert_int_equal(atomic_load(&room->server.connections), 0);
}

/* Every way to write loopback that libcurl understands is stopped at the socket; none reaches the server. */
static void spellings_of_loopback_are_blocked(void **state)
{
    enum { NUMERIC = 16 }; /* so many are numbers to any resolver, the rest are names to some */
    static const char *const hosts[] = {
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1]",
        "[::]",
        "[::127.0.0.1]",
        "127.255.255.254",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1.",
        "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1",          /* full-width digits */
        "127\xe3\x80\x82\x30\xe3\x80\x82\x30\xe3\x80\x82\x31", /* ideographic full stops */
        "\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1",          /* circled digits */
        "127%2e0%2e0%2e1",
    };
    struct room *room = *state;
    size_t want = 0;

    netguard_reset();
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        char url[256];
        struct httpc_request request = {.method = "GET", .url = url};
        snprintf(url, sizeof(url), "http://%s:%d/ok", hosts[i], room->server.port);
        send_request(room, &request);
        run(room, ++want);
        print_message("  %s: %s, %s\n", hosts[i], httpc_outcome_name(room->ends[want - 1].outcome),
                      room->ends[want - 1].reason);
        /* Where the resolver knows no such name nothing is reached either. */
        assert_true(room->ends[want - 1].outcome == HTTPC_BLOCKED ||
                    (room->ends[want - 1].outcome == HTTPC_UNREACHED && i >= NUMERIC));
        assert_int_equal(room->ends[want - 1].status, 0);
    }
    assert_int_equal(atomic_load(&room->server.connections), 0);
}

static void trust_skips_the_guard_and_shares_nothing(void **state)
{
    struct room *room = *state;

    netguard_reset();
    assert_int_equal(ask(room, (struct httpc_request){.url = "/connection", .trusted = true})->outcome,
                     HTTPC_ANSWERED);
    /* The kept connection of the trusted transfer is no way around the guard. */
    assert_int_equal(ask(room, (struct httpc_request){.url = "/connection"})->outcome, HTTPC_BLOCKED);
    assert_int_equal(netguard_allow("127.0.0.1"), ERR_OK);
    assert_string_equal(ask(room, (struct httpc_request){.url = "/connection"})->body, "0001");
    assert_string_equal(ask(room, (struct httpc_request){.url = "/connection", .trusted = true})->body,
                        "0000");
}

static void connections_are_shared_inside_a_pool_only(void **state)
{
    static const struct {
        const char *pool;
        const char *connection;
    } cases[] = {
        {"acc_a", "0000"}, {"acc_a", "0000"}, {"acc_b", "0001"}, {"acc_a", "0000"},
        {NULL, "0002"},    {"acc_b", "0001"}, {"", "0003"},      {NULL, "0002"},
    };
    struct room *room = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct ending *end =
            ask(room, (struct httpc_request){.url = "/connection", .pool = cases[i].pool});
        assert_string_equal(end->body, cases[i].connection);
    }
}

static void unreached(void **state)
{
    struct room *room = *state;
    struct httpc_request request = {.method = "POST", .body = "x", .body_size = 1, .connect_ms = 300};
    char url[128];
    int port = 0;
    int fd = listen_on_loopback(&port);

    /* Nobody listens. */
    close(fd);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
    request.url = url;
    send_request(room, &request);
    run(room, 1);
    assert_int_equal(room->ends[0].outcome, HTTPC_UNREACHED);

    /* A name that cannot be (RFC 6761). */
    request.url = "http://nowhere.invalid/";
    send_request(room, &request);
    run(room, 2);
    assert_int_equal(room->ends[1].outcome, HTTPC_UNREACHED);

    /* TLS to a listener that accepts and says nothing. */
    fd = listen_on_loopback(&port);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/", port);
    request.url = url;
    send_request(room, &request);
    run(room, 3);
    close(fd);
    assert_int_equal(room->ends[2].outcome, HTTPC_UNREACHED);

    /* TLS to a server that speaks something else. */
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/", room->server.port);
    send_request(room, &request);
    run(room, 4);
    assert_int_equal(room->ends[3].outcome, HTTPC_UNREACHED);
    for (size_t i = 0; i < 4; i++) {
        print_message("  %s\n", room->ends[i].reason);
        assert_int_not_equal(room->ends[i].reason[0], '\0');
    }
}

/* A kept connection that the other side has used up: the request was sent once and must not go out again. */
static void a_post_is_not_repeated_behind_our_back(void **state)
{
    struct room *room = *state;
    int before;

    ask(room, (struct httpc_request){.url = "/ok"});
    before = atomic_load(&room->server.requests);
    assert_int_equal(
        ask(room,
            (struct httpc_request){.url = "/silent-close", .method = "POST", .body = "b", .body_size = 1})
            ->outcome,
        HTTPC_BROKEN);
    assert_int_equal(atomic_load(&room->server.requests), before + 1);
    ask(room, (struct httpc_request){.url = "/ok"});
    before = atomic_load(&room->server.requests);
    assert_int_equal(ask(room, (struct httpc_request){.url = "/reset", .method = "POST"})->outcome,
                     HTTPC_BROKEN);
    assert_int_equal(atomic_load(&room->server.requests), before + 1);
}

/* The same handle serves the next POST to the same URL: nothing of the one before may stay. */
static void a_post_leaves_nothing_to_the_next(void **state)
{
    static const char *const first[] = {"X-First: 1", "User-Agent: Other/1"}, *const forged[] = {
                                                                                  "X: a\nY: b"};
    struct room *room = *state;

    for (int round = 0; round < 2; round++) {
        ask(room, (struct httpc_request){.method = "POST",
                                         .url = "/created",
                                         .headers = first,
                                         .header_count = 2,
                                         .body = "longer body",
                                         .body_size = 11,
                                         .max_answer = 1000});
        assert_heard(room, "\r\nX-First: 1\r\n", true);
        assert_heard(room, "\r\n\r\nlonger body", true);
        const struct ending *end = ask(
            room, (struct httpc_request){.method = "POST", .url = "/created", .body = "b", .body_size = 1});
        assert_int_equal(end->status, 201);
        assert_heard(room, "X-First", false);
        assert_heard(room, "User-Agent: Chasqui/" CHASQUI_VERSION "\r\n", true);
        assert_heard(room, "\r\nContent-Length: 1\r\n", true);
        end = ask(room, (struct httpc_request){
                            .method = "POST", .url = "/created", .headers = forged, .header_count = 1});
        assert_int_equal(end->outcome, HTTPC_BLOCKED);
        assert_int_equal(end->status, 0); /* and not that of the transfer before */
        assert_int_equal(ask(room, (struct httpc_request){.url = "/created"})->status, 201);
        assert_heard(room, "GET /created HTTP/1.1\r\n", true);
        assert_heard(room, "Content-Length:", false);
    }
}

static bool on_stream(const char *data, size_t size, long status, void *arg)
{
    struct room *room = arg;

    CHECK(data != NULL && status == 200);
    room->streamed += size;
    if (room->cancel_in_stream != 0) {
        httpc_cancel(room->client, room->cancel_in_stream);
        httpc_cancel(room->client, room->cancel_in_stream);
        post_to(room, "/ok");
        room->cancel_in_stream = 0;
    }
    return room->stream_stop == 0 || room->streamed < room->stream_stop;
}

static void streams(void **state)
{
    struct room *room = *state;
    const struct ending *end = ask(room, (struct httpc_request){.url = "/chunks", .on_data = on_stream});

    assert_int_equal(end->outcome, HTTPC_ANSWERED);
    assert_int_equal(room->streamed, 5);
    assert_string_equal(end->body, "");
    room->streamed = 0;
    end = ask(room, (struct httpc_request){.url = "/flood", .on_data = on_stream, .max_answer = 100000});
    assert_int_equal(end->outcome, HTTPC_TOO_LARGE);
    assert_true(room->streamed <= 100000);
    room->streamed = 0;
    room->stream_stop = 10;
    end = ask(room, (struct httpc_request){.url = "/drip", .on_data = on_stream});
    assert_int_equal(end->outcome, HTTPC_CANCELLED);
    assert_true(room->streamed >= 10);
}

/* Cancelling, twice, and sending out of a callback that runs inside libcurl. */
static void cancel_and_send_inside_a_stream(void **state)
{
    struct room *room = *state;

    room->cancel_in_stream = send_to(room, (struct httpc_request){.url = "/drip", .on_data = on_stream});
    run(room, 2);
    assert_int_equal(room->ends[0].outcome + room->ends[1].outcome, HTTPC_CANCELLED + HTTPC_ANSWERED);
    assert_int_equal(httpc_in_flight(room->client), 0);
}

static void cancel_by_number(void **state)
{
    struct room *room = *state;
    uint64_t early = send_to(room, (struct httpc_request){.url = "/ok"});
    uint64_t other = send_to(room, (struct httpc_request){.url = "/ok"});

    assert_int_not_equal(early, other);
    assert_int_equal(httpc_in_flight(room->client), 2);
    httpc_cancel(room->client, early);
    httpc_cancel(room->client, early);
    httpc_cancel(room->client, 0);
    httpc_cancel(room->client, 999);
    assert_int_equal(room->ended, 0); /* never inside the call */
    run(room, 2);
    assert_int_equal(room->ends[0].outcome, HTTPC_CANCELLED);
    assert_int_equal(room->ends[1].outcome, HTTPC_ANSWERED);
    httpc_cancel(room->client, early);
    httpc_cancel(room->client, other);
    ask(room, (struct httpc_request){.url = "/ok"});
    assert_int_equal(room->ended, 3);
}

struct cancel_later {
    struct room *room;
    uint64_t number;
};

static void cancel_now(void *arg)
{
    struct cancel_later *later = arg;

    if (atomic_load(&later->room->server.requests) == 0) {
        loop_after(later->room->loop, 1, cancel_now, later);
        return;
    }
    httpc_cancel(later->room->client, later->number);
}

static void cancel_under_way(void **state)
{
    struct room *room = *state;
    struct cancel_later later = {.room = room};

    later.number = send_to(room, (struct httpc_request){.url = "/hang"});
    cancel_now(&later);
    run(room, 1);
    assert_int_equal(room->ends[0].outcome, HTTPC_CANCELLED);
}

static void freeing_cancels_the_rest(void **state)
{
    struct room *room = *state;

    for (int i = 0; i < 5; i++) {
        send_to(room, (struct httpc_request){
                          .url = "/hang", .pool = i % 2 == 0 ? "even" : "odd", .silence_ms = 9000});
    }
    ask(room, (struct httpc_request){.url = "/ok"});
    assert_int_equal(room->ends[0].outcome, HTTPC_ANSWERED);
    send_to(room, (struct httpc_request){.url = "/ok"});
    httpc_free(room->client);
    room->client = NULL;
    assert_int_equal(room->ended, 7);
    for (int i = 1; i < 7; i++) {
        assert_int_equal(room->ends[i].outcome, HTTPC_CANCELLED);
    }
    httpc_free(NULL);
}

static void sending_inside_done(void **state)
{
    struct room *room = *state;

    room->send_again = 10;
    post_to(room, "/ok");
    run(room, 11);
    for (size_t i = 0; i < 11; i++) {
        assert_int_equal(room->ends[i].outcome, HTTPC_ANSWERED);
    }
}

/* More than one slice at once; one that hangs does not hold up the others. */
static void a_burst(void **state)
{
    struct room *room = *state;

    send_to(room, (struct httpc_request){.url = "/hang", .total_ms = 15000});
    for (size_t i = 0; i < 200; i++) {
        post_to(room, "/ok");
    }
    run(room, 200);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(room->ends[i].outcome, HTTPC_ANSWERED);
    }
    assert_int_equal(httpc_in_flight(room->client), 1);
}

static void outcomes_have_names(void **state)
{
    (void)state;
    assert_string_equal(httpc_outcome_name(HTTPC_ANSWERED), "answered");
    assert_string_equal(httpc_outcome_name(HTTPC_CANCELLED), "cancelled");
    assert_string_equal(httpc_outcome_name((enum httpc_outcome)99), "unknown");
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(outcomes),
        IN_ROOM(answer_headers),
        IN_ROOM(what_is_sent),
        IN_ROOM(no_proxy_from_the_environment),
        IN_ROOM(urls_and_headers_we_refuse),
        IN_ROOM(spellings_of_loopback_are_blocked),
        IN_ROOM(trust_skips_the_guard_and_shares_nothing),
        IN_ROOM(connections_are_shared_inside_a_pool_only),
        IN_ROOM(unreached),
        IN_ROOM(a_post_is_not_repeated_behind_our_back),
        IN_ROOM(a_post_leaves_nothing_to_the_next),
        IN_ROOM(streams),
        IN_ROOM(cancel_and_send_inside_a_stream),
        IN_ROOM(cancel_by_number),
        IN_ROOM(cancel_under_way),
        IN_ROOM(freeing_cancels_the_rest),
        IN_ROOM(sending_inside_done),
        IN_ROOM(a_burst),
        cmocka_unit_test(outcomes_have_names),
    };

    setlocale(LC_ALL, "C.UTF-8"); /* without it libcurl does not fold international host names */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
