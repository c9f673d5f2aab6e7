/* handoff_rules.c: an agent's own rules of handoff: judged before they are stored, and looked at in a turn.
 *
 * A condition is a row: how its value must look, and when it holds. What a rule needs to know but is not
 * known (no search was made, no contact) does not hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/rules/handoff_rules.h"

#include "agent/common/hours.h"
#include "agent/common/words.h"
#include "queue/base/pattern.h"

#define LIST_MAX   50
#define ITEM_BYTES 200
#define TIMES_MAX  20
#define NEGATIVE   2 /* points of mood.c */

static _Thread_local char where_text[160];

/* ---- how values look ---- */
static bool is_texts(const json_t *value)
{
    if (json_array_size(value) == 0 || json_array_size(value) > LIST_MAX) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        if (!json_is_string(item) || json_string_length(item) == 0 || json_string_length(item) > ITEM_BYTES) {
            return false;
        }
    }
    return true;
}

static bool is_times(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 1 && json_integer_value(value) <= TIMES_MAX;
}

static bool is_pattern(const json_t *value)
{
    return json_is_string(value) && pattern_ok(json_string_value(value));
}

static bool is_mood(const json_t *value)
{
    return json_is_string(value) && strcmp(json_string_value(value), "negative") == 0;
}

static bool is_flag(const json_t *value)
{
    return json_is_boolean(value);
}

static bool is_map(const json_t *value)
{
    return json_object_size(value) > 0 && json_object_size(value) <= LIST_MAX;
}

/* ---- when conditions hold ---- */

/* True if the text is one of the list. */
static bool among(const json_t *list, const char *text)
{
    for (size_t i = 0; text != NULL && i < json_array_size(list); i++) {
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0) {
            return true;
        }
    }
    return false;
}

/* True if two lists share a text. */
static bool share(const json_t *list, const json_t *own)
{
    for (size_t i = 0; i < json_array_size(own); i++) {
        if (among(list, json_string_value(json_array_get(own, i)))) {
            return true;
        }
    }
    return false;
}

static bool holds_words(const struct handoff_view *view, const json_t *value)
{
    bool found = false;

    for (size_t i = 0; !found && i < json_array_size(value); i++) {
        char *phrase = words_fold(json_string_value(json_array_get(value, i)));
        found = phrase[0] != '\0' && words_hold(view->folded, phrase);
        free(phrase);
    }
    return found;
}

static bool holds_pattern(const struct handoff_view *view, const json_t *value)
{
    return pattern_match(json_string_value(value), view->text, false, true);
}

static bool holds_mood(const struct handoff_view *view, const json_t *value)
{
    (void)value;
    return mood_points(view->text, view->folded) >= NEGATIVE;
}

/* The same question, folded, so many times with this one. */
static bool holds_repeated(const struct handoff_view *view, const json_t *value)
{
    json_int_t times = 0;

    for (size_t i = 0; view->folded[0] != '\0' && i < json_array_size(view->history); i++) {
        const json_t *message = json_array_get(view->history, i);
        if (strcmp(jx_str_or(message, "direction", ""), "in") == 0) {
            char *folded = words_fold(jx_str_or(message, "text", ""));
            times += strcmp(folded, view->folded) == 0;
            free(folded);
        }
    }
    return times >= json_integer_value(value);
}

/* Our newest answers in a row that were fallbacks. */
static bool holds_fallbacks(const struct handoff_view *view, const json_t *value)
{
    json_int_t row = 0;

    for (size_t i = json_array_size(view->history); i > 0; i--) {
        const json_t *message = json_array_get(view->history, i - 1);
        const char *author = jx_str_or(jx_obj(message, "author"), "type", "");
        if (strcmp(jx_str_or(message, "direction", ""), "out") != 0) {
            continue;
        }
        if (strcmp(author, "ai") != 0 || strcmp(jx_str_or(message, "source", ""), "fallback") != 0) {
            break;
        }
        row++;
    }
    return row >= json_integer_value(value);
}

static bool holds_topic(const struct handoff_view *view, const json_t *value)
{
    return among(value, view->document_id) || among(value, view->collection_id);
}

static bool holds_contact(const struct handoff_view *view, const json_t *value)
{
    const json_t *metadata = jx_obj(view->contact, "metadata");
    const char *key;
    json_t *want;
    bool holds = true;

    json_object_foreach ((json_t *)value, key, want) {
        const json_t *got = json_object_get(metadata, key);
        holds = holds && got != NULL && json_equal(got, want);
    }
    return holds;
}

static bool holds_contact_tag(const struct handoff_view *view, const json_t *value)
{
    return share(value, jx_arr(view->contact, "tags")) ||
           share(value, jx_arr(jx_obj(view->contact, "metadata"), "tags"));
}

static bool holds_tag(const struct handoff_view *view, const json_t *value)
{
    return share(value, jx_arr(view->conversation, "tags"));
}

static bool holds_type(const struct handoff_view *view, const json_t *value)
{
    bool found = false;

    for (size_t i = 0; i < json_array_size(view->burst); i++) {
        found = found || among(value, jx_str_or(json_array_get(view->burst, i), "type", "text"));
    }
    return found;
}

static bool holds_closed(const struct handoff_view *view, const json_t *value)
{
    const json_t *hours = jx_obj(jx_obj(view->agent, "settings"), "hours");

    return hours_open(hours, view->now_ms) != json_is_true(value);
}

