/* decide.c: makes of draft and confidence a reply, a fallback or a handoff.
 *
 * The threshold is applied by code on the search's calibrated confidence; what a model thinks of its own
 * certainty does not count, except that it may say it has no answer. */
#include <string.h>

#include "agent/turn/turn.h"

#include "agent/turn/cite.h"
#include "agent/turn/guard.h"
#include "agent/common/tongue.h"
#include "agent/turn/toolbox.h"

#define TOPICS_SHOWN 4
#define SAID_MAX     262144 /* bytes of a conversation that numbers are looked for in */

/* What is said where the agent has no words of its own, in the customer's language. */
static const struct tongue *words(const struct turn *turn)
{
    return tongue_of(turn->question, turn->history);
}

/* True if our last word in this conversation was a fallback already: asking a second time helps nobody. */
static bool fell_back_before(const struct turn *turn)
{
    for (size_t i = json_array_size(turn->history); i > 0; i--) {
        const json_t *message = json_array_get(turn->history, i - 1);
        if (strcmp(jx_str_or(message, "direction", ""), "out") == 0) {
            return strcmp(jx_str_or(message, "source", ""), "fallback") == 0;
        }
    }
    return false;
}

/* To a person, or an honest word where the account does not want that. */
static void fall_escalate(struct turn *turn)
{
    if (jx_bool(turn_handoff(turn), "low_confidence", true)) {
        turn_hand_off(turn, HANDOFF_LOW_CONFIDENCE, "low_confidence");
    } else {
        turn_reply(turn, words(turn)->unknown, "fallback");
    }
}

static void fall_clarify(struct turn *turn)
{
    if (fell_back_before(turn)) {
        fall_escalate(turn);
    } else {
        turn_reply(turn, words(turn)->clarify, "fallback");
    }
}

/* What to suggest: the account's conversation starters, else titles of what was found. */
static void list_topics(struct turn *turn, struct buf *out)
{
    const json_t *starters = jx_arr(turn_chat(turn), "conversation_starters");
    size_t count = json_array_size(starters);
    const char *before = "";

    for (size_t i = 0; i < count && i < TOPICS_SHOWN; i++) {
        buf_addf(out, "\n- %s", json_string_value(json_array_get(starters, i)));
    }
    for (size_t i = 0; count == 0 && i < turn->found.count && i < TOPICS_SHOWN; i++) {
        const char *title = turn->found.hits[i].chunk.title;
        if (title != NULL && title[0] != '\0' && strcmp(title, before) != 0) {
            buf_addf(out, "\n- %s", title);
            before = title;
        }
    }
}

static void fall_topics(struct turn *turn)
{
    struct buf out;

    buf_init(&out, 8192);
    list_topics(turn, &out);
    if (out.len == 0) {
        fall_escalate(turn);
    } else {
        turn_reply(turn, arena_printf(turn->arena, "%s%s", words(turn)->topics, buf_str(&out)), "fallback");
    }
    buf_fini(&out);
}

/* The draft was tried and holds nothing. */
static void fall_unknown(struct turn *turn)
{
    turn_reply(turn, words(turn)->unknown, "fallback");
}

/* What each fallback behaviour does when there is nothing certain to say. */
static const struct {
    const char *name;
    void (*fn)(struct turn *turn);
} fallbacks[] = {
    {"ESCALATE", fall_escalate},
    {"ASK_CLARIFY", fall_clarify},
    {"SUGGEST_TOPICS", fall_topics},
    {"TRY_ANYWAY", fall_unknown},
};

/* Applies the agent's fallback behaviour. */
static void fall_back(struct turn *turn)
{
    size_t row = 0;

    for (size_t i = 0; i < sizeof fallbacks / sizeof *fallbacks; i++) {
        row = strcmp(fallbacks[i].name, turn_fallback(turn)) == 0 ? i : row;
    }
    turn->fallback = fallbacks[row].name;
    fallbacks[row].fn(turn);
}

/* Adds to the citations and dies with the run. */
static json_t *citations_of(struct turn *turn)
{
    turn->citations = json_array();
    arena_defer(turn->arena, jx_decref, turn->citations);
    return turn->citations;
}

