/* turn_peer.c: the model, the platform, and the bare way between them. */
#include "tests/bench/turn_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "queue/base/error.h"

#define COUNTRY "1555" /* of the customers that load_payload makes */

static const char model_answer[] =
    "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"fast\",\"created\":1,\"choices\":[{\"index\":0,"
    "\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":\"Yes, on Saturdays, for "
    "five "
    "euros.\"}}],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}";

struct server {
    peer_call_fn on_call;
    void *arg;
    uint64_t calls;
};

/* The Content-Length of a head that ends with an empty line. */
static size_t length_of(const char *head, size_t size)
{
    static const char name[] = "content-length:";

    for (const char *at = memchr(head, '\n', size); at != NULL;) {
        size_t left = size - (size_t)(at + 1 - head);
        if (left >= sizeof name && strncasecmp(at + 1, name, sizeof name - 1) == 0) {
            return strtoul(at + sizeof name, NULL, 10);
        }
        at = memchr(at + 1, '\n', left);
    }
    return 0;
}

bool peer_message(struct evbuffer *in, struct peer_message *out)
{
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);

    if (end.pos < 0) {
        return false;
    }
    out->head_size = (size_t)end.pos + 4;
    out->head = (const char *)evbuffer_pullup(in, (ev_ssize_t)out->head_size);
    out->body_size = length_of(out->head, out->head_size);
    if (evbuffer_get_length(in) < out->head_size + out->body_size) {
        return false;
    }
    out->head = (const char *)evbuffer_pullup(in, (ev_ssize_t)(out->head_size + out->body_size));
    out->body = out->head + out->head_size;
    return true;
}

void peer_drain(struct evbuffer *in, const struct peer_message *message)
{
    evbuffer_drain(in, message->head_size + message->body_size);
}

static void answer(struct bufferevent *to, const char *body, size_t size)
{
    evbuffer_add_printf(
        bufferevent_get_output(to),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%.*s", size,
        (int)size, body);
}

/* The platform: tells whom it was called for, and takes the message. */
static void take_call(struct server *server, struct bufferevent *from, const struct peer_message *message)
{
    static const char to[] = "\"to\":\"";
    const char *at = memmem(message->body, message->body_size, to, sizeof to - 1);
    char body[160];

    if (at != NULL && memmem(message->body, message->body_size, "\"text\"", 6) != NULL) {
        at += sizeof to - 1;
        at += *at == '+';
        CHECK(strncmp(at, COUNTRY, sizeof COUNTRY - 1) == 0);
        server->on_call((unsigned)strtoul(at + sizeof COUNTRY - 1, NULL, 10), server->arg);
    }
    int size = snprintf(body, sizeof body,
                        "{\"messaging_product\":\"whatsapp\",\"messages\":[{\"id\":\"wamid.OUT%llu\"}]}",
                        (unsigned long long)++server->calls);
    answer(from, body, (size_t)size);
}

static void server_read(struct bufferevent *from, void *arg)
{
    struct server *server = arg;
    struct evbuffer *in = bufferevent_get_input(from);
    struct peer_message message;

    while (peer_message(in, &message)) {
        if (memmem(message.head, message.head_size, "/chat/completions", 17) != NULL) {
            answer(from, model_answer, sizeof model_answer - 1);
        } else {
            take_call(server, from, &message);
        }
        peer_drain(in, &message);
    }
}

static void gone(struct bufferevent *connection, short what, void *arg)
{
    (void)what;
    (void)arg;
    bufferevent_free(connection);
}

static void quick(evutil_socket_t fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void server_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                          int size, void *arg)
{
    struct bufferevent *connection =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);

    (void)from;
    (void)size;
    CHECK(connection != NULL);
    quick(fd);
    bufferevent_setcb(connection, server_read, NULL, gone, arg);
    bufferevent_enable(connection, EV_READ | EV_WRITE);
}

static struct evconnlistener *listen_on(struct event_base *base, evconnlistener_cb accept, void *arg)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct evconnlistener *listener = evconnlistener_new_bind(base, accept, arg, LEV_OPT_CLOSE_ON_FREE, 1024,
                                                              (const struct sockaddr *)&at, sizeof at);

    CHECK(listener != NULL);
    return listener;
}

