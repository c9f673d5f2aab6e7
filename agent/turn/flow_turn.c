/* flow_turn.c: carries flows out in a turn: STEP_FLOW and, behind a knowledge answer, STEP_FLOW_ON.
 *
 * What a flow says, sets and changes goes into the turn's one change-set; its state is part of the
 * conversation's record, under the turn's guard. Only an API call happens before the commit, so a crash or a
 * conflict may make it again: every call carries an Idempotency-Key that is the same each time (the first
 * unanswered message, the step, the number of the call in the turn). */
#include "agent/turn/flow_turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/turn/flow_act.h"
#include "agent/flow/flow.h"
#include "agent/flow/flow_jobs.h"
#include "agent/common/phrases.h"
#include "agent/turn/rules.h"
#include "agent/tool/api_call.h"
#include "agent/common/words.h"
#include "channels/channel.h"
#include "channels/contact.h"
#include "channels/conversation.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/log.h"
#include "queue/base/zone.h"

#define EXIT_TEXT "Okay, I've stopped that. What else can I do for you?"

struct flow_turn {
    struct turn *turn;
    struct flow_run run;
    const json_t *definition;
    bool begun;       /* by this turn */
    bool joined;      /* one message is all that the caller sees */
    struct buf texts; /* what was said so far, where it is joined */
    unsigned calls;
    struct api_call *call;
    bool calling, called; /* a call is under way; it has ended */
    bool call_ok;
    json_t *saved;
    const char *call_why;
    bool answering, answered; /* the turn looks for an answer; it did */
    bool over;                /* nothing more to do in this turn */
};

/* ---- what the turn knows ---- */

/* The id of the button a message pressed, NULL: none. */
static const char *button_of(const json_t *message)
{
    const json_t *content = jx_obj(message, "content");
    const char *id = jx_str(jx_obj(content, "button_reply"), "id");

    id = id != NULL ? id : jx_str(jx_obj(content, "list_reply"), "id");
    return id != NULL ? id : jx_str(content, "payload");
}

/* What the customer said, all of the burst. */
static void read_input(struct turn *turn, struct flow_input *input)
{
    json_t *texts = json_array(), *message;
    size_t i;

    arena_defer(turn->arena, jx_decref, texts);
    *input = (struct flow_input){.texts = texts, .text = turn->question, .type = "text"};
    json_array_foreach (turn->burst, i, message) {
        const char *type = jx_str_or(message, "type", "text");
        if (jx_str_or(message, "text", "")[0] != '\0') {
            jx_push(texts, json_string(jx_str(message, "text")));
        }
        input->button = button_of(message) != NULL ? button_of(message) : input->button;
        input->type = type;
        if (rule_media(type) == MEDIA_PERSON) {
            json_t *media = json_object();
            arena_defer(turn->arena, jx_decref, media);
            jx_set_str(media, "type", type);
            jx_set_str(media, "message_id", jx_str(message, "id"));
            jx_set_str(media, "file_id", jx_str(jx_obj(message, "content"), "file_id"));
            input->media = media;
        }
    }
}

/* The zone in which the business lives. */
static const char *zone_of(const json_t *agent)
{
    static const char *const sections[] = {"hours", "appointments"};

    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        const char *zone = jx_str(jx_obj(jx_obj(agent, "settings"), sections[i]), "time_zone");
        if (zone != NULL && zone_known(zone)) {
            return zone;
        }
    }
    return "UTC";
}

/* The moment as a flow may speak of it. New reference. */
static json_t *now_of(const json_t *agent)
{
    struct zone_time local;
    char date[24], clock[16];
    json_t *now = json_object();

    zone_local(zone_of(agent), clock_wall_ms(), &local);
    snprintf(date, sizeof date, "%04d-%02d-%02d", local.year % 10000, local.month % 100, local.day % 100);
    snprintf(clock, sizeof clock, "%02d:%02d", local.hour % 100, local.minute % 100);
    jx_set_str(now, "date", date);
    jx_set_str(now, "time", clock);
    return now;
}

/* Puts a copy of what may be missing. */
static void put_part(json_t *scope, const char *name, const json_t *value)
{
    jx_set(scope, name, value != NULL ? json_deep_copy(value) : json_object());
}

