/* attempt.h: what an endpoint's answer means, for the delivery and for the endpoint. Thread: any. */
#ifndef CHASQUI_WEBHOOKS_ATTEMPT_H
#define CHASQUI_WEBHOOKS_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/base/httpc.h"
#include "queue/base/json.h"

enum attempt_end {
    ATTEMPT_DELIVERED,
    ATTEMPT_RETRY,
    ATTEMPT_FAILED, /* the schedule is used up */
    ATTEMPT_GONE,   /* 410: the endpoint is switched off */
};
/* DELIVERED, RETRY or GONE. */
enum attempt_end attempt_judge(const struct httpc_answer *answer);
/* True if the endpoint is overloaded rather than broken: the next attempt waits at least a minute. */
bool attempt_is_busy(const struct httpc_answer *answer);
/* Moves the endpoint's state; webhook is changed in place. Returns the event to tell of it, NULL for none. */
const char *endpoint_judge(json_t *webhook, enum attempt_end end, int64_t now_ms);

#endif
