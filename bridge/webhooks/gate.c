/* gate.c: one door for each endpoint; see gate.h.
 *
 * Those turned away are given places in a line that moves at the speed the endpoint can take (its rate, or
 * its places by the time an attempt takes), so that a thousand of them do not come back at the same moment.
 */
#include "bridge/webhooks/gate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/error.h"
#include "queue/base/id.h"

#define PLACES_FIRST  4 /* attempts in flight of an endpoint nobody knows yet */
#define PLACES_MOST   8
#define SPAN_MS       30000 /* of one of the counts that make up the breaker's five minutes */
#define SPANS         10
#define TRIP_LEAST    10 /* attempts, of which */
#define TRIP_PERCENT  70 /* failed */
#define OPEN_MS       30000
#define OPEN_MOST_MS  (15 * 60 * 1000)
#define LINE_MOST_MS  30000
#define STEP_LEAST_US 500
#define QUICK_MS      250 /* mean time of an attempt below which a place is free soon */
#define FORGET_MS     (3600 * 1000)
#define SWEEP_EVERY   4096

struct span {
    int64_t number; /* of its time, in SPAN_MS */
    unsigned attempts, failures;
};

struct door {
    char endpoint[ID_SIZE];
    unsigned in_flight, limit, streak;
    bool unwell; /* the last attempt failed */
    enum gate_breaker breaker;
    int64_t until_ms; /* BREAKER_OPEN */
    int64_t open_ms;  /* how long it opened last */
    struct span spans[SPANS];
    int64_t next_us; /* of the rate: when the next attempt would be exactly in time */
    int64_t line_us; /* where the line of those turned away ends */
    int64_t took_ms; /* a moving mean */
    int64_t used_ms;
    UT_hash_handle hh;
};

struct gate {
    pthread_mutex_t lock;
    struct door *doors;
    unsigned most, rate, in_flight, calls;
};

struct gate *gate_new(unsigned most, unsigned rate)
{
    struct gate *gate = xcalloc(1, sizeof(*gate));
    CHECK(pthread_mutex_init(&gate->lock, NULL) == 0);
    gate->most = most;
    gate->rate = rate;
    return gate;
}

