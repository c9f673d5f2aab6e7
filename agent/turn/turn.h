/* turn.h: the inside of one turn: its steps, what they hand on, how they end. Private to the room.
 *
 * A step does one thing and says how it goes on: MORE the next step, WAIT (turn_resume calls the same step
 * again), RETRY from gather with what is durable now, DONE the job has its end, FAIL a failed attempt of the
 * job. Once an action is settled the steps up to commit are passed over. Thread: the worker's loop that
 * leased the job. */
#ifndef CHASQUI_AGENT_TURN_H
#define CHASQUI_AGENT_TURN_H

#include "agent/model/model.h"
#include "agent/turn/spend.h"
#include "agent/turn/watch.h"
#include "kb/calibration.h"
#include "queue/base/arena.h"
#include "queue/base/id.h"
#include "queue/base/json.h"
#include "queue/jobs.h"

/*   symbol         function       even when settled   what it does */
#define TURN_STEPS(X)                                                                                    \
    X(STEP_GATHER, turn_gather, true, "gather", "reads the conversation and what is unanswered in it")   \
    X(STEP_RULES, turn_rules, false, "rules", "decides what no model may decide")                        \
    X(STEP_FLOW, turn_flow, false, "flow", "follows the flow of the conversation, or begins one")        \
    X(STEP_MANNERS, turn_manners, false, "manners", "small talk, and what cannot be read")               \
    X(STEP_SEARCH, turn_search, false, "search", "looks for passages of the agent's knowledge")          \
    X(STEP_GENERATE, turn_generate, false, "generate", "lets a generator write a draft")                 \
    X(STEP_DECIDE, turn_decide, false, "decide",                                                         \
      "makes of draft and confidence a reply, a fallback or a handoff")                                  \
    X(STEP_FLOW_ON, turn_flow_on, true, "flow_on", "goes on with a flow behind the answer it asked for") \
    X(STEP_NOTE, turn_note, true, "note", "sums up for the person who takes over, or for later turns")   \
    X(STEP_COMMIT, turn_commit, true, "commit", "writes everything that follows in one change-set")

enum turn_step {
#define X(symbol, fn, always, name, text) symbol,
    TURN_STEPS(X)
#undef X
        STEP_COUNT
};

enum turn_outcome { TURN_MORE, TURN_WAIT, TURN_RETRY, TURN_DONE, TURN_FAIL };

enum turn_action { ACTION_NONE, ACTION_REPLY, ACTION_HANDOFF, ACTION_SILENT, ACTION_POSTPONE };

/* Why a conversation goes to a person, with the words for the customer where the agent has none of its own.
 */
#define TURN_ANNOUNCE "I'm passing you to a colleague who will answer here."
#define HANDOFF_REASONS(X)                                                                                 \
    X(HANDOFF_NONE, "", "", "")                                                                            \
    X(HANDOFF_REQUESTED, "requested", "The customer asked for a person.", TURN_ANNOUNCE)                   \
    X(HANDOFF_KEYWORD, "keyword", "The customer used a handoff keyword.", TURN_ANNOUNCE)                   \
    X(HANDOFF_MESSAGE_TYPE, "message_type", "The customer sent something the AI cannot read.",             \
      TURN_ANNOUNCE)                                                                                       \
    X(HANDOFF_LOW_CONFIDENCE, "low_confidence", "The knowledge does not answer the question for certain.", \
      "I don't know that one for certain. I'm passing you to a colleague who will answer here.")           \
    X(HANDOFF_MODEL_FAILURE, "model_failure", "The model server did not give an answer.", TURN_ANNOUNCE)   \
    X(HANDOFF_ASSISTANT, "assistant", "The AI asked for a person.", TURN_ANNOUNCE)                         \
    X(HANDOFF_BUDGET, "budget", "The budget for the AI is used up.", TURN_ANNOUNCE)                        \
    X(HANDOFF_FILTERED, "filtered", "The model's answer was withheld by a filter.", TURN_ANNOUNCE)         \
    X(HANDOFF_FILE, "file", "A file that the customer sent could not be read.", TURN_ANNOUNCE)             \
    X(HANDOFF_FLOW, "flow", "A flow handed the conversation over.", TURN_ANNOUNCE)                         \
    X(HANDOFF_STALE, "stale", "The message waited too long for an automatic answer.", TURN_ANNOUNCE)       \
    X(HANDOFF_RULE, "rule", "A rule of the agent asks for a person.", TURN_ANNOUNCE)                       \
    X(HANDOFF_LOOP, "loop", "Automatic replies stopped: this looks like another machine.", "")

