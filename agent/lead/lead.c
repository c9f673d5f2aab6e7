/* lead.c: the record of a lead: begun, filled, scored, closed.
 *
 * Which lead is a contact's open one with an agent stands in a KIND_SETTING record of its own,
 * "lead.AGENT.CONTACT" -> {"lead_id"}. Whoever begins a lead writes it under the guard of its revision, so
 * two who begin at once make one: the other gets a conflict, reads again and finds it. Two collections in one
 * change-set (what was typed, and what a tool was told) see each other through changes_peek. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lead/lead.h"
#include "agent/lead/lead_int.h"

#include "queue/base/clock.h"
#include "queue/base/id.h"
#include "queue/events.h"

static _Thread_local char where_text[128];

const json_t *lead_settings(const json_t *agent)
{
    return jx_obj(jx_obj(agent, "settings"), "leads");
}

bool lead_enabled(const json_t *agent)
{
    return jx_bool(lead_settings(agent), "enabled", false);
}

const json_t *lead_field_row(const json_t *agent, const char *name)
{
    const json_t *rows = jx_arr(lead_settings(agent), "fields");

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (strcmp(jx_str_or(row, "name", ""), name) == 0) {
            return row;
        }
    }
    return NULL;
}

/* The name of the record that points to the open lead. */
static void pointer_name(char out[STORE_ID_MAX + 1], const char *agent_id, const char *contact_id)
{
    snprintf(out, STORE_ID_MAX + 1, "lead.%s.%s", agent_id, contact_id);
}

/* A record as this change-set leaves it, else as the snapshot has it, with the guard its writer needs: none
 * for what the set has written itself. */
static enum err read_latest(struct changes *cs, struct snapshot *snap, enum kind kind, const char *part,
                            const char *id, json_t **body, uint64_t *rev, bool *ours)
{
    *body = NULL;
    *rev = 0;
    enum err rc = changes_peek(cs, kind, part, id, body, ours);
    return *ours ? rc : snapshot_get(snap, kind, part, id, body, rev);
}

static enum err refuse(const char **field, struct buf *why, const char *name, const char *reason)
{
    snprintf(where_text, sizeof where_text, "/%.100s", name);
    if (field != NULL) {
        *field = where_text;
    }
    if (why != NULL && reason != NULL) {
        buf_adds(why, reason);
    }
    return ERR_INVALID;
}

/* Any plain JSON value as the text that lead_value reads. malloc'ed; NULL for what is no plain value. */
static char *value_text(const json_t *value)
{
    if (json_is_string(value)) {
        return xstrdup(json_string_value(value));
    }
    if (json_is_integer(value)) {
        return xasprintf("%lld", (long long)json_integer_value(value));
    }
    if (json_is_real(value)) {
        return xasprintf("%.15g", json_real_value(value));
    }
    return json_is_boolean(value) ? xstrdup(json_is_true(value) ? "yes" : "no") : NULL;
}

/* One value into fields; null removes it. */
static enum err take_value(const json_t *agent, json_t *fields, const char *name, const json_t *value,
                           const char **field, struct buf *why)
{
    const json_t *row = lead_field_row(agent, name);

    if (row == NULL) {
        return refuse(field, why, name, "is no field of this agent's leads");
    }
    if (json_is_null(value)) {
        json_object_del(fields, name);
        return ERR_OK;
    }
    char *text = value_text(value);
    json_t *checked = text != NULL ? lead_value(row, text, why) : NULL;
    if (checked == NULL) {
        enum err rc = refuse(field, why, name, text == NULL ? "must be a plain value" : NULL);
        free(text);
        return rc;
    }
    free(text);
    jx_set(fields, name, checked);
    return ERR_OK;
}

/* All values into fields, which is only of use on ERR_OK. */
static enum err take_values(const json_t *agent, json_t *fields, const json_t *values, const char **field,
                            struct buf *why)
{
    const char *name;
    json_t *value;
    enum err rc = ERR_OK;

    json_object_foreach ((json_t *)values, name, value) {
        rc = rc == ERR_OK ? take_value(agent, fields, name, value, field, why) : rc;
    }
    return rc;
}

