/* template.c: message templates: jobs towards the platform, records beside.
 *
 * A job is {"channel_id", "op": "sync|create|delete", "after"?, "name"?, "template"?}. A sync walks the
 * platform's pages, one job for each, so that a page is one change-set; what the platform no longer lists
 * stays until it is deleted. */
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"
#include "channels/template.h"

#include "queue/base/clock.h"
#include "queue/base/log.h"
#include "queue/events.h"

#define NAME_MAX_BYTES 128

/* A job under way. */
struct working {
    struct job *job;
    json_t *channel;
};

static char *id_of(const char *channel_id, const char *name, const char *language)
{
    return xasprintf("%s/%.*s/%.20s", channel_id, NAME_MAX_BYTES, name, language);
}

static void job_push(struct changes *cs, const char *part, const json_t *channel, const char *op,
                     const char *key, json_t *value)
{
    json_t *payload = json_object();

    jx_set_str(payload, "channel_id", jx_str(channel, "id"));
    jx_set_str(payload, "op", op);
    if (key != NULL) {
        jx_set(payload, key, value);
    }
    changes_push(cs, QUEUE_TEMPLATE, part, jx_str_or(channel, "id", "-"), 0, payload);
    json_decref(payload);
}

void template_sync(struct changes *cs, const char *part, const json_t *channel)
{
    job_push(cs, part, channel, "sync", NULL, NULL);
}

void template_delete(struct changes *cs, const char *part, const json_t *channel, const char *name)
{
    job_push(cs, part, channel, "delete", "name", json_string(name));
}

/* Writes a template's record. */
static void record_put(struct changes *cs, const char *part, const char *channel_id, json_t *record)
{
    char *id = id_of(channel_id, jx_str_or(record, "name", ""), jx_str_or(record, "language", ""));

    jx_set_str(record, "channel_id", channel_id);
    jx_set_time(record, "updated_at", clock_wall_ms());
    changes_put(cs, KIND_TEMPLATE, part, id, record);
    free(id);
}

/* The event template.updated. */
static void tell(struct changes *cs, struct snapshot *snap, const char *part, const json_t *channel,
                 const json_t *record)
{
    struct event_about about = {.agent_id = jx_str(channel, "agent_id")};
    json_t *data = json_object();

    jx_set(data, "template", json_incref((json_t *)record));
    event_append(cs, snap, part, "template.updated", &about, data, NULL);
    json_decref(data);
}

/* Lower-case letters, digits and underscores. */
static bool name_ok(const char *name)
{
    return name != NULL && name[0] != '\0' && strlen(name) <= NAME_MAX_BYTES &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

enum err template_create(struct changes *cs, const char *part, const json_t *channel, const json_t *body,
                         const char **field, json_t **out)
{
    const char *language = jx_str(body, "language"), *category = jx_str(body, "category");
    bool fine = name_ok(jx_str(body, "name"));

    *field = fine ? NULL : "name";
    if (*field == NULL && (language == NULL || strlen(language) < 2 || strlen(language) > 20)) {
        *field = "language";
    } else if (*field == NULL && (category == NULL || category[0] == '\0')) {
        *field = "category";
    } else if (*field == NULL && json_array_size(jx_arr(body, "components")) == 0) {
        *field = "components";
    }
    if (*field != NULL) {
        return ERR_INVALID;
    }
    json_t *record =
        json_pack("{s:s, s:s, s:s, s:s, s:O}", "name", jx_str(body, "name"), "language", language, "category",
                  category, "status", "SUBMITTED", "components", jx_arr(body, "components"));
    record_put(cs, part, jx_str_or(channel, "id", "-"), record);
    job_push(cs, part, channel, "create", "template", json_deep_copy(record));
    *out = record;
    return ERR_OK;
}

json_t *template_of(struct snapshot *snap, const char *part, const json_t *msg)
{
    const json_t *content = jx_obj(msg, "content");
    char *id = id_of(jx_str_or(msg, "channel_id", "-"), jx_str_or(content, "name", "-"),
                     jx_str_or(jx_obj(content, "language"), "code", "-"));
    json_t *record = NULL;

    if (snapshot_get(snap, KIND_TEMPLATE, part, id, &record, NULL) != ERR_OK) {
        record = NULL;
    }
    free(id);
    return record;
}

/* ---- what the platform tells ---- */

enum err template_note(struct changes *cs, struct snapshot *snap, const char *part, const json_t *channel,
                       const json_t *notice)
{
    const json_t *value = jx_obj(notice, "value");
    const char *name = jx_str(value, "message_template_name");
    const char *event = jx_str(value, "event"), *category = jx_str(value, "new_category");
    const char *quality = jx_str(value, "new_quality_score");
    json_t *record = NULL;
    uint64_t rev = 0;

    if (name == NULL || (event == NULL && category == NULL && quality == NULL)) {
        return ERR_OK;
    }
    char *id = id_of(jx_str_or(channel, "id", "-"), name, jx_str_or(value, "message_template_language", ""));
    enum err rc = snapshot_get(snap, KIND_TEMPLATE, part, id, &record, &rev);
    if (rc == ERR_NOTFOUND) {
        record = json_pack("{s:s, s:s}", "name", name, "language",
                           jx_str_or(value, "message_template_language", ""));
        rev = 0;
        rc = ERR_OK;
    }
    if (rc == ERR_OK) {
        changes_expect(cs, KIND_TEMPLATE, part, id, rev);
        if (event != NULL) {
            bool back = strcmp(event, "REINSTATED") == 0;
            jx_set_str(record, "status", back ? "APPROVED" : event);
            jx_set_str(record, "reason", jx_str(value, "reason"));
        }
        if (category != NULL) {
            jx_set_str(record, "category", category);
        }
        if (quality != NULL) {
            jx_set_str(record, "quality_score", quality);
        }
        record_put(cs, part, jx_str_or(channel, "id", "-"), record);
        tell(cs, snap, part, channel, record);
        json_decref(record);
    }
    free(id);
    return rc;
}

/* ---- jobs ---- */

static void work_end(struct working *w, struct changes *cs)
{
    struct job *job = w->job;

    json_decref(w->channel);
    free(w);
    job_finish(job, cs, NULL, NULL);
}

/* One page of the platform's list. */
static void sync_take(struct working *w, struct changes *cs, const json_t *body)
{
    const char *after = jx_str(jx_obj(jx_obj(body, "paging"), "cursors"), "after");
    size_t i;
    json_t *each;

    json_array_foreach (jx_arr(body, "data"), i, each) {
        json_t *record = json_copy(each);
        if (name_ok(jx_str(each, "name")) && jx_str(each, "language") != NULL) {
            json_object_del(record, "id");
            jx_set_str(record, "platform_id", jx_str(each, "id"));
            record_put(cs, job_partition(w->job), jx_str_or(w->channel, "id", "-"), record);
        }
        json_decref(record);
    }
    if (after != NULL && jx_str(jx_obj(body, "paging"), "next") != NULL) {
        job_push(cs, job_partition(w->job), w->channel, "sync", "after", json_string(after));
    }
}

/* A template that was handed in: taken, or refused with the platform's reason. */
static void create_take(struct working *w, struct changes *cs, struct snapshot *snap,
                        const struct send_result *result, const json_t *body)
{
    json_t *record = json_deep_copy(jx_obj(job_payload(w->job), "template"));

    if (result->outcome == SEND_DELIVERED) {
        jx_set_str(record, "status", jx_str_or(body, "status", "PENDING"));
        jx_set_str(record, "category", jx_str_or(body, "category", jx_str_or(record, "category", "")));
        jx_set_str(record, "platform_id", jx_str(body, "id"));
    } else {
        jx_set_str(record, "status", "FAILED");
        jx_set_str(record, "reason", result->detail);
    }
    record_put(cs, job_partition(w->job), jx_str_or(w->channel, "id", "-"), record);
    tell(cs, snap, job_partition(w->job), w->channel, record);
    json_decref(record);
}

/* The platform has forgotten it: so do we. */
static enum err delete_take(struct working *w, struct changes *cs, struct snapshot *snap)
{
    struct page_query query = {
        .kind = KIND_TEMPLATE,
        .part = job_partition(w->job),
        .index = INDEX_TEMPLATE_CHANNEL,
        .match = {jx_str_or(w->channel, "id", "-"), jx_str_or(job_payload(w->job), "name", "-")},
        .limit = 100};
    struct store_page page;
    enum err rc = snapshot_page(snap, &query, &page);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < page.count; i++) {
        changes_delete(cs, KIND_TEMPLATE, query.part, page.rows[i].id);
    }
    store_page_free(&page);
    return ERR_OK;
}