/* What {{names}} mean in this turn: of the arena. */
static json_t *scope_of(struct turn *turn, struct snapshot *snap, const json_t *vars,
                        const struct flow_input *input)
{
    json_t *scope = json_copy((json_t *)vars), *record = NULL, *part = json_object();

    scope = scope != NULL ? scope : json_object();
    arena_defer(turn->arena, jx_decref, scope);
    if (snapshot_get(snap, KIND_CONTACT, turn->part, jx_str_or(turn->conversation, "contact_id", ""), &record,
                     NULL) == ERR_OK) {
        jx_set_str(part, "id", jx_str(record, "id"));
        jx_set_str(part, "name", jx_str_or(record, "name", ""));
        jx_set_str(part, "phone", contact_identity(record, "phone"));
        jx_set_str(part, "email", contact_identity(record, "email"));
        put_part(part, "metadata", jx_obj(record, "metadata"));
        json_decref(record);
    }
    jx_set(scope, "contact", part);
    jx_set(scope, "message",
           json_pack("{s:s, s:s, s:s*}", "text", input->text, "type", input->type, "button", input->button));
    part = json_object();
    jx_set_str(part, "id", turn->conversation_id);
    jx_set_str(part, "channel", jx_str(turn->conversation, "channel"));
    put_part(part, "tags", jx_arr(turn->conversation, "tags"));
    put_part(part, "custom_fields", jx_obj(turn->conversation, "custom_fields"));
    jx_set(scope, "conversation", part);
    jx_set(scope, "agent",
           json_pack("{s:s, s:s}", "id", jx_str_or(turn->agent, "id", ""), "name",
                     jx_str_or(turn->agent, "name", "")));
    jx_set(scope, "now", now_of(turn->agent));
    return scope;
}

/* ---- opening ---- */

/* The object or array of the conversation, made if it is missing. */
static json_t *conversation_part(struct turn *turn, const char *name, bool list)
{
    json_t *value = list ? jx_arr(turn->conversation, name) : jx_obj(turn->conversation, name);

    if (value == NULL) {
        jx_set(turn->conversation, name, list ? json_array() : json_object());
        value = json_object_get(turn->conversation, name);
    }
    return value;
}

static void flow_fini(void *arg)
{
    struct flow_turn *f = arg;

    buf_fini(&f->texts);
    json_decref(f->saved);
}

/* A flow that runs in this turn; state is the conversation's already. */
static void attach(struct turn *turn, struct snapshot *snap, json_t *definition,
                   const struct flow_input *input, bool begun)
{
    struct flow_turn *f = arena_alloc(turn->arena, sizeof *f);
    json_t *state = json_incref(jx_obj(turn->conversation, "flow"));
    const struct channel_ops *ops = channel_ops(jx_str_or(turn->conversation, "channel", ""));

    f->turn = turn;
    f->definition = definition;
    f->begun = begun;
    f->joined = ops != NULL && ops->content_check == NULL && jx_str(turn->conversation, "thread") != NULL;
    buf_init(&f->texts, 1 << 17);
    arena_defer(turn->arena, flow_fini, f);
    arena_defer(turn->arena, jx_decref, state);
    f->run = (struct flow_run){
        .arena = turn->arena,
        .definition = definition,
        .state = state,
        .scope = scope_of(turn, snap, jx_obj(state, "vars"), input),
        .said = json_array(),
        .trace = json_array(),
        .tags = conversation_part(turn, "tags", true),
        .fields = conversation_part(turn, "custom_fields", false),
        .input = *input,
        .has_input = !begun && turn->wake == NULL,
        .act = flow_act,
        .arg = turn,
    };
    arena_defer(turn->arena, jx_decref, f->run.said);
    arena_defer(turn->arena, jx_decref, f->run.trace);
    if (turn->wake == NULL) {
        jx_set_time(state, "touched", clock_wall_ms());
    }
    turn->flow = f;
}

/* Begins a version in this conversation. False: it is not there. */
static bool begin(struct turn *turn, struct snapshot *snap, const char *id, int64_t version,
                  const struct flow_input *input, const json_t *vars)
{
    json_t *definition = NULL;

    if (flow_version(snap, turn->part, id, version, &definition) != ERR_OK) {
        return false;
    }
    arena_defer(turn->arena, jx_decref, definition);
    json_t *state = flow_begin(id, version, definition, clock_wall_ms());
    if (vars != NULL) {
        json_object_update(jx_obj(state, "vars"), (json_t *)vars);
    }
    jx_set(turn->conversation, "flow", state);
    attach(turn, snap, definition, input, true);
    return true;
}

