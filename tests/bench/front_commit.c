/* front_commit.c: what a daemon's durable acknowledgement costs before routes, channels and the work behind
 * it. */
#include "tests/bench/front_commit.h"

#include <inttypes.h>
#include <stdio.h>

#include "bridge/http/http.h"
#include "queue/base/id.h"
#include "queue/jobs.h"
#include "queue/store.h"

#define PART    "bench"
#define LANES   16
#define MAP     ((uint64_t)64 << 30)
#define BACKLOG 4096

enum err front_commit_open(const char *dir, struct store **out)
{
    char uri[4096];

    snprintf(uri, sizeof uri, "lmdb:%s", dir);
    return store_open(uri, MAP, BACKLOG, out);
}

static void on_stored(enum err rc, uint64_t rev, void *arg)
{
    (void)rev;
    http_reply(arg, rc == ERR_OK ? 200 : 503, "text/plain; charset=utf-8", "ok", 2);
}

void front_commit(struct store *store, struct http_request *req)
{
    static unsigned next;
    struct id id = id_new("hok");
    struct changes *cs = changes_new();
    json_t *payload = json_object();
    char lane[JOB_LANE_MAX];
    size_t size = 0;
    const char *body = http_body(req, &size);

    jx_set_str(payload, "hook_id", id.text);
    snprintf(lane, sizeof lane, "chn_bench:%u", next++ % LANES);
    changes_expect(cs, KIND_HOOK, PART, id.text, 0);
    changes_put_bytes(cs, KIND_HOOK, PART, id.text, body, size);
    changes_push(cs, QUEUE_INTAKE, PART, lane, 0, payload);
    json_decref(payload);
    store_submit(store, cs, on_stored, req);
}

void front_commit_figures(struct store *store, struct http_request *req)
{
    struct store_status status;
    char text[512];

    store_status(store, &status);
    int size =
        snprintf(text, sizeof text,
                 "chasqui_store_commits_total %" PRIu64 "\nchasqui_store_changes_total %" PRIu64
                 "\nchasqui_store_commit_seconds_total %.6f\nchasqui_store_used_bytes %" PRIu64 "\n",
                 status.commits, status.changes, (double)status.commit_us_sum / 1e6, status.used_bytes);
    http_reply(req, 200, "text/plain; version=0.0.4", text, (size_t)size);
}