enum handoff_reason {
#define X(symbol, name, note, announce) symbol,
    HANDOFF_REASONS(X)
#undef X
};
struct handoff_row {
    const char *name, *note, *announce;
};
const struct handoff_row *handoff_reason_row(enum handoff_reason reason);

/* How long things may take, in ms. */
#define TURN_ATTEMPT_MIN 1500 /* less time than this is not worth another attempt */
#define TURN_RETRIES     2
#define TURN_BURST_MS    6000 /* the longest a burst is waited for */
#define TURN_RUNS        10   /* conflicts before the job makes room for others */

/* One generation with its attempts (generate.c). */
struct generation {
    enum { GEN_IDLE, GEN_RUNNING, GEN_PAUSED, GEN_ENDED, GEN_LISTS, GEN_TOOLS, GEN_STALE, GEN_OVER } state;
    bool on_fallback;         /* the second model is asked */
    struct toolbox *box;      /* the tools of this run, NULL: none */
    bool prepared;            /* all of them are known */
    struct loop_timer *watch; /* looks whether the conversation has changed */
    struct model_call *call;
    struct loop_timer *timer;
    struct buf text;  /* the draft */
    size_t published; /* bytes of it that watchers have */
    enum model_class class;
    bool made, truncated;
    unsigned retries, shrink;
    int64_t retry_ms, attempt_us, first_us;
};

struct turn;

/* What a step wants written besides the reply: called while the commit's change-set is built, with the
 * snapshot it stands on. False: what is true now does not allow it any more; the turn is decided again. */
typedef bool (*turn_effect_fn)(struct turn *turn, struct changes *cs, struct snapshot *snap, void *arg);
struct turn_effect {
    struct turn_effect *next;
    turn_effect_fn fn;
    void *arg;
};

/* A message that goes out before the reply's text, in the order they were said. */
struct turn_saying {
    struct turn_saying *next;
    const char *type, *text; /* as in struct message_draft */
    const json_t *content;
    const char *source;
    const json_t *citations; /* NULL: none */
    double confidence;       /* < 0: none */
};

/* What the burst's files hold, as far as the agent wants it. */
struct turn_material {
    struct model_image images[MODEL_IMAGES];
    struct model_paper papers[MODEL_PAPERS];
    size_t image_count, paper_count;
    bool wanted;      /* there is a file that the agent wants */
    bool pending;     /* a file is still being fetched or read */
    const char *lost; /* why a file that is wanted cannot be had, NULL if none is lost */
};

struct turn {
    unsigned magic;
    struct job *job;
    struct kb *kb;
    const char *part, *conversation_id; /* the job's */
    struct id id;
    int64_t begun_mono_ms;
    enum turn_step step;
    bool running; /* the driver is inside */
    unsigned runs;
    int64_t step_us[STEP_COUNT], entered_us;

    json_t *tool_trace,
        *tool_memo;     /* over all runs; owned by the turn: calls made, results of outside effects */
    struct spend spent; /* over all runs */

    /* ---- of this run: gone at a RETRY ---- */
    struct arena *arena;
    json_t *conversation, *agent;   /* owned by the arena */
    uint64_t rev;                   /* of the conversation; 0: there is none */
    json_t *burst;                  /* array: unanswered customer messages, oldest first */
    json_t *history;                /* array: all that was read, newest last */
    const char *newest_id;          /* of the burst, or what was answered before */
    int64_t newest_ms, oldest_ms;   /* wall times of the burst */
    struct turn_material *material; /* of the burst's files (material.c) */
    bool platform;                  /* the burst came through a platform, where people type in pieces */
    const char *question, *folded, *previous;
    struct model_line *lines; /* history as a model reads it */
    size_t line_count;
    bool small_talk;
    const char *contact_name, *contact_phone; /* NULL: unknown; the name is the customer's own word */
    json_t *lead_values;                      /* collected by tools, NULL: none; the arena's */
    bool appointment_changed;                 /* a tool books or cancels */
    const char *person_wanted;                /* the model's reason, NULL: it wants none */
    const json_t *wake;     /* of a job that wakes or begins a flow, NULL: the customer wrote */
    struct flow_turn *flow; /* that runs in this turn, NULL: none */
    bool warmed; /* it has waited for its collections, or need not */
    bool meant, reranked;           /* the same of the question's vector, and of the reranker */
    struct embed_question *meaning; /* NULL: words alone */
    struct kb_calibration calibration; /* the account's own, of confidence */
    struct kb_result found;
    struct model_part parts[MODEL_PARTS]; /* messages of a burst with an answer each */
    size_t part_count;
    const char *canary;
    struct generation gen;

