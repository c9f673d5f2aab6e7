/* args.h: arguments of a tool against its JSON Schema.
 *
 * The part of JSON Schema that tools use: type (one name or a list), enum, const, properties, required,
 * additionalProperties (true or false), items, minItems, maxItems, minLength, maxLength, minimum, maximum.
 * Other keywords are passed over; what a model writes is judged by those here, whatever the model's server
 * promises. Nesting is followed ARGS_DEPTH levels; what lies deeper is refused. Thread: any. */
#ifndef CHASQUI_AGENT_TOOL_ARGS_H
#define CHASQUI_AGENT_TOOL_ARGS_H

#include <stdbool.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"

#define ARGS_DEPTH      8
#define ARGS_SCHEMA_MAX 16384 /* bytes of a declared schema as text */

/* False: why names the place and what is expected, fit to be told to the model. */
bool args_check(const json_t *schema, const json_t *value, struct buf *why);
/* Whether a declared schema can stand for a tool's arguments: an object schema of bounded size. */
bool args_schema_ok(const json_t *schema, struct buf *why);

#endif
