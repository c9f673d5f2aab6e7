/* check.c: whether a flow says only what flows can say; every fault has its JSON pointer.
 *
 * The fields of a step are rows of tbl_steps.h; a type of field has one checker here. A draft may be
 * unfinished (no steps yet, steps that point at ones to come); publishing asks for the whole. */
#include "agent/flow/flow.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/flow/fields.h"
#include "agent/tool/api_call.h"
#include "agent/tool/template.h"
#include "channels/text.h"
#include "queue/base/codec.h"
#include "queue/base/zone.h"

#define STEPS_ALL    200
#define NAME_MAX     200
#define TEXTS_MAX    50
#define BUTTON_CHARS 20
#define ROW_CHARS    24
#define HINT_CHARS   72

const struct flow_field flow_fields[] = {
#define FIELD(step, name, type, flags, max, text) {step, name, type, flags, max, text},
#include "agent/flow/tbl_steps.h"
#undef FIELD
};
const size_t flow_field_count = sizeof flow_fields / sizeof *flow_fields;

static const char *const step_names[] = {
    "",
#define STEP(symbol, type, fn, text) [symbol] = type,
#include "agent/flow/tbl_steps.h"
#undef STEP
};

const char *flow_step_name(enum flow_step_type type)
{
    CHECK(type < FLOW_TYPES);
    return step_names[type];
}

enum flow_step_type flow_step_type(const char *name)
{
    for (unsigned i = 1; i < FLOW_TYPES; i++) {
        if (strcmp(step_names[i], name) == 0) {
            return (enum flow_step_type)i;
        }
    }
    return FLOW_EVERY;
}

const struct flow_field *flow_field(enum flow_step_type type, const char *name)
{
    for (size_t i = 0; i < flow_field_count; i++) {
        if ((flow_fields[i].step == type || flow_fields[i].step == FLOW_EVERY) &&
            strcmp(flow_fields[i].name, name) == 0) {
            return &flow_fields[i];
        }
    }
    return NULL;
}

/* Where the fault is, good until the thread's next check. */
static _Thread_local char where_text[300];

/* One check under way. */
struct check {
    const char **field;
    struct buf *why;
};

static enum err __attribute__((format(printf, 3, 4)))
refuse(const struct check *c, const char *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(where_text, sizeof where_text, format, args);
    va_end(args);
    *c->field = where_text;
    buf_reset(c->why);
    buf_addf(c->why, "%s %s", where_text + 1, why);
    return ERR_INVALID;
}

static bool is_id(const json_t *value)
{
    const char *text = json_string_value(value);

    return text != NULL && text[0] != '\0' && strlen(text) <= 64 &&
           strlen(text) == json_string_length(value) &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] == '\0';
}

/* A text with names in it: what is wrong, NULL if nothing. */
static const char *template_fault(const json_t *value, size_t max, struct buf *scratch)
{
    const char *text = json_string_value(value);

    if (text == NULL || text[strspn(text, " \t\r\n")] == '\0' || strlen(text) != json_string_length(value)) {
        return "must be text";
    }
    if (max > 0 && strlen(text) > max) {
        return "is too long";
    }
    buf_reset(scratch);
    return template_check(text, false, scratch) ? NULL : buf_str(scratch);
}

static const char *line_fault(const json_t *value, size_t max)
{
    const char *text = json_string_value(value);

    for (const char *p = text; p != NULL && *p != '\0'; p++) {
        if ((unsigned char)*p < ' ') {
            return "must be one line of text";
        }
    }
    if (text == NULL || text[0] == '\0') {
        return "must be text";
    }
    return strlen(text) > max || strlen(text) != json_string_length(value) ? "is too long" : NULL;
}

/* Every text of a value may hold names. */
static const char *deep_fault(const json_t *value, struct buf *scratch, unsigned depth)
{
    const char *key, *fault = NULL;
    json_t *item;
    size_t i;

    if (depth > 8) {
        return "is nested too deep";
    }
    if (json_is_string(value) && json_string_length(value) > 0) {
        return template_fault(value, 4096, scratch);
    }
    json_array_foreach ((json_t *)value, i, item) {
        fault = fault == NULL ? deep_fault(item, scratch, depth + 1) : fault;
    }
    json_object_foreach ((json_t *)value, key, item) {
        fault = fault == NULL ? deep_fault(item, scratch, depth + 1) : fault;
    }
    return fault;
}

