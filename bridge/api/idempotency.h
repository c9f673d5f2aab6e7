/* idempotency.h: the same POST twice has one effect.
 *
 * A record (KIND_IDEMPOTENCY, id = hash of route and Idempotency-Key, in the caller's partition) is committed
 * with the effect: {"print": hash of method, path and body, "status", "answer" (sealed JSON), "created_at"}.
 * So a crash between effect and answer is no doubt: the retry gets the first answer. Requests under way are
 * held in memory. Kept 24 h. */
#ifndef CHASQUI_API_IDEMPOTENCY_H
#define CHASQUI_API_IDEMPOTENCY_H

#include "bridge/api/call.h"

#define IDEMPOTENCY_KEEP_MS (24 * 3600 * (int64_t)1000)

struct inflight *inflight_new(void);
void inflight_free(struct inflight *inflight);

/* Reads the header of a POST. False: the call has ended (bad header, replayed answer, other body, still
 * running). */
bool idempotency_begin(struct call *c);
/* Adds the record with this answer to the run's changes. */
void idempotency_add(struct call *c, int status, const json_t *answer);
/* The call is over. */
void idempotency_end(struct call *c);

#endif
