/* record.c: flows as they are kept: draft, published versions, the agent's table of triggers.
 *
 * Invariants: a version record is written once and never changed; the trigger table holds exactly the agent's
 * enabled flows, each at its newest version, and is written in the change-set of whatever changes that,
 * guarded by its own revision. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/flow/fields.h"
#include "agent/flow/flow_jobs.h"
#include "queue/base/clock.h"
#include "queue/base/id.h"

#define VERSIONS_KEPT 50
#define FLOWS_MAX     100 /* enabled at one time for an agent */
#define KEY_MAX       100

/* What a version holds of the draft. */
static const char *const draft_fields[] = {"name",       "trigger",   "steps", "timeout_minutes",
                                           "exit_words", "exit_text", NULL};

static enum err refuse(const char **field, struct buf *why, const char *where, const char *reason)
{
    *field = where;
    buf_reset(why);
    buf_addf(why, "%s %s", where + 1, reason);
    return ERR_INVALID;
}

static void version_key(char out[KEY_MAX], const char *id, int64_t version)
{
    snprintf(out, KEY_MAX, "%s/%lld", id, (long long)version);
}

enum err flow_version(struct snapshot *snap, const char *part, const char *id, int64_t version,
                      json_t **definition)
{
    char key[KEY_MAX];

    version_key(key, id, version);
    return snapshot_get(snap, KIND_FLOW, part, key, definition, NULL);
}

/* ---- the table of triggers ---- */

static void triggers_key(char out[KEY_MAX], const char *agent_id)
{
    snprintf(out, KEY_MAX, "flows/%s", agent_id);
}

/* The agent's rows and the revision of their record. New reference. */
static json_t *triggers_read(struct snapshot *snap, const char *part, const char *agent_id, uint64_t *rev)
{
    char key[KEY_MAX];
    json_t *record = NULL;

    triggers_key(key, agent_id);
    *rev = 0;
    if (snapshot_get(snap, KIND_SETTING, part, key, &record, rev) != ERR_OK) {
        return json_array();
    }
    json_t *rows = json_incref(jx_arr(record, "rows"));
    json_decref(record);
    return rows != NULL ? rows : json_array();
}

json_t *flow_triggers(struct snapshot *snap, const char *part, const char *agent_id)
{
    uint64_t rev;

    return triggers_read(snap, part, agent_id, &rev);
}

/* Writes the table with this flow as it is now; row NULL: without it. False: too many. */
static bool triggers_write(struct changes *cs, struct snapshot *snap, const char *part, const char *agent_id,
                           const char *id, json_t *row)
{
    char key[KEY_MAX];
    uint64_t rev;
    json_t *rows = triggers_read(snap, part, agent_id, &rev), *record = json_object();

    for (size_t i = json_array_size(rows); i > 0; i--) {
        if (strcmp(jx_str_or(json_array_get(rows, i - 1), "id", ""), id) == 0) {
            json_array_remove(rows, i - 1);
        }
    }
    if (row != NULL) {
        jx_push(rows, row);
    }
    bool fits = json_array_size(rows) <= FLOWS_MAX;
    triggers_key(key, agent_id);
    jx_set(record, "rows", rows);
    changes_expect(cs, KIND_SETTING, part, key, rev);
    changes_put(cs, KIND_SETTING, part, key, record);
    json_decref(record);
    return fits;
}

/* ---- publishing ---- */

/* The draft alone. New reference. */
static json_t *draft_of(const json_t *flow)
{
    json_t *draft = json_object();

    for (const char *const *name = draft_fields; *name != NULL; name++) {
        json_t *value = json_object_get(flow, *name);
        if (value != NULL && !json_is_null(value)) {
            jx_set(draft, *name, json_deep_copy(value));
        }
    }
    return draft;
}

/* Whether the draft is other than the newest version. */
static bool is_changed(struct snapshot *snap, const char *part, const json_t *flow)
{
    json_t *newest = NULL, *draft = draft_of(flow);
    enum err rc = flow_version(snap, part, jx_str_or(flow, "id", ""), jx_int(flow, "version", 0), &newest);
    bool changed = true;

    if (rc == ERR_OK) {
        json_object_del(newest, "published_at");
        changed = json_equal(newest, draft) == 0;
    }
    json_decref(newest);
    json_decref(draft);
    return changed;
}

