/* flow_jobs.c: the QUEUE_FLOW handler, and what pushes its jobs. */
#include "agent/flow/flow_jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/flow/flow.h"
#include "agent/flow/fields.h"
#include "channels/conversation.h"
#include "queue/base/clock.h"
#include "queue/base/log.h"
#include "queue/events.h"
#include "queue/jobs.h"

#define PAGE       200
#define LATE_MS    (3600 * (int64_t)1000) /* a schedule that is later than this skips its time */
#define EVENT_DATA 8192                   /* bytes of an event that become a variable */

/* ---- pushing ---- */

void flow_sleep(struct changes *cs, const char *part, const char *conversation_id, const json_t *state,
                int64_t ms)
{
    char lane[JOB_LANE_MAX];
    json_t *payload = json_object(), *wake = json_object();
    const char *token = jx_str_or(state, "token", "");

    snprintf(lane, sizeof lane, "wake/%s", token);
    jx_set_str(wake, "conversation_id", conversation_id);
    jx_set_str(wake, "id", jx_str(state, "id"));
    jx_set_str(wake, "token", token);
    jx_set(payload, "wake", wake);
    changes_push(cs, QUEUE_FLOW, part, lane, ms, payload);
    json_decref(payload);
}

/* A job that begins a flow in a conversation. key tells it from others. */
static void push_begin(struct changes *cs, const char *part, const char *key, const char *conversation_id,
                       const char *flow, int64_t version, json_t *vars)
{
    char lane[JOB_LANE_MAX];
    json_t *payload = json_object(), *wake = json_object();

    snprintf(lane, sizeof lane, "begin/%s/%s", conversation_id, key);
    jx_set_str(wake, "conversation_id", conversation_id);
    jx_set_str(wake, "id", flow);
    jx_set_int(wake, "version", version);
    jx_set_str(wake, "key", key);
    jx_set(wake, "vars", vars);
    jx_set(payload, "wake", wake);
    changes_push(cs, QUEUE_FLOW, part, lane, 0, payload);
    json_decref(payload);
}

/* The next look of a schedule. after: the position in the conversations, NULL: from the first, at `at`. */
static void push_schedule(struct changes *cs, const char *part, const char *flow, int64_t version, int64_t at,
                          const char *after)
{
    char lane[JOB_LANE_MAX];
    json_t *payload = json_object(), *schedule = json_object();
    int64_t wait = at - clock_wall_ms();

    snprintf(lane, sizeof lane, "schedule/%s/%lld", flow, (long long)version);
    jx_set_str(schedule, "flow", flow);
    jx_set_int(schedule, "version", version);
    jx_set_int(schedule, "at", at);
    if (after != NULL) {
        jx_set_str(schedule, "after", after);
    }
    jx_set(payload, "schedule", schedule);
    changes_push(cs, QUEUE_FLOW, part, lane, wait > 0 ? wait : 0, payload);
    json_decref(payload);
}

/* The next time of a trigger; -1 if it has none. */
static int64_t next_time(const json_t *trigger, int64_t after_ms)
{
    const char *cron = jx_str(trigger, "cron");

    if (cron == NULL || strcmp(jx_str_or(trigger, "type", ""), "schedule") != 0) {
        return -1;
    }
    return flow_cron_next(cron, jx_str_or(trigger, "time_zone", "UTC"), after_ms);
}

void flow_schedule(struct changes *cs, const char *part, const json_t *flow)
{
    int64_t at = next_time(jx_obj(flow, "trigger"), clock_wall_ms());

    if (at >= 0) {
        push_schedule(cs, part, jx_str_or(flow, "id", ""), jx_int(flow, "version", 0), at, NULL);
    }
}

/* ---- events ---- */

/* What a flow sees of an event. New reference. */
static json_t *event_vars(const json_t *event)
{
    json_t *vars = json_object(), *seen = json_object(), *data = json_object_get(event, "data");

    jx_set_str(seen, "id", jx_str(event, "id"));
    jx_set_str(seen, "type", jx_str(event, "type"));
    if (json_dumpb(data, NULL, 0, JSON_COMPACT) <= EVENT_DATA) {
        jx_set(seen, "data", json_incref(data));
    }
    jx_set(vars, "event", seen);
    return vars;
}

/* An event_listener_fn: flows that begin with it. */
static void on_event(struct changes *cs, struct snapshot *snap, const char *part, const json_t *event)
{
    const char *type = jx_str_or(event, "type", ""), *agent = jx_str(event, "agent_id");
    const char *conversation = jx_str(event, "conversation_id");
    size_t i;
    json_t *row;

    if (agent == NULL || conversation == NULL || !flow_event_ok(type)) {
        return;
    }
    json_t *rows = flow_triggers(snap, part, agent);
    json_array_foreach (rows, i, row) {
        const json_t *trigger = jx_obj(row, "trigger");
        if (strcmp(jx_str_or(trigger, "type", ""), "event") == 0 &&
            strcmp(jx_str_or(trigger, "event", ""), type) == 0) {
            push_begin(cs, part, jx_str_or(event, "id", ""), conversation, jx_str_or(row, "id", ""),
                       jx_int(row, "version", 0), event_vars(event));
        }
    }
    json_decref(rows);
}

/* ---- the handler ---- */

