/* booking.c: appointments booked, moved, cancelled, each in one change-set with the days it takes.
 *
 * What decides rests on the days' records, and those are guarded (calendar.c): a slot that is free when it is
 * read is free when it is written, or nothing is written. The appointment's own record carries "sequence",
 * one more with each move or cancelling: reminders and invitations of an older one are void. */
#include <stdlib.h>
#include <string.h>

#include "agent/booking/booking_int.h"

#include "agent/common/hours.h"
#include "channels/contact.h"
#include "queue/base/clock.h"
#include "queue/base/id.h"
#include "queue/base/zone.h"

#define NAME_BYTES  200
#define NOTES_BYTES 4000
#define SPANS_MAX   8
#define PAGE        100

/* A wish, understood. */
struct wish {
    const json_t *service;
    const char *ids[BOOKING_RESOURCES]; /* the resources that may do it */
    size_t count;
    int64_t at_ms, end_ms;
    int64_t from_ms, to_ms; /* with buffers */
};

/* True if a text is "2026-11-24T10:30" with or without seconds and with no offset. */
static bool local_time(const char *text, const char *zone, int64_t *at_ms)
{
    char *with_zone = NULL;
    size_t n = strlen(text);
    bool date_only = false, ok = false;

    if ((n == 16 || n == 19) && (text[10] == 'T' || text[10] == ' ' || text[10] == 't')) {
        with_zone = xasprintf("%.10sT%s%sZ", text, text + 11, n == 16 ? ":00" : "");
        ok = clock_parse(with_zone, at_ms, &date_only) && !date_only;
    }
    free(with_zone);
    if (ok) {
        struct zone_time wall;
        zone_local("UTC", *at_ms, &wall);
        *at_ms = zone_utc_ms(zone, &wall);
    }
    return ok;
}

/* starts_at of the wish. */
static bool parse_time(const json_t *agent, const char *text, int64_t *at_ms)
{
    bool date_only = false;

    if (text == NULL) {
        return false;
    }
    return local_time(text, booking_zone(agent), at_ms) ||
           (clock_parse(text, at_ms, &date_only) && !date_only);
}

/* True if the service lies within an open span of the resource. */
static bool is_open(const json_t *agent, const char *resource, const struct wish *wish)
{
    struct hours_span spans[SPANS_MAX];
    json_t *hours = booking_hours(agent, resource);
    size_t n = hours_of_day(hours, wish->at_ms, spans, SPANS_MAX);
    bool open = false;

    for (size_t i = 0; i < n; i++) {
        open = open || (spans[i].from_ms <= wish->at_ms && wish->end_ms <= spans[i].to_ms);
    }
    json_decref(hours);
    return open;
}

/* Service and resources of a wish; old (may be NULL): the appointment whose choices hold where the wish is
 * silent. */
static enum err read_service(const json_t *agent, const json_t *given, const json_t *old, struct wish *wish,
                             const char **field, struct buf *why)
{
    const char *service = jx_str_or(given, "service", jx_str_or(old, "service", NULL));
    const char *resource = jx_str_or(given, "resource", jx_str_or(old, "resource", NULL));

    wish->service = booking_service(agent, service, field, why);
    if (wish->service == NULL) {
        return ERR_INVALID;
    }
    wish->count = booking_resources(agent, wish->service, resource, wish->ids);
    return wish->count > 0 ? ERR_OK
                           : booking_fault(ERR_INVALID, field, why, "/resource", "does not do this service");
}

/* Times of a wish, within notice and horizon. */
static enum err read_times(const json_t *agent, const json_t *given, struct wish *wish, const char **field,
                           struct buf *why)
{
    int64_t now = clock_wall_ms();

    if (!parse_time(agent, jx_str(given, "starts_at"), &wish->at_ms)) {
        return booking_fault(ERR_INVALID, field, why, "/starts_at",
                             "a date and time is needed, such as 2026-11-24T10:30");
    }
    wish->at_ms -= wish->at_ms % 1000;
    wish->end_ms = wish->at_ms + jx_int(wish->service, "minutes", 30) * BOOKING_MINUTE;
    wish->from_ms = wish->at_ms - jx_int(wish->service, "buffer_before", 0) * BOOKING_MINUTE;
    wish->to_ms = wish->end_ms + jx_int(wish->service, "buffer_after", 0) * BOOKING_MINUTE;
    if (wish->at_ms < now + booking_minutes(agent, "notice_minutes", 0) * BOOKING_MINUTE) {
        return booking_fault(ERR_EXISTS, field, why, "/starts_at", "that time is past or too soon");
    }
    if (wish->at_ms > now + booking_minutes(agent, "horizon_days", 60) * BOOKING_DAY) {
        return booking_fault(ERR_EXISTS, field, why, "/starts_at", "that is too far ahead");
    }
    return ERR_OK;
}

