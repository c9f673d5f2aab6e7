/* schedule.h: when an event delivery is tried again. Thread: any. */
#ifndef CHASQUI_WEBHOOKS_SCHEDULE_H
#define CHASQUI_WEBHOOKS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* The delay before attempt number `attempt` (from 1) of a schedule "0,5,300" in seconds, times 0.8 to 1.2.
 * busy: at least a minute. retry_after ("" for none: seconds or an HTTP date) counts between the delay and
 * twice that. False: no such attempt. */
bool schedule_delay(const char *schedule, unsigned attempt, bool busy, const char *retry_after,
                    int64_t *delay_ms);

#endif