static void tell(struct changes *cs, struct snapshot *snap, const char *part, const char *type,
                 const json_t *lead)
{
    struct event_about about = {.agent_id = jx_str(lead, "agent_id"),
                                .conversation_id = jx_str(lead, "conversation_id")};
    json_t *data = json_pack("{s:O}", "lead", lead);

    event_append(cs, snap, part, type, &about, data, NULL);
    json_decref(data);
}

/* A new lead without values. */
static json_t *lead_blank(const json_t *agent, const json_t *conversation)
{
    json_t *lead = json_object();
    int64_t now = clock_wall_ms();

    jx_set_str(lead, "id", id_new("led").text);
    jx_set_str(lead, "agent_id", jx_str(agent, "id"));
    jx_set_str(lead, "contact_id", jx_str(conversation, "contact_id"));
    jx_set_str(lead, "conversation_id", jx_str(conversation, "id"));
    jx_set_str(lead, "status", "new");
    jx_set(lead, "fields", json_object());
    jx_set_int(lead, "score", 0);
    jx_set_time(lead, "created_at", now);
    jx_set_time(lead, "updated_at", now);
    jx_set_str(lead, "qualified_at", NULL);
    return lead;
}

/* Points anew; the first time that the rules are met, it is qualified and told. */
static void settle(struct changes *cs, struct snapshot *snap, const char *part, const json_t *agent,
                   json_t *lead)
{
    const json_t *settings = lead_settings(agent), *fields = jx_obj(lead, "fields");
    double score = lead_score(settings, fields);

    jx_set(lead, "score",
           score == (double)(int64_t)score ? json_integer((json_int_t)score) : json_real(score));
    jx_set_time(lead, "updated_at", clock_wall_ms());
    if (jx_str(lead, "qualified_at") == NULL && lead_is_qualified(settings, fields, score)) {
        jx_set_time(lead, "qualified_at", clock_wall_ms());
        if (strcmp(jx_str_or(lead, "status", ""), "new") == 0) {
            jx_set_str(lead, "status", "qualified");
        }
        tell(cs, snap, part, "lead.qualified", lead);
    }
}

static bool is_open(const json_t *lead)
{
    const char *status = jx_str_or(lead, "status", "");

    return strcmp(status, "won") != 0 && strcmp(status, "lost") != 0;
}

/* What is known of the contact's open lead before anything is written. */
struct open_lead {
    char pointer[STORE_ID_MAX + 1];
    uint64_t pointer_rev, rev;
    bool pointer_ours, ours;
    json_t *lead; /* NULL: there is none */
};

