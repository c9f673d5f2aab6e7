/* dialect.h: what a model server was found not to understand, remembered for (base URL, model).
 *
 * A 400 that names a parameter makes us leave it out from then on; nothing is configured. Thread: any. */
#ifndef CHASQUI_AGENT_MODEL_DIALECT_H
#define CHASQUI_AGENT_MODEL_DIALECT_H

#include <stdbool.h>

#define DIALECT_NO_STREAM_OPTIONS 1u
#define DIALECT_NO_TEMPERATURE    2u
#define DIALECT_COMPLETION_TOKENS 4u /* max_completion_tokens in place of max_tokens */
#define DIALECT_NO_TOKEN_LIMIT    8u
#define DIALECT_NO_SCHEMA         16u /* no response_format */

unsigned dialect_get(const char *base_url, const char *model);
/* Learns from a refused parameter. True if that was news, so that another try makes sense. */
bool dialect_learn(const char *base_url, const char *model, const char *param);
void dialect_reset(void); /* tests */

#endif
