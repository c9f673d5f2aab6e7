/* http_int.h: what the files of the HTTP front share and nobody else sees.
 *
 * Ownership: the server owns its threads and listeners; a thread owns its connections and every request born
 * on it; a connection lists its requests in the order of their arrival and gives up a request that was
 * handed to a handler when the client goes away (conn becomes NULL, the handler's answer then frees it).
 *
 * The one rule that makes answering safe anywhere: functions called by handlers only append to a buffer,
 * set a mark and kick the connection. Everything that may free a request
 * or a connection happens in http_conn_turn, which runs from the event loop and never from inside a handler's
 * call. */
#ifndef CHASQUI_HTTP_INT_H
#define CHASQUI_HTTP_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "bridge/http/addresses.h"
#include "bridge/http/frame.h"
#include "bridge/http/http.h"
#include "bridge/http/input.h"
#include "bridge/http/listener.h"
#include "queue/base/arena.h"
#include "queue/base/buf.h"
#include "queue/base/error.h"
#include "queue/base/id.h"
#include "queue/base/loop.h"

#define HTTP_BODY_MAX      (1024u * 1024u)        /* a request's body unless on_head says otherwise */
#define HTTP_STREAM_LOW    (HTTP_STREAM_HIGH / 4) /* on_drain comes when no more than this is waiting */
#define HTTP_STREAM_MAX    (4u * 1024u * 1024u)   /* a writer that ignores back-pressure loses its client */
#define HTTP_LINGER_MS     2000                   /* between our FIN and the client's */
#define HTTP_DISCARD_MAX   (8u * 1024u * 1024u)   /* bytes thrown away after the last request */
#define HTTP_BACKOFF_MS    250                    /* accept pause when descriptors run out */
#define HTTP_PROGRESS_MIN  4096                   /* bytes a slow reader must take to renew its deadline */
#define HTTP_SPARES        64                     /* arenas that a thread keeps ready */
#define HTTP_LENT_MAX      8192                   /* a body up to this size lies in its request's arena */
#define HTTP_ROOM          65536                  /* one read of a plain connection */
#define HTTP_AT_ONCE       4096                   /* an answer's body that is kept together with its head */
#define HTTP_CONN_MAGIC    0x48436f6eu
#define HTTP_REQUEST_MAGIC 0x48526571u

struct http_packer;
struct http_upload;

struct http_field {
    const char *name;
    const char *value;
};

/* True if the field has that name; nearly all that do not differ in the first letter. */
static inline bool http_field_is(const struct http_field *field, const char *name)
{
    return ((field->name[0] ^ name[0]) & ~0x20) == 0 && strcasecmp(field->name, name) == 0;
}

struct http_param {
    const char *name;
    const char *value;
    struct http_param *next;
};

/* How the body of a request is delimited. */
enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED };
enum http_phase { HTTP_READING, HTTP_HANDED };
enum http_answer { HTTP_UNANSWERED, HTTP_STREAMING, HTTP_ANSWERED };

struct http_request {
    unsigned magic;
    struct http_thread *thread;
    struct http_conn *conn; /* NULL once the client is gone */
    TAILQ_ENTRY(http_request) in_conn;
    TAILQ_ENTRY(http_request) in_thread;
    struct arena *arena; /* holds this struct too */
    struct id id;
    int64_t born_us;
    void *context;
    char peer[HTTP_PEER_SIZE];
    bool from_unix;

    /* the head */
    const char *method;
    const char *target; /* as sent */
    const char *path;
    const char *query;
    struct http_field *fields;
    unsigned field_count;
    unsigned minor;  /* HTTP/1.minor */
    bool keep_alive; /* the client wants to go on */
    bool is_head;
    bool expects_continue;
    enum http_framing framing;
    uint64_t length; /* of a HTTP_LENGTH body */
    struct http_param *params;
    bool params_read;
    bool params_bad;

    enum http_phase phase;
    size_t body_max;
    struct buf body;
    bool body_lent;             /* its bytes are the arena's */
    struct http_upload *upload; /* where the body goes instead; NULL: into body */

    /* the answer */
    enum http_answer answer;
    int status;
    size_t sent; /* body bytes of the answer */
    char *ready; /* a small answer, whole; the arena's */
    size_t ready_size;
    struct buf extra;     /* fields of http_reply_header, ready to send */
    struct evbuffer *out; /* what waits for earlier answers; NULL until needed */
    bool bodyless;        /* HEAD, 204, 304 */
    bool chunked;
    bool sized; /* a stream of stream_length bytes */
    int64_t stream_length;
    bool over_high; /* a stream's writer was told to pause */
    void (*on_drain)(void *arg);
    void (*on_gone)(void *arg);
    void *stream_arg;
    struct loop_timer *gone_timer;
};

TAILQ_HEAD(http_requests, http_request);

struct http_conn {
    unsigned magic;
    struct http_thread *thread;
    TAILQ_ENTRY(http_conn) in_thread;
    struct bufferevent *bev;
    struct event *kick;
    struct http_input input;
    struct http_reader *reader;
    struct http_requests requests;
    unsigned under_way; /* length of requests */
    char peer[HTTP_PEER_SIZE];
    struct http_address address;
    bool counted; /* in the server's addresses */
    bool from_unix;
    bool tls;
    bool closing;   /* no further request is read; closes when the answers are out */
    bool eof;       /* the client sends nothing more */
    bool abort;     /* close at the next turn */
    bool lingering; /* our side is shut, waiting for the client's end */
    bool writing;   /* what did not fit waits for the socket; plain connections only */
    bool turning;   /* inside http_conn_turn */
    bool kicked;
    bool fresh;      /* no request came yet */
    bool dead;       /* being closed */
    unsigned served; /* requests begun */
    size_t discarded;
    int64_t idle_since;
    int64_t linger_since;
    int64_t stall_since; /* of the output; 0 while it is empty */
    size_t stall_bytes;  /* written since then */
    struct loop_timer *timer;
    int64_t timer_at;
};

