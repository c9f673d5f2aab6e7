/* guard.c: looks at the raw bytes of a request's head before anything parses them.
 *
 * The library behind us was built without its strict mode and forgives what another server in front may read
 * differently: lines ended by a bare LF, folded fields, NUL bytes, any version number. That difference is how
 * one client's request is smuggled into another's connection. So each line is checked here in its raw form
 * (RFC 9112 sections 2.2, 3 and 5) and the first fault ends the connection with a status.
 *
 * The scan is incremental: a byte is looked at once however slowly it drips in. Line 0 is the request line;
 * one empty line in front of it is allowed (RFC 9112 section 2.2), no more. */
#include "bridge/http/http_int.h"

#include <string.h>

#define LINE_SLACK 64 /* method, spaces and version around the target */

/* Methods that exist here: everything else is 501. Which of them a path takes is the router's table. */
#define METHOD_TABLE(X) X("GET") X("HEAD") X("POST") X("PUT") X("PATCH") X("DELETE") X("OPTIONS")

static const char *const METHODS[] = {
#define X(name) name,
    METHOD_TABLE(X)
#undef X
};

/* True for the bytes of a token (RFC 9110 section 5.6.2). */
bool http_is_token_byte(unsigned char c)
{
    static const char tokens[256] = {
        ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1,
        ['.'] = 1, ['0'] = 1, 1,         1,         1,         1,          1,         1,         1,
        1,         1,         ['A'] = 1, 1,         1,         1,          1,         1,         1,
        1,         1,         1,         1,         1,         1,          1,         1,         1,
        1,         1,         1,         1,         1,         1,          1,         1,         1,
        1,         ['^'] = 1, ['_'] = 1, ['`'] = 1, ['a'] = 1, 1,          1,         1,         1,
        1,         1,         1,         1,         1,         1,          1,         1,         1,
        1,         1,         1,         1,         1,         1,          1,         1,         1,
        1,         1,         1,         ['|'] = 1, ['~'] = 1,
    };
    return tokens[c] != 0;
}

