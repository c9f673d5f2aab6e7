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

/* Filters that no index of the list serves. */
struct filter {
    const char *status, *agent, *contact, *from, *to;
};

static bool keep(const json_t *row, const void *arg)
{
    const struct filter *filter = arg;
    const char *born = jx_str_or(row, "created_at", "");
    return (filter->status == NULL || strcmp(jx_str_or(row, "status", ""), filter->status) == 0) &&
           (filter->agent == NULL || strcmp(jx_str_or(row, "agent_id", ""), filter->agent) == 0) &&
           (filter->contact == NULL || strcmp(jx_str_or(row, "contact_id", ""), filter->contact) == 0) &&
           (filter->from == NULL || strcmp(born, filter->from) >= 0) &&
           (filter->to == NULL || strcmp(born, filter->to) < 0);
}

void leads_list(struct call *c)
{
    struct filter filter = {.status = call_query(c, "status"),
                            .agent = call_query(c, "agent_id"),
                            .contact = call_query(c, "contact_id")};
    struct list_spec spec = {.query = {.kind = KIND_LEAD, .part = c->part, .descending = true},
                             .keep = keep,
                             .arg = &filter,
                             .show = show,
                             .total = -1,
                             .cursors = true};
    if (call_snap(c) == NULL || !list_dates(c, &filter.from, &filter.to)) {
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

/* A record that the body names, which must belong to the caller; NULL with *ended: the call has ended. */
static json_t *named(struct call *c, enum kind kind, const char *field, bool *ended)
{
    json_t *record = NULL;
    const char *id = jx_str(c->body, field);
    *ended = false;
    if (id == NULL) {
        return NULL;
    }
    if (snapshot_get(c->snap, kind, c->part, id[0] != '\0' ? id : "-", &record, NULL) != ERR_OK) {
        call_fail(c, API_BAD_FIELD, field, "%s: there is no such record.", field);
        *ended = true;
        return NULL;
    }
    return call_keep(c, record);
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
    bool ended;
    json_t *conversation = named(c, KIND_CONVERSATION, "conversation_id", &ended);
    if (ended || conversation != NULL) {
        return conversation;
    }
    json_t *contact = named(c, KIND_CONTACT, "contact_id", &ended);
    if (contact == NULL && !ended) {
        contact = contact_of_values(c, agent);
    }
    return contact != NULL ? call_keep(c, json_pack("{s:s}", "contact_id", jx_str_or(contact, "id", "")))
                           : NULL;
}

void leads_create(struct call *c)
{
    bool ended;
    json_t *lead = NULL;
    const char *field = NULL;
    json_t *agent = call_snap(c) != NULL ? named(c, KIND_AGENT, "agent_id", &ended) : NULL;
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
