/* vectors.c: how long the exact search by meaning takes: every vector's product with the question's, in each
 * variant this processor can run.
 * usage: bench_vectors
 *
 * Parts are random bytes. Times are processor time of the one thread: the products alone, without the
 * keeping of the nearest, which is a comparison each. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kb/dot.h"
#include "queue/base/error.h"

#define ROUNDS 15

static double cpu_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int time_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median time of one search; adds to *sum so that nothing is left out. */
static double search_ms(kb_dot_fn dot, const int8_t *parts, size_t count, size_t dimensions, int64_t *sum)
{
    double times[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        double start = cpu_ms();
        for (size_t i = 1; i < count; i++) {
            *sum += dot(parts, parts + i * dimensions, dimensions);
        }
        times[round] = cpu_ms() - start;
    }
    qsort(times, ROUNDS, sizeof *times, time_order);
    return times[ROUNDS / 2];
}

int main(void)
{
    static const size_t dimensions[] = {384, 1024}, counts[] = {1000, 10000, 50000};
    int8_t *parts = xmalloc(50000 * 1024);
    uint64_t seed = 1;
    int64_t sum = 0;
    const char *name;

    for (size_t i = 0; i < 50000 * 1024; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        parts[i] = (int8_t)((int)(seed >> 33) % 255 - 127);
    }
    for (size_t d = 0; d < 2; d++) {
        for (size_t c = 0; c < 3; c++) {
            printf("%6zu vectors of %4zu:", counts[c], dimensions[d]);
            for (size_t v = 0; kb_dot_variant(v, &name) != NULL; v++) {
                kb_dot_fn dot = kb_dot_variant(v, &name);
                printf("  %s %.3f ms", name, search_ms(dot, parts, counts[c], dimensions[d], &sum));
            }
            printf("\n");
        }
    }
    free(parts);
    return sum == INT64_MIN;
}
