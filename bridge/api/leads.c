/* leads.c: what contacts told about buying: listed, begun, changed, removed. The values are judged by the
 * agent's room. */
#include "agent/lead/lead.h"

#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "channels/contact.h"

static json_t *show(const json_t *lead)
{
    return json_incref((json_t *)lead);
}

static bool keep(const json_t *row, const void *filter)
{
    return list_filter_keeps(filter, row, "created_at");
}

void leads_list(struct call *c)
{
    struct list_filter filter;
    struct list_spec spec = {.query = {.kind = KIND_LEAD, .part = c->part, .descending = true},
                             .keep = keep,
                             .arg = &filter,
                             .show = show,
                             .total = -1,
                             .cursors = true};
    if (call_snap(c) == NULL || !list_filter_read(c, &filter)) {
        return;
    }
    if (filter.status != NULL) {
        spec.query.index = INDEX_LEAD_STATUS;
        spec.query.match[0] = filter.status;
    } else if (filter.agent != NULL && filter.contact != NULL) {
        spec.query.index = INDEX_LEAD_CONTACT;
        spec.query.match[0] = filter.agent;
        spec.query.match[1] = filter.contact;
    }
    list_reply(c, &spec);
}

void leads_show(struct call *c)
{
    json_t *lead = call_find(c, KIND_LEAD, call_param(c, "lead"), NULL);
    if (lead != NULL) {
        call_reply(c, 200, show(lead));
    }
}

/* The contact of the addresses among the values, begun if there is none. NULL: the call has ended. */
static json_t *contact_of_values(struct call *c, const json_t *agent)
{
    json_t *contact = NULL, *identities = call_keep(c, json_array()), *value;
    const char *name;
    json_object_foreach (jx_obj(c->body, "fields"), name, value) {
        const json_t *rows = jx_arr(jx_obj(jx_obj(agent, "settings"), "leads"), "fields");
        for (size_t i = 0; i < json_array_size(rows); i++) {
            const json_t *row = json_array_get(rows, i);
            const char *type = jx_str_or(row, "type", "");
            bool address = strcmp(type, "phone") == 0 || strcmp(type, "email") == 0;
            json_t *plain = address && strcmp(jx_str_or(row, "name", ""), name) == 0 && json_is_string(value)
                                ? lead_value(row, json_string_value(value), NULL)
                                : NULL;
            if (plain != NULL) {
                jx_push(identities, json_pack("{s:s, s:o}", "type", type, "value", plain));
            }
        }
    }
    if (json_array_size(identities) == 0) {
        call_fail(c, API_BAD_FIELD, "contact_id",
                  "contact_id: a contact, a conversation or an address is needed.");
        return NULL;
    }
    enum err rc =
        contact_resolve(call_changes(c), c->snap, c->part, identities, jx_str(c->body, "name"), &contact);
    if (rc != ERR_OK) {
        call_refuse(c, rc, "contact_id", "");
        return NULL;
    }
    return call_keep(c, contact);
}

/* Whose lead it is, in the shape of a conversation. NULL: the call has ended. */
static json_t *whose(struct call *c, const json_t *agent)
{
    json_t *conversation = call_named(c, KIND_CONVERSATION, "conversation_id");
    if (c->end != CALL_OPEN || conversation != NULL) {
        return conversation;
    }
    json_t *contact = call_named(c, KIND_CONTACT, "contact_id");
    if (contact == NULL && c->end == CALL_OPEN) {
        contact = contact_of_values(c, agent);
    }
    return contact != NULL ? call_keep(c, json_pack("{s:s}", "contact_id", jx_str_or(contact, "id", "")))
                           : NULL;
}

void leads_create(struct call *c)
{
    json_t *lead = NULL;
    const char *field = NULL;
    json_t *agent = call_snap(c) != NULL ? call_named(c, KIND_AGENT, "agent_id") : NULL;
    if (c->end != CALL_OPEN) {
        return;
    }
    agent = agent != NULL ? agent : call_agent(c, NULL);
    const json_t *of = agent != NULL ? whose(c, agent) : NULL;
    if (of == NULL) {
        return;
    }
    enum err rc = lead_collect(call_changes(c), c->snap, c->part, agent, of, jx_obj(c->body, "fields"), &lead,
                               &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field != NULL ? arena_printf(c->arena, "fields%s", field) : NULL,
                    buf_str(&c->why));
        return;
    }
    call_keep(c, lead);
    call_audit(c, "lead.collected", jx_str(lead, "id"));
    call_commit(c, 201, show(lead));
}

void leads_change(struct call *c)
{
    uint64_t rev;
    json_t *agent = NULL;
    const char *field = NULL;
    json_t *lead = call_find(c, KIND_LEAD, call_param(c, "lead"), &rev);
    if (lead == NULL) {
        return;
    }
    if (snapshot_get(c->snap, KIND_AGENT, c->part, jx_str_or(lead, "agent_id", "-"), &agent, NULL) !=
        ERR_OK) {
        agent = json_object();
    }
    call_keep(c, agent);
    enum err rc = lead_change(call_changes(c), c->snap, c->part, agent, lead, rev, c->body, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    call_audit(c, "lead.updated", jx_str(lead, "id"));
    call_commit(c, 200, show(lead));
}

void leads_delete(struct call *c)
{
    uint64_t rev;
    json_t *lead = call_find(c, KIND_LEAD, call_param(c, "lead"), &rev);
    if (lead == NULL) {
        return;
    }
    enum err rc = lead_remove(call_changes(c), c->snap, c->part, lead, rev);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    call_audit(c, "lead.deleted", jx_str(lead, "id"));
    call_commit(c, 204, NULL);
}
