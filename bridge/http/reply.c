/* reply.c: renders and sends answers.
 *
 * A small answer is kept whole in its request's arena and leaves when the request ends. Of the others, that
 * to the connection's oldest request goes straight to the output; any other waits in a buffer of
 * its own until it is the oldest. Nothing is freed here while the client is there: see http_int.h. */
#include "bridge/http/http_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "bridge/http/encode.h"
#include "queue/base/clock.h"

#define STATUS_TABLE(X)                       \
    X(100, "Continue")                        \
    X(200, "OK")                              \
    X(201, "Created")                         \
    X(202, "Accepted")                        \
    X(204, "No Content")                      \
    X(206, "Partial Content")                 \
    X(301, "Moved Permanently")               \
    X(302, "Found")                           \
    X(303, "See Other")                       \
    X(304, "Not Modified")                    \
    X(307, "Temporary Redirect")              \
    X(308, "Permanent Redirect")              \
    X(400, "Bad Request")                     \
    X(401, "Unauthorized")                    \
    X(403, "Forbidden")                       \
    X(404, "Not Found")                       \
    X(405, "Method Not Allowed")              \
    X(406, "Not Acceptable")                  \
    X(408, "Request Timeout")                 \
    X(409, "Conflict")                        \
    X(410, "Gone")                            \
    X(411, "Length Required")                 \
    X(412, "Precondition Failed")             \
    X(413, "Content Too Large")               \
    X(414, "URI Too Long")                    \
    X(415, "Unsupported Media Type")          \
    X(416, "Range Not Satisfiable")           \
    X(417, "Expectation Failed")              \
    X(421, "Misdirected Request")             \
    X(422, "Unprocessable Content")           \
    X(428, "Precondition Required")           \
    X(429, "Too Many Requests")               \
    X(431, "Request Header Fields Too Large") \
    X(500, "Internal Server Error")           \
    X(501, "Not Implemented")                 \
    X(502, "Bad Gateway")                     \
    X(503, "Service Unavailable")             \
    X(504, "Gateway Timeout")                 \
    X(505, "HTTP Version Not Supported")      \
    X(507, "Insufficient Storage")

static const struct {
    int status;
    const char *text;
} STATUSES[] = {
#define X(status, text) {status, text},
    STATUS_TABLE(X)
#undef X
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++) {
        if (STATUSES[i].status == status) {
            return STATUSES[i].text;
        }
    }
    return "";
}

