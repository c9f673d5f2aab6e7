/* refuse.c: what the front answers by itself when a request breaks a rule of framing, size or time.
 *
 * A refusal is an answer like any other: it waits its turn behind earlier answers, then the connection
 * closes, because where the next request would begin is not known any more. */
#include "bridge/http/http_int.h"

#include "queue/base/clock.h"
#include "queue/base/json.h"

#define RETRY_AFTER_S "5"

/* The house's error codes of the statuses the front uses. */
static const struct {
    int status;
    const char *code;
} CODES[] = {
    {400, "BAD_REQUEST"},        {408, "REQUEST_TIMEOUT"},
    {413, "PAYLOAD_TOO_LARGE"},  {414, "URI_TOO_LONG"},
    {417, "EXPECTATION_FAILED"}, {431, "HEADERS_TOO_LARGE"},
    {501, "NOT_IMPLEMENTED"},    {503, "SERVICE_UNAVAILABLE"}, {505, "HTTP_VERSION_NOT_SUPPORTED"},
};

/* The code of a status. */
static const char *code_of(int status)
{
    for (size_t i = 0; i < sizeof CODES / sizeof CODES[0]; i++) {
        if (CODES[i].status == status) {
            return CODES[i].code;
        }
    }
    return "ERROR";
}

/* Answers in the house's error shape. */
static void reply_plain(struct http_request *req, struct http_fault fault)
{
    char now[CLOCK_TEXT_SIZE];
    json_t *root = json_object();
    json_t *error = json_object();
    struct buf text;
    jx_set_str(error, "code", code_of(fault.status));
    jx_set_str(error, "message", fault.reason);
    jx_set_int(error, "status", fault.status);
    jx_set_str(error, "timestamp", clock_rfc3339_ms(clock_wall_ms(), now));
    jx_set_str(error, "request_id", req->id.text);
    jx_set(root, "error", error);
    jx_set_str(root, "message", fault.reason);
    buf_init(&text, 4096);
    jx_dump(root, &text);
    json_decref(root);
    http_reply(req, fault.status, "application/json", buf_str(&text), text.len);
    buf_fini(&text);
}

/* Ends the reading of a connection with a status. req: the request it is about, NULL if its head was not
 * whole. */
void http_refuse(struct http_conn *conn, struct http_request *req, struct http_fault fault)
{
    struct http_server *server = conn->thread->server;
    CHECK(fault.status >= 400 && fault.reason != NULL);
    if (req == NULL) {
        req = http_request_new(conn);
    }
    CHECK(req->answer == HTTP_UNANSWERED);
    http_reader_abandon(conn, req);
    conn->closing = true;
    req->keep_alive = false;
    req->expects_continue = false;
    req->phase = HTTP_HANDED;
    atomic_fetch_add(&server->refused, 1);
    if (fault.status == 503) {
        http_reply_header(req, "Retry-After", RETRY_AFTER_S);
    }
    if (server->config.on_refused != NULL) {
        server->config.on_refused(req, fault.status, fault.reason, server->config.arg);
    } else {
        reply_plain(req, fault);
    }
}
