/* json_read.h: what json.c and json_read.c share; nobody else includes it. */
#ifndef CHASQUI_BASE_JSON_READ_H
#define CHASQUI_BASE_JSON_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define JSON_READ_DEPTH 64 /* levels of objects and arrays */

/* The value of a whole text, or NULL where only jansson can tell: everything wrong, and everything rare.
 * unique: an object that names a key twice is wrong; otherwise the last value wins. */
json_t *jx_read(const char *text, size_t len, bool unique);

/* A number with a fraction as we keep it; see json.c. */
double jx_real_bound(double value);

#endif
