/* web.c: one address fetched politely: robots.txt first, conditional, at most HOPS_MAX redirects, each a new
 * request that passes the address guard anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libxml/uri.h>

#include "kb/source/again.h"
#include "kb/source/work.h"
#include "queue/base/clock.h"

#define HOPS_MAX  3
#define TOTAL_MS  60000
#define SILENT_MS 20000
#define AGENT     "User-Agent: Chasqui-Knowledge/" CHASQUI_VERSION " (chasqui)"

static void ask(struct work *w);

char *web_origin(const char *url)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0 ? 8 : strncasecmp(url, "http://", 7) == 0 ? 7 : 0;
    size_t host = scheme > 0 ? strcspn(url + scheme, "/?#") : 0;

    if (host == 0 || memchr(url + scheme, '@', host) != NULL) {
        return NULL;
    }
    char *origin = xstrndup(url, scheme + host);
    for (char *c = origin; *c != '\0'; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    return origin;
}

/* Path and query of an address. */
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;

    return path != NULL ? path : "/";
}

void web_fini(struct web *web)
{
    robots_free(web->robots);
    free(web->robots_origin);
    free(web->url);
    *web = (struct web){0};
}

/* Tells what came; the caller's function may start the next fetch. */
static void tell(struct work *w, struct web_answer answer)
{
    answer.url = w->web.url;
    w->web.done(w, &answer);
}

static void refuse(struct work *w, const char *reason, bool gone)
{
    tell(w, (struct web_answer){.reason = reason, .gone = gone});
}

/* Tells that this answer brings no page. */
static void refuse_answer(struct work *w, const char *reason, const struct httpc_answer *http)
{
    tell(w, (struct web_answer){.reason = reason,
                                .gone = http->status == 404 || http->status == 410,
                                .passing = again_worth(http->outcome, http->status),
                                .asked_ms = again_asked_ms(http->retry_after, clock_wall_ms())});
}

/* Why a transfer that brought no page failed, in words for the source's owner. */
static const char *outcome_reason(const struct httpc_answer *http)
{
    switch (http->outcome) {
    case HTTPC_BLOCKED:
        return "The address is not allowed (blocked_address).";
    case HTTPC_UNREACHED:
        return "The site could not be reached.";
    case HTTPC_TIMEOUT:
        return "The site took too long to answer.";
    case HTTPC_TOO_LARGE:
        return "The page or file is larger than 25 MB.";
    default:
        return "The connection to the site broke off.";
    }
}

/* Goes where the site points. */
static void redirect(struct work *w, const struct httpc_answer *http)
{
    const char *location = httpc_answer_header(http, "Location");
    xmlChar *next =
        location != NULL ? xmlBuildURI((const xmlChar *)location, (const xmlChar *)w->web.url) : NULL;
    char *origin = next != NULL ? web_origin((char *)next) : NULL;
    char *from = web_origin(w->web.url);
    const char *reason = NULL;

    if (origin == NULL || from == NULL) {
        reason = "The site redirects to nowhere.";
    } else if (++w->web.hops > HOPS_MAX) {
        reason = "The site redirects too often.";
    } else if (w->web.same_host && strcmp(origin, from) != 0) {
        reason = "The page redirects to another site.";
    }
    if (reason == NULL) {
        free(w->web.url);
        w->web.url = xstrdup((char *)next);
    }
    xmlFree(next);
    free(origin);
    free(from);
    if (reason != NULL) {
        refuse(w, reason, w->web.same_host);
    } else {
        ask(w);
    }
}

static void fetched(const struct httpc_answer *http, void *arg)
{
    struct work *w = arg;
    char reason[80];

    w->web.transfer = 0;
    if (http->outcome != HTTPC_ANSWERED) {
        refuse_answer(w, outcome_reason(http), http);
    } else if (http->status == 304) {
        tell(w, (struct web_answer){.unchanged = true, .http = http});
    } else if (http->status == 301 || http->status == 302 || http->status == 303 || http->status == 307 ||
               http->status == 308) {
        redirect(w, http);
    } else if (http->status == 200) {
        tell(w, (struct web_answer){.http = http});
    } else {
        snprintf(reason, sizeof reason, "The site answered with status %ld.", http->status);
        refuse_answer(w, reason, http);
    }
}

