/* schedule.c: from a list of seconds, chance and Retry-After to the wait before the next attempt. */
#include "bridge/webhooks/schedule.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue/base/clock.h"
#include "queue/base/crypto.h"

#define BUSY_LEAST_MS 60000

/* The n-th number of the list, from 1. False: the list is shorter. */
static bool nth(const char *schedule, unsigned n, int64_t *seconds)
{
    const char *at = schedule;
    for (unsigned i = 1; *at != '\0'; i++) {
        char *end;
        long long value = strtoll(at, &end, 10);
        if (end == at) {
            return false;
        }
        if (i == n) {
            *seconds = value > 0 ? value : 0;
            return true;
        }
        at = end + strspn(end, ", ");
    }
    return false;
}

/* Retry-After in ms from now, 0 if there is none that can be read. */
static int64_t retry_after_ms(const char *text)
{
    struct tm tm;
    char *end;
    memset(&tm, 0, sizeof(tm));
    if (text[0] >= '0' && text[0] <= '9') {
        long long seconds = strtoll(text, &end, 10);
        return *end == '\0' && seconds < 1000000 ? seconds * 1000 : 0;
    }
    const char *rest = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (rest == NULL || *rest != '\0') {
        return 0;
    }
    int64_t wait = (int64_t)timegm(&tm) * 1000 - clock_wall_ms();
    return wait > 0 ? wait : 0;
}

bool schedule_delay(const char *schedule, unsigned attempt, bool busy, const char *retry_after,
                    int64_t *delay_ms)
{
    int64_t seconds;
    if (!nth(schedule, attempt, &seconds)) {
        return false;
    }
    int64_t delay = seconds * (int64_t)(800 + random_below(401));
    if (busy && delay < BUSY_LEAST_MS) {
        delay = BUSY_LEAST_MS;
    }
    int64_t asked = retry_after_ms(retry_after);
    if (asked > delay) {
        delay = asked < 2 * delay ? asked : 2 * delay;
    }
    *delay_ms = delay;
    return true;
}
