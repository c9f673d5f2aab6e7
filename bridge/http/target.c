/* target.c: the request target: path, query, and the shape of a host.
 *
 * A path is decoded once and must then be what it looks like: every way of writing the same path differently
 * (dot segments, empty segments, an encoded slash, NUL) is refused instead of repaired, so that whoever
 * checks a path and whoever uses it cannot disagree. */
#include "bridge/http/http_int.h"

#include <string.h>
#include <strings.h>

#include "queue/base/codec.h"

#define PORT_DIGITS_MAX 5

/* Records a refusal. */
static bool refuse(struct http_fault *fault, const char *reason)
{
    fault->status = 400;
    fault->reason = reason;
    return false;
}

/* ":" and 1 to 5 digits up to 65535, or nothing. */
static bool port_valid(const char *text, size_t len)
{
    unsigned port = 0;
    if (len == 0) {
        return true;
    }
    if (text[0] != ':' || len < 2 || len > 1 + PORT_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 1; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port <= 65535;
}

/* True for the bytes of a name or an IPv4 address; of an IPv6 address inside its brackets. */
static bool host_byte(char c, bool v6)
{
    if (c >= '0' && c <= '9') {
        return true;
    }
    if (v6) {
        return c == ':' || c == '.' || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    }
    return c == '-' || c == '.' || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A Host value: name or address, optional port. */
bool http_host_valid(const char *host, size_t len)
{
    bool v6 = len > 0 && host[0] == '[';
    size_t at = v6 ? 1 : 0;
    size_t begin = at;
    while (at < len && host_byte(host[at], v6)) {
        at++;
    }
    if (at == begin || (v6 && (at == len || host[at] != ']'))) {
        return false;
    }
    at += v6 ? 1 : 0;
    return port_valid(host + at, len - at);
}

/* Takes scheme and authority off an absolute-form target; the authority must be what Host says. */
static bool skip_authority(const struct http_request *req, const char **rest, struct http_fault *fault)
{
    const char *at = *rest;
    size_t scheme = strncasecmp(at, "http://", 7) == 0 ? 7 : strncasecmp(at, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0) {
        return refuse(fault, "the request target does not begin with a slash");
    }
    at += scheme;
    size_t len = strcspn(at, "/?");
    const char *host = http_header(req, "Host");
    if (!http_host_valid(at, len) ||
        (host != NULL && (strlen(host) != len || strncasecmp(host, at, len) != 0))) {
        return refuse(fault, "the request target names another host than the Host field");
    }
    *rest = at + len;
    return true;
}

/* True if every segment but a last empty one is a real name. */
static bool segments_valid(const char *path)
{
    const char *at = path + 1;
    while (*at != '\0') {
        size_t len = strcspn(at, "/");
        bool dots = (len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.');
        if (len == 0 || dots) {
            return false;
        }
        at += len;
        at += *at == '/' ? 1 : 0;
    }
    return true;
}

/* True if the raw path holds a byte or an escape that could be read as a separator. */
static bool ambiguous(const char *raw, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (raw[i] == '\\' || raw[i] == '#') {
            return true;
        }
        if (raw[i] == '%' && i + 2 < len &&
            (strncasecmp(raw + i, "%2f", 3) == 0 || strncasecmp(raw + i, "%5c", 3) == 0)) {
            return true;
        }
    }
    return false;
}

/* True if the decoded path holds no control byte and is UTF-8. */
static bool text_valid(const char *path, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f) {
            return false;
        }
    }
    return utf8_valid(path, len);
}

/* True if the path holds nothing but letters, digits, '/', '-', '_' and '.': then it says what it says. */
static bool is_plain(const char *raw, size_t len)
{
    static const uint64_t plain[4] = {0x03ffe00000000000U, 0x07fffffe87fffffeU}; /* a bit for each byte */
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)raw[i];
        if ((plain[c / 64] >> c % 64 & 1) == 0) {
            return false;
        }
    }
    return true;
}

/* Decodes the raw path into the request. */
static bool decode_path(struct http_request *req, const char *raw, size_t len, struct http_fault *fault)
{
    struct buf path;
    if (is_plain(raw, len)) {
        req->path = arena_strndup(req->arena, raw, len);
        return segments_valid(req->path) ||
               refuse(fault, "the path has a bad escape, a dot segment or an empty segment");
    }
    buf_init(&path, len + 1);
    bool fine = !ambiguous(raw, len) && percent_decode(&path, raw, len, false) && buf_ok(&path) &&
                text_valid(buf_str(&path), path.len) && segments_valid(buf_str(&path));
    if (fine) {
        req->path = arena_strndup(req->arena, buf_str(&path), path.len);
    }
    buf_fini(&path);
    return fine || refuse(fault, "the path has a bad escape, a dot segment or an empty segment");
}

/* Splits the target of a request into path and query. */
bool http_target_split(struct http_request *req, struct http_fault *fault)
{
    const char *at = req->target;
    if (*at != '/' && !skip_authority(req, &at, fault)) {
        return false;
    }
    size_t len = strcspn(at, "?");
    const char *query = at[len] == '?' ? at + len + 1 : "";
    if (strchr(query, '#') != NULL) {
        return refuse(fault, "the request target has a fragment");
    }
    req->query = arena_strdup(req->arena, query);
    if (len == 0) {
        req->path = "/";
        return true;
    }
    return decode_path(req, at, len, fault);
}

/* Decodes a piece of the query; NULL on a bad escape. */
static const char *decode_piece(struct http_request *req, const char *text, size_t len)
{
    struct buf piece;
    buf_init(&piece, len + 1);
    const char *out = NULL;
    if (percent_decode(&piece, text, len, true) && buf_ok(&piece)) {
        out = arena_strndup(req->arena, buf_str(&piece), piece.len);
    }
    buf_fini(&piece);
    return out;
}

/* Decodes the whole query on first use. */
static void read_params(struct http_request *req)
{
    struct http_param **tail = &req->params;
    const char *at = req->query;
    req->params_read = true;
    while (*at != '\0') {
        size_t len = strcspn(at, "&");
        const char *equals = memchr(at, '=', len);
        size_t name = equals == NULL ? len : (size_t)(equals - at);
        struct http_param *param = arena_alloc(req->arena, sizeof *param);
        param->name = decode_piece(req, at, name);
        param->value = equals == NULL ? "" : decode_piece(req, equals + 1, len - name - 1);
        if (param->name == NULL || param->value == NULL) {
            req->params_bad = true;
        } else if (len > 0) {
            *tail = param;
            tail = &param->next;
        }
        at += len;
        at += *at == '&' ? 1 : 0;
    }
}

/* The first decoded parameter of that name. */
const char *http_query_value(struct http_request *req, const char *name)
{
    if (!req->params_read) {
        read_params(req);
    }
    for (const struct http_param *param = req->params; param != NULL; param = param->next) {
        if (strcmp(param->name, name) == 0) {
            return param->value;
        }
    }
    return NULL;
}

/* Walks the decoded parameters; a query with a bad escape is not walked at all. */
bool http_query_each(struct http_request *req, bool (*fn)(const char *name, const char *value, void *arg),
                     void *arg)
{
    if (!req->params_read) {
        read_params(req);
    }
    if (req->params_bad) {
        return false;
    }
    for (const struct http_param *param = req->params; param != NULL; param = param->next) {
        if (!fn(param->name, param->value, arg)) {
            break;
        }
    }
    return true;
}
