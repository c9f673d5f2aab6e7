/* commit.c: writes everything that follows from a turn in one change-set, or nothing.
 *
 * The set holds the end of the job, the message, the conversation with its guard, events and the trace. The
 * guard is the revision that gather read: whoever wrote, took over, closed or paused in the meantime has
 * changed it, the commit answers conflict, and the turn begins again with what is true now. That is the whole
 * of "never over a human". */
#include <stdio.h>
#include <string.h>

#include "agent/turn/turn.h"

#include "agent/turn/gaps.h"
#include "agent/handoff/handoff.h"
#include "agent/common/tongue.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "queue/base/clock.h"
#include "queue/base/killpoint.h"
#include "queue/base/log.h"
#include "queue/base/option.h"

#define WATCHED_MAX  (256u << 10)
#define MAKE_ROOM_MS 200 /* after too many conflicts the lane waits so long */

/* The conversation as it is to be: the burst is dealt with. */
static void mark_answered(struct turn *turn)
{
    if (turn->newest_id != NULL && turn->newest_id[0] != '\0') { /* a woken flow answers nobody */
        jx_set_str(turn->conversation, "answered", turn->newest_id);
    }
    if (turn->action != ACTION_SILENT) {
        jx_set_time(turn->conversation, "last_message_at", clock_wall_ms());
    }
}

/* The messages that go before the reply's text; the last of them stands for the turn. */
static void add_sayings(struct turn *turn, struct changes *cs, struct snapshot *snap)
{
    for (const struct turn_saying *say = turn->sayings; say != NULL; say = say->next) {
        struct message_draft draft = {
            .author_type = "ai",
            .author_name = jx_str(turn->agent, "name"),
            .type = say->type,
            .text = say->text,
            .content = say->content,
            .citations = json_array_size(say->citations) > 0 ? say->citations : NULL,
            .confidence = say->confidence,
            .source = say->source,
            .turn_id = turn->id.text,
            .expires_ms = clock_wall_ms() + option_int(OPT_REPLY_MAX_AGE),
        };
        turn->sent = message_send(cs, snap, turn->part, turn->conversation, &draft);
    }
}

static void add_reply(struct turn *turn, struct changes *cs, struct snapshot *snap)
{
    struct message_draft draft = {
        .author_type = "ai",
        .author_name = jx_str(turn->agent, "name"),
        .type = "text",
        .text = turn->text,
        .citations = json_array_size(turn->citations) > 0 ? turn->citations : NULL,
        .confidence = turn->confidence,
        .source = turn->source,
        .turn_id = turn->id.text,
        .expires_ms = clock_wall_ms() + option_int(OPT_REPLY_MAX_AGE),
    };

    mark_answered(turn);
    conversation_put(cs, turn->part, turn->conversation, turn->rev);
    add_sayings(turn, cs, snap);
    if (turn->text != NULL) {
        turn->sent = message_send(cs, snap, turn->part, turn->conversation, &draft);
    }
    changes_add(cs, turn->part, "turns.replied", 1);
}

/* What the customer is told in their language, if the agent has no word of its own. */
static const char *usual_announcement(const struct turn *turn, const struct handoff_row *row)
{
    const struct tongue *tongue = tongue_of(turn->question, turn->history);

    return row->announce[0] == '\0'                 ? ""
           : turn->reason == HANDOFF_LOW_CONFIDENCE ? tongue->announce_unsure
                                                    : tongue->announce;
}

/* Whom the agent's own rule gives the conversation to: a person, or a queue out of which people take it. */
static void assign_by_rule(struct turn *turn, const json_t *then)
{
    const char *person = jx_str(then, "assign_to"), *queue = jx_str(then, "queue");

    if (queue != NULL) {
        jx_set(turn->conversation, "assigned_to", json_pack("{s:s,s:s}", "name", queue, "type", "queue"));
    } else if (person != NULL) {
        jx_set(turn->conversation, "assigned_to", json_pack("{s:s}", "name", person));
    }
}

