/* httpc_parts.c: the request judged and put into libcurl's terms. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "queue/base/httpc_parts.h"
#include "queue/base/option.h"

#define METHOD_MAX   16
#define ANSWER_SMALL (16l * 1024) /* answers up to this size are read in pieces of PIECE_SMALL bytes: */
#define PIECE_SMALL  1024l        /* libcurl makes the room for a piece anew for each transfer */
#define PIECE        (16l * 1024)

/* Whether one of the request's headers has that name. */
static bool has_header(const struct httpc_request *request, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < request->header_count; i++) {
        if (strncasecmp(request->headers[i], name, len) == 0 && request->headers[i][len] == ':') {
            return true;
        }
    }
    return false;
}

/* Whether a character may stand in a header's name (RFC 9110 section 5.6.2). */
static bool is_token(unsigned char c)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(marks, c) != NULL);
}

/* Whether a header is a name, a colon and a value without control characters. */
static bool header_is_clean(const char *header)
{
    const unsigned char *c = (const unsigned char *)header;

    while (is_token(*c)) {
        c++;
    }
    if (c == (const unsigned char *)header || *c != ':') {
        return false;
    }
    for (; *c != '\0'; c++) {
        if ((*c < ' ' && *c != '\t') || *c == '\x7f') {
            return false;
        }
    }
    return true;
}

/* A header list in one piece of memory: libcurl only reads it. */
struct lines {
    struct curl_slist *nodes;
    size_t count;
    char *text; /* where the next line goes */
};

/* Adds the first len bytes of a line and an end. */
static void add_line(struct lines *lines, const char *line, size_t len, const char *end)
{
    struct curl_slist *node = &lines->nodes[lines->count++];

    node->data = lines->text;
    node->next = NULL;
    memcpy(lines->text, line, len);
    lines->text += len;
    memcpy(lines->text, end, strlen(end) + 1);
    lines->text += strlen(end) + 1;
    if (lines->count > 1) {
        node[-1].next = node;
    }
}

/* Adds one header, in libcurl's spelling when the value is empty ("Name;"). */
static void add_header(struct lines *lines, const char *header)
{
    size_t name_len = strcspn(header, ":");
    const char *value = header + name_len + 1;

    value += strspn(value, " \t");
    if (*value != '\0') {
        add_line(lines, header, strlen(header), "");
    } else {
        add_line(lines, header, name_len, ";");
    }
}

/* Copies the headers. NULL, or why they cannot be sent: a line break would forge further headers, and the
 * framing is libcurl's alone. */
static const char *set_headers(struct httpc_parts *parts, CURL *easy, const struct httpc_request *request)
{
    static const char no_expect[] = "Expect:", no_type[] = "Content-Type:";
    size_t count = request->header_count, size = sizeof(no_expect) + sizeof(no_type);

    for (size_t i = 0; i < count; i++) {
        if (!header_is_clean(request->headers[i])) {
            return "a header is not one line of name and value";
        }
        size += strlen(request->headers[i]) + 1;
    }
    if (has_header(request, "Content-Length") || has_header(request, "Transfer-Encoding")) {
        return "a header would change the framing";
    }
    struct lines lines = {.nodes = xmalloc((count + 2) * sizeof(struct curl_slist) + size)};
    lines.text = (char *)(lines.nodes + count + 2);
    for (size_t i = 0; i < count; i++) {
        add_header(&lines, request->headers[i]);
    }
    add_line(&lines, no_expect, strlen(no_expect), "");
    if (!has_header(request, "Content-Type")) {
        add_line(&lines, no_type, strlen(no_type), "");
    }
    parts->headers = lines.nodes;
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, parts->headers);
    return NULL;
}

/* Whether a part of the URL is there, even if empty. */
static bool url_has(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(url, part, &text, 0);

    curl_free(text);
    return code == CURLUE_OK;
}

