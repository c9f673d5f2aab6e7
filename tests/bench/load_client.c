/* load_client.c: the closed loop of the load generator. */
#include "tests/bench/load_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/load_payload.h"

#include "queue/base/clock.h"

#define ANSWER_MAX  16384
#define EVENTS_MAX  512
#define PATIENCE_US 10000000 /* for the answers still due at the end */

struct conn {
    int fd; /* -1: gave up */
    bool waiting;
    bool writing; /* the socket did not take the whole request yet */
    int64_t sent_at;
    char *out;
    size_t written;
    char in[ANSWER_MAX];
    size_t in_len;
};

struct load {
    const struct load_options *options;
    struct payload *payload;
    struct load_result *result;
    struct conn *conns;
    int epoll;
    uint64_t sent;
    unsigned waiting; /* connections with a request under way */
    int64_t begin, from, until;
    size_t latency_room;
};

/* A connected, non-blocking socket, or -1. */
static int dial(const struct load_options *options)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0) {
        return -1;
    }
    if (inet_pton(AF_INET, options->address, &to.sin_addr) != 1 ||
        connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static bool conn_open(struct load *load, struct conn *c)
{
    c->fd = dial(load->options);
    if (c->fd < 0) {
        load->result->failed_connects++;
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    CHECK(epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) == 0);
    c->in_len = 0;
    return true;
}

static void conn_close(struct load *load, struct conn *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
    if (c->waiting) {
        c->waiting = false;
        load->waiting--;
    }
}

static void conn_watch(struct load *load, struct conn *c, bool writing)
{
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0u), .data.ptr = c};

    if (c->writing != writing) {
        c->writing = writing;
        CHECK(epoll_ctl(load->epoll, EPOLL_CTL_MOD, c->fd, &event) == 0);
    }
}

/* Writes what the socket takes; a broken one is seen when it is read. */
static void conn_flush(struct load *load, struct conn *c)
{
    size_t size = payload_size(load->payload);

    while (c->written < size) {
        ssize_t n = send(c->fd, c->out + c->written, size - c->written, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            conn_watch(load, c, errno == EAGAIN);
            return;
        }
        c->written += (size_t)n;
    }
    conn_watch(load, c, false);
}

static bool may_send(const struct load *load, int64_t now)
{
    return now < load->until && (load->options->count == 0 || load->sent < load->options->count);
}

static void conn_send(struct load *load, struct conn *c)
{
    payload_next(load->payload, c->out);
    load->sent++;
    load->waiting++;
    c->waiting = true;
    c->written = 0;
    c->sent_at = clock_mono_us();
    conn_flush(load, c);
}

/* The value of a header field inside the head, NULL if absent. */
static const char *field(const char *head, const char *end, const char *name)
{
    size_t size = strlen(name);

    for (const char *at = head; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL) {
            return NULL;
        }
        at = stop + 1;
        if ((size_t)(end - at) > size && strncasecmp(at, name, size) == 0 && at[size] == ':') {
            return at + size + 1;
        }
    }
    return NULL;
}

/* Bytes of the answer at the front of in and its status; 0 while it is not all there, -1 if it is none. */
static long answer_size(struct conn *c, unsigned *status)
{
    const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);

    if (end == NULL) {
        return c->in_len == ANSWER_MAX ? -1 : 0;
    }
    const char *length = field(c->in, end + 2, "Content-Length");
    if (strncmp(c->in, "HTTP/1.1 ", 9) != 0 || length == NULL) {
        return -1;
    }
    size_t size = (size_t)(end + 4 - c->in) + strtoul(length, NULL, 10);
    *status = (unsigned)strtoul(c->in + 9, NULL, 10);
    if (size > ANSWER_MAX || *status < 100 || *status >= LOAD_STATUS_MAX) {
        return -1;
    }
    return c->in_len >= size ? (long)size : 0;
}

