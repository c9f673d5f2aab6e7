/* conversations.c: reading conversations and their messages. What people do with one is in
 * conversation_acts.c. */
#include "channels/conversation.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "bridge/api/conversations.h"
#include "channels/message.h"

#define DELETE_READ 1000
#define DELETE_MOST 15000 /* messages that go in one change-set */

json_t *conversation_public(const json_t *conversation)
{
    json_t *out = json_copy((json_t *)conversation);
    json_object_del(out, "answered");
    json_object_del(out, "window_told");
    return out;
}

/* Filters that no index of the list serves. */
struct filter {
    const char *status, *channel;
};

static bool keep(const json_t *row, const void *arg)
{
    const struct filter *filter = arg;
    return (filter->status == NULL || strcmp(jx_str_or(row, "status", ""), filter->status) == 0) &&
           (filter->channel == NULL || strcmp(jx_str_or(row, "channel", ""), filter->channel) == 0 ||
            strcmp(jx_str_or(row, "channel_id", ""), filter->channel) == 0);
}

void conversations_list(struct call *c)
{
    struct filter filter = {.status = call_query(c, "status"), .channel = call_query(c, "channel")};
    const char *agent = call_query(c, "agent_id"), *leading = NULL;
    struct list_spec spec = {.query = {.kind = KIND_CONVERSATION,
                                       .part = c->part,
                                       .index = INDEX_CONVERSATION_RECENT,
                                       .descending = true},
                             .arg = &filter,
                             .show = conversation_public,
                             .total = -1,
                             .cursors = true};
    if (call_snap(c) == NULL || !list_dates(c, &spec.query.from, &spec.query.to)) {
        return;
    }
    if (agent != NULL) {
        spec.query.index = INDEX_CONVERSATION_AGENT;
        leading = agent;
    } else if (filter.status != NULL) {
        spec.query.index = INDEX_CONVERSATION_STATUS;
        leading = filter.status;
        filter.status = NULL;
    }
    spec.query.match[0] = leading;
    spec.keep = filter.status != NULL || filter.channel != NULL ? keep : NULL;
    if (spec.keep == NULL && spec.query.from == NULL && spec.query.to == NULL) {
        enum index_id counted = leading != NULL ? spec.query.index : INDEX_NONE;
        spec.total = (int64_t)snapshot_count(c->snap, KIND_CONVERSATION, c->part, counted, leading);
    }
    list_reply(c, &spec);
}

void conversations_show(struct call *c)
{
    json_t *conversation = call_find(c, KIND_CONVERSATION, call_param(c, "conversation"), NULL);
    if (conversation != NULL) {
        call_reply(c, 200, conversation_public(conversation));
    }
}

void conversations_messages(struct call *c)
{
    const char *id = call_param(c, "conversation"), *order = call_query(c, "order");
    if (call_find(c, KIND_CONVERSATION, id, NULL) == NULL) {
        return;
    }
    struct list_spec spec = {.query = {.kind = KIND_MESSAGE,
                                       .part = c->part,
                                       .index = INDEX_MESSAGE_CONVERSATION,
                                       .match = {id},
                                       .descending = order != NULL && strcmp(order, "desc") == 0},
                             .show = message_public,
                             .cursors = true};
    spec.total = (int64_t)snapshot_count(c->snap, KIND_MESSAGE, c->part, INDEX_MESSAGE_CONVERSATION, id);
    list_reply(c, &spec);
}

/* Deletes the conversation's messages. False: the call has ended. */
static bool delete_messages(struct call *c, const char *id)
{
    struct store_page page;
    char *position = NULL;
    size_t deleted = 0;
    bool more = true;
    while (more && deleted < DELETE_MOST) {
        struct page_query query = {.kind = KIND_MESSAGE,
                                   .part = c->part,
                                   .index = INDEX_MESSAGE_CONVERSATION,
                                   .match = {id},
                                   .after = position,
                                   .limit = DELETE_READ};
        enum err rc = snapshot_page(c->snap, &query, &page);
        free(position);
        position = NULL;
        if (rc != ERR_OK) {
            call_refuse(c, rc, NULL, "");
            return false;
        }
        for (size_t i = 0; i < page.count; i++) {
            changes_delete(call_changes(c), KIND_MESSAGE, c->part, page.rows[i].id);
        }
        deleted += page.count;
        more = page.more;
        position = more ? xstrdup(page.position) : NULL;
        store_page_free(&page);
    }
    free(position);
    if (more) {
        call_fail(c, API_IMPOSSIBLE, NULL,
                  "The conversation has too many messages to be deleted in one call.");
    }
    return !more;
}

void conversations_delete(struct call *c)
{
    uint64_t rev;
    const char *id = call_param(c, "conversation");
    json_t *conversation = call_find(c, KIND_CONVERSATION, id, &rev);
    if (conversation != NULL && delete_messages(c, id)) {
        changes_expect(call_changes(c), KIND_CONVERSATION, c->part, id, rev);
        changes_delete(call_changes(c), KIND_CONVERSATION, c->part, id);
        call_audit(c, "conversation.deleted", id);
        call_commit(c, 204, NULL);
    }
}
