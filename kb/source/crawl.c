/* crawl.c: a sitemap, or links followed from a page: same host only, one request at a time with a pause
 * between them, bounded in pages, depth and text. Pages that did not change cost a 304; pages that are gone
 * leave the source; pages that cannot be read just now keep what was read of them before, and the whole is
 * read again soon if that may help. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kb/source/page.h"
#include "kb/source/work.h"
#include "queue/base/clock.h"
#include "queue/base/option.h"

#define PAGES_DEFAULT 200
#define DEPTH_DEFAULT 3
#define SITEMAPS_MAX  50
#define FRONTIER_MAX  5000
#define LINKS_KEPT    200

static void step(void *arg);

/* The pause before the next request. */
static int64_t pause_ms(const struct work *w)
{
    int64_t own = option_int(OPT_CRAWL_DELAY), asked = (int64_t)robots_delay(w->web.robots) * 1000;

    return asked > own ? asked : own;
}

static void next(struct work *w)
{
    CHECK(w->timer == NULL);
    w->timer = loop_after(job_loop(w->job), w->at == 0 ? 0 : pause_ms(w), step, w);
}

/* True if the address names a picture, a film or the like by its ending: not worth a request. */
static bool is_media(const char *url)
{
    static const char *const ENDINGS[] = {".jpg", ".jpeg", ".png", ".gif", ".webp", ".svg",
                                          ".ico", ".css",  ".js",  ".mp3", ".mp4",  ".avi",
                                          ".mov", ".webm", ".zip", ".gz",  ".exe",  ".woff2"};
    const char *path = strstr(url, "://");
    size_t len = strcspn(url, "?");

    for (size_t i = 0; path != NULL && i < sizeof ENDINGS / sizeof *ENDINGS; i++) {
        size_t end = strlen(ENDINGS[i]);
        if (len > end && strncasecmp(url + len - end, ENDINGS[i], end) == 0) {
            return true;
        }
    }
    return false;
}

/* Notes an address to be read, once, if it is of the same host. */
static void frontier_add(struct work *w, const char *url, unsigned depth, bool sitemap)
{
    char *origin = web_origin(url), *home = web_origin(jx_str_or(w->doc, "url", ""));
    bool ours = origin != NULL && home != NULL && strcmp(origin, home) == 0;

    free(origin);
    free(home);
    if (!ours || (!sitemap && is_media(url)) || json_array_size(w->frontier) >= FRONTIER_MAX ||
        json_object_get(w->seen, url) != NULL) {
        return;
    }
    json_t *row = json_object();
    jx_set_str(row, "url", url);
    jx_set_int(row, "depth", depth);
    jx_set_bool(row, "sitemap", sitemap);
    jx_set(w->seen, url, json_true());
    jx_push(w->frontier, row);
}

/* The address being read. */
static const json_t *current(const struct work *w)
{
    return json_array_get(w->frontier, w->at - 1);
}

/* Links of a page that may be read too. */
static void links_follow(struct work *w, const json_t *links)
{
    unsigned depth = (unsigned)jx_int(current(w), "depth", 0) + 1;
    size_t i;
    json_t *url;

    json_array_foreach (links, i, url) {
        if (depth <= (unsigned)jx_int(w->doc, "max_depth", DEPTH_DEFAULT)) {
            frontier_add(w, json_string_value(url), depth, false);
        }
    }
}

/* What was read of the address before stays. */
static void keep_old(struct work *w)
{
    const char *url = jx_str_or(current(w), "url", "");
    size_t i;
    json_t *page;

    w->kept += pages_keep(w->pages, w->old, url);
    json_array_foreach (w->old, i, page) {
        if (strcmp(jx_str_or(page, "url", ""), url) == 0) {
            links_follow(w, jx_arr(page, "links"));
        }
    }
}

/* The new pages of the address carry its conditions and links on their first. */
static void notes_add(struct work *w, size_t from, const struct extract_result *result)
{
    json_t *first = json_array_get(w->pages, from), *links = json_array();

    for (size_t i = 0; i < result->link_count; i++) {
        if (json_array_size(links) < LINKS_KEPT) {
            jx_push(links, json_string(result->links[i]));
        }
    }
    links_follow(w, links);
    if (first != NULL) {
        jx_set(first, "links", json_incref(links));
        json_object_update(first, w->notes);
    }
    json_decref(links);
}

static void page_extracted(const struct extract_result *result, void *arg)
{
    struct work *w = arg;
    size_t from = json_array_size(w->pages);

    w->extraction = 0;
    if (result->ok) {
        pages_take(w->pages, result, jx_str_or(current(w), "url", ""), true);
        notes_add(w, from, result);
    }
    next(w); /* a page without text is passed over */
}

