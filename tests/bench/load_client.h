/* load_client.h: keep-alive connections in a closed loop: each sends its next request when the answer has
 * come.
 *
 * One thread, one epoll set, loopback only. Latency runs from the write of a request to the last byte of its
 * answer. Only answers that arrive inside the measured window count; requests under way at its end are waited
 * for. */
#ifndef CHASQUI_BENCH_LOAD_CLIENT_H
#define CHASQUI_BENCH_LOAD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/error.h"

struct payload;

struct load_options {
    const char *address; /* IPv4 loopback, dotted */
    unsigned port;
    unsigned connections;
    int64_t warm_us;   /* before the window */
    int64_t window_us; /* length of the window */
    uint64_t count;    /* stop after that many requests; 0: no such limit */
};

#define LOAD_STATUS_MAX 600

struct load_result {
    uint64_t acked;                     /* 2xx inside the window */
    uint64_t acked_total;               /* 2xx from first to last request */
    uint64_t statuses[LOAD_STATUS_MAX]; /* answers inside the window by status, 2xx as well */
    uint64_t failed_connects;
    uint64_t closed;      /* connections that the server ended before an answer */
    uint64_t malformed;   /* answers that are not HTTP/1.1 with Content-Length */
    uint64_t unanswered;  /* requests still without an answer when the run was given up */
    int64_t took_us;      /* the window as it was */
    uint32_t *latency_us; /* of each acked one, sorted; the caller frees */
    size_t latencies;
};

/* ERR_NETWORK: not one connection could be made. */
enum err load_run(const struct load_options *options, struct payload *payload,
                  struct load_result *out) MUST_CHECK;

#endif
