/* event_stream.c: the event log as server-sent events, while it grows.
 *
 * Each stream is a reader with a place in the log (the id of the last event it has passed) and a timer. A
 * turn of the timer opens a snapshot only if the store has committed since the turn before, writes at most
 * PAGE events, and pauses when the client has not taken what was written: a slow reader costs one place in
 * the log, never a queue. Ids are made a moment before their commit, and two threads may commit in the other
 * order; so a turn leaves events alone that are younger than SETTLE_MS. A place is then never passed by an
 * event that comes behind it, and Last-Event-ID is enough to go on without a gap. A stream ends when its key
 * is revoked or has expired (asked each AUTH_AGAIN_MS) and when the daemon drains. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/api/auth.h"
#include "bridge/api/call.h"
#include "bridge/api/event_filter.h"
#include "bridge/api/keys.h"
#include "bridge/api/reply.h"
#include "queue/base/clock.h"
#include "queue/base/loop.h"

#define TURN_MS      50
#define SETTLE_MS    100
#define HEARTBEAT_MS 15000
#define PAGE         16
#define STREAMS_MOST 1000 /* of the process */
#define FRAME_MAX    (1u << 20)

struct stream {
    struct call *c;
    struct event_filter filter;
    struct loop_timer *timer;
    char at[STORE_ID_MAX + 1]; /* the last event passed */
    uint64_t commits;          /* of the store when the log was last read to its end */
    int64_t settled_ms;        /* up to which moment that was */
    int64_t key_ms, wrote_ms;
    bool behind; /* there is more to read */
    bool full;   /* the client has not taken what was written */
};

static atomic_uint streams;

/* Ends the stream; nothing of it is left. */
static void stream_end(struct stream *s)
{
    struct call *c = s->c;
    loop_cancel(s->timer);
    free(s);
    atomic_fetch_sub(&streams, 1);
    call_streamed(c);
    http_stream_end(c->req);
}

/* Writes a piece; notes when the client is behind. */
static void stream_write(struct stream *s, const char *data, size_t size)
{
    s->wrote_ms = clock_mono_ms();
    s->full = http_stream_write(s->c->req, data, size) > HTTP_STREAM_HIGH;
}

/* One event as three lines. */
static void write_event(struct stream *s, const json_t *event)
{
    struct buf line;
    buf_init(&line, FRAME_MAX);
    buf_addf(&line, "id: %s\nevent: %s\ndata: ", jx_str_or(event, "id", ""), jx_str_or(event, "type", ""));
    jx_dump(event, &line);
    buf_adds(&line, "\n\n");
    stream_write(s, line.data, line.len);
    buf_fini(&line);
}

/* Writes the events from the place on that have settled. */
static enum err read_on(struct stream *s, struct snapshot *snap, int64_t settled_ms)
{
    struct store_page page;
    char floor[27];
    id_floor(settled_ms, floor);
    char *from = xasprintf("%s!", s->at), *to = xasprintf("%s_%s", kind_row(KIND_EVENT)->prefix, floor);
    struct page_query query = {.kind = KIND_EVENT, .part = s->c->part, .from = from, .limit = PAGE};
    query.to = id_time_ms(s->at) <= settled_ms ? to : NULL; /* the clock was set back: ids are ahead of it */
    enum err rc = snapshot_page(snap, &query, &page);
    free(from);
    free(to);
    if (rc != ERR_OK) {
        return rc;
    }
    size_t i;
    for (i = 0; i < page.count && !s->full; i++) {
        snprintf(s->at, sizeof(s->at), "%s", page.rows[i].id);
        if (event_filter_keep(page.rows[i].body, &s->filter)) {
            write_event(s, page.rows[i].body);
        }
    }
    s->behind = page.more || i < page.count;
    store_page_free(&page);
    return ERR_OK;
}

