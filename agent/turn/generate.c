/* generate.c: lets a generator write a draft; waits and tries again by the class of a failure.
 *
 * At most TURN_RETRIES repetitions after a failure that may pass, one more with less context when the prompt
 * was too long, all within the time of OPT_MODEL_TIME, so that the whole turn stays below 60 s. What an
 * attempt wrote before it failed is thrown away; watchers see a new AGENT_STARTED. Where the agent has a
 * fallback model, that is asked in place of a repetition. An answer that calls tools is a round: the calls
 * are run, and the next attempt sees what came of them. While this goes on the conversation is looked at
 * every WATCH_MS: once a newer message or a person has changed it nothing of this could be committed, so all
 * is given up at once and the turn begins again. */
#include <string.h>

#include "agent/turn/turn.h"

#include "agent/model/breaker.h"
#include "agent/turn/toolbox.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/killpoint.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"

#define BACKOFF_MS   500
#define KEY_MAX      8192
#define TOKENS_LEAST 500  /* fewer than these are not worth an attempt */
#define WATCH_MS     250  /* how often it is looked whether the conversation has changed */
#define WAIT_LONG_MS 2000 /* a server that asks for more is left for the fallback model */

/* True while the draft may still turn out to be the mark for "no answer", which nobody is shown. */
static bool may_be_no_answer(const struct buf *text)
{
    size_t n = text->len < strlen(MODEL_NO_ANSWER) ? text->len : strlen(MODEL_NO_ANSWER);

    return strncmp(buf_str(text), MODEL_NO_ANSWER, n) == 0;
}

/* Gives watchers what the draft has gained. */
static void publish_delta(struct turn *turn)
{
    struct generation *gen = &turn->gen;

    if (gen->published < gen->text.len && !may_be_no_answer(&gen->text)) {
        turn_news(turn, AGENT_DELTA, buf_str(&gen->text) + gen->published, NULL, false);
        gen->published = gen->text.len;
    }
}

/* One line of the trace for an attempt. */
static void note_attempt(struct turn *turn, const struct model_event *end)
{
    json_t *attempt = json_object();
    const struct generation *gen = &turn->gen;

    jx_set_str(attempt, "class", model_class_name(end->class));
    if (gen->on_fallback) {
        jx_set_bool(attempt, "fallback", true);
    }
    jx_set_int(attempt, "took_ms", (clock_mono_us() - gen->attempt_us) / 1000);
    if (gen->first_us > 0) {
        jx_set_int(attempt, "first_text_ms", (gen->first_us - gen->attempt_us) / 1000);
    }
    if (end->status != 0) {
        jx_set_int(attempt, "status", end->status);
    }
    if (end->request_id[0] != '\0') {
        jx_set_str(attempt, "request_id", end->request_id);
    }
    if (end->model[0] != '\0') {
        jx_set_str(attempt, "model", end->model);
    }
    if (end->usage.known) {
        jx_set(attempt, "tokens",
               json_pack("{s:I,s:I,s:I,s:I}", "input", (json_int_t)end->usage.input, "output",
                         (json_int_t)end->usage.output, "cached", (json_int_t)end->usage.cached, "reasoning",
                         (json_int_t)end->usage.reasoning));
    }
    jx_push(turn->attempts, attempt);
}

/* What it cost, and what it says about the server. */
static void note_outcome(struct turn *turn, const struct model_event *end)
{
    const json_t *model = turn_model(turn);
    const char *url = jx_str(model, "base_url"), *name = jx_str(model, "name");

    (void)spend_note(&turn->spent, &end->usage, jx_obj(model, "price"));
    if (url != NULL && name != NULL) {
        breaker_note(url, name, end->class, clock_mono_ms());
    }
}

/* Takes what the generator says; resumes the turn at the end unless it is still inside the step. */
static void take_event(const struct model_event *event, void *arg)
{
    struct turn *turn = arg;
    struct generation *gen = &turn->gen;

    if (event->kind == MODEL_TOOL) {
        if (gen->box != NULL) {
            toolbox_take(gen->box, event->call_id, event->tool, event->arguments);
        }
        return;
    }
    if (event->kind == MODEL_TEXT) {
        if (gen->first_us == 0) {
            gen->first_us = clock_mono_us();
        }
        buf_add(&gen->text, event->text, event->size);
        publish_delta(turn);
        return;
    }
    KILL_POINT("model.after");
    gen->call = NULL;
    gen->class = event->class;
    gen->truncated = event->truncated;
    gen->retry_ms = event->retry_ms;
    gen->state = GEN_ENDED;
    note_attempt(turn, event);
    note_outcome(turn, event);
    if (!turn->running) {
        turn_resume(turn);
    }
}

/* Why this model may not be asked now, MODEL_OK if it may. */
static enum model_class obstacle(struct turn *turn)
{
    const json_t *model = turn_model(turn), *budget = jx_obj(jx_obj(turn->agent, "settings"), "budget");
    const char *url = jx_str(model, "base_url"), *name = jx_str(model, "name");
    struct snapshot *snap;
    bool over = turn_tokens_left(turn) < TOKENS_LEAST;