/* The first resource that is there and free; ERR_EXISTS where none is. */
static enum err choose(struct calendar *calendar, const json_t *agent, const struct wish *wish,
                       struct booking_block *block, const char **field, struct buf *why)
{
    bool open = false;

    for (size_t i = 0; i < wish->count; i++) {
        bool is_free = false;
        block->resource = wish->ids[i];
        if (!is_open(agent, wish->ids[i], wish)) {
            continue;
        }
        open = true;
        enum err rc = calendar_is_free(calendar, block, booking_capacity(agent, wish->ids[i]), &is_free);
        if (rc != ERR_OK || is_free) {
            return rc;
        }
    }
    return booking_fault(ERR_EXISTS, field, why, "/starts_at",
                         open ? "that time is taken" : "that time is outside opening hours");
}

/* Whether name and notes are texts of a length. */
static enum err check_texts(const json_t *given, const char **field, struct buf *why)
{
    const json_t *name = json_object_get(given, "name"), *notes = json_object_get(given, "notes");

    if (name != NULL && !json_is_null(name) &&
        (!json_is_string(name) || json_string_length(name) > NAME_BYTES)) {
        return booking_fault(ERR_INVALID, field, why, "/name", "must be a text of at most 200 bytes");
    }
    if (notes != NULL && !json_is_null(notes) &&
        (!json_is_string(notes) || json_string_length(notes) > NOTES_BYTES)) {
        return booking_fault(ERR_INVALID, field, why, "/notes", "must be a text of at most 4000 bytes");
    }
    return ERR_OK;
}

/* Sets or unsets a text of the record from the wish. */
static void take_text(json_t *appointment, const json_t *given, const char *key)
{
    const json_t *value = json_object_get(given, key);

    if (json_is_string(value)) {
        jx_set_str(appointment, key, json_string_value(value));
    } else if (json_is_null(value)) {
        json_object_del(appointment, key);
    }
}

/* The contact that the appointment is for, "" for none. ERR_INVALID: the wish names one that is not there. */
static enum err find_contact(struct snapshot *snap, const char *part, const json_t *conversation,
                             const json_t *given, json_t **contact, const char **field, struct buf *why)
{
    const char *id = jx_str(conversation != NULL ? conversation : given, "contact_id");

    *contact = NULL;
    if (id == NULL) {
        return ERR_OK;
    }
    enum err rc = snapshot_get(snap, KIND_CONTACT, part, id[0] != '\0' ? id : "-", contact, NULL);
    if (rc == ERR_NOTFOUND && conversation != NULL) {
        return ERR_OK;
    }
    return rc == ERR_NOTFOUND
               ? booking_fault(ERR_INVALID, field, why, "/contact_id", "there is no such contact")
               : rc;
}

/* The place and the times of a record. */
static void set_place(json_t *appointment, const struct wish *wish, const struct booking_block *block)
{
    jx_set_str(appointment, "service", jx_str(wish->service, "id"));
    jx_set_str(appointment, "resource", block->resource);
    jx_set_time(appointment, "starts_at", wish->at_ms);
    jx_set_time(appointment, "ends_at", wish->end_ms);
}

static json_t *appointment_blank(const json_t *agent, const json_t *conversation, const json_t *contact,
                                 const json_t *given)
{
    json_t *appointment = json_object();
    int64_t now = clock_wall_ms();

    jx_set_str(appointment, "id", id_new("apt").text);
    jx_set_str(appointment, "agent_id", jx_str(agent, "id"));
    jx_set_str(appointment, "contact_id",
               conversation != NULL ? jx_str(conversation, "contact_id") : jx_str(contact, "id"));
    jx_set_str(appointment, "conversation_id", jx_str(conversation, "id"));
    jx_set_str(appointment, "status", "booked");
    if (jx_str(contact, "name") != NULL) {
        jx_set_str(appointment, "name", jx_str(contact, "name"));
    }
    take_text(appointment, given, "name");
    take_text(appointment, given, "notes");
    jx_set_int(appointment, "sequence", 0);
    jx_set_time(appointment, "created_at", now);
    jx_set_time(appointment, "updated_at", now);
    return appointment;
}