/* Makes a version of the draft, if it is another than the last. */
static enum err publish(struct changes *cs, struct snapshot *snap, const char *part, json_t *flow,
                        const char **field, struct buf *why)
{
    char key[KEY_MAX];
    const char *id = jx_str_or(flow, "id", "");
    int64_t version = jx_int(flow, "version", 0);
    json_t *draft = draft_of(flow);
    enum err rc = flow_check_whole(draft, field, why);

    if (rc == ERR_OK && is_changed(snap, part, flow)) {
        version++;
        version_key(key, id, version);
        jx_set_time(draft, "published_at", clock_wall_ms());
        changes_expect(cs, KIND_FLOW, part, key, 0);
        changes_put(cs, KIND_FLOW, part, key, draft);
        if (version > VERSIONS_KEPT) {
            version_key(key, id, version - VERSIONS_KEPT);
            changes_delete(cs, KIND_FLOW, part, key);
        }
        jx_set_int(flow, "version", version);
    }
    json_decref(draft);
    return rc;
}

/* The row of an enabled flow. New reference. */
static json_t *row_of(const json_t *flow)
{
    json_t *row = json_object();

    jx_set_str(row, "id", jx_str(flow, "id"));
    jx_set_int(row, "version", jx_int(flow, "version", 0));
    jx_set(row, "trigger", json_deep_copy(jx_obj(flow, "trigger")));
    return row;
}

/* Writes the flow. publishing: enabled was asked for. */
static enum err put(struct changes *cs, struct snapshot *snap, const char *part, json_t *flow, uint64_t rev,
                    bool publishing, const char **field, struct buf *why)
{
    const char *id = jx_str_or(flow, "id", ""), *agent_id = jx_str_or(flow, "agent_id", "");
    bool enabled = jx_bool(flow, "enabled", false);
    enum err rc = publishing ? publish(cs, snap, part, flow, field, why) : ERR_OK;

    if (rc != ERR_OK) {
        return rc;
    }
    if (publishing && !triggers_write(cs, snap, part, agent_id, id, row_of(flow))) {
        return refuse(field, why, "/enabled", "is on for 100 flows of this agent already");
    }
    if (!enabled && !triggers_write(cs, snap, part, agent_id, id, NULL)) {
        return ERR_LIMIT;
    }
    if (publishing) {
        flow_schedule(cs, part, flow);
    }
    jx_set_bool(flow, "changed",
                jx_int(flow, "version", 0) == 0 || (!publishing && is_changed(snap, part, flow)));
    jx_set_time(flow, "updated_at", clock_wall_ms());
    changes_expect(cs, KIND_FLOW, part, id, rev);
    changes_put(cs, KIND_FLOW, part, id, flow);
    return ERR_OK;
}

/* ---- taking a body over ---- */

/* Whether the body holds only what a flow has; what is only read is let through. */
static enum err known(const json_t *body, const char **field, struct buf *why)
{
    static const char *const read_only[] = {"id",         "agent_id",   "version", "changed",
                                            "created_at", "updated_at", "enabled"};
    static _Thread_local char where[120];
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)body, key, value) {
        bool found = false;
        for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++) {
            found = found || strcmp(read_only[i], key) == 0;
        }
        for (const char *const *name = draft_fields; *name != NULL; name++) {
            found = found || strcmp(*name, key) == 0;
        }
        if (!found) {
            snprintf(where, sizeof where, "/%.100s", key);
            return refuse(field, why, where, "is none of the fields a flow has");
        }
    }
    if (json_object_get(body, "enabled") != NULL && !json_is_boolean(json_object_get(body, "enabled"))) {
        return refuse(field, why, "/enabled", "must be true or false");
    }
    return flow_check(body, field, why);
}

