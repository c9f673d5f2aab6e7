/* api_call_check.c: what a spec may say. The same rules hold where it was written and where it runs. */
#include "agent/tool/api_call.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "agent/tool/api_call_int.h"
#include "agent/tool/template.h"

#define URL_MAX     2048
#define BODY_MAX    65536
#define HEADERS_MAX 30
#define SAVES_MAX   30
#define NAME_MAX    64

/* Headers that belong to the connection, not to the caller. */
static const char *const own_headers[] = {"host", "content-length", "transfer-encoding", "connection",
                                          "te",   "trailer",        "upgrade",           "expect"};

static enum err refuse(const char **field, struct buf *why, const char *where, const char *reason)
{
    *field = where;
    buf_addf(why, "%s %s", where + 1, reason);
    return ERR_INVALID;
}

/* Checks the braces of a text that goes into a request. */
static enum err check_braces(const char **field, struct buf *why, const char *where, const char *text)
{
    struct buf reason;

    buf_init(&reason, 200);
    enum err rc = template_check(text, true, &reason) ? ERR_OK : refuse(field, why, where, buf_str(&reason));
    buf_fini(&reason);
    return rc;
}

size_t api_call_host(const char *url)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0 ? 8 : strncasecmp(url, "http://", 7) == 0 ? 7 : 0;

    return scheme > 0 ? scheme + strcspn(url + scheme, "/?#") : 0;
}

bool api_call_dotted(const char *url)
{
    const char *at = url + api_call_host(url), *end = at + strcspn(at, "?#");

    while (at < end) {
        size_t size = strcspn(at + 1, "/?#"), dots = 0, i = 1;
        while (i <= size && (at[i] == '.' || strncasecmp(at + i, "%2e", 3) == 0)) {
            dots++;
            i += at[i] == '.' ? 1 : 3;
        }
        if (i == size + 1 && (dots == 1 || dots == 2)) {
            return true;
        }
        at += size + 1;
    }
    return false;
}

static enum err check_url(const json_t *spec, const char **field, struct buf *why)
{
    const char *url = jx_str(spec, "url");
    size_t host = url != NULL ? api_call_host(url) : 0;

    if (url == NULL || url[0] == '\0') {
        return refuse(field, why, "/url", "is required");
    }
    if (host == 0 || host <= strlen("https://") || strlen(url) > URL_MAX) {
        return refuse(field, why, "/url", "must be an http or https address of at most 2048 bytes");
    }
    if (memchr(url, '{', host) != NULL) {
        return refuse(field, why, "/url", "must name its host without variables");
    }
    if (memchr(url, '@', host) != NULL || strpbrk(url, "#\\\"<>\r\n\t") != NULL) {
        return refuse(field, why, "/url", "must be without credentials, fragment and quotes");
    }
    if (api_call_dotted(url)) {
        return refuse(field, why, "/url", "must have no . or .. in its path");
    }
    return check_braces(field, why, "/url", url);
}

static enum err check_method(const json_t *spec, const char **field, struct buf *why)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    const json_t *method = json_object_get(spec, "method");

    for (size_t i = 0; method != NULL && i < sizeof methods / sizeof *methods; i++) {
        if (json_is_string(method) && strcmp(methods[i], json_string_value(method)) == 0) {
            return ERR_OK;
        }
    }
    return method == NULL ? ERR_OK : refuse(field, why, "/method", "must be GET, POST, PUT, PATCH or DELETE");
}

/* A token of RFC 9110 that is not one of the connection's. */
static bool header_name_ok(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < sizeof own_headers / sizeof *own_headers; i++) {
        if (strcasecmp(own_headers[i], name) == 0) {
            return false;
        }
    }
    return len > 0 && len <= NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~") ==
               len;
}

static bool header_value_ok(const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            return false;
        }
    }
    return text != NULL;
}

static enum err check_headers(const json_t *spec, const char **field, struct buf *why)
{
    json_t *headers = json_object_get(spec, "headers"), *value;
    const char *name;
    enum err rc = ERR_OK;

