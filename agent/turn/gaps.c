/* gaps.c: what counts as a gap: the knowledge was asked, and what it has is not certain enough. */
#include "agent/turn/gaps.h"

#include <string.h>

#include "agent/turn/turn.h"
#include "queue/base/clock.h"

#define QUESTION_MOST 1000 /* bytes that are kept */

/* How the customer fared; NULL: this is no gap. */
static const char *outcome(const struct turn *turn)
{
    bool searched = turn->confidence >= 0, sure = searched && turn_confident(turn);

    if (turn->question == NULL || turn->question[0] == '\0' || turn->small_talk) {
        return NULL;
    }
    if (turn->action == ACTION_HANDOFF) {
        return turn->reason == HANDOFF_LOW_CONFIDENCE ? "handoff" : NULL;
    }
    if (turn->action != ACTION_REPLY || turn->source == NULL || strcmp(turn->source, "flow") == 0) {
        return NULL;
    }
    if (strcmp(turn->source, "fallback") == 0) {
        return searched ? "fallback" : NULL;
    }
    return searched && !sure ? "answer" : NULL;
}

void gaps_note(const struct turn *turn, struct changes *cs)
{
    const char *name = outcome(turn);

    if (name == NULL) {
        return;
    }
    json_t *gap = json_object();
    struct id id = id_new("gap");
    size_t len = strnlen(turn->question, QUESTION_MOST);
    while (len > 0 && len == QUESTION_MOST && ((unsigned char)turn->question[len] & 0xc0) == 0x80) {
        len--;
    }
    jx_set_str(gap, "id", id.text);
    jx_set_str(gap, "agent_id", jx_str(turn->agent, "id"));
    jx_set_str(gap, "conversation_id", turn->conversation_id);
    jx_set_str(gap, "contact_id", jx_str(turn->conversation, "contact_id"));
    jx_set_str(gap, "message_id", turn->newest_id);
    jx_set_strn(gap, "question", turn->question, len);
    jx_set(gap, "confidence", turn->confidence >= 0 ? json_real(turn->confidence) : json_null());
    jx_set_str(gap, "outcome", name);
    jx_set_time(gap, "created_at", clock_wall_ms());
    changes_put(cs, KIND_GAP, turn->part, id.text, gap);
    json_decref(gap);
}
