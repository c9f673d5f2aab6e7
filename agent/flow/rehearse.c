/* rehearse.c: a flow played without effects: nothing is sent, booked or stored; API calls are made only if
 * live.
 *
 * The first message is the one that set the flow going; each later one is an answer. What other rooms would
 * do (answers from the knowledge, bookings, leads) is noted in the transcript and taken as gone well. */
#include <stdlib.h>
#include <string.h>

#include "agent/flow/flow.h"
#include "agent/tool/api_call.h"
#include "queue/base/clock.h"

#define ARENA_MAX (16u << 20)

struct rehearsal {
    struct httpc *http;
    struct store *store;
    struct arena *arena;
    const char *part;
    json_t *definition, *messages, *state, *transcript;
    struct flow_run run;
    size_t index; /* the next message */
    bool live, inside, calling, called, over;
    bool call_ok;
    json_t *saved;
    const char *call_why, *reason;
    unsigned calls;
    void (*done)(json_t *result, void *arg);
    void *arg;
};

/* A line of the transcript. Borrowed. */
static json_t *line(struct rehearsal *r, const char *from, const char *type)
{
    json_t *item = json_object();

    jx_set_str(item, "from", from);
    jx_set_str(item, "type", type);
    jx_push(r->transcript, item);
    return item;
}

/* As flow_run.act: it always goes well. */
static bool act(const char *what, const json_t *wish, json_t **result, const char **why, void *arg)
{
    json_t *item = line(arg, "flow", what);

    (void)why;
    jx_set(item, "values", json_deep_copy(wish));
    *result = json_deep_copy(wish);
    return true;
}

static void tell_said(struct rehearsal *r)
{
    size_t i;
    json_t *said;

    json_array_foreach (r->run.said, i, said) {
        json_t *item = line(r, "flow", jx_str_or(said, "type", "text"));
        json_object_update_missing(item, said);
    }
    json_array_clear(r->run.said);
}

/* The customer's next message as input. False: there is none. */
static bool next_input(struct rehearsal *r)
{
    json_t *message = json_array_get(r->messages, r->index), *texts, *item;

    if (message == NULL) {
        return false;
    }
    const char *text = json_is_string(message) ? json_string_value(message) : jx_str_or(message, "text", "");
    const char *button = json_is_string(message) ? NULL : jx_str(message, "button");
    texts = json_array();
    arena_defer(r->arena, jx_decref, texts);
    jx_push(texts, json_string(text));
    r->run.input = (struct flow_input){.texts = texts, .text = text, .button = button, .type = "text"};
    r->run.has_input = r->index > 0;
    r->run.heard = false;
    r->run.steps = 0;
    jx_set(r->run.scope, "message",
           json_pack("{s:s, s:s, s:s*}", "text", text, "type", "text", "button", button));
    item = line(r, "customer", button != NULL ? "button" : "text");
    jx_set_str(item, "text", text);
    if (button != NULL) {
        jx_set_str(item, "button", button);
    }
    r->index++;
    return true;
}

/* Tells the result and is gone. */
static void finish(struct rehearsal *r)
{
    json_t *result = json_object(), *state = json_object();

    jx_set_bool(state, "ended", r->over);
    jx_set_str(state, "reason", r->reason);
    jx_set_str(state, "step", jx_str(r->state, "step"));
    jx_set(state, "vars", json_incref(jx_obj(r->state, "vars")));
    jx_set(state, "tags", json_incref(r->run.tags));
    jx_set(result, "transcript", json_incref(r->transcript));
    jx_set(result, "state", state);
    r->done(result, r->arg);
    json_decref(r->saved);
    arena_free(r->arena);
    free(r);
}

static void proceed(struct rehearsal *r);

static void take_call(const struct api_call_result *result, void *arg)
{
    struct rehearsal *r = arg;
    json_t *item = json_array_get(r->transcript, json_array_size(r->transcript) - 1);

    r->called = true;
    r->call_ok = result->ok;
    json_decref(r->saved);
    r->saved = result->ok ? json_incref((json_t *)result->saved) : NULL;
    r->call_why = result->why != NULL ? arena_strdup(r->arena, result->why) : NULL;
    jx_set_int(item, "status", result->status);
    jx_set_bool(item, "ok", result->ok);
    if (result->why != NULL) {
        jx_set_str(item, "error", result->why);
    }
    if (!r->inside) {
        proceed(r);
    }
}

/* What a call would have brought: the step's sample, else a word for each variable. New reference. */
static json_t *sampled(const json_t *step)
{
    json_t *saved = json_object(), *pointer;
    const char *name;

    json_object_foreach (jx_obj(step, "save"), name, pointer) {
        json_t *sample = json_object_get(jx_obj(step, "sample"), name);
        char *word = xasprintf("sample %s", name);
        jx_set(saved, name, sample != NULL ? json_incref(sample) : json_string(word));
        free(word);
    }
    return saved;
}

