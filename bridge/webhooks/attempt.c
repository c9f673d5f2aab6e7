/* attempt.c: what an answer means for a delivery, and what a row of them means for its endpoint. */
#include "bridge/webhooks/attempt.h"

#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/option.h"

enum attempt_end attempt_judge(const struct httpc_answer *answer)
{
    if (!answer->head_done || answer->outcome == HTTPC_BLOCKED || answer->outcome == HTTPC_UNREACHED) {
        return ATTEMPT_RETRY;
    }
    if (answer->status >= 200 && answer->status < 300) {
        return ATTEMPT_DELIVERED; /* whatever becomes of a body that we do not need */
    }
    return answer->status == 410 ? ATTEMPT_GONE : ATTEMPT_RETRY;
}

bool attempt_is_busy(const struct httpc_answer *answer)
{
    long status = answer->status;
    return answer->outcome == HTTPC_TIMEOUT || status == 429 || status == 502 || status == 503 ||
           status == 504;
}

/* Switches the endpoint off for a reason. */
static const char *disable(json_t *webhook, const char *reason)
{
    jx_set_str(webhook, "status", "disabled");
    jx_set_str(webhook, "reason", reason);
    return "webhook.disabled";
}

const char *endpoint_judge(json_t *webhook, enum attempt_end end, int64_t now_ms)
{
    int64_t since_ms;
    bool date_only;
    const char *since = jx_str(webhook, "failing_since");
    if (strcmp(jx_str_or(webhook, "status", ""), "disabled") == 0) {
        return NULL;
    }
    if (end == ATTEMPT_DELIVERED) {
        jx_set_str(webhook, "status", "active");
        json_object_del(webhook, "failing_since");
        json_object_del(webhook, "warned");
        return NULL;
    }
    if (end == ATTEMPT_GONE) {
        return disable(webhook, "the endpoint answered 410 Gone");
    }
    if (since == NULL || !clock_parse(since, &since_ms, &date_only)) {
        jx_set_time(webhook, "failing_since", now_ms);
        return NULL;
    }
    if (now_ms - since_ms >= option_int(OPT_EVENT_DISABLE)) {
        return disable(webhook, "nothing but failures for too long");
    }
    if (now_ms - since_ms >= option_int(OPT_EVENT_DISABLE) / 2 && !jx_bool(webhook, "warned", false)) {
        jx_set_str(webhook, "status", "failing");
        jx_set_bool(webhook, "warned", true);
        return "webhook.failing";
    }
    return NULL;
}
