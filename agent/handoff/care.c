/* care.c: timers of conversations that wait for a person or have one.
 *
 * A timer's job carries the handoff's "at" text. When it runs it reads the conversation: another "at", or no
 * handoff any more, and the job ends without a word. Whatever it does is written under the conversation's
 * revision, so it can never act over a person who joins or writes at the same moment: that one wins, the job
 * is handed back and decides again. */
#include <stdio.h>
#include <string.h>

#include "agent/handoff/care.h"

#include "agent/handoff/handoff.h"
#include "agent/common/hours.h"
#include "agent/profile/profile.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "queue/base/clock.h"
#include "queue/base/option.h"
#include "queue/base/zone.h"
#include "queue/events.h"
#include "queue/jobs.h"

#define SECOND     1000
#define TEXT_BYTES 4000
#define EARLY_MS   2000 /* a job may be so much before its time */

static const char *const day_names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

static const json_t *settings_of(const json_t *agent)
{
    return jx_obj(jx_obj(agent, "settings"), "handoff");
}

static const json_t *hours_of(const json_t *agent)
{
    return jx_obj(jx_obj(agent, "settings"), "hours");
}

/* "Mon 24.11. 09:00", in the business's zone; nothing if it never opens. */
static void next_open(const json_t *hours, int64_t now_ms, struct buf *out)
{
    struct zone_time at;
    int64_t open_ms = hours_next_open(hours, now_ms);

    if (open_ms >= 0) {
        zone_local(jx_str_or(hours, "time_zone", "UTC"), open_ms, &at);
        buf_addf(out, "%s %04d-%02d-%02d %02d:%02d", day_names[at.weekday], at.year, at.month, at.day,
                 at.hour, at.minute);
    }
}

/* The away text with {{next_open}} and {{hours}} filled in. */
static void away_text(const json_t *agent, const char *text, int64_t now_ms, struct buf *out)
{
    static const char *const names[] = {"{{next_open}}", "{{hours}}"};
    const json_t *hours = hours_of(agent);

    while (*text != '\0') {
        if (strncmp(text, names[0], strlen(names[0])) == 0) {
            next_open(hours, now_ms, out);
            text += strlen(names[0]);
        } else if (strncmp(text, names[1], strlen(names[1])) == 0) {
            hours_text(hours, out);
            text += strlen(names[1]);
        } else {
            buf_addc(out, *text++);
        }
    }
}

void care_announcement(const json_t *agent, const char *announce, int64_t now_ms, struct buf *out)
{
    const char *away = jx_str(settings_of(agent), "away_text");

    if (away != NULL && away[0] != '\0' && !hours_open(hours_of(agent), now_ms)) {
        away_text(agent, away, now_ms, out);
    } else if (announce != NULL) {
        buf_adds(out, announce);
    }
}

/* Plans one timer; none for a setting that is not there. */
static void plan(struct changes *cs, const char *part, const json_t *conversation, const char *what,
                 int64_t seconds)
{
    if (seconds > 0) {
        conversation_care(cs, part, conversation, what, seconds * SECOND);
    }
}

/* Sets the person or queue that looks after the conversation. */
static void assign(json_t *conversation, const char *to)
{
    if (to != NULL && to[0] != '\0') {
        jx_set(conversation, "assigned_to", json_pack("{s:s}", "name", to));
    }
}

/* The handoff settings of the conversation's agent; *agent is a new reference, NULL if there is none. */
static const json_t *read_settings(struct snapshot *snap, const char *part, const json_t *conversation,
                                   json_t **agent)
{
    if (agent_get(snap, part, jx_str_or(conversation, "agent_id", "-"), agent, NULL) != ERR_OK) {
        *agent = NULL;
    }
    return settings_of(*agent);
}

void care_assign(struct snapshot *snap, const char *part, json_t *conversation)
{
    json_t *agent;
    const json_t *settings = read_settings(snap, part, conversation, &agent);

    if (jx_obj(conversation, "assigned_to") == NULL) {
        assign(conversation, jx_str(settings, "assign_to"));
    }
    json_decref(agent);
}

