/* run.c: the QUEUE_INTEGRATION handler: loads the job's records, lets the service's file work, ends the job.
 */
#include "bridge/integrations/run.h"

#include <stdlib.h>
#include <string.h>

#include "queue/base/crypto.h"
#include "queue/base/log.h"
#include "queue/events.h"

#define PAGE       100
#define SECRET_MAX (64u << 10)

static const struct service {
    const char *type;
    void (*run)(struct run *run);
} services[] = {{"slack", slack_run}, {"zoom", zoom_run}, {"zapier", post_run}, {"http", post_run}};

static void run_free(void *arg)
{
    struct run *run = arg;
    struct arena *arena = run->arena;
    json_decref(run->integration);
    json_decref(run->event);
    json_decref(run->vars);
    json_decref(run->made);
    arena_free(arena);
    free(run);
}

/* The change-set was taken, or meets a newer record. */
static void finished(enum err rc, uint64_t rev, void *arg)
{
    struct run *run = arg;
    (void)rev;
    if (rc == ERR_CONFLICT || rc == ERR_SEEN) {
        run_done(run, run->changes);
    } else {
        run_free(run);
    }
}

void run_done(struct run *run, run_changes_fn changes)
{
    struct snapshot *snap = NULL;
    struct changes *cs = changes_new();
    enum err rc = changes != NULL ? snapshot_open(job_store(run->job), &snap) : ERR_OK;
    run->changes = changes;
    if (rc == ERR_OK && changes != NULL) {
        rc = changes(run, cs, snap);
    }
    snapshot_close(snap);
    if (rc != ERR_OK) {
        changes_free(cs);
        run_fail(run, err_name(rc), false);
        return;
    }
    changes_ack(cs, run->job);
    job_finish(run->job, cs, finished, run);
}

void run_fail(struct run *run, const char *why, bool final)
{
    struct changes *cs = changes_new();
    struct job *job = run->job;
    log_warn("integration.failed", "integration=%s final=%d why=%s", jx_str_or(run->integration, "id", ""),
             final, log_quote(why));
    if (final) {
        changes_bury(cs, job, why);
    } else {
        changes_fail(cs, job, why);
    }
    run_free(run);
    job_finish(job, cs, NULL, NULL);
}

/* The service answered, or did not. */
static void answered(const struct api_call_result *result, void *arg)
{
    struct run *run = arg;
    run->call = NULL;
    job_on_cut(run->job, NULL, NULL);
    bool passing =
        result->status == 0 || result->status == 408 || result->status == 429 || result->status >= 500;
    if (!result->ok && passing) {
        run_fail(run, result->why != NULL ? result->why : "no answer", false);
    } else {
        run->step(run, result);
    }
}

void run_call(struct run *run, json_t *spec, run_step_fn step)
{
    run->step = step;
    job_on_cut(run->job, run_free, run);
    struct api_call *call =
        api_call_start(job_http(run->job), job_store(run->job), run->part, spec, run->vars, answered, run);
    json_decref(spec);
    if (call != NULL) {
        run->call = call;
    }
}

bool run_secret(struct run *run, const char *field, const char *name)
{
    struct buf text;
    buf_init(&text, SECRET_MAX);
    bool found = integration_secret(run->integration, run->part, field, &text) == ERR_OK;
    if (found) {
        jx_set_str(run->vars, name, buf_str(&text));
    }
    wipe(text.data, text.len);
    buf_fini(&text);
    return found;
}

/* The job's records. ERR_NOTFOUND: one is gone, there is nothing to do. */
static enum err load(struct run *run)
{
    struct snapshot *snap = NULL;
    const json_t *payload = job_payload(run->job);
    enum err rc = snapshot_open(job_store(run->job), &snap);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = snapshot_get(snap, KIND_INTEGRATION, run->part, jx_str_or(payload, "integration_id", "-"),
                      &run->integration, NULL);
    if (rc == ERR_OK) {
        rc =
            snapshot_get(snap, KIND_EVENT, run->part, jx_str_or(payload, "event_id", "-"), &run->event, NULL);
    }
    snapshot_close(snap);
    return rc;
}

/* A job_fn. */
static void integration_job(struct job *job, void *arg)
{
    struct run *run = xcalloc(1, sizeof(*run));
    (void)arg;
    run->job = job;
    run->part = job_partition(job);
    run->arena = arena_new(1u << 20);
    run->vars = json_object();
    enum err rc = load(run);
    if (rc == ERR_NOTFOUND || (rc == ERR_OK && !jx_bool(run->integration, "enabled", true))) {
        run_done(run, NULL);
        return;
    }
    if (rc != ERR_OK) {
        run_fail(run, err_name(rc), false);
        return;
    }
    const char *type = jx_str_or(run->integration, "type", "");
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        if (strcmp(services[i].type, type) == 0) {
            services[i].run(run);
            return;
        }
    }
    run_fail(run, "there is no such service", true);
}

/* Pushes the job of one integration for this event; those of one conversation keep their order. */
static void push(struct changes *cs, const char *part, const json_t *integration, const json_t *event)
{
    const char *id = jx_str_or(integration, "id", ""), *about = jx_str(event, "conversation_id");
    char *lane = xasprintf("%s/%s", id, about != NULL ? about : jx_str_or(event, "id", ""));
    json_t *payload = json_object();
    jx_set_str(payload, "integration_id", id);
    jx_set_str(payload, "event_id", jx_str(event, "id"));
    changes_push(cs, QUEUE_INTEGRATION, part, lane, 0, payload);
    json_decref(payload);
    free(lane);
}

/* An event_listener_fn. */
static void on_event(struct changes *cs, struct snapshot *snap, const char *part, const json_t *event)
{
    struct store_page page;
    const char *type = jx_str_or(event, "type", "");
    struct page_query query = {.kind = KIND_INTEGRATION, .part = part, .limit = PAGE};
    if (snapshot_count(snap, KIND_INTEGRATION, part, INDEX_NONE, NULL) == 0 ||
        snapshot_page(snap, &query, &page) != ERR_OK) {
        return;
    }
    for (size_t i = 0; i < page.count; i++) {
        if (integration_wants(page.rows[i].body, type)) {
            push(cs, part, page.rows[i].body, event);
        }
    }
    store_page_free(&page);
}

void integrations_register(struct workers *workers)
{
    event_listen(on_event);
    workers_handle(workers, QUEUE_INTEGRATION, integration_job, NULL);
}
