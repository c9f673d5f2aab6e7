/* store_int.h: the inside of a store: engine, schedule, committer. Private to the room. */
#ifndef CHASQUI_QUEUE_STORE_INT_H
#define CHASQUI_QUEUE_STORE_INT_H

#include <stdatomic.h>

#include "queue/engine.h"
#include "queue/lanes.h"

struct committer;
struct loop;

struct store {
    const struct store_engine *engine;
    void *self; /* the engine's */
    struct lanes *lanes;
    struct committer *committer;
    char *dir;
    _Atomic uint64_t reserve;
    _Atomic int64_t disk_checked; /* monotonic ms */
    atomic_bool disk_low;
};

/* As store_open, behind the choice of the engine: tests put one of their own between the store and LMDB. */
enum err store_open_engine(const struct store_engine *engine, const char *place, uint64_t map_size,
                           unsigned backlog, struct store **out) MUST_CHECK;
/* upgrade.c: brings the indexes of a store written by an older version forward. */
enum err store_upgrade(struct store *store) MUST_CHECK;
/* As store_submit for the end of a job: done runs on the given loop, and the backlog's limit does not hold.
 * Work that is done must not be thrown away because new work is piling up; workers bound how many there can
 * be. */
void store_submit_end(struct store *store, struct loop *loop, struct changes *cs, store_done_fn done,
                      void *arg);

/* ---- committer.c ---- */
struct committer_status {
    bool writable;
    unsigned waiting;
    uint64_t commits, changes, commit_us_sum;
};
/* How the committer is doing, for workers that pace themselves and for who asks whether there is time. */
#define COMMITTER_CALM 6 /* with less news than this in each commit */
struct committer_load {
    uint64_t commits;
    unsigned news; /* change-sets of others than workers in one commit, a running mean; 0: calm */
};

struct committer *committer_start(struct store *store, unsigned backlog);
/* Commits what waits, ends the thread, frees. */
void committer_stop(struct committer *committer);
/* over: the backlog's limit does not hold. */
void committer_submit(struct committer *committer, struct loop *loop, struct changes *cs, store_done_fn done,
                      void *arg, bool over);
enum err committer_submit_wait(struct committer *committer, struct changes *cs, uint64_t *rev);
void committer_on_feed(struct committer *committer, void (*fn)(uint64_t rev, void *arg), void *arg);
void committer_status(struct committer *committer, struct committer_status *out);
/* Cheap: no lock. */
struct committer_load committer_load(struct committer *committer);
/* True if another change-set would not be refused for want of room. */
bool committer_has_room(struct committer *committer);

#endif
