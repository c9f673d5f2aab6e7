/* deprecation.c: the table of routes that will go. */
#include "bridge/api/deprecation.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "queue/base/clock.h"

const struct deprecation deprecations[] = {
#define DEPRECATED(method, path, since, until, instead) {method, path, since, until, instead},
#include "bridge/api/tbl_deprecations.h"
#undef DEPRECATED
};
const unsigned deprecation_count = sizeof(deprecations) / sizeof(deprecations[0]);

const struct deprecation *deprecation_of(const struct route *route)
{
    for (unsigned i = 0; i < deprecation_count; i++) {
        if (strcmp(deprecations[i].path, route->path) == 0 &&
            strcmp(deprecations[i].method, route->method) == 0) {
            return &deprecations[i];
        }
    }
    return NULL;
}

/* A date of the table in Unix seconds. */
static time_t seconds_of(const char *date)
{
    int64_t ms;
    bool date_only;
    CHECK(clock_parse(date, &ms, &date_only) && date_only);
    return (time_t)(ms / 1000);
}

void deprecation_headers(const struct deprecation *row, char since[DEPRECATION_TEXT_SIZE],
                         char until[DEPRECATION_TEXT_SIZE])
{
    struct tm tm;
    time_t end = seconds_of(row->until);
    snprintf(since, DEPRECATION_TEXT_SIZE, "@%lld", (long long)seconds_of(row->since));
    CHECK(gmtime_r(&end, &tm) != NULL);
    strftime(until, DEPRECATION_TEXT_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}
