/* queue_shape.c: what waits, by queue, destination and age, as mail administrators know it from qshape. The
 * age of a lane's jobs is that of its first one. Over the Unix socket only. */
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "bridge/api/call.h"
#include "queue/base/clock.h"
#include "queue/jobs.h"

#define LANES_MOST 50000
#define ROWS_MOST  200

static const int64_t bounds_s[] = {5, 20, 60, 300, 1200, 3600, 14400, 86400};
#define BOUNDS (sizeof(bounds_s) / sizeof(bounds_s[0]))

struct row {
    char key[PARTITION_SIZE + 64]; /* queue and destination */
    enum queue_id queue;
    const char *destination; /* in key */
    int64_t jobs, by_age[BOUNDS + 1];
    UT_hash_handle hh;
};

/* Where a lane's jobs go: an endpoint; of other queues the account. */
static void destination_of(const struct queue_lane *lane, struct row *row)
{
    const char *text = lane->queue == QUEUE_DELIVER ? lane->lane : lane->part;
    int len = (int)strcspn(text, "/");
    int head = snprintf(row->key, sizeof(row->key), "%d ", (int)lane->queue);
    snprintf(row->key + head, sizeof(row->key) - (size_t)head, "%.*s", len, text);
    row->destination = row->key + head;
    row->queue = lane->queue;
}

/* Adds a lane to its row. */
static void add(const struct queue_lane *lane, void *arg)
{
    struct row **rows = arg, *row = xcalloc(1, sizeof(*row)), *have = NULL;
    int64_t age_s = (clock_wall_ms() - lane->oldest_ms) / 1000;
    size_t column = 0;
    destination_of(lane, row);
    HASH_FIND_STR(*rows, row->key, have);
    if (have == NULL) {
        have = row;
        HASH_ADD_STR(*rows, key, have);
    } else {
        free(row);
    }
    while (column < BOUNDS && age_s > bounds_s[column]) {
        column++;
    }
    have->by_age[column] += (int64_t)lane->jobs;
    have->jobs += (int64_t)lane->jobs;
}

/* The longest first. */
static int compare(const struct row *a, const struct row *b)
{
    return a->jobs < b->jobs ? 1 : a->jobs > b->jobs ? -1 : strcmp(a->key, b->key);
}

static json_t *show(const struct row *row)
{
    json_t *out = json_object(), *ages = json_array();
    jx_set_str(out, "queue", queue_row(row->queue)->name);
    jx_set_str(out, "destination", row->destination);
    jx_set_int(out, "jobs", row->jobs);
    for (size_t i = 0; i <= BOUNDS; i++) {
        jx_push(ages, json_integer(row->by_age[i]));
    }
    jx_set(out, "by_age", ages);
    return out;
}

void admin_queue_shape(struct call *c)
{
    struct row *rows = NULL, *row, *next;
    json_t *out = json_object(), *list = json_array(), *bounds = json_array();
    store_queue_walk(c->api->app->store, LANES_MOST, add, &rows);
    HASH_SORT(rows, compare);
    HASH_ITER (hh, rows, row, next) {
        if (json_array_size(list) < ROWS_MOST) {
            jx_push(list, show(row));
        }
        HASH_DEL(rows, row);
        free(row);
    }
    for (size_t i = 0; i < BOUNDS; i++) {
        jx_push(bounds, json_integer(bounds_s[i]));
    }
    jx_set_int(out, "count", (int64_t)json_array_size(list));
    jx_set(out, "age_bounds_s", bounds);
    jx_set(out, "results", list);
    call_reply(c, 200, out);
}