static void keep_latency(struct load *load, int64_t us)
{
    struct load_result *r = load->result;

    if (r->latencies == load->latency_room) {
        load->latency_room = load->latency_room > 0 ? 2 * load->latency_room : 1u << 16;
        r->latency_us = xrealloc(r->latency_us, load->latency_room * sizeof *r->latency_us);
    }
    r->latency_us[r->latencies++] = (uint32_t)us;
}

static void take_answer(struct load *load, struct conn *c, unsigned status, int64_t now)
{
    bool fine = status >= 200 && status < 300;

    c->waiting = false;
    load->waiting--;
    load->result->acked_total += fine;
    if (now < load->from || now >= load->until) {
        return;
    }
    load->result->statuses[status]++;
    if (fine) {
        load->result->acked++;
        keep_latency(load, now - c->sent_at);
    }
}

/* A connection that failed is made again, unless the server is gone. */
static void conn_again(struct load *load, struct conn *c, uint64_t *counter)
{
    (*counter)++;
    conn_close(load, c);
    if (may_send(load, clock_mono_us()) && conn_open(load, c)) {
        conn_send(load, c);
    }
}

static void conn_read(struct load *load, struct conn *c)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, ANSWER_MAX - c->in_len, MSG_DONTWAIT);
    unsigned status = 0;

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        conn_again(load, c, &load->result->closed);
        return;
    }
    c->in_len += (size_t)n;
    long size = answer_size(c, &status);
    if (size < 0 || (size > 0 && ((size_t)size != c->in_len || !c->waiting))) {
        conn_again(load, c, &load->result->malformed);
        return;
    }
    if (size > 0) {
        int64_t now = clock_mono_us();
        c->in_len = 0;
        take_answer(load, c, status, now);
        if (may_send(load, now)) {
            conn_send(load, c);
        }
    }
}

static void run_events(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(load->epoll, events, EVENTS_MAX, 100);

    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;
        if (c->fd >= 0 && (events[i].events & EPOLLOUT) != 0) {
            conn_flush(load, c);
        }
        if (c->fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT) != 0) {
            conn_read(load, c);
        }
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static unsigned open_all(struct load *load)
{
    unsigned open = 0;

    for (unsigned i = 0; i < load->options->connections; i++) {
        load->conns[i].fd = -1;
        load->conns[i].out = xmalloc(payload_size(load->payload));
        open += conn_open(load, &load->conns[i]);
    }
    return open;
}

static void drive(struct load *load)
{
    load->begin = clock_mono_us();
    load->from = load->begin + load->options->warm_us;
    load->until = load->from + load->options->window_us;
    for (unsigned i = 0; i < load->options->connections; i++) {
        if (load->conns[i].fd >= 0 && may_send(load, load->begin)) {
            conn_send(load, &load->conns[i]);
        }
    }
    int64_t last = load->begin;
    while (load->waiting > 0 && last < load->until + PATIENCE_US) {
        run_events(load);
        last = clock_mono_us();
    }
    int64_t end = last < load->until ? last : load->until;
    load->result->took_us = end > load->from ? end - load->from : 0;
    load->result->unanswered = load->waiting;
}

enum err load_run(const struct load_options *options, struct payload *payload, struct load_result *out)
{
    struct load load = {.options = options, .payload = payload, .result = out};

    memset(out, 0, sizeof *out);
    load.conns = xcalloc(options->connections, sizeof *load.conns);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(load.epoll >= 0);
    enum err rc = open_all(&load) > 0 ? ERR_OK : ERR_NETWORK;
    if (rc == ERR_OK) {
        drive(&load);
    }
    if (out->latencies > 0) {
        qsort(out->latency_us, out->latencies, sizeof *out->latency_us, by_size);
    }
    for (unsigned i = 0; i < options->connections; i++) {
        conn_close(&load, &load.conns[i]);
        free(load.conns[i].out);
    }
    close(load.epoll);
    free(load.conns);
    return rc;
}
