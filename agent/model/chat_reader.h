/* chat_reader.h: what a chat-completions server answers, whole or as a stream, as text and one class.
 *
 * Goes by the first byte, not by the content type, which some servers get wrong: '{' or '[' is a JSON answer,
 * anything else a stream of events. A stream that ends with neither a finish reason nor [DONE] is an error,
 * not a success. Reasoning texts are dropped. Thread: one at a time. */
#ifndef CHASQUI_AGENT_MODEL_CHAT_READER_H
#define CHASQUI_AGENT_MODEL_CHAT_READER_H

#include "agent/model/model.h"
#include "agent/model/sse.h"
#include "agent/model/think.h"

#define CHAT_NAME_SIZE 80

typedef void (*chat_text_fn)(const char *text, size_t size, void *arg);

struct chat_reader {
    enum { CHAT_SNIFF, CHAT_STREAM, CHAT_OBJECT } form;
    struct sse sse;
    struct think think;
    struct buf body; /* a JSON answer, or an error's body */
    chat_text_fn fn;
    void *arg;
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

void chat_reader_init(struct chat_reader *r, chat_text_fn fn, void *arg);
void chat_reader_fini(struct chat_reader *r);
/* status: the answer's HTTP status; text comes from 2xx answers only. False: enough, break off. */
bool chat_reader_feed(struct chat_reader *r, const char *data, size_t size, long status);
/* The transfer is over, with this class (MODEL_OK: complete). The class of the whole; r->param is set for
 * MODEL_PARAMETER. */
enum model_class chat_reader_end(struct chat_reader *r, enum model_class transfer, long status);

#endif
