/* sections.h: sections of an agent's settings that rooms of their own judge: hours, leads, appointments,
 * rules of handoff. Thread: any. */
#ifndef CHASQUI_AGENT_SECTIONS_H
#define CHASQUI_AGENT_SECTIONS_H

#include "queue/base/buf.h"
#include "queue/base/error.h"
#include "queue/base/json.h"

/* Drops nulls inside the sections and judges them as they would be stored. ERR_INVALID: *field is a JSON
 * pointer from the agent's root, good until the thread's next call. */
enum err sections_check(json_t *agent, const char **field, struct buf *why) MUST_CHECK;

#endif