/* Whether the customer wants out: the flow's own words, or what people say. */
static bool wants_out(const struct turn *turn, const json_t *definition)
{
    const json_t *words = jx_arr(definition, "exit_words");

    if (phrase_of(turn->folded, NULL) == PHRASE_EXIT) {
        return true;
    }
    for (size_t i = 0; i < json_array_size(words); i++) {
        char *word = words_fold(json_string_value(json_array_get(words, i)));
        bool same = word[0] != '\0' && strcmp(word, turn->folded) == 0;
        free(word);
        if (same) {
            return true;
        }
    }
    return false;
}

/* The flow is over for this conversation. */
static void drop(struct turn *turn, const char *why)
{
    const json_t *state = jx_obj(turn->conversation, "flow");

    log_info("flow.over", "turn=%s conversation=%s flow=%s version=%lld why=%s", turn->id.text,
             turn->conversation_id, jx_str_or(state, "id", ""), (long long)jx_int(state, "version", 0), why);
    json_object_del(turn->conversation, "flow");
}

/* Goes on with the flow the conversation is in. False: it is in none, or that one does not take this message.
 */
static bool go_on(struct turn *turn, struct snapshot *snap, const struct flow_input *input)
{
    json_t *definition = NULL, *state = jx_obj(turn->conversation, "flow");

    if (state == NULL) {
        return false;
    }
    enum err rc =
        flow_version(snap, turn->part, jx_str_or(state, "id", ""), jx_int(state, "version", 0), &definition);
    if (rc != ERR_OK) {
        drop(turn, "deleted");
        return false;
    }
    arena_defer(turn->arena, jx_decref, definition);
    if (flow_expired(state, definition, clock_wall_ms())) {
        drop(turn, "timeout");
        return false;
    }
    if (input->button == NULL && wants_out(turn, definition)) {
        drop(turn, "exit_word");
        turn_reply(turn, jx_str_or(definition, "exit_text", EXIT_TEXT), "flow");
        turn->why = "flow_exit";
        return true;
    }
    bool asleep = jx_str(state, "token") != NULL;
    bool blank = turn->question[strspn(turn->question, " \t\r\n")] == '\0';
    bool deaf = blank && input->button == NULL && !flow_turn_wants_media(turn);
    if (asleep || deaf) {
        return false;
    }
    attach(turn, snap, definition, input, false);
    return true;
}

/* Whether nobody wrote or was written to here before, and there is no other conversation of this contact. */
static bool is_first_contact(struct turn *turn, struct snapshot *snap)
{
    struct store_page page = {0};
    struct page_query query = {.kind = KIND_CONVERSATION,
                               .part = turn->part,
                               .index = INDEX_CONVERSATION_CONTACT,
                               .match = {jx_str_or(turn->conversation, "channel_id", ""),
                                         jx_str_or(turn->conversation, "contact_id", "")},
                               .limit = 2};

    if (json_array_size(turn->history) != json_array_size(turn->burst) ||
        snapshot_page(snap, &query, &page) != ERR_OK) {
        return false;
    }
    bool alone = page.count < 2;
    store_page_free(&page);
    return alone;
}

/* A woken flow, or one that an event or a schedule begins. */
static void open_woken(struct turn *turn, struct snapshot *snap, const struct flow_input *input)
{
    json_t *definition = NULL, *state = jx_obj(turn->conversation, "flow");
    const char *token = jx_str(turn->wake, "token"), *id = jx_str_or(turn->wake, "id", "");

    if (token == NULL && state == NULL) {
        (void)begin(turn, snap, id, jx_int(turn->wake, "version", 0), input, jx_obj(turn->wake, "vars"));
        return;
    }
    if (token == NULL || state == NULL || strcmp(jx_str_or(state, "token", ""), token) != 0 ||
        flow_version(snap, turn->part, id, jx_int(state, "version", 0), &definition) != ERR_OK) {
        return;
    }
    arena_defer(turn->arena, jx_decref, definition);
    attach(turn, snap, definition, input, false);
    (void)flow_resolve(&turn->flow->run, true, NULL, NULL);
}

