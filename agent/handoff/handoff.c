/* handoff.c: who has the pen. */
#include <stdlib.h>
#include <string.h>

#include "agent/handoff/handoff.h"

#include "agent/handoff/care.h"
#include "agent/profile/profile.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "queue/base/clock.h"
#include "queue/base/option.h"
#include "queue/events.h"

#define LOOK_BACK      100 /* messages read to find the customer's newest */
#define ANNOUNCE_BYTES 8000

/* Appends an event about the conversation; data gains the conversation and is taken over. */
static void tell(struct changes *cs, struct snapshot *snap, const char *part, const char *type,
                 const json_t *conversation, json_t *data)
{
    struct event_about about = {.agent_id = jx_str(conversation, "agent_id"),
                                .conversation_id = jx_str(conversation, "id")};

    jx_set(data, "conversation", json_deep_copy(conversation));
    event_append(cs, snap, part, type, &about, data, NULL);
    json_decref(data);
}

/* What the customer is told: the words for a closed shop, where it is closed. Into out. */
static void announcement(struct snapshot *snap, const char *part, json_t *conversation, const char *announce,
                         struct buf *out)
{
    json_t *agent = NULL;

    if (announce == NULL || announce[0] == '\0') {
        return;
    }
    if (agent_get(snap, part, jx_str_or(conversation, "agent_id", "-"), &agent, NULL) != ERR_OK) {
        buf_adds(out, announce);
        return;
    }
    care_announcement(agent, announce, clock_wall_ms(), out);
    if (strcmp(buf_str(out), announce) != 0) {
        jx_set_bool(jx_obj(conversation, "handoff"), "away_told", true);
    }
    json_decref(agent);
}

/* The text that tells the customer that a person comes. */
static struct id announce_send(struct changes *cs, struct snapshot *snap, const char *part,
                               const json_t *conversation, const char *text)
{
    int64_t now = clock_wall_ms();
    struct message_draft draft = {
        .author_type = "system",
        .type = "text",
        .text = text,
        .confidence = -1,
        .source = "fallback",
        .expires_ms = now + option_int(OPT_REPLY_MAX_AGE),
    };

    if (text == NULL || text[0] == '\0' || !conversation_window_open(conversation, now)) {
        return (struct id){.text = ""};
    }
    return message_send(cs, snap, part, conversation, &draft);
}

struct id handoff_trigger(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation,
                          uint64_t rev, const char *reason, const char *note, const char *announce)
{
    struct id sent = {.text = ""};
    struct buf text;

    if (conversation_is_human(conversation)) {
        conversation_put(cs, part, conversation, rev);
        return sent;
    }
    buf_init(&text, ANNOUNCE_BYTES);
    care_assign(snap, part, conversation);
    conversation_hand_over(cs, snap, part, conversation, reason, note);
    announcement(snap, part, conversation, announce, &text);
    care_begin(cs, snap, part, conversation);
    conversation_put(cs, part, conversation, rev);
    sent = announce_send(cs, snap, part, conversation, buf_str(&text));
    buf_fini(&text);
    return sent;
}

void handoff_join(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation,
                  uint64_t rev, const char *name)
{
    json_t *data = json_object();
    json_t *person = json_object();

    jx_set_str(person, "name", name);
    jx_set(data, "agent", person);
    jx_set_str(conversation, "status", "handoff");
    jx_set_str(conversation, "mode", "human");
    jx_set(conversation, "assigned_to", json_deep_copy(person));
    care_joined(cs, snap, part, conversation);
    conversation_put(cs, part, conversation, rev);
    tell(cs, snap, part, "agent.joined", conversation, data);
}

/* The id of the customer's newest message among the last LOOK_BACK, NULL if there is none. */
static char *newest_inbound(struct snapshot *snap, const char *part, const char *conversation_id)
{
    json_t *messages = NULL;
    char *found = NULL;

    if (message_history(snap, part, conversation_id, LOOK_BACK, &messages) != ERR_OK) {
        return NULL;
    }
    for (size_t i = json_array_size(messages); i > 0 && found == NULL; i--) {
        const json_t *message = json_array_get(messages, i - 1);
        if (strcmp(jx_str_or(message, "direction", ""), "in") == 0) {
            found = xstrdup(jx_str_or(message, "id", ""));
        }
    }
    json_decref(messages);
    return found;
}

void handoff_resolve(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation,
                     uint64_t rev, const char *return_to)
{
    bool closes = strcmp(return_to, "closed") == 0;
    char *newest = newest_inbound(snap, part, jx_str_or(conversation, "id", ""));
    json_t *data = json_object();

    jx_set_str(conversation, "status", closes ? "closed" : "open");
    jx_set_str(conversation, "mode", "ai");
    jx_set(conversation, "assigned_to", json_null());
    json_object_del(conversation, "handoff");
    json_object_del(conversation, "flow"); /* what a person interrupted is over */
    if (newest != NULL) {
        jx_set_str(conversation, "answered", newest);
        free(newest);
    }
    conversation_put(cs, part, conversation, rev);
    jx_set_str(data, "return_to", closes ? "closed" : "ai");
    tell(cs, snap, part, "handoff.resolved", conversation, data);
    if (closes) {
        conversation_event(cs, snap, part, "conversation.ended", conversation);
    }
}
