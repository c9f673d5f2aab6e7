/* http.h: the HTTP/1.1 front: sockets, framing, deadlines, limits. It knows nothing of routes or keys.
 *
 * Each connection lives on one of N event loops. libhttp-parser does the framing behind a stricter policy of
 * ours (reader.c): RFC 9110/9112 requests that two parsers could read differently are refused with a status
 * and a close. A request is handed to on_request whole (head and body); the handler answers at once or later,
 * from the same loop. Answers leave in the order of the requests whatever order handlers finish in. A client
 * that goes away does not free the request: its handler still answers (into nothing), exactly once.
 *
 * Thread: on_head and on_request run on the connection's loop; every function that takes a request is to be
 * called there (loop_post back to http_loop(req) from elsewhere). */
#ifndef CHASQUI_HTTP_HTTP_H
#define CHASQUI_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/arena.h"
#include "queue/base/error.h"

struct loop;
struct http_server;
struct http_request;

struct http_config {
    unsigned threads;         /* event loops */
    int64_t head_ms;          /* absolute deadline of a request's head; 408 and close */
    int64_t body_ms;          /* of its body, plus 1 s for each 64 KiB; 408 and close */
    int64_t idle_ms;          /* keep-alive silence */
    unsigned connections_max; /* beyond it accepting pauses */
    unsigned
        connections_per_address; /* that nobody vouched for; beyond it new ones are closed; 0: no limit */
    unsigned requests_max;       /* of one connection, then Connection: close; 0: no limit */
    size_t head_max;             /* bytes of all header fields (431); 32 KiB */
    size_t uri_max;              /* bytes of the request target (414); 8 KiB */
    unsigned fields_max;         /* header fields (431); 100 */
    unsigned pipeline_max;       /* requests of one connection under way at once; 16 */
    /* Ranges of addresses of proxies in front ("10.0.0.0/8, ::1"), each checked with netguard_range_is;
     * copied. A request that comes from one of them is its client's: see forwarded.c. NULL: there are none.
     */
    const char *trusted_proxies;
    bool proxy_writes_forwarded; /* they write Forwarded (RFC 7239); false: X-Forwarded-For */
    const char *upload_dir; /* where http_upload_begin puts files; copied, made at start. NULL: there are no
                               uploads */
    /* Called when the head is complete and fine, before any body byte is taken. Sets *body_max for this
     * request. May answer already, inside the call (http_reply): on_request does not follow, and a body is
     * not read: the connection closes after the answer. NULL: 1 MiB for every body. A request that breaks off
     * or is refused after on_head dies without on_request; what hangs on it belongs in its arena. */
    void (*on_head)(struct http_request *req, size_t *body_max, void *arg);
    /* Called with the whole request. Must lead to exactly one http_reply or http_stream_begin...end. */
    void (*on_request)(struct http_request *req, void *arg);
    /* Called once for each answered request, for the access log and metrics. May be NULL. */
    void (*on_answered)(const struct http_request *req, int status, size_t bytes, int64_t took_us, void *arg);
    /* Renders the front's own refusals (400, 408, 413, ...). May be NULL: a plain JSON body in the house's
     * error shape. */
    void (*on_refused)(struct http_request *req, int status, const char *reason, void *arg);
    void *arg;
};

/* Sensible values for every limit; callbacks NULL. */
void http_config_default(struct http_config *config);

struct http_server *http_server_new(const struct http_config *config);
/* "HOST:PORT", "[v6]:PORT" or "unix:/path" (mode 0600, replaces a dead socket file). May be called several
 * times before start. ERR_INVALID, ERR_BUSY (address in use), ERR_DENIED. */
enum err http_server_listen(struct http_server *server, const char *address) MUST_CHECK;
/* TLS on every TCP listener, with a certificate chain and its key from PEM files: before the first listen,
 * and again at any time for renewed files; open connections keep what they have. ERR_NOTFOUND (a file cannot
 * be read), ERR_INVALID (the log says why); nothing has changed then. Thread: any. */
