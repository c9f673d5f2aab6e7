/* settings.c: the section "leads" of an agent's settings, judged before it is stored. */
#include <stdio.h>
#include <string.h>

#include "agent/lead/lead.h"
#include "agent/lead/lead_int.h"

#include "queue/base/pattern.h"

#define FIELDS_MAX  40
#define RULES_MAX   40
#define CHOICES_MAX 50
#define NAME_BYTES  40
#define LABEL_BYTES 200
#define SCORE_MAX   1000

/* One look through the section; the place of the fault stays readable behind it. */
struct look {
    const json_t *leads;
    struct buf *why;
};

static _Thread_local char where_text[128];

static enum err fault(struct look *look, const char *reason)
{
    if (look->why != NULL) {
        buf_adds(look->why, reason);
    }
    return ERR_INVALID;
}

/* Lower-case letters, digits and _, beginning with a letter. */
static bool name_ok(const char *name)
{
    size_t n = name != NULL ? strlen(name) : 0;

    return n > 0 && n <= NAME_BYTES && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

/* True if every key of the object is one of the words in " a b ". The first other one goes into the place. */
static bool keys_known(const json_t *object, const char *place, const char *words)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value) {
        char word[NAME_BYTES + 8];
        snprintf(word, sizeof word, " %.40s ", key);
        if (strstr(words, word) == NULL) {
            snprintf(where_text, sizeof where_text, "%.60s/%.40s", place, key);
            return false;
        }
    }
    return true;
}

/* Absent, or a number within the bounds. */
static bool score_ok(const json_t *value)
{
    return value == NULL || (json_is_number(value) && json_number_value(value) >= -SCORE_MAX &&
                             json_number_value(value) <= SCORE_MAX);
}

static bool type_known(const char *type)
{
    for (size_t i = 0; type != NULL && i < lead_type_count; i++) {
        if (strcmp(lead_types[i].name, type) == 0) {
            return true;
        }
    }
    return false;
}

/* Absent, or text of a length. */
static bool text_ok(const json_t *value, size_t max)
{
    return value == NULL || (json_is_string(value) && json_string_length(value) <= max);
}

static enum err check_choices(struct look *look, const json_t *row)
{
    const json_t *choices = json_object_get(row, "choices");
    bool wanted = strcmp(jx_str_or(row, "type", ""), "choice") == 0;

    if (choices == NULL) {
        return wanted ? fault(look, "needs its choices") : ERR_OK;
    }
    if (!wanted || json_array_size(choices) == 0 || json_array_size(choices) > CHOICES_MAX) {
        return fault(look, "choices are 1 to 50 texts, of a field of type choice");
    }
    for (size_t i = 0; i < json_array_size(choices); i++) {
        const json_t *choice = json_array_get(choices, i);
        if (!json_is_string(choice) || json_string_length(choice) == 0 ||
            json_string_length(choice) > LABEL_BYTES) {
            return fault(look, "choices are 1 to 50 texts, of a field of type choice");
        }
    }
    return ERR_OK;
}

/* How many rows before this one have its name. */
static bool name_taken(const json_t *rows, size_t index, const char *name)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(jx_str_or(json_array_get(rows, i), "name", ""), name) == 0) {
            return true;
        }
    }
    return false;
}

static enum err check_field(struct look *look, const json_t *rows, size_t index)
{
    const json_t *row = json_array_get(rows, index);
    const json_t *pattern = json_object_get(row, "pattern"), *required = json_object_get(row, "required");
    char place[64];

    snprintf(place, sizeof place, "/fields/%zu", index);
    snprintf(where_text, sizeof where_text, "%s", place);
    if (!json_is_object(row) || !name_ok(jx_str(row, "name"))) {
        return fault(look, "needs a name of lower-case letters, digits and _");
    }
    if (!keys_known(row, place, " name label type choices required pattern score ")) {
        return fault(look, "is not a known field");
    }
    if (name_taken(rows, index, jx_str(row, "name"))) {
        return fault(look, "has the name of another field");
    }
    snprintf(where_text, sizeof where_text, "%s/type", place);
    if (!type_known(jx_str(row, "type"))) {
        return fault(look, "must be one of text|email|phone|number|choice|date|bool");
    }
    snprintf(where_text, sizeof where_text, "%s/choices", place);
    enum err rc = check_choices(look, row);
    if (rc != ERR_OK) {
        return rc;
    }
    snprintf(where_text, sizeof where_text, "%s/pattern", place);
    if (pattern != NULL && (!json_is_string(pattern) || !pattern_ok(json_string_value(pattern)))) {
        return fault(look, "is no regular expression of at most 256 bytes");
    }
    snprintf(where_text, sizeof where_text, "%s", place);
    if ((required != NULL && !json_is_boolean(required)) || !score_ok(json_object_get(row, "score")) ||
        !text_ok(json_object_get(row, "label"), LABEL_BYTES)) {
        return fault(look, "required is true or false, score a number up to 1000, label a text");
    }
    return ERR_OK;
}

