/* transcribe.h: one call of a speech-to-text server that speaks OpenAI's POST /audio/transcriptions.
 *
 * The address is a customer's and passes the private-address defence. Neither sound nor words nor key reach
 * the log. Thread: the loop of the httpc that is used. */
#ifndef CHASQUI_AGENT_TRANSCRIBE_H
#define CHASQUI_AGENT_TRANSCRIBE_H

#include <stddef.h>

#include "queue/base/json.h"

struct httpc;

enum transcribe_outcome { TRANSCRIBE_DONE, TRANSCRIBE_LATER, TRANSCRIBE_REFUSED };
/* Good until the callback returns. */
struct transcribe_result {
    enum transcribe_outcome outcome;
    const char *text;          /* DONE: never empty */
    const char *code, *detail; /* why not */
};
typedef void (*transcribe_done_fn)(const struct transcribe_result *result, void *arg);

struct transcribe_call {
    const char *part;
    const json_t *agent;
    const char *sha256;    /* the blob */
    const char *mime_type; /* of its bytes */
    int total_ms;
};
/* Reads the call before it returns. done exactly once, later or at once. */
void transcribe_start(struct httpc *http, const struct transcribe_call *call, transcribe_done_fn done,
                      void *arg);

#endif
