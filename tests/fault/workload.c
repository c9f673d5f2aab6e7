/* workload.c: the script and what it must leave behind. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/workload.h"

#define SLOTS       24 /* conversations of one writer */
#define HOOKS       6
#define DOCUMENTS   8
#define AGENTS      4
#define EVENTS_KEPT 60
#define EVERYBODY   "acc_all:live"
#define HOOK_MAX    20000

/* ---- the script ---- */

struct text {
    char text[48];
};

static struct text textf(const char *fmt, ...) PRINTF_LIKE(1, 2);

static struct text textf(const char *fmt, ...)
{
    struct text out;
    va_list args;

    va_start(args, fmt);
    vsnprintf(out.text, sizeof out.text, fmt, args);
    va_end(args);
    return out;
}

static struct text part_of(unsigned writer)
{
    return textf("acc_w%u:live", writer);
}

static const char *status_of(unsigned n)
{
    return n % 3 == 0 ? "closed" : "open";
}

/* The conversation that step n writes; some are larger than a page. */
static json_t *conversation(unsigned writer, unsigned n)
{
    json_t *body = json_object();
    size_t size = n % 9 == 0 ? 6000 : 100 + n % 700;
    char *text = xmalloc(size);

    memset(text, 'a' + (int)((writer + n) % 26), size);
    jx_set_str(body, "status", status_of(n));
    jx_set_str(body, "agent_id", textf("agt_%u", n % AGENTS).text);
    jx_set_str(body, "last_message_at", textf("2026-05-10T%08u", n).text);
    jx_set_int(body, "n", (int64_t)n);
    jx_set_strn(body, "text", text, size);
    free(text);
    return body;
}

/* The raw bytes of step n. */
static size_t hook(unsigned writer, unsigned n, uint8_t out[HOOK_MAX])
{
    size_t size = n % 7 == 0 ? HOOK_MAX : 700;

    memset(out, (int)(writer * 31 + n), size);
    return size;
}

static void step_event(struct changes *cs, unsigned writer, unsigned n)
{
    json_t *event = json_object();

    jx_set_str(event, "conversation_id", textf("cnv_%u", writer).text);
    jx_set_int(event, "n", (int64_t)n);
    changes_put_numbered(cs, KIND_EVENT, EVERYBODY, textf("evt_%u_%08u", writer, n).text, event, "events");
    json_decref(event);
    if (n > EVENTS_KEPT) {
        changes_delete(cs, KIND_EVENT, EVERYBODY, textf("evt_%u_%08u", writer, n - EVENTS_KEPT).text);
    }
}

struct changes *workload_step(unsigned writer, unsigned n)
{
    struct changes *cs = changes_new();
    struct text part = part_of(writer);
    json_t *body = conversation(writer, n);
    json_t *small = json_pack("{s:i}", "n", (int)n);
    uint8_t *bytes = xmalloc(HOOK_MAX);

    changes_once(cs, part.text, "step", textf("%u", n).text);
    changes_put(cs, KIND_CONVERSATION, part.text, textf("cnv_%02u", n % SLOTS).text, body);
    if (n % 5 == 0) {
        changes_delete(cs, KIND_CONVERSATION, part.text, textf("cnv_%02u", (n - 3) % SLOTS).text);
    }
    changes_put_bytes(cs, KIND_HOOK, part.text, textf("hok_%u", n % HOOKS).text, bytes,
                      hook(writer, n, bytes));
    if (n % 4 == 0) {
        changes_put(cs, KIND_DOCUMENT, part.text, textf("doc_%u", n / 4 % DOCUMENTS).text, small);
    }
    step_event(cs, writer, n);
    changes_push(cs, QUEUE_DELIVER, part.text, textf("lane_%u", n % 3).text, 0, small);
    changes_add(cs, part.text, "steps", 1);
    free(bytes);
    json_decref(small);
    json_decref(body);
    return cs;
}

void workload_job(struct job *job, void *arg)
{
    struct changes *cs = changes_new();

    (void)arg;
    changes_ack(cs, job);
    changes_add(cs, job_partition(job), "worked", 1);
    job_finish(job, cs, NULL, NULL);
}

/* ---- the comparison ---- */

struct check {
    struct snapshot *snap;
    struct buf *why;
    unsigned writers, writer;
    unsigned steps[WORKLOAD_WRITERS_MAX];
    struct text part; /* of the writer looked at */
};

static bool differs(struct check *c, const char *what, uint64_t is, uint64_t want)
{
    if (is != want) {
        buf_addf(c->why, "writer %u, step %u: %s is %llu, not %llu\n", c->writer, c->steps[c->writer], what,
                 (unsigned long long)is, (unsigned long long)want);
    }
    return is != want;
}

