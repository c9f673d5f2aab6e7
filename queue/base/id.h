/* id.h: prefixed sortable ids: "msg_" + ULID (26 characters of Crockford base 32).
 *
 * The first 10 characters are the wall time in ms, so ids sort by birth; within one process they are
 * strictly rising even inside one millisecond and when the clock steps back. Thread: any. */
#ifndef CHASQUI_BASE_ID_H
#define CHASQUI_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

#define ID_SIZE 40

struct id {
    char text[ID_SIZE];
};

/* prefix: without the underscore, e.g. "msg". */
struct id id_new(const char *prefix);
/* True if text is PREFIX_ + 26 characters of the alphabet (ULID, upper case). */
bool id_is(const char *text, const char *prefix);
/* The wall time inside an id, or -1. */
int64_t id_time_ms(const char *text);
/* The smallest id text (without prefix) of a wall time: for range reads. out: 27 bytes. */
void id_floor(int64_t wall_ms, char out[27]);

#endif
