/* gather.c: reads the conversation and what is unanswered in it.
 *
 * Several messages of one burst each bring a turn job. The first that runs after the quiet time answers all
 * of them; the others find nothing new. The quiet time counts from the newest message and is waited for by
 * putting the job back, so it survives a restart; a burst is waited for TURN_BURST_MS at most. */
#include <stdlib.h>
#include <string.h>

#include "agent/turn/turn.h"

#include "agent/profile/profile.h"
#include "agent/common/words.h"
#include "channels/contact.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "queue/base/clock.h"
#include "queue/base/option.h"

#define HISTORY_MAX  60                              /* messages read */
#define QUESTION_MAX 16000                           /* bytes of a burst that are looked at */
#define QUIET_LEAST  20                              /* ms */
#define RETRY_MAX_MS (8 * 24 * 3600 * (int64_t)1000) /* no platform delivers later than this */

static bool is_inbound(const json_t *message)
{
    return strcmp(jx_str_or(message, "direction", ""), "in") == 0;
}

/* When the customer wrote it: the platform's time if it is earlier than ours. A time from before the longest
 * delay that a platform can cause is a wrong clock. */
static int64_t written_ms(const json_t *message)
{
    int64_t ours = id_time_ms(jx_str_or(message, "id", ""));
    const char *text = jx_str(message, "platform_time");
    int64_t theirs = jx_int(message, "platform_time", 0);
    bool date_only;

    if (text != NULL && !clock_parse(text, &theirs, &date_only)) {
        theirs = 0;
    }
    return theirs > ours - RETRY_MAX_MS && theirs < ours ? theirs : ours;
}

/* Reads the conversation and its agent; they die with the run. */
static enum err read_records(struct turn *turn, struct snapshot *snap)
{
    enum err rc = conversation_get(snap, turn->part, turn->conversation_id, &turn->conversation, &turn->rev);

    if (rc != ERR_OK) {
        return rc;
    }
    arena_defer(turn->arena, jx_decref, turn->conversation);
    rc = agent_get(snap, turn->part, jx_str_or(turn->conversation, "agent_id", ""), &turn->agent, NULL);
    if (rc == ERR_OK) {
        arena_defer(turn->arena, jx_decref, turn->agent);
    }
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* What is known of the customer. */
static void read_contact(struct turn *turn, struct snapshot *snap)
{
    json_t *contact = NULL;
    const char *id = jx_str(turn->conversation, "contact_id");

    if (id == NULL || snapshot_get(snap, KIND_CONTACT, turn->part, id, &contact, NULL) != ERR_OK) {
        return;
    }
    arena_defer(turn->arena, jx_decref, contact);
    turn->contact_name = jx_str(contact, "name");
    turn->contact_phone = contact_identity(contact, "phone");
}

/* Reads what was said; it dies with the run. */
static enum err read_history(struct turn *turn, struct snapshot *snap)
{
    enum err rc = message_history(snap, turn->part, turn->conversation_id, HISTORY_MAX, &turn->history);

