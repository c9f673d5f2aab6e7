/* connection.c: one client's connection, its deadlines and its end.
 *
 * All progress is made in http_conn_turn: finished answers leave in order, input is read as far as it goes,
 * then the connection is settled: closed, left lingering or given its next deadline. Turns begin in the event
 * loop only; whatever a handler does merely kicks (an event made active, which runs after the handler).
 *
 * Every connection has at most one timer, and it is lazy: a deadline that moves away leaves the timer where
 * it is, and the timer, when it fires too early, is set again. A deadline is absolute: no dripping byte moves
 * it.
 *
 * The end: after the last answer our side is shut and the client's bytes are thrown away until its own end
 * comes (at most HTTP_LINGER_MS). Closing at once would make the kernel send a reset when bytes are unread,
 * and the reset could overtake the answer. */
#include "bridge/http/http_int.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/base/clock.h"

/* What ends a wait. */
enum due { DUE_NONE, DUE_LINGER, DUE_STALL, DUE_READ, DUE_IDLE };

/* The connection behind a callback's pointer. */
static struct http_conn *conn_of(void *ptr)
{
    struct http_conn *conn = ptr;
    CHECK(conn->magic == HTTP_CONN_MAGIC);
    return conn;
}

/* Bytes waiting for the client. */
static size_t unsent(const struct http_conn *conn)
{
    return evbuffer_get_length(bufferevent_get_output(conn->bev));
}

/* Keeps the earlier of two moments; 0 is none. */
static void earlier(enum due *due, int64_t *at, enum due other, int64_t other_at)
{
    if (other_at != 0 && (*at == 0 || other_at < *at)) {
        *due = other;
        *at = other_at;
    }
}

/* The connection's next deadline. */
static enum due next_due(const struct http_conn *conn, int64_t *at)
{
    const struct http_config *config = &conn->thread->server->config;
    enum due due = DUE_NONE;
    *at = 0;
    if (conn->lingering) {
        *at = conn->linger_since + HTTP_LINGER_MS;
        return DUE_LINGER;
    }
    if (conn->stall_since != 0) {
        earlier(&due, at, DUE_STALL, conn->stall_since + config->body_ms);
    }
    earlier(&due, at, DUE_READ, http_reader_deadline(conn));
    if (due == DUE_NONE && TAILQ_EMPTY(&conn->requests)) {
        bool hurry = conn->fresh && config->head_ms < config->idle_ms;
        earlier(&due, at, DUE_IDLE, conn->idle_since + (hurry ? config->head_ms : config->idle_ms));
    }
    return due;
}

static void on_timer(void *arg);

/* Sees to it that the timer fires no later than the next deadline. */
static void rearm(struct http_conn *conn)
{
    int64_t at = 0;
    if (next_due(conn, &at) == DUE_NONE || (conn->timer != NULL && conn->timer_at <= at)) {
        return;
    }
    int64_t wait = at - clock_mono_ms();
    loop_cancel(conn->timer);
    conn->timer = loop_after(conn->thread->loop, wait > 0 ? wait : 1, on_timer, conn);
    conn->timer_at = at;
}

/* Sends a small answer of a request that has ended, at once if nothing is before it and nothing that could go
 * with it comes behind. What the socket does not take waits in the output. */
static void send_ready(struct http_conn *conn, const struct http_request *req)
{
    bool sole = !conn->tls && !conn->writing && unsent(conn) == 0 && TAILQ_EMPTY(&conn->requests) &&
                conn->input.len == 0;
    ssize_t sent = 0;
    if (sole && req->ready_size > 0) {
        sent = send(bufferevent_getfd(conn->bev), req->ready, req->ready_size, MSG_NOSIGNAL);
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done < req->ready_size) {
        evbuffer_add(bufferevent_get_output(conn->bev), req->ready + done, req->ready_size - done);
    }
}

/* Moves finished answers out in order; stops at the first that is not finished. */
static void flush(struct http_conn *conn)
{
    struct http_request *req = TAILQ_FIRST(&conn->requests);
    struct evbuffer *out = bufferevent_get_output(conn->bev);
    for (; req != NULL; req = TAILQ_FIRST(&conn->requests)) {
        if (req->out != NULL) {
            evbuffer_add_buffer(out, req->out);
            evbuffer_free(req->out);
            req->out = NULL;
        }
        if (req->expects_continue && req->phase == HTTP_READING && req->answer == HTTP_UNANSWERED) {
            static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";
            evbuffer_add(out, CONTINUE, sizeof CONTINUE - 1);
            http_reader_continue(conn);
        }
        if (req->answer == HTTP_STREAMING && http_stream_notify(req)) {
            continue;
        }
        if (req->answer != HTTP_ANSWERED) {
            return;
        }
        http_reader_abandon(conn, req);
        http_request_detach(req);
        http_request_report(req);
        send_ready(conn, req);
        http_request_free(req);
        conn->idle_since = clock_mono_ms();
    }
}

