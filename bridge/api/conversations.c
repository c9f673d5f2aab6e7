/* conversations.c: reading conversations and their messages. What people do with one is in
 * conversation_acts.c. */
#include "channels/conversation.h"

#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "bridge/api/conversations.h"
#include "channels/message.h"

#define DELETE_READ 1000
#define DELETE_MOST 9000 /* messages that go in one change-set, with their traces */

/* What is told of the flow a conversation is in: not what the customer has answered. */
static const char *const flow_shown[] = {"id", "version", "step", "since"};

json_t *conversation_public(const json_t *conversation)
{
    json_t *out = json_copy((json_t *)conversation);
    json_object_del(out, "answered");
    json_object_del(out, "window_told");
    json_object_del(out, "summary");
    json_t *flow = jx_obj(out, "flow"), *shown = json_object();
    for (unsigned i = 0; flow != NULL && i < sizeof(flow_shown) / sizeof(flow_shown[0]); i++) {
        jx_set(shown, flow_shown[i], json_incref(json_object_get(flow, flow_shown[i])));
    }
    jx_set(out, "flow", flow != NULL ? json_incref(shown) : json_null());
    json_decref(shown);
    return out;
}

bool conversation_filter_read(struct call *c, struct conversation_filter *filter)
{
    *filter = (struct conversation_filter){.agent = call_query(c, "agent_id"),
                                           .status = call_query(c, "status"),
                                           .mode = call_query(c, "mode"),
                                           .contact = call_query(c, "contact_id"),
                                           .tag = call_query(c, "tag"),
                                           .assigned = call_query(c, "assigned_to"),
                                           .channel = call_query(c, "channel")};
    return list_dates(c, &filter->from, &filter->to);
}

/* True if nothing is asked for or the record's field says just that. */
static bool field_is(const json_t *record, const char *name, const char *wanted)
{
    return wanted == NULL || strcmp(jx_str_or(record, name, ""), wanted) == 0;
}

bool conversation_filter_keep(const json_t *conversation, const struct conversation_filter *filter)
{
    const char *at = jx_str_or(conversation, "last_message_at", "");

    return field_is(conversation, "agent_id", filter->agent) &&
           field_is(conversation, "status", filter->status) && field_is(conversation, "mode", filter->mode) &&
           field_is(conversation, "contact_id", filter->contact) &&
           field_is(jx_obj(conversation, "assigned_to"), "name", filter->assigned) &&
           (field_is(conversation, "channel", filter->channel) ||
            field_is(conversation, "channel_id", filter->channel)) &&
           (filter->tag == NULL || jx_lists(conversation, "tags", filter->tag)) &&
           (filter->from == NULL || strcmp(at, filter->from) >= 0) &&
           (filter->to == NULL || strcmp(at, filter->to) < 0);
}

static bool keep(const json_t *row, const void *arg)
{
    return conversation_filter_keep(row, arg);
}

/* The index that serves most of the filters; what it serves is taken out of them. */
static void choose_index(struct conversation_filter *filter, struct page_query *query)
{
    query->from = filter->from;
    query->to = filter->to;
    filter->from = NULL;
    filter->to = NULL;
    query->index = INDEX_CONVERSATION_RECENT;
    if (filter->agent != NULL) {
        query->index = INDEX_CONVERSATION_AGENT;
        query->match[0] = filter->agent;
        filter->agent = NULL;
    } else if (filter->status != NULL) {
        query->index = INDEX_CONVERSATION_STATUS;
        query->match[0] = filter->status;
        filter->status = NULL;
    }
}

void conversations_list(struct call *c)
{
    static const struct conversation_filter none;
    struct conversation_filter filter;
    const char *q = call_query(c, "q");
    struct list_spec spec = {.query = {.kind = KIND_CONVERSATION, .part = c->part, .descending = true},
                             .arg = &filter,
                             .show = conversation_public,
                             .total = -1,
                             .cursors = true};

    if (call_snap(c) == NULL || !conversation_filter_read(c, &filter)) {
        return;
    }
    if (q != NULL && q[0] != '\0') {
        conversations_search(c, q, &filter);
        return;
    }
    choose_index(&filter, &spec.query);
    spec.keep = memcmp(&filter, &none, sizeof filter) != 0 ? keep : NULL;
    if (spec.keep == NULL && spec.query.from == NULL && spec.query.to == NULL) {
        const char *leading = spec.query.match[0];
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

struct deletion {
    struct call *c;
    size_t count;
};

static bool delete_message(const struct store_row *row, void *arg)
{
    struct deletion *deletion = arg;
    struct call *c = deletion->c;
    const char *turn = jx_str(row->body, "turn_id");
    if (++deletion->count > DELETE_MOST) {
        return false;
    }
    changes_delete(call_changes(c), KIND_MESSAGE, c->part, row->id);
    if (turn != NULL) {
        changes_delete(call_changes(c), KIND_TURN, c->part, turn);
    }
    return true;
}

/* Deletes the conversation's messages and the traces of the turns that wrote them. False: the call has ended.
 */
static bool delete_messages(struct call *c, const char *id)
{
    struct deletion deletion = {.c = c};
    struct page_query query = {
        .kind = KIND_MESSAGE, .part = c->part, .index = INDEX_MESSAGE_CONVERSATION, .match = {id}};
    enum err rc = snapshot_rows(c->snap, &query, delete_message, &deletion);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
    } else if (deletion.count > DELETE_MOST) {
        call_fail(c, API_IMPOSSIBLE, NULL,
                  "The conversation has too many messages to be deleted in one call.");
    }
    return rc == ERR_OK && deletion.count <= DELETE_MOST;
}

/* Adds what analytics keep of a conversation: its questions without an answer, and what they know of it. */
static void delete_insight(struct call *c, const char *id)
{
    struct page_query query = {.kind = KIND_GAP,
                               .part = c->part,
                               .index = INDEX_GAP_CONVERSATION,
                               .match = {id},
                               .limit = DELETE_READ};
    struct store_page page;
    if (snapshot_page(c->snap, &query, &page) == ERR_OK) {
        for (size_t i = 0; i < page.count; i++) {
            changes_delete(call_changes(c), KIND_GAP, c->part, page.rows[i].id);
        }
        store_page_free(&page);
    }
    changes_delete(call_changes(c), KIND_INSIGHT, c->part, id);
}

void conversations_delete(struct call *c)
{
    uint64_t rev;
    const char *id = call_param(c, "conversation");
    json_t *conversation = call_find(c, KIND_CONVERSATION, id, &rev);
    if (conversation != NULL && delete_messages(c, id)) {
        changes_expect(call_changes(c), KIND_CONVERSATION, c->part, id, rev);
        changes_delete(call_changes(c), KIND_CONVERSATION, c->part, id);
        delete_insight(c, id);
        call_audit(c, "conversation.deleted", id);
        call_commit(c, 204, NULL);
    }
}
