/* slots.c: free slots, found day by day in the agent's zone.
 *
 * Each local day's open spans are cut into a grid; a place of the grid is free if the service with its
 * buffers fits among what is taken. The service itself must lie within the span, its buffers need not. */
#include <stdlib.h>
#include <string.h>

#include "agent/booking/booking_int.h"

#include "agent/common/hours.h"
#include "queue/base/clock.h"
#include "queue/base/zone.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     500
#define SPANS_MAX     8
#define DAYS_MAX      370
#define SLOT_DEFAULT  30

/* One search under way. */
struct search {
    const json_t *agent, *service;
    struct calendar *calendar;
    const char *ids[BOOKING_RESOURCES];
    json_t *hours[BOOKING_RESOURCES];
    unsigned capacity[BOOKING_RESOURCES];
    size_t count;
    int64_t from_ms, to_ms, step_ms, length_ms, before_ms, after_ms;
    size_t limit;
    json_t *slots;
};

/* One place of the grid. */
struct candidate {
    int64_t at_ms;
    size_t resource;
};

struct candidates {
    struct candidate *rows;
    size_t count, room;
};

static int by_time(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->at_ms != y->at_ms) {
        return x->at_ms < y->at_ms ? -1 : 1;
    }
    return x->resource < y->resource ? -1 : x->resource > y->resource;
}

static void add_candidate(struct candidates *list, int64_t at_ms, size_t resource)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 64 : list->room * 2;
        list->rows = xrealloc(list->rows, list->room * sizeof *list->rows);
    }
    list->rows[list->count++] = (struct candidate){at_ms, resource};
}

/* The grid of one local day over all resources, in order of time. */
static void day_candidates(const struct search *search, int64_t noon_ms, struct candidates *list)
{
    struct hours_span spans[SPANS_MAX];

    list->count = 0;
    for (size_t r = 0; r < search->count; r++) {
        size_t n = hours_of_day(search->hours[r], noon_ms, spans, SPANS_MAX);
        for (size_t i = 0; i < n; i++) {
            int64_t last = spans[i].to_ms - search->length_ms;
            for (int64_t at = spans[i].from_ms; at <= last; at += search->step_ms) {
                if (at >= search->from_ms && at < search->to_ms) {
                    add_candidate(list, at, r);
                }
            }
        }
    }
    if (list->count > 0) {
        qsort(list->rows, list->count, sizeof *list->rows, by_time);
    }
}

static json_t *slot_json(const struct search *search, const struct candidate *place)
{
    json_t *slot = json_object();
    struct buf local;

    jx_set_time(slot, "starts_at", place->at_ms);
    jx_set_time(slot, "ends_at", place->at_ms + search->length_ms);
    jx_set_str(slot, "service", jx_str(search->service, "id"));
    jx_set_str(slot, "resource", search->ids[place->resource]);
    buf_init(&local, 100);
    booking_local(booking_zone(search->agent), place->at_ms, &local);
    jx_set_str(slot, "local", buf_str(&local));
    buf_fini(&local);
    return slot;
}

/* Keeps the places of a day that are free: one for each time, of the first resource that has it. */
static enum err take_day(struct search *search, const struct candidates *list)
{
    int64_t told = INT64_MIN;

    for (size_t i = 0; i < list->count && json_array_size(search->slots) < search->limit; i++) {
        const struct candidate *place = &list->rows[i];
        struct booking_block block = {.agent_id = jx_str_or(search->agent, "id", ""),
                                      .resource = search->ids[place->resource],
                                      .from_ms = place->at_ms - search->before_ms,
                                      .to_ms = place->at_ms + search->length_ms + search->after_ms};
        bool is_free = false;
        if (place->at_ms == told) {
            continue;
        }
        enum err rc = calendar_is_free(search->calendar, &block, search->capacity[place->resource], &is_free);
        if (rc != ERR_OK) {
            return rc;
        }
        if (is_free) {
            told = place->at_ms;
            jx_push(search->slots, slot_json(search, place));
        }
    }
    return ERR_OK;
}

/* Day by day until there are enough. */
static enum err take_days(struct search *search)
{
    const char *zone = booking_zone(search->agent);
    struct candidates list = {.rows = NULL};
    struct zone_time first;
    enum err rc = ERR_OK;

    zone_local(zone, search->from_ms, &first);
    for (int ahead = 0; rc == ERR_OK && ahead < DAYS_MAX; ahead++) {
        struct zone_time noon = {
            .year = first.year, .month = first.month, .day = first.day + ahead, .hour = 12};
        int64_t noon_ms = zone_utc_ms(zone, &noon);
        if (noon_ms - BOOKING_DAY > search->to_ms || json_array_size(search->slots) >= search->limit) {
            break;
        }
        day_candidates(search, noon_ms, &list);
        rc = take_day(search, &list);
    }
    free(list.rows);
    return rc;
}

/* The times between which slots are looked for: after the notice, before the horizon. */
static void set_range(struct search *search, const struct booking_search *asked)
{
    int64_t now = clock_wall_ms();
    int64_t least = now + booking_minutes(search->agent, "notice_minutes", 0) * BOOKING_MINUTE;
    int64_t most = now + booking_minutes(search->agent, "horizon_days", 60) * BOOKING_DAY;

    search->from_ms = asked->from_ms > least ? asked->from_ms : least;
    search->to_ms = asked->to_ms > 0 && asked->to_ms < most ? asked->to_ms : most;
    search->limit = asked->limit == 0 ? LIMIT_DEFAULT : asked->limit < LIMIT_MAX ? asked->limit : LIMIT_MAX;
    search->step_ms = booking_minutes(search->agent, "slot_minutes", SLOT_DEFAULT) * BOOKING_MINUTE;
    search->length_ms = jx_int(search->service, "minutes", 30) * BOOKING_MINUTE;
    search->before_ms = jx_int(search->service, "buffer_before", 0) * BOOKING_MINUTE;
    search->after_ms = jx_int(search->service, "buffer_after", 0) * BOOKING_MINUTE;
}

enum err booking_slots(struct snapshot *snap, const char *part, const json_t *agent,
                       const struct booking_search *asked, json_t **slots, const char **field,
                       struct buf *why)
{
    struct search search = {.agent = agent};

    *slots = NULL;
    if (!booking_enabled(agent)) {
        return booking_fault(ERR_INVALID, field, why, "", "this agent takes no appointments");
    }
    search.service = booking_service(agent, asked->service, field, why);
    if (search.service == NULL) {
        return ERR_INVALID;
    }
    search.count = booking_resources(agent, search.service, asked->resource, search.ids);
    if (search.count == 0) {
        return booking_fault(ERR_INVALID, field, why, "/resource", "does not do this service");
    }
    for (size_t i = 0; i < search.count; i++) {
        search.hours[i] = booking_hours(agent, search.ids[i]);
        search.capacity[i] = booking_capacity(agent, search.ids[i]);
    }
    set_range(&search, asked);
    search.slots = json_array();
    search.calendar = calendar_new(NULL, snap, part);
    enum err rc = take_days(&search);
    calendar_free(search.calendar);
    for (size_t i = 0; i < search.count; i++) {
        json_decref(search.hours[i]);
    }
    if (rc == ERR_OK) {
        *slots = search.slots;
    } else {
        json_decref(search.slots);
    }
    return rc;
}
