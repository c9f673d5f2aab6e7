/* clock.c: the two clocks and RFC 3339 text. The calendar arithmetic is the proleptic Gregorian calendar
 * counted in eras of 400 years from the first of March, so that leap days come last; it needs neither the
 * C library's time zone state nor its locks. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "queue/base/clock.h"

#include "queue/base/error.h"

#define MS_PER_DAY   86400000
#define DAYS_PER_ERA 146097
#define DAYS_TO_1970 719468 /* from 0000-03-01 */
/* 0000-01-01 and the last ms of 9999: what four-digit years can say */
#define WALL_MIN (-62167219200000)
#define WALL_MAX 253402300799999

static _Atomic int64_t wall_shift;
static _Atomic int64_t mono_shift;

/* Reads a clock in microseconds. */
static int64_t read_us(clockid_t which)
{
    struct timespec now;

    CHECK(clock_gettime(which, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000 + atomic_load_explicit(&wall_shift, memory_order_relaxed);
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC) + atomic_load_explicit(&mono_shift, memory_order_relaxed) * 1000;
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

void clock_shift_wall(int64_t ms)
{
    atomic_fetch_add(&wall_shift, ms);
}

void clock_shift_mono(int64_t ms)
{
    atomic_fetch_add(&mono_shift, ms);
}

struct civil {
    int year, month, day;
};

/* The date of a day counted from 1970-01-01, from year 0 on. */
static struct civil civil_of_days(int64_t days)
{
    int64_t d = days + DAYS_TO_1970;
    int64_t era = (d >= 0 ? d : d - DAYS_PER_ERA + 1) / DAYS_PER_ERA;
    int of_era = (int)(d - era * DAYS_PER_ERA);
    int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year + year / 4 - year / 100);
    int month = (5 * of_year + 2) / 153; /* 0 is March */
    int day = of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    return (struct civil){(int)(era * 400) + year + (month <= 2), month, day};
}

/* The day number of a date, the inverse of civil_of_days. */
static int64_t days_of_civil(struct civil c)
{
    int64_t year = c.year - (c.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
    return era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
}

/* Writes a number as exactly n digits and the mark behind them. */
static char *put_digits(char *at, unsigned value, int n, char mark)
{
    for (int i = n - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    at[n] = mark;
    return at + n + 1;
}

/* Writes a wall time with or without milliseconds; times outside four-digit years are clamped. */
static char *print_time(int64_t wall_ms, bool with_ms, char out[CLOCK_TEXT_SIZE])
{
    int64_t ms = wall_ms < WALL_MIN ? WALL_MIN : wall_ms > WALL_MAX ? WALL_MAX : wall_ms;
    int64_t days = (ms >= 0 ? ms : ms - MS_PER_DAY + 1) / MS_PER_DAY;
    unsigned rest = (unsigned)(ms - days * MS_PER_DAY);
    struct civil c = civil_of_days(days);
    char *at = put_digits(out, (unsigned)c.year, 4, '-');

    at = put_digits(at, (unsigned)c.month, 2, '-');
    at = put_digits(at, (unsigned)c.day, 2, 'T');
    at = put_digits(at, rest / 3600000, 2, ':');
    at = put_digits(at, rest / 60000 % 60, 2, ':');
    at = put_digits(at, rest / 1000 % 60, 2, with_ms ? '.' : 'Z');
    if (with_ms) {
        at = put_digits(at, rest % 1000, 3, 'Z');
    }
    *at = '\0';
    return out;
}

char *clock_rfc3339(int64_t wall_ms, char out[CLOCK_TEXT_SIZE])
{
    return print_time(wall_ms, false, out);
}

char *clock_rfc3339_ms(int64_t wall_ms, char out[CLOCK_TEXT_SIZE])
{
    return print_time(wall_ms, true, out);
}

/* Reads exactly n digits as a number in [low, high] and moves on. */
static bool take_digits(const char **at, int n, int low, int high, int *out)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9') {
            return false;
        }
        value = value * 10 + (c - '0');
    }
    *at += n;
    *out = value;
    return value >= low && value <= high;
}

/* Moves past one of the characters of set. */
static bool take_char(const char **at, const char *set)
{
    if (**at == '\0' || strchr(set, **at) == NULL) {
        return false;
    }
    (*at)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* "2026-05-10" */
static bool take_date(const char **at, int64_t *days)
{
    struct civil c;

    bool good = take_digits(at, 4, 0, 9999, &c.year) && take_char(at, "-") &&
                take_digits(at, 2, 1, 12, &c.month) && take_char(at, "-") &&
                take_digits(at, 2, 1, 31, &c.day) && c.day <= days_in_month(c.year, c.month);
    if (good) {
        *days = days_of_civil(c);
    }
    return good;
}

/* An optional fraction, of which the first three digits count. */
static bool take_fraction(const char **at, int *ms)
{
    int scale = 100;

    *ms = 0;
    if (!take_char(at, ".")) {
        return true;
    }
    if (**at < '0' || **at > '9') {
        return false;
    }
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        *ms += (**at - '0') * scale;
        scale /= 10;
    }
    return true;
}

/* "14:22:01.5"; second 60 is a leap second and counts as the first of the next minute. */
static bool take_time(const char **at, int64_t *ms)
{
    int hour, minute, second, fraction;

    bool good = take_digits(at, 2, 0, 23, &hour) && take_char(at, ":") &&
                take_digits(at, 2, 0, 59, &minute) && take_char(at, ":") &&
                take_digits(at, 2, 0, 60, &second) && take_fraction(at, &fraction);
    if (good) {
        *ms = ((hour * 60 + minute) * 60 + second) * INT64_C(1000) + fraction;
    }
    return good;
}

/* "Z" or "+05:30" */
static bool take_offset(const char **at, int64_t *ms)
{
    int hour, minute;
    int sign = **at == '-' ? -1 : 1;

    *ms = 0;
    if (take_char(at, "Zz")) {
        return true;
    }
    bool good = take_char(at, "+-") && take_digits(at, 2, 0, 23, &hour) && take_char(at, ":") &&
                take_digits(at, 2, 0, 59, &minute);
    if (good) {
        *ms = sign * (hour * 60 + minute) * INT64_C(60000);
    }
    return good;
}

/* RFC 3339 section 5.6, plus the bare date. */
bool clock_parse(const char *text, int64_t *wall_ms, bool *date_only)
{
    const char *at = text;
    int64_t days, time_ms = 0, offset_ms = 0;

    if (!take_date(&at, &days)) {
        return false;
    }
    bool bare = *at == '\0';
    if (!bare && !(take_char(&at, "Tt") && take_time(&at, &time_ms) && take_offset(&at, &offset_ms))) {
        return false;
    }
    if (*at != '\0') {
        return false;
    }
    *wall_ms = days * MS_PER_DAY + time_ms - offset_ms;
    if (date_only != NULL) {
        *date_only = bare;
    }
    return true;
}
