/* think.h: drops one leading <think>...</think> block and blanks before the text, piece by piece.
 *
 * Some local models put their reasoning at the head of the content; it is never shown. Thread: one at a time.
 */
#ifndef CHASQUI_AGENT_MODEL_THINK_H
#define CHASQUI_AGENT_MODEL_THINK_H

#include <stddef.h>

#define THINK_OPEN  "<think>"
#define THINK_CLOSE "</think>"

struct think {
    enum { THINK_HEAD, THINK_INSIDE, THINK_AFTER, THINK_TEXT } state;
    char held[sizeof THINK_CLOSE]; /* bytes that may be the begin of a tag */
    size_t held_size;
};
typedef void (*think_fn)(const char *text, size_t size, void *arg);

/* A zeroed struct is a new one. Gives what is text to fn, in zero or more pieces. */
void think_feed(struct think *t, const char *text, size_t size, think_fn fn, void *arg);
/* The content is over: what was held back is text after all. */
void think_end(struct think *t, think_fn fn, void *arg);

#endif
