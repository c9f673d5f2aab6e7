/* lanes.h: the schedule in memory: which lane is due when, who holds it. Private to the room.
 *
 * A cache of the durable queue: the committer tells it what each commit changed, and at start it is filled by
 * a walk over the jobs. Of each lane it knows the first job and how many follow; bodies stay in the store.
 * All times are of the monotonic clock. Thread: any; one lock inside, held for microseconds. */
#ifndef CHASQUI_QUEUE_LANES_H
#define CHASQUI_QUEUE_LANES_H

#include "queue/jobs.h"

struct lanes;

/* A held lane and its first job. epoch is new with every lease, so that an answer that comes too late is
 * known. */
struct lease {
    enum queue_id queue;
    char part[PARTITION_SIZE];
    char lane[JOB_LANE_MAX + 1];
    uint64_t seq, epoch;
};

struct lane_name {
    unsigned queue;
    const char *part, *lane;
};

struct lanes *lanes_new(void);
void lanes_free(struct lanes *lanes);

/* A committed push; also used for every job of the walk at start. */
void lanes_push(struct lanes *lanes, const struct lane_name *name, uint64_t seq, int64_t due);
/* The head of a held lane is gone; next_seq 0: nothing follows. */
void lanes_ack(struct lanes *lanes, const struct lane_name *name, uint64_t next_seq, int64_t next_due);
/* The held lane is let go and due later (a retry, or handed back unfinished). Nothing if epoch is not its
 * lease. */
void lanes_release(struct lanes *lanes, const struct lane_name *name, uint64_t epoch, int64_t due);

/* True if the lane has no job, waiting or held. */
bool lanes_idle(struct lanes *lanes, const struct lane_name *name);
/* True if this lease is the lane's and its end is not yet on the way to the disk. */
bool lanes_holds(struct lanes *lanes, const struct lane_name *name, uint64_t seq, uint64_t epoch);
/* Marks that the lease's end is in the transaction under way, or (false) that it came to nothing. */
void lanes_mark_ending(struct lanes *lanes, const struct lane_name *name, bool ending);

/* Leases a ready lane of one of the queues (bit 1 << code), queues and partitions in turn. */
bool lanes_take(struct lanes *lanes, uint32_t queues, struct lease *out);
/* When the next lane of any queue becomes due; -1: none is waiting. Lanes that are due already do not count.
 */
int64_t lanes_next_due(struct lanes *lanes);

/* fn(arg) whenever there may be something to take or to wait for; under the lock, so it must only post. */
void lanes_listen(struct lanes *lanes, void (*fn)(void *), void *arg);
void lanes_unlisten(struct lanes *lanes, void *arg);
void lanes_wake(struct lanes *lanes);

/* The first job of a lane, held or not; 0 if there is none. */
uint64_t lanes_first(struct lanes *lanes, const struct lane_name *name);

/* Copies of the first most lanes that have jobs, in no order. The caller frees *out. Returns their number. */
struct lane_copy {
    struct lease first; /* names the lane and its first job; no lease: epoch 0 */
    uint64_t jobs;
};
size_t lanes_copy(struct lanes *lanes, size_t most, struct lane_copy **out);

void lanes_shape(struct lanes *lanes, enum queue_id queue, struct queue_shape *out);

#endif
