/* appointments.c: appointments and free slots. What may be booked is decided by the agent's room. */
#include "agent/booking/booking.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/api/appointments.h"
#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "queue/base/clock.h"

#define SLOTS_MAX 200

static json_t *show(const json_t *appointment)
{
    return json_incref((json_t *)appointment);
}

static bool keep(const json_t *row, const void *filter)
{
    return list_filter_keeps(filter, row, "starts_at");
}

void appointments_list(struct call *c)
{
    struct list_filter filter;
    struct list_spec spec = {.query = {.kind = KIND_APPOINTMENT, .part = c->part, .descending = true},
                             .keep = keep,
                             .arg = &filter,
                             .show = show,
                             .total = -1,
                             .cursors = true};
    if (call_snap(c) == NULL || !list_filter_read(c, &filter)) {
        return;
    }
    if (filter.agent != NULL) {
        spec.query.index = INDEX_APPOINTMENT_STARTS;
        spec.query.match[0] = filter.agent;
        spec.query.from = filter.from;
        spec.query.to = filter.to;
        spec.query.descending = false;
    } else if (filter.contact != NULL) {
        spec.query.index = INDEX_APPOINTMENT_CONTACT;
        spec.query.match[0] = filter.contact;
    }
    list_reply(c, &spec);
}

void appointments_show(struct call *c)
{
    json_t *appointment = call_find(c, KIND_APPOINTMENT, call_param(c, "appointment"), NULL);
    if (appointment != NULL) {
        call_reply(c, 200, appointment_public(c, appointment));
    }
}

/* The agent of a record or of the body, else the first one. NULL: the call has ended. */
static json_t *agent_of(struct call *c, const json_t *appointment)
{
    json_t *agent = NULL;
    const char *id = jx_str(appointment, "agent_id");
    if (id != NULL) {
        return call_find(c, KIND_AGENT, id, NULL);
    }
    agent = call_named(c, KIND_AGENT, "agent_id");
    return agent != NULL || c->end != CALL_OPEN ? agent : call_agent(c, NULL);
}

void appointments_create(struct call *c)
{
    json_t *appointment = NULL;
    const char *field = NULL;
    json_t *agent = call_snap(c) != NULL ? agent_of(c, NULL) : NULL;
    if (agent == NULL) {
        return;
    }
    const json_t *conversation = call_named(c, KIND_CONVERSATION, "conversation_id");
    if (c->end != CALL_OPEN) {
        return;
    }
    enum err rc = booking_book(call_changes(c), c->snap, c->part, agent, conversation, c->body, &appointment,
                               &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    call_keep(c, appointment);
    call_audit(c, "appointment.booked", jx_str(appointment, "id"));
    call_commit(c, 201, appointment_public(c, appointment));
}

/* True if the body asks for another time, service or resource. */
static bool moves(const json_t *body)
{
    return json_object_get(body, "starts_at") != NULL || json_object_get(body, "service") != NULL ||
           json_object_get(body, "resource") != NULL;
}

/* The change that the body asks for. */
static enum err apply(struct call *c, json_t *appointment, uint64_t rev, const char **field)
{
    const char *status = jx_str(c->body, "status");
    if (status != NULL && strcmp(status, "cancelled") == 0) {
        return booking_cancel(call_changes(c), c->snap, c->part, appointment, rev, jx_str(c->body, "reason"));
    }
    if (!moves(c->body)) {
        return booking_note(call_changes(c), c->part, appointment, rev, c->body, field, &c->why);
    }
    json_t *agent = agent_of(c, appointment);
    if (agent == NULL) {
        return ERR_NOTFOUND;
    }
    if (json_object_get(c->body, "starts_at") == NULL) {
        jx_set_str(c->body, "starts_at", jx_str(appointment, "starts_at"));
    }
    return booking_move(call_changes(c), c->snap, c->part, agent, appointment, rev, c->body, field, &c->why);
}

void appointments_change(struct call *c)
{
    uint64_t rev;
    const char *field = NULL;
    json_t *appointment = call_find(c, KIND_APPOINTMENT, call_param(c, "appointment"), &rev);
    if (appointment == NULL) {
        return;
    }
    enum err rc = apply(c, appointment, rev, &field);
    if (c->end != CALL_OPEN) {
        return;
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    call_audit(c, "appointment.updated", jx_str(appointment, "id"));
    call_commit(c, 200, appointment_public(c, appointment));
}

void appointments_delete(struct call *c)
{
    uint64_t rev;
    json_t *appointment = call_find(c, KIND_APPOINTMENT, call_param(c, "appointment"), &rev);
    if (appointment == NULL) {
        return;
    }
    enum err rc = booking_remove(call_changes(c), c->snap, c->part, appointment, rev);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    call_audit(c, "appointment.deleted", jx_str(appointment, "id"));
    call_commit(c, 204, NULL);
}

/* A moment of the query; the fallback where it is not given. False: the call has ended. */
static bool read_time(struct call *c, const char *name, int64_t fallback, bool end, int64_t *out)
{
    bool date_only = false;
    const char *given = call_query(c, name);
    *out = fallback;
    if (given == NULL) {
        return true;
    }
    if (!clock_parse(given, out, &date_only)) {
        call_fail(c, API_BAD_FIELD, name, "%s must be an ISO 8601 date or date-time.", name);
        return false;
    }
    *out += end && date_only ? 24 * 3600 * 1000 : 0;
    return true;
}

void appointments_availability(struct call *c)
{
    json_t *slots = NULL, *agent = call_agent(c, NULL);
    const char *field = NULL, *limit = call_query(c, "limit");
    struct booking_search search = {
        .service = call_query(c, "service"), .resource = call_query(c, "resource"), .limit = SLOTS_MAX};
    if (agent == NULL || !read_time(c, "from", clock_wall_ms(), false, &search.from_ms) ||
        !read_time(c, "to", search.from_ms + 14 * 24 * 3600 * (int64_t)1000, true, &search.to_ms)) {
        return;
    }
    if (limit != NULL) {
        unsigned long wanted = strtoul(limit, NULL, 10);
        if (wanted < 1 || wanted > SLOTS_MAX) {
            call_fail(c, API_BAD_FIELD, "limit", "limit must be a number from 1 to %d.", SLOTS_MAX);
            return;
        }
        search.limit = (unsigned)wanted;
    }
    enum err rc = booking_slots(c->snap, c->part, agent, &search, &slots, &field, &c->why);
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
        return;
    }
    json_t *answer = json_object();
    jx_set(answer, "slots", slots);
    call_reply(c, 200, answer);
}
