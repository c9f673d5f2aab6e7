/* loop.c: one libevent base, its thread, its mailbox and its timers.
 *
 * The base is touched by its own thread only, so it is made without locks; the one door for other threads
 * is the mailbox: a list under a mutex and an eventfd that is written when the list stops being empty. The
 * loop takes the whole list at once and runs it in order; what is posted meanwhile waits for the next turn,
 * so that a callback which posts itself again cannot starve the sockets.
 *
 * Stopping is a letter in the same mailbox: what was posted before it runs, what was posted after it stays
 * in the list and is dropped by loop_free (or runs if the loop is run again). */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "queue/base/loop.h"

struct post {
    struct post *next;
    loop_fn fn; /* NULL: the letter that ends the loop */
    void *arg;
};

struct loop_timer {
    struct event event;
    struct loop *loop;
    struct loop_timer *prev;
    struct loop_timer *next;
    loop_fn fn;
    void *arg;
};

struct loop {
    struct event_base *base;
    struct event *wake;
    int wake_fd;
    char name[16];
    pthread_t thread;
    bool started; /* loop_start made the thread and loop_join has not been called */
    atomic_bool running;
    struct loop_timer *timers;
    pthread_mutex_t mutex; /* guards first and last */
    struct post *first;
    struct post **last;
};

static _Thread_local struct loop *current;

/* True where the loop's own state may be touched: on its thread, or while it has none. */
static bool touchable(const struct loop *loop)
{
    return current == loop || !atomic_load(&loop->running);
}

/* Makes the eventfd readable; a full counter is readable already. */
static void ring(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t n;

    do {
        n = write(loop->wake_fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    CHECK(n == sizeof(one) || errno == EAGAIN);
}

/* Adds a letter at the end of the mailbox. */
static void mail(struct loop *loop, loop_fn fn, void *arg)
{
    struct post *post = xmalloc(sizeof(*post));
    bool was_empty;

    *post = (struct post){.fn = fn, .arg = arg};
    pthread_mutex_lock(&loop->mutex);
    was_empty = loop->first == NULL;
    *loop->last = post;
    loop->last = &post->next;
    pthread_mutex_unlock(&loop->mutex);
    if (was_empty) {
        ring(loop);
    }
}

/* Takes all letters out of the mailbox. */
static struct post *mail_take(struct loop *loop)
{
    struct post *list;

    pthread_mutex_lock(&loop->mutex);
    list = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    pthread_mutex_unlock(&loop->mutex);
    return list;
}

/* Puts letters back in front of those that came since. */
static void mail_return(struct loop *loop, struct post *list)
{
    struct post **end = &list;

    if (list == NULL) {
        return;
    }
    while (*end != NULL) {
        end = &(*end)->next;
    }
    pthread_mutex_lock(&loop->mutex);
    *end = loop->first;
    if (loop->first == NULL) {
        loop->last = end;
    }
    loop->first = list;
    pthread_mutex_unlock(&loop->mutex);
}

/* The eventfd became readable: runs what is in the mailbox, up to the letter that ends the loop. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    struct post *list;
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));

    (void)what;
    CHECK(n == sizeof(count) || errno == EAGAIN || errno == EINTR);
    list = mail_take(loop);
    while (list != NULL) {
        struct post post = *list;
        free(list);
        list = post.next;
        if (post.fn == NULL) {
            mail_return(loop, list);
            event_base_loopbreak(loop->base);
            return;
        }
        post.fn(post.arg);
    }
}

/* A base for one thread: no locks inside. */
static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base;

    CHECK(config != NULL);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    base = event_base_new_with_config(config);
    event_config_free(config);
    CHECK(base != NULL);
    return base;
}

/* Makes a loop that does not run yet. */
struct loop *loop_new(const char *name)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    int rc;

    snprintf(loop->name, sizeof(loop->name), "%s", name);
    pthread_mutex_init(&loop->mutex, NULL);
    loop->last = &loop->first;
    loop->base = base_new();
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(loop->wake_fd >= 0);
    loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
    CHECK(loop->wake != NULL);
    rc = event_add(loop->wake, NULL);
    CHECK(rc == 0);
    return loop;
}

