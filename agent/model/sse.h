/* sse.h: takes a stream of server-sent events apart (WHATWG HTML, "Server-sent events").
 *
 * Bytes come in pieces of any size: a read may end inside a character, inside CR LF, inside a field name.
 * Lines end with LF, CR LF or CR; lines that begin with a colon are comments; several data lines of one event
 * are joined by a newline; a last event without its empty line is still given at the end. Bounds: one event
 * EVENT_MAX, the stream STREAM_MAX bytes. Thread: one at a time. */
#ifndef CHASQUI_AGENT_MODEL_SSE_H
#define CHASQUI_AGENT_MODEL_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/base/buf.h"
#include "queue/base/error.h"

#define SSE_EVENT_MAX  (256u << 10)
#define SSE_STREAM_MAX (4u << 20)

/* event: "" if the stream named none. data is NUL-terminated. Return false to take no more. */
typedef bool (*sse_event_fn)(const char *event, const char *data, size_t size, void *arg);

struct sse {
    struct buf line, data, event;
    bool has_data; /* a data field was seen since the last event */
    bool after_cr; /* the last byte was CR: an LF that follows belongs to it */
    bool stopped;
    size_t total;
    sse_event_fn fn;
    void *arg;
};

void sse_init(struct sse *s, sse_event_fn fn, void *arg);
void sse_fini(struct sse *s);
/* ERR_LIMIT when a bound is passed: nothing more will be given. */
enum err sse_feed(struct sse *s, const char *data, size_t size) MUST_CHECK;
/* The stream is over: gives the event that was not closed. */
void sse_end(struct sse *s);

#endif