static void add_handoff(struct turn *turn, struct changes *cs, struct snapshot *snap)
{
    const struct handoff_row *row = handoff_reason_row(turn->reason);
    const char *announce = turn->announce != NULL
                               ? turn->announce
                               : jx_str_or(turn_handoff(turn), "announce", usual_announcement(turn, row));
    const json_t *then = jx_obj(turn->own_rule, "then");
    const char *note = turn->note != NULL ? turn->note : row->note, *own = jx_str(then, "note");

    announce = jx_str_or(then, "announce", announce);
    if (own != NULL) {
        note = arena_printf(turn->arena, "%s %s", own, note);
    }
    assign_by_rule(turn, then);
    mark_answered(turn);
    add_sayings(turn, cs, snap);
    turn->sent = handoff_trigger(cs, snap, turn->part, turn->conversation, turn->rev, row->name, note,
                                 turn->reason == HANDOFF_LOOP ? NULL : announce);
    changes_add(cs, turn->part, "turns.handed_off", 1);
}

/* Nothing is said. What was dropped is counted by reason. */
static void add_silence(struct turn *turn, struct changes *cs)
{
    char counter[64];

    snprintf(counter, sizeof counter, "turns.silent.%s", turn->why);
    changes_add(cs, turn->part, counter, 1);
    if (turn->rev == 0) {
        return;
    }
    if (turn->unanswered) {
        changes_expect(cs, KIND_CONVERSATION, turn->part, turn->conversation_id, turn->rev);
    } else {
        mark_answered(turn);
        conversation_put(cs, turn->part, turn->conversation, turn->rev);
    }
}

/* The trace, except where there is nothing to explain. */
static void add_trace(const struct turn *turn, struct changes *cs)
{
    if (turn->action == ACTION_SILENT && turn->unanswered && strcmp(turn->why, "paused") != 0) {
        return;
    }
    json_t *trace = turn_trace(turn);
    changes_put(cs, KIND_TURN, turn->part, turn->id.text, trace);
    json_decref(trace);
}

/* Tokens and money, whatever came of them. */
static void add_spend(const struct turn *turn, struct changes *cs)
{
    spend_write(cs, turn->part, jx_str_or(turn->agent, "id", ""), turn->conversation_id, &turn->spent,
                clock_wall_ms());
}

/* What the steps asked to be written besides. False if one of them is not possible any more. */
static bool add_effects(struct turn *turn, struct changes *cs, struct snapshot *snap)
{
    bool possible = true;

    for (const struct turn_effect *effect = turn->effects; possible && effect != NULL;
         effect = effect->next) {
        possible = effect->fn(turn, cs, snap, effect->arg);
    }
    return possible;
}

/* The change-set of a settled turn. ERR_CONFLICT: an effect is not possible any more. */
static enum err build(struct turn *turn, struct changes **out)
{
    struct snapshot *snap;
    struct changes *cs;

    if (snapshot_open(job_store(turn->job), &snap) != ERR_OK) {
        return ERR_IO;
    }
    cs = changes_new();
    if (!add_effects(turn, cs, snap)) {
        snapshot_close(snap);
        changes_free(cs);
        return ERR_CONFLICT;
    }
    if (turn->action == ACTION_REPLY) {
        add_reply(turn, cs, snap);
    } else if (turn->action == ACTION_HANDOFF) {
        add_handoff(turn, cs, snap);
    } else {
        add_silence(turn, cs);
    }
    snapshot_close(snap);
    add_trace(turn, cs);
    gaps_note(turn, cs);
    add_spend(turn, cs);
    changes_ack(cs, turn->job);
    *out = cs;
    return ERR_OK;
}

/* The record of the message that was sent, NULL if there is none. New reference. */
static json_t *sent_message(const struct turn *turn)
{
    struct snapshot *snap;
    json_t *message = NULL;

    if (turn->sent.text[0] == '\0' || snapshot_open(job_store(turn->job), &snap) != ERR_OK) {
        return NULL;
    }
    if (snapshot_get(snap, KIND_MESSAGE, turn->part, turn->sent.text, &message, NULL) != ERR_OK) {
        message = NULL;
    }
    snapshot_close(snap);
    return message;
}

/* Puts what was said before the message in front of its text: who waits for one answer gets all of it. */
static void join_sayings(const struct turn *turn, json_t *message)
{
    struct buf text;
    bool last_is_saying = turn->action == ACTION_REPLY && turn->text == NULL;

    buf_init(&text, WATCHED_MAX);
    for (const struct turn_saying *say = turn->sayings; say != NULL; say = say->next) {
        if (!(last_is_saying && say->next == NULL) && say->text != NULL) {
            buf_addf(&text, "%s\n\n", say->text);
        }
    }
    if (text.len > 0) {
        buf_adds(&text, jx_str_or(message, "text", ""));
        jx_set_str(message, "text", buf_str(&text));
    }
    buf_fini(&text);
}

