/* desk.c: rooms of deliveries that wait, and ends that go to the committer together; see desk.h.
 *
 * A job that waits here is held by its worker. If the workers stop, job_on_cut takes it out again, on the
 * thread that stops them, after the worker's own has ended. */
#include "bridge/webhooks/desk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>
#include <utlist.h>

#include "queue/base/error.h"
#include "queue/base/loop.h"

#define ROOM_WAITING 64 /* at one endpoint */
#define ENDS_MOST    128
#define BUF_KEPT     (64u << 10) /* bytes of a buffer between two uses */

struct waiter {
    struct job *job;
    struct room *room;
    struct waiter *prev, *next;
};

struct room {
    char endpoint[ID_SIZE];
    struct desk *desk;
    unsigned flying, waiting;
    struct waiter *waiters; /* oldest first */
    UT_hash_handle hh;
};

struct end {
    struct job *job;
    struct changes *cs;
    job_done_fn done;
    void (*cut)(void *arg);
    void *arg;
    struct desk *desk;
    struct end *prev, *next;
};

struct desk {
    struct loop *loop;
    struct loop_timer *timer; /* the loop's own */
    struct sendtos *sendtos;
    struct buf bufs[DESK_BUFS];
    struct room *rooms; /* with attempts under way or waiting */
    unsigned flying, waiting;
    struct end *ends;
    unsigned end_count;
    struct desk *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards desks */
static struct desk *desks;
static unsigned waiting_most;
static _Thread_local struct desk *mine;

void desks_reset(unsigned waiting)
{
    struct room *room, *next;
    pthread_mutex_lock(&lock);
    waiting_most = waiting;
    while (desks != NULL) {
        struct desk *desk = desks;
        LL_DELETE(desks, desk);
        HASH_ITER (hh, desk->rooms, room, next) {
            HASH_DEL(desk->rooms, room);
            free(room);
        }
        sendtos_free(desk->sendtos);
        for (size_t i = 0; i < DESK_BUFS; i++) {
            buf_fini(&desk->bufs[i]);
        }
        free(desk);
    }
    pthread_mutex_unlock(&lock);
}

struct desk *desk_here(const struct job *job)
{
    if (mine == NULL) {
        mine = xcalloc(1, sizeof(*mine));
        mine->loop = job_loop(job);
        mine->sendtos = sendtos_new();
        pthread_mutex_lock(&lock);
        LL_PREPEND(desks, mine);
        pthread_mutex_unlock(&lock);
    }
    return mine;
}

struct sendtos *desk_sendtos(struct desk *desk)
{
    return desk->sendtos;
}

struct buf *desk_buf(struct desk *desk, enum desk_buf which, size_t max)
{
    struct buf *buf = &desk->bufs[which];
    if (buf->room > BUF_KEPT) {
        buf_fini(buf);
    }
    buf_reset(buf);
    buf->max = max;
    return buf;
}

/* ---- rooms ---- */

static struct room *room_find(struct desk *desk, const char *endpoint)
{
    struct room *room = NULL;
    HASH_FIND_STR(desk->rooms, endpoint, room);
    return room;
}

void desk_enter(struct desk *desk, const char *endpoint)
{
    struct room *room = room_find(desk, endpoint);
    if (room == NULL) {
        room = xcalloc(1, sizeof(*room));
        strncpy(room->endpoint, endpoint, sizeof(room->endpoint) - 1);
        room->desk = desk;
        HASH_ADD_STR(desk->rooms, endpoint, room);
    }
    room->flying++;
    desk->flying++;
}

/* Takes a waiter off its list. */
static struct job *waiter_take(struct waiter *waiter)
{
    struct room *room = waiter->room;
    struct job *job = waiter->job;
    DL_DELETE(room->waiters, waiter);
    room->waiting--;
    room->desk->waiting--;
    free(waiter);
    return job;
}

/* The workers stopped with this job waiting. */
static void waiter_cut(void *arg)
{
    waiter_take(arg);
}

/* The room's oldest waiter or NULL; an empty room is gone afterwards. */
static struct job *room_next(struct desk *desk, struct room *room)
{
    struct job *job = NULL;
    if (room->waiters != NULL) {
        job = waiter_take(room->waiters);
        job_on_cut(job, NULL, NULL);
    }
    if (room->flying == 0 && room->waiters == NULL) {
        HASH_DEL(desk->rooms, room);
        free(room);
    }
    return job;
}

struct job *desk_leave(struct desk *desk, const char *endpoint)
{
    struct room *room = room_find(desk, endpoint);
    CHECK(room != NULL && room->flying > 0 && desk->flying > 0);
    room->flying--;
    desk->flying--;
    return room_next(desk, room);
}

struct job *desk_stranded(struct desk *desk, const char *endpoint)
{
    struct room *room = room_find(desk, endpoint);
    return room != NULL && room->flying == 0 ? room_next(desk, room) : NULL;
}

bool desk_wait(struct desk *desk, const char *endpoint, struct job *job)
{
    struct room *room = room_find(desk, endpoint);
    if (room == NULL || room->flying == 0 || room->waiting >= ROOM_WAITING || desk->waiting >= waiting_most) {
        return false;
    }
    struct waiter *waiter = xcalloc(1, sizeof(*waiter));
    waiter->job = job;
    waiter->room = room;
    DL_APPEND(room->waiters, waiter);
    room->waiting++;
    desk->waiting++;
    job_on_cut(job, waiter_cut, waiter);
    return true;
}

/* ---- ends ---- */

static void end_free(struct end *end)
{
    DL_DELETE(end->desk->ends, end);
    end->desk->end_count--;
    free(end);
}

/* The workers stopped before the end was handed over. */
static void end_cut(void *arg)
{
    struct end *end = arg;
    changes_free(end->cs);
    end->cut(end->arg);
    end_free(end);
}

/* Hands all ends over. */
static void flush(void *arg)
{
    struct desk *desk = arg;
    loop_cancel(desk->timer);
    desk->timer = NULL;
    while (desk->ends != NULL) {
        struct end end = *desk->ends;
        end_free(desk->ends);
        job_on_cut(end.job, NULL, NULL);
        job_finish(end.job, end.cs, end.done, end.arg);
    }
}

/* The timer's turn: it is gone already. */
static void on_time(void *arg)
{
    struct desk *desk = arg;
    desk->timer = NULL;
    flush(desk);
}

void desk_finish(struct desk *desk, struct job *job, struct changes *cs, job_done_fn done,
                 void (*cut)(void *arg), void *arg)
{
    struct end *end = xcalloc(1, sizeof(*end));
    *end = (struct end){.job = job, .cs = cs, .done = done, .cut = cut, .arg = arg, .desk = desk};
    DL_APPEND(desk->ends, end);
    job_on_cut(job, end_cut, end);
    if (++desk->end_count >= ENDS_MOST || desk->flying == 0) {
        flush(desk);
    } else if (desk->timer == NULL) {
        desk->timer = loop_after(desk->loop, ENDS_MS, on_time, desk);
    }
}
