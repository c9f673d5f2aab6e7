/* asset.c: see asset.h. What is made of an asset stays for the process's life; two threads that make it at
 * once agree on the first. The tag is weak, since the packed and the plain form carry the same one. */
#include "bridge/http/asset.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/http/encode.h"
#include "bridge/http/http_int.h"
#include "queue/base/crypto.h"

#define LEVEL_GOOD 6
#define TAG_DIGITS 32

struct made {
    char tag[TAG_DIGITS + 5]; /* W/"..." */
    void *packed;             /* NULL: not worth it */
    size_t packed_size;
};

/* What the first request needs of an asset. */
static struct made *make(const struct http_asset *asset)
{
    char hex[65];
    struct made *made = xcalloc(1, sizeof *made);
    sha256_hex(asset->data, asset->size, hex);
    snprintf(made->tag, sizeof made->tag, "W/\"%.*s\"", TAG_DIGITS, hex);
    if (http_worth_packing(asset->content_type, asset->size)) {
        struct http_packer *packer = http_packer_new(LEVEL_GOOD);
        made->packed = http_packer_run(packer, asset->data, asset->size, &made->packed_size);
        http_packer_free(packer);
    }
    return made;
}

/* What is made of an asset, made now if this is the first time. */
static const struct made *made_of(struct http_asset *asset)
{
    void *there = atomic_load(&asset->made);
    if (there != NULL) {
        return there;
    }
    struct made *fresh = make(asset);
    if (!atomic_compare_exchange_strong(&asset->made, &there, fresh)) {
        free(fresh->packed);
        free(fresh);
        return there;
    }
    return fresh;
}

/* True if an If-None-Match names this tag; strong or weak makes no difference here. */
bool http_tag_matches(const char *condition, const char *tag)
{
    const char *at = condition != NULL ? condition : "";
    tag += strncmp(tag, "W/", 2) == 0 ? 2 : 0;
    while (*at != '\0') {
        at += strspn(at, ", \t");
        if (*at == '*') {
            return true;
        }
        at += strncmp(at, "W/", 2) == 0 ? 2 : 0;
        if (*at != '"') {
            return false; /* no list of tags */
        }
        size_t len = 1 + strcspn(at + 1, "\"");
        if (at[len] != '"') {
            return false;
        }
        len++;
        if (len == strlen(tag) && memcmp(at, tag, len) == 0) {
            return true;
        }
        at += len;
    }
    return false;
}

void http_reply_asset(struct http_request *req, struct http_asset *asset)
{
    const struct made *made = made_of(asset);
    http_reply_header(req, "ETag", made->tag);
    http_reply_header(req, "Cache-Control", asset->cache_control != NULL ? asset->cache_control : "no-cache");
    if (made->packed != NULL) {
        http_reply_header(req, "Vary", "Accept-Encoding");
    }
    if (http_tag_matches(http_header(req, "If-None-Match"), made->tag)) {
        http_reply(req, 304, NULL, "", 0);
    } else if (made->packed != NULL && http_takes_gzip(http_header(req, "Accept-Encoding"))) {
        http_reply_header(req, "Content-Encoding", "gzip");
        http_reply(req, 200, asset->content_type, made->packed, made->packed_size);
    } else {
        http_reply(req, 200, asset->content_type, asset->data, asset->size);
    }
}