void care_begin(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation)
{
    json_t *agent;
    const json_t *settings = read_settings(snap, part, conversation, &agent);

    plan(cs, part, conversation, "escalate", jx_int(settings, "escalate_after", 0));
    plan(cs, part, conversation, "return", jx_int(settings, "return_after", 0));
    json_decref(agent);
}

void care_joined(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation)
{
    json_t *agent;
    const json_t *settings = read_settings(snap, part, conversation, &agent);
    int64_t seconds = jx_int(settings, "return_after", 0);

    if (jx_obj(conversation, "handoff") != NULL) {
        jx_set_bool(jx_obj(conversation, "handoff"), "joined", true);
    } else if (seconds > 0) {
        json_t *handoff = json_object();
        jx_set_str(handoff, "reason", "joined");
        jx_set_time(handoff, "at", clock_wall_ms());
        jx_set_bool(handoff, "joined", true);
        jx_set(conversation, "handoff", handoff);
        plan(cs, part, conversation, "return", seconds);
    }
    json_decref(agent);
}

/* One timer that has run out. */
struct care {
    struct changes *cs;
    struct snapshot *snap;
    const char *part;
    const json_t *payload;
    json_t *conversation, *agent;
    uint64_t rev;
    bool again; /* the timer goes on: wait_ms */
    int64_t wait_ms;
};

/* The newest word of a person in the conversation, or the handoff itself; *joined: a person has written or
 * joined. */
static int64_t last_word_ms(const struct care *care, bool *joined)
{
    json_t *messages = NULL, *message;
    size_t i;
    int64_t newest = 0;
    bool date_only;
    const json_t *handoff = jx_obj(care->conversation, "handoff");

    if (!clock_parse(jx_str_or(handoff, "at", ""), &newest, &date_only)) {
        newest = 0;
    }
    *joined = jx_bool(handoff, "joined", false);
    if (message_history(care->snap, care->part, jx_str_or(care->conversation, "id", "-"), 50, &messages) !=
        ERR_OK) {
        return newest;
    }
    json_array_foreach (messages, i, message) {
        int64_t at_ms = id_time_ms(jx_str_or(message, "id", ""));
        bool human = strcmp(jx_str_or(jx_obj(message, "author"), "type", ""), "human") == 0;
        bool inbound = strcmp(jx_str_or(message, "direction", ""), "in") == 0;
        *joined = *joined || (human && at_ms >= newest - SECOND);
        newest = (human || inbound) && at_ms > newest ? at_ms : newest;
    }
    json_decref(messages);
    return newest;
}

/* Tells the customer once that it takes longer, if there is a text for it and it may be sent. */
static void say_away(struct care *care)
{
    int64_t now = clock_wall_ms();
    const char *text = jx_str(settings_of(care->agent), "away_text");
    struct buf out;
    struct message_draft draft = {
        .author_type = "system", .type = "text", .confidence = -1, .source = "fallback"};

    if (text == NULL || text[0] == '\0' || !conversation_window_open(care->conversation, now)) {
        return;
    }
    buf_init(&out, TEXT_BYTES);
    away_text(care->agent, text, now, &out);
    draft.text = buf_str(&out);
    draft.expires_ms = now + option_int(OPT_REPLY_MAX_AGE);
    message_send(care->cs, care->snap, care->part, care->conversation, &draft);
    buf_fini(&out);
}

/* Nobody has joined: to the second queue or person, told as another handoff.triggered. */
static void escalate(struct care *care)
{
    bool joined;
    struct event_about about = {.agent_id = jx_str(care->conversation, "agent_id"),
                                .conversation_id = jx_str(care->conversation, "id")};
    static const char note[] = "Nobody joined in time.";

    (void)last_word_ms(care, &joined);
    if (joined) {
        return;
    }
    json_t *handoff = jx_obj(care->conversation, "handoff");
    assign(care->conversation, jx_str(settings_of(care->agent), "escalate_to"));
    jx_set_time(handoff, "escalated_at", clock_wall_ms());
    conversation_put(care->cs, care->part, care->conversation, care->rev);
    json_t *data = json_pack("{s:s, s:s, s:O}", "reason", "nobody_joined", "note", note, "conversation",
                             care->conversation);
    event_append(care->cs, care->snap, care->part, "handoff.triggered", &about, data, NULL);
    json_decref(data);
    if (!jx_bool(handoff, "away_told", false)) {
        say_away(care);
    }
}