/* Finds the flow of this turn, if there is one. */
static void open_flow(struct turn *turn, struct snapshot *snap)
{
    struct flow_input input;
    json_t *rows = flow_triggers(snap, turn->part, jx_str_or(turn->agent, "id", ""));
    const json_t *row = NULL, *state = jx_obj(turn->conversation, "flow");

    arena_defer(turn->arena, jx_decref, rows);
    read_input(turn, &input);
    if (turn->wake != NULL) {
        open_woken(turn, snap, &input);
        return;
    }
    if (state == NULL && json_array_size(rows) == 0) {
        return;
    }
    if (state != NULL && go_on(turn, snap, &input)) {
        /* a button of another flow says that this is wanted now, if the one under way does not know it */
        bool ours =
            turn->flow == NULL || input.button == NULL || flow_knows_button(&turn->flow->run, input.button);
        row = ours ? NULL
                   : flow_triggered(rows, &(struct flow_input){.button = input.button, .text = ""}, false);
        if (row == NULL) {
            return;
        }
        turn->flow = NULL;
    } else {
        row = flow_triggered(rows, &input, is_first_contact(turn, snap));
        row = jx_obj(turn->conversation, "flow") != NULL && input.button == NULL ? NULL
                                                                                 : row; /* one asleep stays */
    }
    if (row != NULL) {
        (void)begin(turn, snap, jx_str_or(row, "id", ""), jx_int(row, "version", 0), &input, NULL);
    }
}

bool flow_turn_wants_media(const struct turn *turn)
{
    return jx_bool(jx_obj(turn->conversation, "flow"), "asked", false) &&
           jx_bool(jx_obj(turn->conversation, "flow"), "media", false);
}

/* ---- what is said ---- */

/* One saying as the channel can show it. */
static void say_one(struct flow_turn *f, const json_t *said)
{
    struct turn *turn = f->turn;
    const char *type = arena_strdup(turn->arena, jx_str_or(said, "type", "text")), *field = NULL;
    const char *text = arena_strdup(turn->arena, jx_str_or(said, "text", ""));
    const char *channel = jx_str_or(turn->conversation, "channel", "");
    json_t *content = json_incref(json_object_get(said, "content"));
    struct buf why;

    arena_defer(turn->arena, jx_decref, content);

    if (strcmp(type, "options") == 0) {
        json_t *shown = flow_options_content(said);
        char *plain = flow_options_text(said);
        arena_defer(turn->arena, jx_decref, shown);
        buf_init(&why, 500);
        bool fits = channel_check_message(channel, "interactive", text, shown, &field, &why) == ERR_OK;
        buf_fini(&why);
        type = fits ? "interactive" : "text";
        text = fits ? text : arena_strdup(turn->arena, plain);
        content = fits ? shown : NULL;
        free(plain);
    }
    if (f->joined) {
        buf_addf(&f->texts, "%s%s", f->texts.len > 0 ? "\n\n" : "", text);
    } else {
        turn_say(turn, type, text, content, "flow");
    }
}

static void say_all(struct flow_turn *f)
{
    size_t i;
    json_t *said;

    json_array_foreach (f->run.said, i, said) {
        say_one(f, said);
    }
    json_array_clear(f->run.said);
}

/* Makes of all that was said the turn's action. */
static void settle(struct flow_turn *f)
{
    struct turn *turn = f->turn;

    f->over = true;
    say_all(f);
    if (f->joined && f->answered && turn->action == ACTION_REPLY) {
        if (f->texts.len > 0) {
            turn->text = arena_strdup(turn->arena, buf_str(&f->texts));
        }
    } else if (f->joined && f->texts.len > 0) {
        turn_reply(turn, arena_strdup(turn->arena, buf_str(&f->texts)), "flow");
    } else if (turn->action == ACTION_NONE && turn->sayings != NULL) {
        turn_reply(turn, NULL, "flow");
    }
    if (turn->action == ACTION_NONE &&
        (!f->begun || jx_obj(turn->conversation, "flow") != NULL || turn->wake != NULL)) {
        turn_silence(turn, "flow", false);
    }
    turn->why = turn->why != NULL ? turn->why : "flow";
}

/* ---- API calls ---- */

/* The same for every repetition of this call. */
static void idempotency_key(const struct flow_turn *f, const json_t *step, char out[65])
{
    const struct turn *turn = f->turn;
    const char *first = jx_str(json_array_get(turn->burst, 0), "id");
    char *wake = jx_text(turn->wake != NULL ? turn->wake : json_null());
    char *text =
        xasprintf("%s|%s|%s|%s|%s|%lld|%s|%u", turn->part, turn->conversation_id, first != NULL ? first : "",
                  wake, jx_str_or(f->run.state, "id", ""), (long long)jx_int(f->run.state, "version", 0),
                  jx_str_or(step, "id", ""), f->calls);

    sha256_hex(text, strlen(text), out);
    free(text);
    free(wake);
}