/* Sends the request for the page. */
static void send_page(struct work *w)
{
    char etag[600], since[200];
    const char *headers[4] = {
        AGENT, "Accept: text/html, text/plain, application/pdf, application/json, text/csv, */*;q=0.1"};
    size_t count = 2;
    const char *tag = jx_str(w->web.old, "etag"), *modified = jx_str(w->web.old, "last_modified");

    if (tag != NULL && strlen(tag) < 500) {
        snprintf(etag, sizeof etag, "If-None-Match: %s", tag);
        headers[count++] = etag;
    }
    if (modified != NULL && strlen(modified) < 100) {
        snprintf(since, sizeof since, "If-Modified-Since: %s", modified);
        headers[count++] = since;
    }
    struct httpc_request request = {.method = "GET",
                                    .url = w->web.url,
                                    .headers = headers,
                                    .header_count = count,
                                    .total_ms = TOTAL_MS,
                                    .silence_ms = SILENT_MS,
                                    .max_answer = EXTRACT_FILE_MAX,
                                    .pool = job_partition(w->job)};
    w->web.transfer = httpc_send(job_http(w->job), &request, fetched, w);
}

/* robots.txt is read: asks for the page, if it may. */
static void ask_allowed(struct work *w)
{
    if (robots_allow(w->web.robots, path_of(w->web.url))) {
        send_page(w);
    } else {
        refuse(w, "The site's robots.txt does not allow this page to be read.", true);
    }
}

/* Nobody is asked when the site says nothing (4xx); a site in trouble is left alone (RFC 9309, 2.3.1). */
static void robots_fetched(const struct httpc_answer *http, void *arg)
{
    struct work *w = arg;

    w->web.transfer = 0;
    if (http->outcome == HTTPC_ANSWERED && http->status == 200) {
        w->web.robots = robots_parse(http->body, http->body_size);
    } else if (http->outcome != HTTPC_ANSWERED && http->outcome != HTTPC_TOO_LARGE) {
        refuse_answer(w, outcome_reason(http), http);
        return;
    } else if (http->status >= 500 || again_worth(http->outcome, http->status)) {
        refuse_answer(w, "The site's robots.txt cannot be read just now.", http);
        return;
    }
    w->web.robots_origin = web_origin(w->web.url);
    ask_allowed(w);
}

/* Asks for the page, or first for the robots.txt of its host. */
static void ask(struct work *w)
{
    char *origin = web_origin(w->web.url);
    const char *const headers[] = {AGENT};

    if (origin == NULL) {
        refuse(w, "The address is none that can be read.", true);
        return;
    }
    if (w->web.robots_origin != NULL && strcmp(w->web.robots_origin, origin) == 0) {
        free(origin);
        ask_allowed(w);
        return;
    }
    robots_free(w->web.robots);
    free(w->web.robots_origin);
    w->web.robots = NULL;
    w->web.robots_origin = NULL;
    char *url = xasprintf("%s/robots.txt", origin);
    struct httpc_request request = {.method = "GET",
                                    .url = url,
                                    .headers = headers,
                                    .header_count = 1,
                                    .total_ms = SILENT_MS,
                                    .max_answer = ROBOTS_MAX,
                                    .pool = job_partition(w->job)};
    w->web.transfer = httpc_send(job_http(w->job), &request, robots_fetched, w);
    free(url);
    free(origin);
}

void web_note(struct work *w, const struct httpc_answer *http)
{
    const char *etag = httpc_answer_header(http, "ETag"),
               *modified = httpc_answer_header(http, "Last-Modified");

    json_decref(w->notes);
    w->notes = json_object();
    if (etag != NULL) {
        jx_set_str(w->notes, "etag", etag);
    }
    if (modified != NULL) {
        jx_set_str(w->notes, "last_modified", modified);
    }
}

/* Begins outside of the caller's stack. */
static void begin(void *arg)
{
    struct work *w = arg;

    w->timer = NULL;
    ask(w);
}

void web_get(struct work *w, const char *url, json_t *old, bool same_host, web_fn done)
{
    char *copy = xstrdup(url);

    free(w->web.url);
    w->web.url = copy;
    w->web.hops = 0;
    w->web.old = old;
    w->web.same_host = same_host;
    w->web.done = done;
    CHECK(w->timer == NULL);
    w->timer = loop_after(job_loop(w->job), 0, begin, w);
}