static const char *values_fault(const json_t *values, size_t max, struct buf *scratch)
{
    const char *key;
    json_t *value;

    if (!json_is_object(values) || json_object_size(values) > max || json_object_size(values) == 0) {
        return "must be an object with a few values";
    }
    json_object_foreach ((json_t *)values, key, value) {
        if (!flow_name_ok(key)) {
            return "holds a name that may not be set: letters, digits and _";
        }
    }
    return deep_fault(values, scratch, 0);
}

static const char *tags_fault(const json_t *tags, size_t max, struct buf *scratch)
{
    const char *fault =
        json_array_size(tags) == 0 || json_array_size(tags) > max ? "must be a list of tags" : NULL;

    for (size_t i = 0; i < json_array_size(tags) && fault == NULL; i++) {
        fault = template_fault(json_array_get(tags, i), 100, scratch);
    }
    return fault;
}

/* ---- lists inside a step ---- */

static enum err check_cases(const struct check *c, const json_t *cases, size_t max, const char *at)
{
    size_t i;
    json_t *each;

    if (json_array_size(cases) == 0 || json_array_size(cases) > max) {
        return refuse(c, "must be a list of cases", "%s", at);
    }
    json_array_foreach ((json_t *)cases, i, each) {
        const char *fault = flow_condition_fault(json_object_get(each, "if"));
        if (fault != NULL) {
            return refuse(c, fault, "%s/%zu/if", at, i);
        }
        if (!is_id(json_object_get(each, "next")) || json_object_size(each) != 2) {
            return refuse(c, "must name the step to go to, and nothing else", "%s/%zu/next", at, i);
        }
    }
    return ERR_OK;
}

/* One button or row: its own fault and where. */
static const char *option_fault(const json_t *option, bool is_button, struct buf *scratch, const char **where)
{
    const json_t *id = json_object_get(option, "id"), *next = json_object_get(option, "next");
    const json_t *hint = json_object_get(option, "description");
    const char *key, *title = jx_str(option, "title");
    json_t *value;

    *where = "title";
    const char *fault = template_fault(json_object_get(option, "title"), 0, scratch);
    if (fault != NULL || text_units(title) > (is_button ? BUTTON_CHARS : ROW_CHARS)) {
        return fault != NULL ? fault
               : is_button   ? "must be at most 20 characters"
                             : "must be at most 24 characters";
    }
    *where = "id";
    if (id != NULL && !is_id(id)) {
        return "must be letters, digits, _ and -, at most 64";
    }
    *where = "next";
    if (next != NULL && !is_id(next)) {
        return "must name a step";
    }
    *where = "description";
    if (hint != NULL &&
        (is_button || line_fault(hint, 300) != NULL || text_units(json_string_value(hint)) > HINT_CHARS)) {
        return "must be at most 72 characters, and of a row";
    }
    json_object_foreach ((json_t *)option, key, value) {
        if (strcmp(key, "id") != 0 && strcmp(key, "title") != 0 && strcmp(key, "next") != 0 &&
            strcmp(key, "description") != 0) {
            *where = key;
            return "is none of the fields an option has";
        }
    }
    return NULL;
}

static enum err check_options(const struct check *c, const json_t *options, size_t max, const char *at)
{
    struct buf scratch;
    size_t i, k;
    json_t *each, *other;
    enum err rc = ERR_OK;

