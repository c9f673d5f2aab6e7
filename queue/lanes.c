/* lanes.c: the schedule in memory.
 *
 * A lane is in exactly one of three states: WAITING (in the heap, by due time), READY (in its share's list)
 * or HELD (leased). It exists while it has jobs. A share is what one partition has in one queue; shares with
 * ready lanes stand in the queue's ring, and each lease takes the first share's first lane and sends the
 * share to the end, so partitions get turns however many lanes each has. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>
#include <utlist.h>

#include "queue/base/clock.h"
#include "queue/keys.h"
#include "queue/lanes.h"

#define QUEUES 32

enum lane_state { LANE_WAITING, LANE_READY, LANE_HELD };

struct share {
    uint8_t key[1 + PARTITION_SIZE];
    size_t key_size;
    unsigned queue;
    size_t lanes;       /* that belong to it, in any state */
    struct lane *ready; /* oldest first */
    struct share *prev, *next;
    UT_hash_handle hh;
};

struct lane {
    uint8_t key[1 + PARTITION_SIZE + JOB_LANE_MAX + 1];
    size_t key_size;
    struct share *share;
    enum lane_state state;
    uint64_t seq; /* of the first job */
    uint64_t count;
    int64_t due;
    uint64_t epoch; /* of the lease, 0 when not held */
    bool ending;
    size_t heap_at;
    struct lane *prev, *next;
    UT_hash_handle hh;
};

struct listener {
    void (*fn)(void *);
    void *arg;
    struct listener *next;
};

struct lanes {
    pthread_mutex_t lock;
    struct lane *by_key;
    struct share *shares;
    struct share *ring[QUEUES];
    struct queue_shape shape[QUEUES];
    struct lane **heap;
    size_t heap_count, heap_room;
    uint64_t epoch;
    unsigned turn; /* queue to look at first */
    struct listener *listeners;
};

/* ---- the heap of waiting lanes ---- */

static void heap_set(struct lanes *lanes, size_t at, struct lane *lane)
{
    lanes->heap[at] = lane;
    lane->heap_at = at;
}

/* Moves the lane up from at to where it belongs. */
static void heap_up(struct lanes *lanes, size_t at, struct lane *lane)
{
    while (at > 0 && lanes->heap[(at - 1) / 2]->due > lane->due) {
        heap_set(lanes, at, lanes->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_set(lanes, at, lane);
}

/* Moves the lane down from at to where it belongs. */
static void heap_down(struct lanes *lanes, size_t at, struct lane *lane)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= lanes->heap_count) {
            break;
        }
        if (child + 1 < lanes->heap_count && lanes->heap[child + 1]->due < lanes->heap[child]->due) {
            child++;
        }
        if (lanes->heap[child]->due >= lane->due) {
            break;
        }
        heap_set(lanes, at, lanes->heap[child]);
        at = child;
    }
    heap_set(lanes, at, lane);
}

static void heap_add(struct lanes *lanes, struct lane *lane)
{
    if (lanes->heap_count == lanes->heap_room) {
        lanes->heap_room = lanes->heap_room == 0 ? 64 : lanes->heap_room * 2;
        lanes->heap = xrealloc(lanes->heap, lanes->heap_room * sizeof(struct lane *));
    }
    heap_up(lanes, lanes->heap_count++, lane);
}

static void heap_drop_first(struct lanes *lanes)
{
    struct lane *last = lanes->heap[--lanes->heap_count];

    if (lanes->heap_count > 0) {
        heap_down(lanes, 0, last);
    }
}

/* ---- lanes and shares ---- */

struct lanes *lanes_new(void)
{
    struct lanes *lanes = xcalloc(1, sizeof *lanes);

    CHECK(pthread_mutex_init(&lanes->lock, NULL) == 0);
    return lanes;
}

void lanes_free(struct lanes *lanes)
{
    struct lane *lane, *next_lane;
    struct share *share, *next_share;

    if (lanes == NULL) {
        return;
    }
    CHECK(lanes->listeners == NULL);
    HASH_ITER (hh, lanes->by_key, lane, next_lane) {
        HASH_DEL(lanes->by_key, lane);
        free(lane);
    }
    HASH_ITER (hh, lanes->shares, share, next_share) {
        HASH_DEL(lanes->shares, share);
        free(share);
    }
    free(lanes->heap);
    pthread_mutex_destroy(&lanes->lock);
    free(lanes);
}

static struct lane *lane_find(struct lanes *lanes, const struct lane_name *name)
{
    struct lane *lane = NULL;
    struct key key;

    key_job_lane(&key, name->queue, name->part, name->lane);
    CHECK(key.ok);
    HASH_FIND(hh, lanes->by_key, key.data, key.size, lane);
    return lane;
}

/* The share of the partition in the queue, made if it is not there. */
static struct share *share_get(struct lanes *lanes, const struct lane_name *name)
{
    struct share *share = NULL;
    struct key key;

