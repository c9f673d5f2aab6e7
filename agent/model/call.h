/* call.h: one generation at a model server, whatever it speaks: the transfer, its times, its end.
 *
 * A wire is what differs between servers: where to post, what, with which headers, and how an answer reads.
 * A call is one transfer, or a second one when the server refused a parameter that can be left out; waiting
 * and retrying after anything else is the turn's affair. The server's address passes the private-address
 * defence like every URL that a customer chose. Neither prompt nor answer nor key reaches the log. Thread:
 * the loop of the httpc. */
#ifndef CHASQUI_AGENT_MODEL_CALL_H
#define CHASQUI_AGENT_MODEL_CALL_H

#include "agent/model/chat_reader.h"
#include "agent/model/prompt.h"

#define WIRE_LINES     3
#define WIRE_LINE_SIZE 4200

struct wire {
    const char *path; /* behind the base URL */
    json_t *(*body)(const struct model_config *config, const struct prompt *prompt, unsigned mask);
    /* Writes header lines that carry the key and the like; returns how many. They are wiped afterwards. */
    size_t (*lines)(const struct model_config *config, char lines[WIRE_LINES][WIRE_LINE_SIZE]);
    chat_take_fn take;
    const char *request_id; /* the header that names the request */
};
extern const struct wire openai_wire, anthropic_wire;

/* A chat-completions request; mask: what to leave out (dialect.h). Only what the operator set or every server
 * needs is sent. New reference. */
json_t *openai_body(const struct model_config *config, const struct prompt *prompt, unsigned mask);
/* base URL + path, before a query if there is one; what the base URL ends with already is not said twice. */
char *call_url(const char *base_url, const char *path, struct arena *arena);
struct model_call *call_start(const struct wire *wire, const struct model_config *config,
                              const struct model_request *request, struct httpc *http, model_event_fn fn,
                              void *arg);
void call_cancel(struct model_call *call);

#endif