/* Frees a loop that has ended, with its timers and the letters nobody read. */
void loop_free(struct loop *loop)
{
    struct post *list;

    if (loop == NULL) {
        return;
    }
    CHECK(!atomic_load(&loop->running) && !loop->started);
    list = mail_take(loop);
    while (list != NULL) {
        struct post *next = list->next;
        free(list);
        list = next;
    }
    while (loop->timers != NULL) {
        loop_cancel(loop->timers);
    }
    event_free(loop->wake);
    event_base_free(loop->base);
    close(loop->wake_fd);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}

/* Runs until the letter that ends the loop is read. */
void loop_run(struct loop *loop)
{
    struct loop *outer = current;
    bool was_running = atomic_exchange(&loop->running, true);
    bool waiting;

    CHECK(!was_running);
    current = loop;
    pthread_mutex_lock(&loop->mutex);
    waiting = loop->first != NULL;
    pthread_mutex_unlock(&loop->mutex);
    if (waiting) {
        ring(loop);
    }
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    current = outer;
    atomic_store(&loop->running, false);
}

/* The thread that loop_start makes. */
static void *thread_main(void *arg)
{
    struct loop *loop = arg;

    pthread_setname_np(pthread_self(), loop->name);
    loop_run(loop);
    return NULL;
}

/* Signals that are the main thread's to handle: a loop's thread is born with them blocked. */
static void signals_of_main(sigset_t *set)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGCHLD};

    sigemptyset(set);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaddset(set, signals[i]);
    }
}

/* Starts a thread that runs the loop. */
enum err loop_start(struct loop *loop)
{
    sigset_t blocked;
    sigset_t old;
    int rc;

    CHECK(!loop->started && !atomic_load(&loop->running));
    signals_of_main(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, &old);
    rc = pthread_create(&loop->thread, NULL, thread_main, loop);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        return err_from_errno(rc);
    }
    loop->started = true;
    return ERR_OK;
}

/* Posts the letter that ends the loop. */
void loop_stop(struct loop *loop)
{
    mail(loop, NULL, NULL);
}

/* Waits for loop_start's thread to end; does nothing if there is none. */
void loop_join(struct loop *loop)
{
    int rc;

    if (!loop->started) {
        return;
    }
    CHECK(current != loop);
    rc = pthread_join(loop->thread, NULL);
    CHECK(rc == 0);
    loop->started = false;
}

/* The libevent base, for those who live on this loop. */
struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

/* Whether the caller runs on this loop. */
bool loop_is_current(const struct loop *loop)
{
    return current == loop;
}

/* The loop that runs in this thread. */
struct loop *loop_current(void)
{
    return current;
}

/* Has fn(arg) run on the loop's thread, after what was posted before. */
void loop_post(struct loop *loop, loop_fn fn, void *arg)
{
    CHECK(fn != NULL);
    mail(loop, fn, arg);
}

/* Takes a timer out of its loop and frees it. */
static void timer_free(struct loop_timer *timer)
{
    event_del(&timer->event);
    if (timer->prev != NULL) {
        timer->prev->next = timer->next;
    } else {
        timer->loop->timers = timer->next;
    }
    if (timer->next != NULL) {
        timer->next->prev = timer->prev;
    }
    free(timer);
}

/* A timer fired: it is gone before its callback runs. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *timer = arg;
    loop_fn fn = timer->fn;
    void *fn_arg = timer->arg;

    (void)fd;
    (void)what;
    timer_free(timer);
    fn(fn_arg);
}

/* Has fn(arg) run once after ms. The clock is read anew, since libevent's cached time is as old as this
 * turn of the loop and a long callback before us would let the timer fire early. */
struct loop_timer *loop_after(struct loop *loop, int64_t ms, loop_fn fn, void *arg)
{
    struct loop_timer *timer = xcalloc(1, sizeof(*timer));
    struct timeval wait;
    int rc;

    CHECK(ms >= 0 && fn != NULL);
    CHECK(touchable(loop));
    wait = (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    timer->loop = loop;
    timer->fn = fn;
    timer->arg = arg;
    timer->next = loop->timers;
    if (timer->next != NULL) {
        timer->next->prev = timer;
    }
    loop->timers = timer;
    event_base_update_cache_time(loop->base);
    rc = evtimer_assign(&timer->event, loop->base, on_timer, timer);
    CHECK(rc == 0);
    rc = evtimer_add(&timer->event, &wait);
    CHECK(rc == 0);
    return timer;
}

/* Ends a timer that has not fired. */
void loop_cancel(struct loop_timer *timer)
{
    if (timer == NULL) {
        return;
    }
    CHECK(touchable(timer->loop));
    timer_free(timer);
}
