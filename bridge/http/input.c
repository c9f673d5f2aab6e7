/* input.c: the bytes that came and that the reader has not taken yet.
 *
 * A turn sees them in one piece. On a plain connection a read goes into a room that all connections of a
 * thread share; nearly always the reader takes everything at once, so that nothing is kept and no connection
 * that waits for its client owns a buffer. What the reader leaves is copied into the connection's own one.
 * With TLS the bufferevent reads, decrypts and keeps.
 *
 * No more than input_max is held unread: beyond it reading rests, and the client's kernel makes it wait. */
#include "bridge/http/http_int.h"

#include <errno.h>

#define INPUT_SLACK (16u * 1024u)

/* The most input that is held unread. */
size_t http_input_max(const struct http_config *config)
{
    return config->head_max + config->uri_max + INPUT_SLACK;
}

/* Begins to read a plain connection: fn runs when bytes or the end came. */
void http_input_start(struct http_conn *conn, event_callback_fn fn)
{
    struct http_input *in = &conn->input;
    buf_init(&in->held, 2 * http_input_max(&conn->thread->server->config));
    in->readable = event_new(loop_base(conn->thread->loop), bufferevent_getfd(conn->bev),
                             EV_READ | EV_PERSIST, fn, conn);
    CHECK(in->readable != NULL && event_add(in->readable, NULL) == 0);
}

void http_input_fini(struct http_conn *conn)
{
    if (conn->input.readable != NULL) {
        event_free(conn->input.readable);
    }
    buf_fini(&conn->input.held);
}

/* No more bytes will be asked for. */
void http_input_stop(struct http_conn *conn)
{
    conn->input.stopped = true;
    event_del(conn->input.readable);
}

/* Reads what has come, ready for a turn. */
enum http_read http_input_read(struct http_conn *conn)
{
    struct http_input *in = &conn->input;
    struct http_thread *thread = conn->thread;
    size_t room = http_input_max(&thread->server->config) - in->held.len;
    room = room < sizeof thread->room ? room : sizeof thread->room;
    if (room == 0) {
        return HTTP_READ_NOTHING;
    }
    ssize_t got = recv(bufferevent_getfd(conn->bev), thread->room, room, 0);
    if (got <= 0) {
        bool nothing = got < 0 && (errno == EAGAIN || errno == EINTR);
        return nothing ? HTTP_READ_NOTHING : got == 0 ? HTTP_READ_END : HTTP_READ_BROKEN;
    }
    if (in->held.len == 0) {
        in->data = thread->room;
        in->len = (size_t)got;
    } else {
        buf_add(&in->held, thread->room, (size_t)got);
        CHECK(buf_ok(&in->held));
    }
    return HTTP_READ_BYTES;
}

/* Shows a turn what is there. */
void http_input_open(struct http_conn *conn)
{
    struct http_input *in = &conn->input;
    if (conn->tls) {
        struct evbuffer *buffer = bufferevent_get_input(conn->bev);
        in->len = in->shown = evbuffer_get_length(buffer);
        in->data = in->len > 0 ? (const char *)evbuffer_pullup(buffer, -1) : NULL;
    } else if (in->data == NULL) {
        in->data = in->held.data;
        in->len = in->held.len;
    }
}

/* The reader has done with the first n bytes. */
void http_input_take(struct http_conn *conn, size_t n)
{
    CHECK(n <= conn->input.len);
    conn->input.data += n;
    conn->input.len -= n;
}

/* Keeps what a plain connection's turn has left; reading rests while that is much. */
static void keep(struct http_conn *conn)
{
    struct http_input *in = &conn->input;
    if (in->held.len > 0) {
        buf_drop(&in->held, in->held.len - in->len);
    } else {
        buf_add(&in->held, in->data, in->len);
    }
    CHECK(buf_ok(&in->held));
    if (in->held.len == 0) {
        buf_fini(&in->held);
    }
    bool full = in->held.len >= http_input_max(&conn->thread->server->config);
    if (full != in->full && !in->stopped) {
        CHECK((full ? event_del(in->readable) : event_add(in->readable, NULL)) == 0);
    }
    in->full = full;
}

/* The turn is over. */
void http_input_close(struct http_conn *conn)
{
    struct http_input *in = &conn->input;
    if (conn->tls) {
        evbuffer_drain(bufferevent_get_input(conn->bev), in->shown - in->len);
    } else if (in->len > 0 || in->held.len > 0) {
        keep(conn);
    }
    in->data = NULL;
    in->len = 0;
}