/* The step's request with the key, unless the flow sets its own. Of the arena. */
static json_t *spec_of(struct flow_turn *f, const json_t *step)
{
    char key[65];
    const char *name;
    json_t *value, *spec = json_deep_copy(step), *headers = jx_obj(spec, "headers");
    bool own = false;

    arena_defer(f->turn->arena, jx_decref, spec);
    json_object_foreach (headers, name, value) {
        own = own || strcasecmp(name, "Idempotency-Key") == 0;
    }
    if (headers == NULL) {
        headers = json_object();
        jx_set(spec, "headers", headers);
    }
    if (!own) {
        idempotency_key(f, step, key);
        key[40] = '\0';
        jx_set_str(headers, "Idempotency-Key", key);
    }
    return spec;
}

/* One line of the trace: never a URL, a value or a text. */
static void note_call(struct flow_turn *f, const struct api_call_result *result)
{
    json_t *line = json_array_get(f->run.trace, json_array_size(f->run.trace) - 1);

    jx_set_int(line, "status", result->status);
    jx_set_int(line, "took_ms", result->took_ms);
    jx_set_bool(line, "ok", result->ok);
    if (result->why != NULL) {
        jx_set_str(line, "why", result->why);
    }
}

static void take_call(const struct api_call_result *result, void *arg)
{
    struct flow_turn *f = arg;

    f->call = NULL;
    f->called = true;
    f->call_ok = result->ok;
    json_decref(f->saved);
    f->saved = result->ok ? json_incref((json_t *)result->saved) : NULL;
    f->call_why = result->why != NULL ? arena_strdup(f->turn->arena, result->why) : NULL;
    jx_set_int(f->run.scope, "status", result->status);
    note_call(f, result);
    if (!f->turn->running) {
        turn_resume(f->turn);
    }
}

/* Begins the call of the current step. */
static enum flow_stop call(struct flow_turn *f)
{
    const json_t *step = flow_here(&f->run);

    if (f->calls++ >= FLOW_CALLS_MAX) {
        return flow_resolve(&f->run, false, NULL, "too many calls in one turn");
    }
    f->calling = true;
    f->called = false;
    f->call = api_call_start(job_http(f->turn->job), job_store(f->turn->job), f->turn->part, spec_of(f, step),
                             f->run.scope, take_call, f);
    return FLOW_CALLS;
}

/* ---- carrying out ---- */

/* Free text may not leave, and there is something that is no template. */
static bool is_shut(struct flow_turn *f)
{
    struct turn *turn = f->turn;
    struct snapshot *snap;
    bool templates = true;

    for (const struct turn_saying *say = turn->sayings; say != NULL; say = say->next) {
        templates = templates && strcmp(say->type, "template") == 0;
    }
    if (templates || conversation_window_open(turn->conversation, clock_wall_ms()) ||
        snapshot_open(job_store(turn->job), &snap) != ERR_OK) {
        return false;
    }
    bool fallback = conversation_has_fallback(snap, turn->part, turn->conversation);
    snapshot_close(snap);
    return !fallback;
}

/* A turn_effect_fn: the job that wakes the flow. */
static bool sleep_effect(struct turn *turn, struct changes *cs, struct snapshot *snap, void *arg)
{
    const json_t *step = arg;

    (void)snap;
    flow_sleep(cs, turn->part, turn->conversation_id, jx_obj(turn->conversation, "flow"),
               jx_int(step, "seconds", 0) * 1000);
    return true;
}

/* What was said goes out before the word of a handoff. */
static void say_before(struct flow_turn *f)
{
    say_all(f);
    if (f->joined && f->texts.len > 0) {
        turn_say(f->turn, "text", arena_strdup(f->turn->arena, buf_str(&f->texts)), NULL, "flow");
    }
}

/* To a person: the flow is over. */
static void hand_off(struct flow_turn *f, const char *why)
{
    struct turn *turn = f->turn;

    say_before(f);
    turn->announce = f->run.announce;
    turn->note = f->run.note;
    f->over = true;
    drop(turn, why);
    turn_hand_off(turn, HANDOFF_FLOW, why);
}