/* Takes the draft's fields over. whole: those that body leaves out go. */
static void take(json_t *flow, const json_t *body, bool whole)
{
    for (const char *const *name = draft_fields; *name != NULL; name++) {
        json_t *value = json_object_get(body, *name);
        if (value != NULL) {
            jx_set(flow, *name, json_deep_copy(value));
        } else if (whole) {
            json_object_del(flow, *name);
        }
    }
    if (jx_arr(flow, "steps") == NULL) {
        jx_set(flow, "steps", json_array());
    }
    flow_name_steps(jx_arr(flow, "steps"));
    if (json_object_get(body, "enabled") != NULL) {
        jx_set_bool(flow, "enabled", jx_bool(body, "enabled", false));
    } else if (whole) {
        jx_set_bool(flow, "enabled", false);
    }
}

/* A body without what is null: null unsets. New reference. */
static json_t *without_nulls(const json_t *body)
{
    json_t *copy = json_object(), *value;
    const char *key;

    json_object_foreach ((json_t *)body, key, value) {
        if (!json_is_null(value)) {
            jx_set(copy, key, json_incref(value));
        }
    }
    return copy;
}

enum err flow_create(struct changes *cs, struct snapshot *snap, const char *part, const char *agent_id,
                     const json_t *body, json_t **flow, const char **field, struct buf *why)
{
    json_t *given = without_nulls(body), *record = json_object();
    enum err rc =
        jx_str(given, "name") == NULL ? refuse(field, why, "/name", "is required") : known(given, field, why);

    if (rc == ERR_OK) {
        jx_set_str(record, "id", id_new("flw").text);
        jx_set_str(record, "agent_id", agent_id);
        jx_set_bool(record, "enabled", false);
        jx_set_int(record, "version", 0);
        take(record, given, true);
        jx_set_time(record, "created_at", clock_wall_ms());
        rc = put(cs, snap, part, record, 0, jx_bool(record, "enabled", false), field, why);
    }
    json_decref(given);
    if (rc != ERR_OK) {
        json_decref(record);
        return rc;
    }
    *flow = record;
    return ERR_OK;
}

enum err flow_update(struct changes *cs, struct snapshot *snap, const char *part, json_t *flow, uint64_t rev,
                     const json_t *body, bool whole, const char **field, struct buf *why)
{
    json_t *given = without_nulls(body), *value;
    const char *key;
    enum err rc = whole && jx_str(given, "name") == NULL ? refuse(field, why, "/name", "is required")
                                                         : known(given, field, why);

    if (rc == ERR_OK) {
        json_object_foreach ((json_t *)body, key, value) {
            if (json_is_null(value) && strcmp(key, "name") != 0 && strcmp(key, "enabled") != 0) {
                json_object_del(flow, key);
            }
        }
        take(flow, given, whole);
        rc = put(cs, snap, part, flow, rev, jx_bool(given, "enabled", false), field, why);
    }
    json_decref(given);
    return rc;
}

/* The record and its versions, but not its row in the table. */
static void delete_records(struct changes *cs, const char *part, const json_t *flow, uint64_t rev)
{
    char key[KEY_MAX];
    const char *id = jx_str_or(flow, "id", "");
    int64_t version = jx_int(flow, "version", 0);

    for (int64_t i = version; i > 0 && i > version - VERSIONS_KEPT; i--) {
        version_key(key, id, i);
        changes_delete(cs, KIND_FLOW, part, key);
    }
    changes_expect(cs, KIND_FLOW, part, id, rev);
    changes_delete(cs, KIND_FLOW, part, id);
}

void flow_delete(struct changes *cs, struct snapshot *snap, const char *part, const json_t *flow,
                 uint64_t rev)
{
    (void)triggers_write(cs, snap, part, jx_str_or(flow, "agent_id", ""), jx_str_or(flow, "id", ""), NULL);
    delete_records(cs, part, flow, rev);
}

void flow_delete_all(struct changes *cs, struct snapshot *snap, const char *part, const char *agent_id)
{
    char key[KEY_MAX];
    struct store_page page;
    struct page_query query = {
        .kind = KIND_FLOW, .part = part, .index = INDEX_FLOW_AGENT, .match = {agent_id}, .limit = 1000};

    if (snapshot_page(snap, &query, &page) == ERR_OK) {
        for (size_t i = 0; i < page.count; i++) {
            delete_records(cs, part, page.rows[i].body, page.rows[i].rev);
        }
        store_page_free(&page);
    }
    triggers_key(key, agent_id);
    changes_delete(cs, KIND_SETTING, part, key);
}