    key_begin(&key);
    key_u8(&key, name->queue);
    key_text(&key, name->part);
    HASH_FIND(hh, lanes->shares, key.data, key.size, share);
    if (share == NULL) {
        share = xcalloc(1, sizeof *share);
        CHECK(key.ok && key.size <= sizeof share->key && name->queue < QUEUES);
        memcpy(share->key, key.data, key.size);
        share->key_size = key.size;
        share->queue = name->queue;
        HASH_ADD_KEYPTR(hh, lanes->shares, share->key, share->key_size, share);
    }
    return share;
}

static struct lane *lane_add(struct lanes *lanes, const struct lane_name *name)
{
    struct lane *lane = xcalloc(1, sizeof *lane);
    struct key key;

    key_job_lane(&key, name->queue, name->part, name->lane);
    CHECK(key.ok && key.size <= sizeof lane->key);
    memcpy(lane->key, key.data, key.size);
    lane->key_size = key.size;
    lane->share = share_get(lanes, name);
    lane->share->lanes++;
    lanes->shape[name->queue].lanes++;
    HASH_ADD_KEYPTR(hh, lanes->by_key, lane->key, lane->key_size, lane);
    return lane;
}

/* Forgets a lane that is in no list, and its share if it was the last one. */
static void lane_drop(struct lanes *lanes, struct lane *lane)
{
    struct share *share = lane->share;

    lanes->shape[share->queue].lanes--;
    HASH_DEL(lanes->by_key, lane);
    free(lane);
    if (--share->lanes == 0) {
        HASH_DEL(lanes->shares, share);
        free(share);
    }
}

/* Puts a due lane at the end of its share's list. */
static void lane_ready(struct lanes *lanes, struct lane *lane)
{
    struct share *share = lane->share;

    if (share->ready == NULL) {
        DL_APPEND(lanes->ring[share->queue], share);
    }
    lane->state = LANE_READY;
    DL_APPEND(share->ready, lane);
}

/* Puts a lane that is in no list where its due time says. */
static void lane_place(struct lanes *lanes, struct lane *lane, int64_t due)
{
    lane->due = due;
    if (due <= clock_mono_ms()) {
        lane_ready(lanes, lane);
    } else {
        lane->state = LANE_WAITING;
        heap_add(lanes, lane);
    }
}

/* Ends the lane's lease; the caller places or drops it. */
static void lane_let_go(struct lanes *lanes, struct lane *lane)
{
    CHECK(lane->state == LANE_HELD);
    lane->epoch = 0;
    lane->ending = false;
    lanes->shape[lane->share->queue].held--;
}

/* Makes every waiting lane ready whose time has come. */
static void promote(struct lanes *lanes)
{
    int64_t now = clock_mono_ms();

    while (lanes->heap_count > 0 && lanes->heap[0]->due <= now) {
        struct lane *lane = lanes->heap[0];
        heap_drop_first(lanes);
        lane_ready(lanes, lane);
    }
}

/* ---- what commits change ---- */

void lanes_push(struct lanes *lanes, const struct lane_name *name, uint64_t seq, int64_t due)
{
    pthread_mutex_lock(&lanes->lock);
    struct lane *lane = lane_find(lanes, name);
    if (lane == NULL) {
        lane = lane_add(lanes, name);
        lane->seq = seq;
        lane_place(lanes, lane, due);
    }
    lane->count++;
    lanes->shape[name->queue].jobs++;
    pthread_mutex_unlock(&lanes->lock);
}

void lanes_ack(struct lanes *lanes, const struct lane_name *name, uint64_t next_seq, int64_t next_due)
{
    pthread_mutex_lock(&lanes->lock);
    struct lane *lane = lane_find(lanes, name);
    CHECK(lane != NULL && lane->count > 0);
    lane_let_go(lanes, lane);
    lanes->shape[name->queue].jobs--;
    lane->count--;
    CHECK((lane->count == 0) == (next_seq == 0));
    if (next_seq == 0) {
        lane_drop(lanes, lane);
    } else {
        lane->seq = next_seq;
        lane_place(lanes, lane, next_due);
    }
    pthread_mutex_unlock(&lanes->lock);
}

void lanes_release(struct lanes *lanes, const struct lane_name *name, uint64_t epoch, int64_t due)
{
    pthread_mutex_lock(&lanes->lock);
    struct lane *lane = lane_find(lanes, name);
    if (lane != NULL && lane->state == LANE_HELD && lane->epoch == epoch) {
        lane_let_go(lanes, lane);
        lane_place(lanes, lane, due);
    }
    pthread_mutex_unlock(&lanes->lock);
}

bool lanes_idle(struct lanes *lanes, const struct lane_name *name)
{
    pthread_mutex_lock(&lanes->lock);
    bool idle = lane_find(lanes, name) == NULL;
    pthread_mutex_unlock(&lanes->lock);
    return idle;
}

bool lanes_holds(struct lanes *lanes, const struct lane_name *name, uint64_t seq, uint64_t epoch)
{
    pthread_mutex_lock(&lanes->lock);
    struct lane *lane = lane_find(lanes, name);
    bool holds =
        lane != NULL && lane->state == LANE_HELD && lane->epoch == epoch && lane->seq == seq && !lane->ending;
    pthread_mutex_unlock(&lanes->lock);
    return holds;
}

