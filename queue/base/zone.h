/* zone.h: wall time in a named time zone (IANA names), by ICU. Thread: any.
 */
#ifndef CHASQUI_BASE_ZONE_H
#define CHASQUI_BASE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

struct zone_time {
    int year, month, day; /* month 1..12 */
    int hour, minute, second;
    int weekday;  /* 0 Monday .. 6 Sunday */
    int offset_s; /* of UTC */
};
bool zone_known(const char *name);
/* UTC ms -> local time. An unknown name reads as UTC. */
void zone_local(const char *name, int64_t at_ms, struct zone_time *out);
/* Local time (year..second; out of range values carry) -> UTC ms: a skipped time moves on by the gap, a
 * repeated one is its first. */
int64_t zone_utc_ms(const char *name, const struct zone_time *local);

#endif