/* Shuts our side and waits for the client's end. */
static void linger(struct http_conn *conn)
{
    conn->lingering = true;
    conn->linger_since = clock_mono_ms();
    if (conn->tls) {
        http_tls_goodbye(conn->bev);
    }
    shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
    http_server_unlive(conn->thread->server);
}

/* Closes what is over; otherwise sets the next deadline. */
static void settle(struct http_conn *conn)
{
    bool quiet = TAILQ_EMPTY(&conn->requests) && unsent(conn) == 0;
    if (conn->abort || (quiet && conn->eof)) {
        http_conn_close(conn);
        return;
    }
    if (quiet && conn->closing && !conn->lingering) {
        linger(conn);
    }
    rearm(conn);
}

/* Writes what the socket takes at once. Waiting for the loop to say that it may be written would cost two
 * more system calls for each answer; that is done only for what does not fit. True if something was written.
 */
static bool push_out(struct http_conn *conn)
{
    struct evbuffer *out = bufferevent_get_output(conn->bev);
    int written = 0;
    if (conn->tls) {
        return false;
    }
    if (!conn->writing && unsent(conn) > 0) {
        evbuffer_unfreeze(out, 1); /* a bufferevent keeps its own output from strangers */
        written = evbuffer_write(out, bufferevent_getfd(conn->bev));
        evbuffer_freeze(out, 1);
    }
    bool waits = unsent(conn) > 0;
    if (waits && !conn->writing) {
        bufferevent_enable(conn->bev, EV_WRITE); /* it finds the error too if there was one */
    } else if (!waits && conn->writing) {
        bufferevent_disable(conn->bev, EV_WRITE);
    }
    conn->writing = waits;
    return written > 0;
}

/* True if less output lets something go on that had to wait for it. */
static bool goes_on(const struct http_conn *conn)
{
    const struct http_request *first = TAILQ_FIRST(&conn->requests);
    return (first != NULL && first->over_high) || conn->input.len > 0;
}

/* One turn: everything that can be done now is done. May free the connection. */
static void turn(struct http_conn *conn)
{
    CHECK(!conn->turning);
    conn->turning = true;
    http_input_open(conn);
    do {
        flush(conn);
    } while (!conn->abort && http_reader_run(conn));
    conn->turning = false;
    if (push_out(conn) && goes_on(conn)) {
        http_conn_kick(conn);
    }
    http_input_close(conn);
    settle(conn);
}

/* Does what a passed deadline asks for. */
static void on_timer(void *arg)
{
    struct http_conn *conn = conn_of(arg);
    int64_t at = 0;
    conn->timer = NULL;
    enum due due = next_due(conn, &at);
    if (due == DUE_NONE || clock_mono_ms() < at) {
        rearm(conn);
        return;
    }
    if (due == DUE_READ) {
        http_reader_timeout(conn);
        turn(conn);
        return;
    }
    http_conn_close(conn);
}

/* A handler did something. */
static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_conn *conn = conn_of(arg);
    conn->kicked = false;
    turn(conn);
}

/* Bytes came, with TLS. */
static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    turn(conn_of(arg));
}

/* The output went down to the low mark or to nothing. */
static void on_written(struct bufferevent *bev, void *arg)
{
    (void)bev;
    turn(conn_of(arg));
}

/* True if a streamed answer is not finished. */
static bool streams(const struct http_conn *conn)
{
    const struct http_request *req = NULL;
    TAILQ_FOREACH(req, &conn->requests, in_conn)
    {
        if (req->answer == HTTP_STREAMING) {
            return true;
        }
    }
    return false;
}

/* The client ended its side, or (not properly) the connection broke. A client that only shut its side still
 * gets its answers, but a stream ends: its writer must learn at once that nobody may be listening. */
static void ended(struct http_conn *conn, bool properly)
{
    conn->eof = true;
    if (!properly || streams(conn)) {
        http_conn_close(conn);
    } else {
        turn(conn);
    }
}

/* What a bufferevent tells besides bytes: with TLS all of it, of a plain connection that writing failed. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct http_conn *conn = conn_of(arg);
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        return; /* a TLS handshake is done */
    }
    if (conn->tls) {
        http_tls_forget_errors();
    }
    ended(conn, (what & BEV_EVENT_EOF) != 0);
}

