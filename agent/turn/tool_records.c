/* tool_records.c: the tools that work on our own records: knowledge, people, leads. Appointments:
 * tool_appointments.c.
 *
 * What a tool wants written is tried at once on a change-set that is thrown away, so that the model hears
 * what is wrong; the write itself is an effect of the turn's commit, on what is true then. If it is not
 * possible any more the turn is decided again. */
#include <string.h>

#include "agent/turn/toolbox.h"

#include "agent/lead/lead.h"

static const json_t *settings_of(const json_t *agent, const char *name)
{
    return jx_obj(jx_obj(agent, "settings"), name);
}

bool tool_listed(const json_t *agent, const char *name, bool fallback)
{
    const json_t *list = jx_arr(jx_obj(agent, "settings"), "tools");

    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcmp(json_string_value(json_array_get(list, i)), name) == 0) {
            return true;
        }
    }
    return list == NULL && fallback;
}

/* ---- knowledge and people ---- */

static bool tool_search_enabled(const json_t *agent)
{
    return tool_listed(agent, "search_knowledge", false);
}

static bool tool_search(struct turn *turn, const json_t *arguments, struct buf *out)
{
    size_t before = turn->found.count;
    size_t more = turn_search_more(turn, jx_str_or(arguments, "query", ""));

    if (more == 0) {
        buf_adds(out, "Nothing else was found.");
        return false;
    }
    buf_addf(out, "The newest message now holds sources %zu to %zu as well.", before + 1, before + more);
    return true;
}

static bool tool_hand_off_enabled(const json_t *agent)
{
    return tool_listed(agent, "hand_off", false);
}

static bool tool_hand_off(struct turn *turn, const json_t *arguments, struct buf *out)
{
    toolbox_want_person(turn, jx_str_or(arguments, "reason", ""));
    buf_adds(out, "A person takes over.");
    return true;
}

/* ---- leads ---- */

static bool tool_leads_enabled(const json_t *agent)
{
    return jx_bool(settings_of(agent, "leads"), "enabled", false) && tool_listed(agent, "save_lead", true);
}

/* Tries a write; what it made is thrown away. */
static enum err lead_try(struct turn *turn, const json_t *values, struct buf *why, const char **field)
{
    struct snapshot *snap;
    json_t *lead = NULL;

    if (snapshot_open(job_store(turn->job), &snap) != ERR_OK) {
        return ERR_IO;
    }
    struct changes *cs = changes_new();
    enum err rc =
        lead_collect(cs, snap, turn->part, turn->agent, turn->conversation, values, &lead, field, why);
    snapshot_close(snap);
    changes_free(cs);
    json_decref(lead);
    return rc;
}

/* In the commit: all that the turn collected. */
static bool lead_effect(struct turn *turn, struct changes *cs, struct snapshot *snap, void *arg)
{
    json_t *lead = NULL;
    const char *field = NULL;
    struct buf why;

    buf_init(&why, 1024);
    enum err rc =
        lead_collect(cs, snap, turn->part, turn->agent, turn->conversation, arg, &lead, &field, &why);
    json_decref(lead);
    buf_fini(&why);
    return rc == ERR_OK;
}

static bool tool_save_lead(struct turn *turn, const json_t *arguments, struct buf *out)
{
    const char *field = "";
    struct buf why;
    bool begun = turn->lead_values != NULL;
    json_t *values = begun ? json_deep_copy(turn->lead_values) : json_object();

    json_object_update(values, (json_t *)arguments);
    arena_defer(turn->arena, jx_decref, values);
    buf_init(&why, 1024);
    enum err rc = lead_try(turn, values, &why, &field);
    if (rc != ERR_OK) {
        buf_addf(out, "Nothing was noted. %s: %s", field, buf_str(&why));
    } else if (begun) {
        json_object_update(turn->lead_values, values);
    } else {
        turn->lead_values = values;
        turn_effect(turn, lead_effect, values);
    }
    buf_fini(&why);
    if (rc == ERR_OK) {
        buf_adds(out, "Noted.");
    }
    return rc == ERR_OK;
}

/* ---- the table ---- */

static const struct tool_row rows[] = {
#define X(name, fn, enabled, times, description, parameters) \
    {name, description, parameters, fn, enabled, times},
#include "agent/tool/tbl_tools.h"
#undef X
};

const struct tool_row *tool_rows(size_t *count)
{
    *count = sizeof rows / sizeof *rows;
    return rows;
}

json_t *tool_parameters(const struct tool_row *row, const json_t *agent)
{
    if (row->parameters != NULL) {
        json_t *fixed = json_loads(row->parameters, 0, NULL);
        CHECK(fixed != NULL);
        return fixed;
    }
    json_t *properties = json_object();
    const json_t *fields = jx_arr(settings_of(agent, "leads"), "fields");
    size_t i;
    json_t *field;
    json_array_foreach (fields, i, field) {
        const char *name = jx_str(field, "name"), *type = jx_str_or(field, "type", "text");
        json_t *rule = json_object();
        jx_set_str(rule, "type", "string");
        jx_set_str(rule, "description", jx_str_or(field, "label", type));
        if (jx_arr(field, "choices") != NULL) {
            jx_set(rule, "enum", json_deep_copy(jx_arr(field, "choices")));
        }
        if (name != NULL) {
            jx_set(properties, name, rule);
        } else {
            json_decref(rule);
        }
    }
    return json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
}
