/* run.c: the interpreter: one step after the other until something else is needed.
 *
 * Invariants: every loop through the steps counts, so that no flow runs longer than FLOW_STEPS_MAX in one
 * turn; the input is used once; where the state says "asked" its step has asked and waits. A step that fails
 * and names no on_error ends in a handoff: a customer is never left with a flow that stopped in silence. */
#include "agent/flow/flow.h"
#include "agent/flow/choice.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tool/template.h"
#include "queue/base/clock.h"
#include "queue/base/id.h"

#define RETRIES_DEFAULT 2
#define TAGS_MAX        50

typedef enum flow_stop (*step_fn)(struct flow_run *run, const json_t *step);

/* ---- texts and variables ---- */

const char *flow_text(struct flow_run *run, const char *text)
{
    struct template_source source = {.vars = run->scope};
    struct buf out;

    buf_init(&out, 1 << 16);
    (void)template_fill(text, TEMPLATE_PLAIN, &source, &out);
    const char *copy = arena_strndup(run->arena, buf_str(&out), out.len);
    buf_fini(&out);
    return copy;
}

/* A field of a step with its names filled, NULL if the step has none. */
static const char *text_of(struct flow_run *run, const json_t *step, const char *field)
{
    const char *text = jx_str(step, field);

    return text != NULL ? flow_text(run, text) : NULL;
}

/* A copy of a value with its names filled; of the arena. */
static json_t *values_of(struct flow_run *run, const json_t *value)
{
    struct template_source source = {.vars = run->scope};
    json_t *filled = template_json(value, &source);

    arena_defer(run->arena, jx_decref, filled);
    return filled;
}

bool flow_set(struct flow_run *run, const char *name, json_t *value)
{
    json_t *vars = jx_obj(run->state, "vars"), *before = json_incref(json_object_get(vars, name));

    jx_set(vars, name, value);
    if (json_dumpb(vars, NULL, 0, JSON_COMPACT) > FLOW_VARS_MAX) {
        if (before != NULL) {
            jx_set(vars, name, before);
        } else {
            json_object_del(vars, name);
        }
        return false;
    }
    json_decref(before);
    jx_set(run->scope, name, json_incref(value));
    return true;
}

static void say(struct flow_run *run, const char *type, const char *text, json_t *content)
{
    json_t *item = json_object();

    jx_set_str(item, "type", type);
    if (text != NULL) {
        jx_set_str(item, "text", text);
    }
    if (content != NULL) {
        jx_set(item, "content", content);
    }
    jx_push(run->said, item);
}

/* ---- from step to step ---- */

static const json_t *step_of(const json_t *definition, const char *id)
{
    const json_t *steps = jx_arr(definition, "steps");

    for (size_t i = 0; id != NULL && i < json_array_size(steps); i++) {
        if (strcmp(jx_str_or(json_array_get(steps, i), "id", ""), id) == 0) {
            return json_array_get(steps, i);
        }
    }
    return NULL;
}

const json_t *flow_here(const struct flow_run *run)
{
    return step_of(run->definition, jx_str(run->state, "step"));
}

/* Stands at another step now. NULL: behind the last. */
static enum flow_stop move(struct flow_run *run, const char *id)
{
    jx_set_str(run->state, "step", id != NULL ? id : "");
    jx_set_bool(run->state, "asked", false);
    jx_set_int(run->state, "retries", 0);
    json_object_del(run->state, "token");
    return id != NULL ? FLOW_GOES_ON : FLOW_ENDS;
}

/* On to what the step names as next, else to the one below it. */
static enum flow_stop move_on(struct flow_run *run, const json_t *step)
{
    const json_t *steps = jx_arr(run->definition, "steps");
    const char *next = jx_str(step, "next");

    for (size_t i = 0; next == NULL && i + 1 < json_array_size(steps); i++) {
        if (json_array_get(steps, i) == step) {
            next = jx_str(json_array_get(steps, i + 1), "id");
        }
    }
    return move(run, next);
}

