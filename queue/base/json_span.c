/* json_span.c: a walk over the text of an object. */
#include "queue/base/json_span.h"

#include <string.h>

/* Behind the string that begins at at; NULL if it does not end. */
static const char *past_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\') {
            at++;
        }
    }
    return at < end ? at + 1 : NULL;
}

/* Behind the object or array that begins at at; NULL if it does not end. */
static const char *past_nest(const char *at, const char *end)
{
    size_t depth = 0;

    while (at != NULL && at < end) {
        if (*at == '"') {
            at = past_string(at, end);
            continue;
        }
        depth += *at == '{' || *at == '[';
        if ((*at == '}' || *at == ']') && --depth == 0) {
            return at + 1;
        }
        at++;
    }
    return NULL;
}

/* Behind the value that begins at at; NULL if it does not end. */
static const char *past_value(const char *at, const char *end)
{
    if (at < end && *at == '"') {
        return past_string(at, end);
    }
    if (at < end && (*at == '{' || *at == '[')) {
        return past_nest(at, end);
    }
    const char *from = at;
    while (at < end && strchr(",}] \t\r\n", *at) == NULL) {
        at++;
    }
    return at > from && at < end ? at : NULL;
}

static const char *past_blank(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) {
        at++;
    }
    return at;
}

/* One member: its key without quotes and its value. Returns what stands behind it, NULL if it is none. */
static const char *read_member(const char *at, const char *end, struct jx_span *key, struct jx_span *value)
{
    const char *from = at;

    if (at == end || *at != '"') {
        return NULL;
    }
    at = past_string(at, end);
    if (at == NULL) {
        return NULL;
    }
    *key = (struct jx_span){from + 1, (size_t)(at - from) - 2};
    at = past_blank(at, end);
    if (at == end || *at != ':') {
        return NULL;
    }
    from = past_blank(at + 1, end);
    at = past_value(from, end);
    if (at != NULL) {
        *value = (struct jx_span){from, (size_t)(at - from)};
        at = past_blank(at, end);
    }
    return at;
}

/* Keeps the value if its key is one of the names. */
static void keep(const struct jx_span *key, const struct jx_span *value, const char *const names[],
                 size_t count, struct jx_span out[])
{
    for (size_t i = 0; i < count; i++) {
        bool begins = key->size == 0 || names[i][0] == key->at[0];
        if (begins && strncmp(names[i], key->at, key->size) == 0 && names[i][key->size] == '\0') {
            out[i] = *value;
        }
    }
}

bool jx_spans(const char *text, size_t size, const char *const names[], size_t count, struct jx_span out[])
{
    const char *end = text + size, *at = past_blank(text, end);
    struct jx_span key, value;
    bool more = at < end && *at == '{';

    memset(out, 0, count * sizeof(*out));
    at = more ? past_blank(at + 1, end) : NULL;
    if (at != NULL && at < end && *at == '}') {
        return true;
    }
    while (more && at != NULL) {
        at = read_member(at, end, &key, &value);
        if (at == NULL || at == end) {
            break;
        }
        keep(&key, &value, names, count, out);
        if (*at == '}') {
            return true;
        }
        more = *at == ',';
        at = past_blank(at + 1, end);
    }
    memset(out, 0, count * sizeof(*out));
    return false;
}

bool jx_span_str(const struct jx_span *span, char *out, size_t room)
{
    size_t size = span->size >= 2 ? span->size - 2 : 0;

    out[0] = '\0';
    if (span->at == NULL || span->size < 2 || span->at[0] != '"' || size >= room ||
        memchr(span->at + 1, '\\', size) != NULL) {
        return false;
    }
    memcpy(out, span->at + 1, size);
    out[size] = '\0';
    return true;
}

bool jx_span_is(const struct jx_span *span, const char *text)
{
    return span->at != NULL && span->size == strlen(text) && memcmp(span->at, text, span->size) == 0;
}
