/* spot.c: what a customer's own words fill in, found in a turn and collected at its commit. */
#include "agent/turn/spot.h"

#include "agent/lead/lead.h"

/* At the commit: what was typed goes into the contact's lead. A value that is refused is left out. */
static bool collect(struct turn *turn, struct changes *cs, struct snapshot *snap, void *arg)
{
    json_t *lead = NULL;

    enum err rc = lead_collect(cs, snap, turn->part, turn->agent, turn->conversation, arg, &lead, NULL, NULL);
    json_decref(lead);
    return rc == ERR_OK || rc == ERR_INVALID;
}

void lead_spot_turn(struct turn *turn)
{
    if (!lead_enabled(turn->agent) || turn->question == NULL) {
        return;
    }
    json_t *values = lead_spot(turn->agent, turn->question);
    arena_defer(turn->arena, jx_decref, values);
    if (json_object_size(values) > 0) {
        turn_effect(turn, collect, values);
    }
}
