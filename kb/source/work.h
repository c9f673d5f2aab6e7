/* work.h: one reading of a source under way; private to source.c, plan.c, web.c and crawl.c. Thread: the
 * worker's loop. */
#ifndef CHASQUI_KB_SOURCE_WORK_H
#define CHASQUI_KB_SOURCE_WORK_H

#include "kb/source/extract.h"
#include "kb/source/robots.h"
#include "queue/base/httpc.h"
#include "queue/base/json.h"
#include "queue/base/loop.h"
#include "queue/jobs.h"

struct work;
/* What came of one address. Strings are good until the call returns. */
struct web_answer {
    const char *reason; /* a sentence when nothing can be read; NULL: it came, or did not change */
    bool gone;          /* 404, 410, or robots.txt forbids it: its pages go */
    bool passing;       /* worth another attempt, not before asked_ms (0: the site does not say) */
    int64_t asked_ms;
    bool unchanged;  /* 304 */
    const char *url; /* where the redirects ended */
    const struct httpc_answer *http;
};
typedef void (*web_fn)(struct work *w, const struct web_answer *answer);

struct web {
    char *url; /* asked now */
    unsigned hops;
    web_fn done;
    json_t *old; /* page read before, for conditional requests; borrowed, NULL: none */
    uint64_t transfer;
    struct robots *robots;
    char *robots_origin; /* "https://host:port" they are of */
    bool asking_robots;
    bool same_host; /* redirects to other hosts end it */
};

struct work {
    struct job *job;
    json_t *doc;
    uint64_t rev;
    json_t *old, *pages;
    char *reason;     /* why it failed; NULL: it did not */
    bool passing;     /* it may not fail the next time */
    int64_t asked_ms; /* longest wait that the site asked for */
    bool unchanged;
    bool stored;      /* the pages are committed */
    unsigned changed; /* pages written or removed */
    json_t *notes;    /* {"etag"?, "last_modified"?} of the answer being read */
    struct web web;
    uint64_t extraction;
    struct loop_timer *timer;
    /* crawl.c */
    json_t *frontier; /* [{"url", "depth", "sitemap"}] */
    size_t at;        /* next of them */
    json_t *seen;     /* addresses in the frontier */
    size_t visited, kept;
    unsigned missed; /* addresses worth another attempt */
    char *missing;   /* why the first of them could not be read */
    bool map_missed; /* one of them is a sitemap: what it lists is not known */
};

/* source.c: the reading is over: w->pages, or the reason. */
void work_done(struct work *w);
void work_fail(struct work *w, const char *reason);
/* The same for an address that could not be read; tried again if that may help. */
void work_unread(struct work *w, const struct web_answer *answer);
/* plan.c: the same reading once more, attempt number `attempt`, in so many ms: the record waits. */
void source_again(struct changes *cs, const char *part, json_t *doc, unsigned attempt, int64_t wait_ms);
/* plan.c: plans the next reading by time; a schedule that never comes plans none. */
void source_tick(struct changes *cs, const char *part, const json_t *doc);
/* web.c: fetches url (robots.txt of its host first), following redirects; done comes later, never inside. */
void web_get(struct work *w, const char *url, json_t *old, bool same_host, web_fn done);
void web_fini(struct web *web);
/* Keeps what the next conditional request of the address needs. */
void web_note(struct work *w, const struct httpc_answer *http);
/* "https://host:port" of an address, malloc'ed; NULL if it is none of ours. */
char *web_origin(const char *url);
/* crawl.c: reads a sitemap or follows links; ends with work_done or work_fail. */
void crawl_start(struct work *w);

#endif
