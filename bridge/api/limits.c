/* limits.c: one hash of windows behind one lock. An entry whose window is over is as good as absent; when the
 * hash has doubled since the last look, such entries are dropped, so that strangers' addresses cannot fill
 * the memory. */
#include "bridge/api/limits.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "queue/base/clock.h"
#include "queue/base/error.h"
#include "queue/base/log.h"
#include "queue/base/option.h"

#define WHO_MAX     80
#define ENTRIES_MIN 1024

static struct {
    struct plan plan;
    enum option_id option;
} plans[] = {
#define X(name, option) {{name, {0}}, option},
#include "bridge/api/tbl_plans.h"
#undef X
};
#define PLANS (sizeof(plans) / sizeof(plans[0]))
static struct plan common = {"common", {0}};
static pthread_once_t plans_once = PTHREAD_ONCE_INIT;

static const struct {
    const char *name;
    int64_t length_ms;
    bool durable;
} rows[LIMIT_COUNT] = {
    [LIMIT_REQUESTS] = {"requests per minute", 60 * 1000, false},
    [LIMIT_MESSAGES] = {"messages per hour", 3600 * 1000, true},
    [LIMIT_WRITES] = {"knowledge writes per day", 24 * 3600 * 1000, true},
    [LIMIT_SIGN_IN] = {"failed sign-ins per minute", 60 * 1000, false},
    [LIMIT_TOUCH] = {"marks per minute", 60 * 1000, false},
    [LIMIT_ADDRESS] = {"requests per minute from one address to one route", 60 * 1000, false},
};

struct window {
    char id[WHO_MAX + 4]; /* who, a slash, the limit's number */
    int64_t started_ms;   /* monotonic */
    int64_t length_ms;
    unsigned count;
    UT_hash_handle hh;
};

struct limits {
    pthread_mutex_t lock;
    struct window *windows;
    unsigned sweep_at;
};

/* "30,60,20" as limits; false: it is something else. */
static bool read_limits(const char *text, unsigned limits[3])
{
    for (unsigned i = 0; i < 3; i++) {
        char *end;
        unsigned long value = strtoul(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || value > UINT_MAX || *end != (i < 2 ? ',' : '\0')) {
            return false;
        }
        limits[i] = (unsigned)value;
        text = end + 1;
    }
    return true;
}

/* Reads every plan's option; one that makes no sense leaves the plan as the table of options has it. */
static void load_plans(void)
{
    for (unsigned i = 0; i < PLANS; i++) {
        const struct option_row *row = option_row(plans[i].option);
        unsigned *limits = plans[i].plan.limits;
        if (!read_limits(option_text(plans[i].option), limits)) {
            log_warn("plans.refused", "option=%s", row->name);
            CHECK(read_limits(row->fallback, limits));
        }
    }
    common.limits[LIMIT_SIGN_IN] = (unsigned)option_int(OPT_SIGN_IN_LIMIT);
    common.limits[LIMIT_TOUCH] = 1;
    common.limits[LIMIT_ADDRESS] = (unsigned)option_int(OPT_ADDRESS_LIMIT);
}

const struct plan *plan_find(const char *name)
{
    pthread_once(&plans_once, load_plans);
    for (unsigned i = 0; i < PLANS; i++) {
        if (strcmp(plans[i].plan.name, name) == 0) {
            return &plans[i].plan;
        }
    }
    return NULL;
}

const struct plan *plan_common(void)
{
    pthread_once(&plans_once, load_plans);
    return &common;
}

const char *limit_name(enum limit_id id)
{
    return rows[id].name;
}

bool limit_durable(enum limit_id id)
{
    return rows[id].durable;
}

struct limits *limits_new(void)
{
    struct limits *limits = xcalloc(1, sizeof(*limits));
    pthread_mutex_init(&limits->lock, NULL);
    limits->sweep_at = ENTRIES_MIN;
    return limits;
}

void limits_free(struct limits *limits)
{
    struct window *window, *next;
    if (limits == NULL) {
        return;
    }
    HASH_ITER (hh, limits->windows, window, next) {
        HASH_DEL(limits->windows, window);
        free(window);
    }
    pthread_mutex_destroy(&limits->lock);
    free(limits);
}

static bool is_over(const struct window *window, int64_t now)
{
    return now >= window->started_ms + window->length_ms;
}

/* The name of a window: who, a slash, the limit's number. */
static void name_of(const char *who, enum limit_id id, char key[WHO_MAX + 4])
{
    size_t len = strnlen(who, WHO_MAX);
    _Static_assert(LIMIT_COUNT <= 10, "the number is one digit");
    memcpy(key, who, len);
    key[len] = '/';
    key[len + 1] = (char)('0' + (int)id);
    key[len + 2] = '\0';
}