/* A step did not work out: to its on_error, else to a person. */
static enum flow_stop fail(struct flow_run *run, const json_t *step, const char *why)
{
    const char *target = jx_str(step, "on_error");

    run->why = why;
    if (flow_set(run, "error", json_string(why)) && target != NULL) {
        return move(run, target);
    }
    return target != NULL ? move(run, target) : FLOW_HANDS_OFF;
}

enum flow_stop flow_resolve(struct flow_run *run, bool ok, const json_t *saved, const char *why)
{
    const json_t *step = flow_here(run);
    const char *name;
    json_t *value;

    if (step == NULL) {
        return FLOW_ENDS;
    }
    json_object_foreach ((json_t *)saved, name, value) {
        if (ok && !flow_set(run, name, json_incref(value))) {
            ok = false;
            why = "the answer is too large";
        }
    }
    return ok ? move_on(run, step) : fail(run, step, why != NULL ? why : "failed");
}

/* ---- steps that say and ask ---- */

static enum flow_stop do_message(struct flow_run *run, const json_t *step)
{
    const json_t *content = jx_obj(step, "content");
    const char *type = jx_str_or(step, "message_type", "text"), *text = text_of(run, step, "text");

    if (content != NULL) {
        say(run, type, text != NULL ? text : "", json_incref(values_of(run, content)));
    } else if (text != NULL && text[0] != '\0') {
        say(run, "text", text, NULL);
    }
    return move_on(run, step);
}

/* The customer's answer did not fit: again, or that was it. */
static enum flow_stop ask_again(struct flow_run *run, const json_t *step, const char *hint)
{
    int64_t retries = jx_int(run->state, "retries", 0) + 1;
    const char *text = text_of(run, step, "error");

    if (retries > jx_int(step, "retries", RETRIES_DEFAULT)) {
        return fail(run, step, "too many wrong answers");
    }
    jx_set_int(run->state, "retries", retries);
    say(run, "text", text != NULL ? text : hint, NULL);
    return FLOW_ASKS;
}

/* What the customer wrote, read by the rule: all of it, else the newest part that fits. New reference. */
static json_t *read_answer(const struct flow_run *run, const json_t *rule)
{
    const struct flow_input *input = &run->input;

    if (strcmp(jx_str_or(rule, "type", ""), "media") == 0) {
        return json_incref((json_t *)input->media);
    }
    json_t *value = flow_answer(rule, input->text);
    for (size_t i = json_array_size(input->texts); i > 0 && value == NULL; i--) {
        value = flow_answer(rule, json_string_value(json_array_get(input->texts, i - 1)));
    }
    return value;
}

static enum flow_stop do_ask(struct flow_run *run, const json_t *step)
{
    const json_t *rule = jx_obj(step, "validation");

    if (!jx_bool(run->state, "asked", false)) {
        say(run, "text", text_of(run, step, "text"), NULL);
        jx_set_bool(run->state, "asked", true);
        return FLOW_ASKS;
    }
    if (!run->has_input || run->heard) {
        return FLOW_ASKS;
    }
    run->heard = true;
    json_t *value = read_answer(run, rule);
    if (value == NULL) {
        return ask_again(run, step, flow_answer_hint(rule));
    }
    return flow_set(run, jx_str(step, "save"), value) ? move_on(run, step)
                                                      : fail(run, step, "the answer is too large");
}

/* ---- steps with options ---- */

static const json_t *options_of(const json_t *step)
{
    const json_t *buttons = jx_arr(step, "buttons");

    return buttons != NULL ? buttons : jx_arr(step, "rows");
}

/* The id under which an option is sent: its own, else its number. */
static const char *option_id(struct flow_run *run, const json_t *step, size_t index)
{
    const char *own = jx_str(json_array_get(options_of(step), index), "id");

    return own != NULL ? own : arena_printf(run->arena, "%s-%zu", jx_str_or(step, "id", ""), index + 1);
}