static enum err find_open(struct changes *cs, struct snapshot *snap, const char *part, const json_t *agent,
                          const json_t *conversation, struct open_lead *found)
{
    json_t *pointer = NULL;

    pointer_name(found->pointer, jx_str_or(agent, "id", ""), jx_str_or(conversation, "contact_id", ""));
    enum err rc = read_latest(cs, snap, KIND_SETTING, part, found->pointer, &pointer, &found->pointer_rev,
                              &found->pointer_ours);
    if (rc == ERR_OK) {
        rc = read_latest(cs, snap, KIND_LEAD, part, jx_str_or(pointer, "lead_id", "-"), &found->lead,
                         &found->rev, &found->ours);
    }
    json_decref(pointer);
    if (rc == ERR_OK && !is_open(found->lead)) {
        json_decref(found->lead);
        found->lead = NULL;
    }
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* Writes the pointer of a lead that begins. */
static void put_pointer(struct changes *cs, const char *part, const struct open_lead *at, const char *lead_id)
{
    json_t *pointer = json_pack("{s:s}", "lead_id", lead_id);

    if (!at->pointer_ours) {
        changes_expect(cs, KIND_SETTING, part, at->pointer, at->pointer_rev);
    }
    changes_put(cs, KIND_SETTING, part, at->pointer, pointer);
    json_decref(pointer);
}

enum err lead_collect(struct changes *cs, struct snapshot *snap, const char *part, const json_t *agent,
                      const json_t *conversation, const json_t *values, json_t **lead, const char **field,
                      struct buf *why)
{
    struct open_lead found = {.lead = NULL};

    *lead = NULL;
    if (jx_str(conversation, "contact_id") == NULL || !json_is_object(values)) {
        return refuse(field, why, "contact_id", "a lead needs a contact");
    }
    enum err rc = find_open(cs, snap, part, agent, conversation, &found);
    if (rc != ERR_OK) {
        return rc;
    }
    bool begins = found.lead == NULL;
    json_t *next = begins ? lead_blank(agent, conversation) : json_deep_copy(found.lead);
    rc = take_values(agent, jx_obj(next, "fields"), values, field, why);
    bool same = !begins && json_equal(jx_obj(next, "fields"), jx_obj(found.lead, "fields"));
    json_decref(found.lead);
    if (rc != ERR_OK || same) {
        *lead = rc == ERR_OK ? next : NULL;
        if (rc != ERR_OK) {
            json_decref(next);
        }
        return rc;
    }
    const char *id = jx_str(next, "id");
    if (begins) {
        put_pointer(cs, part, &found, id);
        tell(cs, snap, part, "lead.created", next);
    } else if (!found.ours) {
        changes_expect(cs, KIND_LEAD, part, id, found.rev);
    }
    settle(cs, snap, part, agent, next);
    changes_put(cs, KIND_LEAD, part, id, next);
    *lead = next;
    return ERR_OK;
}

/* Takes status and notes over. */
static enum err change_rest(json_t *lead, const json_t *body, const char **field, struct buf *why)
{
    const char *status = jx_str(body, "status");
    const json_t *notes = json_object_get(body, "notes");

    if (json_object_get(body, "status") != NULL &&
        (status == NULL || strstr(" new qualified won lost ", status) == NULL ||
         strchr(status, ' ') != NULL || strlen(status) < 3)) {
        return refuse(field, why, "status", "must be one of new|qualified|won|lost");
    }
    if (status != NULL) {
        jx_set_str(lead, "status", status);
    }
    if (json_is_null(notes)) {
        json_object_del(lead, "notes");
    } else if (notes != NULL) {
        jx_set_str(lead, "notes", json_string_value(notes));
    }
    return ERR_OK;
}

enum err lead_change(struct changes *cs, struct snapshot *snap, const char *part, const json_t *agent,
                     json_t *lead, uint64_t rev, const json_t *body, const char **field, struct buf *why)
{
    json_t *next = json_deep_copy(lead);
    const char *id = jx_str(lead, "id");
    bool was_qualified = strcmp(jx_str_or(lead, "status", ""), "qualified") == 0;
    enum err rc = take_values(agent, jx_obj(next, "fields"), jx_obj(body, "fields"), field, why);

    if (rc == ERR_OK) {
        rc = change_rest(next, body, field, why);
    }
    if (rc == ERR_OK) {
        bool named = strcmp(jx_str_or(next, "status", ""), "qualified") == 0 && !was_qualified;
        settle(cs, snap, part, agent, next);
        if (named && jx_str(next, "qualified_at") == NULL) {
            jx_set_time(next, "qualified_at", clock_wall_ms());
            tell(cs, snap, part, "lead.qualified", next);
        }
        changes_expect(cs, KIND_LEAD, part, id, rev);
        changes_put(cs, KIND_LEAD, part, id, next);
        json_object_clear(lead);
        json_object_update(lead, next);
    }
    json_decref(next);
    return rc;
}

enum err lead_remove(struct changes *cs, struct snapshot *snap, const char *part, const json_t *lead,
                     uint64_t rev)
{
    char name[STORE_ID_MAX + 1];
    json_t *pointer = NULL;
    uint64_t pointer_rev = 0;
    const char *id = jx_str_or(lead, "id", "");

    pointer_name(name, jx_str_or(lead, "agent_id", ""), jx_str_or(lead, "contact_id", ""));
    enum err rc = snapshot_get(snap, KIND_SETTING, part, name, &pointer, &pointer_rev);
    if (rc == ERR_OK && strcmp(jx_str_or(pointer, "lead_id", ""), id) == 0) {
        changes_expect(cs, KIND_SETTING, part, name, pointer_rev);
        changes_delete(cs, KIND_SETTING, part, name);
    }
    json_decref(pointer);
    changes_expect(cs, KIND_LEAD, part, id, rev);
    changes_delete(cs, KIND_LEAD, part, id);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}
