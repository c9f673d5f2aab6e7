/* httpc_parts.h: what a request consists of, copied, judged and set in a libcurl handle.
 *
 * Making a handle ready costs as much as a small transfer, so a POST leaves its rules and its URL set for the
 * next one to the same URL; what else differs between two requests is set for each. Anything but a POST
 * begins with nothing set.
 *
 * The rules of every transfer are set here (http and https only, no redirect, proxy, netrc or cookie), and
 * here a request that must not be sent is refused: a URL of another scheme, without a host, or with a user
 * name; a header that would forge another one or change the framing. Private to httpc.c. Thread: any, one at
 * a time. */
#ifndef CHASQUI_BASE_HTTPC_PARTS_H
#define CHASQUI_BASE_HTTPC_PARTS_H

#include <stdbool.h>

#include <curl/curl.h>

#include "queue/base/httpc.h"

struct httpc_handle {
    CURL *easy;
    CURLU *url;      /* taken apart, and set in easy */
    char *ready_for; /* the URL of the POSTs that may follow; NULL: begin with nothing set */
    bool http2;
};

struct httpc_handle *httpc_handle_new(void);
void httpc_handle_free(struct httpc_handle *handle);
/* Lets go of everything that belongs to the transfer that has ended. */
void httpc_handle_rest(struct httpc_handle *handle);
/* True if a request can begin with what is set. */
bool httpc_handle_fits(const struct httpc_handle *handle, const struct httpc_request *request);

struct httpc_parts {
    struct curl_slist *headers; /* all of them in one piece */
    void *body;
    bool repeatable; /* GET or HEAD: sending it twice does no harm */
};

/* NULL, or in one sentence why the request cannot be sent. parts is to be freed either way, after the handle
 * rests. */
const char *httpc_parts_set(struct httpc_parts *parts, struct httpc_handle *handle,
                            const struct httpc_request *request);
void httpc_parts_free(struct httpc_parts *parts);

#endif