/* The conversation's lane takes over. */
static void run_wake(struct job *job, const json_t *wake)
{
    struct changes *cs = changes_new();
    const char *conversation = jx_str_or(wake, "conversation_id", "");
    json_t *payload = json_object();

    jx_set_str(payload, "conversation_id", conversation);
    jx_set(payload, "flow", json_incref((json_t *)wake));
    changes_push(cs, QUEUE_TURN, job_partition(job), conversation, 0, payload);
    changes_ack(cs, job);
    json_decref(payload);
    job_finish(job, cs, NULL, NULL);
}

/* Whether the schedule writes to this conversation. */
static bool is_meant(struct snapshot *snap, const char *part, const json_t *conversation,
                     const json_t *trigger)
{
    json_t *contact = NULL;

    if (strcmp(jx_str_or(conversation, "status", ""), "open") != 0 || conversation_is_human(conversation) ||
        !jx_lists(conversation, "tags", jx_str_or(trigger, "tag", ""))) {
        return false;
    }
    enum err rc =
        snapshot_get(snap, KIND_CONTACT, part, jx_str_or(conversation, "contact_id", ""), &contact, NULL);
    bool out = rc != ERR_OK || jx_obj(jx_obj(contact, "opt_out"), "marketing") != NULL;
    json_decref(contact);
    return !out;
}

/* One page of the agent's conversations; *after becomes the position behind it (malloc'ed), NULL at the end.
 */
static enum err walk(struct changes *cs, struct snapshot *snap, const char *part, const json_t *flow,
                     int64_t at, char **after)
{
    struct store_page page;
    char key[40];
    struct page_query query = {.kind = KIND_CONVERSATION,
                               .part = part,
                               .index = INDEX_CONVERSATION_AGENT,
                               .match = {jx_str_or(flow, "agent_id", "")},
                               .after = *after,
                               .limit = PAGE};
    enum err rc = snapshot_page(snap, &query, &page);

    free(*after);
    *after = NULL;
    if (rc != ERR_OK) {
        return rc;
    }
    snprintf(key, sizeof key, "%lld", (long long)at);
    for (size_t i = 0; i < page.count; i++) {
        if (is_meant(snap, part, page.rows[i].body, jx_obj(flow, "trigger"))) {
            push_begin(cs, part, key, page.rows[i].id, jx_str_or(flow, "id", ""), jx_int(flow, "version", 0),
                       json_object());
        }
    }
    *after = page.more ? xstrdup(page.position) : NULL;
    store_page_free(&page);
    return ERR_OK;
}

/* One page of a schedule, then the next one, or the next time. */
static enum err look(struct changes *cs, struct snapshot *snap, const char *part, const json_t *schedule)
{
    json_t *flow = NULL;
    const char *id = jx_str_or(schedule, "flow", ""), *position = jx_str(schedule, "after");
    char *after = position != NULL ? xstrdup(position) : NULL;
    int64_t version = jx_int(schedule, "version", 0), at = jx_int(schedule, "at", 0), now = clock_wall_ms();
    char key[100];

    snprintf(key, sizeof key, "%s/%lld", id, (long long)version);
    enum err rc = snapshot_get(snap, KIND_FLOW, part, id, &flow, NULL);
    bool current = rc == ERR_OK && jx_bool(flow, "enabled", false) && jx_int(flow, "version", 0) == version;
    json_t *definition = NULL;
    if (current && snapshot_get(snap, KIND_FLOW, part, key, &definition, NULL) == ERR_OK) {
        jx_set(flow, "trigger", json_incref(jx_obj(definition, "trigger"))); /* the draft may have another */
        rc = now - at <= LATE_MS || after != NULL ? walk(cs, snap, part, flow, at, &after) : ERR_OK;
        int64_t next = after != NULL ? at : next_time(jx_obj(flow, "trigger"), now > at ? now : at);
        if (rc == ERR_OK && next >= 0) {
            push_schedule(cs, part, id, version, next, after);
        }
    }
    free(after);
    json_decref(definition);
    json_decref(flow);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

static void run_schedule(struct job *job, const json_t *schedule)
{
    struct snapshot *snap;
    struct changes *cs = changes_new();
    enum err rc = snapshot_open(job_store(job), &snap);

    if (rc == ERR_OK) {
        rc = look(cs, snap, job_partition(job), schedule);
        snapshot_close(snap);
    }
    if (rc == ERR_OK) {
        changes_ack(cs, job);
    } else {
        changes_free(cs);
        cs = changes_new();
        changes_fail(cs, job, err_name(rc));
    }
    job_finish(job, cs, NULL, NULL);
}

static void flow_run_job(struct job *job, void *arg)
{
    const json_t *wake = jx_obj(job_payload(job), "wake"), *schedule = jx_obj(job_payload(job), "schedule");

    (void)arg;
    if (wake != NULL) {
        run_wake(job, wake);
    } else if (schedule != NULL) {
        run_schedule(job, schedule);
    } else {
        struct changes *cs = changes_new();
        changes_bury(cs, job, "no such work");
        job_finish(job, cs, NULL, NULL);
    }
}

void flow_jobs_register(struct workers *workers)
{
    event_listen(on_event);
    workers_handle(workers, QUEUE_FLOW, flow_run_job, NULL);
}
