/* http_fixture.h: a real server on a free loopback port and a plain client, for the tests of the HTTP front.
 *
 * The client blocks with a deadline and never sleeps. Handlers run on the server's loops: they assert
 * nothing, they answer, and the test looks at the answer. */
#ifndef CHASQUI_TEST_HTTP_FIXTURE_H
#define CHASQUI_TEST_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "bridge/http/http.h"
#include "queue/base/buf.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"

#define FIXTURE_WAIT_MS 20000
#define ANSWER_MAX      (32u * 1024u * 1024u)

struct answer {
    int status;
    char head[16384];
    struct buf body;
};

struct client {
    int fd;
    struct buf in;
    bool ended; /* the server closed in order */
    bool reset; /* the server closed with a reset */
};

/* Milliseconds of a clock that tests do not shift. */
static inline int64_t fixture_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until a condition holds; false if it never does. */
static inline bool fixture_until(bool (*condition)(void *arg), void *arg)
{
    int64_t end = fixture_now() + FIXTURE_WAIT_MS;
    while (!condition(arg)) {
        if (fixture_now() > end) {
            return false;
        }
        poll(NULL, 0, 1);
    }
    return true;
}

/* Answers with method, path, query and body, one in a line. */
static inline void fixture_echo(struct http_request *req, void *arg)
{
    struct buf text;
    size_t size = 0;
    (void)arg;
    const char *body = http_body(req, &size);
    buf_init(&text, ANSWER_MAX);
    buf_addf(&text, "%s %s?%s\n", http_method(req), http_path(req), http_query(req));
    buf_add(&text, body, size);
    http_reply(req, 200, "text/plain", buf_str(&text), text.len);
    buf_fini(&text);
}

/* A started server on a free port. */
static inline struct http_server *fixture_start(const struct http_config *config)
{
    struct http_server *server = http_server_new(config);
    assert_int_equal(http_server_listen(server, "127.0.0.1:0"), ERR_OK);
    assert_int_equal(http_server_start(server), ERR_OK);
    return server;
}

static inline void fixture_end(struct http_server *server)
{
    http_server_stop(server, 0);
    http_server_free(server);
}

static inline unsigned fixture_port(const struct http_server *server)
{
    const char *url = http_server_url(server);
    return (unsigned)strtoul(strrchr(url, ':') + 1, NULL, 10);
}

/* Connects to a port of 127.0.0.1; rcvbuf > 0 makes the client's window small. */
static inline void client_open_port(struct client *client, unsigned port, int rcvbuf)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval wait = {.tv_sec = FIXTURE_WAIT_MS / 1000};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(client, 0, sizeof *client);
    buf_init(&client->in, ANSWER_MAX);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client->fd >= 0);
    if (rcvbuf > 0) {
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    }
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&to, sizeof to), 0);
}

static inline void client_open(struct client *client, const struct http_server *server)
{
    client_open_port(client, fixture_port(server), 0);
}

static inline void client_close(struct client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
    }
    client->fd = -1;
    buf_fini(&client->in);
}

/* Sends all bytes; false if the server closed. */
static inline bool client_send_bytes(struct client *client, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n = send(client->fd, at, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static inline bool client_send(struct client *client, const char *text)
{
    return client_send_bytes(client, text, strlen(text));
}

/* Reads more; false at the end of the connection. A silent server fails the test. */
static inline bool client_more(struct client *client)
{
    char piece[65536];
    if (client->ended || client->reset) {
        return false;
    }
    ssize_t n = recv(client->fd, piece, sizeof piece, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        fail_msg("the server neither answered nor closed");
    }
    client->ended = n == 0;
    client->reset = n < 0;
    if (n > 0) {
        buf_add(&client->in, piece, (size_t)n);
    }
    return n > 0;
}

/* Waits for n bytes of input. */
static inline bool client_need(struct client *client, size_t n)
{
    while (client->in.len < n) {
        if (!client_more(client)) {
            return false;
        }
    }
    return true;
}

/* The offset behind the first needle at or after from; 0 if the connection ended before it came. */
static inline size_t client_find(struct client *client, const char *needle, size_t from)
{
    for (;;) {
        char *found = client->in.len <= from
                          ? NULL
                          : memmem(client->in.data + from, client->in.len - from, needle, strlen(needle));
        if (found != NULL) {
            return (size_t)(found - client->in.data) + strlen(needle);
        }
        if (!client_more(client)) {
            return 0;
        }
    }
}

/* Takes the chunks of a body off the input. */
static inline bool client_chunks(struct client *client, struct buf *body)
{
    for (;;) {
        size_t line = client_find(client, "\r\n", 0);
        if (line == 0) {
            return false;
        }
        size_t size = strtoul(client->in.data, NULL, 16);
        if (!client_need(client, line + size + 2)) {
            return false;
        }
        buf_add(body, client->in.data + line, size);
        buf_drop(&client->in, line + size + 2);
        if (size == 0) {
            return true;
        }
    }
}

/* The value of a field in an answer's head, or NULL; good until the next call. */
static inline const char *answer_field(const struct answer *answer, const char *name)
{
    static char value[1024];
    for (const char *line = strstr(answer->head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        size_t len = strlen(name);
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
            const char *at = line + 2 + len + 1 + strspn(line + 2 + len + 1, " ");
            snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
            return value;
        }
    }
    return NULL;
}

/* Reads one answer. is_head: no body follows whatever the fields say. False at the end of the connection. */
static inline bool client_answer_to(struct client *client, struct answer *answer, bool is_head)
{
    size_t end = client_find(client, "\r\n\r\n", 0);
    memset(answer, 0, sizeof *answer);
    buf_init(&answer->body, ANSWER_MAX);
    if (end == 0) {
        return false;
    }
    assert_true(end < sizeof answer->head);
    memcpy(answer->head, client->in.data, end);
    answer->status = (int)strtol(answer->head + 9, NULL, 10);
    buf_drop(&client->in, end);
    if (is_head || answer->status < 200 || answer->status == 204 || answer->status == 304) {
        return true;
    }
    if (answer_field(answer, "Transfer-Encoding") != NULL) {
        return client_chunks(client, &answer->body);
    }
    const char *length = answer_field(answer, "Content-Length");
    size_t size = length == NULL ? 0 : strtoul(length, NULL, 10);
    if (length == NULL) {
        while (client_more(client)) {
        }
        size = client->in.len;
    }
    if (!client_need(client, size)) {
        return false;
    }
    if (size > 0) {
        buf_add(&answer->body, client->in.data, size);
        buf_drop(&client->in, size);
    }
    return true;
}

static inline bool client_answer(struct client *client, struct answer *answer)
{
    return client_answer_to(client, answer, false);
}

static inline void answer_fini(struct answer *answer)
{
    buf_fini(&answer->body);
}

/* True if nothing but the end of the connection follows. */
static inline bool client_at_end(struct client *client)
{
    return client->in.len == 0 && !client_more(client) && client->ended;
}

#endif