struct evconnlistener *peer_listen(struct event_base *base, peer_call_fn on_call, void *arg)
{
    static struct server server; /* one for the program's life */

    server = (struct server){.on_call = on_call, .arg = arg};
    return listen_on(base, server_accept, &server);
}

unsigned peer_port(struct evconnlistener *listener)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;

    CHECK(getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&at, &size) == 0);
    return ntohs(at.sin_port);
}

struct bufferevent *peer_dial(struct event_base *base, unsigned port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    quick(fd);
    evutil_make_socket_nonblocking(fd);
    struct bufferevent *connection = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    CHECK(connection != NULL);
    return connection;
}

/* ---- the bare way ---- */

/* One customer's connection and the two upstream that belong to it. */
struct way {
    struct bufferevent *client, *model, *platform;
    char sender[16];
};

/* The way's customer: what stands behind "from". */
static void note_sender(struct way *way, const struct peer_message *message)
{
    static const char from[] = "\"from\":\"";
    const char *at = memmem(message->body, message->body_size, from, sizeof from - 1);

    CHECK(at != NULL);
    snprintf(way->sender, sizeof way->sender, "%.11s", at + sizeof from - 1);
}

static void ask(struct bufferevent *to, const char *path, const char *body)
{
    evbuffer_add_printf(bufferevent_get_output(to),
                        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        path, strlen(body), body);
}

static void client_read(struct bufferevent *from, void *arg)
{
    struct way *way = arg;
    struct peer_message message;

    if (peer_message(bufferevent_get_input(from), &message)) {
        note_sender(way, &message);
        peer_drain(bufferevent_get_input(from), &message);
        answer(from, "ok", 2);
        ask(way->model, "/v1/chat/completions", "{\"model\":\"fast\",\"messages\":[]}");
    }
}

static void model_read(struct bufferevent *from, void *arg)
{
    struct way *way = arg;
    struct peer_message message;
    char body[160];

    if (peer_message(bufferevent_get_input(from), &message)) {
        peer_drain(bufferevent_get_input(from), &message);
        snprintf(body, sizeof body, "{\"to\":\"%s\",\"type\":\"text\",\"text\":{\"body\":\"Yes.\"}}",
                 way->sender);
        ask(way->platform, "/v23.0/1/messages", body);
    }
}

static void platform_read(struct bufferevent *from, void *arg)
{
    struct peer_message message;

    (void)arg;
    if (peer_message(bufferevent_get_input(from), &message)) {
        peer_drain(bufferevent_get_input(from), &message);
    }
}

/* The customer is gone, and with him what was made for him. */
static void way_gone(struct bufferevent *connection, short what, void *arg)
{
    struct way *way = arg;

    (void)connection;
    (void)what;
    bufferevent_free(way->client);
    bufferevent_free(way->model);
    bufferevent_free(way->platform);
    free(way);
}

static void way_open(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int size,
                     void *arg)
{
    struct event_base *base = evconnlistener_get_base(listener);
    struct way *way = xcalloc(1, sizeof *way);
    unsigned upstream = *(const unsigned *)arg;

    (void)from;
    (void)size;
    quick(fd);
    way->client = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    way->model = peer_dial(base, upstream);
    way->platform = peer_dial(base, upstream);
    bufferevent_setcb(way->client, client_read, NULL, way_gone, way);
    bufferevent_setcb(way->model, model_read, NULL, way_gone, way);
    bufferevent_setcb(way->platform, platform_read, NULL, way_gone, way);
    bufferevent_enable(way->client, EV_READ | EV_WRITE);
    bufferevent_enable(way->model, EV_READ | EV_WRITE);
    bufferevent_enable(way->platform, EV_READ | EV_WRITE);
}

unsigned peer_bare(unsigned upstream, int *pid)
{
    int ends[2];
    unsigned port = 0;

    CHECK(pipe(ends) == 0);
    *pid = fork();
    CHECK(*pid >= 0);
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct event_base *base = event_base_new();
        port = peer_port(listen_on(base, way_open, &upstream));
        CHECK(write(ends[1], &port, sizeof port) == sizeof port);
        event_base_dispatch(base);
        _exit(0);
    }
    CHECK(read(ends[0], &port, sizeof port) == sizeof port);
    close(ends[0]);
    close(ends[1]);
    return port;
}
