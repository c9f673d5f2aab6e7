/* fuzz_main.c: libFuzzer's entries, the slowest input, and small helpers of the targets.
 *
 * At the end the program prints "slowest_us=N slowest_bytes=N"; FUZZ_SLOWEST names a file that gets the
 * input itself. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue/base/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    int64_t us;
    char *data;
    size_t size;
} slowest = {.us = -1};

/* Processor time, so that a busy machine makes no input look slow. */
static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Gives one input to the target; the microseconds it took. */
static int64_t timed(const char *data, size_t size)
{
    int64_t begun = now_us();

    fuzz_one(data, size);
    return now_us() - begun;
}

/* Keeps the input if none was slower. It must be so twice: first touches of memory and code are not its own.
 */
static void note(const char *data, size_t size, int64_t us)
{
    int64_t again = us > slowest.us ? timed(data, size) : us;

    us = again < us ? again : us;
    if (us <= slowest.us) {
        return;
    }
    free(slowest.data);
    slowest.us = us;
    slowest.size = size;
    slowest.data = xmalloc(size + 1);
    if (size > 0) {
        memcpy(slowest.data, data, size);
    }
}

/* Tells what was slowest, and keeps it where the caller asked for it. */
static void report(void)
{
    const char *path = getenv("FUZZ_SLOWEST");
    FILE *file = path != NULL ? fopen(path, "wbe") : NULL;

    fprintf(stderr, "slowest_us=%lld slowest_bytes=%zu\n", (long long)slowest.us, slowest.size);
    if (file != NULL) {
        fwrite(slowest.data, 1, slowest.size, file);
        fclose(file);
    }
    free(slowest.data);
    slowest.data = NULL;
}

/* For targets that need no start. */
__attribute__((weak)) void fuzz_start(void)
{
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_set(LOG_ERROR, LOG_KEYVALUE);
    fuzz_start();
    CHECK(atexit(report) == 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = size > 0 ? (const char *)data : "";

    note(text, size, timed(text, size));
    return 0;
}

char *fuzz_text(const char *data, size_t size)
{
    return xstrndup(data, strnlen(data, size));
}

char *fuzz_line(const char **data, size_t *size)
{
    const char *end = *size > 0 ? memchr(*data, '\n', *size) : NULL;
    size_t len = end != NULL ? (size_t)(end - *data) : *size;
    size_t taken = end != NULL ? len + 1 : len;
    char *line = fuzz_text(*data, len);

    *data += taken;
    *size -= taken;
    return line;
}

size_t fuzz_pick(const char *data, size_t size, unsigned salt, size_t bound)
{
    uint64_t h = 1469598103934665603u + salt;

    for (size_t i = 0; i < size; i++) {
        h = (h ^ (unsigned char)data[i]) * 1099511628211u;
    }
    h ^= h >> 29;
    return (size_t)(h % bound);
}
