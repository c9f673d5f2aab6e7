/* conversation_acts.c: what people do with a conversation: take it, write in it, give it back, mark it. Every
 * act writes the conversation under the guard of its revision, so an answer that the AI has under way is
 * decided again. */
#include <string.h>

#include "agent/agent.h"
#include "bridge/api/call.h"
#include "bridge/api/conversations.h"
#include "bridge/api/knowledge.h"
#include "bridge/api/learn.h"
#include "channels/channel.h"
#include "channels/conversation.h"
#include "channels/feedback.h"
#include "channels/message.h"
#include "queue/base/clock.h"
#include "queue/events.h"

#define NOTES_MOST 200 /* the oldest go first */

/* The conversation that the path names. NULL: 404. */
static json_t *find(struct call *c, uint64_t *rev)
{
    return call_find(c, KIND_CONVERSATION, call_param(c, "conversation"), rev);
}

/* Ends the call with the conversation as it is now. */
static void done(struct call *c, const json_t *conversation)
{
    call_commit(c, 200, conversation_public(conversation));
}

/* Merges one object of the body into the record by key; null removes a key. */
static void merge(struct call *c, json_t *conversation, const char *name)
{
    const char *key;
    json_t *value, *given = jx_obj(c->body, name);
    if (given == NULL) {
        return;
    }
    json_t *merged =
        jx_obj(conversation, name) != NULL ? json_copy(jx_obj(conversation, name)) : json_object();
    json_object_foreach (given, key, value) {
        if (json_is_null(value)) {
            json_object_del(merged, key);
        } else {
            jx_set(merged, key, json_incref(value));
        }
    }
    jx_set(conversation, name, merged);
}

void conversations_change(struct call *c)
{
    uint64_t rev;
    json_t *conversation = find(c, &rev);
    if (conversation == NULL) {
        return;
    }
    json_t *tags = jx_arr(c->body, "tags"), *assigned = json_object_get(c->body, "assigned_to");
    if (tags != NULL) {
        jx_set(conversation, "tags", json_incref(tags));
    }
    merge(c, conversation, "metadata");
    merge(c, conversation, "custom_fields");
    if (json_is_string(assigned)) {
        json_t *person = json_object();
        jx_set(person, "name", json_incref(assigned));
        jx_set(conversation, "assigned_to", person);
    } else if (assigned != NULL) {
        json_object_del(conversation, "assigned_to");
    }
    conversation_put(call_changes(c), c->part, conversation, rev);
    conversation_event(call_changes(c), c->snap, c->part, "conversation.updated", conversation);
    done(c, conversation);
}

void conversations_write(struct call *c)
{
    uint64_t rev;
    int64_t now = clock_wall_ms();
    json_t *conversation = find(c, &rev), *out = json_object();
    call_keep(c, out);
    if (conversation == NULL) {
        return;
    }
    if (!conversation_window_open(conversation, now)) {
        call_fail(c, API_WINDOW_CLOSED, "text", NULL);
        return;
    }
    const char *name = jx_str(jx_obj(c->body, "author"), "name");
    struct message_draft draft = {.author_type = "human",
                                  .author_name = name,
                                  .type = "text",
                                  .text = jx_str(c->body, "text"),
                                  .confidence = -1,
                                  .source = "human"};
    struct buf quoted;
    const char *named = jx_str(c->body, "reply_to");
    buf_init(&quoted, 512);
    if (named != NULL &&
        message_quoted(c->snap, c->part, jx_str_or(conversation, "id", ""), named, &quoted) != ERR_OK) {
        call_refuse(c, ERR_INVALID, "reply_to",
                    "reply_to is no message of this conversation that the platform knows");
        buf_fini(&quoted);
        return;
    }
    draft.reply_to = named != NULL ? buf_str(&quoted) : NULL;
    if (!conversation_is_human(conversation)) {
        handoff_join(call_changes(c), c->snap, c->part, conversation, rev, name);
    }
    struct id id = message_send(call_changes(c), c->snap, c->part, conversation, &draft);
    buf_fini(&quoted);
    jx_set_time(conversation, "last_message_at", now);
    conversation_put(call_changes(c), c->part, conversation, rev);
    json_t *answer = json_object(), *author = json_object();
    jx_set_str(author, "type", "human");
    jx_set_str(author, "name", name);
    jx_set_str(answer, "id", id.text);
    jx_set_str(answer, "message_id", id.text);
    jx_set_str(answer, "conversation_id", jx_str(conversation, "id"));
    jx_set_str(answer, "direction", "out");
    jx_set(answer, "author", author);
    jx_set_str(answer, "type", "text");
    jx_set_str(answer, "text", draft.text);
    jx_set_str(answer, "status", "queued");
    jx_set_time(answer, "created_at", now);
    call_commit(c, 201, answer);
}

void conversations_handoff(struct call *c)
{
    uint64_t rev;
    json_t *conversation = find(c, &rev);
    if (conversation != NULL) {
        handoff_trigger(call_changes(c), c->snap, c->part, conversation, rev,
                        jx_str_or(c->body, "reason", "requested"), jx_str(c->body, "note"), NULL);
        call_audit(c, "conversation.handoff", jx_str(conversation, "id"));
        done(c, conversation);
    }
}

