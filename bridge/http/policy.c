/* policy.c: the header fields that decide where a request ends and whom it is for.
 *
 * Wherever RFC 9110 and 9112 let a recipient choose between repair and refusal we refuse: exactly one valid
 * Host on HTTP/1.1, one Content-Length of digits only, Transfer-Encoding exactly "chunked" and never beside a
 * Content-Length nor on HTTP/1.0, no expectation but 100-continue. */
#include "bridge/http/http_int.h"

#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS_MAX 18 /* more cannot be a size we would take */

/* The fields this file looks at: how often each occurs, and its first value. */
struct seen {
    unsigned count;
    const char *value;
};

enum { SEEN_HOST, SEEN_LENGTH, SEEN_CODING, SEEN_EXPECT, SEEN_COUNT };
static const char *const SEEN_NAMES[SEEN_COUNT] = {"Host", "Content-Length", "Transfer-Encoding", "Expect"};

/* Records a refusal. */
static bool refuse(struct http_fault *fault, int status, const char *reason)
{
    fault->status = status;
    fault->reason = reason;
    return false;
}

/* Cuts one "name: value" line in place; line ends in NUL. */
static void cut_field(char *line, struct http_field *field)
{
    char *colon = strchr(line, ':');
    CHECK(colon != NULL);
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
        len--;
    }
    value[len] = '\0';
    field->name = line;
    field->value = value;
}

/* Cuts a guarded head into method, target, version and fields, in place. The guard has vouched for the shape.
 */
void http_fields_cut(struct http_request *req, char *head)
{
    char *end = strstr(head, "\r\n");
    CHECK(end != NULL);
    *end = '\0';
    char *target = strchr(head, ' ');
    char *version = target == NULL ? NULL : strchr(target + 1, ' ');
    CHECK(version != NULL);
    *target = *version = '\0';
    req->method = head;
    req->target = target + 1;
    req->minor = strcmp(version + 1, "HTTP/1.1") == 0 ? 1 : 0;
    req->is_head = strcmp(head, "HEAD") == 0;

    unsigned room = req->field_count;
    req->fields = arena_alloc(req->arena, (room + 1) * sizeof *req->fields);
    req->field_count = 0;
    for (char *line = end + 2; *line != '\r'; line = end + 2) {
        end = strstr(line, "\r\n");
        CHECK(end != NULL && req->field_count < room);
        *end = '\0';
        cut_field(line, &req->fields[req->field_count++]);
    }
}

/* Counts the fields that matter here. */
static void look(const struct http_request *req, struct seen *seen)
{
    for (unsigned i = 0; i < req->field_count; i++) {
        for (unsigned k = 0; k < SEEN_COUNT; k++) {
            if (!http_field_is(&req->fields[i], SEEN_NAMES[k])) {
                continue;
            }
            if (seen[k].count++ == 0) {
                seen[k].value = req->fields[i].value;
            }
        }
    }
}

/* Exactly one on HTTP/1.1, at most one on 1.0, and of a host's shape. */
static bool check_host(const struct http_request *req, const struct seen *host, struct http_fault *fault)
{
    if (host->count > 1) {
        return refuse(fault, 400, "there is more than one Host field");
    }
    if (host->count == 0) {
        return req->minor == 0 || refuse(fault, 400, "the Host field is missing");
    }
    if (!http_host_valid(host->value, strlen(host->value))) {
        return refuse(fault, 400, "the Host field is not a host");
    }
    return true;
}

/* Reads a length of digits only; a number too long to be taken becomes the largest one. */
static bool read_length(const char *text, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || text[digits] != '\0') {
        return false;
    }
    text += strspn(text, "0");
    *out = 0;
    if (strlen(text) > LENGTH_DIGITS_MAX) {
        *out = UINT64_MAX;
        return true;
    }
    for (; *text != '\0'; text++) {
        *out = *out * 10 + (uint64_t)(*text - '0');
    }
    return true;
}

/* Decides how the body is delimited; refuses every doubt. */
static bool check_framing(struct http_request *req, const struct seen *length, const struct seen *coding,
                          struct http_fault *fault)
{
    if (length->count > 1) {
        return refuse(fault, 400, "there is more than one Content-Length field");
    }
    if (coding->count > 0 && length->count > 0) {
        return refuse(fault, 400, "Content-Length and Transfer-Encoding exclude each other");
    }
    if (coding->count > 0 && req->minor == 0) {
        return refuse(fault, 400, "HTTP/1.0 has no Transfer-Encoding");
    }
    if (coding->count > 1 || (coding->count == 1 && strcasecmp(coding->value, "chunked") != 0)) {
        return refuse(fault, 400, "the only Transfer-Encoding taken is chunked");
    }
    if (length->count == 1 && !read_length(length->value, &req->length)) {
        return refuse(fault, 400, "the Content-Length field is not a number");
    }
    req->framing = coding->count == 1 ? HTTP_CHUNKED : req->length > 0 ? HTTP_LENGTH : HTTP_NO_BODY;
    return true;
}

/* 100-continue or nothing; HTTP/1.0 clients cannot expect (RFC 9110 section 10.1.1). */
static bool check_expect(struct http_request *req, const struct seen *expect, struct http_fault *fault)
{
    if (expect->count == 0 || req->minor == 0) {
        return true;
    }
    if (expect->count > 1 || strcasecmp(expect->value, "100-continue") != 0) {
        return refuse(fault, 417, "the only expectation met is 100-continue");
    }
    req->expects_continue = req->framing != HTTP_NO_BODY;
    return true;
}

/* Applies the whole policy to a request whose fields are cut. */
bool http_policy_check(struct http_request *req, struct http_fault *fault)
{
    struct seen seen[SEEN_COUNT] = {{0, NULL}};
    look(req, seen);
    return check_host(req, &seen[SEEN_HOST], fault) &&
           check_framing(req, &seen[SEEN_LENGTH], &seen[SEEN_CODING], fault) &&
           check_expect(req, &seen[SEEN_EXPECT], fault);
}