static bool holds_channel(const struct handoff_view *view, const json_t *value)
{
    return among(value, jx_str(view->conversation, "channel"));
}

static const struct condition {
    const char *name;
    bool (*looks)(const json_t *value);
    bool (*holds)(const struct handoff_view *view, const json_t *value);
    const char *expected;
} conditions[] = {
    {"words", is_texts, holds_words, "must be a list of texts"},
    {"pattern", is_pattern, holds_pattern, "must be a regular expression of at most 256 bytes"},
    {"sentiment", is_mood, holds_mood, "must be negative"},
    {"repeated", is_times, holds_repeated, "must be a whole number from 1 to 20"},
    {"low_confidence", is_times, holds_fallbacks, "must be a whole number from 1 to 20"},
    {"topic", is_texts, holds_topic, "must be a list of ids"},
    {"contact", is_map, holds_contact, "must be an object of metadata"},
    {"contact_tag", is_texts, holds_contact_tag, "must be a list of texts"},
    {"tag", is_texts, holds_tag, "must be a list of texts"},
    {"message_type", is_texts, holds_type, "must be a list of types"},
    {"closed", is_flag, holds_closed, "must be true or false"},
    {"channel", is_texts, holds_channel, "must be a list of types"},
};
#define CONDITIONS (sizeof conditions / sizeof *conditions)

static const struct condition *condition_of(const char *name)
{
    for (size_t i = 0; i < CONDITIONS; i++) {
        if (strcmp(conditions[i].name, name) == 0) {
            return &conditions[i];
        }
    }
    return NULL;
}

/* ---- judging ---- */
static enum err fault(struct buf *why, const char *reason)
{
    if (why != NULL) {
        buf_adds(why, reason);
    }
    return ERR_INVALID;
}

static enum err check_when(const json_t *when, size_t index, struct buf *why)
{
    const char *key;
    json_t *value;

    snprintf(where_text, sizeof where_text, "/%zu/when", index);
    if (json_object_size(when) == 0) {
        return fault(why, "must hold at least one condition");
    }
    json_object_foreach ((json_t *)when, key, value) {
        const struct condition *condition = condition_of(key);
        snprintf(where_text, sizeof where_text, "/%zu/when/%.60s", index, key);
        if (condition == NULL) {
            return fault(why, "is not a known condition");
        }
        if (!condition->looks(value)) {
            return fault(why, condition->expected);
        }
    }
    return ERR_OK;
}

static enum err check_then(const json_t *then, size_t index, struct buf *why)
{
    const char *key;
    json_t *value;

    snprintf(where_text, sizeof where_text, "/%zu/then", index);
    if (then != NULL && !json_is_object(then)) {
        return fault(why, "must be an object");
    }
    json_object_foreach ((json_t *)then, key, value) {
        bool known = strcmp(key, "assign_to") == 0 || strcmp(key, "queue") == 0 || strcmp(key, "note") == 0 ||
                     strcmp(key, "announce") == 0;
        snprintf(where_text, sizeof where_text, "/%zu/then/%.60s", index, key);
        if (!known) {
            return fault(why, "is not one of assign_to, queue, note, announce");
        }
        if (!json_is_string(value) || json_string_length(value) > 1000) {
            return fault(why, "must be a text of at most 1000 bytes");
        }
    }
    if (json_object_get(then, "assign_to") != NULL && json_object_get(then, "queue") != NULL) {
        return fault(why, "names a person and a queue; one of them gets the conversation");
    }
    return ERR_OK;
}

enum err handoff_rules_check(const json_t *rules, const char **field, struct buf *why)
{
    enum err rc = ERR_OK;

    where_text[0] = '\0';
    if (field != NULL) {
        *field = where_text;
    }
    if (!json_is_array(rules) || json_array_size(rules) > HANDOFF_RULES_MAX) {
        return fault(why, "must be a list of at most 50 rules");
    }
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i), *name = json_object_get(rule, "name");
        size_t known = (name != NULL) + (json_object_get(rule, "when") != NULL) +
                       (json_object_get(rule, "then") != NULL);
        snprintf(where_text, sizeof where_text, "/%zu", i);
        if (!json_is_object(rule) || known != json_object_size(rule) ||
            (name != NULL && (!json_is_string(name) || json_string_length(name) > ITEM_BYTES))) {
            return fault(why, "must be {\"name\"?, \"when\", \"then\"?}");
        }
        rc = check_when(json_object_get(rule, "when"), i, why);
        rc = rc == ERR_OK ? check_then(json_object_get(rule, "then"), i, why) : rc;
    }
    return rc;
}

/* True if every condition of a rule holds. */
static bool rule_holds(const struct handoff_view *view, const json_t *when)
{
    const char *key;
    json_t *value;
    bool holds = json_object_size(when) > 0;

    json_object_foreach ((json_t *)when, key, value) {
        const struct condition *condition = condition_of(key);
        holds = holds && condition != NULL && condition->looks(value) && condition->holds(view, value);
    }
    return holds;
}

const json_t *handoff_rule_find(const struct handoff_view *view)
{
    const json_t *rules = jx_arr(jx_obj(jx_obj(view->agent, "settings"), "handoff"), "rules");

    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i), *when = jx_obj(rule, "when");
        bool needs_search = json_object_get(when, "topic") != NULL;
        if (needs_search == view->searched && rule_holds(view, when)) {
            return rule;
        }
    }
    return NULL;
}