enum err booking_book(struct changes *cs, struct snapshot *snap, const char *part, const json_t *agent,
                      const json_t *conversation, const json_t *given, json_t **appointment,
                      const char **field, struct buf *why)
{
    struct wish wish = {.service = NULL};
    json_t *contact = NULL;

    *appointment = NULL;
    if (!booking_enabled(agent)) {
        return booking_fault(ERR_INVALID, field, why, "", "this agent takes no appointments");
    }
    enum err rc = check_texts(given, field, why);
    rc = rc == ERR_OK ? read_service(agent, given, NULL, &wish, field, why) : rc;
    rc = rc == ERR_OK ? read_times(agent, given, &wish, field, why) : rc;
    rc = rc == ERR_OK ? find_contact(snap, part, conversation, given, &contact, field, why) : rc;
    if (rc != ERR_OK) {
        json_decref(contact);
        return rc;
    }
    json_t *made = appointment_blank(agent, conversation, contact, given);
    struct calendar *calendar = calendar_new(cs, snap, part);
    struct booking_block block = {.agent_id = jx_str(agent, "id"),
                                  .id = jx_str(made, "id"),
                                  .from_ms = wish.from_ms,
                                  .to_ms = wish.to_ms};
    rc = choose(calendar, agent, &wish, &block, field, why);
    rc = rc == ERR_OK ? calendar_take(calendar, &block) : rc;
    if (rc == ERR_OK) {
        set_place(made, &wish, &block);
        changes_expect(cs, KIND_APPOINTMENT, part, block.id, 0);
        changes_put(cs, KIND_APPOINTMENT, part, block.id, made);
        booking_tell(cs, snap, part, "appointment.booked", made, NULL);
        booking_remind(cs, part, agent, made);
        *appointment = json_incref(made);
    }
    calendar_free(calendar);
    json_decref(contact);
    json_decref(made);
    return rc;
}

/* Where the appointment may stand in the calendar: its times and the widest buffers. */
static struct booking_block block_of(const json_t *appointment)
{
    struct booking_block block = {.agent_id = jx_str_or(appointment, "agent_id", ""),
                                  .resource = jx_str_or(appointment, "resource", BOOKING_ANY),
                                  .id = jx_str_or(appointment, "id", "")};
    bool date_only;

    if (clock_parse(jx_str_or(appointment, "starts_at", ""), &block.from_ms, &date_only) &&
        clock_parse(jx_str_or(appointment, "ends_at", ""), &block.to_ms, &date_only)) {
        block.from_ms -= BOOKING_BUFFER_MAX * BOOKING_MINUTE;
        block.to_ms += BOOKING_BUFFER_MAX * BOOKING_MINUTE;
    }
    return block;
}

/* Writes a changed record under its guard. */
static void put(struct changes *cs, const char *part, json_t *appointment, uint64_t rev)
{
    const char *id = jx_str(appointment, "id");

    CHECK(id != NULL);
    jx_set_time(appointment, "updated_at", clock_wall_ms());
    changes_expect(cs, KIND_APPOINTMENT, part, id, rev);
    changes_put(cs, KIND_APPOINTMENT, part, id, appointment);
}

static bool is_booked(const json_t *appointment)
{
    return strcmp(jx_str_or(appointment, "status", ""), "booked") == 0;
}

enum err booking_move(struct changes *cs, struct snapshot *snap, const char *part, const json_t *agent,
                      json_t *appointment, uint64_t rev, const json_t *given, const char **field,
                      struct buf *why)
{
    struct wish wish = {.service = NULL};

    if (!is_booked(appointment)) {
        return booking_fault(ERR_EXISTS, field, why, "/status", "the appointment is not open any more");
    }
    enum err rc = check_texts(given, field, why);
    rc = rc == ERR_OK ? read_service(agent, given, appointment, &wish, field, why) : rc;
    rc = rc == ERR_OK ? read_times(agent, given, &wish, field, why) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    struct calendar *calendar = calendar_new(cs, snap, part);
    struct booking_block old = block_of(appointment);
    struct booking_block block = {
        .agent_id = old.agent_id, .id = old.id, .from_ms = wish.from_ms, .to_ms = wish.to_ms};
    rc = choose(calendar, agent, &wish, &block, field, why);
    rc = rc == ERR_OK ? calendar_drop(calendar, &old) : rc;
    rc = rc == ERR_OK ? calendar_take(calendar, &block) : rc;
    calendar_free(calendar);
    if (rc == ERR_OK) {
        json_t *extra =
            json_pack("{s:{s:s, s:s}}", "previous", "starts_at", jx_str_or(appointment, "starts_at", ""),
                      "resource", jx_str_or(appointment, "resource", ""));
        take_text(appointment, given, "name");
        take_text(appointment, given, "notes");
        set_place(appointment, &wish, &block);
        jx_set_int(appointment, "sequence", jx_int(appointment, "sequence", 0) + 1);
        put(cs, part, appointment, rev);
        booking_tell(cs, snap, part, "appointment.booked", appointment, extra);
        booking_remind(cs, part, agent, appointment);
        json_decref(extra);
    }
    return rc;
}

