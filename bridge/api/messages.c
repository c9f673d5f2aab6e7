/* messages.c: a message to a contact. Everything that can be known before the platform is asked is decided
 * here: the contact, the channel, the 24-hour window, the message's form. 201 means that it is durable and
 * will be sent. */
#include "channels/message.h"

#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/sandbox.h"
#include "channels/channel.h"
#include "channels/contact.h"
#include "channels/conversation.h"
#include "queue/base/clock.h"

#define CHANNELS_READ 100

/* One send on its way through the handler. */
struct sending {
    struct call *c;
    json_t *agent, *channel, *contact, *conversation;
    uint64_t conversation_rev; /* 0: begun in this change-set */
    const char *type, *text;
    const json_t *content;
    struct buf quoted; /* the platform's id of the message that is quoted, empty: none */
};

/* The agent's oldest channel that sends to phones and the like: an active one, or else one that waits for its
 * platform. */
static json_t *first_channel(struct call *c, const char *agent_id)
{
    struct store_page page;
    json_t *found = NULL;
    struct page_query query = {.kind = KIND_CHANNEL,
                               .part = c->part,
                               .index = INDEX_CHANNEL_BY_AGENT,
                               .match = {agent_id},
                               .limit = CHANNELS_READ};
    if (snapshot_page(c->snap, &query, &page) != ERR_OK) {
        return NULL;
    }
    for (int pass = 0; pass < 2 && found == NULL; pass++) {
        for (size_t i = 0; i < page.count && found == NULL; i++) {
            const json_t *each = page.rows[i].body;
            bool active = strcmp(jx_str_or(each, "status", ""), "active") == 0;
            bool waits = pass == 1 && jx_obj(each, "reason") != NULL;
            if (strcmp(jx_str_or(each, "type", ""), "api") != 0 && (active || waits)) {
                found = call_keep(c, json_incref(page.rows[i].body));
            }
        }
    }
    store_page_free(&page);
    return found;
}

/* In test mode an agent without a channel gets a sandbox number. */
static json_t *sandbox_channel(struct call *c, const char *agent_id)
{
    uint64_t guard;
    json_t *channel = NULL;
    const char *field = NULL;
    enum err rc = sandbox_channel_find(c->snap, c->part, agent_id, &channel, &guard);
    if (rc == ERR_NOTFOUND) {
        rc = sandbox_channel_add(call_changes(c), c->part, agent_id, guard, &channel, &field, &c->why);
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return NULL;
    }
    return call_keep(c, channel);
}

/* The channel to send on. False: the call has ended. */
static bool choose_channel(struct sending *s)
{
    struct call *c = s->c;
    const char *id = jx_str(c->body, "channel_id"), *agent_id = jx_str_or(s->agent, "id", "");
    if (id != NULL) {
        enum err rc = channel_get(c->snap, c->part, id, &s->channel, NULL);
        if (rc == ERR_OK) {
            call_keep(c, s->channel);
        }
        if (rc != ERR_OK || strcmp(jx_str_or(s->channel, "agent_id", ""), agent_id) != 0) {
            call_fail(c, API_BAD_FIELD, "channel_id", "channel_id: the agent has no such channel.");
            return false;
        }
        return true;
    }
    s->channel = first_channel(c, agent_id);
    if (s->channel == NULL && c->caller.mode == MODE_TEST) {
        s->channel = sandbox_channel(c, agent_id);
        return s->channel != NULL;
    }
    if (s->channel == NULL) {
        call_fail(c, API_NO_CHANNEL, "channel_id", NULL);
    }
    return s->channel != NULL;
}

/* The message's form: text, or the platform's object under "content" or under the type's own name. False: the
 * call has ended. */
static bool read_form(struct sending *s)
{
    static const char *const known[] = {"to", "type", "text", "content", "channel_id", "reply_to"};
    struct call *c = s->c;
    const char *key, *field = NULL;
    json_t *value;
    s->type = jx_str_or(c->body, "type", "text");
    s->text = jx_str_or(c->body, "text", "");
    s->content = jx_obj(c->body, "content");
    json_object_foreach (c->body, key, value) {
        bool fine = strcmp(key, s->type) == 0;
        for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            fine = fine || strcmp(key, known[i]) == 0;
        }
        if (!fine) {
            call_fail(c, API_UNKNOWN_FIELD, key, "%s is not a known parameter.", key);
            return false;
        }
    }
    if (s->content == NULL && strcmp(s->type, "text") != 0) {
        s->content = json_object_get(c->body, s->type);
    }
    enum err rc = channel_check_message(jx_str_or(s->channel, "type", ""), s->type, s->text, s->content,
                                        &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
    }
    return rc == ERR_OK;
}

