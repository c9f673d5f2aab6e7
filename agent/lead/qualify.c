/* qualify.c: points of a lead, and whether it meets the agent's rules.
 *
 * Points: each field that is filled gives its own "score", each rule that holds and has a "score" gives that.
 * A rule without a score must hold. Qualified: every required field is there (those of "qualify", else those
 * marked required), every rule without a score holds, and the points reach "min_score". Where the section
 * asks for nothing at all, nothing qualifies by itself. */
#include <stdlib.h>
#include <string.h>

#include "agent/lead/lead_int.h"

#include "agent/common/words.h"

/* Numbers as numbers, anything else as text: <0, 0, >0. */
static int compare(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        double x = json_number_value(a), y = json_number_value(b);
        return x < y ? -1 : x > y;
    }
    if (json_is_string(a) && json_is_string(b)) {
        char *x = words_fold(json_string_value(a)), *y = words_fold(json_string_value(b));
        int order = strcmp(x, y);
        free(x);
        free(y);
        return order;
    }
    return json_equal(a, b) ? 0 : 1;
}

static bool op_eq(const json_t *got, const json_t *want)
{
    return compare(got, want) == 0;
}

static bool op_ne(const json_t *got, const json_t *want)
{
    return compare(got, want) != 0;
}

static bool op_gt(const json_t *got, const json_t *want)
{
    return json_typeof(got) != JSON_TRUE && json_typeof(got) != JSON_FALSE && compare(got, want) > 0;
}

static bool op_lt(const json_t *got, const json_t *want)
{
    return compare(got, want) < 0;
}

static bool op_in(const json_t *got, const json_t *want)
{
    for (size_t i = 0; i < json_array_size(want); i++) {
        if (compare(got, json_array_get(want, i)) == 0) {
            return true;
        }
    }
    return false;
}

static bool op_contains(const json_t *got, const json_t *want)
{
    if (!json_is_string(got) || !json_is_string(want)) {
        return false;
    }
    char *text = words_fold(json_string_value(got)), *part = words_fold(json_string_value(want));
    bool found = strstr(text, part) != NULL;
    free(text);
    free(part);
    return found;
}

static const struct {
    const char *name;
    bool (*fn)(const json_t *got, const json_t *want);
} ops[] = {{"eq", op_eq}, {"ne", op_ne}, {"gt", op_gt},
           {"lt", op_lt}, {"in", op_in}, {"contains", op_contains}};

/* Whether a rule holds. A field that is not there meets nothing but "exists" false. */
static bool rule_holds(const json_t *rule, const json_t *fields)
{
    const json_t *got = json_object_get(fields, jx_str_or(rule, "field", ""));
    const char *op = jx_str_or(rule, "op", "");

    if (strcmp(op, "exists") == 0) {
        return (got != NULL) == jx_bool(rule, "value", true);
    }
    for (size_t i = 0; got != NULL && i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(ops[i].name, op) == 0) {
            return ops[i].fn(got, json_object_get(rule, "value"));
        }
    }
    return false;
}

double lead_score(const json_t *leads, const json_t *fields)
{
    const json_t *rows = jx_arr(leads, "fields"), *rules = jx_arr(jx_obj(leads, "qualify"), "rules");
    double score = 0;

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        bool filled = json_object_get(fields, jx_str_or(row, "name", "")) != NULL;
        score += filled ? jx_num(row, "score", 0) : 0;
    }
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        score += rule_holds(rule, fields) ? jx_num(rule, "score", 0) : 0;
    }
    return score;
}

/* Whether the required fields are there; *asked: there are any. */
static bool has_required(const json_t *leads, const json_t *fields, bool *asked)
{
    const json_t *named = jx_arr(jx_obj(leads, "qualify"), "required"), *rows = jx_arr(leads, "fields");
    bool all = true;

    for (size_t i = 0; i < json_array_size(named); i++) {
        *asked = true;
        all = all && json_object_get(fields, json_string_value(json_array_get(named, i))) != NULL;
    }
    for (size_t i = 0; named == NULL && i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (jx_bool(row, "required", false)) {
            *asked = true;
            all = all && json_object_get(fields, jx_str_or(row, "name", "")) != NULL;
        }
    }
    return all;
}

bool lead_is_qualified(const json_t *leads, const json_t *fields, double score)
{
    const json_t *qualify = jx_obj(leads, "qualify"), *rules = jx_arr(qualify, "rules");
    bool asked = json_object_get(qualify, "min_score") != NULL;
    bool holds = has_required(leads, fields, &asked);

    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        if (json_object_get(rule, "score") == NULL) {
            asked = true;
            holds = holds && rule_holds(rule, fields);
        }
    }
    return asked && holds && score >= jx_num(qualify, "min_score", 0);
}
