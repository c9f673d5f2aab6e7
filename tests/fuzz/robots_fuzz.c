/* robots_fuzz.c: robots.txt; the first line of the input is the path that is asked about. The answer is the
 * same for the same text, robots.txt itself may always be read, and a text that forbids all in front of it
 * forbids. */
#include <stdlib.h>
#include <string.h>

#include "kb/source/robots.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const char *data, size_t size)
{
    char *path = fuzz_line(&data, &size);
    struct robots *robots = robots_parse(data, size), *again = robots_parse(data, size);

    CHECK(robots_allow(robots, path) == robots_allow(again, path));
    CHECK(robots_allow(robots, "/robots.txt"));
    CHECK(robots_delay(robots) <= 30);
    robots_free(robots);
    robots_free(again);
    free(path);
}
