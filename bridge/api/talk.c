/* talk.c: takes in what a customer says over the API: agent, channel, thread, then one change-set. */
#include "bridge/api/talk.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/api/sandbox.h"
#include "channels/channel.h"
#include "channels/conversation.h"

bool talk_find_channel(struct call *c, struct talk_speaker *s)
{
    uint64_t guard;
    const char *field = NULL, *agent_id = jx_str_or(s->agent, "id", "");
    enum err rc = builtin_channel_find(c->snap, c->part, agent_id, &s->channel, &guard);
    if (rc == ERR_NOTFOUND) {
        rc = builtin_channel_add(call_changes(c), c->part, agent_id, guard, &s->channel, &field, &c->why);
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return false;
    }
    call_keep(c, s->channel);
    return true;
}

enum err talk_find_thread(struct snapshot *snap, const char *part, struct talk_speaker *s)
{
    json_t *conversation = NULL;
    enum err rc =
        conversation_find_thread(snap, part, jx_str_or(s->channel, "id", ""), s->thread, &conversation, NULL);
    s->human = false;
    if (rc == ERR_OK) {
        s->human = conversation_is_human(conversation) &&
                   strcmp(jx_str_or(conversation, "status", ""), "closed") != 0;
        json_decref(conversation);
    }
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* Whether a person has the thread's conversation. False: the call has ended. */
static bool find_thread(struct call *c, struct talk_speaker *s)
{
    enum err rc = talk_find_thread(c->snap, c->part, s);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
    }
    return rc == ERR_OK;
}

/* The customer: the caller's own id of him, else the thread stands for him. New reference. */
static json_t *identities_of(const char *user, const char *thread)
{
    json_t *list = json_array(), *identity = json_object();
    char *stand_in = xasprintf("thread:%s", thread);
    jx_set_str(identity, "type", "external");
    jx_set_str(identity, "value", user != NULL && user[0] != '\0' ? user : stand_in);
    jx_push(list, identity);
    free(stand_in);
    return list;
}

enum err talk_take(struct changes *cs, struct snapshot *snap, const char *part, const struct talk_speaker *s,
                   const json_t *body, struct message_received *ids)
{
    const char *type = "text";
    json_t *identities = identities_of(jx_str(body, "user_id"), s->thread);
    json_t *content = talk_files_take(snap, part, s->agent, json_object_get(body, "attached_files"), &type);
    struct message_inbound in = {.channel = s->channel,
                                 .identities = identities,
                                 .thread = s->thread,
                                 .type = type,
                                 .text = jx_str(body, "message"),
                                 .content = content,
                                 .wants_turn = true};
    enum err rc = message_receive(cs, snap, part, &in, ids);
    if (rc == ERR_OK) {
        talk_files_link(cs, snap, part, content, ids);
    }
    json_decref(identities);
    json_decref(content);
    return rc;
}

void talk_receive(struct call *c, const struct talk_speaker *s, enum talk_form form)
{
    struct talk *t = talk_new(c, form);
    enum err rc = talk_take(call_changes(c), c->snap, c->part, s, c->body, &t->ids);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    t->thread = s->thread;
    t->human = s->human;
    talk_watch(t);
    json_t *accepted = json_object(); /* what a repeat of the call is told if we die before the answer */
    jx_set_str(accepted, "status", "accepted");
    jx_set_str(accepted, "conversation_id", t->ids.conversation_id.text);
    jx_set_str(accepted, "message_id", t->ids.message_id.text);
    call_commit_then(c, 202, accepted, talk_committed);
}

void talk_on_channel(struct call *c, struct talk_speaker *s, enum talk_form form)
{
    const char *thread = jx_str(c->body, "thread_id");
    s->thread = thread != NULL && thread[0] != '\0' ? thread : arena_strdup(c->arena, id_new("thr").text);
    if (find_thread(c, s)) {
        talk_receive(c, s, form);
    }
}

/* POST .../invoke/ and .../stream/. */
static void talk(struct call *c, enum talk_form form)
{
    struct talk_speaker s = {.agent = call_agent(c, NULL)};
    if (s.agent == NULL || !talk_find_channel(c, &s)) {
        return;
    }
    talk_on_channel(c, &s, form);
}

void talk_invoke(struct call *c)
{
    talk(c, TALK_OBJECT);
}

void talk_stream(struct call *c)
{
    talk(c, TALK_STREAM);
}

/* The conversation that is to go on. False: the call has ended. */
static bool find_conversation(struct call *c, struct talk_speaker *s, const char *id)
{
    json_t *conversation = call_find(c, KIND_CONVERSATION, id, NULL);
    if (conversation == NULL) {
        return false;
    }
    s->agent = call_find(c, KIND_AGENT, jx_str_or(conversation, "agent_id", ""), NULL);
    if (s->agent == NULL || !talk_find_channel(c, s)) {
        return false;
    }
    s->thread = jx_str(conversation, "thread");
    if (s->thread == NULL ||
        strcmp(jx_str_or(conversation, "channel_id", ""), jx_str_or(s->channel, "id", "")) != 0) {
        call_fail(c, API_IMPOSSIBLE, "conversation_id",
                  "conversation_id: this conversation is not held over the API.");
        return false;
    }
    return true;
}

/* POST /v1/messages and /v1/messages/stream. */
static void talk_on(struct call *c, enum talk_form form)
{
    struct talk_speaker s = {0};
    const char *id = jx_str(c->body, "conversation_id");
    if (id == NULL || id[0] == '\0') {
        talk(c, form);
    } else if (find_conversation(c, &s, id) && find_thread(c, &s)) {
        talk_receive(c, &s, form);
    }
}

void talk_message(struct call *c)
{
    talk_on(c, TALK_DATA);
}

void talk_message_stream(struct call *c)
{
    talk_on(c, TALK_STREAM);
}
