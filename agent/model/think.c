/* think.c: drops one leading <think>...</think> block and blanks before the text. */
#include <stdbool.h>
#include <string.h>

#include "agent/model/think.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Text before it is known whether it opens a block. True: c was taken. */
static bool take_head(struct think *t, char c, think_fn fn, void *arg)
{
    if (t->held_size == 0 && is_blank(c)) {
        return true;
    }
    if (c == THINK_OPEN[t->held_size]) {
        t->held[t->held_size++] = c;
        if (t->held_size == sizeof THINK_OPEN - 1) {
            t->state = THINK_INSIDE;
            t->held_size = 0;
        }
        return true;
    }
    t->state = THINK_TEXT;
    if (t->held_size > 0) {
        fn(t->held, t->held_size, arg);
        t->held_size = 0;
    }
    return false;
}

/* Inside a block: only its end matters. '<' stands in the closing tag once, so a mismatch restarts simply. */
static void take_inside(struct think *t, char c)
{
    if (c != THINK_CLOSE[t->held_size]) {
        t->held_size = 0;
    }
    if (c == THINK_CLOSE[t->held_size]) {
        t->held_size++;
    }
    if (t->held_size == sizeof THINK_CLOSE - 1) {
        t->state = THINK_AFTER;
        t->held_size = 0;
    }
}

void think_feed(struct think *t, const char *text, size_t size, think_fn fn, void *arg)
{
    size_t i = 0;

    while (i < size && t->state != THINK_TEXT) {
        if (t->state == THINK_INSIDE) {
            take_inside(t, text[i]);
            i++;
        } else if (t->state == THINK_HEAD) {
            i += take_head(t, text[i], fn, arg) ? 1 : 0;
        } else if (is_blank(text[i])) {
            i++;
        } else {
            t->state = THINK_TEXT;
        }
    }
    if (i < size) {
        fn(text + i, size - i, arg);
    }
}

void think_end(struct think *t, think_fn fn, void *arg)
{
    if (t->state == THINK_HEAD && t->held_size > 0) {
        fn(t->held, t->held_size, arg);
    }
    t->held_size = 0;
}
