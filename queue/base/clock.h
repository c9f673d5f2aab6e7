/* clock.h: wall time for storage and people, monotonic time for deadlines; both replaceable in tests.
 *
 * All times are milliseconds. Wall times are since 1970-01-01 UTC. Thread: any. */
#ifndef CHASQUI_BASE_CLOCK_H
#define CHASQUI_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
/* Microseconds, for measuring durations. */
int64_t clock_mono_us(void);

/* Tests: adds to every later reading of the wall or the monotonic clock (process-wide, atomic). */
void clock_shift_wall(int64_t ms);
void clock_shift_mono(int64_t ms);

#define CLOCK_TEXT_SIZE 32
/* RFC 3339 UTC: "2026-05-10T14:22:01Z", or with .mmm before the Z. Returns out. */
char *clock_rfc3339(int64_t wall_ms, char out[CLOCK_TEXT_SIZE]);
char *clock_rfc3339_ms(int64_t wall_ms, char out[CLOCK_TEXT_SIZE]);
/* Parses an RFC 3339 date-time (any offset) or a bare date (midnight UTC; *date_only says which). */
bool clock_parse(const char *text, int64_t *wall_ms, bool *date_only);

#endif
