/* booking_int.h: what the files of this room share. Private to the room. */
#ifndef CHASQUI_AGENT_BOOKING_INT_H
#define CHASQUI_AGENT_BOOKING_INT_H

#include "agent/booking/booking.h"

#define BOOKING_MINUTE      60000
#define BOOKING_DAY         (1440 * (int64_t)BOOKING_MINUTE)
#define BOOKING_BUFFER_MAX  240  /* minutes */
#define BOOKING_SERVICE_MAX 1440 /* minutes */
#define BOOKING_RESOURCES   50
#define BOOKING_ANY         "main" /* the one resource of an agent that names none */

/* ---- settings.c ---- */
/* The section of an agent, NULL if it has none. */
const json_t *booking_settings(const json_t *agent);
/* The zone in which the agent's appointments are told. */
const char *booking_zone(const json_t *agent);
/* A service by id or name; NULL name: the only one. NULL: *field and why say what is wrong. */
const json_t *booking_service(const json_t *agent, const char *name, const char **field, struct buf *why);
/* The ids of the resources that do a service, the wanted one alone if it is among them; returns how many. */
size_t booking_resources(const json_t *agent, const json_t *service, const char *wanted,
                         const char *ids[BOOKING_RESOURCES]);
/* When a resource is there, in the shape of agent/hours.h. New reference. */
json_t *booking_hours(const json_t *agent, const char *resource);
unsigned booking_capacity(const json_t *agent, const char *resource);
int64_t booking_minutes(const json_t *agent, const char *name, int64_t fallback);
/* A fault of a caller's wish. */
enum err booking_fault(enum err rc, const char **field, struct buf *why, const char *pointer,
                       const char *reason);

/* ---- calendar.c: what is taken ---- */
struct booking_block {
    const char *agent_id, *resource, *id; /* id: of the appointment */
    int64_t from_ms, to_ms;               /* buffers included */
};
/* Reads of days, kept for one search. */
struct calendar;
struct calendar *calendar_new(struct changes *cs, struct snapshot *snap, const char *part);
void calendar_free(struct calendar *calendar);
/* True if fewer than capacity others stand in any moment of the block. ERR only of the store. */
enum err calendar_is_free(struct calendar *calendar, const struct booking_block *block, unsigned capacity,
                          bool *is_free) MUST_CHECK;
/* Takes or gives back the block on each of its days: guards and writes into the calendar's change-set. */
enum err calendar_take(struct calendar *calendar, const struct booking_block *block) MUST_CHECK;
enum err calendar_drop(struct calendar *calendar, const struct booking_block *block) MUST_CHECK;

/* ---- tell.c ---- */
/* The time of an appointment as people say it: "Tue 24 Nov, 10:30". */
void booking_local(const char *zone, int64_t at_ms, struct buf *out);
/* The event about an appointment; extra (may be NULL) joins the data. */
void booking_tell(struct changes *cs, struct snapshot *snap, const char *part, const char *type,
                  const json_t *appointment, const json_t *extra);

/* ---- remind.c ---- */
/* Plans the reminders of an appointment as it stands in this change-set. */
void booking_remind(struct changes *cs, const char *part, const json_t *agent, const json_t *appointment);

#endif
