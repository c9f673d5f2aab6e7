/* side.c: one JSON request to a server beside the model. */
#include "agent/embed/side.h"

#include <stdlib.h>
#include <string.h>

#include "agent/embed/embed.h"
#include "queue/base/crypto.h"

void side_send(struct httpc *http, const struct side_post *post, httpc_done_fn done, void *arg)
{
    size_t path = strcspn(post->base_url, "?");
    char *url = xasprintf("%.*s%s%s", (int)path, post->base_url, post->path, post->base_url + path);
    char *bearer = xasprintf("Authorization: Bearer %s", post->key);
    char *text = jx_text(post->body);
    const char *headers[] = {"Content-Type: application/json", "Accept: application/json", bearer};
    struct httpc_request request = {.method = "POST",
                                    .url = url,
                                    .headers = headers,
                                    .header_count = post->key[0] != '\0' ? 3 : 2,
                                    .body = text,
                                    .body_size = strlen(text),
                                    .total_ms = post->total_ms,
                                    .max_answer = post->max_answer,
                                    .pool = post->part};

    httpc_send(http, &request, done, arg);
    wipe(bearer, strlen(bearer));
    free(bearer);
    free(text);
    free(url);
}

void side_key_fini(struct buf *key)
{
    if (key->data != NULL) {
        wipe(key->data, key->len);
    }
    buf_fini(key);
}

json_t *side_text(const char *text)
{
    size_t n = strlen(text);

    if (n > EMBED_TEXT_MAX) {
        n = EMBED_TEXT_MAX;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) {
            n--;
        }
    }
    json_t *value = n > 0 ? json_stringn(text, n) : NULL;
    return value != NULL ? value : json_string(" ");
}