/* Addresses of a sitemap; the first file may turn out to be a page, from which links are followed. */
static void sitemap_extracted(const struct extract_result *result, void *arg)
{
    struct work *w = arg;
    size_t sitemaps = 0;

    w->extraction = 0;
    if (!result->ok && w->at == 1) {
        work_fail(w, result->reason);
        return;
    }
    for (size_t i = 0; i < result->link_count; i++) {
        bool index = strncmp(result->links[i], "sitemap:", 8) == 0;
        if (!index) {
            frontier_add(w, result->links[i], (unsigned)jx_int(w->doc, "max_depth", DEPTH_DEFAULT), false);
        } else if (sitemaps++ < SITEMAPS_MAX && jx_int(current(w), "depth", 0) == 0) {
            frontier_add(w, result->links[i] + 8, 1, true);
        }
    }
    next(w);
}

/* True if the first answer looks like a page rather than a sitemap. */
static bool is_page(const struct httpc_answer *http)
{
    return strncmp(http->content_type, "text/html", 9) == 0 ||
           strncmp(http->content_type, "application/xhtml", 17) == 0;
}

/* Notes that the address being read is worth another attempt. */
static void missed(struct work *w, const struct web_answer *answer)
{
    if (w->missed++ == 0) {
        w->missing = xstrdup(answer->reason);
    }
    w->asked_ms = answer->asked_ms > w->asked_ms ? answer->asked_ms : w->asked_ms;
}

/* A sitemap could not be read: the old pages of which nothing was heard stay. */
static void keep_unheard(struct work *w)
{
    size_t i;
    json_t *page;

    json_array_foreach (w->old, i, page) {
        const char *url = jx_str_or(page, "url", "");
        if (json_object_get(w->seen, url) == NULL) {
            jx_set(w->seen, url, json_true());
            pages_keep(w->pages, w->old, url);
        }
    }
}

static void came(struct work *w, const struct web_answer *answer)
{
    bool sitemap = jx_bool(current(w), "sitemap", false);

    if (answer->reason != NULL && w->at == 1) {
        work_unread(w, answer);
        return;
    }
    if (answer->reason != NULL || answer->unchanged) {
        if (answer->passing) {
            missed(w, answer);
        }
        w->map_missed = w->map_missed || (sitemap && !answer->gone);
        if (!answer->gone && !sitemap) {
            keep_old(w);
        }
        next(w);
        return;
    }
    const char *slash = strrchr(answer->url, '/');
    struct extract_request request = {.bytes = answer->http->body,
                                      .size = answer->http->body_size,
                                      .mime_type = answer->http->content_type,
                                      .filename = slash != NULL ? slash + 1 : NULL,
                                      .base = answer->url};
    sitemap = sitemap && !is_page(answer->http);
    request.sitemap = sitemap;
    if (!sitemap) {
        w->visited++;
    }
    web_note(w, answer->http);
    w->extraction =
        extract_start(job_loop(w->job), &request, sitemap ? sitemap_extracted : page_extracted, w);
}

/* The first of the old pages of an address. */
static json_t *old_of(const struct work *w, const char *url)
{
    size_t i;
    json_t *page;

    json_array_foreach (w->old, i, page) {
        if (strcmp(jx_str_or(page, "url", ""), url) == 0 && jx_int(page, "piece", 0) == 0) {
            return page;
        }
    }
    return NULL;
}

/* Reads the next address, or ends. */
static void step(void *arg)
{
    struct work *w = arg;
    size_t most = (size_t)jx_int(w->doc, "max_pages", PAGES_DEFAULT);

    w->timer = NULL;
    if (w->at >= json_array_size(w->frontier) || w->visited + w->kept >= most ||
        json_array_size(w->pages) >= PAGES_MAX || pages_size(w->pages) > PAGES_BYTES_MAX) {
        json_decref(w->notes);
        w->notes = NULL;
        if (w->map_missed) {
            keep_unheard(w);
        }
        work_done(w);
        return;
    }
    const json_t *row = json_array_get(w->frontier, w->at++);
    const char *url = jx_str_or(row, "url", "");
    web_get(w, url, w->at > 1 ? old_of(w, url) : NULL, true, came);
}

void crawl_start(struct work *w)
{
    w->frontier = json_array();
    w->seen = json_object();
    frontier_add(w, jx_str_or(w->doc, "url", ""), 0, true);
    next(w);
}
