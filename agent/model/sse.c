/* sse.c: takes a stream of server-sent events apart. */
#include <string.h>

#include "agent/model/sse.h"

void sse_init(struct sse *s, sse_event_fn fn, void *arg)
{
    memset(s, 0, sizeof *s);
    buf_init(&s->line, SSE_EVENT_MAX);
    buf_init(&s->data, SSE_EVENT_MAX);
    buf_init(&s->event, 256);
    s->fn = fn;
    s->arg = arg;
}

void sse_fini(struct sse *s)
{
    buf_fini(&s->line);
    buf_fini(&s->data);
    buf_fini(&s->event);
}

/* Gives the collected event, if it has data, and begins the next. */
static void dispatch(struct sse *s)
{
    if (s->has_data && !s->stopped && !s->fn(buf_str(&s->event), buf_str(&s->data), s->data.len, s->arg)) {
        s->stopped = true;
    }
    buf_reset(&s->data);
    buf_reset(&s->event);
    s->has_data = false;
}

/* One whole line without its end. */
static void take_line(struct sse *s)
{
    const char *line = buf_str(&s->line);
    size_t size = s->line.len;
    size_t name = 0;

    if (size == 0) {
        dispatch(s);
        return;
    }
    while (name < size && line[name] != ':') {
        name++;
    }
    size_t at = name < size ? name + 1 : size;
    at += at < size && line[at] == ' ' ? 1 : 0;
    if (name == 4 && memcmp(line, "data", 4) == 0) {
        if (s->has_data) {
            buf_addc(&s->data, '\n');
        }
        buf_add(&s->data, line + at, size - at);
        s->has_data = true;
    } else if (name == 5 && memcmp(line, "event", 5) == 0) {
        buf_reset(&s->event);
        buf_add(&s->event, line + at, size - at);
    }
}

/* Ends the line that was collected. */
static void end_line(struct sse *s)
{
    static const char bom[] = "\xef\xbb\xbf";

    if (s->line.len >= 3 && memcmp(buf_str(&s->line), bom, 3) == 0) {
        buf_drop(&s->line, 3);
    }
    take_line(s);
    buf_reset(&s->line);
}

/* The next piece that ends no line. */
static size_t plain_run(const char *data, size_t size)
{
    size_t n = 0;

    while (n < size && data[n] != '\n' && data[n] != '\r') {
        n++;
    }
    return n;
}

enum err sse_feed(struct sse *s, const char *data, size_t size)
{
    s->total += size;
    if (s->total > SSE_STREAM_MAX) {
        s->stopped = true;
    }
    for (size_t i = 0; i < size && !s->stopped;) {
        size_t run = plain_run(data + i, size - i);
        if (run > 0) {
            buf_add(&s->line, data + i, run);
            s->after_cr = false;
            i += run;
        } else {
            bool joined = data[i] == '\n' && s->after_cr;
            s->after_cr = data[i] == '\r';
            i++;
            if (!joined) {
                end_line(s);
            }
        }
        if (!buf_ok(&s->line) || !buf_ok(&s->data)) {
            s->stopped = true;
            return ERR_LIMIT;
        }
    }
    return s->total > SSE_STREAM_MAX ? ERR_LIMIT : ERR_OK;
}

void sse_end(struct sse *s)
{
    if (s->line.len > 0 && !s->stopped) {
        end_line(s);
    }
    dispatch(s);
}
