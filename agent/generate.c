/* generate.c: lets a generator write a draft; waits and tries again by the class of a failure.
 *
 * At most TURN_RETRIES repetitions after a failure that may pass, one more with less context when the prompt
 * was too long, all within the time of OPT_MODEL_TIME, so that the whole turn stays below 60 s. What an
 * attempt wrote before it failed is thrown away; watchers see a new AGENT_STARTED. */
#include <string.h>

#include "agent/turn.h"

#include "agent/profile.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/base/killpoint.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"
#include "queue/base/option.h"

#define BACKOFF_MS     500
#define OUTPUT_TOKENS  600
#define CONTEXT_TOKENS 8000
#define KEY_MAX        8192
#define CANARY_BYTES   9

/* What stands in the system part and must never come back; the same for all turns of an agent. */
static const char *canary_of(struct turn *turn)
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * CANARY_BYTES + 1];
    const char *text =
        arena_printf(turn->arena, "canary %s %s", turn->part, jx_str_or(turn->agent, "id", ""));

    sha256(text, strlen(text), digest);
    hex_encode(digest, CANARY_BYTES, hex);
    return arena_printf(turn->arena, "cq-%s", hex);
}

/* ms left for generating. */
static int64_t time_left(const struct turn *turn)
{
    return turn->begun_mono_ms + option_int(OPT_MODEL_TIME) - clock_mono_ms();
}

void turn_request(struct turn *turn, struct model_request *out)
{
    const json_t *chat = turn_chat(turn);

    if (turn->canary == NULL) {
        turn->canary = canary_of(turn);
    }
    *out = (struct model_request){
        .agent_name = jx_str_or(turn->agent, "name", ""),
        .persona = jx_str_or(turn->agent, "system_prompt", ""),
        .tone = jx_str(chat, "tone"),
        .style = jx_str(chat, "response_style"),
        .cite = strcmp(jx_str_or(chat, "citation_style", "NONE"), "NONE") != 0,
        .canary = turn->canary,
        .history = turn->lines,
        .history_count = turn->line_count,
        .question = turn->question,
        .passages = &turn->found,
        .parts = turn->parts,
        .part_count = turn->part_count,
        .images = turn->material->images,
        .image_count = turn->material->image_count,
        .papers = turn->material->papers,
        .paper_count = turn->material->paper_count,
        .now_ms = clock_wall_ms(),
        .shrink = turn->gen.shrink,
        .time_ms = time_left(turn),
    };
}

/* The configuration of the agent's model; key receives the clear API key. */
static void config_of(const struct turn *turn, struct buf *key, struct model_config *out)
{
    const json_t *model = jx_obj(turn->agent, "model");
    enum err rc = agent_api_key(turn->part, turn->agent, key);

    if (rc != ERR_OK && rc != ERR_NOTFOUND) {
        log_error("model.key_unreadable", "agent=%s error=%s", jx_str_or(turn->agent, "id", ""),
                  err_name(rc));
    }
    *out = (struct model_config){
        .provider = turn_provider(turn),
        .base_url = jx_str(model, "base_url"),
        .name = jx_str(model, "name"),
        .api_key = buf_str(key),
        .pool = turn->part,
        .temperature = jx_num(model, "temperature", -1),
        .max_output_tokens = (unsigned)jx_int(model, "max_output_tokens", OUTPUT_TOKENS),
        .context_tokens = (unsigned)jx_int(model, "context_tokens", CONTEXT_TOKENS),
        .stream = jx_bool(model, "stream", true),
    };
}

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

/* Takes what the generator says; resumes the turn at the end unless it is still inside the step. */
static void take_event(const struct model_event *event, void *arg)
{
    struct turn *turn = arg;
    struct generation *gen = &turn->gen;

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
    if (!turn->running) {
        turn_resume(turn);
    }
}

/* Begins an attempt. */
static void attempt_start(struct turn *turn)
{
    struct model_config config;
    struct model_request request;
    struct generation *gen = &turn->gen;
    struct buf key;

    buf_init(&key, KEY_MAX);
    buf_reset(&gen->text);
    gen->published = 0;
    gen->first_us = 0;
    gen->attempt_us = clock_mono_us();
    gen->state = GEN_RUNNING;
    gen->made = true;
    turn_news(turn, AGENT_STARTED, NULL, NULL, false);
    config_of(turn, &key, &config);
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

    if (gen->retries >= TURN_RETRIES || wait + TURN_ATTEMPT_MIN > time_left(turn)) {
        return false;
    }
    gen->retries++;
    gen->state = GEN_PAUSED;
    gen->timer = loop_after(job_loop(turn->job), wait, pause_over, turn);
    return true;
}

/* An attempt ended: again, or that was it. */
static void attempt_judge(struct turn *turn)
{
    struct generation *gen = &turn->gen;
    enum model_act act = model_class_act(gen->class);

    gen->state = GEN_OVER;
    if (gen->class == MODEL_OK) {
        return;
    }
    log_warn("model.failed", "turn=%s agent=%s class=%s retries=%u", turn->id.text,
             jx_str_or(turn->agent, "id", ""), model_class_name(gen->class), gen->retries);
    if (act == ACT_SHRINK && gen->shrink == 0 && time_left(turn) > TURN_ATTEMPT_MIN) {
        gen->shrink = 2;
        gen->state = GEN_IDLE;
    } else if (act == ACT_RETRY && !model_is_local(turn_provider(turn))) {
        (void)pause_start(turn);
    }
}

/* A draft is wanted if the knowledge answers, or the agent is to try anyway, or it is mere small talk, or the
 * customer sent something that only a model can look at. */
static bool is_wanted(const struct turn *turn)
{
    bool try_anyway = strcmp(turn_fallback(turn), "TRY_ANYWAY") == 0;

    if (model_is_local(turn_provider(turn))) {
        return turn_confident(turn) || (try_anyway && turn->found.count > 0);
    }
    return turn_confident(turn) || try_anyway || turn->small_talk || turn_has_material(turn);
}

enum turn_outcome turn_generate(struct turn *turn)
{
    struct generation *gen = &turn->gen;

    if (gen->state == GEN_IDLE && !gen->made && !is_wanted(turn)) {
        return TURN_MORE;
    }
    while (gen->state == GEN_IDLE || gen->state == GEN_ENDED) {
        if (gen->state == GEN_IDLE) {
            attempt_start(turn);
        } else {
            attempt_judge(turn);
        }
    }
    return gen->state == GEN_OVER ? TURN_MORE : TURN_WAIT;
}
