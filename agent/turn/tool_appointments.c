/* tool_appointments.c: the tools that find, book and cancel appointments; as tool_records.c does with all
 * writes, tried first and made by the commit. One change of appointments for each turn. */
#include <string.h>

#include "agent/turn/toolbox.h"

#include "agent/booking/booking.h"
#include "queue/base/clock.h"
#include "queue/base/zone.h"

#define DAY_MS      (24 * 3600 * (int64_t)1000)
#define SEARCH_DAYS 14
#define SLOTS_SHOWN 12

static const json_t *settings_of(const json_t *agent)
{
    return jx_obj(jx_obj(agent, "settings"), "appointments");
}

bool tool_booking_enabled(const json_t *agent)
{
    return jx_bool(settings_of(agent), "enabled", false) && tool_listed(agent, "appointments", true);
}

/* The begin of a local day "YYYY-MM-DD" in the agent's zone, -1 if it is none. */
static int64_t day_ms(const json_t *agent, const char *text)
{
    int64_t utc;
    bool date_only = false;
    struct zone_time local;

    if (text == NULL || !clock_parse(text, &utc, &date_only)) {
        return -1;
    }
    if (!date_only) {
        return utc;
    }
    zone_local("UTC", utc, &local);
    return zone_utc_ms(jx_str_or(settings_of(agent), "time_zone", "UTC"), &local);
}

bool tool_find_slots(struct turn *turn, const json_t *arguments, struct buf *out)
{
    int64_t now = clock_wall_ms();
    int64_t from = day_ms(turn->agent, jx_str(arguments, "from"));
    int64_t to = day_ms(turn->agent, jx_str(arguments, "to"));
    struct snapshot *snap;
    json_t *slots = NULL;
    const char *field = "";
    struct buf why;

    from = from > now ? from : now;
    to = to >= from ? to + DAY_MS : from + SEARCH_DAYS * DAY_MS;
    struct booking_search search = {
        .service = jx_str(arguments, "service"), .from_ms = from, .to_ms = to, .limit = SLOTS_SHOWN};
    if (snapshot_open(job_store(turn->job), &snap) != ERR_OK) {
        return false;
    }
    buf_init(&why, 1024);
    enum err rc = booking_slots(snap, turn->part, turn->agent, &search, &slots, &field, &why);
    snapshot_close(snap);
    if (rc != ERR_OK) {
        buf_addf(out, "%s: %s", field, buf_str(&why));
    } else if (json_array_size(slots) == 0) {
        buf_adds(out, "There is no free time in these days.");
    } else {
        jx_dump(slots, out);
    }
    buf_fini(&why);
    json_decref(slots);
    return rc == ERR_OK;
}

/* Tries a booking, or makes it: what it says is for the model. */
static enum err book(struct turn *turn, struct changes *cs, struct snapshot *snap, const json_t *wish,
                     struct buf *out)
{
    json_t *appointment = NULL;
    const char *field = "";
    struct buf why;

    buf_init(&why, 1024);
    enum err rc =
        booking_book(cs, snap, turn->part, turn->agent, turn->conversation, wish, &appointment, &field, &why);
    if (out != NULL && rc == ERR_OK) {
        buf_addf(out, "Booked: %s to %s.", jx_str_or(appointment, "starts_at", ""),
                 jx_str_or(appointment, "ends_at", ""));
    } else if (out != NULL) {
        buf_addf(out, "Not booked. %s %s", field != NULL ? field : "", buf_str(&why));
    }
    json_decref(appointment);
    buf_fini(&why);
    return rc;
}

static bool book_effect(struct turn *turn, struct changes *cs, struct snapshot *snap, void *arg)
{
    return book(turn, cs, snap, arg, NULL) == ERR_OK;
}

bool tool_book(struct turn *turn, const json_t *arguments, struct buf *out)
{
    struct snapshot *snap;
    json_t *wish = json_deep_copy(arguments);

    arena_defer(turn->arena, jx_decref, wish);
    if (turn->appointment_changed || snapshot_open(job_store(turn->job), &snap) != ERR_OK) {
        buf_adds(out, "One change of appointments for each message.");
        return false;
    }
    struct changes *cs = changes_new();
    enum err rc = book(turn, cs, snap, wish, out);
    snapshot_close(snap);
    changes_free(cs);
    if (rc == ERR_OK) {
        turn->appointment_changed = true;
        turn_effect(turn, book_effect, wish);
    }
    return rc == ERR_OK;
}

/* The coming appointment of this contact that starts then (NULL: the only one). New reference, or NULL with
 * words for the model. */
static json_t *coming(struct turn *turn, struct snapshot *snap, const char *starts_at, struct buf *out)
{
    json_t *list = NULL, *found = NULL;
    size_t i;
    json_t *one;

    if (booking_of_contact(snap, turn->part, jx_str_or(turn->agent, "id", ""),
                           jx_str_or(turn->conversation, "contact_id", ""), &list) != ERR_OK) {
        return NULL;
    }
    json_array_foreach (list, i, one) {
        int64_t theirs = 0, asked = 0;
        bool date_only, same = starts_at == NULL && json_array_size(list) == 1;
        same = same || (starts_at != NULL && clock_parse(starts_at, &asked, &date_only) &&
                        clock_parse(jx_str_or(one, "starts_at", ""), &theirs, &date_only) && asked == theirs);
        if (same && found == NULL) {
            found = json_incref(one);
        }
    }
    if (found == NULL && out != NULL) {
        buf_addf(out, "%zu coming appointments; which one? ", json_array_size(list));
        json_array_foreach (list, i, one) {
            buf_addf(out, "%s; ", jx_str_or(one, "starts_at", ""));
        }
    }
    json_decref(list);
    return found;
}

/* What is to be cancelled. */
struct cancel_wish {
    const char *id, *reason;
};

static bool cancel_effect(struct turn *turn, struct changes *cs, struct snapshot *snap, void *arg)
{
    const struct cancel_wish *wish = arg;
    json_t *appointment = NULL;
    uint64_t rev;

    if (snapshot_get(snap, KIND_APPOINTMENT, turn->part, wish->id, &appointment, &rev) != ERR_OK) {
        return false;
    }
    enum err rc = booking_cancel(cs, snap, turn->part, appointment, rev, wish->reason);
    json_decref(appointment);
    return rc == ERR_OK;
}

bool tool_cancel(struct turn *turn, const json_t *arguments, struct buf *out)
{
    struct snapshot *snap;

    if (turn->appointment_changed || snapshot_open(job_store(turn->job), &snap) != ERR_OK) {
        buf_adds(out, "One change of appointments for each message.");
        return false;
    }
    json_t *appointment = coming(turn, snap, jx_str(arguments, "starts_at"), out);
    snapshot_close(snap);
    if (appointment == NULL) {
        return false;
    }
    struct cancel_wish *wish = arena_alloc(turn->arena, sizeof *wish);
    wish->id = arena_strdup(turn->arena, jx_str_or(appointment, "id", ""));
    wish->reason = arena_strdup(turn->arena, jx_str_or(arguments, "reason", "customer"));
    turn->appointment_changed = true;
    turn_effect(turn, cancel_effect, wish);
    buf_addf(out, "Cancelled: %s.", jx_str_or(appointment, "starts_at", ""));
    json_decref(appointment);
    return true;
}
