/* httpc_parts.c: the request judged and put into libcurl's terms. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "queue/base/httpc_parts.h"
#include "queue/base/option.h"

#define METHOD_MAX 16

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

/* Adds one header, in libcurl's spelling when the value is empty ("Name;"). */
static void add_header(struct httpc_parts *parts, const char *header)
{
    size_t name_len = strcspn(header, ":");
    const char *value = header + name_len + (header[name_len] == ':');
    char *text;

    value += strspn(value, " \t");
    text = *value != '\0' ? xstrdup(header) : xasprintf("%.*s;", (int)name_len, header);
    parts->headers = curl_slist_append(parts->headers, text);
    CHECK(parts->headers != NULL);
    free(text);
}

/* Whether a header is a name (RFC 9110 section 5.6.2), a colon and a value without control characters. */
static bool header_is_clean(const char *header)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t name_len = strspn(header, token);

    if (name_len == 0 || header[name_len] != ':') {
        return false;
    }
    for (const char *c = header + name_len; *c != '\0'; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == '\x7f') {
            return false;
        }
    }
    return true;
}

/* Copies the headers. NULL, or why they cannot be sent: a line break would forge further headers, and the
 * framing is libcurl's alone. */
static const char *set_headers(struct httpc_parts *parts, CURL *easy, const struct httpc_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const char *header = request->headers[i];
        if (!header_is_clean(header)) {
            return "a header is not one line of name and value";
        }
        add_header(parts, header);
    }
    if (has_header(request, "Content-Length") || has_header(request, "Transfer-Encoding")) {
        return "a header would change the framing";
    }
    parts->headers = curl_slist_append(parts->headers, "Expect:");
    if (!has_header(request, "Content-Type")) {
        parts->headers = curl_slist_append(parts->headers, "Content-Type:");
    }
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
static const char *set_url(struct httpc_parts *parts, CURL *easy, const char *text)
{
    const char *colon = strchr(text, ':');
    char *scheme = NULL;
    bool known;

    parts->url = curl_url();
    CHECK(parts->url != NULL);
    /* libcurl would make a host of what follows one slash, or three. */
    if (colon != NULL && (strncmp(colon, "://", 3) != 0 || colon[3] == '/')) {
        return "the URL has no host where one belongs";
    }
    if (curl_url_set(parts->url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
        return "the URL cannot be read";
    }
    if (curl_url_get(parts->url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
        return "the URL has no scheme";
    }
    known = strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0;
    curl_free(scheme);
    if (!known) {
        return "the URL is neither http nor https";
    }
    if (url_has(parts->url, CURLUPART_USER) || url_has(parts->url, CURLUPART_PASSWORD)) {
        return "the URL holds a user name or a password";
    }
    curl_easy_setopt(easy, CURLOPT_CURLU, parts->url);
    return NULL;
}

/* Sets method and body. NULL, or why not. */
static const char *set_method(struct httpc_parts *parts, CURL *easy, const struct httpc_request *request)
{
    const char *method = request->method;
    size_t len = strlen(method);
    bool body = request->body_size > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
                strcmp(method, "PATCH") == 0;

    if (len == 0 || len > METHOD_MAX || strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != len) {
        return "the method is not a word of capital letters";
    }
    parts->repeatable = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return NULL;
    }
    if (body) {
        parts->body = xmalloc(request->body_size + 1);
        if (request->body_size > 0) {
            memcpy(parts->body, request->body, request->body_size);
        }
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, parts->body);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    return NULL;
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

/* Puts the whole request into the handle. */
const char *httpc_parts_set(struct httpc_parts *parts, CURL *easy, const struct httpc_request *request)
{
    const char *fault;

    *parts = (struct httpc_parts){0};
    set_rules(easy, request);
    fault = set_url(parts, easy, request->url);
    fault = fault != NULL ? fault : set_method(parts, easy, request);
    return fault != NULL ? fault : set_headers(parts, easy, request);
}

/* Frees the copies; the handle that points to them is gone. */
void httpc_parts_free(struct httpc_parts *parts)
{
    curl_url_cleanup(parts->url);
    curl_slist_free_all(parts->headers);
    free(parts->body);
}
