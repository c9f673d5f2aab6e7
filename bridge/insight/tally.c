/* tally.c: a small table of counters behind one lock. */
#include "bridge/insight/tally.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "queue/base/clock.h"
#include "queue/base/error.h"
#include "queue/base/id.h"

#define PART_SIZE 64

struct tally {
    char part[PART_SIZE];
    int64_t count;
    UT_hash_handle hh;
};

static struct tally *tallies;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void tally_add(const char *part)
{
    struct tally *tally;

    pthread_mutex_lock(&lock);
    HASH_FIND_STR(tallies, part, tally);
    if (tally == NULL) {
        tally = xcalloc(1, sizeof *tally);
        snprintf(tally->part, sizeof tally->part, "%s", part);
        HASH_ADD_STR(tallies, part, tally);
    }
    tally->count++;
    pthread_mutex_unlock(&lock);
}

void tally_flush(struct changes *cs)
{
    char at[CLOCK_TEXT_SIZE], name[64];
    struct tally *tally, *next;

    snprintf(name, sizeof name, "day.%.10s.api.requests", clock_rfc3339(clock_wall_ms(), at));
    pthread_mutex_lock(&lock);
    HASH_ITER (hh, tallies, tally, next) {
        changes_add(cs, tally->part, name, tally->count);
        HASH_DEL(tallies, tally);
        free(tally);
    }
    pthread_mutex_unlock(&lock);
}