/* The Date field's value (RFC 9110 section 5.6.7), rendered once in a second. */
static const char *date_now(struct http_thread *thread)
{
    static const char DAYS[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char MONTHS[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)(clock_wall_ms() / 1000);
    if (thread->date_second == (int64_t)now) {
        return thread->date;
    }
    struct tm utc;
    CHECK(gmtime_r(&now, &utc) != NULL);
    struct buf text;
    buf_init(&text, sizeof thread->date - 1);
    buf_addf(&text, "%s, %02d %s %04d %02d:%02d:%02d GMT", DAYS[utc.tm_wday], utc.tm_mday, MONTHS[utc.tm_mon],
             utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    CHECK(buf_ok(&text));
    memcpy(thread->date, buf_str(&text), text.len + 1);
    buf_fini(&text);
    thread->date_second = (int64_t)now;
    return thread->date;
}

/* Decides whether the connection ends with this answer, and if so sees to it that nothing more is read. */
static bool ends_connection(struct http_request *req)
{
    struct http_conn *conn = req->conn;
    if (conn == NULL) {
        return true;
    }
    bool unread = req->phase == HTTP_READING && req->framing != HTTP_NO_BODY;
    bool unframed = req->answer == HTTP_STREAMING && !req->chunked && !req->bodyless && !req->sized;
    bool ends = !req->keep_alive || req->thread->draining || unread || unframed || conn->closing;
    if (!ends || req != TAILQ_LAST(&conn->requests, http_requests)) {
        return false;
    }
    conn->closing = true;
    http_reader_abandon(conn, req);
    return true;
}

/* Where the bytes of this answer go now. */
struct evbuffer *http_reply_out(struct http_request *req)
{
    if (req->conn != NULL && TAILQ_FIRST(&req->conn->requests) == req && req->out == NULL) {
        return bufferevent_get_output(req->conn->bev);
    }
    if (req->out == NULL) {
        req->out = evbuffer_new();
        CHECK(req->out != NULL);
    }
    return req->out;
}

/* One field of a head. */
static void add_field(struct buf *head, const char *name, const char *value)
{
    buf_adds(head, name);
    buf_add(head, ": ", 2);
    buf_adds(head, value);
    buf_add(head, "\r\n", 2);
}

/* A number in decimal; the text begins somewhere in room. */
static const char *digits_of(int64_t value, char room[24])
{
    char *at = room + 23;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    *at = '\0';
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *--at = '-';
    }
    return at;
}

/* Composes the head of an answer in the thread's scratch; length is -1 if the body's size is not known yet.
 */
void http_reply_head(struct http_request *req, int status, const char *content_type, int64_t length)
{
    CHECK(status >= 200 && status <= 599 && buf_ok(&req->extra));
    struct buf *head = &req->thread->scratch;
    bool ends = ends_connection(req);
    req->status = status;
    buf_reset(head);
    char digits[24];
    buf_adds(head, "HTTP/1.1 ");
    buf_adds(head, digits_of(status, digits));
    buf_addc(head, ' ');
    buf_adds(head, http_status_text(status));
    buf_adds(head, "\r\n");
    add_field(head, "Date", date_now(req->thread));
    add_field(head, "X-Request-Id", req->id.text);
    if (content_type != NULL) {
        add_field(head, "Content-Type", content_type);
    }
    if (length >= 0 && status != 204 && status != 304) {
        add_field(head, "Content-Length", digits_of(length, digits));
    }
    if (req->chunked) {
        buf_adds(head, "Transfer-Encoding: chunked\r\n");
    }
    if (ends || req->minor == 0) {
        buf_adds(head, ends ? "Connection: close\r\n" : "Connection: keep-alive\r\n");
    }
    buf_add(head, buf_str(&req->extra), req->extra.len);
    buf_adds(head, "\r\n");
    CHECK(buf_ok(head));
}

/* The head goes where the bytes of this answer go. */
void http_reply_head_add(struct http_request *req)
{
    if (req->conn != NULL) {
        evbuffer_add(http_reply_out(req), req->thread->scratch.data, req->thread->scratch.len);
    }
}

/* Keeps a small answer whole, its head out of the thread's scratch, until its turn to leave comes. */
static void make_ready(struct http_request *req, const void *body, size_t size)
{
    const struct buf *head = &req->thread->scratch;
    req->ready_size = head->len + size;
    req->ready = arena_alloc(req->arena, req->ready_size);
    memcpy(req->ready, head->data, head->len);
    if (size > 0) {
        memcpy(req->ready + head->len, body, size);
    }
}

/* The answer is complete; the request ends as soon as it is out. */
void http_reply_done(struct http_request *req)
{
    req->answer = HTTP_ANSWERED;
    if (req->conn == NULL) {
        http_request_retire(req);
    } else {
        http_conn_kick(req->conn);
    }
}

void http_reply_header(struct http_request *req, const char *name, const char *value)
{
    CHECK(req->answer == HTTP_UNANSWERED && *name != '\0');
    for (const char *at = name; *at != '\0'; at++) {
        CHECK(http_is_token_byte((unsigned char)*at));
    }
    for (const char *at = value; *at != '\0'; at++) {
        CHECK(http_is_field_byte((unsigned char)*at));
    }
    add_field(&req->extra, name, value);
}

void http_reply_number(struct http_request *req, const char *name, int64_t value)
{
    char text[24];
    http_reply_header(req, name, digits_of(value, text));
}

bool http_has_extra(const struct http_request *req, const char *name)
{
    size_t len = strlen(name);
    const char *line = buf_str(&req->extra);
    for (const char *end = strstr(line, "\r\n"); end != NULL; line = end + 2, end = strstr(line, "\r\n")) {
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            return true;
        }
    }
    return false;
}

void http_reply(struct http_request *req, int status, const char *content_type, const void *body, size_t size)
{
    CHECK(req->magic == HTTP_REQUEST_MAGIC && req->answer == HTTP_UNANSWERED);
    CHECK(loop_is_current(req->thread->loop));
    void *packed = http_encode(req, content_type, body, size, &size);
    req->bodyless = req->is_head || status == 204 || status == 304;
    req->answer = HTTP_ANSWERED;
    http_reply_head(req, status, content_type, (int64_t)size);
    size_t due = req->bodyless || req->conn == NULL ? 0 : size;
    req->sent = due;
    if (due <= HTTP_AT_ONCE) {
        make_ready(req, packed != NULL ? packed : body, due);
    } else {
        http_reply_head_add(req);
        if (due > 0) {
            evbuffer_add(http_reply_out(req), packed != NULL ? packed : body, due);
        }
    }
    free(packed);
    http_reply_done(req);
}
