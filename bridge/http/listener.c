/* listener.c: listening sockets and accepting.
 *
 * Thread 0 accepts for all and hands connections to the threads in turn. (One socket for each thread with
 * SO_REUSEPORT would let a second daemon of the same user take the port without an error, and spread
 * connections by hash, not by load.) Accepting rests while connections_max is reached, and for
 * HTTP_BACKOFF_MS when descriptors run out: the listening socket stays readable then, and a loop that only
 * retried would burn a core. A spare descriptor lets us take and close the client at the head of the line,
 * who learns that way that we are full. */
#include "bridge/http/http_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "queue/base/clock.h"
#include "queue/base/log.h"

#define ACCEPT_BATCH 64
#define COMPLAIN_MS  10000 /* between two log lines about the same trouble */

/* The class of a failed bind or listen. */
static enum err class_of(int errnum)
{
    switch (errnum) {
    case EADDRINUSE:
        return ERR_BUSY;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case ENOENT:
    case ENOTDIR:
        return ERR_INVALID;
    default:
        return err_from_errno(errnum);
    }
}

/* A new listener around a bound socket, in the server's list. */
static struct http_listener *listener_new(struct http_server *server, int fd)
{
    struct http_listener *listener = xcalloc(1, sizeof *listener);
    listener->server = server;
    listener->fd = fd;
    TAILQ_INSERT_TAIL(&server->listeners, listener, link);
    return listener;
}

/* Splits "HOST:PORT" or "[v6]:PORT" into host and port. */
static bool split_address(const char *address, char *host, size_t size, const char **port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strlen(colon + 1) > 5) {
        return false;
    }
    size_t len = (size_t)(colon - address);
    if (len >= 2 && address[0] == '[' && colon[-1] == ']') {
        address++;
        len -= 2;
    } else if (memchr(address, ':', len) != NULL) {
        return false;
    }
    if (len == 0 || len >= size) {
        return false;
    }
    memcpy(host, address, len);
    host[len] = '\0';
    *port = colon + 1;
    return true;
}

/* Writes the URL of the first TCP listener. */
static void note_url(struct http_server *server, int fd, const char *host)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    if (server->url[0] != '\0' || getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
        return;
    }
    bool v6 = bound.ss_family == AF_INET6;
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)(const void *)&bound;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)&bound;
    unsigned port = ntohs(v6 ? in6->sin6_port : in4->sin_port);
    bool brackets = strchr(host, ':') != NULL;
    snprintf(server->url, sizeof server->url, "%s://%s%s%s:%u", http_tls_on(server) ? "https" : "http",
             brackets ? "[" : "", host, brackets ? "]" : "", port);
}

