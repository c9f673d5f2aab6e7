/* search.c: looks for passages of the agent's knowledge. */
#include "agent/turn.h"

#include "agent/profile.h"
#include "kb/kb.h"
#include "queue/base/log.h"

#define PASSAGES 6

enum turn_outcome turn_search(struct turn *turn)
{
    json_t *list = agent_collections(turn->agent);
    size_t count = json_array_size(list);
    const char **ids = arena_alloc(turn->arena, (count + 1) * sizeof *ids);

    arena_defer(turn->arena, jx_decref, list);
    for (size_t i = 0; i < count; i++) {
        ids[i] = json_string_value(json_array_get(list, i));
    }
    struct kb_query query = {
        .part = turn->part,
        .collections = ids,
        .collection_count = count,
        .text = turn->question,
        .previous = turn->previous,
        .limit = PASSAGES,
    };
    enum err rc = kb_search(turn->kb, &query, turn->arena, &turn->found);
    if (rc != ERR_OK) {
        log_warn("turn.search_failed", "turn=%s error=%s", turn->id.text, err_name(rc));
        turn->found = (struct kb_result){0};
    }
    turn->confidence = turn->found.count > 0 ? turn->found.confidence : 0;
    return TURN_MORE;
}