/* Whom "to" names. False: the call has ended. */
static bool find_contact(struct sending *s)
{
    struct call *c = s->c;
    json_t *identity = contact_identity_parse(jx_str_or(c->body, "to", ""));
    if (identity == NULL) {
        call_fail(c, API_BAD_FIELD, "to", "to must be a phone number with its country code, or TYPE:VALUE.");
        return false;
    }
    json_t *identities = json_array();
    jx_push(identities, identity);
    enum err rc = contact_resolve(call_changes(c), c->snap, c->part, identities, NULL, &s->contact);
    json_decref(identities);
    if (rc != ERR_OK) {
        call_refuse(c, rc, "to", "");
        return false;
    }
    call_keep(c, s->contact);
    return true;
}

/* The conversation the message belongs to. False: the call has ended. */
static bool find_conversation(struct sending *s)
{
    struct call *c = s->c;
    enum err rc = conversation_find(c->snap, c->part, jx_str_or(s->channel, "id", ""),
                                    jx_str_or(s->contact, "id", ""), &s->conversation, &s->conversation_rev);
    if (rc == ERR_NOTFOUND) {
        s->conversation_rev = 0;
        s->conversation = conversation_begin(call_changes(c), c->snap, c->part, s->channel, s->contact, NULL);
        rc = ERR_OK;
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return false;
    }
    call_keep(c, s->conversation);
    return true;
}

/* Free-form text only while the customer's window is open. The sandbox lets a first message through where
 * nobody has written yet, so that the first steps of a guide work; a window that has run out is closed there
 * too. */
static bool window_allows(struct sending *s)
{
    bool fresh = jx_str(s->conversation, "window_expires_at") == NULL;
    if (strcmp(s->type, "template") == 0 || conversation_window_open(s->conversation, clock_wall_ms()) ||
        (s->c->caller.mode == MODE_TEST && fresh)) {
        return true;
    }
    if (strcmp(s->type, "text") == 0 && conversation_has_fallback(s->c->snap, s->c->part, s->conversation)) {
        return true;
    }
    call_fail(s->c, API_WINDOW_CLOSED, "type", NULL);
    return false;
}

/* The message it answers, if the caller names one. False: the call has ended. */
static bool find_quoted(struct sending *s)
{
    const char *named = jx_str(s->c->body, "reply_to");
    if (named == NULL) {
        return true;
    }
    enum err rc =
        message_quoted(s->c->snap, s->c->part, jx_str_or(s->conversation, "id", ""), named, &s->quoted);
    if (rc != ERR_OK) {
        call_refuse(s->c, rc, "reply_to",
                    "reply_to is no message of this conversation that the platform knows");
    }
    return rc == ERR_OK;
}

/* Adds message, job and conversation. */
static void add_message(struct sending *s)
{
    struct call *c = s->c;
    char now[CLOCK_TEXT_SIZE];
    struct message_draft draft = {
        .author_type = "system", .type = s->type, .text = s->text, .content = s->content, .confidence = -1};
    draft.reply_to = s->quoted.len > 0 ? buf_str(&s->quoted) : NULL;
    clock_rfc3339(clock_wall_ms(), now);
    struct id id = message_send(call_changes(c), c->snap, c->part, s->conversation, &draft);
    jx_set_str(s->conversation, "last_message_at", now);
    conversation_put(call_changes(c), c->part, s->conversation, s->conversation_rev);
    json_t *answer = json_object();
    jx_set_str(answer, "message_id", id.text);
    jx_set_str(answer, "status", "queued");
    jx_set_str(answer, "to", jx_str(c->body, "to"));
    jx_set_str(answer, "queued_at", now);
    jx_set_str(answer, "conversation_id", jx_str(s->conversation, "id"));
    call_commit(c, 201, answer);
}

void messages_send(struct call *c)
{
    struct sending s = {.c = c, .agent = call_agent(c, NULL)};
    buf_init(&s.quoted, 512);
    if (s.agent != NULL && choose_channel(&s) && read_form(&s) && find_contact(&s) && find_conversation(&s) &&
        find_quoted(&s) && window_allows(&s)) {
        add_message(&s);
    }
    buf_fini(&s.quoted);
}

void messages_show(struct call *c)
{
    json_t *message = call_find(c, KIND_MESSAGE, call_param(c, "message"), NULL);
    if (message != NULL) {
        call_reply(c, 200, message_public(message));
    }
}