/* Shows the options. */
static void say_options(struct flow_run *run, const json_t *step)
{
    const json_t *options = options_of(step);
    json_t *item = json_object(), *list = json_array();

    for (size_t i = 0; i < json_array_size(options); i++) {
        json_t *shown = json_object();
        const json_t *option = json_array_get(options, i);
        jx_set_str(shown, "id", option_id(run, step, i));
        jx_set_str(shown, "title", text_of(run, option, "title"));
        if (jx_str(option, "description") != NULL) {
            jx_set_str(shown, "description", jx_str(option, "description"));
        }
        jx_push(list, shown);
    }
    jx_set_str(item, "type", "options");
    jx_set_str(item, "text", text_of(run, step, "text"));
    jx_set(item, "options", list);
    if (jx_arr(step, "rows") != NULL) {
        jx_set_str(item, "button", jx_str_or(step, "button", "Choose"));
    }
    jx_push(run->said, item);
}

/* Which option one text means; the count if none. */
static size_t option_said(struct flow_run *run, const json_t *step, const char *text)
{
    json_t *titles = json_array();

    for (size_t i = 0; i < json_array_size(options_of(step)); i++) {
        jx_push(titles, json_string(text_of(run, json_array_get(options_of(step), i), "title")));
    }
    size_t chosen = flow_choose(titles, text);
    json_decref(titles);
    return chosen;
}

bool flow_knows_button(const struct flow_run *run, const char *id)
{
    const json_t *step = flow_here(run), *options = options_of(step);
    struct flow_run *mine = (struct flow_run *)(uintptr_t)run; /* only its arena is written */

    for (size_t i = 0; i < json_array_size(options); i++) {
        if (strcmp(option_id(mine, step, i), id) == 0) {
            return true;
        }
    }
    return false;
}

/* Which option was chosen; the count if none. */
static size_t option_chosen(struct flow_run *run, const json_t *step)
{
    size_t count = json_array_size(options_of(step)), i = 0;
    const struct flow_input *input = &run->input;

    while (input->button != NULL && i < count && strcmp(option_id(run, step, i), input->button) != 0) {
        i++;
    }
    i = input->button == NULL || i == count ? option_said(run, step, input->text) : i;
    for (size_t k = json_array_size(input->texts); k > 0 && i == count; k--) {
        i = option_said(run, step, json_string_value(json_array_get(input->texts, k - 1)));
    }
    return i;
}

static enum flow_stop do_choice(struct flow_run *run, const json_t *step)
{
    if (!jx_bool(run->state, "asked", false)) {
        say_options(run, step);
        jx_set_bool(run->state, "asked", true);
        return FLOW_ASKS;
    }
    if (!run->has_input || run->heard) {
        return FLOW_ASKS;
    }
    run->heard = true;
    size_t chosen = option_chosen(run, step);
    const json_t *option = json_array_get(options_of(step), chosen);
    if (option == NULL) {
        return ask_again(run, step, "Please choose one of the options.");
    }
    const char *id = option_id(run, step, chosen), *name = jx_str(step, "save");
    if (name != NULL) {
        (void)flow_set(run, name, json_string(id));
    }
    jx_set_str(jx_obj(run->scope, "message"), "title", text_of(run, option, "title"));
    return jx_str(option, "next") != NULL ? move(run, jx_str(option, "next")) : move_on(run, step);
}

char *flow_options_text(const json_t *said)
{
    struct buf out;
    size_t i, len;
    json_t *option;

    buf_init(&out, 1 << 16);
    buf_adds(&out, jx_str_or(said, "text", ""));
    json_array_foreach (jx_arr(said, "options"), i, option) {
        const char *hint = jx_str(option, "description");
        buf_addf(&out, "%s%zu. %s", i == 0 ? "\n\n" : "\n", i + 1, jx_str_or(option, "title", ""));
        if (hint != NULL) {
            buf_addf(&out, " (%s)", hint);
        }
    }
    char *text = buf_take(&out, &len);
    return text;
}