    if (json_array_size(options) == 0 || json_array_size(options) > max) {
        return refuse(c, max == 3 ? "must be a list of 1 to 3" : "must be a list of 1 to 10", "%s", at);
    }
    buf_init(&scratch, 300);
    json_array_foreach ((json_t *)options, i, each) {
        const char *where = "", *fault = option_fault(each, max == 3, &scratch, &where);
        json_array_foreach ((json_t *)options, k, other) {
            bool same = k < i && strcmp(jx_str_or(other, "title", ""), jx_str_or(each, "title", "")) == 0;
            bool twin = k < i && jx_str(each, "id") != NULL &&
                        strcmp(jx_str_or(other, "id", ""), jx_str(each, "id")) == 0;
            where = fault == NULL && same ? "title" : fault == NULL && twin ? "id" : where;
            fault = fault == NULL && (same || twin) ? "must differ from the others'" : fault;
        }
        rc = rc == ERR_OK && fault != NULL ? refuse(c, fault, "%s/%zu/%s", at, i, where) : rc;
    }
    buf_fini(&scratch);
    return rc;
}

/* ---- one step ---- */

/* What is wrong with one plain field, NULL if nothing. */
static const char *field_fault(const struct flow_field *row, const json_t *value, struct buf *scratch)
{
    switch (row->type) {
    case FLD_TEXT:
        return template_fault(value, row->max, scratch);
    case FLD_LINE:
        return line_fault(value, row->max);
    case FLD_ID:
    case FLD_STEP:
        return is_id(value) ? NULL : "must be letters, digits, _ and -, at most 64";
    case FLD_NAME:
        return json_is_string(value) && flow_name_ok(json_string_value(value))
                   ? NULL
                   : "must be a name: letters, digits and _";
    case FLD_INT:
        return json_is_integer(value) && json_integer_value(value) >= 0 &&
                       (size_t)json_integer_value(value) <= row->max
                   ? NULL
                   : "must be a whole number in its range";
    case FLD_OBJECT:
        return json_is_object(value) ? deep_fault(value, scratch, 0) : "must be an object";
    case FLD_VALUES:
        return values_fault(value, row->max, scratch);
    case FLD_TAGS:
        return tags_fault(value, row->max, scratch);
    case FLD_RULE:
        return flow_answer_fault(value);
    default:
        return NULL;
    }
}

static enum err check_field(const struct check *c, const struct flow_field *row, const json_t *value,
                            size_t index)
{
    char at[200];
    struct buf scratch;
    enum err rc = ERR_OK;

    snprintf(at, sizeof at, "/steps/%zu/%s", index, row->name);
    if (row->type == FLD_CASES) {
        return check_cases(c, value, row->max, at);
    }
    if (row->type == FLD_OPTIONS) {
        return check_options(c, value, row->max, at);
    }
    buf_init(&scratch, 300);
    const char *fault = field_fault(row, value, &scratch);
    if (fault != NULL) {
        rc = refuse(c, fault, "%s", at);
    }
    buf_fini(&scratch);
    return rc;
}

/* The request of an api_call. */
static enum err check_call(const struct check *c, const json_t *step, size_t index)
{
    const char *field = NULL;
    struct buf why;

    buf_init(&why, 400);
    enum err rc = api_call_check(step, &field, &why);
    if (rc != ERR_OK) {
        const char *space = strchr(buf_str(&why), ' ');
        rc = refuse(c, space != NULL ? space + 1 : "is wrong", "/steps/%zu%s", index, field);
    }
    buf_fini(&why);
    return rc;
}

static enum err check_step(const struct check *c, const json_t *step, size_t index)
{
    enum flow_step_type type = flow_step_type(jx_str_or(step, "type", ""));
    enum err rc = ERR_OK;
    const char *key;
    json_t *value;

    if (!json_is_object(step)) {
        return refuse(c, "must be an object", "/steps/%zu", index);
    }
    if (type == FLOW_EVERY) {
        return refuse(c, "is none of the types a step may have", "/steps/%zu/type", index);
    }
    for (size_t i = 0; i < flow_field_count; i++) {
        bool needed = flow_fields[i].step == type && (flow_fields[i].flags & FLOW_REQUIRED) != 0;
        if (needed && json_object_get(step, flow_fields[i].name) == NULL) {
            return refuse(c, "is required", "/steps/%zu/%s", index, flow_fields[i].name);
        }
    }
    json_object_foreach ((json_t *)step, key, value) {
        const struct flow_field *row = flow_field(type, key);
        if (row == NULL && strcmp(key, "type") != 0) {
            return refuse(c, "is none of the fields of this step", "/steps/%zu/%.100s", index, key);
        }
        rc = rc == ERR_OK && row != NULL ? check_field(c, row, value, index) : rc;
    }
    if (rc == ERR_OK && type == FLOW_API_CALL) {
        rc = check_call(c, step, index);
    }
    if (rc == ERR_OK && type == FLOW_MESSAGE && jx_str(step, "text") == NULL &&
        jx_obj(step, "content") == NULL) {
        rc = refuse(c, "is required, or content", "/steps/%zu/text", index);
    }
    return rc;
}