/* Takes the URL apart. NULL, or why it is not one we speak. */
static const char *set_url(struct httpc_handle *handle, const char *text)
{
    const char *colon = strchr(text, ':');
    char *scheme = NULL;
    bool known;

    curl_url_cleanup(handle->url);
    handle->url = curl_url();
    CHECK(handle->url != NULL);
    /* libcurl would make a host of what follows one slash, or three. */
    if (colon != NULL && (strncmp(colon, "://", 3) != 0 || colon[3] == '/')) {
        return "the URL has no host where one belongs";
    }
    if (curl_url_set(handle->url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
        return "the URL cannot be read";
    }
    if (curl_url_get(handle->url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
        return "the URL has no scheme";
    }
    known = strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0;
    curl_free(scheme);
    if (!known) {
        return "the URL is neither http nor https";
    }
    if (url_has(handle->url, CURLUPART_USER) || url_has(handle->url, CURLUPART_PASSWORD)) {
        return "the URL holds a user name or a password";
    }
    curl_easy_setopt(handle->easy, CURLOPT_CURLU, handle->url);
    return NULL;
}

static bool is_post(const struct httpc_request *request)
{
    return strcmp(request->method, "POST") == 0;
}

static bool has_body(const struct httpc_request *request)
{
    return request->body_size > 0 || is_post(request) || strcmp(request->method, "PUT") == 0 ||
           strcmp(request->method, "PATCH") == 0;
}

/* Sets the method. NULL, or why not. */
static const char *set_method(CURL *easy, const struct httpc_request *request)
{
    const char *method = request->method;
    size_t len = strlen(method);

    if (len == 0 || len > METHOD_MAX || strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != len) {
        return "the method is not a word of capital letters";
    }
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return NULL;
    }
    if (has_body(request)) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    return NULL;
}

/* Copies the body. */
static void set_body(struct httpc_parts *parts, CURL *easy, const struct httpc_request *request)
{
    if (!has_body(request) || strcmp(request->method, "HEAD") == 0) {
        return;
    }
    parts->body = xmalloc(request->body_size + 1);
    if (request->body_size > 0) {
        memcpy(parts->body, request->body, request->body_size);
    }
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, parts->body);
}

/* The options that are the same for every transfer but for the version. */
static void set_rules(CURL *easy, const struct httpc_request *request)
{
    long version = request->http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1;

    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (option_text(OPT_CA_FILE)[0] != '\0') {
        curl_easy_setopt(easy, CURLOPT_CAINFO, option_text(OPT_CA_FILE)); /* the system's folder stays */
    }
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
                     1L); /* a slow name server must not block the loop at the end */
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "Chasqui/" CHASQUI_VERSION);
}

/* Begins with nothing set and sets what stays. NULL, or why the request cannot be sent. */
static const char *make_ready(struct httpc_handle *handle, const struct httpc_request *request)
{
    const char *fault;

    free(handle->ready_for);
    handle->ready_for = NULL;
    curl_easy_reset(handle->easy);
    set_rules(handle->easy, request);
    fault = set_url(handle, request->url);
    fault = fault != NULL ? fault : set_method(handle->easy, request);
    if (request->unix_socket != NULL) {
        curl_easy_setopt(handle->easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    } else if (fault == NULL && is_post(request)) {
        handle->ready_for = xstrdup(request->url);
        handle->http2 = request->http2;
    }
    return fault;
}

/* Puts the whole request into the handle. */
const char *httpc_parts_set(struct httpc_parts *parts, struct httpc_handle *handle,
                            const struct httpc_request *request)
{
    bool small = request->max_answer > 0 && request->max_answer <= (size_t)ANSWER_SMALL;
    const char *fault = NULL;

    *parts = (struct httpc_parts){.repeatable = strcmp(request->method, "GET") == 0 ||
                                                strcmp(request->method, "HEAD") == 0};
    if (!httpc_handle_fits(handle, request)) {
        fault = make_ready(handle, request);
    }
    curl_easy_setopt(handle->easy, CURLOPT_BUFFERSIZE, small ? PIECE_SMALL : PIECE);
    set_body(parts, handle->easy, request);
    return fault != NULL ? fault : set_headers(parts, handle->easy, request);
}

/* Frees the copies; the handle does not point to them any more. */
void httpc_parts_free(struct httpc_parts *parts)
{
    free(parts->headers);
    free(parts->body);
}

/* ---- handles ---- */

struct httpc_handle *httpc_handle_new(void)
{
    struct httpc_handle *handle = xcalloc(1, sizeof(*handle));

    handle->easy = curl_easy_init();
    CHECK(handle->easy != NULL);
    return handle;
}

void httpc_handle_free(struct httpc_handle *handle)
{
    curl_easy_cleanup(handle->easy);
    curl_url_cleanup(handle->url);
    free(handle->ready_for);
    free(handle);
}

void httpc_handle_rest(struct httpc_handle *handle)
{
    curl_easy_setopt(handle->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(handle->easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(handle->easy, CURLOPT_PRIVATE, NULL);
}

bool httpc_handle_fits(const struct httpc_handle *handle, const struct httpc_request *request)
{
    return handle->ready_for != NULL && handle->http2 == request->http2 && is_post(request) &&
           request->unix_socket == NULL && strcmp(handle->ready_for, request->url) == 0;
}