json_t *flow_options_content(const json_t *said)
{
    const char *label = jx_str(said, "button");
    json_t *content = json_object(), *body = json_object(), *action = json_object(), *list = json_array(),
           *option;
    size_t i;

    json_array_foreach (jx_arr(said, "options"), i, option) {
        json_t *item = json_incref(option);
        if (label == NULL) {
            json_decref(item);
            item = json_object();
            jx_set_str(item, "type", "reply");
            jx_set(item, "reply", json_copy(option));
        }
        jx_push(list, item);
    }
    jx_set_str(body, "text", jx_str_or(said, "text", ""));
    jx_set_str(content, "type", label == NULL ? "button" : "list");
    jx_set(content, "body", body);
    if (label == NULL) {
        jx_set(action, "buttons", list);
    } else {
        json_t *sections = json_array(), *section = json_object();
        jx_set(section, "rows", list);
        jx_push(sections, section);
        jx_set_str(action, "button", label);
        jx_set(action, "sections", sections);
    }
    jx_set(content, "action", action);
    return content;
}

/* ---- steps that decide and note ---- */

static enum flow_stop do_branch(struct flow_run *run, const json_t *step)
{
    const json_t *cases = jx_arr(step, "cases");

    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *each = json_array_get(cases, i);
        if (flow_condition(json_object_get(each, "if"), run->scope)) {
            return move(run, jx_str(each, "next"));
        }
    }
    const char *other = jx_str(step, "else");
    return other != NULL ? move(run, other) : move_on(run, step);
}

static enum flow_stop do_set(struct flow_run *run, const json_t *step)
{
    json_t *values = values_of(run, jx_obj(step, "values")), *value, *result = NULL;
    json_t *fields = values_of(run, jx_obj(step, "custom_fields")),
           *contact = values_of(run, jx_obj(step, "metadata"));
    const char *name, *why = NULL;

    json_object_foreach (values, name, value) {
        if (!flow_set(run, name, json_incref(value))) {
            return fail(run, step, "there is no room for the value");
        }
    }
    if (fields != NULL) {
        json_object_update(run->fields, fields);
    }
    if (contact != NULL && !run->act("contact", contact, &result, &why, run->arg)) {
        return fail(run, step, why);
    }
    json_decref(result);
    return move_on(run, step);
}

/* The place of a tag in the list, the count if it is not there. */
static size_t tag_at(const json_t *tags, const char *tag)
{
    size_t i = 0;

    while (i < json_array_size(tags) && strcmp(json_string_value(json_array_get(tags, i)), tag) != 0) {
        i++;
    }
    return i;
}

static enum flow_stop do_tag(struct flow_run *run, const json_t *step)
{
    const json_t *add = values_of(run, jx_arr(step, "add")), *remove = values_of(run, jx_arr(step, "remove"));

    for (size_t i = 0; i < json_array_size(add); i++) {
        const char *tag = json_string_value(json_array_get(add, i));
        size_t count = json_array_size(run->tags);
        if (tag != NULL && tag[0] != '\0' && count < TAGS_MAX && tag_at(run->tags, tag) == count) {
            jx_push(run->tags, json_string(tag));
        }
    }
    for (size_t i = 0; i < json_array_size(remove); i++) {
        const char *tag = json_string_value(json_array_get(remove, i));
        if (tag != NULL) {
            json_array_remove(run->tags, tag_at(run->tags, tag));
        }
    }
    return move_on(run, step);
}

/* ---- steps that others carry out ---- */

static enum flow_stop do_answer(struct flow_run *run, const json_t *step)
{
    (void)run;
    (void)step;
    return FLOW_ANSWERS;
}

static enum flow_stop do_api_call(struct flow_run *run, const json_t *step)
{
    (void)run;
    (void)step;
    return FLOW_CALLS;
}

/* Lets the host change a record; what comes of it is a variable. */
static enum flow_stop act(struct flow_run *run, const json_t *step, const char *what, const json_t *wish)
{
    json_t *result = NULL;
    const char *why = NULL;