/* Entries of an index whose first field is match (NULL: all of it). */
static uint64_t index_size(struct check *c, enum kind kind, const char *part, enum index_id index,
                           const char *match)
{
    struct page_query query = {.kind = kind, .part = part, .index = index, .match = {match}, .limit = 1000};
    struct store_page page;

    if (snapshot_page(c->snap, &query, &page) != ERR_OK) {
        return UINT64_MAX;
    }
    uint64_t size = page.more ? UINT64_MAX : page.count;
    store_page_free(&page);
    return size;
}

/* The kept number of an index value and the entries really there, against what they must be. */
static bool index_fits(struct check *c, enum index_id index, const char *match, uint64_t want)
{
    return !differs(c, match, snapshot_count(c->snap, KIND_CONVERSATION, c->part.text, index, match), want) &&
           !differs(c, match, index_size(c, KIND_CONVERSATION, c->part.text, index, match), want);
}

/* The step that wrote each conversation that must be there, 0 where none must be. */
static void slots_after(unsigned steps, unsigned slots[SLOTS])
{
    memset(slots, 0, SLOTS * sizeof slots[0]);
    for (unsigned n = 1; n <= steps; n++) {
        slots[n % SLOTS] = n;
        if (n % 5 == 0) {
            slots[(n - 3) % SLOTS] = 0;
        }
    }
}

static bool conversation_fits(struct check *c, unsigned slot, unsigned n)
{
    json_t *body = NULL, *want = conversation(c->writer, n);
    struct text id = textf("cnv_%02u", slot);
    enum err rc = snapshot_get(c->snap, KIND_CONVERSATION, c->part.text, id.text, &body, NULL);
    bool fits = n == 0 ? rc == ERR_NOTFOUND : rc == ERR_OK && json_equal(body, want) == 1;

    if (!fits) {
        buf_addf(c->why, "writer %u: conversation %s differs (%s), step %u should have written it\n",
                 c->writer, id.text, err_name(rc), n);
    }
    json_decref(want);
    json_decref(body);
    return fits;
}

static bool conversations_fit(struct check *c)
{
    unsigned slots[SLOTS], agents[AGENTS] = {0}, all = 0, closed = 0;

    slots_after(c->steps[c->writer], slots);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        unsigned n = slots[slot];
        if (!conversation_fits(c, slot, n)) {
            return false;
        }
        all += n != 0;
        closed += n != 0 && strcmp(status_of(n), "closed") == 0;
        agents[n % AGENTS] += n != 0;
    }
    bool fit = index_fits(c, INDEX_CONVERSATION_STATUS, "open", all - closed) &&
               index_fits(c, INDEX_CONVERSATION_STATUS, "closed", closed);
    for (unsigned i = 0; i < AGENTS && fit; i++) {
        fit = index_fits(c, INDEX_CONVERSATION_AGENT, textf("agt_%u", i).text, agents[i]);
    }
    return fit &&
           !differs(c, "conversations",
                    snapshot_count(c->snap, KIND_CONVERSATION, c->part.text, INDEX_NONE, NULL), all) &&
           !differs(c, "entries by time",
                    index_size(c, KIND_CONVERSATION, c->part.text, INDEX_CONVERSATION_RECENT, NULL), all);
}

static bool hooks_fit(struct check *c)
{
    unsigned steps = c->steps[c->writer];
    uint8_t *want = xmalloc(HOOK_MAX);
    bool fit = true;

    for (unsigned n = steps; n > 0 && n + HOOKS > steps && fit; n--) {
        const void *data = NULL;
        size_t size = 0, want_size = hook(c->writer, n, want);
        enum err rc = snapshot_get_bytes(c->snap, KIND_HOOK, c->part.text, textf("hok_%u", n % HOOKS).text,
                                         &data, &size, NULL);
        fit = rc == ERR_OK && size == want_size && memcmp(data, want, size) == 0;
        if (!fit) {
            buf_addf(c->why, "writer %u: the raw bytes of step %u differ (%s)\n", c->writer, n, err_name(rc));
        }
    }
    free(want);
    unsigned all = steps < HOOKS ? steps : HOOKS;
    return fit &&
           !differs(c, "hooks", snapshot_count(c->snap, KIND_HOOK, c->part.text, INDEX_NONE, NULL), all);
}