static enum flow_stop call(struct rehearsal *r)
{
    const json_t *step = flow_here(&r->run);
    json_t *item = line(r, "flow", "api_call");

    jx_set_str(item, "step", jx_str(step, "id"));
    jx_set_bool(item, "sampled", !r->live);
    if (!r->live) {
        json_t *saved = sampled(step);
        enum flow_stop stop = flow_resolve(&r->run, true, saved, NULL);
        json_decref(saved);
        return stop;
    }
    if (r->calls++ >= FLOW_CALLS_MAX) {
        return flow_resolve(&r->run, false, NULL, "too many calls");
    }
    r->calling = true;
    r->called = false;
    (void)api_call_start(r->http, r->store, r->part, step, r->run.scope, take_call, r);
    return FLOW_CALLS;
}

static void end(struct rehearsal *r, const char *reason)
{
    r->over = true;
    r->reason = reason;
    jx_set_str(line(r, "flow", "end"), "reason", reason);
}

/* What a stop means here. */
static void take_stop(struct rehearsal *r, enum flow_stop stop)
{
    const json_t *step = flow_here(&r->run);

    tell_said(r);
    if (stop == FLOW_CALLS) {
        stop = call(r);
    } else if (stop == FLOW_ANSWERS) {
        jx_set_str(line(r, "flow", "answer"), "text", "");
        stop = flow_resolve(&r->run, true, NULL, NULL);
    } else if (stop == FLOW_SLEEPS) {
        jx_set_int(line(r, "flow", "wait"), "seconds", jx_int(step, "seconds", 0));
        stop = flow_resolve(&r->run, true, NULL, NULL);
    } else if (stop == FLOW_ASKS && !next_input(r)) {
        r->reason = "waits";
    }
    if (stop == FLOW_HANDS_OFF) {
        jx_set_str(line(r, "flow", "handoff"), "reason", r->run.why);
        end(r, "handoff");
    } else if (stop == FLOW_ENDS || stop == FLOW_LOOPS) {
        end(r, stop == FLOW_ENDS ? "end" : "loop");
    }
}

/* Plays until it ends, waits for words that nobody wrote, or for a call. */
static void proceed(struct rehearsal *r)
{
    r->inside = true;
    while (!r->over && r->reason == NULL && (!r->calling || r->called)) {
        enum flow_stop stop;
        if (r->calling) {
            r->calling = false;
            stop = flow_resolve(&r->run, r->call_ok, r->saved, r->call_why);
        } else {
            stop = flow_go(&r->run);
        }
        if (stop != FLOW_GOES_ON) {
            take_stop(r, stop);
        }
    }
    r->inside = false;
    if (r->over || r->reason != NULL) {
        finish(r);
    }
}

/* What {{names}} mean in a test run. New reference. */
static json_t *scope_of(void)
{
    return json_pack("{s:{s:s, s:s, s:s, s:s}, s:{s:s, s:s}, s:{s:s, s:s}, s:{s:s, s:s}}", "contact", "id",
                     "con_test", "name", "Test", "phone", "+15550100000", "email", "test@example.com",
                     "message", "text", "", "type", "text", "now", "date", "2026-01-05", "time", "12:00",
                     "conversation", "id", "cnv_test", "channel", "test");
}

void flow_rehearse(struct httpc *http, struct store *store, const char *part, const json_t *flow,
                   const json_t *messages, bool live, void (*done)(json_t *result, void *arg), void *arg)
{
    struct rehearsal *r = xcalloc(1, sizeof *r);

    r->http = http;
    r->store = store;
    r->arena = arena_new(ARENA_MAX);
    r->part = arena_strdup(r->arena, part);
    r->live = live && http != NULL;
    r->done = done;
    r->arg = arg;
    r->definition = json_deep_copy(flow);
    r->messages = json_deep_copy(messages);
    r->state = flow_begin(jx_str_or(flow, "id", ""), jx_int(flow, "version", 0), flow, clock_wall_ms());
    r->transcript = json_array();
    r->run = (struct flow_run){.arena = r->arena,
                               .definition = r->definition,
                               .state = r->state,
                               .scope = scope_of(),
                               .said = json_array(),
                               .trace = json_array(),
                               .tags = json_array(),
                               .fields = json_object(),
                               .input = {.text = "", .type = "text"},
                               .act = act,
                               .arg = r};
    json_t *owned[] = {r->definition, r->messages,  r->state,    r->transcript, r->run.scope,
                       r->run.said,   r->run.trace, r->run.tags, r->run.fields};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        arena_defer(r->arena, jx_decref, owned[i]);
    }
    (void)next_input(r);
    proceed(r);
}