/* The knowledge's own sentences, with the passages they stand in. */
static void reply_extract(struct turn *turn, const char *text)
{
    enum cite_style style = cite_style_of(jx_str(turn_chat(turn), "citation_style"));
    json_t *citations = citations_of(turn);
    struct model_request request;
    struct model_part parts[MODEL_PARTS];

    turn_request(turn, &request);
    size_t count = model_extract_parts(&request, parts);
    for (size_t i = 0; i < count; i++) {
        jx_push(citations, cite_hit(parts[i].hit));
    }
    turn_reply(turn, cite_append(text, citations, style, turn->arena), "knowledge");
}

/* What the knowledge does not back may be said only where a tool answered, or as a question: a model that was
 * asked for the sake of its tools must not answer out of itself. */
static bool is_grounded(const struct turn *turn, const char *text)
{
    bool asks = strchr(text, '?') != NULL || strstr(text, "\xef\xbc\x9f") != NULL || /* full width */
                strstr(text, "\xd8\x9f") != NULL;                                    /* Arabic */

    return turn->gen.box == NULL || turn_confident(turn) || turn->small_talk || turn_has_material(turn) ||
           strcmp(turn_fallback(turn), "TRY_ANYWAY") == 0 || toolbox_helped(turn->gen.box) || asks;
}

/* What was said in this conversation, the newest included: numbers in it are no news to the customer. */
static const char *said_before(const struct turn *turn)
{
    struct buf out;

    buf_init(&out, SAID_MAX);
    for (size_t i = turn->line_count; i > 0 && buf_ok(&out); i--) {
        buf_adds(&out, turn->lines[i - 1].text);
        buf_adds(&out, "\n");
    }
    buf_adds(&out, turn->question);
    const char *said = buf_ok(&out) ? arena_strndup(turn->arena, buf_str(&out), out.len) : turn->question;
    buf_fini(&out);
    return said;
}

/* A model's draft: filtered, its marks resolved. */
static void reply_draft(struct turn *turn)
{
    struct guard_report report;
    struct guard guard = {.canary = turn->canary,
                          .sources = &turn->found,
                          .persona = jx_str(turn->agent, "system_prompt"),
                          .customer = said_before(turn),
                          .phone = turn->contact_phone,
                          .truncated = turn->gen.truncated};
    const char *text = guard_text(&guard, buf_str(&turn->gen.text), turn->arena, &report);
    enum cite_style style = cite_style_of(jx_str(turn_chat(turn), "citation_style"));

    turn->links_removed = report.links_removed + report.numbers_removed;
    if (report.withheld) {
        turn_hand_off(turn, HANDOFF_FILTERED, "guard");
    } else if (text[0] == '\0' || strstr(text, MODEL_NO_ANSWER) != NULL || !is_grounded(turn, text)) {
        turn->why = "no_answer";
        fall_back(turn);
    } else {
        turn_reply(turn, cite_marks(text, &turn->found, style, citations_of(turn), turn->arena), "model");
    }
}

/* The model did not deliver: the knowledge's own words if they answer, else a person. */
static void reply_without_model(struct turn *turn)
{
    struct model_request request;
    const char *why = model_class_name(turn->gen.class);

    turn_request(turn, &request);
    bool words_suffice = turn_confident(turn) && !turn_has_material(turn); /* nobody looked at the files */
    const char *text = words_suffice ? model_extract(&request, turn->arena) : NULL;
    if (turn->gen.class == MODEL_BUDGET && text == NULL) {
        turn_hand_off(turn, HANDOFF_BUDGET, why);
    } else if (turn->gen.class == MODEL_FILTERED) {
        turn_hand_off(turn, HANDOFF_FILTERED, why);
    } else if (text != NULL) {
        turn->fallback = "extractive";
        turn->why = why;
        reply_extract(turn, text);
    } else {
        turn_hand_off(turn, HANDOFF_MODEL_FAILURE, why);
    }
}

enum turn_outcome turn_decide(struct turn *turn)
{
    bool local = model_is_local(turn_provider(turn));

    if (!turn->gen.made) {
        turn->why = "low_confidence";
        fall_back(turn);
    } else if (turn->gen.class != MODEL_OK && local) {
        fall_back(turn);
    } else if (turn->gen.class != MODEL_OK) {
        reply_without_model(turn);
    } else if (local) {
        reply_extract(turn, arena_strdup(turn->arena, buf_str(&turn->gen.text)));
    } else {
        reply_draft(turn);
    }
    return TURN_MORE;
}
