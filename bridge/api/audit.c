/* audit.c: reading the account's audit log, and holding it against its own chain; call_audit writes it with
 * each effect.
 *
 * The store numbers the lines without gaps, in the order of their commits, and puts the hash of the line
 * before into each (changes_put_chained); the hash of the last one stands apart. So a line that was changed
 * does not fit the next one's hash, a line taken away leaves a gap or a last hash that is nobody's, and lines
 * slipped in have no number. The oldest lines may be gone (retention): the chain is held from the first that
 * is there. */
#include <stdlib.h>
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/loop.h"

static json_t *show(const json_t *record)
{
    return json_incref((json_t *)record);
}

void audit_list(struct call *c)
{
    struct list_spec spec = {
        .query = {.kind = KIND_AUDIT, .part = c->part, .descending = true}, .show = show, .cursors = true};
    if (call_snap(c) != NULL) {
        spec.total = (int64_t)snapshot_count(c->snap, KIND_AUDIT, c->part, INDEX_NONE, NULL);
        list_reply(c, &spec);
    }
}

struct link {
    int64_t number;
    char previous[65], hash[65];
};
struct chain {
    struct link *links;
    size_t count, room;
    int64_t beyond;  /* the highest number above the end: of a line that came later, or is nobody's */
    bool unreadable; /* some line is no JSON any more */
};

/* One line of the log, up to the last number. Lines from before there was a chain have none. */
static void take_line(struct chain *chain, const void *data, size_t size, int64_t last)
{
    json_t *line = NULL;
    if (jx_parse_lenient(data, size, &line) != ERR_OK) {
        chain->unreadable = true;
        return;
    }
    int64_t number = jx_int(line, "sequence", 0);
    if (number > last) {
        chain->beyond = number > chain->beyond ? number : chain->beyond;
    } else if (number > 0) {
        if (chain->count == chain->room) {
            chain->room = chain->room == 0 ? 256 : chain->room * 2;
            chain->links = xrealloc(chain->links, chain->room * sizeof(*chain->links));
        }
        struct link *link = &chain->links[chain->count++];
        memset(link, 0, sizeof(*link));
        link->number = number;
        strncat(link->previous, jx_str_or(line, "previous", ""), sizeof(link->previous) - 1);
        sha256_hex(data, size, link->hash);
    }
    json_decref(line);
}

static int by_number(const void *a, const void *b)
{
    int64_t x = ((const struct link *)a)->number, y = ((const struct link *)b)->number;
    return (x > y) - (x < y);
}

/* The first thing that is wrong; NULL: nothing. */
static const char *first_fault(const struct chain *chain, const json_t *end, int64_t *number)
{
    int64_t last = jx_int(end, "sequence", 0);
    for (size_t i = 1; i < chain->count; i++) {
        const struct link *before = &chain->links[i - 1], *link = &chain->links[i];
        *number = before->number + 1;
        if (link->number != before->number + 1) {
            return "missing";
        }
        *number = before->number;
        if (strcmp(link->previous, before->hash) != 0) {
            return "changed";
        }
    }
    const struct link *newest = chain->count > 0 ? &chain->links[chain->count - 1] : NULL;
    *number = newest != NULL ? newest->number : last;
    if (last != *number || (newest == NULL && last > 0)) {
        *number = newest != NULL ? newest->number + 1 : last;
        return "missing";
    }
    if (newest != NULL && strcmp(newest->hash, jx_str_or(end, "hash", "")) != 0) {
        return "changed";
    }
    *number = 0;
    return chain->unreadable ? "unreadable" : NULL;
}

/* What is found, as the answer. */
static json_t *verdict(struct chain *chain, const json_t *end)
{
    int64_t number = 0;
    json_t *out = json_object();
    if (chain->count > 1) {
        qsort(chain->links, chain->count, sizeof(*chain->links), by_number);
    }
    const char *reason = first_fault(chain, end, &number);
    jx_set_bool(out, "intact", reason == NULL);
    jx_set_int(out, "lines", (int64_t)chain->count);
    jx_set_int(out, "last", jx_int(end, "sequence", 0));
    jx_set(out, "broken_at", reason != NULL && number > 0 ? json_integer(number) : json_null());
    jx_set_str(out, "reason", reason);
    return out;
}

/* ---- reading it, in slices of a few ms on the request's loop ---- */

#define SLICE_US 4000

/* A check under way. Its end is read first: lines that come while it runs are behind it and do not count. */
struct verify {
    struct call *c;
    struct chain chain;
    json_t *end;               /* NULL: there is no chain yet */
    char at[STORE_ID_MAX + 1]; /* the last line passed */
    int64_t slice_us;
    int64_t grown; /* the end's number when the last slice began */
    bool paused;
};

static void verify_free(struct verify *v)
{
    json_decref(v->end);
    free(v->chain.links);
    free(v);
}

/* One line; false when the slice is over. */
static bool pass(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct verify *v = arg;
    (void)rev;
    if (strcmp(id, v->at) != 0) {
        take_line(&v->chain, data, size, jx_int(v->end, "sequence", 0));
        memcpy(v->at, id, strlen(id) + 1);
    }
    v->paused = clock_mono_us() - v->slice_us > SLICE_US;
    return !v->paused;
}

/* Goes on where the slice before ended. */
static enum err verify_run(struct verify *v, struct snapshot *snap)
{
    char from[STORE_ID_MAX + 1];
    struct page_query query = {.kind = KIND_AUDIT, .part = v->c->part};
    memcpy(from, v->at, sizeof(from));
    query.from = from[0] != '\0' ? from : NULL;
    json_t *end = NULL;
    enum err rc = snapshot_get(snap, KIND_CHAIN, v->c->part, AUDIT_STREAM, &end, NULL);
    v->grown = jx_int(end, "sequence", 0);
    json_decref(end);
    v->paused = false;
    v->slice_us = clock_mono_us();
    return rc == ERR_OK || rc == ERR_NOTFOUND ? snapshot_scan(snap, &query, pass, v) : rc;
}

/* One slice. */
static void slice(void *arg)
{
    struct verify *v = arg;
    struct call *c = v->c;
    struct snapshot *snap = NULL;
    enum err rc = snapshot_open(c->api->app->store, &snap);
    rc = rc == ERR_OK ? verify_run(v, snap) : rc;
    snapshot_close(snap);
    if (rc == ERR_OK && v->paused) {
        (void)loop_after(http_loop(c->req), 0, slice, v);
        return;
    }
    json_t *answer = rc == ERR_OK ? verdict(&v->chain, v->end) : NULL;
    if (answer != NULL && v->chain.beyond > v->grown) {
        jx_set_bool(answer, "intact", false);
        jx_set_int(answer, "broken_at", v->grown + 1);
        jx_set_str(answer, "reason", "missing");
    }
    verify_free(v);
    if (answer != NULL) {
        call_reply(c, 200, answer);
    } else {
        call_refuse(c, rc, NULL, "");
    }
}

void audit_verify(struct call *c)
{
    json_t *end = NULL;
    if (call_snap(c) == NULL) {
        return;
    }
    enum err rc = snapshot_get(c->snap, KIND_CHAIN, c->part, AUDIT_STREAM, &end, NULL);
    if (rc != ERR_OK && rc != ERR_NOTFOUND) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    struct verify *v = xcalloc(1, sizeof(*v));
    v->c = c;
    v->end = end;
    call_rest(c);
    call_wait(c);
    (void)loop_after(http_loop(c->req), 0, slice, v);
}
