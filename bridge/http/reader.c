/* reader.c: turns a connection's bytes into requests. The only file that knows the parser.
 *
 * Two readers look at every byte: the guards (guard.c, chunks.c) with our policy, and libhttp-parser. The
 * guards say where a head and a body end; the parser is fed exactly those bytes and must come to the same
 * end, the same version and the same framing. Where the two differ the request is refused: what cannot be
 * read in one way only is not read at all. The parser is begun afresh for each request, so nothing of one
 * reaches the next. */
#include "bridge/http/http_int.h"

#include <http_parser.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/clock.h"

#define RATE_MIN 65536 /* body bytes that buy one more second */

struct http_reader {
    struct http_parser parser;
    struct http_guard guard;
    struct http_chunks chunks;
    struct http_request *req; /* whose body is being read */
    int64_t since;            /* when the head or body under way began; 0 if none */
    uint64_t taken;           /* bytes of the body so far, framing included */
    bool headed;              /* what the parser reported */
    bool complete;
    bool keep_alive;
    struct http_fault fault; /* why an upload takes no more */
};

/* The parser saw the end of the head. Switching protocols is never offered, so an Upgrade field means
 * nothing. */
static int on_headers_complete(struct http_parser *parser)
{
    struct http_reader *reader = parser->data;
    reader->headed = true;
    reader->keep_alive = http_should_keep_alive(parser) != 0;
    parser->upgrade = 0;
    return 0;
}

/* The parser found bytes of the body. */
static int on_body(struct http_parser *parser, const char *at, size_t len)
{
    struct http_reader *reader = parser->data;
    struct http_request *req = reader->req;
    if (req->upload != NULL) {
        return http_upload_take(req->upload, at, len, &reader->fault) ? 0 : 1;
    }
    buf_add(&req->body, at, len);
    return buf_ok(&req->body) ? 0 : 1;
}

/* The parser saw the end of the request. */
static int on_message_complete(struct http_parser *parser)
{
    struct http_reader *reader = parser->data;
    reader->complete = true;
    return 0;
}

static const struct http_parser_settings SETTINGS = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

struct http_reader *http_reader_new(void)
{
    return xcalloc(1, sizeof(struct http_reader));
}

void http_reader_free(struct http_reader *reader)
{
    free(reader);
}

/* Forgets the request that was read, ready for the next head. */
static void reset(struct http_reader *reader)
{
    memset(reader, 0, sizeof *reader);
}

/* Gives bytes to the parser; false if it did not take them all. No bytes would mean the end of input to it.
 */
static bool feed(struct http_reader *reader, const char *data, size_t len)
{
    if (len == 0) {
        return true;
    }
    return http_parser_execute(&reader->parser, &SETTINGS, data, len) == len &&
           HTTP_PARSER_ERRNO(&reader->parser) == HPE_OK;
}

/* Lets the parser read the head; true if it understood what we did. */
static bool second_opinion(struct http_reader *reader, struct http_request *req, const char *head, size_t len)
{
    struct http_parser *parser = &reader->parser;
    http_parser_init(parser, HTTP_REQUEST);
    parser->data = reader;
    if (!feed(reader, head, len) || !reader->headed) {
        return false;
    }
    req->keep_alive = reader->keep_alive;
    return parser->http_major == 1 && parser->http_minor == req->minor &&
           strcmp(http_method_str(parser->method), req->method) == 0 &&
           reader->complete == (req->framing == HTTP_NO_BODY) &&
           ((parser->flags & F_CHUNKED) != 0) == (req->framing == HTTP_CHUNKED) &&
           (req->framing != HTTP_LENGTH || parser->content_length == req->length);
}

/* Judges a head whose bytes the guard let pass. */
static bool judge_head(struct http_reader *reader, struct http_request *req, const char *head, size_t len,
                       struct http_fault *fault)
{
    http_fields_cut(req, arena_strndup(req->arena, head, len));
    if (!http_policy_check(req, fault) || !http_target_split(req, fault)) {
        return false;
    }
    if (req->length == UINT64_MAX) {
        *fault = (struct http_fault){413, "the body is too large"};
        return false;
    }
    if (!second_opinion(reader, req, head, len)) {
        *fault = (struct http_fault){400, "the request is malformed"};
        return false;
    }
    http_forwarded_read(req);
    return true;
}