/* Tells watchers and the log how the turn ended. */
static void tell_end(const struct turn *turn)
{
    static const enum agent_news_kind kinds[] = {[ACTION_NONE] = AGENT_SILENT,
                                                 [ACTION_REPLY] = AGENT_REPLIED,
                                                 [ACTION_HANDOFF] = AGENT_HANDED,
                                                 [ACTION_SILENT] = AGENT_SILENT,
                                                 [ACTION_POSTPONE] = AGENT_SILENT};
    bool watched = agent_watch_any(turn->part, turn->conversation_id);
    json_t *message = watched ? sent_message(turn) : NULL;

    if (message != NULL) {
        join_sayings(turn, message);
    }

    turn_news(turn, kinds[turn->action], NULL, message, true);
    json_decref(message);
    log_info("turn.done", "turn=%s conversation=%s outcome=%s reason=%s confidence=%.3f runs=%u ms=%lld",
             turn->id.text, turn->conversation_id,
             turn->action == ACTION_REPLY     ? "reply"
             : turn->action == ACTION_HANDOFF ? "handoff"
                                              : "silent",
             turn->action == ACTION_HANDOFF ? handoff_reason_row(turn->reason)->name
             : turn->action == ACTION_REPLY ? turn->source
                                            : turn->why,
             turn->confidence, turn->runs, (long long)(clock_mono_ms() - turn->begun_mono_ms));
}

/* The committer has answered. */
static void commit_done(enum err rc, uint64_t rev, void *arg)
{
    struct turn *turn = arg;

    (void)rev;
    KILL_POINT("turn.after");
    turn->settled = true;
    turn->commit_rc = rc;
    turn_resume(turn);
}

static enum turn_outcome submit(struct turn *turn, struct changes *cs)
{
    turn->submitted = true;
    KILL_POINT("turn.before");
    job_finish(turn->job, cs, commit_done, turn);
    return TURN_WAIT;
}

/* Puts the job back; its lane waits. */
static enum turn_outcome postpone(struct turn *turn, int64_t ms)
{
    struct changes *cs = changes_new();

    changes_postpone(cs, turn->job, ms);
    add_spend(turn, cs);
    turn->action = ACTION_POSTPONE;
    turn->settled = false;
    return submit(turn, cs);
}

/* What the committer's answer means for the turn. */
static enum turn_outcome judge(struct turn *turn)
{
    bool again = turn->commit_rc == ERR_CONFLICT || turn->commit_rc == ERR_SEEN;

    if (turn->commit_rc == ERR_OK && turn->action != ACTION_POSTPONE) {
        tell_end(turn);
    }
    if (!again) {
        return TURN_DONE;
    }
    if (turn->runs >= TURN_RUNS) {
        return postpone(turn, MAKE_ROOM_MS);
    }
    return TURN_RETRY;
}

/* Puts the job back as it was, without a write. */
static enum turn_outcome put_back(struct turn *turn)
{
    struct job *job = turn->job;

    job_on_cut(job, NULL, NULL);
    turn->job = NULL;
    job_put_back(job, turn->postpone_ms);
    return TURN_DONE;
}

enum turn_outcome turn_commit(struct turn *turn)
{
    if (turn->settled) {
        return judge(turn);
    }
    if (turn->submitted) {
        return TURN_WAIT;
    }
    if (turn->action == ACTION_POSTPONE && turn->postpone_held) {
        return put_back(turn);
    }
    if (turn->action == ACTION_POSTPONE) {
        return postpone(turn, turn->postpone_ms);
    }
    CHECK(turn->action != ACTION_NONE);
    struct changes *cs = NULL;
    enum err rc = build(turn, &cs);
    if (rc == ERR_OK) {
        return submit(turn, cs);
    }
    if (rc == ERR_CONFLICT) {
        return turn->runs >= TURN_RUNS ? postpone(turn, MAKE_ROOM_MS) : TURN_RETRY;
    }
    turn->why = "store";
    return TURN_FAIL;
}
