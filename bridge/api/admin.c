/* admin.c: accounts and condition, over the Unix socket only. */
#include <string.h>

#include "bridge/api/accounts.h"
#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "kb/kb.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/jobs.h"

static json_t *show(const json_t *account)
{
    return json_incref((json_t *)account);
}

void admin_accounts(struct call *c)
{
    c->part = PARTITION_GLOBAL;
    struct list_spec spec = {.query = {.kind = KIND_ACCOUNT, .part = PARTITION_GLOBAL}, .show = show};
    if (call_snap(c) != NULL) {
        spec.total = (int64_t)snapshot_count(c->snap, KIND_ACCOUNT, PARTITION_GLOBAL, INDEX_NONE, NULL);
        list_reply(c, &spec);
    }
}

void admin_account_create(struct call *c)
{
    struct account_made made;
    const char *field = NULL;
    c->part = PARTITION_GLOBAL;
    enum err rc = account_create(call_changes(c), jx_str_or(c->body, "name", ""),
                                 jx_str_or(c->body, "email", "owner@localhost"),
                                 jx_str_or(c->body, "plan", "enterprise"), &made, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    json_t *answer = json_object();
    jx_set_str(answer, "account_id", made.account_id.text);
    jx_set_str(answer, "agent_id", made.agent_id.text);
    jx_set_str(answer, "live_key", made.live_key);
    jx_set_str(answer, "test_key", made.test_key);
    jx_set_str(answer, "data_dir", c->api->app->data_dir);
    wipe(&made, sizeof(made));
    call_commit(c, 201, answer);
}

void admin_status(struct call *c)
{
    struct app *app = c->api->app;
    struct store_status store;
    struct http_stats http;
    struct kb_stats kb;
    store_status(app->store, &store);
    http_server_stats(app->http, &http);
    kb_stats(app->kb, &kb);
    json_t *out = json_object();
    jx_set_str(out, "version", CHASQUI_VERSION);
    jx_set_str(out, "url", app->public_url);
    jx_set_str(out, "data_dir", app->data_dir);
    jx_set_time(out, "started_at", app->started_ms);
    jx_set_bool(out, "draining", atomic_load(&app->draining));
    jx_set_bool(out, "accepts", store_accepts(app->store));
    jx_set_bool(out, "store_writable", store.writable);
    jx_set_bool(out, "disk_low", store.disk_low);
    jx_set_int(out, "store_waiting", store.waiting);
    jx_set_int(out, "store_used_bytes", (int64_t)store.used_bytes);
    jx_set_int(out, "store_commits", (int64_t)store.commits);
    jx_set_int(out, "connections", (int64_t)http.connections);
    jx_set_int(out, "requests", (int64_t)http.requests);
    jx_set_int(out, "kb_documents", (int64_t)kb.documents);
    jx_set_int(out, "kb_chunks", (int64_t)kb.chunks);
    call_reply(c, 200, out);
}

void admin_queue(struct call *c)
{
    json_t *rows = json_array(), *out = json_object();
    for (int i = 0; i < QUEUE_LAST; i++) {
        struct queue_shape shape;
        const struct queue_row *queue = queue_row((enum queue_id)i);
        if (queue == NULL) {
            continue;
        }
        store_queue_shape(c->api->app->store, queue->queue, &shape);
        json_t *row = json_object();
        jx_set_str(row, "queue", queue->name);
        jx_set_int(row, "lanes", (int64_t)shape.lanes);
        jx_set_int(row, "jobs", (int64_t)shape.jobs);
        jx_set_int(row, "held", (int64_t)shape.held);
        jx_set_int(row, "oldest_due_ms", shape.oldest_due_ms);
        jx_set_str(row, "description", queue->text);
        jx_push(rows, row);
    }
    jx_set_int(out, "count", (int64_t)json_array_size(rows));
    jx_set(out, "results", rows);
    call_reply(c, 200, out);
}