    if (model_is_local(jx_str_or(model, "provider", "extractive"))) {
        return MODEL_OK;
    }
    if (!over && budget != NULL && snapshot_open(job_store(turn->job), &snap) == ERR_OK) {
        over = spend_over(snap, turn->part, budget, turn->conversation_id, &turn->spent, clock_wall_ms());
        snapshot_close(snap);
    }
    if (over) {
        return MODEL_BUDGET;
    }
    bool allowed = url == NULL || name == NULL || breaker_allows(url, name, clock_mono_ms());
    return allowed ? MODEL_OK : MODEL_UNAVAILABLE;
}

/* Begins an attempt, unless something stands against it: then it has ended. */
static void attempt_start(struct turn *turn)
{
    struct model_config config;
    struct model_request request;
    struct generation *gen = &turn->gen;
    struct buf key;
    enum model_class hindered = obstacle(turn);

    gen->made = true;
    if (hindered != MODEL_OK) {
        gen->class = hindered;
        gen->retry_ms = -1;
        gen->state = GEN_ENDED;
        return;
    }
    buf_init(&key, KEY_MAX);
    buf_reset(&gen->text);
    gen->published = 0;
    gen->first_us = 0;
    gen->attempt_us = clock_mono_us();
    gen->state = GEN_RUNNING;
    if (gen->box != NULL) {
        toolbox_forget(gen->box);
    }
    turn_news(turn, AGENT_STARTED, NULL, NULL, false);
    turn_model_config(turn, &key, &config);
    turn_request(turn, &request);
    KILL_POINT("model.before");
    struct model_call *call =
        model_start(&config, &request, job_http(turn->job), turn->arena, take_event, turn);
    gen->call = gen->state == GEN_RUNNING ? call : NULL;
    if (key.data != NULL) {
        wipe(key.data, key.len);
    }
    buf_fini(&key);
}

static void pause_over(void *arg)
{
    struct turn *turn = arg;

    turn->gen.timer = NULL;
    turn->gen.state = GEN_IDLE;
    turn_resume(turn);
}

/* Waits before the next attempt, as long as the server asks for. False if there is no time for that. */
static bool pause_start(struct turn *turn)
{
    struct generation *gen = &turn->gen;
    int64_t cap = BACKOFF_MS << gen->retries;
    int64_t wait =
        gen->retry_ms >= 0 ? gen->retry_ms : cap / 2 + (int64_t)random_below((uint64_t)cap / 2 + 1);

    if (gen->retries >= TURN_RETRIES || wait + TURN_ATTEMPT_MIN > turn_time_left(turn)) {
        return false;
    }
    gen->retries++;
    gen->state = GEN_PAUSED;
    gen->timer = loop_after(job_loop(turn->job), wait, pause_over, turn);
    return true;
}

/* True if the other model is to be asked now. */
static bool takes_fallback(const struct turn *turn)
{
    const struct generation *gen = &turn->gen;
    bool soon = gen->class == MODEL_RATE_LIMITED && gen->retry_ms >= 0 && gen->retry_ms <= WAIT_LONG_MS &&
                gen->retries < TURN_RETRIES;
    bool ours = gen->class == MODEL_FILTERED || gen->class == MODEL_BUDGET || gen->class == MODEL_CANCELLED ||
                gen->class == MODEL_CONTEXT;

    const json_t *other = jx_obj(jx_obj(turn->agent, "model"), "fallback");
    bool blind = turn->material->image_count > 0 && !jx_bool(other, "vision", false);

    return !gen->on_fallback && !soon && !ours && other != NULL && !blind &&
           turn_time_left(turn) > TURN_ATTEMPT_MIN;
}

/* What an attempt that failed leads to: less context, the other model, another try, or nothing. */
static void failure_judge(struct turn *turn)
{
    struct generation *gen = &turn->gen;
    enum model_act act = model_class_act(gen->class);

    log_warn("model.failed", "turn=%s agent=%s class=%s retries=%u fallback=%d", turn->id.text,
             jx_str_or(turn->agent, "id", ""), model_class_name(gen->class), gen->retries, gen->on_fallback);
    if (act == ACT_SHRINK && gen->shrink == 0 && turn_time_left(turn) > TURN_ATTEMPT_MIN) {
        gen->shrink = 2;
        gen->state = GEN_IDLE;
    } else if (takes_fallback(turn)) {
        gen->on_fallback = true;
        gen->state = GEN_IDLE;
    } else if (act == ACT_RETRY && !model_is_local(turn_provider(turn))) {
        (void)pause_start(turn);
    }
}

/* The calls of a round have their results. */
static void round_over(void *arg)
{
    struct turn *turn = arg;

    if (!turn->running) {
        turn_resume(turn);
    }
}

