/* condition.c: what a branch may ask.
 *
 * Numbers compare as numbers when both sides are numbers, however written; everything else as folded text, so
 * that "Yes " equals "yes". A variable that is missing is empty: it equals "", and is neither less nor more
 * than anything. */
#include "agent/flow/flow.h"
#include "agent/flow/fold.h"

#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tool/template.h"

#define DEPTH_MAX 5
#define TEXT_MAX  4000

/* Both sides as a comparison sees them. */
struct sides {
    const json_t *var, *value;
    char *left, *right; /* folded */
    const char *raw;    /* the variable's text as it is; good with left_owned */
    char *left_owned;
    bool numbers;
    double a, b;
};

/* A number, or text that is one. */
static bool number_of(const json_t *value, double *out)
{
    char *end;
    const char *text = json_string_value(value);

    if (json_is_number(value)) {
        *out = json_number_value(value);
        return true;
    }
    if (text == NULL || text[strspn(text, " ")] == '\0') {
        return false;
    }
    *out = strtod(text, &end);
    return end[strspn(end, " ")] == '\0' && isfinite(*out);
}

/* malloc'ed. */
static char *text_of(const json_t *value)
{
    if (value == NULL || json_is_null(value)) {
        return xstrdup("");
    }
    return json_is_string(value) ? xstrdup(json_string_value(value)) : jx_text(value);
}

static void sides_init(struct sides *s, const json_t *var, const json_t *value)
{
    char *right = text_of(value);

    s->var = var;
    s->value = value;
    s->left_owned = text_of(var);
    s->raw = s->left_owned;
    s->left = flow_fold(s->raw);
    s->right = flow_fold(right);
    s->numbers = number_of(var, &s->a) && number_of(value, &s->b);
    free(right);
}

static void sides_fini(struct sides *s)
{
    free(s->left_owned);
    free(s->left);
    free(s->right);
}

static bool op_eq(const struct sides *s)
{
    return s->numbers ? s->a == s->b : strcmp(s->left, s->right) == 0;
}

static bool op_ne(const struct sides *s)
{
    return !op_eq(s);
}

/* -1, 0, 1; 2: not to be compared. */
static int order_of(const struct sides *s)
{
    if (s->numbers) {
        return s->a < s->b ? -1 : s->a > s->b;
    }
    if (s->left[0] == '\0' || s->right[0] == '\0') {
        return 2;
    }
    int order = strcmp(s->left, s->right);
    return order < 0 ? -1 : order > 0;
}

static bool op_lt(const struct sides *s)
{
    return order_of(s) == -1;
}

static bool op_le(const struct sides *s)
{
    return order_of(s) <= 0;
}

static bool op_gt(const struct sides *s)
{
    return order_of(s) == 1;
}

static bool op_ge(const struct sides *s)
{
    int order = order_of(s);

    return order == 0 || order == 1;
}

/* True if one of the list equals value. */
static bool any_equal(const json_t *list, const json_t *value)
{
    bool found = false;

    for (size_t i = 0; i < json_array_size(list) && !found; i++) {
        struct sides each;
        sides_init(&each, json_array_get(list, i), value);
        found = op_eq(&each);
        sides_fini(&each);
    }
    return found;
}

static bool op_contains(const struct sides *s)
{
    if (json_is_array(s->var)) {
        return any_equal(s->var, s->value);
    }
    return s->right[0] != '\0' && strstr(s->left, s->right) != NULL;
}

static bool op_in(const struct sides *s)
{
    return any_equal(s->value, s->var);
}

static bool op_starts(const struct sides *s)
{
    return s->right[0] != '\0' && strncmp(s->left, s->right, strlen(s->right)) == 0;
}

static bool op_ends(const struct sides *s)
{
    size_t left = strlen(s->left), right = strlen(s->right);

    return right > 0 && left >= right && strcmp(s->left + left - right, s->right) == 0;
}

static bool op_exists(const struct sides *s)
{
    return s->var != NULL && !json_is_null(s->var);
}

static bool op_empty(const struct sides *s)
{
    bool none = (json_is_array(s->var) && json_array_size(s->var) == 0) ||
                (json_is_object(s->var) && json_object_size(s->var) == 0);

    return none || s->raw[strspn(s->raw, " \t\r\n")] == '\0';
}