    if (!run->act(what, wish, &result, &why, run->arg)) {
        return fail(run, step, why != NULL ? why : "refused");
    }
    if (result != NULL) {
        (void)flow_set(run, jx_str_or(step, "save", strcmp(what, "book") == 0 ? "appointment" : what),
                       result);
    }
    return move_on(run, step);
}

static enum flow_stop do_book(struct flow_run *run, const json_t *step)
{
    static const char *const fields[] = {"service", "resource", "starts_at", "name", "notes"};
    json_t *wish = json_object();

    arena_defer(run->arena, jx_decref, wish);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *text = text_of(run, step, fields[i]);
        if (text != NULL && text[0] != '\0') {
            jx_set_str(wish, fields[i], text);
        }
    }
    return act(run, step, "book", wish);
}

static enum flow_stop do_lead(struct flow_run *run, const json_t *step)
{
    return act(run, step, "lead", values_of(run, jx_obj(step, "values")));
}

static enum flow_stop do_handoff(struct flow_run *run, const json_t *step)
{
    run->why = "step";
    run->note = jx_str(step, "note");
    run->announce = text_of(run, step, "text");
    return FLOW_HANDS_OFF;
}

static enum flow_stop do_wait(struct flow_run *run, const json_t *step)
{
    (void)step;
    if (jx_str(run->state, "token") == NULL) {
        jx_set_str(run->state, "token", id_new("tok").text);
    }
    return FLOW_SLEEPS;
}

static enum flow_stop do_jump(struct flow_run *run, const json_t *step)
{
    return move(run, jx_str(step, "to"));
}

static enum flow_stop do_end(struct flow_run *run, const json_t *step)
{
    const char *text = text_of(run, step, "text");

    if (text != NULL && text[0] != '\0') {
        say(run, "text", text, NULL);
    }
    return move(run, NULL);
}

/* ---- the loop ---- */

static const step_fn steps[FLOW_TYPES] = {
#define STEP(symbol, type, fn, text) [symbol] = fn,
#include "agent/flow/tbl_steps.h"
#undef STEP
};

static void note(struct flow_run *run, const json_t *step)
{
    json_t *line = json_object();

    jx_set_str(line, "step", jx_str(step, "id"));
    jx_set_str(line, "type", jx_str(step, "type"));
    jx_push(run->trace, line);
}

enum flow_stop flow_go(struct flow_run *run)
{
    enum flow_stop stop = FLOW_GOES_ON;

    while (stop == FLOW_GOES_ON) {
        const json_t *step = flow_here(run);
        enum flow_step_type type = step != NULL ? flow_step_type(jx_str_or(step, "type", "")) : FLOW_EVERY;
        if (type == FLOW_EVERY) {
            return FLOW_ENDS;
        }
        if (++run->steps > FLOW_STEPS_MAX) {
            return FLOW_LOOPS;
        }
        note(run, step);
        stop = steps[type](run, step);
    }
    return stop;
}

json_t *flow_begin(const char *id, int64_t version, const json_t *definition, int64_t now_ms)
{
    json_t *state = json_object();

    jx_set_str(state, "id", id);
    jx_set_int(state, "version", version);
    jx_set_str(state, "step", jx_str_or(json_array_get(jx_arr(definition, "steps"), 0), "id", ""));
    jx_set_bool(state, "asked", false);
    jx_set_int(state, "retries", 0);
    jx_set(state, "vars", json_object());
    jx_set_time(state, "since", now_ms);
    jx_set_time(state, "touched", now_ms);
    return state;
}

bool flow_expired(const json_t *state, const json_t *definition, int64_t now_ms)
{
    int64_t touched;
    bool date_only;

    if (jx_str(state, "token") != NULL ||
        !clock_parse(jx_str_or(state, "touched", ""), &touched, &date_only)) {
        return false;
    }
    return now_ms - touched > jx_int(definition, "timeout_minutes", FLOW_TIMEOUT_MIN) * 60000;
}