/* Makes a TCP socket that listens; -1 with errno set. */
static int tcp_socket(const struct addrinfo *info)
{
    int on = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* Opens a TCP listener. */
static enum err open_tcp(struct http_server *server, const char *address)
{
    char host[256];
    const char *port = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *info = NULL;
    if (!split_address(address, host, sizeof host, &port) || strtol(port, NULL, 10) > 65535 ||
        getaddrinfo(host, port, &hints, &info) != 0) {
        return ERR_INVALID;
    }
    int fd = tcp_socket(info);
    int saved = errno;
    freeaddrinfo(info);
    if (fd < 0) {
        return class_of(saved);
    }
    note_url(server, fd, host);
    listener_new(server, fd);
    return ERR_OK;
}

/* True if the path is a socket file that nobody listens on: what a killed daemon leaves behind. */
static bool is_dead_socket(const struct sockaddr_un *name)
{
    struct stat st;
    if (lstat(name->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    bool dead = connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 && errno == ECONNREFUSED;
    close(fd);
    return dead;
}

/* Binds a Unix socket that only our user may use, over a dead one if there is one; -1 with errno set. */
static int unix_socket(const struct sockaddr_un *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    /* Before bind: the file is born with these bits, there is no moment at which others may connect. */
    int rc = fchmod(fd, 0600);
    rc = rc == 0 ? bind(fd, (const struct sockaddr *)name, sizeof *name) : rc;
    if (rc != 0 && errno == EADDRINUSE && is_dead_socket(name) && unlink(name->sun_path) == 0) {
        rc = bind(fd, (const struct sockaddr *)name, sizeof *name);
    } else if (rc != 0 && errno != EACCES && errno != ENOENT && errno != ENOTDIR) {
        errno = EADDRINUSE;
    }
    if (rc != 0 || chmod(name->sun_path, 0600) != 0 || listen(fd, SOMAXCONN) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* Opens a Unix listener. */
static enum err open_unix(struct http_server *server, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat st;
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof name.sun_path) {
        return ERR_INVALID;
    }
    memcpy(name.sun_path, path, len);
    int fd = unix_socket(&name);
    if (fd < 0) {
        return class_of(errno);
    }
    struct http_listener *listener = listener_new(server, fd);
    listener->is_unix = true;
    memcpy(listener->path, path, len);
    listener->inode = lstat(path, &st) == 0 ? (uint64_t)st.st_ino : 0;
    return ERR_OK;
}

/* Opens a listener for "HOST:PORT", "[v6]:PORT" or "unix:/path"; accepting begins later. */
enum err http_listener_open(struct http_server *server, const char *address)
{
    if (strncmp(address, "unix:", 5) == 0) {
        return open_unix(server, address + 5);
    }
    return open_tcp(server, address);
}

/* Closes a listener; removes its socket file if it is still ours. */
static void listener_close(struct http_listener *listener)
{
    struct stat st;
    if (listener->event != NULL) {
        event_free(listener->event);
    }
    if (listener->is_unix && lstat(listener->path, &st) == 0 && (uint64_t)st.st_ino == listener->inode) {
        unlink(listener->path);
    }
    close(listener->fd);
    TAILQ_REMOVE(&listener->server->listeners, listener, link);
    free(listener);
}

/* Stops listening for good: new clients are refused from now on. */
void http_listeners_close(struct http_server *server)
{
    loop_cancel(server->backoff);
    server->backoff = NULL;
    while (!TAILQ_EMPTY(&server->listeners)) {
        listener_close(TAILQ_FIRST(&server->listeners));
    }
}

/* The text of a peer's address. */
static void peer_text(const struct sockaddr_storage *from, char out[HTTP_PEER_SIZE])
{
    const void *address = &((const struct sockaddr_in *)(const void *)from)->sin_addr;
    if (from->ss_family == AF_INET6) {
        address = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    }
    if (inet_ntop(from->ss_family, address, out, HTTP_PEER_SIZE) == NULL) {
        memcpy(out, "?", 2);
    }
}

/* Says at most once in a while that descriptors ran out. */
static void complain(struct http_server *server, int errnum)
{
    int64_t now = clock_mono_ms();
    server->unreported++;
    if (server->complained_ms != 0 && now - server->complained_ms < COMPLAIN_MS) {
        return;
    }
    log_warn("http.accept_failed", "reason=%s times=%lu", log_quote(strerror(errnum)), server->unreported);
    server->complained_ms = now;
    server->unreported = 0;
}

/* The back-off is over. */
static void on_backoff(void *arg)
{
    struct http_server *server = arg;
    server->backoff = NULL;
    http_listeners_resume(server, HTTP_PAUSE_BACKOFF);
}

/* Turns the waiting client away by means of the spare descriptor, then rests. */
static void back_off(struct http_server *server, int listen_fd, int errnum)
{
    complain(server, errnum);
    if (server->spare_fd >= 0) {
        close(server->spare_fd);
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            close(fd);
        }
    }
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    http_listeners_pause(server, HTTP_PAUSE_BACKOFF);
    if (server->backoff == NULL) {
        server->backoff = loop_after(server->threads[0].loop, HTTP_BACKOFF_MS, on_backoff, server);
    }
}

/* True if the connection limit is reached; accepting then rests until one closes. */
static bool full(struct http_server *server)
{
    if (atomic_load(&server->connections) < server->connections_max) {
        return false;
    }
    atomic_store(&server->rests_full, true);
    if (atomic_load(&server->connections) < server->connections_max &&
        atomic_exchange(&server->rests_full, false)) {
        return false;
    }
    http_listeners_pause(server, HTTP_PAUSE_FULL);
    return true;
}

/* Accepts one connection; false when there is nothing more to accept now. */
static bool accept_one(struct http_listener *listener)
{
    struct http_server *server = listener->server;
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    struct http_guest guest = {.peer = "unix", .from_unix = listener->is_unix};
    unsigned max = server->config.connections_per_address;
    int on = 1;
    int fd = accept4(listener->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        back_off(server, listener->fd, errno);
        return false;
    }
    if (fd < 0) {
        return errno == ECONNABORTED || errno == EINTR;
    }
    if (!listener->is_unix) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        peer_text(&from, guest.peer);
    }
    if (!listener->is_unix && max > 0 && !http_forwarded_trusts(server, guest.peer)) {
        guest.address = http_address_of(&from);
        guest.counted = http_addresses_enter(server->addresses, &guest.address, max);
        if (!guest.counted) {
            close(fd);
            return true;
        }
    }
    guest.fd = fd;
    http_server_adopt(server, &guest);
    return true;
}

/* The listening socket is readable. */
static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_listener *listener = arg;
    for (int i = 0; i < ACCEPT_BATCH && !full(listener->server); i++) {
        if (!accept_one(listener)) {
            return;
        }
    }
}

/* Begins accepting on every listener. */
void http_listeners_start(struct http_server *server)
{
    struct http_listener *listener = NULL;
    struct event_base *base = loop_base(server->threads[0].loop);
    TAILQ_FOREACH(listener, &server->listeners, link)
    {
        listener->event = event_new(base, listener->fd, EV_READ | EV_PERSIST, on_acceptable, listener);
        CHECK(listener->event != NULL);
        event_add(listener->event, NULL);
    }
}

/* Stops accepting for a reason. */
void http_listeners_pause(struct http_server *server, unsigned why)
{
    struct http_listener *listener = NULL;
    server->pauses |= why;
    TAILQ_FOREACH(listener, &server->listeners, link)
    {
        if (listener->event != NULL) {
            event_del(listener->event);
        }
    }
}

/* A reason to rest is gone; accepts again if it was the last. */
void http_listeners_resume(struct http_server *server, unsigned why)
{
    struct http_listener *listener = NULL;
    server->pauses &= ~why;
    if (server->pauses != 0) {
        return;
    }
    TAILQ_FOREACH(listener, &server->listeners, link)
    {
        if (listener->event != NULL) {
            event_add(listener->event, NULL);
        }
    }
}