/* The writer's events; marks the numbers of the shared stream they hold in taken[0..total]. */
static bool events_fit(struct check *c, bool *taken, unsigned total)
{
    unsigned steps = c->steps[c->writer], kept = steps < EVENTS_KEPT ? steps : EVENTS_KEPT;
    struct text conversation_id = textf("cnv_%u", c->writer);

    for (unsigned n = steps - kept + 1; n <= steps; n++) {
        json_t *body = NULL;
        (void)!snapshot_get(c->snap, KIND_EVENT, EVERYBODY, textf("evt_%u_%08u", c->writer, n).text, &body,
                            NULL);
        int64_t sequence = jx_int(body, "sequence", 0);
        bool fits = jx_int(body, "n", 0) == n && sequence > 0 && sequence <= total && !taken[sequence];
        json_decref(body);
        if (!fits) {
            buf_addf(c->why, "writer %u: event %u is missing or has the number %lld of %u\n", c->writer, n,
                     (long long)sequence, total);
            return false;
        }
        taken[sequence] = true;
    }
    return !differs(c, "events",
                    index_size(c, KIND_EVENT, EVERYBODY, INDEX_EVENT_CONVERSATION, conversation_id.text),
                    kept);
}

struct feed_count {
    uint64_t entries, last;
    bool disorder;
};

static bool feed_entry(uint64_t rev, enum kind kind, const char *part, const char *id, void *arg)
{
    struct feed_count *count = arg;

    (void)part;
    (void)id;
    count->disorder = count->disorder || rev < count->last || kind != KIND_DOCUMENT;
    count->last = rev;
    count->entries++;
    return true;
}

static bool walk_count(const char *part, const char *id, const void *data, size_t size, uint64_t rev,
                       void *arg)
{
    uint64_t *count = arg;

    (void)part;
    (void)id;
    (void)rev;
    *count += data != NULL && size > 0;
    return true;
}

/* What all writers share: the feed, the walk over a kind, the jobs that wait. */
static bool shared_fits(struct check *c, struct store *store, uint64_t documents, uint64_t jobs)
{
    struct feed_count feed = {0};
    struct queue_shape shape;
    uint64_t walked = 0, counted = 0;
    bool gap;

    for (unsigned w = 0; w < c->writers; w++) {
        counted += snapshot_count(c->snap, KIND_CONVERSATION, part_of(w).text, INDEX_NONE, NULL);
    }
    if (snapshot_feed(c->snap, 0, feed_entry, &feed, &gap) != ERR_OK || gap || feed.disorder ||
        snapshot_walk(c->snap, KIND_CONVERSATION, walk_count, &walked) != ERR_OK) {
        buf_addf(c->why, "the feed or the walk failed\n");
        return false;
    }
    store_queue_shape(store, QUEUE_DELIVER, &shape);
    return !differs(c, "entries of the feed", feed.entries, documents) &&
           !differs(c, "conversations walked", walked, counted) &&
           !differs(c, "waiting jobs", shape.jobs, jobs);
}

static bool all_fits(struct check *c, struct store *store, bool *taken, unsigned total)
{
    uint64_t documents = 0, jobs = 0;

    for (c->writer = 0; c->writer < c->writers; c->writer++) {
        c->part = part_of(c->writer);
        if (!conversations_fit(c) || !hooks_fit(c) || !events_fit(c, taken, total)) {
            return false;
        }
        documents += c->steps[c->writer] / 4;
        jobs += c->steps[c->writer] - (uint64_t)snapshot_counter(c->snap, c->part.text, "worked");
    }
    c->writer = 0;
    return shared_fits(c, store, documents, jobs);
}

bool workload_check(struct store *store, unsigned writers, struct buf *why)
{
    struct check c = {.why = why, .writers = writers};
    unsigned total = 0;

    if (snapshot_open(store, &c.snap) != ERR_OK) {
        buf_addf(why, "no snapshot\n");
        return false;
    }
    for (unsigned w = 0; w < writers; w++) {
        c.steps[w] = (unsigned)snapshot_counter(c.snap, part_of(w).text, "steps");
        total += c.steps[w];
    }
    if (total > 10 * 1000 * 1000) {
        buf_addf(why, "%u steps cannot be\n", total);
        snapshot_close(c.snap);
        return false;
    }
    bool *taken = xcalloc(total + 1, sizeof *taken);
    bool fits = all_fits(&c, store, taken, total);
    free(taken);
    snapshot_close(c.snap);
    return fits;
}

unsigned workload_done(struct store *store, unsigned writer)
{
    struct snapshot *snap;

    if (snapshot_open(store, &snap) != ERR_OK) {
        return 0;
    }
    unsigned steps = (unsigned)snapshot_counter(snap, part_of(writer).text, "steps");
    snapshot_close(snap);
    return steps;
}
