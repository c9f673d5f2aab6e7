/* redact.c: takes out of an answer what was put into the request as a secret: a server that echoes its
 * request must not bring a token into the conversation. */
#include <string.h>

#include "agent/tool/api_call_int.h"
#include "queue/base/codec.h"

#define LEAST 4 /* shorter secrets would tear holes in everything */
#define MARK  "***"

/* The first place at which one of the texts stands; *size its length. */
static const char *find_any(const char *text, const json_t *secrets, size_t *size)
{
    const char *first = NULL;

    for (size_t i = 0; i < json_array_size(secrets); i++) {
        const char *secret = json_string_value(json_array_get(secrets, i));
        const char *at = strlen(secret) >= LEAST ? strstr(text, secret) : NULL;
        if (at != NULL && (first == NULL || at < first || (at == first && strlen(secret) > *size))) {
            first = at;
            *size = strlen(secret);
        }
    }
    return first;
}

static json_t *redact_text(const char *text, const json_t *secrets)
{
    struct buf out;
    size_t size = 0;

    buf_init(&out, 4 * strlen(text) + 64);
    for (const char *at = find_any(text, secrets, &size); at != NULL; at = find_any(text, secrets, &size)) {
        buf_add(&out, text, (size_t)(at - text));
        buf_adds(&out, MARK);
        text = at + size;
    }
    buf_adds(&out, text);
    json_t *value = json_string(buf_str(&out));
    buf_fini(&out);
    return value;
}

/* The secrets with their percent-encoded spellings. New reference. */
static json_t *spellings_of(const json_t *texts)
{
    json_t *all = json_array();
    struct buf out;

    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const char *text = json_string_value(json_array_get(texts, i));
        buf_reset(&out);
        percent_encode(&out, text, strlen(text));
        jx_push(all, json_string(text));
        jx_push(all, json_string(buf_str(&out)));
    }
    buf_fini(&out);
    return all;
}

static json_t *redact(const json_t *value, const json_t *secrets)
{
    json_t *copy, *item;
    const char *key;
    size_t i;

    if (json_is_string(value)) {
        return redact_text(json_string_value(value), secrets);
    }
    if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach ((json_t *)value, i, item) {
            jx_push(copy, redact(item, secrets));
        }
        return copy;
    }
    if (!json_is_object(value)) {
        return json_incref((json_t *)value);
    }
    copy = json_object();
    json_object_foreach ((json_t *)value, key, item) {
        json_t *name = redact_text(key, secrets);
        jx_set(copy, json_string_value(name), redact(item, secrets));
        json_decref(name);
    }
    return copy;
}

json_t *api_call_redact(const json_t *value, const json_t *texts)
{
    if (json_array_size(texts) == 0) {
        return json_incref((json_t *)value);
    }
    json_t *secrets = spellings_of(texts);
    json_t *clean = redact(value, secrets);

    json_decref(secrets);
    return clean;
}
