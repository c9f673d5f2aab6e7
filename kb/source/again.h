/* again.h: which failures of a fetch are worth another attempt, and when it comes.
 *
 * A site that cannot be reached, is slow, breaks off or is in trouble (408, 425, 429, 5xx) is asked
 * AGAIN_MOST times in all: the waits between are 1, 4 and 20 times the option knowledge.retry_first, give or
 * take a fifth, or as long as the site's Retry-After asks (RFC 9110, 10.2.3), an hour at most. Anything else
 * will not be better later. Thread: any. */
#ifndef CHASQUI_KB_SOURCE_AGAIN_H
#define CHASQUI_KB_SOURCE_AGAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/base/httpc.h"

#define AGAIN_MOST    4
#define AGAIN_WAIT_MS (60 * 60 * 1000) /* longest wait */

/* True if the same request may bring the page later. */
bool again_worth(enum httpc_outcome outcome, long status);
/* What Retry-After asks for, in ms from now; 0 if nothing that can be read. */
int64_t again_asked_ms(const char *retry_after, int64_t now_ms);
/* The wait behind failed attempt number `attempt` (from 1). False: it was the last. */
bool again_wait(unsigned attempt, int64_t first_ms, int64_t asked_ms, int64_t *wait_ms);

#endif