TAILQ_HEAD(http_conns, http_conn);

struct http_thread {
    struct http_server *server;
    struct loop *loop;
    struct http_conns conns;
    struct http_requests requests;     /* every living one, orphans too */
    struct buf scratch;                /* for rendering heads */
    struct http_packer *packer;        /* NULL until the first answer worth it */
    struct arena *spares[HTTP_SPARES]; /* of requests that ended, for those that come */
    unsigned spare_count;
    char room[HTTP_ROOM]; /* where a read goes; see input.c */
    int64_t date_second;
    char date[40];
    bool draining;
    unsigned cut;
};

struct ssl_ctx_st;

struct http_server {
    struct http_config config;
    char *upload_dir; /* config's, owned */
    char *proxy_text; /* config's trusted_proxies, owned and cut */
    const char **proxies;
    unsigned proxy_count;
    struct http_thread *threads; /* config.threads of them */
    struct http_listeners listeners;
    char url[300];
    bool started;
    bool stopped;
    unsigned cut;
    unsigned connections_max; /* after the descriptor limit */

    /* the accepting side: thread 0 only */
    unsigned pauses;
    unsigned next_thread;
    int spare_fd;
    struct loop_timer *backoff;
    int64_t complained_ms;
    unsigned long unreported;

    struct http_addresses *addresses;
    pthread_mutex_t tls_lock;
    struct ssl_ctx_st *tls; /* NULL: plain; under tls_lock */

    atomic_uint_fast64_t connections;
    atomic_uint_fast64_t accepted;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t refused;
    atomic_uint live;       /* connections that are not lingering */
    atomic_bool rests_full; /* HTTP_PAUSE_FULL, as seen by closing connections */
};

/* ---- policy.c: the fields that decide framing and routing ---- */
void http_fields_cut(struct http_request *req, char *head);
bool http_policy_check(struct http_request *req, struct http_fault *fault);

/* ---- target.c ---- */
bool http_target_split(struct http_request *req, struct http_fault *fault);
/* A Host value: name or address, optional port. */
bool http_host_valid(const char *host, size_t len);

/* ---- forwarded.c ---- */
void http_forwarded_init(struct http_server *server);
void http_forwarded_fini(struct http_server *server);
/* Puts the client in the place of the proxy that brings the request; the fields are cut. */
void http_forwarded_read(struct http_request *req);
/* True if connections from this address are a proxy's. */
bool http_forwarded_trusts(const struct http_server *server, const char *address);

/* ---- reader.c: the only file that knows the parser ---- */
struct http_reader *http_reader_new(void);
void http_reader_free(struct http_reader *reader);
/* Works on the input as far as it goes. True if a request was completed or refused. */
bool http_reader_run(struct http_conn *conn);
void http_reader_timeout(struct http_conn *conn);
/* When the head or body under way must be complete; 0 if none is. */
int64_t http_reader_deadline(const struct http_conn *conn);
bool http_reader_midway(const struct http_conn *conn);
/* The request will not be read any further. */
void http_reader_abandon(struct http_conn *conn, const struct http_request *req);
/* The body may come now: its clock starts. */
void http_reader_continue(struct http_conn *conn);

/* ---- request.c ---- */
struct http_request *http_request_new(struct http_conn *conn);
void http_request_free(struct http_request *req);
struct http_request *http_request_of(void *ptr);
/* The body will have this size. */
void http_request_expect(struct http_request *req, size_t size);
void http_request_detach(struct http_request *req);
void http_request_report(struct http_request *req);
void http_request_retire(struct http_request *req);

/* ---- upload.c ---- */
bool http_upload_take(struct http_upload *up, const char *data, size_t size, struct http_fault *fault);
bool http_upload_end(struct http_upload *up, struct http_fault *fault);
void http_upload_free(struct http_upload *up);
enum err http_upload_prepare(const char *dir);

/* ---- reply.c, refuse.c, stream.c ---- */
struct evbuffer *http_reply_out(struct http_request *req);
void http_reply_head(struct http_request *req, int status, const char *content_type, int64_t length);
void http_reply_head_add(struct http_request *req);
void http_reply_done(struct http_request *req);
void http_refuse(struct http_conn *conn, struct http_request *req, struct http_fault fault);
/* Bytes of this answer that the client has not taken. */
size_t http_stream_waiting(const struct http_request *req);
/* True if the writer was told to go on. */
bool http_stream_notify(struct http_request *req);
void http_stream_gone(struct http_request *req);

/* True if the handler added a field of that name. */
bool http_has_extra(const struct http_request *req, const char *name);

/* ---- connection.c ---- */
void http_conn_new(const struct http_guest *guest);
void http_conn_close(struct http_conn *conn);
/* Asks for a turn soon; never does anything inside the call. */
void http_conn_kick(struct http_conn *conn);
void http_conn_drain(struct http_conn *conn);
unsigned http_conn_cut(struct http_conn *conn);

#endif
