/* httpc.h: the asynchronous HTTP client: one libcurl multi handle on one loop.
 *
 * Only http and https, no redirects, no environment proxy, no netrc, no cookies. Every connection passes
 * netguard (unless the transfer is marked trusted: targets that the operator, not a customer, configured,
 * such as the platform's own Graph API). Phases have deadlines of their own: connect, silence between bytes, whole.
 * Each transfer ends with exactly one call of done, on the loop's thread, never inside httpc_send. A
 * transfer is known by its number, never by a pointer; a number that ended means nothing and cancelling it
 * does nothing. Thread: the loop's own. */
#ifndef CHASQUI_BASE_HTTPC_H
#define CHASQUI_BASE_HTTPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/error.h"

struct loop;
struct httpc;

enum httpc_outcome {
    HTTPC_ANSWERED,  /* a complete answer: look at status */
    HTTPC_BLOCKED,   /* netguard refused the address, or URL, method or headers are none we may send */
    HTTPC_UNREACHED, /* name, connect or TLS failed: certainly nothing was sent */
    HTTPC_BROKEN,    /* broke off after the request may have been sent */
    HTTPC_TIMEOUT,   /* a deadline passed after the request may have been sent */
    HTTPC_TOO_LARGE, /* the answer went over max_answer and was cut off */
    HTTPC_CANCELLED,
};
const char *httpc_outcome_name(enum httpc_outcome outcome);

struct httpc_answer {
    enum httpc_outcome outcome;
    long status;          /* HTTP status, 0 if none came */
    bool head_done;       /* the answer's whole head came */
    const char *body;     /* NUL-terminated, never NULL; empty when on_data took it. Good until done returns */
    size_t body_size;
    const char *content_type;  /* "" if none */
    const char *retry_after;   /* "" if none */
    int64_t total_us;     /* time from send to end */
    const char *reason;   /* libcurl's words for a failure, for logs; "" on success */
    const void *headers;  /* for httpc_answer_header */
};
/* The value of the answer's last header of that name (case-insensitive), or NULL. Good until done returns. */
const char *httpc_answer_header(const struct httpc_answer *answer, const char *name);

struct httpc_request {
    const char *method;          /* "GET", "POST", ... */
    const char *url;
    const char *const *headers;  /* "Name: value" strings */
    size_t header_count;
    const void *body;            /* copied */
    size_t body_size;
    int connect_ms;              /* 0: 5,000 */
    int silence_ms;              /* longest gap between bytes of the answer, 0: none */
    int total_ms;                /* 0: 15,000 */
    size_t max_answer;           /* bytes of body, 0: 1 MiB */
    bool http2;                  /* HTTP/2 where TLS negotiation offers it; else HTTP/1.1 */
    bool trusted;                /* skip netguard */
    const char *unix_socket;     /* connect to this socket file instead of the URL's host; NULL: no */
    const char *pool;            /* connections are shared only inside one pool name (an account); NULL: shared */
    /* Takes the body piece by piece as it comes (streams); return false to cancel. NULL: collected into body. */
    bool (*on_data)(const char *data, size_t size, long status, void *arg);
};
typedef void (*httpc_done_fn)(const struct httpc_answer *answer, void *arg);

struct httpc *httpc_new(struct loop *loop);
/* Cancels what is under way (done is called for each), then frees. On the loop's thread, never inside done. */
void httpc_free(struct httpc *client);

/* All strings and the body are copied. Returns the transfer's number, never 0. */
uint64_t httpc_send(struct httpc *client, const struct httpc_request *request, httpc_done_fn done, void *arg);
/* done is called later with HTTPC_CANCELLED. */
void httpc_cancel(struct httpc *client, uint64_t number);
size_t httpc_in_flight(const struct httpc *client);

#endif
