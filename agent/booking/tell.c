/* tell.c: an appointment in words and in events. */
#include <string.h>

#include "agent/booking/booking_int.h"

#include "queue/base/clock.h"
#include "queue/base/zone.h"
#include "queue/events.h"

static const char *const day_names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
static const char *const month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void booking_local(const char *zone, int64_t at_ms, struct buf *out)
{
    struct zone_time at;

    zone_local(zone, at_ms, &at);
    buf_addf(out, "%s %d %s, %02d:%02d", day_names[at.weekday], at.day, month_names[at.month - 1], at.hour,
             at.minute);
}

void booking_text(const json_t *agent, const json_t *appointment, struct buf *out)
{
    const char *id = jx_str_or(appointment, "service", "");
    const json_t *service = booking_service(agent, id, NULL, NULL);
    int64_t at_ms = 0;
    bool date_only;

    if (clock_parse(jx_str_or(appointment, "starts_at", ""), &at_ms, &date_only)) {
        buf_addf(out, "%s, ", jx_str_or(service, "name", id));
        booking_local(booking_zone(agent), at_ms, out);
        buf_addf(out, " (%s)", booking_zone(agent));
    }
}

void booking_tell(struct changes *cs, struct snapshot *snap, const char *part, const char *type,
                  const json_t *appointment, const json_t *extra)
{
    struct event_about about = {.agent_id = jx_str(appointment, "agent_id"),
                                .conversation_id = jx_str(appointment, "conversation_id")};
    json_t *data = json_object(), *shown = json_deep_copy(appointment);

    jx_set(data, "appointment", shown);
    if (extra != NULL) {
        json_object_update(data, (json_t *)extra);
    }
    event_append(cs, snap, part, type, &about, data, NULL);
    json_decref(data);
}
