/* chat_reader.h: what a model server answers, whole or as a stream, as text, tool calls and one class.
 *
 * The framing is the same for all; what one JSON value says is told by a take function: chat_reader_take for
 * chat completions, another for Anthropic Messages.
 * Goes by the first byte, not by the content type, which some servers get wrong: '{' or '[' is a JSON answer,
 * anything else a stream of events. A stream that ends with neither a finish reason nor [DONE] is an error,
 * not a success. Reasoning texts are dropped. Thread: one at a time. */
#ifndef CHASQUI_AGENT_MODEL_CHAT_READER_H
#define CHASQUI_AGENT_MODEL_CHAT_READER_H

#include "agent/model/model.h"
#include "agent/model/sse.h"
#include "agent/model/think.h"
#include "agent/model/tool_calls.h"

#define CHAT_NAME_SIZE 80

typedef void (*chat_text_fn)(const char *text, size_t size, void *arg);

struct chat_reader;
/* One JSON value of an answer that is no error: an event of a stream, or (whole) all of it. */
typedef void (*chat_take_fn)(struct chat_reader *r, const json_t *root, bool whole);

struct chat_reader {
    enum { CHAT_SNIFF, CHAT_STREAM, CHAT_OBJECT } form;
    struct sse sse;
    struct think think;
    struct buf body; /* a JSON answer, or an error's body */
    chat_take_fn take;
    chat_text_fn fn;
    void *arg;
    struct tool_calls calls;
    size_t text_size;
    bool finished; /* a finish reason came */
    bool done;     /* [DONE] came */
    bool refused;
    bool truncated;
    bool visible;           /* some text is not blank */
    enum model_class fault; /* MODEL_OK while none */
    char param[CHAT_NAME_SIZE];
    char model[CHAT_NAME_SIZE];
    struct model_usage usage;
};

void chat_reader_init(struct chat_reader *r, chat_take_fn take, chat_text_fn fn, void *arg);
void chat_reader_fini(struct chat_reader *r);
/* status: the answer's HTTP status; text comes from 2xx answers only. False: enough, break off. */
bool chat_reader_feed(struct chat_reader *r, const char *data, size_t size, long status);
/* The transfer is over, with this class (MODEL_OK: complete). The class of the whole; r->param is set for
 * MODEL_PARAMETER. */
enum model_class chat_reader_end(struct chat_reader *r, enum model_class transfer, long status);

/* Chat completions: "choices" with "delta" or "message". */
void chat_reader_take(struct chat_reader *r, const json_t *root, bool whole);

/* ---- for take functions ---- */
void chat_reader_text(struct chat_reader *r, const json_t *text); /* a string; else nothing */
void chat_reader_model(struct chat_reader *r, const char *name);

#endif
