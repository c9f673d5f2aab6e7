/* trace.c: the record that answers "why did it say that?": KIND_TURN.
 *
 * {"id", "conversation_id", "agent_id", "message_id" (the reply, or what was answered), "question_id",
 * "outcome": "reply|handoff|silent", "reason"?, "fallback"?, "source"?, "confidence"?,
 * "shipped_confidence"? (before the account's own calibration), "threshold", "provider", "model"?, "runs",
 * "took_ms", "steps": [{"name", "us"}], "passages": [{"chunk_id", "document_id", "title", "score"}],
 * "attempts": [...], "tools": [{"name", "ms", "ok"}], "tokens"?: {"input", "output", "cached", "estimated"?},
 * "cost_micros"?, "links_removed"?, "flow"?: {"id", "version", "steps"}, "created_at"}. No message text. */
#include "agent/turn/turn.h"

#include "agent/turn/flow_turn.h"
#include "queue/base/clock.h"

static json_t *steps_of(const struct turn *turn)
{
    json_t *list = json_array();

    for (int i = 0; i < STEP_COUNT; i++) {
        json_t *step = json_object();
        jx_set_str(step, "name", turn_step_name((enum turn_step)i));
        jx_set_int(step, "us", turn->step_us[i]);
        jx_push(list, step);
    }
    return list;
}

static json_t *passages_of(const struct turn *turn)
{
    json_t *list = json_array();

    for (size_t i = 0; i < turn->found.count; i++) {
        const struct kb_hit *hit = &turn->found.hits[i];
        json_t *passage = json_object();
        jx_set_str(passage, "chunk_id", hit->chunk.id);
        jx_set_str(passage, "document_id", hit->chunk.document_id);
        jx_set_str(passage, "title", hit->chunk.title != NULL ? hit->chunk.title : "");
        jx_set(passage, "score", json_real(hit->score));
        jx_push(list, passage);
    }
    return list;
}

static const char *outcome_of(const struct turn *turn)
{
    static const char *const names[] = {[ACTION_NONE] = "none",
                                        [ACTION_REPLY] = "reply",
                                        [ACTION_HANDOFF] = "handoff",
                                        [ACTION_SILENT] = "silent",
                                        [ACTION_POSTPONE] = "postponed"};

    return names[turn->action];
}

/* What was said, and on what ground. */
static void add_decision(const struct turn *turn, json_t *trace)
{
    jx_set_str(trace, "outcome", outcome_of(turn));
    if (turn->action == ACTION_HANDOFF) {
        jx_set_str(trace, "reason", handoff_reason_row(turn->reason)->name);
    }
    if (turn->why != NULL) {
        jx_set_str(trace, "why", turn->why);
    }
    if (turn->fallback != NULL) {
        jx_set_str(trace, "fallback", turn->fallback);
    }
    if (turn->action == ACTION_REPLY) {
        jx_set_str(trace, "source", turn->source);
    }
    if (turn->confidence >= 0) {
        jx_set(trace, "confidence", json_real(turn->confidence));
    }
    if (turn->found.count > 0) {
        jx_set(trace, "shipped_confidence", json_real(turn->found.shipped));
    }
    if (turn->links_removed > 0) {
        jx_set_int(trace, "links_removed", turn->links_removed);
    }
}

/* What the turn's models were asked to do and what it cost. */
static void add_spent(const struct turn *turn, json_t *trace)
{
    const struct spend *spent = &turn->spent;

    if (json_array_size(turn->tool_trace) > 0) {
        jx_set(trace, "tools", json_deep_copy(turn->tool_trace));
    }
    if (spent->input + spent->output > 0) {
        jx_set(trace, "tokens",
               json_pack("{s:I,s:I,s:I,s:b}", "input", (json_int_t)spent->input, "output",
                         (json_int_t)spent->output, "cached", (json_int_t)spent->cached, "estimated",
                         spent->estimated ? 1 : 0));
        jx_set_int(trace, "cost_micros", spent->micros);
    }
}

json_t *turn_trace(const struct turn *turn)
{
    json_t *trace = json_object();
    const char *model = jx_str(jx_obj(turn->agent, "model"), "name");

    jx_set_str(trace, "id", turn->id.text);
    jx_set_str(trace, "conversation_id", turn->conversation_id);
    jx_set_str(trace, "agent_id", jx_str(turn->agent, "id"));
    jx_set_str(trace, "message_id", turn->sent.text[0] != '\0' ? turn->sent.text : turn->newest_id);
    jx_set_str(trace, "question_id", turn->newest_id);
    add_decision(turn, trace);
    jx_set(trace, "threshold", json_real(turn_threshold(turn)));
    jx_set_str(trace, "provider", turn_provider(turn));
    if (model != NULL && !model_is_local(turn_provider(turn))) {
        jx_set_str(trace, "model", model);
    }
    jx_set_int(trace, "runs", turn->runs);
    jx_set_int(trace, "took_ms", clock_mono_ms() - turn->begun_mono_ms);
    jx_set(trace, "steps", steps_of(turn));
    jx_set(trace, "passages", passages_of(turn));
    jx_set(trace, "attempts", json_deep_copy(turn->attempts));
    add_spent(turn, trace);
    json_t *flow = flow_turn_trace(turn);
    if (flow != NULL) {
        jx_set(trace, "flow", flow);
    }
    jx_set_time(trace, "created_at", clock_wall_ms());
    return trace;
}
