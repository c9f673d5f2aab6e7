/* rules.c: what no model may decide.
 *
 * Rows of condition and effect, in order; the first that holds settles the turn. They look at the customer's
 * words, the kind of message, its age and the shape of the history, never at anything a model wrote. */
#include <stdlib.h>
#include <string.h>

#include "agent/turn/rules.h"

#include "agent/common/phrases.h"
#include "agent/turn/spot.h"
#include "agent/common/words.h"
#include "queue/base/clock.h"
#include "queue/base/option.h"

#define LOOP_REPLIES   20 /* automatic replies in LOOP_SPAN_MS */
#define LOOP_SPAN_MS   600000
#define LOOP_SAME      4 /* repetitions in a row of a text that we answered each time */
#define LOOP_QUICK     8 /* answers to us in a row, each within LOOP_QUICK_MS */
#define LOOP_QUICK_MS  2000
#define STARTERS_SHOWN 3

/* What a message that has no text asks for; text and what is not listed are readable. */
static const struct {
    const char *type;
    enum rule_media media;
} media_rows[] = {
    {"image", MEDIA_PERSON},     {"audio", MEDIA_PERSON},       {"voice", MEDIA_PERSON},
    {"video", MEDIA_PERSON},     {"document", MEDIA_PERSON},    {"location", MEDIA_PERSON},
    {"contacts", MEDIA_PERSON},  {"order", MEDIA_PERSON},       {"sticker", MEDIA_IGNORED},
    {"reaction", MEDIA_IGNORED}, {"unsupported", MEDIA_PERSON}, {"system", MEDIA_IGNORED},
};

enum rule_media rule_media(const char *type)
{
    for (size_t i = 0; i < sizeof media_rows / sizeof *media_rows; i++) {
        if (strcmp(media_rows[i].type, type) == 0) {
            return media_rows[i].media;
        }
    }
    return MEDIA_READABLE;
}

bool rule_has_words(const json_t *message)
{
    const char *text = jx_str_or(message, "text", "");
    size_t len = strlen(text);
    bool stands_in = len > 1 && text[0] == '[' && text[len - 1] == ']' &&
                     rule_media(jx_str_or(message, "type", "text")) != MEDIA_READABLE;

    return len > 0 && !stands_in;
}

const char *rule_keyword(const json_t *keywords, const char *folded)
{
    size_t i;
    json_t *keyword;
    const char *found = NULL;

    json_array_foreach ((json_t *)keywords, i, keyword) {
        char *phrase = words_fold(json_string_value(keyword) != NULL ? json_string_value(keyword) : "");
        if (found == NULL && words_hold(folded, phrase)) {
            found = json_string_value(keyword);
        }
        free(phrase);
    }
    return found;
}

/* True if the message is of that author. */
static bool is_author(const json_t *message, const char *type)
{
    return strcmp(jx_str_or(jx_obj(message, "author"), "type", ""), type) == 0;
}

/* What the look over the history has counted. */
struct loop_count {
    unsigned replies, same, quick;
    int64_t replied_ms;  /* of the newest reply so far, 0: none since the last inbound */
    const char *inbound; /* text before */
};

/* Counts one customer message. */
static void count_inbound(struct loop_count *count, const json_t *message, int64_t at_ms)
{
    const char *text = jx_str_or(message, "text", "");
    bool answers = count->replied_ms > 0;

    count->quick = answers && at_ms - count->replied_ms < LOOP_QUICK_MS ? count->quick + 1 : 0;
    if (answers && count->inbound != NULL && text[0] != '\0' && strcmp(text, count->inbound) == 0) {
        count->same++;
    } else if (answers) {
        count->same = 1;
    }
    count->inbound = text;
    count->replied_ms = 0;
}

bool rule_loop(const json_t *history, int64_t now_ms)
{
    struct loop_count count = {0};
    size_t i;
    json_t *message;

    json_array_foreach ((json_t *)history, i, message) {
        int64_t at_ms = id_time_ms(jx_str_or(message, "id", ""));
        if (is_author(message, "customer")) {
            count_inbound(&count, message, at_ms);
        } else if (is_author(message, "ai")) {
            count.replied_ms = at_ms;
            count.replies += now_ms - at_ms < LOOP_SPAN_MS ? 1 : 0;
        } else {
            count = (struct loop_count){0};
        }
    }
    return count.replies > LOOP_REPLIES || count.same >= LOOP_SAME || count.quick >= LOOP_QUICK;
}

/* ---- the rows ---- */

