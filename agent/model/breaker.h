/* breaker.h: leaves a model server alone for a while that fails again and again.
 *
 * Kept for (base URL, model). BREAKER_FAILURES failures in a row of the classes server, overloaded and
 * timeout within BREAKER_WINDOW_MS open it: for BREAKER_OPEN_MS nobody asks; then one call is let through,
 * and what becomes of it closes the breaker or opens it again. Any answer that shows a working server counts
 * as success. Of this process, not stored. Thread: any. */
#ifndef CHASQUI_AGENT_MODEL_BREAKER_H
#define CHASQUI_AGENT_MODEL_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/model/errors.h"

#define BREAKER_FAILURES  5
#define BREAKER_WINDOW_MS 60000
#define BREAKER_OPEN_MS   30000

/* True if this server may be asked now; a true answer after the pause is the one probe. */
bool breaker_allows(const char *base_url, const char *model, int64_t now_ms);
/* How a call ended. */
void breaker_note(const char *base_url, const char *model, enum model_class class, int64_t now_ms);
void breaker_reset(void); /* tests */

#endif
