/* own_rules.c: the agent's own rules of handoff, looked at in a turn: before the search, and, where they are
 * about a topic, behind it. */
#include "agent/turn/rules.h"

#include "agent/rules/handoff_rules.h"
#include "queue/base/clock.h"

/* The customer's contact record, NULL if there is none. It dies with the run. */
static const json_t *contact_of(struct turn *turn)
{
    struct snapshot *snap;
    json_t *contact = NULL;

    if (snapshot_open(job_store(turn->job), &snap) != ERR_OK) {
        return NULL;
    }
    enum err rc = snapshot_get(snap, KIND_CONTACT, turn->part,
                               jx_str_or(turn->conversation, "contact_id", "-"), &contact, NULL);
    snapshot_close(snap);
    if (rc != ERR_OK) {
        return NULL;
    }
    arena_defer(turn->arena, jx_decref, contact);
    return contact;
}

/* Hands over by the first rule that holds. */
static bool apply(struct turn *turn, bool searched)
{
    const struct kb_hit *best = searched && turn->found.count > 0 ? &turn->found.hits[0] : NULL;

    if (json_array_size(jx_arr(turn_handoff(turn), "rules")) == 0) {
        return false;
    }
    struct handoff_view view = {.agent = turn->agent,
                                .conversation = turn->conversation,
                                .contact = contact_of(turn),
                                .burst = turn->burst,
                                .history = turn->history,
                                .text = turn->question,
                                .folded = turn->folded,
                                .document_id = best != NULL ? best->chunk.document_id : NULL,
                                .collection_id = best != NULL ? best->collection_id : NULL,
                                .searched = searched,
                                .now_ms = clock_wall_ms()};
    turn->own_rule = handoff_rule_find(&view);
    if (turn->own_rule != NULL) {
        turn_hand_off(turn, HANDOFF_RULE, jx_str_or(turn->own_rule, "name", "rule"));
    }
    return turn->own_rule != NULL;
}

bool rule_own(struct turn *turn)
{
    return apply(turn, false);
}

void rule_own_topic(struct turn *turn)
{
    if (turn->action == ACTION_NONE && turn_confident(turn)) {
        (void)apply(turn, true);
    }
}