/* The newest of the burst waited too long: an automatic answer would come out of the blue. */
static bool is_stale(struct turn *turn)
{
    if (clock_wall_ms() - turn->newest_ms <= option_int(OPT_REPLY_MAX_AGE)) {
        return false;
    }
    turn_hand_off(turn, HANDOFF_STALE, "reply_max_age");
    return true;
}

/* Another machine: people do not type that fast. Callers of the API may. */
static bool is_loop(struct turn *turn)
{
    if (!turn->platform || !rule_loop(turn->history, clock_wall_ms())) {
        return false;
    }
    turn_hand_off(turn, HANDOFF_LOOP, "loop");
    return true;
}

/* A file that the answer depends on cannot be had: guessing what it held would be worse than waiting for a
 * person. */
static bool is_file_lost(struct turn *turn)
{
    if (turn->material->lost != NULL) {
        turn_hand_off(turn, HANDOFF_FILE, turn->material->lost);
    }
    return turn->material->lost != NULL;
}

/* Nothing to read: pictures go to a person, stickers to nobody. */
static bool is_unreadable(struct turn *turn)
{
    enum rule_media worst = MEDIA_IGNORED;
    bool words = false;
    size_t i;
    json_t *message;

    json_array_foreach (turn->burst, i, message) {
        words = words || rule_has_words(message);
    }
    if ((words && turn->folded[0] != '\0') || turn_has_material(turn)) {
        return false;
    }
    json_array_foreach (turn->burst, i, message) {
        if (rule_media(jx_str_or(message, "type", "text")) == MEDIA_PERSON) {
            worst = MEDIA_PERSON;
        }
    }
    if (worst == MEDIA_PERSON) {
        turn_hand_off(turn, HANDOFF_MESSAGE_TYPE, "message_type");
    } else {
        turn_silence(turn, "no_text", false);
    }
    return true;
}

/* The account's own words. */
static bool has_keyword(struct turn *turn)
{
    const char *keyword = rule_keyword(jx_arr(turn_handoff(turn), "keywords"), turn->folded);

    if (keyword != NULL) {
        turn_hand_off(turn, HANDOFF_KEYWORD, keyword);
    }
    return keyword != NULL;
}

/* A greeting with the first few things one may ask. */
static const char *greeting_text(struct turn *turn, const char *reply)
{
    const json_t *starters = jx_arr(turn_chat(turn), "conversation_starters");
    struct buf out;

    buf_init(&out, 4096);
    buf_adds(&out, reply);
    for (size_t i = 0; i < json_array_size(starters) && i < STARTERS_SHOWN; i++) {
        buf_addf(&out, "%s- %s", i == 0 ? "\n\n" : "\n", json_string_value(json_array_get(starters, i)));
    }
    const char *text = arena_strndup(turn->arena, buf_str(&out), out.len);
    buf_fini(&out);
    return text;
}

static bool wants_person(struct turn *turn)
{
    const char *language = "en";

    if (phrase_of(turn->folded, &language) != PHRASE_PERSON) {
        return false;
    }
    turn_hand_off(turn, HANDOFF_REQUESTED, language);
    return true;
}

/* Greets, or thanks. A model answers small talk itself, if there is one. */
static bool is_small_talk(struct turn *turn)
{
    const char *language = "en";
    enum phrase_meaning meaning = phrase_of(turn->folded, &language);
    const char *reply = phrase_reply(meaning, language);
    turn->small_talk = reply != NULL;
    if (reply == NULL || !model_is_local(turn_provider(turn))) {
        return false;
    }
    turn_reply(turn, meaning == PHRASE_GREETING ? greeting_text(turn, reply) : reply, "flow");
    turn->why = "small_talk";
    return true;
}

/* Before a flow, and behind it. */
static bool (*const rules[])(struct turn *turn) = {is_stale, is_loop, rule_own, has_keyword, wants_person};
static bool (*const manners[])(struct turn *turn) = {is_file_lost, is_unreadable, is_small_talk};

enum turn_outcome turn_rules(struct turn *turn)
{
    if (turn->wake == NULL) {
        lead_spot_turn(turn);
    }
    for (size_t i = 0; turn->wake == NULL && i < sizeof rules / sizeof *rules; i++) {
        if (rules[i](turn)) {
            break;
        }
    }
    return TURN_MORE;
}

enum turn_outcome turn_manners(struct turn *turn)
{
    for (size_t i = 0; turn->flow == NULL && i < sizeof manners / sizeof *manners; i++) {
        if (manners[i](turn)) {
            break;
        }
    }
    return TURN_MORE;
}
