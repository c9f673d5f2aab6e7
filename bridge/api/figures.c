/* figures.c: counters that every HTTP thread adds to, without a lock. */
#include "bridge/api/figures.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "queue/base/error.h"

/* Upper bounds of the latency buckets, in microseconds. */
static const int64_t bounds[] = {250,   500,   1000,   2500,   5000,    10000,
                                 25000, 50000, 100000, 250000, 1000000, 10000000};
#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

struct figures {
    atomic_uint_fast64_t classes[6]; /* 1xx..5xx at 1..5 */
    atomic_uint_fast64_t buckets[BOUNDS + 1];
    atomic_uint_fast64_t us_sum, count;
};

struct figures *figures_new(void)
{
    return xcalloc(1, sizeof(struct figures));
}

void figures_free(struct figures *figures)
{
    free(figures);
}

void figures_answer(struct figures *figures, int status, int64_t took_us)
{
    unsigned at = 0;
    int class = status / 100;
    while (at < BOUNDS && took_us > bounds[at]) {
        at++;
    }
    atomic_fetch_add(&figures->classes[class >= 1 && class <= 5 ? class : 5], 1);
    atomic_fetch_add(&figures->buckets[at], 1);
    atomic_fetch_add(&figures->us_sum, (uint64_t)took_us);
    atomic_fetch_add(&figures->count, 1);
}

void figures_show(struct figures *figures, struct buf *out)
{
    uint64_t sum = 0;
    buf_adds(out, "# HELP chasqui_http_answers_total Answers by class of status.\n"
                  "# TYPE chasqui_http_answers_total counter\n");
    for (int i = 1; i <= 5; i++) {
        buf_addf(out, "chasqui_http_answers_total{class=\"%dxx\"} %" PRIu64 "\n", i,
                 (uint64_t)atomic_load(&figures->classes[i]));
    }
    buf_adds(out, "# HELP chasqui_http_seconds Time from a whole request to its answer.\n"
                  "# TYPE chasqui_http_seconds histogram\n");
    for (unsigned i = 0; i < BOUNDS; i++) {
        sum += atomic_load(&figures->buckets[i]);
        buf_addf(out, "chasqui_http_seconds_bucket{le=\"%g\"} %" PRIu64 "\n", (double)bounds[i] / 1e6, sum);
    }
    sum += atomic_load(&figures->buckets[BOUNDS]);
    buf_addf(out, "chasqui_http_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", sum);
    buf_addf(out, "chasqui_http_seconds_sum %g\nchasqui_http_seconds_count %" PRIu64 "\n",
             (double)atomic_load(&figures->us_sum) / 1e6, (uint64_t)atomic_load(&figures->count));
}
