/* turn.c: the driver of a turn.
 *
 * Life: a QUEUE_TURN job is leased, a turn is made for it, its steps run in the order of TURN_STEPS until the
 * commit's change-set, which ends the job, was taken; then the turn is gone. Invariants: exactly one
 * job_finish is under way at any time; a turn that waits has exactly one thing that will resume it (a
 * generation, a timer, a commit); what a run read dies with the run's arena, so that a RETRY cannot decide on
 * old facts. A crash at any point leaves the job leased by nobody: it is handed out again and gather reads
 * what is true then. Nothing a step does before the commit has an effect outside, except the cost of a
 * generation. To add a step: a row of TURN_STEPS, a function of that name in a file of its own. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "agent/turn/turn.h"

#include "queue/base/clock.h"
#include "queue/base/log.h"

#define TURN_MAGIC 0x7475726eu
#define ARENA_MAX  (64u << 20)
#define DRAFT_MAX  (MODEL_TEXT_MAX + 1024)

static const struct {
    enum turn_outcome (*fn)(struct turn *turn);
    bool always;
    const char *name;
} steps[] = {
#define X(symbol, fn, always, name, text) {fn, always, name},
    TURN_STEPS(X)
#undef X
};

static const struct handoff_row reasons[] = {
#define X(symbol, name, note, announce) {name, note, announce},
    HANDOFF_REASONS(X)
#undef X
};

const char *turn_step_name(enum turn_step step)
{
    CHECK(step < STEP_COUNT);
    return steps[step].name;
}

const struct handoff_row *handoff_reason_row(enum handoff_reason reason)
{
    CHECK((size_t)reason < sizeof reasons / sizeof *reasons);
    return &reasons[reason];
}

/* Forgets all that this run read and decided. */
static void run_end(struct turn *turn)
{
    CHECK(turn->gen.call == NULL && turn->gen.timer == NULL && turn->gen.watch == NULL);
    if (turn->arena != NULL) {
        buf_fini(&turn->gen.text);
        arena_free(turn->arena);
    }
    turn->arena = NULL;
}

/* A clean sheet: everything from arena on is of the run, but for the attempts. */
static void run_begin(struct turn *turn)
{
    size_t head = offsetof(struct turn, arena);
    json_t *attempts = turn->attempts;

    run_end(turn);
    memset((char *)turn + head, 0, sizeof *turn - head);
    turn->attempts = attempts;
    turn->arena = arena_new(ARENA_MAX);
    buf_init(&turn->gen.text, DRAFT_MAX);
    turn->confidence = -1;
    turn->step = STEP_GATHER;
    turn->runs++;
}

static void turn_free(struct turn *turn)
{
    if (turn->job != NULL) { /* NULL: it was put back */
        job_on_cut(turn->job, NULL, NULL);
    }
    run_end(turn);
    json_decref(turn->attempts);
    json_decref(turn->tool_trace);
    json_decref(turn->tool_memo);
    turn->magic = 0;
    free(turn);
}

/* The workers stopped while the turn waited; the job is handed out again after the next start. */
static void turn_cut(void *arg)
{
    struct turn *turn = arg;

    CHECK(turn->magic == TURN_MAGIC);
    turn->gen.timer = NULL; /* the loop has dropped it */
    turn->gen.watch = NULL;
    turn->gen.call = NULL;
    turn_free(turn);
}

/* Ends the job as a failed attempt; the queue tries again or buries it. */
static void turn_fail(struct turn *turn)
{
    struct changes *cs = changes_new();
    const char *why = turn->why != NULL ? turn->why : "failed";

    log_warn("turn.failed", "turn=%s conversation=%s step=%s why=%s", turn->id.text, turn->conversation_id,
             steps[turn->step].name, log_quote(why));
    turn_news(turn, AGENT_FAILED, why, NULL, true);
    changes_fail(cs, turn->job, why);
    job_finish(turn->job, cs, NULL, NULL);
    turn_free(turn);
}

/* Runs the current step and counts its time. */
static enum turn_outcome step_run(struct turn *turn)
{
    enum turn_step step = turn->step;
    enum turn_outcome outcome = TURN_MORE;

    CHECK(turn->magic == TURN_MAGIC && step < STEP_COUNT && turn->arena != NULL);
    if (turn->entered_us == 0) {
        turn->entered_us = clock_mono_us();
    }
    if (steps[step].always || turn->action == ACTION_NONE) {
        outcome = steps[step].fn(turn);
    }
    if (outcome != TURN_WAIT) {
        turn->step_us[step] += clock_mono_us() - turn->entered_us;
        turn->entered_us = 0;
    }
    return outcome;
}