static void called(const struct send_result *result, const json_t *body, void *arg)
{
    struct working *w = arg;
    struct changes *cs = changes_new();
    struct snapshot *snap = NULL;
    const char *op = jx_str_or(job_payload(w->job), "op", "");
    bool done = result->outcome == SEND_DELIVERED;
    bool final = done || result->outcome == SEND_REFUSED || result->outcome == SEND_CHANNEL;
    enum err rc = final ? snapshot_open(job_store(w->job), &snap) : ERR_OK;

    if (final && rc == ERR_OK && strcmp(op, "create") == 0) {
        create_take(w, cs, snap, result, body);
    } else if (done && rc == ERR_OK && strcmp(op, "delete") == 0) {
        rc = delete_take(w, cs, snap);
    } else if (done && rc == ERR_OK) {
        sync_take(w, cs, body);
    }
    snapshot_close(snap);
    if (!done) {
        log_warn("template.refused", "channel=%s op=%s code=%s", jx_str_or(w->channel, "id", ""), op,
                 log_quote(result->code));
    }
    if (rc == ERR_OK && final) {
        changes_ack(cs, w->job);
    } else {
        changes_free(cs);
        cs = changes_new();
        changes_fail(cs, w->job, result->code != NULL ? result->code : err_name(rc));
    }
    work_end(w, cs);
}

void template_run(struct job *job, void *arg)
{
    static const struct send_result nothing = {
        .outcome = SEND_DELIVERED, .code = "", .title = "", .detail = ""};
    struct working *w = xcalloc(1, sizeof *w);
    struct snapshot *snap = NULL;
    const char *part = job_partition(job);

    (void)arg;
    w->job = job;
    enum err rc = snapshot_open(job_store(job), &snap);
    if (rc == ERR_OK) {
        rc = channel_get(snap, part, jx_str_or(job_payload(job), "channel_id", "-"), &w->channel, NULL);
        snapshot_close(snap);
    }
    if (rc != ERR_OK || job_http(job) == NULL) {
        struct changes *cs = changes_new();
        if (rc == ERR_NOTFOUND) {
            changes_ack(cs, job);
        } else {
            changes_fail(cs, job, err_name(rc));
        }
        work_end(w, cs);
        return;
    }
    const struct channel_ops *ops = channel_sender(part, jx_str_or(w->channel, "type", ""));
    struct send_call call = {.http = job_http(job),
                             .loop = job_loop(job),
                             .store = job_store(job),
                             .part = part,
                             .channel = w->channel};
    if (ops == NULL || ops->template_call == NULL) {
        called(&nothing, NULL, w); /* the sandbox takes every template */
    } else {
        ops->template_call(&call, job_payload(job), called, w);
    }
}