enum err booking_cancel(struct changes *cs, struct snapshot *snap, const char *part, json_t *appointment,
                        uint64_t rev, const char *reason)
{
    if (!is_booked(appointment)) {
        return ERR_OK;
    }
    struct calendar *calendar = calendar_new(cs, snap, part);
    struct booking_block block = block_of(appointment);
    enum err rc = calendar_drop(calendar, &block);
    calendar_free(calendar);
    if (rc == ERR_OK) {
        json_t *extra = json_pack("{s:s?}", "reason", reason);
        jx_set_str(appointment, "status", "cancelled");
        jx_set_int(appointment, "sequence", jx_int(appointment, "sequence", 0) + 1);
        put(cs, part, appointment, rev);
        booking_tell(cs, snap, part, "appointment.cancelled", appointment, extra);
        json_decref(extra);
    }
    return rc;
}

enum err booking_note(struct changes *cs, const char *part, json_t *appointment, uint64_t rev,
                      const json_t *given, const char **field, struct buf *why)
{
    const char *status = jx_str(given, "status");
    enum err rc = check_texts(given, field, why);

    if (rc == ERR_OK && status != NULL && strcmp(status, jx_str_or(appointment, "status", "")) != 0 &&
        (strcmp(status, "done") != 0 || !is_booked(appointment))) {
        rc = booking_fault(ERR_INVALID, field, why, "/status",
                           "a booked appointment may become done or cancelled");
    }
    if (rc == ERR_OK) {
        if (status != NULL) {
            jx_set_str(appointment, "status", status);
        }
        take_text(appointment, given, "name");
        take_text(appointment, given, "notes");
        put(cs, part, appointment, rev);
    }
    return rc;
}

enum err booking_remove(struct changes *cs, struct snapshot *snap, const char *part,
                        const json_t *appointment, uint64_t rev)
{
    struct calendar *calendar = calendar_new(cs, snap, part);
    struct booking_block block = block_of(appointment);
    enum err rc = calendar_drop(calendar, &block);

    calendar_free(calendar);
    changes_expect(cs, KIND_APPOINTMENT, part, block.id, rev);
    changes_delete(cs, KIND_APPOINTMENT, part, block.id);
    return rc;
}

/* The sooner one first. */
static int by_start(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;

    return strcmp(jx_str_or(*x, "starts_at", ""), jx_str_or(*y, "starts_at", ""));
}

/* Collects a page's rows that are booked, of the agent, and still to come. */
static void collect(const struct store_page *page, const char *agent_id, const char *now, json_t **rows,
                    size_t *count)
{
    for (size_t i = 0; i < page->count && *count < PAGE; i++) {
        json_t *row = page->rows[i].body;
        if (is_booked(row) && strcmp(jx_str_or(row, "agent_id", ""), agent_id) == 0 &&
            strcmp(jx_str_or(row, "ends_at", ""), now) >= 0) {
            rows[(*count)++] = json_incref(row);
        }
    }
}

enum err booking_of_contact(struct snapshot *snap, const char *part, const char *agent_id,
                            const char *contact_id, json_t **appointments)
{
    char now[CLOCK_TEXT_SIZE];
    json_t *rows[PAGE];
    size_t count = 0;
    struct store_page page;
    struct page_query query = {.kind = KIND_APPOINTMENT,
                               .part = part,
                               .index = INDEX_APPOINTMENT_CONTACT,
                               .match = {contact_id},
                               .descending = true,
                               .limit = 10 * PAGE};

    *appointments = json_array();
    clock_rfc3339(clock_wall_ms(), now);
    enum err rc = snapshot_page(snap, &query, &page);
    if (rc != ERR_OK) {
        return rc;
    }
    collect(&page, agent_id, now, rows, &count);
    store_page_free(&page);
    if (count > 0) {
        qsort(rows, count, sizeof *rows, by_start);
    }
    for (size_t i = 0; i < count; i++) {
        jx_push(*appointments, rows[i]);
    }
    return ERR_OK;
}
