/* ops.c: for those who run the daemon. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/reply.h"
#include "bridge/api/figures.h"
#include "kb/kb.h"
#include "queue/base/clock.h"
#include "queue/jobs.h"

#define METRICS_MAX (256u * 1024u)

static const enum queue_id queues[] = {
#define X(symbol, code, name, tries, first, cap, text) symbol,
#include "queue/tbl_queues.h"
#undef X
};

void ops_health(struct call *c)
{
    json_t *out = json_object();
    jx_set_str(out, "status", "ok");
    jx_set_str(out, "version", CHASQUI_VERSION);
    call_reply(c, 200, out);
}

/* Why no new work is taken in: a word for machines and a sentence for people; NULL, NULL if it is. */
static void unready(struct app *app, const char **word, const char **text)
{
    struct store_status store;
    bool accepts = store_accepts(app->store);
    store_status(app->store, &store);
    *word = *text = NULL;
    if (atomic_load(&app->draining)) {
        *word = "draining";
        *text = "The daemon is stopping.";
    } else if (!store.writable) {
        *word = "read_only";
        *text = "A write or sync of the store failed. Nothing is taken in until the daemon is started again, which its "
                "supervisor does when store.read_only_grace is over.";
    } else if (store.disk_low) {
        *word = "disk_low";
        *text = "The disk has less free space than the reserve. It goes on by itself when there is room.";
    } else if (!accepts) {
        *word = "backlog";
        *text = "Too many writes wait for the disk.";
    }
}

/* What stands in the way, in the envelope that every error wears, with the reason as a word for machines. */
static json_t *unready_answer(struct call *c, const char *word, const char *text)
{
    json_t *out = NULL;
    char *envelope = reply_error_text(strcmp(word, "draining") == 0 ? API_DRAINING : API_UNAVAILABLE, NULL, text,
                                      http_request_id(c->req));
    CHECK(jx_parse_lenient(envelope, strlen(envelope), &out) == ERR_OK);
    free(envelope);
    jx_set_str(out, "status", "unready");
    jx_set_str(out, "reason", word);
    return out;
}

void ops_ready(struct call *c)
{
    const char *word, *text;
    unready(c->api->app, &word, &text);
    c->bare = true;
    if (word != NULL) {
        http_reply_header(c->req, "Retry-After", "5");
        call_reply(c, 503, unready_answer(c, word, text));
        return;
    }
    json_t *out = json_object();
    jx_set_str(out, "status", "ready");
    call_reply(c, 200, out);
}

/* One figure with its help and type. */
static void figure(struct buf *out, const char *name, const char *type, const char *help, double value)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

/* What waits in each queue. */
static void queue_figures(struct store *store, struct buf *out)
{
    buf_adds(out, "# HELP chasqui_jobs Jobs of a queue, waiting or under way.\n# TYPE chasqui_jobs gauge\n");
    for (unsigned i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        struct queue_shape shape;
        store_queue_shape(store, queues[i], &shape);
        buf_addf(out, "chasqui_jobs{queue=\"%s\"} %" PRIu64 "\n", queue_row(queues[i])->name, shape.jobs);
    }
    buf_adds(out, "# HELP chasqui_queue_late_seconds How long the most overdue lane has waited.\n"
                  "# TYPE chasqui_queue_late_seconds gauge\n");
    for (unsigned i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        struct queue_shape shape;
        store_queue_shape(store, queues[i], &shape);
        buf_addf(out, "chasqui_queue_late_seconds{queue=\"%s\"} %g\n", queue_row(queues[i])->name,
                 (double)shape.oldest_due_ms / 1000);
    }
}

/* The store's condition. */
static void store_figures(struct store *store, struct buf *out)
{
    struct store_status status;
    store_status(store, &status);
    figure(out, "chasqui_store_writable", "gauge", "0 after a failed sync.", status.writable);
    figure(out, "chasqui_store_disk_low", "gauge", "1 while free space is below the reserve.",
           status.disk_low);
    figure(out, "chasqui_store_waiting", "gauge", "Change-sets waiting for the committer.", status.waiting);
    figure(out, "chasqui_store_oldest_reader_seconds", "gauge", "Age of the oldest open snapshot.",
           (double)status.oldest_reader_ms / 1000);
    figure(out, "chasqui_store_used_bytes", "gauge", "Bytes of the store in use.", (double)status.used_bytes);
    figure(out, "chasqui_store_commits_total", "counter", "Durable commits.", (double)status.commits);
    figure(out, "chasqui_store_changes_total", "counter", "Change-sets committed.", (double)status.changes);
    figure(out, "chasqui_store_commit_seconds_total", "counter", "Time spent in commits.",
           (double)status.commit_us_sum / 1e6);
}

void ops_metrics(struct call *c)
{
    struct app *app = c->api->app;
    struct http_stats http;
    struct kb_stats kb;
    struct buf out;
    buf_init(&out, METRICS_MAX);
    http_server_stats(app->http, &http);
    kb_stats(app->kb, &kb);
    figure(&out, "chasqui_uptime_seconds", "gauge", "Time since start.",
           (double)(clock_wall_ms() - app->started_ms) / 1000);
    figure(&out, "chasqui_http_connections", "gauge", "Open connections.", (double)http.connections);
    figure(&out, "chasqui_http_requests_total", "counter", "Requests taken.", (double)http.requests);
    figure(&out, "chasqui_http_refused_total", "counter", "Requests refused by the front.",
           (double)http.refused);
    figures_show(c->api->figures, &out);
    store_figures(app->store, &out);
    queue_figures(app->store, &out);
    figure(&out, "chasqui_kb_documents", "gauge", "Documents in the index.", (double)kb.documents);
    figure(&out, "chasqui_kb_chunks", "gauge", "Passages in the index.", (double)kb.chunks);
    call_text(c, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&out), out.len);
    buf_fini(&out);
}
