/* hours.c: weekly hours with exceptions, in a time zone.
 *
 * Everything is reckoned by local calendar days: a day's pairs of "HH:MM" become moments through the zone, so
 * a day on which the clock changes is as long as it really is, and nobody adds 24 hours to anything. */
#include <stdio.h>
#include <string.h>

#include "agent/common/hours.h"

#include "queue/base/clock.h"
#include "queue/base/zone.h"

#define SPANS_MAX      8 /* of one day */
#define EXCEPTIONS_MAX 400
#define LOOK_DAYS      370
#define DAY_MINUTES    1440

static const char *const day_keys[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
static const char *const day_names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

static _Thread_local char where_text[160];

/* "HH:MM", up to "24:00", as minutes of the day; -1 if it is none. */
static int minutes_of(const char *text)
{
    if (text == NULL || strlen(text) != 5 || text[2] != ':' || strspn(text, "0123456789") != 2 ||
        strspn(text + 3, "0123456789") != 2) {
        return -1;
    }
    int hour = (text[0] - '0') * 10 + text[1] - '0';
    int minute = (text[3] - '0') * 10 + text[4] - '0';
    int at = hour * 60 + minute;
    return minute < 60 && at <= DAY_MINUTES ? at : -1;
}

/* True for a day of the calendar, written YYYY-MM-DD. */
static bool date_ok(const char *text)
{
    int64_t ms;
    bool date_only = false;

    return text != NULL && strlen(text) == 10 && clock_parse(text, &ms, &date_only) && date_only;
}

/* Notes the place of a fault and why. */
static enum err fault(const char **field, struct buf *why, const char *reason)
{
    if (field != NULL) {
        *field = where_text;
    }
    if (why != NULL) {
        buf_adds(why, reason);
    }
    return ERR_INVALID;
}

/* The pairs of one day: in order, without overlap. */
static enum err check_day(const json_t *day, const char *where, const char **field, struct buf *why)
{
    int end = -1;

    snprintf(where_text, sizeof where_text, "%s", where);
    if (!json_is_array(day) || json_array_size(day) > SPANS_MAX) {
        return fault(field, why, "must be a list of at most 8 pairs of times");
    }
    for (size_t i = 0; i < json_array_size(day); i++) {
        const json_t *pair = json_array_get(day, i);
        int from = minutes_of(json_string_value(json_array_get(pair, 0)));
        int to = minutes_of(json_string_value(json_array_get(pair, 1)));
        snprintf(where_text, sizeof where_text, "%.48s/%zu", where, i);
        if (json_array_size(pair) != 2 || from < 0 || to < 0) {
            return fault(field, why, "must be two times written HH:MM");
        }
        if (from >= to || from < end) {
            return fault(field, why, "must begin before it ends and not before the pair ahead of it");
        }
        end = to;
    }
    return ERR_OK;
}

/* The number of a weekday's key, -1 if it is none. */
static int day_of_key(const char *key)
{
    for (int i = 0; i < 7; i++) {
        if (strcmp(day_keys[i], key) == 0) {
            return i;
        }
    }
    return -1;
}

static enum err check_weekly(const json_t *weekly, const char **field, struct buf *why)
{
    const char *key;
    json_t *day;
    enum err rc = ERR_OK;

    snprintf(where_text, sizeof where_text, "/weekly");
    if (!json_is_object(weekly)) {
        return fault(field, why, "must be an object of mon, tue, wed, thu, fri, sat, sun");
    }
    json_object_foreach ((json_t *)weekly, key, day) {
        char where[32];
        snprintf(where, sizeof where, "/weekly/%.16s", key);
        if (day_of_key(key) < 0) {
            snprintf(where_text, sizeof where_text, "%s", where);
            return fault(field, why, "is not one of mon, tue, wed, thu, fri, sat, sun");
        }
        rc = check_day(day, where, field, why);
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return rc;
}

static enum err check_exceptions(const json_t *list, const char **field, struct buf *why)
{
    snprintf(where_text, sizeof where_text, "/exceptions");
    if (!json_is_array(list) || json_array_size(list) > EXCEPTIONS_MAX) {
        return fault(field, why, "must be a list of at most 400 days");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        char where[64];
        snprintf(where, sizeof where, "/exceptions/%zu/hours", i);
        snprintf(where_text, sizeof where_text, "/exceptions/%zu", i);
        if (json_object_size(row) != 2 || !date_ok(jx_str(row, "date"))) {
            return fault(field, why, "must be {\"date\": YYYY-MM-DD, \"hours\": []}");
        }
        enum err rc = check_day(jx_arr(row, "hours"), where, field, why);
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return ERR_OK;
}

/* One member of the object. */
static enum err check_member(const char *key, const json_t *value, const char **field, struct buf *why)
{
    snprintf(where_text, sizeof where_text, "/%.32s", key);
    if (strcmp(key, "time_zone") == 0) {
        bool known = json_is_string(value) && zone_known(json_string_value(value));
        return known ? ERR_OK : fault(field, why, "is not the name of a time zone, such as Europe/Madrid");
    }
    if (strcmp(key, "weekly") == 0) {
        return check_weekly(value, field, why);
    }
    if (strcmp(key, "exceptions") == 0) {
        return check_exceptions(value, field, why);
    }
    return fault(field, why, "is not a known field");
}

enum err hours_check(const json_t *hours, const char **field, struct buf *why)
{
    const char *key;
    json_t *value;
    enum err rc = ERR_OK;

    where_text[0] = '\0';
    if (!json_is_object(hours)) {
        return fault(field, why, "must be an object");
    }
    json_object_foreach ((json_t *)hours, key, value) {
        rc = rc == ERR_OK ? check_member(key, value, field, why) : rc;
    }
    return rc;
}

static const char *zone_of(const json_t *hours)
{
    return jx_str_or(hours, "time_zone", "UTC");
}

/* The pairs of a local day: of its exception, else of its weekday; NULL where it is open all day. *closed: it
 * has none. */
static const json_t *pairs_of(const json_t *hours, const struct zone_time *day, bool *closed)
{
    const json_t *weekly = jx_obj(hours, "weekly"), *list = jx_arr(hours, "exceptions");
    char date[48];

    snprintf(date, sizeof date, "%04d-%02d-%02d", day->year, day->month, day->day);
    *closed = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        if (strcmp(jx_str_or(row, "date", ""), date) == 0) {
            *closed = json_array_size(jx_arr(row, "hours")) == 0;
            return jx_arr(row, "hours");
        }
    }
    if (weekly == NULL) {
        return NULL;
    }
    const json_t *pairs = jx_arr(weekly, day_keys[day->weekday]);
    *closed = json_array_size(pairs) == 0;
    return pairs;
}

/* The moment that many minutes of wall time into the day. */
static int64_t moment(const char *zone, const struct zone_time *day, int minutes)
{
    struct zone_time at = {.year = day->year, .month = day->month, .day = day->day, .minute = minutes};

    at.hour = minutes / 60;
    at.minute = minutes % 60;
    return zone_utc_ms(zone, &at);
}

/* The open spans of one local day. */
static size_t spans_of(const json_t *hours, const struct zone_time *day, struct hours_span *spans, size_t max)
{
    const char *zone = zone_of(hours);
    bool closed;
    size_t count = 0;
    const json_t *pairs = pairs_of(hours, day, &closed);

    if (closed || max == 0) {
        return 0;
    }
    if (pairs == NULL) {
        spans[0] = (struct hours_span){moment(zone, day, 0), moment(zone, day, DAY_MINUTES)};
        return 1;
    }
    for (size_t i = 0; i < json_array_size(pairs) && count < max; i++) {
        const json_t *pair = json_array_get(pairs, i);
        int from = minutes_of(json_string_value(json_array_get(pair, 0)));
        int to = minutes_of(json_string_value(json_array_get(pair, 1)));
        struct hours_span span = {moment(zone, day, from < 0 ? 0 : from), moment(zone, day, to < 0 ? 0 : to)};
        if (span.from_ms < span.to_ms) {
            spans[count++] = span;
        }
    }
    return count;
}

size_t hours_of_day(const json_t *hours, int64_t at_ms, struct hours_span *spans, size_t max)
{
    struct zone_time day;

    zone_local(zone_of(hours), at_ms, &day);
    return spans_of(hours, &day, spans, max);
}

bool hours_open(const json_t *hours, int64_t at_ms)
{
    struct hours_span spans[SPANS_MAX];
    size_t count = hours_of_day(hours, at_ms, spans, SPANS_MAX);

    for (size_t i = 0; i < count; i++) {
        if (spans[i].from_ms <= at_ms && at_ms < spans[i].to_ms) {
            return true;
        }
    }
    return false;
}

int64_t hours_next_open(const json_t *hours, int64_t at_ms)
{
    struct hours_span spans[SPANS_MAX];
    struct zone_time today, day;

    zone_local(zone_of(hours), at_ms, &today);
    for (int ahead = 0; ahead <= LOOK_DAYS; ahead++) {
        struct zone_time noon = {
            .year = today.year, .month = today.month, .day = today.day + ahead, .hour = 12};
        zone_local(zone_of(hours), zone_utc_ms(zone_of(hours), &noon), &day);
        size_t count = spans_of(hours, &day, spans, SPANS_MAX);
        for (size_t i = 0; i < count; i++) {
            if (spans[i].to_ms > at_ms) {
                return spans[i].from_ms > at_ms ? spans[i].from_ms : at_ms;
            }
        }
    }
    return -1;
}

/* "09:00-13:00, 16:00-20:00", or "closed". */
static void pairs_text(const json_t *pairs, struct buf *out)
{
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i);
        const char *from = json_string_value(json_array_get(pair, 0));
        const char *to = json_string_value(json_array_get(pair, 1));
        buf_addf(out, "%s%s-%s", i > 0 ? ", " : "", from != NULL ? from : "", to != NULL ? to : "");
    }
    if (json_array_size(pairs) == 0) {
        buf_adds(out, "closed");
    }
}

void hours_text(const json_t *hours, struct buf *out)
{
    const json_t *weekly = jx_obj(hours, "weekly"), *list = jx_arr(hours, "exceptions");

    if (weekly == NULL) {
        buf_adds(out, "always open");
    }
    for (size_t i = 0; weekly != NULL && i < 7; i++) {
        buf_addf(out, "%s%s ", i > 0 ? "; " : "", day_names[i]);
        pairs_text(jx_arr(weekly, day_keys[i]), out);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        buf_addf(out, "; %s ", jx_str_or(row, "date", ""));
        pairs_text(jx_arr(row, "hours"), out);
    }
    buf_addf(out, " (%s)", zone_of(hours));
}
