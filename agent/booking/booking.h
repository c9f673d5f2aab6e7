/* booking.h: services, resources, free slots, and appointments of which two never share a place.
 *
 * Settings of an agent ("settings": {"appointments"}): {"enabled", "time_zone", "services": [{"id", "name",
 * "minutes", "buffer_before"?, "buffer_after"?, "resources": [id], "price"?}], "resources": [{"id", "name",
 * "capacity"?, "hours"?, "exceptions"?}], "hours", "exceptions", "slot_minutes"?, "notice_minutes"?,
 * "horizon_days"?, "reminders": [{"before_minutes", "text"? | "template"?}]}; hours as in
 * agent/common/hours.h. Record:
 * {"id", "agent_id", "contact_id"|null, "conversation_id"|null, "service", "resource", "starts_at",
 * "ends_at", "status": "booked|cancelled|done", "name"?, "notes"?, "sequence", "created_at", "updated_at"}.
 *
 * Invariant: KIND_CALENDAR "AGENT/RESOURCE/DAY" lists what is taken on that day (UTC days, buffers included);
 * every booking writes it with a guard on its revision, so of two bookings of one slot exactly one commits
 * and the other gets ERR_CONFLICT, reads again and finds it taken. Events
 * appointment.booked|cancelled|reminder stand in the change-set of their cause. Thread: any. */
#ifndef CHASQUI_AGENT_BOOKING_BOOKING_H
#define CHASQUI_AGENT_BOOKING_BOOKING_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

struct booking_search {
    const char *service;  /* id or name; NULL: the only one */
    const char *resource; /* id; NULL: any that does the service */
    int64_t from_ms, to_ms;
    unsigned limit; /* 0: 20 */
};
/* Free slots: [{"starts_at", "ends_at", "service", "resource", "local": "Tue 24 Nov, 10:30"}], new reference.
 */
enum err booking_slots(struct snapshot *snap, const char *part, const json_t *agent,
                       const struct booking_search *search, json_t **slots, const char **field,
                       struct buf *why) MUST_CHECK;
/* Books wish {"service"?, "resource"?, "starts_at" (RFC 3339, or local without offset: the agent's zone),
 * "name"?, "notes"?}. conversation may be NULL (wish then may name "contact_id"). ERR_INVALID names the
 * field; ERR_EXISTS: the slot is taken or closed, why says so. New reference in *appointment. */
enum err booking_book(struct changes *cs, struct snapshot *snap, const char *part, const json_t *agent,
                      const json_t *conversation, const json_t *wish, json_t **appointment,
                      const char **field, struct buf *why) MUST_CHECK;
/* Moves it to another time (and resource); both days are guarded. appointment is changed in place. */
enum err booking_move(struct changes *cs, struct snapshot *snap, const char *part, const json_t *agent,
                      json_t *appointment, uint64_t rev, const json_t *wish, const char **field,
                      struct buf *why) MUST_CHECK;
/* Cancels; a second time changes nothing. */
enum err booking_cancel(struct changes *cs, struct snapshot *snap, const char *part, json_t *appointment,
                        uint64_t rev, const char *reason) MUST_CHECK;
/* The contact's coming appointments with this agent, soonest first: array, new reference. */
enum err booking_of_contact(struct snapshot *snap, const char *part, const char *agent_id,
                            const char *contact_id, json_t **appointments) MUST_CHECK;

/* The section "appointments" of an agent's settings, as it would be stored: ERR_INVALID: *field is a JSON
 * pointer inside it (good until the thread's next call here). */
enum err booking_settings_check(const json_t *section, const char **field, struct buf *why) MUST_CHECK;
bool booking_enabled(const json_t *agent);
/* A change that moves nothing: {"status": "done"?, "name"?, "notes"?}; null unsets. appointment is changed in
 * place. */
enum err booking_note(struct changes *cs, const char *part, json_t *appointment, uint64_t rev,
                      const json_t *body, const char **field, struct buf *why) MUST_CHECK;
/* Removes the record and gives the place back, without event. */
enum err booking_remove(struct changes *cs, struct snapshot *snap, const char *part,
                        const json_t *appointment, uint64_t rev) MUST_CHECK;
/* "Haircut, Tue 24 Nov, 10:30 (Europe/Madrid)": the appointment as it is told to the customer. */
void booking_text(const json_t *agent, const json_t *appointment, struct buf *out);

struct workers;
/* The handler of QUEUE_REMINDER. */
void booking_register(struct workers *workers);

#endif