void gate_free(struct gate *gate)
{
    struct door *door, *next;
    if (gate == NULL) {
        return;
    }
    HASH_ITER (hh, gate->doors, door, next) {
        HASH_DEL(gate->doors, door);
        free(door);
    }
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

/* Forgets endpoints that nothing was sent to for an hour. */
static void sweep(struct gate *gate, int64_t now)
{
    struct door *door, *next;
    HASH_ITER (hh, gate->doors, door, next) {
        if (door->in_flight == 0 && now - door->used_ms > FORGET_MS) {
            HASH_DEL(gate->doors, door);
            free(door);
        }
    }
}

static struct door *door_find(struct gate *gate, const char *endpoint)
{
    struct door *door = NULL;
    HASH_FIND_STR(gate->doors, endpoint, door);
    return door;
}

/* The endpoint's door, made if it is not there. */
static struct door *door_get(struct gate *gate, const char *endpoint, int64_t now)
{
    struct door *door = door_find(gate, endpoint);
    if (door == NULL) {
        if (++gate->calls % SWEEP_EVERY == 0) {
            sweep(gate, now);
        }
        door = xcalloc(1, sizeof(*door));
        strncpy(door->endpoint, endpoint, sizeof(door->endpoint) - 1);
        door->limit = PLACES_FIRST;
        door->took_ms = 20;
        HASH_ADD_STR(gate->doors, endpoint, door);
    }
    door->used_ms = now;
    return door;
}

/* A place at the end of the line, as milliseconds from now. */
static int64_t line_up(struct door *door, int64_t step_us, int64_t least_ms)
{
    int64_t now_us = clock_mono_us();
    if (step_us < STEP_LEAST_US) {
        step_us = STEP_LEAST_US;
    }
    if (door->line_us < now_us + least_ms * 1000) {
        door->line_us = now_us + least_ms * 1000;
    }
    door->line_us += step_us;
    int64_t ms = (door->line_us - now_us) / 1000 + 1;
    if (ms > LINE_MOST_MS) {
        door->line_us = now_us + LINE_MOST_MS * 1000;
        ms = LINE_MOST_MS / 2 + (int64_t)random_below(LINE_MOST_MS / 2);
    }
    return ms;
}

/* What the breaker says: 0, or how long to wait. */
static int64_t breaker_wait(struct door *door, int64_t now)
{
    if (door->breaker == BREAKER_OPEN && now >= door->until_ms) {
        door->breaker = BREAKER_HALF_OPEN;
    }
    if (door->breaker == BREAKER_OPEN) {
        return line_up(door, 1000, door->until_ms - now);
    }
    return door->breaker == BREAKER_HALF_OPEN && door->in_flight > 0 ? 500 + (int64_t)random_below(500) : 0;
}

/* True if the places over all endpoints allow one more at this door. */
static bool has_place(const struct gate *gate, const struct door *door)
{
    if (door->in_flight >= door->limit || gate->in_flight >= gate->most) {
        return false;
    }
    return gate->in_flight < gate->most / 2 || !door->unwell || door->in_flight == 0;
}

/* What the rate says, a second's worth at once being fine: 0, or how long to wait. */
static int64_t rate_wait(const struct gate *gate, struct door *door)
{
    if (gate->rate == 0) {
        return 0;
    }
    int64_t now_us = clock_mono_us(), step_us = 1000000 / gate->rate;
    if (door->next_us < now_us - 1000000) {
        door->next_us = now_us - 1000000;
    }
    if (door->next_us > now_us) {
        return line_up(door, step_us, (door->next_us - now_us) / 1000);
    }
    door->next_us += step_us;
    return 0;
}

/* True if a place will be free in a moment. */
static bool is_quick(const struct door *door)
{
    return door->breaker == BREAKER_CLOSED && !door->unwell && door->took_ms <= QUICK_MS;
}

/* 0 and a place, or how long to wait. may_wait: GATE_SOON is an answer. */
static int64_t enter(struct gate *gate, const char *endpoint, bool may_wait)
{
    int64_t now = clock_mono_ms();
    struct door *door = door_get(gate, endpoint, now);
    int64_t wait = breaker_wait(door, now);
    if (wait == 0 && !has_place(gate, door)) {
        bool soon = may_wait && door->in_flight >= door->limit && is_quick(door);
        wait = soon ? GATE_SOON : line_up(door, door->took_ms * 1000 / (2 * door->limit), 1);
    }
    if (wait == 0) {
        wait = rate_wait(gate, door);
    }
    if (wait == 0) {
        door->in_flight++;
        gate->in_flight++;
    }
    return wait;
}

int64_t gate_enter(struct gate *gate, const char *endpoint)
{
    pthread_mutex_lock(&gate->lock);
    int64_t wait = enter(gate, endpoint, false);
    pthread_mutex_unlock(&gate->lock);
    return wait;
}

int64_t gate_try(struct gate *gate, const char *endpoint)
{
    pthread_mutex_lock(&gate->lock);
    int64_t wait = enter(gate, endpoint, true);
    pthread_mutex_unlock(&gate->lock);
    return wait;
}

/* Counts an attempt; true if most of the last five minutes' attempts failed. */
static bool count(struct door *door, bool failed, int64_t now)
{
    int64_t number = now / SPAN_MS;
    struct span *span = &door->spans[number % SPANS];
    unsigned attempts = 0, failures = 0;
    if (span->number != number) {
        *span = (struct span){.number = number};
    }
    span->attempts++;
    span->failures += failed;
    for (unsigned i = 0; i < SPANS; i++) {
        if (number - door->spans[i].number < SPANS) {
            attempts += door->spans[i].attempts;
            failures += door->spans[i].failures;
        }
    }
    return attempts >= TRIP_LEAST && failures * 100 >= attempts * TRIP_PERCENT;
}

/* The breaker opens: the first time for half a minute, each further time in a row for twice as long. */
static void trip(struct door *door, int64_t now)
{
    door->open_ms = door->open_ms == 0 ? OPEN_MS : 2 * door->open_ms;
    if (door->open_ms > OPEN_MOST_MS) {
        door->open_ms = OPEN_MOST_MS;
    }
    door->breaker = BREAKER_OPEN;
    door->until_ms = now + door->open_ms;
    door->line_us = 0;
}

/* The breaker closes, and what was counted is forgotten. */
static void mend(struct door *door)
{
    door->breaker = BREAKER_CLOSED;
    door->open_ms = 0;
    door->line_us = 0;
    memset(door->spans, 0, sizeof(door->spans));
}

/* What an attempt's end means for its endpoint. */
static void judge(struct door *door, bool good, int64_t now)
{
    bool many = count(door, !good, now);
    door->unwell = !good;
    if (good && door->breaker == BREAKER_HALF_OPEN) {
        mend(door);
    } else if (!good && (door->breaker == BREAKER_HALF_OPEN || (door->breaker == BREAKER_CLOSED && many))) {
        trip(door, now);
    }
    if (!good) {
        door->limit = door->limit > 1 ? door->limit / 2 : 1;
        door->streak = 0;
    } else if (++door->streak >= door->limit && door->limit < PLACES_MOST) {
        door->limit++;
        door->streak = 0;
    }
}

void gate_leave(struct gate *gate, const char *endpoint, enum gate_result result, int64_t took_ms)
{
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&gate->lock);
    struct door *door = door_find(gate, endpoint);
    CHECK(door != NULL && door->in_flight > 0 && gate->in_flight > 0);
    door->in_flight--;
    gate->in_flight--;
    door->used_ms = now;
    if (result != GATE_CUT) {
        door->took_ms = (7 * door->took_ms + took_ms) / 8;
        judge(door, result == GATE_GOOD, now);
    }
    pthread_mutex_unlock(&gate->lock);
}

void gate_reset(struct gate *gate, const char *endpoint)
{
    pthread_mutex_lock(&gate->lock);
    struct door *door = door_find(gate, endpoint);
    if (door != NULL) {
        mend(door);
        door->unwell = false;
    }
    pthread_mutex_unlock(&gate->lock);
}

void gate_look(struct gate *gate, const char *endpoint, struct gate_view *out)
{
    int64_t now = clock_mono_ms();
    *out = (struct gate_view){.breaker = BREAKER_CLOSED, .limit = PLACES_FIRST};
    pthread_mutex_lock(&gate->lock);
    struct door *door = door_find(gate, endpoint);
    if (door != NULL) {
        *out =
            (struct gate_view){.breaker = door->breaker, .in_flight = door->in_flight, .limit = door->limit};
        out->open_ms = door->breaker == BREAKER_OPEN && door->until_ms > now ? door->until_ms - now : 0;
    }
    pthread_mutex_unlock(&gate->lock);
}

const char *gate_breaker_name(enum gate_breaker breaker)
{
    static const char *const names[] = {
        [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_HALF_OPEN] = "half_open"};
    return names[breaker];
}
