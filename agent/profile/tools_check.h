/* tools_check.h: whether the tools that an agent declares can be used. Thread: any. */
#ifndef CHASQUI_AGENT_PROFILE_TOOLS_CHECK_H
#define CHASQUI_AGENT_PROFILE_TOOLS_CHECK_H

#include "queue/base/buf.h"
#include "queue/base/error.h"
#include "queue/base/json.h"

/* Checks an agent's "tools" or "mcp_servers". ERR_INVALID: *field is a pointer, good until the thread's next
 * call. */
enum err tools_check(const json_t *agent, const char **field, struct buf *why) MUST_CHECK;

#endif