/* Bytes came, or the end. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_conn *conn = conn_of(arg);
    switch (http_input_read(conn)) {
    case HTTP_READ_BYTES:
        turn(conn);
        break;
    case HTTP_READ_NOTHING:
        break;
    case HTTP_READ_END:
        http_input_stop(conn);
        ended(conn, true);
        break;
    case HTTP_READ_BROKEN:
        ended(conn, false);
        break;
    }
}

/* Follows the output to know since when the client takes nothing. */
static void on_output(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
    struct http_conn *conn = conn_of(arg);
    conn->stall_bytes += info->n_deleted;
    if (evbuffer_get_length(out) == 0) {
        conn->stall_since = 0;
        conn->stall_bytes = 0;
        return;
    }
    if (conn->stall_since == 0 || conn->stall_bytes >= HTTP_PROGRESS_MIN) {
        conn->stall_since = clock_mono_ms();
        conn->stall_bytes = 0;
    }
}

/* Begins a connection on its thread; the socket is ours from here on. */
void http_conn_new(const struct http_guest *guest)
{
    struct http_thread *thread = guest->thread;
    struct event_base *base = loop_base(thread->loop);
    bool tls = !guest->from_unix && http_tls_on(thread->server);
    struct bufferevent *bev = tls ? http_tls_accept(thread->server, base, guest->fd)
                                  : bufferevent_socket_new(base, guest->fd, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        http_server_turn_away(guest);
        return;
    }
    struct http_conn *conn = xcalloc(1, sizeof *conn);
    conn->magic = HTTP_CONN_MAGIC;
    conn->thread = thread;
    conn->bev = bev;
    conn->kick = event_new(base, -1, 0, on_kick, conn);
    CHECK(conn->kick != NULL);
    conn->reader = http_reader_new();
    conn->from_unix = guest->from_unix;
    conn->address = guest->address;
    conn->counted = guest->counted;
    conn->tls = tls;
    conn->fresh = true;
    conn->idle_since = clock_mono_ms();
    memcpy(conn->peer, guest->peer, sizeof conn->peer);
    TAILQ_INIT(&conn->requests);
    TAILQ_INSERT_TAIL(&thread->conns, conn, in_thread);
    evbuffer_add_cb(bufferevent_get_output(bev), on_output, conn);
    bufferevent_setcb(bev, on_read, on_written, on_event, conn);
    bufferevent_setwatermark(bev, EV_WRITE, HTTP_STREAM_LOW, 0);
    if (tls) {
        bufferevent_setwatermark(bev, EV_READ, 0, http_input_max(&thread->server->config));
        bufferevent_enable(bev, EV_READ);
    } else {
        http_input_start(conn, on_readable);
        bufferevent_disable(bev, EV_WRITE); /* push_out turns it on when it is needed */
    }
    rearm(conn);
}

/* Lets go of a request whose client is gone. It may be freed in here, others of the connection not. */
static void give_up(struct http_request *req)
{
    http_request_detach(req);
    if (req->answer == HTTP_ANSWERED) {
        http_request_retire(req);
    } else if (req->answer == HTTP_STREAMING) {
        http_stream_gone(req);
    } else if (req->phase == HTTP_READING) {
        http_request_free(req);
    }
}

/* Counts towards its address no longer. */
static void uncount(struct http_conn *conn)
{
    if (conn->counted) {
        conn->counted = false;
        http_addresses_leave(conn->thread->server->addresses, &conn->address);
    }
}

void http_vouch(struct http_request *req)
{
    if (req->conn != NULL) {
        uncount(req->conn);
    }
}

/* Ends a connection now. */
void http_conn_close(struct http_conn *conn)
{
    struct http_server *server = conn->thread->server;
    CHECK(!conn->turning && !conn->dead);
    conn->dead = true;
    while (!TAILQ_EMPTY(&conn->requests)) {
        give_up(TAILQ_FIRST(&conn->requests));
    }
    if (!conn->lingering) {
        http_server_unlive(server);
    }
    uncount(conn);
    TAILQ_REMOVE(&conn->thread->conns, conn, in_thread);
    loop_cancel(conn->timer);
    event_free(conn->kick);
    evbuffer_remove_cb(bufferevent_get_output(conn->bev), on_output, conn);
    http_input_fini(conn);
    bufferevent_free(conn->bev);
    http_reader_free(conn->reader);
    conn->magic = 0;
    free(conn);
    http_server_closed(server);
}

/* Asks for a turn soon; never does anything inside the call. */
void http_conn_kick(struct http_conn *conn)
{
    if (conn->turning || conn->kicked || conn->dead) {
        return;
    }
    conn->kicked = true;
    event_active(conn->kick, EV_TIMEOUT, 0);
}

/* The server drains: what has begun is finished, nothing new begins. */
void http_conn_drain(struct http_conn *conn)
{
    if (!http_reader_midway(conn)) {
        conn->closing = true;
    }
    http_conn_kick(conn);
}

/* The drain's time is over: closes, and counts what was not finished. */
unsigned http_conn_cut(struct http_conn *conn)
{
    unsigned cut = conn->under_way;
    if (cut == 0 && unsent(conn) > 0) {
        cut = 1;
    }
    http_conn_close(conn);
    return cut;
}