/* The index of the step of that name, before `before`; before itself if there is none. */
static size_t step_at(const json_t *steps, const char *id, size_t before)
{
    size_t i = 0;

    while (i < before && strcmp(jx_str_or(json_array_get(steps, i), "id", ""), id) != 0) {
        i++;
    }
    return i;
}

static enum err check_steps(const struct check *c, const json_t *steps)
{
    size_t i;
    json_t *step;

    if (!json_is_array(steps) || json_array_size(steps) > STEPS_ALL) {
        return refuse(c, "must be a list of at most 200 steps", "/steps");
    }
    json_array_foreach ((json_t *)steps, i, step) {
        enum err rc = check_step(c, step, i);
        if (rc != ERR_OK) {
            return rc;
        }
        const char *id = jx_str(step, "id");
        if (id != NULL && step_at(steps, id, i) < i) {
            return refuse(c, "is the id of another step", "/steps/%zu/id", i);
        }
    }
    return ERR_OK;
}

/* ---- the rest ---- */

/* A list of short texts. */
static enum err check_texts(const struct check *c, const json_t *list, const char *at)
{
    size_t i;
    json_t *text;

    if (!json_is_array(list) || json_array_size(list) > TEXTS_MAX) {
        return refuse(c, "must be a list of at most 50 texts", "%s", at);
    }
    json_array_foreach ((json_t *)list, i, text) {
        const char *fault = line_fault(text, 300);
        if (fault != NULL) {
            return refuse(c, fault, "%s/%zu", at, i);
        }
    }
    return ERR_OK;
}

static enum err check_trigger(const struct check *c, const json_t *trigger)
{
    const struct flow_trigger_row *row = flow_trigger_row(jx_str_or(trigger, "type", ""));
    const char *key, *zone = jx_str(trigger, "time_zone");
    json_t *value;
    enum err rc = ERR_OK;

    if (!json_is_object(trigger) || row == NULL) {
        return refuse(c, "must be keyword, intent, event, first_contact, button or schedule",
                      "/trigger/type");
    }
    json_object_foreach ((json_t *)trigger, key, value) {
        bool extra =
            strcmp(row->name, "schedule") == 0 && (strcmp(key, "time_zone") == 0 || strcmp(key, "tag") == 0);
        bool own = row->needs != NULL && strcmp(key, row->needs) == 0;
        if (strcmp(key, "type") != 0 && !own && !extra) {
            return refuse(c, "is none of the fields of this trigger", "/trigger/%.100s", key);
        }
        if (own && row->list) {
            char at[60];
            snprintf(at, sizeof at, "/trigger/%s", key);
            rc = rc == ERR_OK ? check_texts(c, value, at) : rc;
        }
    }
    if (rc == ERR_OK && row->needs != NULL && json_object_get(trigger, row->needs) == NULL) {
        return refuse(c, "is required", "/trigger/%s", row->needs);
    }
    if (rc == ERR_OK && strcmp(row->name, "event") == 0 && !flow_event_ok(jx_str_or(trigger, "event", ""))) {
        return refuse(c, "is no event that a flow may begin with", "/trigger/event");
    }
    if (rc == ERR_OK && strcmp(row->name, "schedule") == 0) {
        rc = !flow_cron_ok(jx_str_or(trigger, "cron", ""))
                 ? refuse(c, "must be five fields: minute hour day month weekday", "/trigger/cron")
             : json_object_get(trigger, "time_zone") != NULL && (zone == NULL || !zone_known(zone))
                 ? refuse(c, "must be a time zone such as Europe/Madrid", "/trigger/time_zone")
             : line_fault(json_object_get(trigger, "tag"), 100) != NULL
                 ? refuse(c, "is required: only conversations with this tag are written to", "/trigger/tag")
                 : ERR_OK;
    }
    return rc;
}

