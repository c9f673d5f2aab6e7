/* stream.c: answers written piece by piece, with back-pressure and a notice when the client goes away.
 *
 * waiting = bytes of the answer that the client has not taken: those in the connection's output when it is
 * this request's turn, those in the request's own buffer before. Above HTTP_STREAM_HIGH the writer should
 * pause; when HTTP_STREAM_LOW is reached it hears on_drain. A writer that goes on all the same loses its
 * client at HTTP_STREAM_MAX, so that one slow reader cannot hold the memory of the daemon. */
#include "bridge/http/http_int.h"

/* Bytes of this answer that the client has not taken. */
size_t http_stream_waiting(const struct http_request *req)
{
    if (req->conn == NULL) {
        return 0;
    }
    size_t own = req->out == NULL ? 0 : evbuffer_get_length(req->out);
    bool first = TAILQ_FIRST(&req->conn->requests) == req;
    return own + (first ? evbuffer_get_length(bufferevent_get_output(req->conn->bev)) : 0);
}

/* Tells a paused writer to go on once little is waiting. True if it was told. */
bool http_stream_notify(struct http_request *req)
{
    if (!req->over_high || http_stream_waiting(req) > HTTP_STREAM_LOW) {
        return false;
    }
    req->over_high = false;
    if (req->on_drain != NULL) {
        req->on_drain(req->stream_arg);
    }
    return true;
}

/* Tells the writer, once, that its client is gone. The writer may end the stream in there. */
void http_stream_gone(struct http_request *req)
{
    void (*on_gone)(void *) = req->on_gone;
    CHECK(req->conn == NULL);
    req->on_gone = NULL;
    req->on_drain = NULL;
    if (on_gone != NULL) {
        on_gone(req->stream_arg);
    }
}

/* The notice for a stream that began after its client had gone. */
static void gone_later(void *arg)
{
    struct http_request *req = http_request_of(arg);
    req->gone_timer = NULL;
    http_stream_gone(req);
}

void http_stream_length(struct http_request *req, int64_t length)
{
    CHECK(req->answer == HTTP_UNANSWERED && length >= 0);
    req->sized = true;
    req->stream_length = length;
}

void http_stream_begin(struct http_request *req, int status, const char *content_type,
                       void (*on_drain)(void *arg), void (*on_gone)(void *arg), void *arg)
{
    CHECK(req->magic == HTTP_REQUEST_MAGIC && req->answer == HTTP_UNANSWERED);
    CHECK(loop_is_current(req->thread->loop));
    req->answer = HTTP_STREAMING;
    req->on_drain = on_drain;
    req->on_gone = on_gone;
    req->stream_arg = arg;
    req->bodyless = req->is_head || status == 204 || status == 304;
    req->chunked = req->minor == 1 && !req->bodyless && !req->sized;
    http_reply_head(req, status, content_type, req->sized ? req->stream_length : -1);
    http_reply_head_add(req);
    if (req->conn == NULL) {
        req->gone_timer = loop_after(req->thread->loop, 0, gone_later, req);
    } else {
        http_conn_kick(req->conn);
    }
}

size_t http_stream_write(struct http_request *req, const void *data, size_t size)
{
    CHECK(req->magic == HTTP_REQUEST_MAGIC && req->answer == HTTP_STREAMING);
    if (req->conn == NULL || req->bodyless || size == 0) {
        return http_stream_waiting(req);
    }
    if (http_stream_waiting(req) > HTTP_STREAM_MAX) {
        req->conn->abort = true;
        http_conn_kick(req->conn);
        return http_stream_waiting(req);
    }
    struct evbuffer *out = http_reply_out(req);
    if (req->chunked) {
        evbuffer_add_printf(out, "%zx\r\n", size);
    }
    evbuffer_add(out, data, size);
    if (req->chunked) {
        evbuffer_add(out, "\r\n", 2);
    }
    req->sent += size;
    http_conn_kick(req->conn);
    size_t waiting = http_stream_waiting(req);
    req->over_high = req->over_high || waiting > HTTP_STREAM_HIGH;
    return waiting;
}

void http_stream_end(struct http_request *req)
{
    CHECK(req->magic == HTTP_REQUEST_MAGIC && req->answer == HTTP_STREAMING);
    if (req->conn != NULL && req->chunked) {
        evbuffer_add(http_reply_out(req), "0\r\n\r\n", 5);
    }
    if (req->conn != NULL && req->sized && !req->bodyless && (int64_t)req->sent != req->stream_length) {
        req->conn->abort = true; /* the client must not take what follows for the rest */
    }
    http_reply_done(req);
}
