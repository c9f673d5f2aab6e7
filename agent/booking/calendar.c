/* calendar.c: what is taken of a resource, day by day.
 *
 * KIND_CALENDAR "AGENT/RESOURCE/DAY" (UTC days) holds {"taken": [{"id", "from", "to"}]} in ms, each block on
 * every day it touches. A booking guards the revision of each of its days, also of days that have no record
 * yet (0: must be absent), so of two that rest on one view only one commits. Days this change-set has written
 * already are read from it and need no second guard. A day whose last block goes keeps its record: its
 * revision must not fall back to "absent", or an old guard would hold again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/booking/booking_int.h"

#include "queue/base/clock.h"

struct day {
    struct day *next;
    char name[STORE_ID_MAX + 1];
    json_t *body; /* owned; always an object */
    uint64_t rev;
    bool guarded; /* this change-set holds its guard */
};

struct calendar {
    struct changes *cs; /* NULL: only reading */
    struct snapshot *snap;
    const char *part;
    struct day *days;
};

struct calendar *calendar_new(struct changes *cs, struct snapshot *snap, const char *part)
{
    struct calendar *calendar = xcalloc(1, sizeof *calendar);

    calendar->cs = cs;
    calendar->snap = snap;
    calendar->part = part;
    return calendar;
}

void calendar_free(struct calendar *calendar)
{
    while (calendar->days != NULL) {
        struct day *day = calendar->days;
        calendar->days = day->next;
        json_decref(day->body);
        free(day);
    }
    free(calendar);
}

/* Midnight (UTC) of a moment's day. */
static int64_t midnight(int64_t at_ms)
{
    int64_t rest = at_ms % BOOKING_DAY;

    return at_ms - (rest < 0 ? rest + BOOKING_DAY : rest);
}

static void day_name(char out[STORE_ID_MAX + 1], const struct booking_block *block, int64_t at_ms)
{
    char text[CLOCK_TEXT_SIZE];

    clock_rfc3339(at_ms, text);
    snprintf(out, STORE_ID_MAX + 1, "%.60s/%.100s/%.10s", block->agent_id, block->resource, text);
}

/* Reads a day's record, as this change-set leaves it if it writes it. */
static enum err day_read(struct calendar *calendar, struct day *day)
{
    enum err rc = ERR_NOTFOUND;

    if (calendar->cs != NULL) {
        rc = changes_peek(calendar->cs, KIND_CALENDAR, calendar->part, day->name, &day->body, &day->guarded);
    }
    if (!day->guarded) {
        rc = snapshot_get(calendar->snap, KIND_CALENDAR, calendar->part, day->name, &day->body, &day->rev);
    }
    if (rc == ERR_NOTFOUND) {
        day->body = json_pack("{s:[]}", "taken");
        return ERR_OK;
    }
    return rc;
}

/* The day of a moment, read once. */
static enum err day_of(struct calendar *calendar, const struct booking_block *block, int64_t at_ms,
                       struct day **out)
{
    struct day *day = xcalloc(1, sizeof *day);

    day_name(day->name, block, at_ms);
    for (struct day *old = calendar->days; old != NULL; old = old->next) {
        if (strcmp(old->name, day->name) == 0) {
            free(day);
            *out = old;
            return ERR_OK;
        }
    }
    enum err rc = day_read(calendar, day);
    if (rc != ERR_OK) {
        free(day);
        return rc;
    }
    day->next = calendar->days;
    calendar->days = day;
    *out = day;
    return ERR_OK;
}

/* True if a row stands at a moment and is another appointment's. */
static bool stands_at(const json_t *row, const struct booking_block *block, int64_t at_ms)
{
    bool own = block->id != NULL && strcmp(jx_str_or(row, "id", ""), block->id) == 0;

    return !own && jx_int(row, "from", 0) <= at_ms && at_ms < jx_int(row, "to", 0);
}

/* How many others stand at one moment of a day. */
static unsigned count_at(const json_t *taken, const struct booking_block *block, int64_t at_ms)
{
    unsigned n = 0;

    for (size_t i = 0; i < json_array_size(taken); i++) {
        n += stands_at(json_array_get(taken, i), block, at_ms);
    }
    return n;
}

/* The most that stand together on this day within the block: the count only rises where somebody begins. */
static unsigned count_most(const json_t *taken, const struct booking_block *block, int64_t begin_ms)
{
    unsigned most = count_at(taken, block, begin_ms);

    for (size_t i = 0; i < json_array_size(taken); i++) {
        int64_t from = jx_int(json_array_get(taken, i), "from", 0);
        if (from > begin_ms && from < block->to_ms) {
            unsigned n = count_at(taken, block, from);
            most = n > most ? n : most;
        }
    }
    return most;
}

enum err calendar_is_free(struct calendar *calendar, const struct booking_block *block, unsigned capacity,
                          bool *is_free)
{
    *is_free = true;
    for (int64_t at = midnight(block->from_ms); at < block->to_ms && *is_free; at += BOOKING_DAY) {
        struct day *day;
        enum err rc = day_of(calendar, block, at, &day);
        if (rc != ERR_OK) {
            return rc;
        }
        int64_t begin = at > block->from_ms ? at : block->from_ms;
        *is_free = count_most(jx_arr(day->body, "taken"), block, begin) < capacity;
    }
    return ERR_OK;
}

/* Removes the block's own rows from a day; true if there were any. */
static bool remove_own(json_t *taken, const char *id)
{
    bool any = false;

    for (size_t i = json_array_size(taken); i > 0; i--) {
        if (strcmp(jx_str_or(json_array_get(taken, i - 1), "id", ""), id) == 0) {
            json_array_remove(taken, i - 1);
            any = true;
        }
    }
    return any;
}

/* Guard, if it is not there yet, and write. */
static void day_put(struct calendar *calendar, struct day *day)
{
    CHECK(calendar->cs != NULL);
    if (!day->guarded) {
        changes_expect(calendar->cs, KIND_CALENDAR, calendar->part, day->name, day->rev);
        day->guarded = true;
    }
    changes_put(calendar->cs, KIND_CALENDAR, calendar->part, day->name, day->body);
}

enum err calendar_take(struct calendar *calendar, const struct booking_block *block)
{
    for (int64_t at = midnight(block->from_ms); at < block->to_ms; at += BOOKING_DAY) {
        struct day *day;
        enum err rc = day_of(calendar, block, at, &day);
        if (rc != ERR_OK) {
            return rc;
        }
        json_t *taken = jx_arr(day->body, "taken");
        remove_own(taken, block->id);
        jx_push(taken, json_pack("{s:s, s:I, s:I}", "id", block->id, "from", (json_int_t)block->from_ms, "to",
                                 (json_int_t)block->to_ms));
        day_put(calendar, day);
    }
    return ERR_OK;
}

enum err calendar_drop(struct calendar *calendar, const struct booking_block *block)
{
    for (int64_t at = midnight(block->from_ms); at < block->to_ms; at += BOOKING_DAY) {
        struct day *day;
        enum err rc = day_of(calendar, block, at, &day);
        if (rc != ERR_OK) {
            return rc;
        }
        if (remove_own(jx_arr(day->body, "taken"), block->id)) {
            day_put(calendar, day);
        }
    }
    return ERR_OK;
}
