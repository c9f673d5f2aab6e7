/* asset.h: answers that never change while the process runs: pages, scripts and styles out of the binary.
 *
 * An asset is a static variable; its ETag and its gzip form are made once, when it is first asked for. A
 * client that has it already gets 304. Usage:
 *
 *     static struct http_asset page = {"text/html; charset=utf-8", page_bytes, sizeof page_bytes, NULL};
 *     http_reply_asset(req, &page);           or, inside an API handler, call_asset(c, &page)
 *
 * Other fields (Content-Security-Policy and the like) are added before with http_reply_header.
 * RFC 9110 sections 8.8.3 (ETag), 13.1.2 (If-None-Match), RFC 9111 section 5.2.2. Thread: any. */
#ifndef CHASQUI_HTTP_ASSET_H
#define CHASQUI_HTTP_ASSET_H

#include "bridge/http/http.h"

struct http_asset {
    const char *content_type;
    const void *data; /* lives as long as the process */
    size_t size;
    const char *cache_control; /* NULL: "no-cache", which lets a client keep it but ask each time */
    void *_Atomic made;        /* ours; NULL at birth */
};

/* Answers 200 or 304 and ends, as http_reply does. GET and HEAD. */
void http_reply_asset(struct http_request *req, struct http_asset *asset);

#endif