/* The running window, NULL if there is none. */
static struct window *find(struct limits *limits, const char *who, enum limit_id id, int64_t now)
{
    char key[WHO_MAX + 4];
    struct window *window;
    name_of(who, id, key);
    HASH_FIND_STR(limits->windows, key, window);
    return window != NULL && !is_over(window, now) ? window : NULL;
}

/* Drops what is over. */
static void sweep(struct limits *limits, int64_t now)
{
    struct window *window, *next;
    HASH_ITER (hh, limits->windows, window, next) {
        if (is_over(window, now)) {
            HASH_DEL(limits->windows, window);
            free(window);
        }
    }
    unsigned left = HASH_COUNT(limits->windows);
    limits->sweep_at = left * 2 > ENTRIES_MIN ? left * 2 : ENTRIES_MIN;
}

/* A fresh window in place of one that is over or absent. */
static struct window *begin(struct limits *limits, const char *who, enum limit_id id, int64_t now)
{
    char key[WHO_MAX + 4];
    struct window *window;
    name_of(who, id, key);
    HASH_FIND_STR(limits->windows, key, window);
    if (window == NULL) {
        if (HASH_COUNT(limits->windows) >= limits->sweep_at) {
            sweep(limits, now);
        }
        window = xcalloc(1, sizeof(*window));
        snprintf(window->id, sizeof(window->id), "%s", key);
        HASH_ADD_STR(limits->windows, id, window);
    }
    window->started_ms = now;
    window->length_ms = rows[id].length_ms;
    window->count = 0;
    return window;
}

/* What the headers say of a window (NULL: none is running). */
static void describe(const struct window *window, enum limit_id id, unsigned limit, int64_t now,
                     struct limit_state *state)
{
    int64_t left = window != NULL ? window->started_ms + window->length_ms - now : rows[id].length_ms;
    int64_t wall = clock_wall_ms();
    unsigned used = window != NULL ? window->count : 0;
    state->limit = limit;
    state->remaining = used < limit ? limit - used : 0;
    state->reset_s = (wall + left + 999) / 1000;
    state->retry_s = (left + 999) / 1000;
    if (state->retry_s < 1) {
        state->retry_s = 1;
    }
}

bool limits_take(struct limits *limits, const char *who, const struct plan *plan, enum limit_id id,
                 unsigned units, struct limit_state *state)
{
    unsigned limit = plan->limits[id];
    int64_t now = clock_mono_ms();
    bool taken = true;
    memset(state, 0, sizeof(*state));
    if (limit == 0) {
        return true;
    }
    pthread_mutex_lock(&limits->lock);
    struct window *window = find(limits, who, id, now);
    unsigned used = window != NULL ? window->count : 0;
    taken = units <= limit && used <= limit - units;
    if (taken && units > 0) {
        window = window != NULL ? window : begin(limits, who, id, now);
        window->count += units;
    }
    describe(window, id, limit, now, state);
    pthread_mutex_unlock(&limits->lock);
    return taken;
}

void limits_return(struct limits *limits, const char *who, enum limit_id id, unsigned units)
{
    pthread_mutex_lock(&limits->lock);
    struct window *window = find(limits, who, id, clock_mono_ms());
    if (window != NULL) {
        window->count -= units < window->count ? units : window->count;
    }
    pthread_mutex_unlock(&limits->lock);
}

json_t *limits_record(struct limits *limits, const char *who, enum limit_id id)
{
    int64_t now = clock_mono_ms();
    json_t *record = NULL;
    pthread_mutex_lock(&limits->lock);
    const struct window *window = find(limits, who, id, now);
    if (window != NULL) {
        record = json_object();
        jx_set_int(record, "started_at_ms", clock_wall_ms() - (now - window->started_ms));
        jx_set_int(record, "count", window->count);
    }
    pthread_mutex_unlock(&limits->lock);
    return record;
}

bool limits_known(struct limits *limits, const char *who, enum limit_id id)
{
    pthread_mutex_lock(&limits->lock);
    bool known = find(limits, who, id, clock_mono_ms()) != NULL;
    pthread_mutex_unlock(&limits->lock);
    return known;
}

void limits_restore(struct limits *limits, const char *who, enum limit_id id, const json_t *record)
{
    int64_t now = clock_mono_ms();
    int64_t age = clock_wall_ms() - jx_int(record, "started_at_ms", 0);
    if (age >= rows[id].length_ms) {
        return;
    }
    pthread_mutex_lock(&limits->lock);
    if (find(limits, who, id, now) == NULL) {
        struct window *window = begin(limits, who, id, now);
        window->started_ms = now - (age > 0 ? age : 0);
        window->count = (unsigned)jx_int(record, "count", 0);
    }
    pthread_mutex_unlock(&limits->lock);
}