    if (headers == NULL) {
        return ERR_OK;
    }
    if (!json_is_object(headers) || json_object_size(headers) > HEADERS_MAX) {
        return refuse(field, why, "/headers", "must be an object of at most 30 texts");
    }
    json_object_foreach (headers, name, value) {
        if (!header_name_ok(name)) {
            return refuse(field, why, "/headers", "holds a name that may not be set");
        }
        if (!header_value_ok(json_string_value(value)) || json_string_length(value) > URL_MAX) {
            return refuse(field, why, "/headers", "must hold texts of at most 2048 bytes on one line");
        }
        rc = rc == ERR_OK ? check_braces(field, why, "/headers", json_string_value(value)) : rc;
    }
    return rc;
}

/* All texts of a body, however deep. */
static enum err check_texts(const json_t *value, const char **field, struct buf *why)
{
    enum err rc = ERR_OK;
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_string(value)) {
        return check_braces(field, why, "/body", json_string_value(value));
    }
    json_array_foreach ((json_t *)value, i, item) {
        rc = rc == ERR_OK ? check_texts(item, field, why) : rc;
    }
    json_object_foreach ((json_t *)value, key, item) {
        rc = rc == ERR_OK ? check_texts(item, field, why) : rc;
    }
    return rc;
}

static enum err check_body(const json_t *spec, const char **field, struct buf *why)
{
    const json_t *body = json_object_get(spec, "body");
    const char *method = jx_str_or(spec, "method", "GET");
    struct buf text;

    if (body == NULL || json_is_null(body)) {
        return ERR_OK;
    }
    if (strcmp(method, "GET") == 0) {
        return refuse(field, why, "/body", "does not go with GET");
    }
    buf_init(&text, BODY_MAX);
    jx_dump(body, &text);
    bool fits = buf_ok(&text);
    buf_fini(&text);
    return fits ? check_texts(body, field, why) : refuse(field, why, "/body", "must be at most 64 KiB");
}

bool api_call_save_name(const char *name)
{
    static const char *const taken[] = {"secret", "contact", "message", "conversation",
                                        "agent",  "now",     "flow"};
    size_t len = strlen(name);

    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (strcmp(taken[i], name) == 0) {
            return false;
        }
    }
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && name[i] != '_') {
            return false;
        }
    }
    return len > 0 && len <= NAME_MAX && !isdigit((unsigned char)name[0]);
}

static enum err check_save(const json_t *spec, const char **field, struct buf *why)
{
    json_t *save = json_object_get(spec, "save"), *value;
    const char *name;

    if (save == NULL) {
        return ERR_OK;
    }
    if (!json_is_object(save) || json_object_size(save) > SAVES_MAX) {
        return refuse(field, why, "/save", "must be an object of at most 30 JSON pointers");
    }
    json_object_foreach (save, name, value) {
        const char *pointer = json_string_value(value);
        if (!api_call_save_name(name)) {
            return refuse(field, why, "/save", "holds a name that may not be set: letters, digits and _");
        }
        if (pointer == NULL || (pointer[0] != '\0' && pointer[0] != '/') || strlen(pointer) > 300) {
            return refuse(field, why, "/save", "must hold JSON pointers: \"\" or \"/name/0/...\"");
        }
    }
    return ERR_OK;
}

static enum err check_timeout(const json_t *spec, const char **field, struct buf *why)
{
    const json_t *timeout = json_object_get(spec, "timeout_ms");
    int64_t ms = json_is_integer(timeout) ? json_integer_value(timeout) : -1;

    if (timeout != NULL && (ms < API_CALL_MS_MIN || ms > API_CALL_MS_MAX)) {
        return refuse(field, why, "/timeout_ms", "must be a whole number from 100 to 30000");
    }
    return ERR_OK;
}

enum err api_call_check(const json_t *spec, const char **field, struct buf *why)
{
    static enum err (*const checks[])(const json_t *, const char **, struct buf *) = {
        check_method, check_url, check_headers, check_body, check_save, check_timeout};

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        enum err rc = checks[i](spec, field, why);
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return ERR_OK;
}
