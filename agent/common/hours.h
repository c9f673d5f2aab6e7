/* hours.h: weekly hours with exceptions, in a time zone: the business's own, a resource's.
 *
 * {"time_zone": "Europe/Madrid", "weekly": {"mon": [["09:00", "13:00"], ["16:00", "20:00"]], ...},
 * "exceptions":
 * [{"date": "2026-12-25", "hours": []}]}; an exception replaces its day; "24:00" ends a day. Local times that
 * a change to summer time skips or repeats are resolved as ICU does (earlier offset for the repeated hour).
 * Where "weekly" is absent the place is always open. Thread: any. */
#ifndef CHASQUI_AGENT_HOURS_H
#define CHASQUI_AGENT_HOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"

struct hours_span {
    int64_t from_ms, to_ms; /* wall time, UTC */
};
/* Whether what a caller gave is well formed; ERR_INVALID: *field is a JSON pointer inside hours. */
enum err hours_check(const json_t *hours, const char **field, struct buf *why) MUST_CHECK;
bool hours_open(const json_t *hours, int64_t at_ms);
/* The open spans of the local day that holds at_ms, in order; returns how many (at most max). */
size_t hours_of_day(const json_t *hours, int64_t at_ms, struct hours_span *spans, size_t max);
/* The next moment from at_ms on at which it is open; -1 if there is none within 370 days. */
int64_t hours_next_open(const json_t *hours, int64_t at_ms);
/* "Mon 09:00-13:00, 16:00-20:00; ..." for prompts and away texts. */
void hours_text(const json_t *hours, struct buf *out);

#endif
