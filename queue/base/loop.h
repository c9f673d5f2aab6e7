/* loop.h: an event loop with its thread and a mailbox; the only way threads talk to each other.
 *
 * A loop owns one libevent base. Work reaches it by loop_post from any thread: a locked list and an
 * eventfd, callbacks run in order on the loop's own thread, never inside the call that posted them. What a
 * loop touches (connections, transfers) belongs to that loop alone. */
#ifndef CHASQUI_BASE_LOOP_H
#define CHASQUI_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/base/error.h"

struct event_base;
struct loop;
struct loop_timer;
typedef void (*loop_fn)(void *arg);

/* name: shown as the thread's name (at most 15 characters are kept). */
struct loop *loop_new(const char *name);
/* Not running any more; pending posts are dropped unrun. */
void loop_free(struct loop *loop);

/* Runs in a thread of its own until loop_stop; or in the calling thread. */
enum err loop_start(struct loop *loop) MUST_CHECK;
void loop_run(struct loop *loop);
/* Any thread: posts already made run first, then the loop ends. loop_join waits for loop_start's thread. */
void loop_stop(struct loop *loop);
void loop_join(struct loop *loop);

struct event_base *loop_base(struct loop *loop);
bool loop_is_current(const struct loop *loop);
/* The loop whose thread this is, or NULL. */
struct loop *loop_current(void);

/* Any thread. fn(arg) runs once on the loop's thread. */
void loop_post(struct loop *loop, loop_fn fn, void *arg);

/* On the loop's thread only. One shot after ms (>= 0); the handle is dead once it fired or was cancelled.
 * loop_cancel(NULL) does nothing. */
struct loop_timer *loop_after(struct loop *loop, int64_t ms, loop_fn fn, void *arg);
void loop_cancel(struct loop_timer *timer);

#endif
