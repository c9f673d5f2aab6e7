/* errors.h: the classes in which a generation can end, one row each; what each means for the turn.
 *
 * Every provider's spelling of an error is classified once, here; the turn, the trace and the log use these
 * words. The shapes are those of OpenAI, Azure, vLLM, llama.cpp, Ollama, OpenRouter and Anthropic as met in
 * the field. Thread: any. */
#ifndef CHASQUI_AGENT_MODEL_ERRORS_H
#define CHASQUI_AGENT_MODEL_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/httpc.h"
#include "queue/base/json.h"

/* What the turn does: go on, try again (after backoff or the server's wait), try again with less context, or
 * stop. */
enum model_act { ACT_NONE, ACT_RETRY, ACT_SHRINK, ACT_STOP };

/*   symbol               name            act         what happened */
#define MODEL_CLASS_TABLE(X)                                                                              \
    X(MODEL_OK, "ok", ACT_NONE, "a complete answer")                                                      \
    X(MODEL_RATE_LIMITED, "rate_limited", ACT_RETRY, "too many requests")                                 \
    X(MODEL_QUOTA, "quota", ACT_STOP, "the account at the provider has no credit left")                   \
    X(MODEL_OVERLOADED, "overloaded", ACT_RETRY, "the provider has no capacity, or the model is loading") \
    X(MODEL_SERVER, "server", ACT_RETRY, "the provider failed, broke off, or cut its stream")             \
    X(MODEL_TIMEOUT, "timeout", ACT_RETRY, "the provider did not answer in time")                         \
    X(MODEL_EMPTY, "empty", ACT_RETRY, "an answer without text")                                          \
    X(MODEL_MALFORMED, "malformed", ACT_RETRY, "an answer that is too large or cannot be understood")     \
    X(MODEL_CONTEXT, "context", ACT_SHRINK, "the prompt is too long for the model")                       \
    X(MODEL_PARAMETER, "parameter", ACT_STOP, "the server refuses a parameter")                           \
    X(MODEL_AUTH, "auth", ACT_STOP, "the key is refused")                                                 \
    X(MODEL_NOT_FOUND, "not_found", ACT_STOP, "there is no such model or path")                           \
    X(MODEL_BAD_REQUEST, "bad_request", ACT_STOP, "the server refuses the request")                       \
    X(MODEL_FILTERED, "filtered", ACT_STOP, "the provider's content filter, or a refusal")                \
    X(MODEL_BLOCKED, "blocked", ACT_STOP, "the server's address may not be reached from here")            \
    X(MODEL_UNAVAILABLE, "unavailable", ACT_STOP, "it failed so often that it is left alone for a while") \
    X(MODEL_BUDGET, "budget", ACT_STOP, "the account's own budget is used up")                            \
    X(MODEL_CONFIG, "config", ACT_STOP, "the agent's model settings cannot be used")                      \
    X(MODEL_CANCELLED, "cancelled", ACT_STOP, "given up by us")

enum model_class {
#define X(symbol, name, act, text) symbol,
    MODEL_CLASS_TABLE(X)
#undef X
        MODEL_CLASS_COUNT
};

const char *model_class_name(enum model_class class);
enum model_act model_class_act(enum model_class class);

/* The class of a body that holds an error, whatever its shape; body may be NULL (then the status alone
 * decides). status: 200 for an error inside a stream. */
enum model_class model_error_class(long status, const json_t *body);
/* The class of a transfer that brought no complete HTTP answer. */
enum model_class model_outcome_class(enum httpc_outcome outcome);
/* True if the body is, or holds, an error: error (object or text), object "error", type "error", detail. */
bool model_is_error(const json_t *body);
/* The parameter a 400 complains about, NULL if it names none that we know how to leave out. */
const char *model_error_param(const json_t *body);
/* The wait a server asks for in ms: retry-after-ms, then Retry-After in (fractional) seconds, then as HTTP
 * date; -1 if none. */
int64_t model_retry_after(const char *retry_after_ms, const char *retry_after, int64_t now_ms);

#endif
