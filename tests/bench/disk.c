/* disk.c: the physical limits beside which the ingest benchmark is read: how often this disk makes bytes
 * durable.
 *
 * usage: disk DIR [MS]
 * Each figure is taken for MS milliseconds (default 1000) inside DIR, which must exist and is left as it was.
 * Prints one line of JSON: rates a second and the median and 99th percentile of one operation in
 * microseconds. append, overwrite  4 KiB written and fdatasync of a plain file that grows, or that has its
 * size already commit_N           N records of 1 KiB in one durable commit of the store's own file format */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/base/clock.h"
#include "queue/base/kv.h"

#define BLOCK       4096
#define RECORD      1024
#define FILE_BLOCKS 4096 /* the file that is overwritten: 16 MiB */
#define SAMPLES_MAX 500000

struct sample {
    uint32_t us[SAMPLES_MAX];
    size_t count;
    int64_t took_us;
};

/* One durable operation; number counts from 0. */
typedef enum err (*durable_fn)(uint64_t number, void *arg);

static int by_size(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static enum err measure(durable_fn fn, void *arg, int64_t ms, struct sample *out)
{
    int64_t begin = clock_mono_us();
    int64_t now = begin;

    out->count = 0;
    while (now < begin + ms * 1000 && out->count < SAMPLES_MAX) {
        enum err rc = fn(out->count, arg);
        if (rc != ERR_OK) {
            return rc;
        }
        int64_t after = clock_mono_us();
        out->us[out->count++] = (uint32_t)(after - now);
        now = after;
    }
    out->took_us = now - begin;
    qsort(out->us, out->count, sizeof *out->us, by_size);
    return ERR_OK;
}

static void print(const char *name, const struct sample *s, unsigned records, const char *comma)
{
    double per_s = (double)s->count * 1e6 / (double)s->took_us;

    printf("%s\"%s\":{\"per_s\":%.0f,\"p50_us\":%" PRIu32 ",\"p99_us\":%" PRIu32, comma, name, per_s,
           s->us[s->count / 2], s->us[s->count * 99 / 100]);
    if (records > 0) {
        printf(",\"records_per_s\":%.0f", per_s * records);
    }
    printf("}");
}

struct plain {
    int fd;
    bool append;
};

static enum err sync_block(uint64_t number, void *arg)
{
    static const char block[BLOCK];
    const struct plain *plain = arg;
    off_t at = (off_t)(plain->append ? number : number % FILE_BLOCKS) * BLOCK;

    return pwrite(plain->fd, block, BLOCK, at) == BLOCK && fdatasync(plain->fd) == 0 ? ERR_OK : ERR_IO;
}

static enum err measure_plain(const char *dir, bool append, int64_t ms, struct sample *out)
{
    static const char block[BLOCK];
    struct plain plain = {.append = append};
    char path[4096];

    snprintf(path, sizeof path, "%s/plain-XXXXXX", dir);
    plain.fd = mkstemp(path);
    if (plain.fd < 0) {
        return ERR_IO;
    }
    unlink(path);
    bool fine = true;
    for (unsigned i = 0; !append && fine && i < FILE_BLOCKS; i++) {
        fine = pwrite(plain.fd, block, BLOCK, (off_t)i * BLOCK) == BLOCK;
    }
    enum err rc = fine && fsync(plain.fd) == 0 ? measure(sync_block, &plain, ms, out) : ERR_IO;
    close(plain.fd);
    return rc;
}

struct batch {
    struct kv *kv;
    unsigned records;
};

static enum err put_records(struct kv_txn *txn, uint64_t first, unsigned records)
{
    static const char value[RECORD];

    for (unsigned i = 0; i < records; i++) {
        uint64_t key = __builtin_bswap64(first + i);
        enum err rc = kv_append(txn, 0, KV_BYTES(&key, sizeof key), KV_BYTES(value, sizeof value));
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return ERR_OK;
}

static enum err commit_batch(uint64_t number, void *arg)
{
    const struct batch *batch = arg;
    struct kv_txn *txn = NULL;
    enum err rc = kv_begin_write(batch->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = put_records(txn, number * batch->records, batch->records);
    if (rc != ERR_OK) {
        kv_abort(txn);
        return rc;
    }
    return kv_commit(txn);
}

static void remove_store(const char *path)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "lock.pid"};
    char file[4200];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        unlink(file);
    }
    rmdir(path);
}

static enum err measure_commits(const char *dir, unsigned records, int64_t ms, struct sample *out)
{
    static const char *const tables[] = {"records"};
    struct kv_options options = {.map_size = (size_t)16 << 30};
    struct batch batch = {.records = records};
    char path[4096];

    snprintf(path, sizeof path, "%s/store-XXXXXX", dir);
    if (mkdtemp(path) == NULL) {
        return ERR_IO;
    }
    enum err rc = kv_open(path, &options, tables, 1, &batch.kv);
    if (rc == ERR_OK) {
        rc = measure(commit_batch, &batch, ms, out);
        kv_close(batch.kv);
    }
    remove_store(path);
    return rc;
}

static enum err run(const char *dir, int64_t ms, struct sample *sample)
{
    static const unsigned sizes[] = {1, 16, 64, 256};
    enum err rc = measure_plain(dir, true, ms, sample);

    if (rc == ERR_OK) {
        print("append", sample, 0, "{");
        rc = measure_plain(dir, false, ms, sample);
    }
    if (rc == ERR_OK) {
        print("overwrite", sample, 0, ",");
    }
    for (size_t i = 0; rc == ERR_OK && i < sizeof sizes / sizeof *sizes; i++) {
        char name[32];
        rc = measure_commits(dir, sizes[i], ms, sample);
        if (rc == ERR_OK) {
            snprintf(name, sizeof name, "commit_%u", sizes[i]);
            print(name, sample, sizes[i], ",");
        }
    }
    printf("}\n");
    return rc;
}

int main(int argc, char **argv)
{
    long ms = argc > 2 ? strtol(argv[2], NULL, 10) : 1000;

    if (argc < 2 || argc > 3 || ms < 1 || ms > 60000) {
        fprintf(stderr, "usage: disk DIR [MS]\n");
        return 2;
    }
    struct sample *sample = xmalloc(sizeof *sample);
    enum err rc = run(argv[1], ms, sample);
    if (rc != ERR_OK) {
        fprintf(stderr, "disk: %s\n", err_text(rc));
    }
    free(sample);
    return rc == ERR_OK ? 0 : 1;
}
