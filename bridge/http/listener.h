/* listener.h: what the HTTP front accepts connections with; private to it: listener.c, server.c, tls.c. */
#ifndef CHASQUI_HTTP_LISTENER_H
#define CHASQUI_HTTP_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bridge/http/addresses.h"
#include "queue/base/error.h"

#define HTTP_PEER_SIZE 64

struct bufferevent;
struct event;
struct event_base;
struct http_server;
struct http_thread;

/* A connection on its way from the accepting thread to its own. */
struct http_guest {
    struct http_thread *thread;
    int fd;
    char peer[HTTP_PEER_SIZE];
    struct http_address address;
    bool counted;
    bool from_unix;
};

struct http_listener {
    struct http_server *server;
    int fd;
    bool is_unix;
    char path[108]; /* of a Unix socket */
    uint64_t inode;
    struct event *event;
    TAILQ_ENTRY(http_listener) link;
};

TAILQ_HEAD(http_listeners, http_listener);

/* Why accepting rests; it goes on when no bit is left. */
enum { HTTP_PAUSE_FULL = 1, HTTP_PAUSE_BACKOFF = 2 };

/* ---- tls.c ---- */
bool http_tls_on(struct http_server *server);
struct bufferevent *http_tls_accept(struct http_server *server, struct event_base *base, int fd);
void http_tls_goodbye(struct bufferevent *bev);
void http_tls_forget_errors(void);
void http_tls_free(struct http_server *server);

/* ---- listener.c ---- */
enum err http_listener_open(struct http_server *server, const char *address);
/* On thread 0, or when no thread runs. */
void http_listeners_close(struct http_server *server);
/* Thread 0 only. */
void http_listeners_start(struct http_server *server);
void http_listeners_pause(struct http_server *server, unsigned why);
void http_listeners_resume(struct http_server *server, unsigned why);

/* ---- server.c ---- */
void http_server_adopt(struct http_server *server, const struct http_guest *guest);
void http_server_unlive(struct http_server *server);
void http_server_closed(struct http_server *server);
/* A connection that came to nothing is forgotten. */
void http_server_turn_away(const struct http_guest *guest);

#endif
