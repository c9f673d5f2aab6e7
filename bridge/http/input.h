/* input.h: what the HTTP front reads with; private to it, see input.c.
 *
 * Thread: the connection's. A turn sees the input between open and close; reading by ourselves (start, read,
 * stop) is for plain connections. */
#ifndef CHASQUI_HTTP_INPUT_H
#define CHASQUI_HTTP_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>

#include "queue/base/buf.h"

struct http_config;
struct http_conn;

/* The bytes that came and were not taken yet. */
struct http_input {
    const char *data; /* what is left of them for this turn; NULL between turns */
    size_t len;
    size_t shown;           /* of the bufferevent's, TLS only */
    struct buf held;        /* between turns, plain connections only, as all that follows */
    struct event *readable; /* owned */
    bool full;              /* reading rests until some of it is taken */
    bool stopped;           /* nothing more comes */
};

enum http_read { HTTP_READ_BYTES, HTTP_READ_NOTHING, HTTP_READ_END, HTTP_READ_BROKEN };
size_t http_input_max(const struct http_config *config);
/* Plain connections: reading by ourselves. */
void http_input_start(struct http_conn *conn, event_callback_fn fn);
void http_input_stop(struct http_conn *conn);
enum http_read http_input_read(struct http_conn *conn);
void http_input_fini(struct http_conn *conn);
/* A turn's view of the input: shown by open, taken from its front, kept by close. */
void http_input_open(struct http_conn *conn);
void http_input_take(struct http_conn *conn, size_t n);
void http_input_close(struct http_conn *conn);

#endif
