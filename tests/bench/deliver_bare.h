/* deliver_bare.h: the yardstick: posts over libcurl's multi interface and nothing else. */
#ifndef CHASQUI_BENCH_DELIVER_BARE_H
#define CHASQUI_BENCH_DELIVER_BARE_H

/* Posts 1 kB so many times to the URL, in_flight at once, connections kept. Returns posts a second. */
double deliver_bare(const char *url, unsigned long count, unsigned in_flight);

#endif
