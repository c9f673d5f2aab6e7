/* journal_fuzz.c: a journal with any bytes as its operations, and any bytes as its file.
 *
 * The first byte of the input says which. Operations come under a head with the right checksum, so that the
 * reader behind it is reached. Whatever is there: a replay passes on keys and values that lie within what was
 * written, and ends well or with ERR_CORRUPT; the same replay twice gives the same. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/base/kv_journal.h"
#include "tests/fuzz/fuzz.h"

#define SECRET 0x0123456789abcdefu

static char dir[64] = "/tmp/chasqui-fuzz-journal-XXXXXX";

static void clean(void)
{
    char path[128];

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/journal-%d", dir, i);
        unlink(path);
    }
    rmdir(dir);
}

void fuzz_start(void)
{
    CHECK(mkdtemp(dir) != NULL);
    atexit(clean);
}

/* What a replay passed on. */
struct seen {
    size_t ops, bytes;
};

static enum err look(uint64_t segment, unsigned table, struct kv_bytes key, struct kv_bytes value, void *arg)
{
    struct seen *seen = arg;
    unsigned sum = 0;

    CHECK(segment == 1 && table < 256);
    for (size_t i = 0; i < key.size; i++) {
        sum += ((const uint8_t *)key.data)[i]; /* the sanitizer looks on */
    }
    for (size_t i = 0; value.data != NULL && i < value.size; i++) {
        sum += ((const uint8_t *)value.data)[i];
    }
    seen->ops++;
    seen->bytes += key.size + value.size + sum;
    return ERR_OK;
}

static enum err replay(struct kv_journal *j, struct seen *seen)
{
    uint64_t last;

    *seen = (struct seen){0};
    enum err rc = kv_journal_replay(j, 0, look, seen, &last);
    CHECK(rc != ERR_OK || last <= 1);
    return rc;
}

/* The input as the operations of one commit. */
static void as_operations(struct kv_journal *j, const char *data, size_t size)
{
    struct buf record;

    buf_init(&record, JOURNAL_RECORD_MAX);
    kv_journal_begin(j, 1);
    kv_journal_record_begin(&record);
    buf_add(&record, data, size);
    CHECK(kv_journal_commit(j, &record) == ERR_OK);
    buf_fini(&record);
}

/* The input as the file of the first segment. */
static void as_file(const char *data, size_t size)
{
    char path[128];

    snprintf(path, sizeof path, "%s/journal-1", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

void fuzz_one(const char *data, size_t size)
{
    struct kv_journal *j;
    struct seen first, again;
    bool operations = size > 0 && (data[0] & 1) != 0;

    if (!operations) {
        as_file(data + (size > 0), size - (size > 0));
    }
    CHECK(kv_journal_open(dir, SECRET, true, &j) == ERR_OK);
    if (operations) {
        kv_journal_clear(j);
        as_operations(j, data + 1, size - 1);
    }
    enum err rc = replay(j, &first);
    CHECK(rc == ERR_OK || rc == ERR_CORRUPT);
    CHECK(replay(j, &again) == rc && again.ops == first.ops && again.bytes == first.bytes);
    kv_journal_close(j);
}
