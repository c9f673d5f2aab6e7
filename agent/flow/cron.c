/* cron.c: times that come again, in the zone of the business.
 *
 * As in crontab(5): where both day fields are restricted, one of them is enough. A time that summer time
 * skips is taken at the moment the clocks move on; one that comes twice is its first. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/flow/flow.h"
#include "queue/base/zone.h"

#define DAY_MS (24 * 3600 * (int64_t)1000)

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, PARTS };

static const struct {
    int low, high;
    const char *names; /* three letters each, from low on */
} parts[PARTS] = {
    [MINUTE] = {0, 59, ""},
    [HOUR] = {0, 23, ""},
    [DAY] = {1, 31, ""},
    [MONTH] = {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    [WEEKDAY] = {0, 7, "sunmontuewedthufrisat"},
};

struct cron {
    uint64_t set[PARTS]; /* a bit for each value */
    bool any_day, any_weekday;
};

/* A number or a name at *at; -1 if there is none. */
static int read_value(const char **at, int part)
{
    const char *names = parts[part].names;

    if (isdigit((unsigned char)**at)) {
        char *end;
        unsigned long value = strtoul(*at, &end, 10);
        *at = end;
        return value <= 100 ? (int)value : -1;
    }
    for (int i = 0; names[3 * i] != '\0'; i++) {
        if (strncasecmp(*at, names + 3 * i, 3) == 0) {
            *at += 3;
            return parts[part].low + i;
        }
    }
    return -1;
}

/* "*", "5", "1-5", each with "/2". */
static bool read_range(const char **at, int part, uint64_t *set)
{
    int from = parts[part].low, to = parts[part].high, step = 1;

    if (**at == '*') {
        (*at)++;
        to = part == WEEKDAY ? 6 : to;
    } else {
        from = read_value(at, part);
        to = from;
        if (**at == '-') {
            (*at)++;
            to = read_value(at, part);
        }
    }
    if (**at == '/') {
        (*at)++;
        step = isdigit((unsigned char)**at) ? read_value(at, MINUTE) : -1;
    }
    if (from < parts[part].low || to > parts[part].high || from > to || step < 1) {
        return false;
    }
    for (int value = from; value <= to; value += step) {
        *set |= (uint64_t)1 << (part == WEEKDAY && value == 7 ? 0 : value);
    }
    return true;
}

static bool read_cron(const char *text, struct cron *out)
{
    *out = (struct cron){0};
    for (int part = 0; part < PARTS; part++) {
        text += strspn(text, " \t");
        out->any_day = part == DAY ? *text == '*' : out->any_day;
        out->any_weekday = part == WEEKDAY ? *text == '*' : out->any_weekday;
        do {
            text += *text == ',' ? 1 : 0;
            if (!read_range(&text, part, &out->set[part])) {
                return false;
            }
        } while (*text == ',');
        if (*text != '\0' && *text != ' ' && *text != '\t') {
            return false;
        }
    }
    return text[strspn(text, " \t")] == '\0';
}

bool flow_cron_ok(const char *cron)
{
    struct cron parsed;

    return read_cron(cron, &parsed) && flow_cron_next(cron, "UTC", 0) >= 0;
}

static bool has(const struct cron *cron, int part, int value)
{
    return (cron->set[part] >> value & 1) != 0;
}

/* Whether the local day is one of its days. zone.h counts weekdays from Monday, cron from Sunday. */
static bool day_fits(const struct cron *cron, const struct zone_time *day)
{
    bool by_day = has(cron, DAY, day->day), by_weekday = has(cron, WEEKDAY, (day->weekday + 1) % 7);

    if (!has(cron, MONTH, day->month)) {
        return false;
    }
    return cron->any_day || cron->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* The first moment of a local day that is after at_ms; -1: none. */
static int64_t first_of_day(const struct cron *cron, const char *zone, const struct zone_time *day,
                            int64_t at_ms)
{
    for (int hour = 0; hour < 24; hour++) {
        for (int minute = 0; has(cron, HOUR, hour) && minute < 60; minute++) {
            struct zone_time local = {
                .year = day->year, .month = day->month, .day = day->day, .hour = hour, .minute = minute};
            int64_t moment = has(cron, MINUTE, minute) ? zone_utc_ms(zone, &local) : -1;
            if (moment > at_ms) {
                return moment;
            }
        }
    }
    return -1;
}

int64_t flow_cron_next(const char *cron, const char *zone, int64_t at_ms)
{
    struct cron parsed;
    struct zone_time today;

    if (!read_cron(cron, &parsed)) {
        return -1;
    }
    zone_local(zone, at_ms, &today);
    struct zone_time noon = {.year = today.year, .month = today.month, .day = today.day, .hour = 12};
    int64_t noon_ms = zone_utc_ms(zone, &noon);
    for (int i = 0; i <= 366; i++) {
        struct zone_time day;
        zone_local(zone, noon_ms + i * DAY_MS, &day);
        int64_t moment = day_fits(&parsed, &day) ? first_of_day(&parsed, zone, &day, at_ms) : -1;
        if (moment >= 0) {
            return moment;
        }
    }
    return -1;
}
