/* sections.c: each section of the settings that is more than a row of fields, with the room that judges it.
 */
#include <stdio.h>

#include "agent/profile/sections.h"

#include "agent/booking/booking.h"
#include "agent/rules/handoff_rules.h"
#include "agent/common/hours.h"
#include "agent/lead/lead.h"

static const struct {
    const char *pointer; /* from the agent's root */
    enum err (*check)(const json_t *section, const char **field, struct buf *why);
} sections[] = {
    {"/settings/hours", hours_check},
    {"/settings/leads", lead_settings_check},
    {"/settings/appointments", booking_settings_check},
    {"/settings/handoff/rules", handoff_rules_check},
};

/* Null means "not there", at any depth of objects. */
static void drop_nulls(json_t *object)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, key, value)
    {
        if (json_is_null(value)) {
            json_object_del(object, key);
        } else if (json_is_object(value)) {
            drop_nulls(value);
        }
    }
}

enum err sections_check(json_t *agent, const char **field, struct buf *why)
{
    static _Thread_local char where[320];
    enum err rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof sections / sizeof *sections; i++) {
        json_t *section = jx_at(agent, sections[i].pointer);
        const char *inner = "";
        if (section == NULL || json_is_null(section)) {
            continue;
        }
        drop_nulls(section);
        rc = sections[i].check(section, &inner, why);
        if (rc != ERR_OK) {
            snprintf(where, sizeof where, "%s%s", sections[i].pointer, inner);
            if (field != NULL) {
                *field = where;
            }
        }
    }
    return rc;
}