void lanes_mark_ending(struct lanes *lanes, const struct lane_name *name, bool ending)
{
    pthread_mutex_lock(&lanes->lock);
    struct lane *lane = lane_find(lanes, name);
    CHECK(lane != NULL && lane->state == LANE_HELD);
    lane->ending = ending;
    pthread_mutex_unlock(&lanes->lock);
}

/* ---- taking ---- */

/* Leases the first lane of the ring's first share and sends the share to the ring's end. */
static void take_from(struct lanes *lanes, unsigned queue, struct lease *out)
{
    struct share *share = lanes->ring[queue];
    struct lane *lane = share->ready;

    DL_DELETE(lanes->ring[queue], share);
    DL_DELETE(share->ready, lane);
    if (share->ready != NULL) {
        DL_APPEND(lanes->ring[queue], share);
    }
    lane->state = LANE_HELD;
    lane->epoch = ++lanes->epoch;
    lanes->shape[queue].held++;
    const char *part = (const char *)lane->key + 1;
    *out = (struct lease){.queue = (enum queue_id)queue, .seq = lane->seq, .epoch = lane->epoch};
    memcpy(out->part, part, strlen(part) + 1);
    memcpy(out->lane, part + strlen(part) + 1, strlen(part + strlen(part) + 1) + 1);
}

bool lanes_take(struct lanes *lanes, uint32_t queues, struct lease *out)
{
    bool taken = false;

    pthread_mutex_lock(&lanes->lock);
    promote(lanes);
    for (unsigned i = 0; i < QUEUES && !taken; i++) {
        unsigned queue = (lanes->turn + i) % QUEUES;
        if ((queues >> queue & 1) != 0 && lanes->ring[queue] != NULL) {
            take_from(lanes, queue, out);
            lanes->turn = queue + 1;
            taken = true;
        }
    }
    pthread_mutex_unlock(&lanes->lock);
    return taken;
}

int64_t lanes_next_due(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->lock);
    int64_t due = lanes->heap_count > 0 ? lanes->heap[0]->due : -1;
    pthread_mutex_unlock(&lanes->lock);
    return due;
}

void lanes_listen(struct lanes *lanes, void (*fn)(void *), void *arg)
{
    struct listener *listener = xcalloc(1, sizeof *listener);

    listener->fn = fn;
    listener->arg = arg;
    pthread_mutex_lock(&lanes->lock);
    LL_PREPEND(lanes->listeners, listener);
    pthread_mutex_unlock(&lanes->lock);
}

void lanes_unlisten(struct lanes *lanes, void *arg)
{
    struct listener *listener, *next;

    pthread_mutex_lock(&lanes->lock);
    LL_FOREACH_SAFE(lanes->listeners, listener, next)
    {
        if (listener->arg == arg) {
            LL_DELETE(lanes->listeners, listener);
            free(listener);
        }
    }
    pthread_mutex_unlock(&lanes->lock);
}

void lanes_wake(struct lanes *lanes)
{
    struct listener *listener;

    pthread_mutex_lock(&lanes->lock);
    LL_FOREACH(lanes->listeners, listener)
    {
        listener->fn(listener->arg);
    }
    pthread_mutex_unlock(&lanes->lock);
}

void lanes_shape(struct lanes *lanes, enum queue_id queue, struct queue_shape *out)
{
    int64_t now = clock_mono_ms();
    struct share *share;

    CHECK((unsigned)queue < QUEUES);
    pthread_mutex_lock(&lanes->lock);
    promote(lanes);
    *out = lanes->shape[queue];
    DL_FOREACH (lanes->ring[queue], share) {
        if (now - share->ready->due > out->oldest_due_ms) {
            out->oldest_due_ms = now - share->ready->due;
        }
    }
    pthread_mutex_unlock(&lanes->lock);
}

uint64_t lanes_first(struct lanes *lanes, const struct lane_name *name)
{
    pthread_mutex_lock(&lanes->lock);
    const struct lane *lane = lane_find(lanes, name);
    uint64_t seq = lane != NULL ? lane->seq : 0;
    pthread_mutex_unlock(&lanes->lock);
    return seq;
}

size_t lanes_copy(struct lanes *lanes, size_t most, struct lane_copy **out)
{
    struct lane *lane, *next;
    size_t count = 0;

    pthread_mutex_lock(&lanes->lock);
    size_t have = HASH_COUNT(lanes->by_key);
    *out = xcalloc(have < most ? have + 1 : most + 1, sizeof **out);
    HASH_ITER (hh, lanes->by_key, lane, next) {
        if (count == most) {
            break;
        }
        struct lane_copy *copy = &(*out)[count++];
        const char *part = (const char *)lane->key + 1, *name = part + strlen(part) + 1;
        copy->first = (struct lease){.queue = (enum queue_id)lane->share->queue, .seq = lane->seq};
        memcpy(copy->first.part, part, strlen(part) + 1);
        memcpy(copy->first.lane, name, strlen(name) + 1);
        copy->jobs = lane->count;
    }
    pthread_mutex_unlock(&lanes->lock);
    return count;
}