/* Looks into the log if there may be something. False: the stream is to end. */
static bool look(struct stream *s)
{
    struct store_status status;
    struct snapshot *snap;
    int64_t now = clock_wall_ms(), mono = clock_mono_ms();
    store_status(s->c->api->app->store, &status);
    bool ask_key = mono - s->key_ms >= AUTH_AGAIN_MS;
    bool changed = status.commits != s->commits || now - SETTLE_MS <= s->settled_ms;
    if (!ask_key && !changed && !s->behind) {
        return true;
    }
    if (snapshot_open(s->c->api->app->store, &snap) != ERR_OK) {
        return true;
    }
    bool fine = !ask_key || s->c->caller.administrator || key_is_good(snap, s->c->caller.key_id);
    s->key_ms = ask_key ? mono : s->key_ms;
    if (fine && !s->full && (changed || s->behind) && read_on(s, snap, now - SETTLE_MS) == ERR_OK) {
        /* A commit younger than SETTLE_MS is looked for again until it has settled. */
        if (status.commits != s->commits) {
            s->commits = status.commits;
            s->settled_ms = now;
        }
    }
    snapshot_close(snap);
    return fine;
}

/* One turn. */
static void on_turn(void *arg)
{
    struct stream *s = arg;
    s->timer = NULL;
    if (atomic_load(&s->c->api->app->draining) || !look(s)) {
        stream_end(s);
        return;
    }
    if (clock_mono_ms() - s->wrote_ms >= HEARTBEAT_MS && !s->full) {
        stream_write(s, ": alive\n\n", 9);
    }
    s->timer = loop_after(http_loop(s->c->req), s->behind && !s->full ? 0 : TURN_MS, on_turn, s);
}

/* The client has taken what was written. */
static void on_drain(void *arg)
{
    struct stream *s = arg;
    s->full = false;
    if (s->timer != NULL) {
        loop_cancel(s->timer);
        s->timer = loop_after(http_loop(s->c->req), 0, on_turn, s);
    }
}

/* The client went away. */
static void on_gone(void *arg)
{
    stream_end(arg);
}

/* The place to begin at: behind the event that the client names, else now. *reset: that event is not there
 * any more. */
static void choose_place(struct call *c, struct stream *s, bool *reset)
{
    json_t *event = NULL;
    char floor[27];
    const char *last = http_header(c->req, "Last-Event-ID");
    last = last != NULL && last[0] != '\0' ? last : call_query(c, "after");
    *reset = false;
    if (last != NULL && last[0] != '\0') {
        *reset = !id_is(last, kind_row(KIND_EVENT)->prefix) ||
                 snapshot_get(c->snap, KIND_EVENT, c->part, last, &event, NULL) != ERR_OK;
        json_decref(event);
    }
    if (last != NULL && last[0] != '\0' && !*reset) {
        snprintf(s->at, sizeof(s->at), "%s", last);
        return;
    }
    id_floor(clock_wall_ms(), floor);
    snprintf(s->at, sizeof(s->at), "%s_%s", kind_row(KIND_EVENT)->prefix, floor);
}

/* Tells a client that it has missed events: what it knows is to be read anew. */
static void write_reset(struct stream *s)
{
    static const char text[] =
        "event: reset\ndata: {\"reason\":\"too_old\",\"message\":\"The log no longer holds the event "
        "named by Last-Event-ID; read what you need anew and go on from here.\"}\n\n";
    stream_write(s, text, sizeof(text) - 1);
}

void events_stream(struct call *c)
{
    bool reset;
    struct event_filter filter;
    if (call_snap(c) == NULL || !event_filter_read(c, &filter)) {
        return;
    }
    if (atomic_load(&c->api->app->draining) || atomic_fetch_add(&streams, 1) >= STREAMS_MOST) {
        if (!atomic_load(&c->api->app->draining)) {
            atomic_fetch_sub(&streams, 1);
        }
        call_fail(c, API_UNAVAILABLE, NULL, NULL);
        return;
    }
    struct stream *s = xcalloc(1, sizeof(*s));
    s->c = c;
    s->filter = filter;
    s->behind = true;
    s->key_ms = clock_mono_ms();
    choose_place(c, s, &reset);
    call_wait(c);
    reply_window(c);
    http_reply_header(c->req, "Cache-Control", "no-cache");
    http_reply_header(c->req, "X-Accel-Buffering", "no");
    http_stream_begin(c->req, 200, "text/event-stream", on_drain, on_gone, s);
    stream_write(s, "retry: 2000\n\n", 13);
    if (reset) {
        write_reset(s);
    }
    s->timer = loop_after(http_loop(c->req), 0, on_turn, s);
}
