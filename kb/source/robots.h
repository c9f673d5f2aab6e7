/* robots.h: what a site's robots.txt lets us read (RFC 9309). Thread: any. */
#ifndef CHASQUI_KB_SOURCE_ROBOTS_H
#define CHASQUI_KB_SOURCE_ROBOTS_H

#include <stdbool.h>
#include <stddef.h>

#define ROBOTS_MAX   (500u << 10) /* bytes that count */
#define ROBOTS_TOKEN "chasqui"

struct robots;

/* Reads the text; only the group for ROBOTS_TOKEN is kept, or the one for everybody. */
struct robots *robots_parse(const char *text, size_t len);
void robots_free(struct robots *robots); /* NULL is fine */
/* path: with its query. The longest matching rule decides; allowing wins a tie; no rule allows. robots NULL:
 * all is allowed. */
bool robots_allow(const struct robots *robots, const char *path);
/* Seconds asked for between requests, 0 if none. */
unsigned robots_delay(const struct robots *robots);

#endif