static bool op_matches(const struct sides *s)
{
    regex_t pattern;
    const char *text = json_string_value(s->value);

    if (!flow_pattern_ok(text) || strlen(s->raw) > TEXT_MAX ||
        regcomp(&pattern, text, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0) {
        return false;
    }
    bool matches = regexec(&pattern, s->raw, 0, NULL, 0) == 0;
    regfree(&pattern);
    return matches;
}

static const struct {
    const char *name;
    bool (*holds)(const struct sides *s);
    bool needs_value;
} ops[] = {
    {"eq", op_eq, true},
    {"ne", op_ne, true},
    {"lt", op_lt, true},
    {"le", op_le, true},
    {"gt", op_gt, true},
    {"ge", op_ge, true},
    {"contains", op_contains, true},
    {"in", op_in, true},
    {"starts", op_starts, true},
    {"ends", op_ends, true},
    {"exists", op_exists, false},
    {"empty", op_empty, false},
    {"matches", op_matches, true},
};
#define OPS (sizeof ops / sizeof *ops)

/* The row of an operation, OPS if there is none. */
static size_t op_of(const char *name)
{
    size_t i = 0;

    while (i < OPS && strcmp(ops[i].name, name) != 0) {
        i++;
    }
    return i;
}

static bool holds(const json_t *condition, const json_t *scope)
{
    struct sides s;
    size_t op = op_of(jx_str_or(condition, "op", "eq"));

    if (op == OPS) {
        return false;
    }
    sides_init(&s, template_value(scope, jx_str_or(condition, "var", "-")),
               json_object_get(condition, "value"));
    bool result = ops[op].holds(&s);
    sides_fini(&s);
    return result;
}

bool flow_condition(const json_t *condition, const json_t *scope)
{
    const json_t *all = jx_arr(condition, "all"), *any = jx_arr(condition, "any");
    const json_t *inner = jx_obj(condition, "not"), *list = all != NULL ? all : any;
    bool want = all == NULL; /* any ends at the first that holds, all at the first that does not */

    if (inner != NULL) {
        return !flow_condition(inner, scope);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (flow_condition(json_array_get(list, i), scope) == want) {
            return want;
        }
    }
    return list != NULL ? !want : holds(condition, scope);
}

static const char *fault_at(const json_t *condition, unsigned depth);

static const char *list_fault(const json_t *list, unsigned depth)
{
    const char *fault = json_array_size(list) == 0 ? "all and any need a list of conditions" : NULL;

    for (size_t i = 0; i < json_array_size(list) && fault == NULL; i++) {
        fault = fault_at(json_array_get(list, i), depth + 1);
    }
    return fault;
}

/* One comparison. */
static const char *plain_fault(const json_t *condition)
{
    size_t op = op_of(jx_str_or(condition, "op", "eq"));
    const json_t *value = json_object_get(condition, "value");

    if (jx_str(condition, "var") == NULL) {
        return "needs var, the name of a variable";
    }
    if (op == OPS || (json_object_get(condition, "op") != NULL && jx_str(condition, "op") == NULL)) {
        return "op must be eq, ne, lt, le, gt, ge, contains, in, starts, ends, exists, empty or matches";
    }
    if (ops[op].needs_value != (value != NULL)) {
        return ops[op].needs_value ? "needs a value" : "takes no value";
    }
    if (ops[op].holds == op_in && !json_is_array(value)) {
        return "needs a list as value";
    }
    if (ops[op].holds != op_matches) {
        return NULL;
    }
    if (!flow_pattern_ok(json_string_value(value))) {
        return "needs a POSIX extended regular expression of at most 200 bytes as value";
    }
    return NULL;
}

static const char *fault_at(const json_t *condition, unsigned depth)
{
    static const char *const known[] = {"var", "op", "value", "all", "any", "not"};
    const char *key;
    json_t *value;

    if (!json_is_object(condition) || depth > DEPTH_MAX) {
        return depth > DEPTH_MAX ? "is nested too deep" : "must be a condition";
    }
    json_object_foreach ((json_t *)condition, key, value) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], key) != 0) {
            i++;
        }
        if (i == sizeof known / sizeof *known) {
            return "holds an unknown field";
        }
        if (i >= 3 && json_object_size(condition) != 1) {
            return "all, any and not stand alone";
        }
    }
    if (json_object_get(condition, "all") != NULL || json_object_get(condition, "any") != NULL) {
        const json_t *list = json_object_get(condition, "all");
        return list_fault(list != NULL ? list : json_object_get(condition, "any"), depth);
    }
    const json_t *inner = json_object_get(condition, "not");
    return inner != NULL ? fault_at(inner, depth + 1) : plain_fault(condition);
}

const char *flow_condition_fault(const json_t *condition)
{
    return fault_at(condition, 0);
}
