/* deprecation.h: which routes will go, and how their answers say so. Thread: any. */
#ifndef CHASQUI_API_DEPRECATION_H
#define CHASQUI_API_DEPRECATION_H

#include "bridge/api/route.h"

struct deprecation {
    const char *method, *path;
    const char *since, *until; /* dates */
    const char *instead;
};
extern const struct deprecation deprecations[];
extern const unsigned deprecation_count;

/* The row of a route, NULL: it stays. */
const struct deprecation *deprecation_of(const struct route *route);

#define DEPRECATION_TEXT_SIZE 40
/* The values of both headers: "@1793491200" (RFC 9745, a date of RFC 9651) and "Sat, 01 Jan 2028 00:00:00
 * GMT" (RFC 8594). */
void deprecation_headers(const struct deprecation *row, char since[DEPRECATION_TEXT_SIZE],
                         char until[DEPRECATION_TEXT_SIZE]);

#endif