static enum err check_fields(struct look *look)
{
    const json_t *rows = json_object_get(look->leads, "fields");
    enum err rc = ERR_OK;

    snprintf(where_text, sizeof where_text, "/fields");
    if (rows != NULL && (!json_is_array(rows) || json_array_size(rows) > FIELDS_MAX)) {
        return fault(look, "must be a list of at most 40 fields");
    }
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(rows); i++) {
        rc = check_field(look, rows, i);
    }
    return rc;
}

/* True if a row of the section has that name. */
static bool field_there(const json_t *leads, const char *name)
{
    const json_t *rows = jx_arr(leads, "fields");

    return name != NULL && name_taken(rows, json_array_size(rows), name);
}

static enum err check_rule(struct look *look, const json_t *rule, size_t index)
{
    static const char words[] = " eq ne gt lt in contains exists ";
    const char *op = jx_str_or(rule, "op", "");
    const json_t *value = json_object_get(rule, "value");
    char place[64], word[NAME_BYTES];

    snprintf(place, sizeof place, "/qualify/rules/%zu", index);
    snprintf(where_text, sizeof where_text, "%s", place);
    if (!json_is_object(rule)) {
        return fault(look, "must be an object");
    }
    if (!keys_known(rule, place, " field op value score ")) {
        return fault(look, "is not a known field");
    }
    snprintf(where_text, sizeof where_text, "%s/field", place);
    if (!field_there(look->leads, jx_str(rule, "field"))) {
        return fault(look, "names no field of this section");
    }
    snprintf(where_text, sizeof where_text, "%s/op", place);
    snprintf(word, sizeof word, " %.20s ", op);
    if (op[0] == '\0' || strchr(op, ' ') != NULL || strstr(words, word) == NULL) {
        return fault(look, "must be one of eq|ne|gt|lt|in|contains|exists");
    }
    snprintf(where_text, sizeof where_text, "%s/value", place);
    bool list = strcmp(op, "in") == 0, exists = strcmp(op, "exists") == 0;
    if (exists ? value != NULL && !json_is_boolean(value)
               : value == NULL || json_is_object(value) || list != json_is_array(value)) {
        return fault(look, "must be a value; a list with in; true or false with exists");
    }
    snprintf(where_text, sizeof where_text, "%s/score", place);
    return score_ok(json_object_get(rule, "score")) ? ERR_OK : fault(look, "must be a number up to 1000");
}

static enum err check_qualify(struct look *look)
{
    const json_t *qualify = json_object_get(look->leads, "qualify");
    const json_t *required = json_object_get(qualify, "required"), *rules = json_object_get(qualify, "rules");
    enum err rc = ERR_OK;

    snprintf(where_text, sizeof where_text, "/qualify");
    if (qualify != NULL && !json_is_object(qualify)) {
        return fault(look, "must be an object");
    }
    if (!keys_known(qualify, "/qualify", " required min_score rules ")) {
        return fault(look, "is not a known field");
    }
    if ((required != NULL && !json_is_array(required)) || !score_ok(json_object_get(qualify, "min_score")) ||
        (rules != NULL && !json_is_array(rules)) || json_array_size(rules) > RULES_MAX) {
        return fault(
            look, "holds required (a list), min_score (a number up to 1000), rules (a list of at most 40)");
    }
    for (size_t i = 0; i < json_array_size(required); i++) {
        snprintf(where_text, sizeof where_text, "/qualify/required/%zu", i);
        if (!field_there(look->leads, json_string_value(json_array_get(required, i)))) {
            return fault(look, "names no field of this section");
        }
    }
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(rules); i++) {
        rc = check_rule(look, json_array_get(rules, i), i);
    }
    return rc;
}

enum err lead_settings_check(const json_t *leads, const char **field, struct buf *why)
{
    struct look look = {.leads = leads, .why = why};
    const json_t *enabled = json_object_get(leads, "enabled");
    enum err rc = ERR_OK;

    where_text[0] = '\0';
    if (field != NULL) {
        *field = where_text;
    }
    if (!json_is_object(leads)) {
        return fault(&look, "must be an object");
    }
    if (!keys_known(leads, "", " enabled fields qualify ")) {
        return fault(&look, "is not a known field");
    }
    snprintf(where_text, sizeof where_text, "/enabled");
    if (enabled != NULL && !json_is_boolean(enabled)) {
        return fault(&look, "must be true or false");
    }
    rc = check_fields(&look);
    return rc == ERR_OK ? check_qualify(&look) : rc;
}
