/* graph.c: addresses of the Graph API and calls with the channel's token. The channel's own URL and version
 * go before the options; a URL that a customer of ours set passes the guard against private addresses. */
#include <stdlib.h>
#include <string.h>

#include "channels/whatsapp/whatsapp.h"

#include "queue/base/crypto.h"
#include "queue/base/option.h"

#define TOKEN_MAX 8192

char *whatsapp_url(const json_t *channel, const char *path)
{
    const char *base = jx_str_or(channel, "graph_url", option_text(OPT_GRAPH_URL));
    const char *version = jx_str_or(channel, "graph_version", option_text(OPT_GRAPH_VERSION));
    size_t len = strlen(base);

    while (len > 0 && base[len - 1] == '/') {
        len--;
    }
    return xasprintf("%.*s/%s/%s", (int)len, base, version, path);
}

char *whatsapp_number_url(const json_t *channel, const char *rest)
{
    char *path =
        xasprintf("%s%s%s", jx_str_or(channel, "phone_number_id", ""), rest[0] == '?' ? "" : "/", rest);
    char *url = whatsapp_url(channel, path);

    free(path);
    return url;
}

/* "Authorization: Bearer TOKEN"; false if the channel's token cannot be opened. */
static bool authorization(const struct send_call *call, struct buf *header)
{
    struct buf token;

    buf_init(&token, TOKEN_MAX);
    bool good = channel_secret(call->part, call->channel, "access_token", &token) == ERR_OK && token.len > 0;
    if (good) {
        buf_addf(header, "Authorization: Bearer %s", buf_str(&token));
        wipe(token.data, token.len);
    }
    buf_fini(&token);
    return good && buf_ok(header);
}

bool whatsapp_request(const struct send_call *call, struct httpc_request *request, const char *content_type,
                      httpc_done_fn done, void *arg)
{
    struct buf bearer;
    char *type = xasprintf("Content-Type: %s", content_type != NULL ? content_type : "application/json");

    buf_init(&bearer, TOKEN_MAX + 64);
    bool good = authorization(call, &bearer);
    if (good) {
        const char *headers[] = {buf_str(&bearer), "Accept: */*", "User-Agent: chasqui/" CHASQUI_VERSION,
                                 type};
        request->headers = headers;
        request->header_count = content_type != NULL ? 4 : 3;
        request->trusted = jx_str(call->channel, "graph_url") == NULL;
        request->pool = call->part;
        httpc_send(call->http, request, done, arg);
    }
    if (bearer.len > 0) {
        wipe(bearer.data, bearer.len);
    }
    buf_fini(&bearer);
    free(type);
    return good;
}

bool whatsapp_call(const struct send_call *call, const char *method, const char *url,
                   const char *content_type, const struct buf *body, httpc_done_fn done, void *arg)
{
    struct httpc_request request = {.method = method, .url = url};

    if (body != NULL) {
        request.body = body->data;
        request.body_size = body->len;
    }
    return whatsapp_request(call, &request, body != NULL ? content_type : NULL, done, arg);
}
