/* httpc_parts.h: what a request consists of, copied, judged and set in a libcurl handle.
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

struct httpc_parts {
    CURLU *url;
    struct curl_slist *headers;
    void *body;
    bool repeatable; /* GET or HEAD: sending it twice does no harm */
};

/* NULL, or in one sentence why the request cannot be sent. parts is to be freed either way, after the handle.
 */
const char *httpc_parts_set(struct httpc_parts *parts, CURL *easy, const struct httpc_request *request);
void httpc_parts_free(struct httpc_parts *parts);

#endif
