/* shape.c: what waits in the queues, lane by lane. */
#include <stdlib.h>

#include "queue/store_int.h"

void store_queue_walk(struct store *store, size_t most, void (*fn)(const struct queue_lane *lane, void *arg),
                      void *arg)
{
    struct lane_copy *copies;
    size_t count = lanes_copy(store->lanes, most, &copies);

    for (size_t i = 0; i < count; i++) {
        struct engine_job job;
        const struct lease *first = &copies[i].first;
        struct lane_name name = {.queue = (unsigned)first->queue, .part = first->part, .lane = first->lane};
        if (store->engine->job(store->self, &name, first->seq, &job) != ERR_OK) {
            continue; /* it ended meanwhile */
        }
        struct queue_lane lane = {.queue = first->queue,
                                  .part = first->part,
                                  .lane = first->lane,
                                  .jobs = copies[i].jobs,
                                  .oldest_ms = job.head.pushed};
        free(job.payload);
        fn(&lane, arg);
    }
    free(copies);
}

int64_t store_lane_oldest(struct store *store, enum queue_id queue, const char *part, const char *lane)
{
    struct lane_name name = {.queue = (unsigned)queue, .part = part, .lane = lane};
    struct engine_job job;
    uint64_t seq = lanes_first(store->lanes, &name);

    if (seq == 0 || store->engine->job(store->self, &name, seq, &job) != ERR_OK) {
        return 0;
    }
    free(job.payload);
    return job.head.pushed;
}