enum err flow_check(const json_t *body, const char **field, struct buf *why)
{
    struct check c = {field, why};
    const json_t *name = json_object_get(body, "name"), *minutes = json_object_get(body, "timeout_minutes");
    const json_t *exit_text = json_object_get(body, "exit_text"),
                 *words = json_object_get(body, "exit_words");
    const json_t *trigger = json_object_get(body, "trigger"), *steps = json_object_get(body, "steps");
    struct buf scratch;
    enum err rc = ERR_OK;

    if (name != NULL && line_fault(name, NAME_MAX) != NULL) {
        return refuse(&c, "must be one line of at most 200 bytes", "/name");
    }
    if (minutes != NULL && (!json_is_integer(minutes) || json_integer_value(minutes) < 1 ||
                            json_integer_value(minutes) > 43200)) {
        return refuse(&c, "must be a whole number from 1 to 43200", "/timeout_minutes");
    }
    buf_init(&scratch, 300);
    if (exit_text != NULL && template_fault(exit_text, 1024, &scratch) != NULL) {
        rc = refuse(&c, "must be text of at most 1024 bytes", "/exit_text");
    }
    buf_fini(&scratch);
    rc = rc == ERR_OK && words != NULL ? check_texts(&c, words, "/exit_words") : rc;
    rc = rc == ERR_OK && trigger != NULL ? check_trigger(&c, trigger) : rc;
    return rc == ERR_OK && steps != NULL ? check_steps(&c, steps) : rc;
}

/* One reference to a step. */
static enum err check_target(const struct check *c, const json_t *steps, const char *target,
                             const char *format, size_t index, const char *name, size_t inner)
{
    char at[200];

    if (target == NULL || step_at(steps, target, json_array_size(steps)) < json_array_size(steps)) {
        return ERR_OK;
    }
    snprintf(at, sizeof at, "/steps/%zu/%s", index, name);
    return strcmp(format, "list") == 0 ? refuse(c, "names a step that is not there", "%s/%zu/next", at, inner)
                                       : refuse(c, "names a step that is not there", "%s", at);
}

enum err flow_check_whole(const json_t *definition, const char **field, struct buf *why)
{
    struct check c = {field, why};
    const json_t *steps = jx_arr(definition, "steps");
    enum err rc = flow_check(definition, field, why);

    if (rc == ERR_OK && jx_obj(definition, "trigger") == NULL) {
        return refuse(&c, "is required to publish a flow", "/trigger");
    }
    if (rc == ERR_OK && json_array_size(steps) == 0) {
        return refuse(&c, "must hold a step to publish a flow", "/steps");
    }
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        const char *key;
        json_t *value, *each;
        size_t k;
        json_object_foreach ((json_t *)step, key, value) {
            const struct flow_field *row = flow_field(flow_step_type(jx_str_or(step, "type", "")), key);
            if (rc == ERR_OK && row != NULL && row->type == FLD_STEP) {
                rc = check_target(&c, steps, json_string_value(value), "plain", i, key, 0);
            }
            if (row == NULL || (row->type != FLD_CASES && row->type != FLD_OPTIONS)) {
                continue;
            }
            json_array_foreach (value, k, each) {
                rc = rc == ERR_OK ? check_target(&c, steps, jx_str(each, "next"), "list", i, key, k) : rc;
            }
        }
    }
    return rc;
}

void flow_name_steps(json_t *steps)
{
    size_t i;
    json_t *step;

    json_array_foreach (steps, i, step) {
        char id[40];
        size_t count = json_array_size(steps), number = i + 1;
        if (jx_str(step, "id") != NULL) {
            continue;
        }
        do {
            snprintf(id, sizeof id, "step_%zu", number++);
        } while (step_at(steps, id, count) < count);
        jx_set_str(step, "id", id);
    }
}
