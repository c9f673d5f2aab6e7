/* tongue.h: what is said to a customer in their own language where the agent has no words of its own.
 *
 * The rows are agent/common/tbl_tongue.h. Thread: any. */
#ifndef CHASQUI_AGENT_TONGUE_H
#define CHASQUI_AGENT_TONGUE_H

#include "queue/base/json.h"

struct tongue {
    const char *language; /* "en" */
    const char *announce, *announce_unsure, *unknown, *clarify, *topics;
};

/* The row of the language in which the customer writes: of question, else of the newest message of history
 * (array of messages, may be NULL) that shows it; English if none does. */
const struct tongue *tongue_of(const char *question, const json_t *history);

#endif
