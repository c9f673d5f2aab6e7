/* openai_request.h: our request as a chat-completions call. Thread: any. */
#ifndef CHASQUI_AGENT_MODEL_OPENAI_REQUEST_H
#define CHASQUI_AGENT_MODEL_OPENAI_REQUEST_H

#include "agent/model/prompt.h"

/* The call's JSON; mask: what to leave out (dialect.h). Only what the operator set or every server needs is
 * sent. New reference. */
json_t *openai_body(const struct model_config *config, const struct prompt *prompt, unsigned mask);
/* base URL + "/chat/completions", before a query if there is one. */
char *openai_url(const char *base_url, struct arena *arena);

#endif
