/* sandbox.c: playing the customer in test mode, and seeing what would have been sent. */
#include "bridge/api/sandbox.h"

#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "channels/channel.h"
#include "channels/contact.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "channels/sandbox.h"
#include "queue/base/clock.h"

#define WINDOW_MS 86400000

/* The agent that the body names, else the first active one. NULL: the call has ended. */
static json_t *find_agent(struct call *c)
{
    const char *id = jx_str(c->body, "agent_id");
    return id != NULL ? call_find(c, KIND_AGENT, id, NULL) : call_agent(c, NULL);
}

/* The channel to write to. NULL: the call has ended. */
static json_t *find_channel(struct call *c)
{
    uint64_t guard;
    json_t *channel = NULL;
    const char *id = jx_str(c->body, "channel_id"), *field = NULL;
    if (id != NULL) {
        return call_find(c, KIND_CHANNEL, id, NULL);
    }
    json_t *agent = find_agent(c);
    if (agent == NULL) {
        return NULL;
    }
    enum err rc = sandbox_channel_find(c->snap, c->part, jx_str_or(agent, "id", ""), &channel, &guard);
    if (rc == ERR_NOTFOUND) {
        rc = sandbox_channel_add(call_changes(c), c->part, jx_str_or(agent, "id", ""), guard, &channel,
                                 &field, &c->why);
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return NULL;
    }
    return call_keep(c, channel);
}

/* Names type and sum of an uploaded file that the played customer sends. False: the call has ended. */
static bool media_complete(struct call *c, json_t *body)
{
    json_t *own = jx_obj(body, jx_str_or(body, "type", "text"));
    const char *id = jx_str(own, "file_id");
    if (id == NULL) {
        return true;
    }
    json_t *file = call_find(c, KIND_FILE, id, NULL);
    if (file == NULL) {
        return false;
    }
    json_t *copy = json_deep_copy(own);
    if (jx_str(copy, "mime_type") == NULL) {
        jx_set_str(copy, "mime_type", jx_str(file, "mime_type"));
    }
    if (jx_str(copy, "filename") == NULL && jx_str(file, "name") != NULL) {
        jx_set_str(copy, "filename", jx_str(file, "name"));
    }
    jx_set(body, jx_str(body, "type"), copy);
    return true;
}

void sandbox_post(struct call *c)
{
    const char *field = NULL;
    char *platform_id = NULL;
    json_t *channel = find_channel(c);
    if (channel == NULL) {
        return;
    }
    if (strcmp(jx_str_or(channel, "type", ""), "whatsapp") != 0) {
        call_fail(c, API_BAD_FIELD, "channel_id", "channel_id: the sandbox plays WhatsApp only.");
        return;
    }
    json_t *body = call_keep(c, json_copy(c->body));
    json_object_del(body, "channel_id");
    json_object_del(body, "agent_id");
    if (!media_complete(c, body)) {
        return;
    }
    enum err rc = sandbox_inbound(call_changes(c), c->part, channel, body, &field, &platform_id);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, "is missing or wrong");
        return;
    }
    json_t *answer = json_object();
    jx_set_str(answer, "platform_id", platform_id);
    jx_set_str(answer, "channel_id", jx_str(channel, "id"));
    jx_set_str(answer, "from", jx_str(c->body, "from"));
    jx_set_str(answer, "status", "accepted");
    free(platform_id);
    call_commit(c, 202, answer);
}

/* The conversation of the customer whom "from" names, begun if there is none; *rev 0 then. NULL: the call has
 * ended. */
static json_t *find_customer(struct call *c, const json_t *channel, uint64_t *rev)
{
    json_t *contact = NULL, *conversation = NULL;
    json_t *identity = contact_identity_parse(jx_str_or(c->body, "from", ""));
    if (identity == NULL) {
        call_fail(c, API_BAD_FIELD, "from",
                  "from must be a phone number with its country code, or TYPE:VALUE.");
        return NULL;
    }
    json_t *identities = json_array();
    jx_push(identities, identity);
    enum err rc = contact_resolve(call_changes(c), c->snap, c->part, identities, NULL, &contact);
    json_decref(identities);
    if (rc == ERR_OK) {
        call_keep(c, contact);
        rc = conversation_find(c->snap, c->part, jx_str_or(channel, "id", ""), jx_str_or(contact, "id", ""),
                               &conversation, rev);
    }
    if (rc == ERR_NOTFOUND) {
        *rev = 0;
        conversation = conversation_begin(call_changes(c), c->snap, c->part, channel, contact, NULL);
        rc = ERR_OK;
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, "from", "");
        return NULL;
    }
    return call_keep(c, conversation);
}

void sandbox_window(struct call *c)
{
    uint64_t rev = 0;
    json_t *channel = find_channel(c);
    json_t *conversation = channel != NULL ? find_customer(c, channel, &rev) : NULL;
    if (conversation == NULL) {
        return;
    }
    bool open = jx_bool(c->body, "open", false);
    int64_t left_ms = jx_int(c->body, "seconds", WINDOW_MS / 1000) * 1000;
    jx_set_time(conversation, "window_expires_at", clock_wall_ms() + (open ? left_ms : 0));
    conversation_put(call_changes(c), c->part, conversation, rev);
    json_t *answer = json_object();
    jx_set_str(answer, "conversation_id", jx_str(conversation, "id"));
    jx_set_str(answer, "channel_id", jx_str(channel, "id"));
    jx_set_str(answer, "window_expires_at", jx_str(conversation, "window_expires_at"));
    call_commit(c, 200, answer);
}

/* Only what goes out. */
static bool is_outgoing(const json_t *message, const void *arg)
{
    const char *to = arg;
    return strcmp(jx_str_or(message, "direction", ""), "out") == 0 &&
           (to == NULL || strcmp(jx_str_or(message, "to", ""), to) == 0);
}

void sandbox_list(struct call *c)
{
    struct list_spec spec = {.query = {.kind = KIND_MESSAGE, .part = c->part, .descending = true},
                             .keep = is_outgoing,
                             .arg = call_query(c, "to"),
                             .show = message_public,
                             .total = -1,
                             .cursors = true};
    list_reply(c, &spec);
}

void sandbox_numbers_list(struct call *c)
{
    list_reply_array(c, call_keep(c, sandbox_numbers()));
}