/* Runs the round's calls, or waits for them; then the model reads what came of them. */
static void round_run(struct turn *turn)
{
    struct generation *gen = &turn->gen;

    gen->state = GEN_TOOLS;
    if (!toolbox_run(gen->box, buf_str(&gen->text), round_over, turn)) {
        return;
    }
    gen->state = GEN_IDLE;
    if (toolbox_person(gen->box) != NULL) {
        gen->state = GEN_OVER;
        turn_hand_off(turn, HANDOFF_ASSISTANT, "tool");
    } else if (turn_time_left(turn) < TURN_ATTEMPT_MIN) {
        gen->class = MODEL_TIMEOUT;
        gen->state = GEN_OVER;
    }
}

/* An attempt ended: a round of tools, again, or that was it. */
static void attempt_judge(struct turn *turn)
{
    struct generation *gen = &turn->gen;

    gen->state = GEN_OVER;
    if (gen->class != MODEL_OK) {
        failure_judge(turn);
    } else if (gen->box != NULL && toolbox_has_calls(gen->box)) {
        round_run(turn);
    } else if (gen->text.len == 0) {
        gen->class = MODEL_EMPTY;
        failure_judge(turn);
    }
}

/* Looks whether the conversation is as gather read it. */
static bool is_stale(const struct turn *turn)
{
    struct snapshot *snap;
    const void *data;
    size_t size;
    uint64_t rev = turn->rev;

    if (snapshot_open(job_store(turn->job), &snap) != ERR_OK) {
        return false;
    }
    enum err rc =
        snapshot_get_bytes(snap, KIND_CONVERSATION, turn->part, turn->conversation_id, &data, &size, &rev);
    snapshot_close(snap);
    return rc == ERR_OK && rev != turn->rev;
}

static void watch_look(void *arg)
{
    struct turn *turn = arg;

    turn->gen.watch = NULL;
    if (turn->gen.state == GEN_TOOLS || !is_stale(turn)) { /* a call that is out is waited for */
        turn->gen.watch = loop_after(job_loop(turn->job), WATCH_MS, watch_look, turn);
        return;
    }
    log_info("turn.given_up", "turn=%s conversation=%s", turn->id.text, turn->conversation_id);
    turn->gen.state = GEN_STALE;
    turn_resume(turn);
}

/* Ends what the generation has under way. */
static void stop(struct turn *turn)
{
    struct generation *gen = &turn->gen;

    model_cancel(gen->call);
    gen->call = NULL;
    loop_cancel(gen->timer);
    loop_cancel(gen->watch);
    gen->timer = gen->watch = NULL;
    toolbox_cancel(gen->box);
}

/* A draft is wanted if the knowledge answers, or the agent is to try anyway, or it is mere small talk, or the
 * customer sent something that only a model can look at, or a tool may help. */
static bool is_wanted(const struct turn *turn)
{
    bool try_anyway = strcmp(turn_fallback(turn), "TRY_ANYWAY") == 0;

    if (model_is_local(turn_provider(turn))) {
        return turn_confident(turn) || (try_anyway && turn->found.count > 0);
    }
    return turn_confident(turn) || try_anyway || turn->small_talk || turn_has_material(turn) ||
           turn->gen.box != NULL;
}

/* Before the first attempt: which tools there are. False if no draft is wanted. */
static bool begin(struct turn *turn)
{
    struct generation *gen = &turn->gen;

    if (!model_is_local(turn_provider(turn))) {
        gen->box = toolbox_open(turn);
    }
    gen->prepared = true;
    if (!is_wanted(turn)) {
        return false;
    }
    if (turn->rev != 0 && turn->runs < TURN_RUNS && !model_is_local(turn_provider(turn))) {
        gen->watch = loop_after(job_loop(turn->job), WATCH_MS, watch_look, turn);
    }
    if (gen->box != NULL && !toolbox_prepare(gen->box, round_over, turn)) {
        gen->state = GEN_LISTS;
    }
    return true;
}

/* Takes the generation as far as it goes now. */
static void step_on(struct turn *turn)
{
    struct generation *gen = &turn->gen;

    if (gen->state == GEN_LISTS && toolbox_prepared(gen->box)) {
        gen->state = GEN_IDLE;
    } else if (gen->state == GEN_TOOLS) {
        round_run(turn);
    }
    while (gen->state == GEN_IDLE || gen->state == GEN_ENDED) {
        if (gen->state == GEN_IDLE) {
            attempt_start(turn);
        } else {
            attempt_judge(turn);
        }
    }
}

enum turn_outcome turn_generate(struct turn *turn)
{
    struct generation *gen = &turn->gen;

    if (!gen->prepared && !begin(turn)) {
        return TURN_MORE;
    }
    if (gen->state == GEN_STALE) {
        stop(turn);
        return TURN_RETRY;
    }
    step_on(turn);
    if (gen->state != GEN_OVER) {
        return TURN_WAIT;
    }
    stop(turn);
    return TURN_MORE;
}