/* Steps on until the turn waits or is over. */
static void drive(struct turn *turn)
{
    enum turn_outcome outcome = TURN_MORE;

    CHECK(!turn->running);
    turn->running = true;
    while (outcome == TURN_MORE || outcome == TURN_RETRY) {
        outcome = step_run(turn);
        if (outcome == TURN_MORE) {
            turn->step++;
        } else if (outcome == TURN_RETRY) {
            run_begin(turn);
        }
    }
    turn->running = false;
    if (outcome == TURN_DONE) {
        turn_free(turn);
    } else if (outcome == TURN_FAIL) {
        turn_fail(turn);
    }
}

void turn_resume(struct turn *turn)
{
    CHECK(turn->magic == TURN_MAGIC);
    drive(turn);
}

/* The handler of QUEUE_TURN. */
static void turn_run(struct job *job, void *arg)
{
    struct turn *turn = xcalloc(1, sizeof *turn);

    turn->magic = TURN_MAGIC;
    turn->job = job;
    turn->kb = arg;
    turn->part = job_partition(job);
    turn->conversation_id = jx_str_or(job_payload(job), "conversation_id", "");
    turn->id = id_new("trn");
    turn->begun_mono_ms = clock_mono_ms();
    turn->attempts = json_array();
    turn->tool_trace = json_array();
    turn->tool_memo = json_object();
    job_on_cut(job, turn_cut, turn);
    run_begin(turn);
    drive(turn);
}

void turn_register(struct workers *workers, struct kb *kb)
{
    workers_handle(workers, QUEUE_TURN, turn_run, kb);
}

void turn_silence(struct turn *turn, const char *why, bool unanswered)
{
    turn->action = ACTION_SILENT;
    turn->why = why;
    turn->unanswered = unanswered;
}

void turn_hand_off(struct turn *turn, enum handoff_reason reason, const char *why)
{
    turn->action = ACTION_HANDOFF;
    turn->reason = reason;
    turn->why = why;
}

void turn_reply(struct turn *turn, const char *text, const char *source)
{
    turn->action = ACTION_REPLY;
    turn->text = text;
    turn->source = source;
}

void turn_effect(struct turn *turn, turn_effect_fn fn, void *arg)
{
    struct turn_effect *effect = arena_alloc(turn->arena, sizeof *effect);
    struct turn_effect **end = &turn->effects;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *effect = (struct turn_effect){.fn = fn, .arg = arg};
    *end = effect;
}

void turn_say(struct turn *turn, const char *type, const char *text, const json_t *content,
              const char *source)
{
    struct turn_saying *saying = arena_alloc(turn->arena, sizeof *saying);
    struct turn_saying **end = &turn->sayings;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *saying = (struct turn_saying){
        .type = type, .text = text, .content = content, .source = source, .confidence = -1};
    *end = saying;
}

void turn_say_cited(struct turn *turn, const char *text, const char *source, const json_t *citations,
                    double confidence)
{
    struct turn_saying *last;

    turn_say(turn, "text", text, NULL, source);
    for (last = turn->sayings; last->next != NULL; last = last->next) {
    }
    last->citations = citations;
    last->confidence = confidence;
}

const json_t *turn_chat(const struct turn *turn)
{
    return jx_obj(jx_obj(turn->agent, "settings"), "chat");
}

const json_t *turn_handoff(const struct turn *turn)
{
    return jx_obj(jx_obj(turn->agent, "settings"), "handoff");
}

double turn_threshold(const struct turn *turn)
{
    return jx_num(turn_chat(turn), "confidence_threshold", 0.5);
}

bool turn_confident(const struct turn *turn)
{
    return turn->found.count > 0 && turn->found.confidence >= turn_threshold(turn);
}

const char *turn_fallback(const struct turn *turn)
{
    return jx_str_or(turn_chat(turn), "fallback_behavior", "ESCALATE");
}

const char *turn_provider(const struct turn *turn)
{
    return jx_str_or(jx_obj(turn->agent, "model"), "provider", "extractive");
}

void turn_news(const struct turn *turn, enum agent_news_kind kind, const char *text, const json_t *message,
               bool final)
{
    struct agent_news news = {.kind = kind,
                              .text = text,
                              .message = message,
                              .answers = turn->newest_id != NULL ? turn->newest_id : "",
                              .final = final};

    agent_watch_publish(turn->part, turn->conversation_id, &news);
}
