/* deliver_bare.h: the yardstick: posts over libcurl's multi interface and nothing else. */
#ifndef CHASQUI_BENCH_DELIVER_BARE_H
#define CHASQUI_BENCH_DELIVER_BARE_H

#include <stddef.h>

struct deliver_bare {
    const char *url;
    size_t size;         /* of the body */
    unsigned long count; /* posts in all */
    unsigned in_flight;  /* at once */
};

/* Posts over kept connections, with headers as long as a delivery's. Returns posts a second. */
double deliver_bare(const struct deliver_bare *load);

#endif
