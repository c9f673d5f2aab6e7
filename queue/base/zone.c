/* zone.c: wall time in a named zone, by ICU's Gregorian calendar.
 *
 * Opening a calendar costs far more than asking one, so each zone's is opened once and kept in a table under
 * one lock; a calendar has state (the time it was set to), so it is only touched with the lock held. The
 * table is bounded: when it is full, the oldest place is given to the new zone. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <unicode/ucal.h>
#include <unicode/ustring.h>

#include "queue/base/zone.h"

#include "queue/base/error.h"

#define ZONES    64
#define NAME_MAX 64

static struct {
    pthread_mutex_t lock;
    struct {
        char name[NAME_MAX];
        UCalendar *calendar;
    } rows[ZONES];
    unsigned count, next;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The name as ICU's text. False if it is too long or not plain. */
static bool name_units(const char *name, UChar out[NAME_MAX])
{
    size_t n = strnlen(name, NAME_MAX);

    if (n == 0 || n >= NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (name[i] <= ' ' || name[i] > '~') {
            return false;
        }
    }
    u_uastrcpy(out, name);
    return true;
}

bool zone_known(const char *name)
{
    UChar id[NAME_MAX], canonical[NAME_MAX * 2];
    UBool system_id = 0;
    UErrorCode rc = U_ZERO_ERROR;

    if (name == NULL || strcmp(name, "Etc/Unknown") == 0 || !name_units(name, id)) {
        return false;
    }
    ucal_getCanonicalTimeZoneID(id, -1, canonical, NAME_MAX * 2, &system_id, &rc);
    return U_SUCCESS(rc) && system_id;
}

/* A new calendar of the zone; UTC if the name is unknown. */
static UCalendar *calendar_open(const char *name)
{
    UChar id[NAME_MAX];
    UErrorCode rc = U_ZERO_ERROR;

    if (!zone_known(name) || !name_units(name, id)) {
        u_uastrcpy(id, "Etc/UTC");
    }
    UCalendar *calendar = ucal_open(id, -1, "en_US_POSIX", UCAL_GREGORIAN, &rc);
    CHECK(U_SUCCESS(rc) && calendar != NULL);
    ucal_setAttribute(calendar, UCAL_REPEATED_WALL_TIME, UCAL_WALLTIME_FIRST);
    ucal_setAttribute(calendar, UCAL_SKIPPED_WALL_TIME, UCAL_WALLTIME_LAST);
    return calendar;
}

/* The zone's calendar; opened and kept if it is asked for the first time. The lock is held. */
static UCalendar *calendar_locked(const char *name)
{
    for (unsigned i = 0; i < table.count; i++) {
        if (strcmp(table.rows[i].name, name) == 0) {
            return table.rows[i].calendar;
        }
    }
    unsigned place = table.next;
    table.next = (table.next + 1) % ZONES;
    if (place < table.count) {
        ucal_close(table.rows[place].calendar);
    } else {
        table.count++;
    }
    size_t n = strnlen(name, NAME_MAX - 1);
    memcpy(table.rows[place].name, name, n);
    table.rows[place].name[n] = '\0';
    table.rows[place].calendar = calendar_open(name);
    return table.rows[place].calendar;
}

/* A name that is no zone takes no place of its own. */
static const char *settled_name(const char *name)
{
    return name != NULL && strnlen(name, NAME_MAX) < NAME_MAX && name[0] != '\0' ? name : "Etc/UTC";
}

/* One field of the calendar. */
static int field(UCalendar *calendar, UCalendarDateFields which)
{
    UErrorCode rc = U_ZERO_ERROR;
    int32_t value = ucal_get(calendar, which, &rc);

    CHECK(U_SUCCESS(rc));
    return value;
}

void zone_local(const char *name, int64_t at_ms, struct zone_time *out)
{
    UErrorCode rc = U_ZERO_ERROR;

    pthread_mutex_lock(&table.lock);
    UCalendar *calendar = calendar_locked(settled_name(name));
    ucal_setMillis(calendar, (UDate)at_ms, &rc);
    CHECK(U_SUCCESS(rc));
    out->year = field(calendar, UCAL_YEAR);
    out->month = field(calendar, UCAL_MONTH) + 1;
    out->day = field(calendar, UCAL_DATE);
    out->hour = field(calendar, UCAL_HOUR_OF_DAY);
    out->minute = field(calendar, UCAL_MINUTE);
    out->second = field(calendar, UCAL_SECOND);
    out->weekday = (field(calendar, UCAL_DAY_OF_WEEK) - UCAL_MONDAY + 7) % 7;
    out->offset_s = (field(calendar, UCAL_ZONE_OFFSET) + field(calendar, UCAL_DST_OFFSET)) / 1000;
    pthread_mutex_unlock(&table.lock);
}

int64_t zone_utc_ms(const char *name, const struct zone_time *local)
{
    UErrorCode rc = U_ZERO_ERROR;

    pthread_mutex_lock(&table.lock);
    UCalendar *calendar = calendar_locked(settled_name(name));
    ucal_clear(calendar);
    ucal_setDateTime(calendar, local->year, local->month - 1, local->day, local->hour, local->minute,
                     local->second, &rc);
    UDate at = ucal_getMillis(calendar, &rc);
    CHECK(U_SUCCESS(rc));
    pthread_mutex_unlock(&table.lock);
    return (int64_t)at;
}
