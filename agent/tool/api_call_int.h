/* api_call_int.h: what the halves of api_call.h share. Private to the room. */
#ifndef CHASQUI_AGENT_API_CALL_INT_H
#define CHASQUI_AGENT_API_CALL_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/base/json.h"

#define API_CALL_MS_MIN     100
#define API_CALL_MS_MAX     30000
#define API_CALL_MS_DEFAULT 10000

/* Bytes of "scheme://host[:port]" at the front of a URL, 0 if it does not begin as one of http. */
size_t api_call_host(const char *url);
/* True if a segment of the path is . or .., however spelt. */
bool api_call_dotted(const char *url);
/* Whether an answer may be saved under this name. */
bool api_call_save_name(const char *name);

/* A copy of value in which none of the texts (array of strings) stands. */
json_t *api_call_redact(const json_t *value, const json_t *texts);

#endif