    /* ---- what is to be done ---- */
    enum turn_action action;
    enum handoff_reason reason;
    const json_t *own_rule; /* the agent's own rule that fired; NULL: none did */
    const char *why;        /* ACTION_SILENT, and what fired a rule */
    bool unanswered;        /* ACTION_SILENT: the burst stays unanswered */
    int64_t postpone_ms;
    bool postpone_held;   /* the wait is the process's own: nothing is written */
    const char *text;     /* ACTION_REPLY */
    const char *announce; /* ACTION_HANDOFF: instead of the agent's own word, NULL */
    const char *source;   /* knowledge, model, fallback */
    const char *fallback; /* the fallback that acted, NULL if none did */
    json_t *citations;    /* array; NULL none */
    double confidence;    /* of the search; < 0: not searched */
    unsigned links_removed;
    struct turn_effect *effects; /* in the order they were added */
    struct turn_saying *sayings; /* ACTION_REPLY and ACTION_HANDOFF: sent first */

    /* ---- the commit (commit.c) ---- */
    struct note *note_state; /* of the step (note.c) */
    const char *note;        /* for the person who takes over, NULL: the reason's own */
    bool submitted, settled;
    enum err commit_rc;
    struct id sent;
    bool human_sees; /* the handoff was ours to make */

    json_t *attempts; /* trace of model attempts, over all runs; owned by the turn */
};

#define X(symbol, fn, always, name, text) enum turn_outcome fn(struct turn *turn);
TURN_STEPS(X)
#undef X

/* Registers the handler of QUEUE_TURN. kb outlives the workers. */
void turn_register(struct workers *workers, struct kb *kb);

/* Calls the waiting step again. Not from inside a step. */
void turn_resume(struct turn *turn);
const char *turn_step_name(enum turn_step step);

/* Settles what is to be done. */
void turn_silence(struct turn *turn, const char *why, bool unanswered);
void turn_hand_off(struct turn *turn, enum handoff_reason reason, const char *why);
void turn_reply(struct turn *turn, const char *text, const char *source);

/* Adds to the commit, whatever the turn's action comes to be, but for ACTION_POSTPONE. fn and arg stay good
 * until the run ends (arg: of the arena). */
void turn_effect(struct turn *turn, turn_effect_fn fn, void *arg);
/* Says something before the reply's own text; strings and content as in struct message_draft, good until the
 * run ends. An ACTION_REPLY whose text is NULL has only its sayings. */
void turn_say(struct turn *turn, const char *type, const char *text, const json_t *content,
              const char *source);

/* The same for an answer out of the knowledge. */
void turn_say_cited(struct turn *turn, const char *text, const char *source, const json_t *citations,
                    double confidence);

/* Settings of the turn's agent. */
const json_t *turn_chat(const struct turn *turn);
const json_t *turn_handoff(const struct turn *turn);
double turn_threshold(const struct turn *turn);
bool turn_confident(const struct turn *turn);
const char *turn_fallback(const struct turn *turn);
const char *turn_provider(const struct turn *turn);

/* News for whoever watches this conversation. */
void turn_news(const struct turn *turn, enum agent_news_kind kind, const char *text, const json_t *message,
               bool final);

/* Reads the files of the burst, with the snapshot that the burst was read with (material.c). */
enum err turn_material_read(struct turn *turn, struct snapshot *snap) MUST_CHECK;
/* ms for which the turn waits for files that are under way, 0 if for none, or no longer. */
int64_t turn_material_wait(struct turn *turn);
/* True if there is something for the model besides words. */
bool turn_has_material(const struct turn *turn);

/* The trace record of the turn (trace.c). New reference. */
json_t *turn_trace(const struct turn *turn);

/* The request that a generator gets, and the configuration of the model that is asked; key receives the clear
 * API key (request.c). */
void turn_request(struct turn *turn, struct model_request *out);
void turn_model_config(const struct turn *turn, struct buf *key, struct model_config *out);
const json_t *turn_model(const struct turn *turn);
int64_t turn_time_left(const struct turn *turn);   /* ms for generating */
int64_t turn_tokens_left(const struct turn *turn); /* of the budget for one message */
/* Looks for more passages and adds what is new to turn->found; how many (search.c). */
size_t turn_search_more(struct turn *turn, const char *text);

#endif
