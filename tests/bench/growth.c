/* growth.c: whether taking in becomes slower as the store fills: raw hooks acknowledged as durable in a
 * second, 64 at a time, before anything is stored and after each step of stored messages.
 *
 * Usage: bench_growth DIR [MS [MESSAGES...]]: DIR must be on the disk that is to be measured; MS of each
 * measurement (2000), the best of three; MESSAGES: the steps (100000 1000000). A message is some 600 bytes
 * with its entries in the indexes, in a conversation of about twenty. One line of JSON for each step, with
 * the rate's share of the first. */
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "channels/channel.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"

#define PART      "acc_bench:live"
#define MAP_SIZE  (64ull << 30)
#define BODY      1024
#define IN_FLIGHT 64
#define SET       1000 /* messages written by one change-set */
#define TALK      20   /* messages of a conversation */
#define TRIES     3

static struct store *store;
static atomic_bool running;
static atomic_ulong acked;
static atomic_uint open_count;
static char body[BODY + 1];

static void submit(void);

static void stored(enum err rc, uint64_t rev, void *arg)
{
    (void)rev;
    (void)arg;
    atomic_fetch_sub(&open_count, 1);
    if (rc == ERR_OK) {
        atomic_fetch_add(&acked, 1);
    }
    if (rc == ERR_OK && atomic_load(&running)) {
        submit();
    }
}

/* One post of a customer among a thousand, on the loop. */
static void submit(void)
{
    struct changes *cs = changes_new();
    char id[ID_SIZE];

    snprintf(body, 32, "{\"from\":\"1555000%04u\"", (unsigned)random_below(1000));
    channel_hook_store(cs, PART, "chn_01JAAAAAAAAAAAAAAAAAAAAAAA", body, BODY, id);
    atomic_fetch_add(&open_count, 1);
    store_submit(store, cs, stored, NULL);
}

static void begin(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        submit();
    }
}

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Hooks a second. */
static double measure_once(struct loop *loop, int64_t ms)
{
    atomic_store(&running, true);
    loop_post(loop, begin, NULL);
    sleep_ms(200);
    unsigned long before = atomic_load(&acked);
    int64_t began = clock_mono_us();
    sleep_ms(ms);
    double rate = (double)(atomic_load(&acked) - before) * 1e6 / (double)(clock_mono_us() - began);
    atomic_store(&running, false);
    while (atomic_load(&open_count) > 0) {
        sleep_ms(1);
    }
    return rate;
}

static double measure(struct loop *loop, int64_t ms)
{
    double best = 0;

    for (int i = 0; i < TRIES; i++) {
        double rate = measure_once(loop, ms);
        best = rate > best ? rate : best;
    }
    return best;
}

static void message_add(struct changes *cs, unsigned long number)
{
    char conversation[48], platform[40];
    struct id id = id_new("msg");
    json_t *msg = json_object();

    snprintf(conversation, sizeof conversation, "cnv_%026lu",
             number / SET * (SET / TALK) + number % (SET / TALK));
    snprintf(platform, sizeof platform, "wamid.%016llx", (unsigned long long)random_below(UINT64_MAX));
    jx_set_str(msg, "id", id.text);
    jx_set_str(msg, "conversation_id", conversation);
    jx_set_str(msg, "channel_id", "chn_01JAAAAAAAAAAAAAAAAAAAAAAA");
    jx_set_str(msg, "platform_id", platform);
    jx_set_strn(msg, "text", body + 500, 300);
    changes_put(cs, KIND_MESSAGE, PART, id.text, msg);
    json_decref(msg);
}

/* Stores messages until there are so many. */
static enum err fill(unsigned long *have, unsigned long want)
{
    enum err rc = ERR_OK;

    while (*have < want && rc == ERR_OK) {
        struct changes *cs = changes_new();
        for (unsigned i = 0; i < SET; i++) {
            message_add(cs, (*have)++);
        }
        rc = store_submit_wait(store, cs, NULL);
    }
    return rc;
}

static enum err steps(struct loop *loop, int64_t ms, const unsigned long *counts, size_t count)
{
    double first = 0;
    unsigned long have = 0;
    enum err rc = ERR_OK;

    (void)measure(loop, ms); /* a file that still grows takes bytes faster than one with pages to use again */
    for (size_t i = 0; i <= count && rc == ERR_OK; i++) {
        struct store_status status;
        rc = i > 0 ? fill(&have, counts[i - 1]) : ERR_OK;
        double rate = rc == ERR_OK ? measure(loop, ms) : 0;
        first = i == 0 ? rate : first;
        store_status(store, &status);
        printf("{\"messages\":%lu,\"hooks_per_s\":%.0f,\"of_empty\":%.2f,\"used_mib\":%llu}\n", have, rate,
               first > 0 ? rate / first : 0.0, (unsigned long long)status.used_bytes >> 20);
    }
    return rc;
}

/* Removes the store's directory. */
static void sweep(const char *path)
{
    DIR *dir = opendir(path);

    for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    (void)rmdir(path);
}

int main(int argc, char **argv)
{
    unsigned long counts[8] = {100000, 1000000};
    size_t count = argc > 3 ? (size_t)argc - 3 : 2;
    int64_t ms = argc > 2 ? strtol(argv[2], NULL, 10) : 2000;
    char dir[256], uri[300];

    if (argc < 2 || ms <= 0 || count > sizeof counts / sizeof counts[0]) {
        fprintf(stderr, "usage: %s DIR [MS [MESSAGES...]]\n", argv[0]);
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        counts[i - 3] = strtoul(argv[i], NULL, 10);
    }
    snprintf(dir, sizeof dir, "%s/chasqui_bench_XXXXXX", argv[1]);
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    log_set(LOG_WARN, LOG_KEYVALUE);
    memset(body, 'x', BODY);
    snprintf(uri, sizeof uri, "lmdb:%s", dir);
    struct loop *loop = loop_new("load");
    enum err rc = store_open(uri, MAP_SIZE, 4096, &store);
    rc = rc == ERR_OK ? loop_start(loop) : rc;
    rc = rc == ERR_OK ? steps(loop, ms, counts, count) : rc;
    loop_stop(loop);
    loop_join(loop);
    store_close(store);
    loop_free(loop);
    sweep(dir);
    if (rc != ERR_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], err_text(rc));
    }
    return rc == ERR_OK ? 0 : 1;
}