/* Hands a whole request to its handler, and remembers if it was the connection's last. */
static void hand_over(struct http_conn *conn, struct http_request *req)
{
    struct http_server *server = conn->thread->server;
    struct http_fault fault = {0, NULL};
    reset(conn->reader);
    if (req->upload != NULL && !http_upload_end(req->upload, &fault)) {
        http_refuse(conn, req, fault);
        return;
    }
    req->phase = HTTP_HANDED;
    if (!req->keep_alive || conn->thread->draining) {
        conn->closing = true;
    }
    if (req->answer == HTTP_UNANSWERED) {
        server->config.on_request(req, server->config.arg);
    }
}

/* Asks the layer above about a head, then waits for the body or hands the request over. */
static void begin(struct http_conn *conn, struct http_request *req)
{
    struct http_server *server = conn->thread->server;
    struct http_reader *reader = conn->reader;
    req->body_max = HTTP_BODY_MAX;
    if (++conn->served == server->config.requests_max) {
        req->keep_alive = false;
    }
    atomic_fetch_add(&server->requests, 1);
    if (server->config.on_head != NULL) {
        server->config.on_head(req, &req->body_max, server->config.arg);
    }
    if (req->framing == HTTP_NO_BODY) {
        hand_over(conn, req);
        return;
    }
    if (req->answer != HTTP_UNANSWERED) {
        return;
    }
    if (req->framing == HTTP_LENGTH && req->length > req->body_max) {
        http_refuse(conn, req, (struct http_fault){413, "the body is too large"});
        return;
    }
    req->body.max = req->body_max;
    if (req->framing == HTTP_LENGTH) {
        http_request_expect(req, (size_t)req->length);
    }
    reader->req = req;
    bool waits = req->expects_continue && conn->input.len == 0;
    reader->since = waits ? 0 : clock_mono_ms();
    req->expects_continue = waits;
}

/* Takes a complete head out of the input. */
static void take_head(struct http_conn *conn)
{
    const char *data = conn->input.data;
    struct http_reader *reader = conn->reader;
    struct http_guard guard = reader->guard;
    struct http_request *req = http_request_new(conn);
    struct http_fault fault = {0, NULL};
    reset(reader);
    req->field_count = guard.lines - 1;
    if (!judge_head(reader, req, data + guard.begin, guard.size - guard.begin, &fault)) {
        http_refuse(conn, req, fault);
        return;
    }
    http_input_take(conn, guard.size);
    begin(conn, req);
}

/* Reads on in a head. True if a request was begun or refused. */
static bool read_head(struct http_conn *conn)
{
    struct http_reader *reader = conn->reader;
    size_t len = conn->input.len;
    struct http_fault fault = {0, NULL};
    if (len == 0) {
        return false;
    }
    if (reader->since == 0) {
        reader->since = clock_mono_ms();
    }
    enum http_verdict verdict =
        http_guard_head(&reader->guard, &conn->thread->server->config, conn->input.data, len, &fault);
    if (verdict == HTTP_MORE) {
        bool stray = reader->guard.lines == 0 && reader->guard.line == len;
        if (!conn->eof || stray) {
            return false;
        }
        fault = (struct http_fault){400, "the request ends in the middle of its head"};
        verdict = HTTP_REFUSED;
    }
    if (verdict == HTTP_REFUSED) {
        http_refuse(conn, NULL, fault);
    } else {
        take_head(conn);
    }
    return true;
}

/* Finds how much of the next piece of input belongs to the body, and how much of it the parser is to see. */
static enum http_verdict scan_body(struct http_conn *conn, const char *data, size_t len, size_t *taken,
                                   size_t *seen, struct http_fault *fault)
{
    struct http_reader *reader = conn->reader;
    const struct http_request *req = reader->req;
    if (req->framing == HTTP_CHUNKED) {
        return http_chunks_scan(&reader->chunks, &conn->thread->server->config, req->body_max, data, len,
                                taken, seen, fault);
    }
    uint64_t left = req->length - reader->taken;
    *taken = *seen = left < len ? (size_t)left : len;
    return *taken == left ? HTTP_DONE : HTTP_MORE;
}