    if (rc == ERR_OK) {
        arena_defer(turn->arena, jx_decref, turn->history);
    }
    return rc;
}

/* The customer's messages after the one that was answered last. */
static void find_burst(struct turn *turn)
{
    const char *answered = jx_str(turn->conversation, "answered");
    size_t i;
    json_t *message;

    turn->burst = json_array();
    arena_defer(turn->arena, jx_decref, turn->burst);
    json_array_foreach (turn->history, i, message) {
        const char *id = jx_str_or(message, "id", "");
        if (turn->wake == NULL && is_inbound(message) && (answered == NULL || strcmp(id, answered) > 0)) {
            jx_push(turn->burst, json_incref(message));
            turn->newest_id = id;
        }
    }
    size_t count = json_array_size(turn->burst);
    if (count > 0) {
        const json_t *newest = json_array_get(turn->burst, count - 1);
        turn->newest_ms = written_ms(newest);
        turn->oldest_ms = id_time_ms(jx_str_or(json_array_get(turn->burst, 0), "id", ""));
        turn->platform = jx_str(newest, "platform_id") != NULL;
    }
}

/* Why the agent has nothing to say here as far as that shows before the history is read, NULL if it may
 * speak. Most turns of a paused agent, of a conversation with a person and of a burst end here, so it must
 * stay cheap.
 */
static const char *silent_reason(struct turn *turn)
{
    const char *status = jx_str_or(turn->conversation, "status", "open");
    const char *answered = jx_str_or(turn->conversation, "answered", "");
    const char *asked = jx_str_or(job_payload(turn->job), "message_id", "");
    bool done = asked[0] != '\0' && strcmp(asked, answered) <= 0;

    turn->wake = jx_obj(job_payload(turn->job), "flow");
    turn->newest_id = done ? answered : asked;
    if (turn->wake !=
        NULL) { /* nobody wrote; the record may be written, so its text is no place to point to */
        turn->newest_id = arena_strdup(turn->arena, answered);
    }
    if (strcmp(status, "closed") == 0) {
        return "closed";
    }
    if (conversation_is_human(turn->conversation)) {
        return "human";
    }
    if (turn->agent == NULL) {
        return "no_agent";
    }
    if (done) {
        return "nothing_new";
    }
    return strcmp(jx_str_or(turn->agent, "status", "active"), "active") != 0 ? "paused" : NULL;
}

/* The ms for which this burst has still to be quiet, 0 if it was quiet long enough. */
static int64_t quiet_left(const struct turn *turn)
{
    int64_t now = clock_wall_ms();
    int64_t quiet = jx_int(job_payload(turn->job), "quiet_ms", option_int(OPT_QUIET_TIME));
    int64_t age = now - id_time_ms(turn->newest_id);

    if (!turn->platform || age < 0 || age >= quiet || now - turn->oldest_ms >= TURN_BURST_MS) {
        return 0;
    }
    return quiet - age > QUIET_LEAST ? quiet - age : QUIET_LEAST;
}

/* The texts of the burst, one to a line. */
static void join_question(struct turn *turn)
{
    struct buf out;
    size_t i;
    json_t *message;

    buf_init(&out, QUESTION_MAX + 1);
    json_array_foreach (turn->burst, i, message) {
        const char *text = jx_str_or(message, "text", "");
        size_t room = QUESTION_MAX - out.len;
        if (text[0] != '\0' && strlen(text) < room) {
            buf_adds(&out, out.len > 0 ? "\n" : "");
            buf_adds(&out, text);
        }
    }
    turn->question = arena_strndup(turn->arena, buf_str(&out), out.len);
    buf_fini(&out);
    char *folded = words_fold(turn->question);
    turn->folded = arena_strdup(turn->arena, folded);
    free(folded);
}

/* What was said before the burst, as a model reads it; previous is the last of it. */
static void collect_lines(struct turn *turn)
{
    const char *first = jx_str_or(json_array_get(turn->burst, 0), "id", "");
    const char *summed = jx_str_or(jx_obj(turn->conversation, "summary"), "upto", "");
    size_t i;
    json_t *message;

    turn->lines = arena_alloc(turn->arena, HISTORY_MAX * sizeof *turn->lines);
    json_array_foreach (turn->history, i, message) {
        const char *text = jx_str_or(message, "text", "");
        if (strcmp(jx_str_or(message, "id", ""), first) >= 0 && is_inbound(message)) {
            continue;
        }
        if (strcmp(jx_str_or(message, "id", ""), summed) <= 0) {
            continue; /* the summary holds it */
        }
        if (text[0] != '\0' && turn->line_count < HISTORY_MAX) {
            turn->lines[turn->line_count++] = (struct model_line){is_inbound(message), text};
            turn->previous = text;
        }
    }
}

/* Reads what the turn needs. ERR_OK also when it is settled before everything was read. */
static enum err read_all(struct turn *turn, struct snapshot *snap)
{
    enum err rc = read_records(turn, snap);
    const char *silent = rc == ERR_OK ? silent_reason(turn) : NULL;

    if (rc == ERR_OK && silent != NULL) {
        turn_silence(turn, silent, true);
    } else if (rc == ERR_OK) {
        read_contact(turn, snap);
        rc = read_history(turn, snap);
        if (rc == ERR_OK) {
            find_burst(turn);
            rc = turn_material_read(turn, snap);
        }
    } else if (rc == ERR_NOTFOUND) {
        turn_silence(turn, "no_conversation", true);
        rc = ERR_OK;
    }
    return rc;
}

enum turn_outcome turn_gather(struct turn *turn)
{
    struct snapshot *snap;
    enum err rc = snapshot_open(job_store(turn->job), &snap);

    if (rc == ERR_OK) {
        rc = read_all(turn, snap);
        turn->calibration = kb_calibration_read(snap, turn->part);
        snapshot_close(snap);
    }
    if (rc != ERR_OK) {
        turn->why = err_name(rc);
        return TURN_FAIL;
    }
    if (turn->action != ACTION_NONE) {
        return TURN_MORE;
    }
    if (json_array_size(turn->burst) == 0 && turn->wake == NULL) {
        turn_silence(turn, "nothing_new", true);
        return TURN_MORE;
    }
    turn->postpone_ms = turn->wake == NULL ? quiet_left(turn) : 0;
    if (turn->postpone_ms == 0) {
        turn->postpone_ms = turn_material_wait(turn);
        turn->postpone_held = turn->postpone_ms > 0;
    }
    if (turn->postpone_ms > 0) {
        turn->action = ACTION_POSTPONE;
        return TURN_MORE;
    }
    join_question(turn);
    collect_lines(turn);
    return TURN_MORE;
}