/* True for the bytes a field value may hold: no control byte but the tab (RFC 9110 section 5.5). */
bool http_is_field_byte(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* True if none of eight bytes is a control byte, or may be one: the tab and bytes behind such a one are
 * looked at again. The usual two tricks with borrows (a byte below 0x20; a byte that is 0x7f, as one that is
 * 0 after an exclusive or), which never miss a byte. */
static bool eight_plain(const char *at)
{
    const uint64_t ones = 0x0101010101010101U, tops = 0x8080808080808080U;
    uint64_t x;
    memcpy(&x, at, sizeof x);
    uint64_t del = x ^ ones * 0x7f;
    uint64_t below = (x - ones * 0x20) & ~x & tops;
    return (below | ((del - ones) & ~del & tops)) == 0;
}

/* True if all bytes may stand in a field's value. */
static bool value_plain(const char *at, size_t len)
{
    const char *end = at + len;
    while (at < end) {
        if (end - at >= 8 && eight_plain(at)) {
            at += 8;
        } else if (http_is_field_byte((unsigned char)*at)) {
            at++;
        } else {
            return false;
        }
    }
    return true;
}

/* Records a refusal. */
static enum http_verdict refuse(struct http_fault *fault, int status, const char *reason)
{
    fault->status = status;
    fault->reason = reason;
    return HTTP_REFUSED;
}

/* True if the method is one of ours. */
static bool method_known(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++) {
        if (strlen(METHODS[i]) == len && memcmp(METHODS[i], name, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Checks "HTTP/1.0" or "HTTP/1.1"; 505 for another version, 400 for no version at all. */
static enum http_verdict check_version(const char *text, size_t len, struct http_fault *fault)
{
    bool shaped = len == 8 && memcmp(text, "HTTP/", 5) == 0 && text[5] >= '0' && text[5] <= '9' &&
                  text[6] == '.' && text[7] >= '0' && text[7] <= '9';
    if (!shaped) {
        return refuse(fault, 400, "the request line does not end in an HTTP version");
    }
    if (text[5] != '1' || text[7] > '1') {
        return refuse(fault, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    return HTTP_DONE;
}

/* Checks method SP target SP version. */
static enum http_verdict check_request_line(const struct http_config *config, const char *line, size_t len,
                                            struct http_fault *fault)
{
    size_t method = 0;
    while (method < len && http_is_token_byte((unsigned char)line[method])) {
        method++;
    }
    if (method == 0 || method == len || line[method] != ' ') {
        return refuse(fault, 400, "the request line does not begin with a method and one space");
    }
    size_t end = method + 1;
    while (end < len && line[end] > 0x20 && line[end] < 0x7f) {
        end++;
    }
    if (end == method + 1 || end == len || line[end] != ' ') {
        return refuse(fault, 400, "the request target is missing or holds a forbidden byte");
    }
    if (check_version(line + end + 1, len - end - 1, fault) == HTTP_REFUSED) {
        return HTTP_REFUSED;
    }
    if (!method_known(line, method)) {
        return refuse(fault, 501, "the method is unknown");
    }
    if (end - method - 1 > config->uri_max) {
        return refuse(fault, 414, "the request target is too long");
    }
    return HTTP_DONE;
}

/* Checks name ":" value. */
static enum http_verdict check_field_line(const char *line, size_t len, struct http_fault *fault)
{
    if (line[0] == ' ' || line[0] == '\t') {
        return refuse(fault, 400, "a header field is folded or indented");
    }
    size_t name = 0;
    while (name < len && http_is_token_byte((unsigned char)line[name])) {
        name++;
    }
    if (name == 0 || name == len || line[name] != ':') {
        return refuse(fault, 400, "a header field has no name, or a byte in it that no name may hold");
    }
    return value_plain(line + name + 1, len - name - 1)
               ? HTTP_DONE
               : refuse(fault, 400, "a header field holds a control byte");
}

/* Checks one whole line; HTTP_DONE if it was the empty line that ends the head. */
static enum http_verdict check_line(struct http_guard *guard, const struct http_config *config,
                                    const char *line, size_t len, struct http_fault *fault)
{
    if (guard->lines == 0 && len == 0 && !guard->blank) {
        guard->blank = true;
        return HTTP_MORE;
    }
    if (guard->lines == 0) {
        guard->begin = guard->line;
        guard->fields = guard->line + len + 2;
        guard->lines = 1;
        return check_request_line(config, line, len, fault) == HTTP_REFUSED ? HTTP_REFUSED : HTTP_MORE;
    }
    if (len == 0) {
        return HTTP_DONE;
    }
    guard->lines++;
    if (guard->lines - 1 > config->fields_max) {
        return refuse(fault, 431, "too many header fields");
    }
    return check_field_line(line, len, fault) == HTTP_REFUSED ? HTTP_REFUSED : HTTP_MORE;
}

/* Refuses at once what cannot become a request, such as the first byte of a TLS handshake. */
static enum http_verdict check_first_byte(const struct http_guard *guard, const char *data, size_t len,
                                          struct http_fault *fault)
{
    if (guard->lines > 0 || guard->line >= len) {
        return HTTP_MORE;
    }
    char first = data[guard->line];
    if (http_is_token_byte((unsigned char)first) || (first == '\r' && !guard->blank)) {
        return HTTP_MORE;
    }
    return refuse(fault, 400, "the request does not begin with a method");
}

/* Holds the size limits, for whole lines and for one that is still coming. */
static enum http_verdict check_size(const struct http_guard *guard, const struct http_config *config,
                                    size_t end, struct http_fault *fault)
{
    if (guard->lines == 0) {
        return end - guard->line > config->uri_max + LINE_SLACK
                   ? refuse(fault, 414, "the request target is too long")
                   : HTTP_MORE;
    }
    return end - guard->fields > config->head_max ? refuse(fault, 431, "the header fields are too large")
                                                  : HTTP_MORE;
}

/* Goes on where the last call stopped; guard->size is the head's length when it answers HTTP_DONE. */
enum http_verdict http_guard_head(struct http_guard *guard, const struct http_config *config,
                                  const char *data, size_t len, struct http_fault *fault)
{
    while (guard->seen < len) {
        if (check_first_byte(guard, data, len, fault) == HTTP_REFUSED) {
            return HTTP_REFUSED;
        }
        const char *feed = memchr(data + guard->seen, '\n', len - guard->seen);
        size_t end = feed == NULL ? len : (size_t)(feed - data);
        if (check_size(guard, config, end, fault) == HTTP_REFUSED) {
            return HTTP_REFUSED;
        }
        if (feed == NULL) {
            guard->seen = len;
            return HTTP_MORE;
        }
        if (end == guard->line || data[end - 1] != '\r') {
            return refuse(fault, 400, "a line of the head ends in a bare line feed");
        }
        enum http_verdict verdict =
            check_line(guard, config, data + guard->line, end - 1 - guard->line, fault);
        guard->seen = guard->line = end + 1;
        if (verdict != HTTP_MORE) {
            guard->size = end + 1;
            return verdict;
        }
    }
    return HTTP_MORE;
}