/* Silence long enough: back to the AI. Else the timer waits for the rest. */
static void go_back(struct care *care)
{
    bool joined;
    int64_t quiet_ms = jx_int(settings_of(care->agent), "return_after", 0) * SECOND;
    int64_t left = last_word_ms(care, &joined) + quiet_ms - clock_wall_ms();

    if (quiet_ms <= 0) {
        return;
    }
    if (left > 0) {
        care->again = true;
        care->wait_ms = left;
        changes_expect(care->cs, KIND_CONVERSATION, care->part, jx_str(care->conversation, "id"), care->rev);
        return;
    }
    handoff_resolve(care->cs, care->snap, care->part, care->conversation, care->rev, "ai");
}

/* What the platform's refusal or a word from the phone made a person's gets the timers that the agent's own
 * handoffs have. */
static void take_up(struct care *care)
{
    if (!jx_bool(jx_obj(care->conversation, "handoff"), "joined", false)) {
        care_assign(care->snap, care->part, care->conversation);
    }
    care_begin(care->cs, care->snap, care->part, care->conversation);
    conversation_put(care->cs, care->part, care->conversation, care->rev);
}

static const struct {
    const char *what;
    void (*fn)(struct care *care);
} timers[] = {{"begin", take_up}, {"escalate", escalate}, {"return", go_back}};

/* Whether the conversation is still in the handoff that the timer was set for. */
static bool same_handoff(const struct care *care)
{
    const char *at = jx_str(jx_obj(care->conversation, "handoff"), "at");

    return conversation_is_human(care->conversation) && at != NULL &&
           strcmp(at, jx_str_or(care->payload, "at", "")) == 0 &&
           strcmp(jx_str_or(care->conversation, "status", ""), "closed") != 0;
}

/* Does what the timer is for, if it still stands. */
static enum err act(struct care *care)
{
    const char *id = jx_str_or(care->payload, "conversation_id", "-"),
               *what = jx_str_or(care->payload, "what", "");
    enum err rc = conversation_get(care->snap, care->part, id, &care->conversation, &care->rev);

    if (rc != ERR_OK || !same_handoff(care)) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    rc =
        agent_get(care->snap, care->part, jx_str_or(care->conversation, "agent_id", "-"), &care->agent, NULL);
    for (size_t i = 0; rc == ERR_OK && i < sizeof timers / sizeof *timers; i++) {
        if (strcmp(timers[i].what, what) == 0) {
            timers[i].fn(care);
        }
    }
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* The handler of QUEUE_CARE. */
static void care_run(struct job *job, void *arg)
{
    struct care care = {.cs = changes_new(), .part = job_partition(job), .payload = job_payload(job)};
    int64_t early = jx_int(care.payload, "due_ms", 0) - clock_wall_ms();
    enum err rc = ERR_OK;

    (void)arg;
    if (early > EARLY_MS) {
        care.again = true;
        care.wait_ms = early;
    } else {
        rc = snapshot_open(job_store(job), &care.snap);
        if (rc == ERR_OK) {
            rc = act(&care);
            snapshot_close(care.snap);
        }
    }
    json_decref(care.conversation);
    json_decref(care.agent);
    if (rc != ERR_OK) {
        changes_free(care.cs);
        care.cs = changes_new();
        changes_fail(care.cs, job, err_name(rc));
    } else if (care.again) {
        changes_postpone(care.cs, job, care.wait_ms);
    } else {
        changes_ack(care.cs, job);
    }
    job_finish(job, care.cs, NULL, NULL);
}

void care_register(struct workers *workers)
{
    workers_handle(workers, QUEUE_CARE, care_run, NULL);
}