/* Takes one piece of the body; HTTP_DONE when it is whole and the parser agrees. */
static enum http_verdict take_piece(struct http_conn *conn, const char *data, size_t len, size_t *taken,
                                    struct http_fault *fault)
{
    struct http_reader *reader = conn->reader;
    size_t seen = 0;
    enum http_verdict verdict = scan_body(conn, data, len, taken, &seen, fault);
    if (verdict == HTTP_REFUSED) {
        return verdict;
    }
    bool agreed = feed(reader, data, seen);
    if (agreed && verdict == HTTP_DONE && reader->req->framing == HTTP_CHUNKED) {
        agreed = feed(reader, "\r\n", 2);
    }
    if (!agreed && reader->fault.status != 0) {
        *fault = reader->fault;
        return HTTP_REFUSED;
    }
    if (!agreed || reader->complete != (verdict == HTTP_DONE)) {
        *fault = (struct http_fault){400, "the body is malformed"};
        return HTTP_REFUSED;
    }
    reader->taken += *taken;
    return verdict;
}

/* Reads on in a body. True if it was completed or refused. */
static bool read_body(struct http_conn *conn)
{
    struct http_reader *reader = conn->reader;
    struct http_fault fault = {0, NULL};
    while (conn->input.len > 0) {
        size_t taken = 0;
        http_reader_continue(conn);
        enum http_verdict verdict = take_piece(conn, conn->input.data, conn->input.len, &taken, &fault);
        if (verdict == HTTP_REFUSED) {
            http_refuse(conn, reader->req, fault);
            return true;
        }
        http_input_take(conn, taken);
        if (verdict == HTTP_DONE) {
            hand_over(conn, reader->req);
            return true;
        }
    }
    if (conn->eof) {
        http_refuse(conn, reader->req,
                    (struct http_fault){400, "the request ends in the middle of its body"});
        return true;
    }
    return false;
}

/* Throws away what comes after the last request, so that the client's end can still be seen. */
static void discard(struct http_conn *conn)
{
    conn->discarded += conn->input.len;
    http_input_take(conn, conn->input.len);
    if (conn->discarded > HTTP_DISCARD_MAX) {
        conn->abort = true;
    }
}

/* True if another request may begin: bounded pipelining, none behind HTTP/1.0, none while answers pile up. */
static bool may_begin(const struct http_conn *conn)
{
    const struct http_request *last = TAILQ_LAST(&conn->requests, http_requests);
    return conn->under_way < conn->thread->server->config.pipeline_max &&
           (last == NULL || last->minor == 1) &&
           evbuffer_get_length(bufferevent_get_output(conn->bev)) < HTTP_STREAM_HIGH;
}

/* Works on the input as far as it goes. True if a request was completed or refused: then there may be more to
 * do. */
bool http_reader_run(struct http_conn *conn)
{
    if (conn->closing) {
        discard(conn);
        return false;
    }
    if (conn->reader->req != NULL) {
        return read_body(conn);
    }
    return may_begin(conn) && read_head(conn);
}

/* The deadline of what is being read passed. */
void http_reader_timeout(struct http_conn *conn)
{
    struct http_request *req = conn->reader->req;
    const char *reason = req != NULL ? "the body did not arrive in time" : "the head did not arrive in time";
    http_refuse(conn, req, (struct http_fault){408, reason});
}

/* When the head or body under way must be complete; 0 if none is. */
int64_t http_reader_deadline(const struct http_conn *conn)
{
    const struct http_reader *reader = conn->reader;
    const struct http_config *config = &conn->thread->server->config;
    if (reader->since == 0 || conn->closing) {
        return 0;
    }
    if (reader->req == NULL) {
        return reader->since + config->head_ms;
    }
    return reader->since + config->body_ms + (int64_t)(reader->taken / RATE_MIN) * 1000;
}

/* True between a request's first byte and its last. */
bool http_reader_midway(const struct http_conn *conn)
{
    return conn->reader->req != NULL || conn->reader->since != 0;
}

/* The request will not be read any further. */
void http_reader_abandon(struct http_conn *conn, const struct http_request *req)
{
    if (conn->reader->req == req) {
        reset(conn->reader);
    }
}

/* The body may come now, or has begun to: its clock runs, and 100 Continue is not due any more. */
void http_reader_continue(struct http_conn *conn)
{
    struct http_reader *reader = conn->reader;
    if (reader->since == 0) {
        reader->since = clock_mono_ms();
    }
    reader->req->expects_continue = false;
}