void conversations_join(struct call *c)
{
    uint64_t rev;
    json_t *conversation = find(c, &rev);
    if (conversation != NULL) {
        const char *name = jx_str(c->body, "name");
        handoff_join(call_changes(c), c->snap, c->part, conversation, rev,
                     name != NULL ? name : jx_str(c->body, "agent_user"));
        done(c, conversation);
    }
}

void conversations_resolve(struct call *c)
{
    uint64_t rev;
    json_t *conversation = find(c, &rev);
    if (conversation != NULL) {
        handoff_resolve(call_changes(c), c->snap, c->part, conversation, rev,
                        jx_str_or(c->body, "return_to", "ai"));
        done(c, conversation);
    }
}

void conversations_note(struct call *c)
{
    uint64_t rev;
    json_t *conversation = find(c, &rev), *note;
    if (conversation == NULL) {
        return;
    }
    json_t *notes = jx_arr(conversation, "notes") != NULL ? json_copy(jx_arr(conversation, "notes")) : json_array();
    if (json_array_size(notes) >= NOTES_MOST) {
        json_array_remove(notes, 0);
    }
    note = json_object();
    jx_set_str(note, "text", jx_str(c->body, "text"));
    jx_set_str(note, "author", jx_str(c->body, "author"));
    jx_set_time(note, "created_at", clock_wall_ms());
    jx_push(notes, note);
    jx_set(conversation, "notes", notes);
    conversation_put(call_changes(c), c->part, conversation, rev);
    conversation_event(call_changes(c), c->snap, c->part, "conversation.updated", conversation);
    call_commit(c, 201, conversation_public(conversation));
}

void conversations_close(struct call *c)
{
    uint64_t rev;
    json_t *conversation = find(c, &rev);
    if (conversation == NULL) {
        return;
    }
    if (strcmp(jx_str_or(conversation, "status", ""), "closed") == 0) {
        call_reply(c, 200, conversation_public(conversation));
        return;
    }
    jx_set_str(conversation, "status", "closed");
    conversation_put(call_changes(c), c->part, conversation, rev);
    conversation_event(call_changes(c), c->snap, c->part, "conversation.ended", conversation);
    done(c, conversation);
}

/* The platform is told that the newest message of the customer was read. */
static void tell_read(struct call *c, const json_t *conversation)
{
    json_t *messages = NULL;
    const char *id = jx_str_or(conversation, "id", "");
    if (message_history(c->snap, c->part, id, 20, &messages) != ERR_OK) {
        return;
    }
    call_keep(c, messages);
    for (size_t i = json_array_size(messages); i > 0; i--) {
        const json_t *message = json_array_get(messages, i - 1);
        if (strcmp(jx_str_or(message, "direction", ""), "in") == 0) {
            channel_receipt(call_changes(c), c->part, jx_str_or(conversation, "channel", ""),
                            jx_str_or(conversation, "channel_id", ""), id, jx_str(message, "platform_id"),
                            false);
            return;
        }
    }
}

void conversations_read(struct call *c)
{
    uint64_t rev;
    json_t *conversation = find(c, &rev);
    if (conversation != NULL) {
        jx_set_time(conversation, "read_at", clock_wall_ms());
        conversation_put(call_changes(c), c->part, conversation, rev);
        tell_read(c, conversation);
        done(c, conversation);
    }
}

/* True if the message that the feedback is about belongs to the conversation. False: the call has ended. */
static bool message_fits(struct call *c, const char *conversation_id)
{
    json_t *message = NULL;
    const char *id = jx_str(c->body, "message_id");
    if (id == NULL) {
        return true;
    }
    enum err rc = snapshot_get(c->snap, KIND_MESSAGE, c->part, id[0] != '\0' ? id : "-", &message, NULL);
    bool fits = rc == ERR_OK && strcmp(jx_str_or(message, "conversation_id", ""), conversation_id) == 0;
    json_decref(message);
    if (!fits) {
        call_fail(c, API_BAD_FIELD, "message_id", "message_id: the conversation has no such message.");
    }
    return fits;
}

void conversations_feedback(struct call *c)
{
    uint64_t rev;
    json_t *conversation = find(c, &rev);
    if (conversation == NULL || !message_fits(c, jx_str_or(conversation, "id", ""))) {
        return;
    }
    struct feedback feedback = {.rating = jx_str(c->body, "rating"),
                                .message_id = jx_str(c->body, "message_id"),
                                .comment = jx_str(c->body, "comment"),
                                .by = "api"};
    json_t *record = feedback_give(call_changes(c), c->snap, c->part, conversation, &feedback);
    conversation_put(call_changes(c), c->part, conversation, rev);
    if (jx_bool(c->body, "learn", false) && strcmp(feedback.rating, "up") == 0 &&
        learn_confirmed(c, feedback.message_id)) {
        call_commit_then(c, 201, record, knowledge_committed);
        return;
    }
    call_commit(c, 201, record);
}