/* What a stop means for the turn. */
static void take_stop(struct flow_turn *f, enum flow_stop stop)
{
    struct turn *turn = f->turn;
    const json_t *step = flow_here(&f->run);

    switch (stop) {
    case FLOW_GOES_ON:
    case FLOW_CALLS:
        return;
    case FLOW_ANSWERS:
        if (f->answered || turn->wake != NULL) {
            take_stop(f, flow_resolve(&f->run, false, NULL, "one answer in a turn"));
            return;
        }
        f->answering = true;
        if (jx_str(step, "question") != NULL) {
            turn->question = flow_text(&f->run, jx_str(step, "question"));
        }
        return;
    case FLOW_SLEEPS:
        turn_effect(turn, sleep_effect, (json_t *)step);
        settle(f);
        return;
    case FLOW_HANDS_OFF:
        hand_off(f, f->run.why != NULL ? f->run.why : "step");
        return;
    case FLOW_LOOPS:
        hand_off(f, "loop");
        return;
    case FLOW_ENDS:
        drop(turn, "end");
        settle(f);
        return;
    case FLOW_ASKS:
        jx_set_bool(f->run.state, "media",
                    strcmp(jx_str_or(jx_obj(step, "validation"), "type", ""), "media") == 0);
        settle(f);
        return;
    }
}

/* Runs the flow until the turn has to wait, look for an answer, or is settled. */
static enum turn_outcome carry(struct flow_turn *f)
{
    while (!f->over && !f->answering) {
        enum flow_stop stop = FLOW_GOES_ON;
        if (f->calling && !f->called) {
            return TURN_WAIT;
        }
        if (f->calling) {
            f->calling = false;
            stop = flow_resolve(&f->run, f->call_ok, f->saved, f->call_why);
        } else {
            stop = flow_go(&f->run);
        }
        stop = stop == FLOW_CALLS ? call(f) : stop;
        if (stop != FLOW_CALLS) {
            take_stop(f, stop);
        }
    }
    if (f->over && f->turn->wake != NULL && is_shut(f)) {
        f->turn->sayings = NULL;
        json_object_del(f->turn->conversation, "flow");
        turn_silence(f->turn, "window_closed", false);
    }
    return TURN_MORE;
}

enum turn_outcome turn_flow(struct turn *turn)
{
    struct snapshot *snap;

    if (turn->flow == NULL) {
        if (snapshot_open(job_store(turn->job), &snap) != ERR_OK) {
            turn->why = "store";
            return TURN_FAIL;
        }
        open_flow(turn, snap);
        snapshot_close(snap);
    }
    enum turn_outcome outcome =
        turn->flow != NULL && turn->action == ACTION_NONE ? carry(turn->flow) : TURN_MORE;
    if (outcome == TURN_MORE && turn->wake != NULL && turn->action == ACTION_NONE) {
        turn_silence(turn, "flow_gone", true);
    }
    return outcome;
}

/* The knowledge's answer takes its place among what was said. */
static void place_answer(struct flow_turn *f)
{
    struct turn *turn = f->turn;

    say_all(f);
    if (f->joined) {
        buf_addf(&f->texts, "%s%s", f->texts.len > 0 ? "\n\n" : "", turn->text);
        return;
    }
    turn_say_cited(turn, turn->text, turn->source, turn->citations, turn->confidence);
    turn->text = NULL;
}

enum turn_outcome turn_flow_on(struct turn *turn)
{
    struct flow_turn *f = turn->flow;

    if (f == NULL || (!f->answering && !f->answered) || f->over) {
        return TURN_MORE;
    }
    if (f->answering) {
        const json_t *step = flow_here(&f->run);
        bool spoken = turn->action == ACTION_REPLY && turn->text != NULL;
        bool fell_back = spoken && strcmp(turn->source, "fallback") == 0,
             other = jx_str(step, "on_error") != NULL;
        bool found = spoken && (!fell_back || !other);
        f->answering = false;
        f->answered = true;
        if (!spoken && !other) { /* the agent's own fallback has called a person */
            say_before(f);
            f->over = true;
            drop(turn, "no_answer");
            return TURN_MORE;
        }
        if (found) {
            place_answer(f);
        } else {
            turn->action = ACTION_NONE;
            turn->fallback = NULL;
            turn->text = NULL;
        }
        (void)flow_resolve(&f->run, found, NULL, "no answer");
    }
    enum turn_outcome outcome = carry(f);
    return outcome;
}

json_t *flow_turn_trace(const struct turn *turn)
{
    json_t *trace;

    if (turn->flow == NULL) {
        return NULL;
    }
    trace = json_object();
    jx_set_str(trace, "id", jx_str(turn->flow->run.state, "id"));
    jx_set_int(trace, "version", jx_int(turn->flow->run.state, "version", 0));
    jx_set(trace, "steps", json_incref(turn->flow->run.trace));
    return trace;
}
