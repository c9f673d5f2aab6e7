/* echo.c: what somebody of the business wrote on the platform's own app (a phone beside the API).
 *
 * It is a human's message that is already sent, and it takes the conversation over: the write of the record
 * makes every reply that the AI has under way fail its guard. It carries the first-seen mark of messages, so
 * an echo that is posted twice is one message; an echo of what we sent ourselves changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"
#include "channels/contact.h"
#include "channels/conversation.h"
#include "channels/message.h"

#include "queue/base/clock.h"
#include "queue/events.h"

#define AUTHOR "Phone"

/* True if the platform's id is that of a message we know. */
static bool is_known(struct snapshot *snap, const char *part, const char *channel_id, const char *platform_id)
{
    struct page_query query = {.kind = KIND_MESSAGE,
                               .part = part,
                               .index = INDEX_MESSAGE_PLATFORM,
                               .match = {channel_id, platform_id},
                               .limit = 20};
    struct store_page page;
    bool known = false;

    if (snapshot_page(snap, &query, &page) != ERR_OK) {
        return false;
    }
    for (size_t i = 0; i < page.count; i++) {
        known = known || strcmp(jx_str_or(page.rows[i].body, "platform_id", ""), platform_id) == 0;
    }
    store_page_free(&page);
    return known;
}

/* The record of what the person wrote. New reference. */
static json_t *echo_record(const json_t *conversation, const json_t *body)
{
    json_t *msg = json_object();
    int64_t platform_ms = jx_int(body, "platform_ms", 0);

    jx_set_str(msg, "id", id_new("msg").text);
    jx_set_str(msg, "conversation_id", jx_str(conversation, "id"));
    jx_set_str(msg, "agent_id", jx_str(conversation, "agent_id"));
    jx_set_str(msg, "channel_id", jx_str(conversation, "channel_id"));
    jx_set_str(msg, "contact_id", jx_str(conversation, "contact_id"));
    jx_set_str(msg, "direction", "out");
    jx_set(msg, "author", json_pack("{s:s, s:s}", "type", "human", "name", AUTHOR));
    jx_set_str(msg, "type", jx_str_or(body, "type", "unsupported"));
    jx_set_str(msg, "text", jx_str_or(body, "text", ""));
    if (jx_obj(body, "content") != NULL) {
        jx_set(msg, "content", json_incref(jx_obj(body, "content")));
    }
    jx_set_str(msg, "status", "sent");
    jx_set_time(msg, "created_at", clock_wall_ms());
    jx_set_str(msg, "platform_id", jx_str(body, "platform_id"));
    if (platform_ms > 0) {
        jx_set_time(msg, "platform_time", platform_ms);
    }
    jx_set_str(msg, "source", "phone");
    return msg;
}

/* The pen goes to the person; he need not be asked whether he has joined. */
static void take_over(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation)
{
    struct event_about about = {.agent_id = jx_str(conversation, "agent_id"),
                                .conversation_id = jx_str(conversation, "id")};
    json_t *data = json_object();

    if (!conversation_is_human(conversation)) {
        jx_set_str(conversation, "status", "handoff");
        jx_set_str(conversation, "mode", "human");
        jx_set(conversation, "assigned_to", json_pack("{s:s}", "name", AUTHOR));
        jx_set(conversation, "handoff", json_pack("{s:s, s:b}", "reason", "joined", "joined", 1));
        jx_set_time(jx_obj(conversation, "handoff"), "at", clock_wall_ms());
        conversation_care(cs, part, conversation, "begin", 0);
        jx_set(data, "agent", json_pack("{s:s}", "name", AUTHOR));
        jx_set(data, "conversation", json_deep_copy(conversation));
        event_append(cs, snap, part, "agent.joined", &about, data, NULL);
    }
    json_decref(data);
}

enum err echo_take(struct changes *cs, struct snapshot *snap, const char *part, const json_t *channel,
                   const json_t *body)
{
    const char *channel_id = jx_str_or(channel, "id", "");
    const char *platform_id = jx_str_or(body, "platform_id", "");
    json_t *contact = NULL, *conversation = NULL;
    uint64_t rev = 0;

    if (is_known(snap, part, channel_id, platform_id)) {
        return ERR_OK;
    }
    char *scope = xasprintf("message:%s", channel_id);
    changes_once(cs, part, scope, platform_id);
    free(scope);
    enum err rc = contact_resolve(cs, snap, part, jx_arr(body, "identities"), jx_str(body, "name"), &contact);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = conversation_find(snap, part, channel_id, jx_str(contact, "id"), &conversation, &rev);
    if (rc == ERR_NOTFOUND) {
        conversation = conversation_begin(cs, snap, part, channel, contact, NULL);
        rev = 0;
        rc = ERR_OK;
    }
    if (rc == ERR_OK) {
        json_t *msg = echo_record(conversation, body);
        take_over(cs, snap, part, conversation);
        jx_set_time(conversation, "last_message_at", clock_wall_ms());
        conversation_put(cs, part, conversation, rev);
        changes_put(cs, KIND_MESSAGE, part, jx_str(msg, "id"), msg);
        message_event(cs, snap, part, "agent.message.sent", msg, NULL);
        json_decref(msg);
    }
    json_decref(conversation);
    json_decref(contact);
    return rc;
}