enum err http_server_tls(struct http_server *server, const char *chain_file, const char *key_file) MUST_CHECK;
/* "http://127.0.0.1:41234" of the first TCP listener, "" before listen. */
const char *http_server_url(const struct http_server *server);
/* Starts the loops' threads; returns when all listeners accept. */
enum err http_server_start(struct http_server *server) MUST_CHECK;
/* Drain: stops accepting, lets requests under way finish (answers carry Connection: close), at most ms. Then
 * stops the threads. Returns the number of requests that were cut off. Idempotent. Streams that never end by
 * themselves (events) should be ended by their writers first. Afterwards letters to the loops are not read
 * any more. */
unsigned http_server_stop(struct http_server *server, int64_t ms);
/* Frees requests that were never answered too: whoever holds one must have stopped. */
void http_server_free(struct http_server *server);

struct http_stats {
    uint64_t connections; /* open now */
    uint64_t accepted;    /* since start */
    uint64_t requests;
    uint64_t refused; /* answered by the front itself with 4xx/5xx */
};
void http_server_stats(const struct http_server *server, struct http_stats *out);

/* ---- the request: all text is NUL-terminated and lives as long as the request ---- */
const char *http_method(const struct http_request *req);
/* Percent-decoded once, normalised: begins with '/', no "..", no empty or dot segments, no NUL, no encoded
 * slash. */
const char *http_path(const struct http_request *req);
/* The raw query after '?', "" if none; and one decoded parameter of it (first wins), NULL if absent. */
const char *http_query(const struct http_request *req);
const char *http_query_value(struct http_request *req, const char *name);
/* Walks the decoded query parameters in order; stops when fn returns false. False if the query has a bad
 * escape. */
bool http_query_each(struct http_request *req, bool (*fn)(const char *name, const char *value, void *arg),
                     void *arg);
/* First header field of that name (case-insensitive), NULL if absent. Values are trimmed. */
const char *http_header(const struct http_request *req, const char *name);
/* The body; never NULL, NUL-terminated, size excludes the NUL. Empty before on_request. */
const char *http_body(const struct http_request *req, size_t *size);
/* "192.0.2.7", "::1"; "unix" for a Unix-socket peer; "unknown" for a client that a trusted proxy does not
 * name. */
const char *http_peer(const struct http_request *req);
bool http_from_unix_socket(const struct http_request *req);
/* "req_" + ULID, sent back as X-Request-Id. */
const char *http_request_id(const struct http_request *req);
/* Who sends this is known (a key, a signature): the connection counts towards connections_per_address no
 * longer. */
void http_vouch(struct http_request *req);
/* Dies with the request. */
struct arena *http_arena(struct http_request *req);
struct loop *http_loop(struct http_request *req);
/* One pointer for the layer above (routing, authentication). */
void http_set_context(struct http_request *req, void *context);
void *http_context(const struct http_request *req);

/* ---- the answer ---- */
/* Before http_reply/http_stream_begin. CR, LF and NUL in a value are refused by CHECK: never pass input. */
void http_reply_header(struct http_request *req, const char *name, const char *value);
void http_reply_number(struct http_request *req, const char *name, int64_t value);
/* Sends and ends. body is copied. HEAD requests get the headers only. Content-Length, Date, X-Request-Id and,
 * where it says something, Connection are added; JSON and text of 1 KiB and more leave as gzip for those who
 * take it (unless Content-Encoding was set already). The request must not be touched afterwards. */
void http_reply(struct http_request *req, int status, const char *content_type, const void *body,
                size_t size);

/* Streaming (server-sent events, exports): begin once, write pieces, end once. write returns the bytes still
 * waiting for the client: above http_stream_high the writer should pause until on_drain. A client that is
 * gone calls on_gone once (never inside begin/write); after it write does nothing, end is still due. A client
 * that ends its side during a stream counts as gone, and so does one whose writer goes on with more than 4
 * MiB waiting. */
#define HTTP_STREAM_HIGH (256u * 1024u)
void http_stream_begin(struct http_request *req, int status, const char *content_type,
                       void (*on_drain)(void *arg), void (*on_gone)(void *arg), void *arg);
/* Before http_stream_begin, if the writer knows it: the answer then carries Content-Length, exactly so many
 * bytes are due, and a stream that ends short of them breaks the connection. */
void http_stream_length(struct http_request *req, int64_t length);
size_t http_stream_write(struct http_request *req, const void *data, size_t size);
void http_stream_end(struct http_request *req);

/* "Not Found" for 404, "" if unknown. */
const char *http_status_text(int status);

#endif
