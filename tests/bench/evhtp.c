/* evhtp.c: the smallest server that libevhtp makes, for the front's benchmark: it answers 200 "ok" to
 * everything.
 *
 * usage: evhtp
 * One event loop, as the front it is compared with. Listens on a free loopback port, prints "listening on
 * URL", ends on SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>

#include <evhtp/evhtp.h>

static void on_request(evhtp_request_t *req, void *arg)
{
    (void)arg;
    evhtp_headers_add_header(req->headers_out,
                             evhtp_header_new("Content-Type", "text/plain; charset=utf-8", 0, 0));
    evbuffer_add(req->buffer_out, "ok", 2);
    evhtp_send_reply(req, EVHTP_RES_OK);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)number;
    (void)what;
    event_base_loopbreak(arg);
}

/* A listening loopback socket on a free port; -1 if there is none. */
static int listen_anywhere(unsigned *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&name, &size) != 0) {
        return -1;
    }
    *port = ntohs(name.sin_port);
    return fd;
}

int main(void)
{
    unsigned port = 0;
    struct event_base *base = event_base_new();
    evhtp_t *server = evhtp_new(base, NULL);
    int fd = listen_anywhere(&port);

    evhtp_set_gencb(server, on_request, NULL);
    evhtp_enable_flag(server, EVHTP_FLAG_ENABLE_NODELAY);
    if (fd < 0 || evhtp_accept_socket(server, fd, 1024) != 0) {
        fprintf(stderr, "evhtp: cannot listen\n");
        return 1;
    }
    struct event *stop = evsignal_new(base, SIGTERM, on_signal, base);
    event_add(stop, NULL);
    printf("listening on http://127.0.0.1:%u\n", port);
    fflush(stdout);
    event_base_dispatch(base);
    event_free(stop);
    evhtp_free(server);
    event_base_free(base);
    return 0;
}
