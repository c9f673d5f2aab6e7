/* turn_peer.h: what stands around the daemon in the turn benchmark: a model and a platform that answer at
 * once, and, for the floor, a process that does the daemon's way without its work.
 *
 * All on one libevent base, without threads; loopback only. Messages are HTTP/1.1 with Content-Length. */
#ifndef CHASQUI_BENCH_TURN_PEER_H
#define CHASQUI_BENCH_TURN_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bufferevent;
struct event_base;
struct evbuffer;

/* A whole message at the front of an input. */
struct peer_message {
    const char *head, *body; /* good until it is drained */
    size_t head_size, body_size;
};

/* True if a whole message is there; peer_drain takes it away. */
bool peer_message(struct evbuffer *in, struct peer_message *out);
void peer_drain(struct evbuffer *in, const struct peer_message *message);

/* Model and platform on a free port. on_call: the platform was asked to send text to this customer (the seven
 * digits behind "1555"), the moment that its call was there as a whole. */
typedef void (*peer_call_fn)(unsigned customer, void *arg);
struct evconnlistener *peer_listen(struct event_base *base, peer_call_fn on_call, void *arg);
unsigned peer_port(struct evconnlistener *listener);

/* A connection to a loopback port. */
struct bufferevent *peer_dial(struct event_base *base, unsigned port);

/* Forks a process that listens on a port and, for each post: answers 200, asks the model at upstream, then
 * calls the platform there. *pid is its number, to be killed. Returns its port. */
unsigned peer_bare(unsigned upstream, int *pid);

#endif
