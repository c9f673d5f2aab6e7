/* kv_journal.c: see kv_journal.h. Numbers in the file are little-endian, as the machines we run on. */
#include "queue/base/kv_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/base/codec.h"
#include "queue/base/killpoint.h"
#include "queue/base/kv_dir.h"

#define BLOCK     4096u
#define AHEAD     (512u << 10) /* a file that ends is lengthened by this much at once */
#define FILES     2
#define HEAD_MARK 0x314a5643u /* "CVJ1" */

struct head {
    uint32_t mark, crc;              /* of what follows, the operations included */
    uint64_t secret, segment, count; /* count: of commits in this segment before this one */
    uint32_t size, zero;             /* bytes of operations */
};

struct op_head {
    uint32_t value_size; /* UINT32_MAX: a deletion */
    uint16_t key_size;
    uint8_t table, zero;
};

struct kv_journal {
    char *dir; /* owned */
    int fds[FILES];
    off_t sizes[FILES];
    bool no_sync;
    uint64_t secret, segment, count; /* of the segment that is written */
    off_t at;                        /* where its next record goes */
};

static uint64_t blocks_up(uint64_t size)
{
    return (size + BLOCK - 1) / BLOCK * BLOCK;
}

/* Opens one of the files. */
static enum err file_open(struct kv_journal *j, unsigned i)
{
    char *path = xasprintf("%s/journal-%u", j->dir, i);
    struct stat st;

    j->fds[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (j->fds[i] < 0 || fstat(j->fds[i], &st) != 0) {
        return err_from_errno(errno);
    }
    j->sizes[i] = st.st_size;
    return ERR_OK;
}

enum err kv_journal_open(const char *dir, uint64_t secret, bool no_sync, struct kv_journal **out)
{
    struct kv_journal *j = xcalloc(1, sizeof *j);
    enum err rc = ERR_OK;

    j->dir = xstrdup(dir);
    j->secret = secret;
    j->no_sync = no_sync;
    for (unsigned i = 0; i < FILES; i++) {
        j->fds[i] = -1;
    }
    for (unsigned i = 0; i < FILES && rc == ERR_OK; i++) {
        rc = file_open(j, i);
    }
    if (rc == ERR_OK) {
        rc = kv_dir_sync(dir);
    }
    if (rc != ERR_OK) {
        kv_journal_close(j);
        return rc;
    }
    *out = j;
    return ERR_OK;
}

void kv_journal_close(struct kv_journal *j)
{
    if (j == NULL) {
        return;
    }
    for (unsigned i = 0; i < FILES; i++) {
        if (j->fds[i] >= 0) {
            close(j->fds[i]);
        }
    }
    free(j->dir);
    free(j);
}

bool kv_journal_exists(const char *dir)
{
    char *path = xasprintf("%s/journal-0", dir);
    bool there = access(path, F_OK) == 0;

    free(path);
    return there;
}

void kv_journal_clear(struct kv_journal *j)
{
    for (unsigned i = 0; i < FILES; i++) {
        if (ftruncate(j->fds[i], 0) == 0) {
            j->sizes[i] = 0;
        }
    }
}

/* ---- reading ---- */

/* A record as read: the head and the operations behind it. */
struct record {
    struct head head;
    char *bytes; /* owned; the head included */
};

/* Reads so many bytes; false at the file's end. */
static enum err read_all(int fd, void *out, size_t size, off_t at, bool *whole)
{
    size_t done = 0;

    *whole = false;
    while (done < size) {
        ssize_t n = pread(fd, (char *)out + done, size - done, at + (off_t)done);
        if (n < 0 && errno != EINTR) {
            return ERR_IO;
        }
        if (n == 0) {
            return ERR_OK;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    *whole = true;
    return ERR_OK;
}

/* The record at a place, *there false if none stands there. The caller frees its bytes. */
static enum err record_read(const struct kv_journal *j, unsigned file, off_t at, struct record *out,
                            bool *there)
{
    struct head *head = &out->head;
    bool whole;
    enum err rc = read_all(j->fds[file], head, sizeof *head, at, &whole);

    *there = false;
    out->bytes = NULL;
    if (rc != ERR_OK || !whole || head->mark != HEAD_MARK || head->secret != j->secret ||
        head->size > JOURNAL_RECORD_MAX ||
        at + (off_t)blocks_up(sizeof *head + head->size) > j->sizes[file]) {
        return rc;
    }
    out->bytes = xmalloc(sizeof *head + head->size);
    rc = read_all(j->fds[file], out->bytes, sizeof *head + head->size, at, &whole);
    *there = rc == ERR_OK && whole && crc32_of(out->bytes + 8, sizeof *head - 8 + head->size) == head->crc;
    if (!*there) {
        free(out->bytes);
        out->bytes = NULL;
    }
    return rc;
}

/* Passes the operations of a record on. */
static enum err record_pass(const struct record *record, kv_journal_op_fn fn, void *arg)
{
    const char *at = record->bytes + sizeof record->head, *end = at + record->head.size;
    enum err rc = ERR_OK;

    while (rc == ERR_OK && at < end) {
        struct op_head op;
        if ((size_t)(end - at) < sizeof op) {
            return ERR_CORRUPT;
        }
        memcpy(&op, at, sizeof op);
        at += sizeof op;
        size_t value_size = op.value_size == UINT32_MAX ? 0 : op.value_size;
        if ((size_t)(end - at) < op.key_size + value_size) {
            return ERR_CORRUPT;
        }
        const char *value = op.value_size == UINT32_MAX ? NULL : at + op.key_size;
        rc = fn(record->head.segment, op.table, KV_BYTES(at, op.key_size), KV_BYTES(value, value_size), arg);
        at += op.key_size + value_size;
    }
    return rc;
}

/* ERR_CORRUPT if a record of this segment or a later one stands at a place or behind it. */
static enum err nothing_from(const struct kv_journal *j, unsigned file, off_t at, uint64_t segment)
{
    enum err rc = ERR_OK;

    for (; at < j->sizes[file] && rc == ERR_OK; at += BLOCK) {
        struct record record;
        bool there;
        rc = record_read(j, file, at, &record, &there);
        if (there && record.head.segment >= segment) {
            rc = ERR_CORRUPT;
        }
        free(record.bytes);
    }
    return rc;
}

/* Passes a segment on, if its file holds it: *there. */
static enum err segment_pass(const struct kv_journal *j, uint64_t segment, kv_journal_op_fn fn, void *arg,
                             bool *there)
{
    unsigned file = (unsigned)(segment % FILES);
    struct record record;
    uint64_t count = 0;
    bool more = true;
    enum err rc = ERR_OK;
    off_t at = 0;

    while (rc == ERR_OK && more) {
        rc = record_read(j, file, at, &record, &more);
        more = more && record.head.segment == segment && record.head.count == count;
        if (rc == ERR_OK && more) {
            rc = record_pass(&record, fn, arg);
            at += (off_t)blocks_up(sizeof record.head + record.head.size);
            count++;
        }
        free(record.bytes);
    }
    *there = count > 0;
    return rc == ERR_OK ? nothing_from(j, file, at, segment) : rc;
}

enum err kv_journal_replay(struct kv_journal *j, uint64_t after, kv_journal_op_fn fn, void *arg,
                           uint64_t *last)
{
    bool there = true;
    enum err rc = ERR_OK;

    *last = after;
    for (int i = 0; i < FILES && rc == ERR_OK && there; i++) {
        rc = segment_pass(j, *last + 1, fn, arg, &there);
        *last += rc == ERR_OK && there ? 1 : 0;
    }
    for (unsigned file = 0; file < FILES && rc == ERR_OK; file++) {
        rc = nothing_from(j, file, 0, *last + 1);
    }
    return rc;
}

/* ---- writing ---- */

void kv_journal_begin(struct kv_journal *j, uint64_t segment)
{
    j->segment = segment;
    j->count = 0;
    j->at = 0;
}

void kv_journal_record_begin(struct buf *record)
{
    static const struct head empty = {.mark = HEAD_MARK};

    buf_reset(record);
    buf_add(record, &empty, sizeof empty);
}

void kv_journal_record_add(struct buf *record, unsigned table, struct kv_bytes key, struct kv_bytes value)
{
    struct op_head op = {.value_size = value.data == NULL ? UINT32_MAX : (uint32_t)value.size,
                         .key_size = (uint16_t)key.size,
                         .table = (uint8_t)table};

    buf_add(record, &op, sizeof op);
    buf_add(record, key.data, key.size);
    if (value.data != NULL) {
        buf_add(record, value.data, value.size);
    }
}

bool kv_journal_record_is_empty(const struct buf *record)
{
    return record->len <= sizeof(struct head);
}

/* A full disk also shows as a write that was cut short, or as EIO. */
static enum err class_of(const struct kv_journal *j, int code)
{
    bool full = code == ENOSPC || code == EDQUOT || kv_dir_full(j->dir);

    return full ? ERR_FULL : ERR_IO;
}

/* Writes all of it, or says why not. */
static enum err write_all(const struct kv_journal *j, int fd, const char *data, size_t size, off_t at)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pwrite(fd, data + done, size - done, at + (off_t)done);
        if (n < 0 && errno != EINTR) {
            return class_of(j, errno);
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return ERR_OK;
}

/* Lengthens the file in front of the writer, so that the commits to come find their blocks there. A disk
 * without that room is no error: the record itself may still fit. */
static void lengthen(struct kv_journal *j, unsigned file, off_t end)
{
    static const char zeros[64 << 10];
    off_t wanted = end + AHEAD;

    while (j->sizes[file] < wanted) {
        ssize_t n = pwrite(j->fds[file], zeros, sizeof zeros, j->sizes[file]);
        if (n <= 0) {
            return;
        }
        j->sizes[file] += n;
    }
}

/* Fills in the head and whole blocks. */
static void record_end(const struct kv_journal *j, struct buf *record)
{
    static const char zeros[BLOCK];
    struct head head = {.mark = HEAD_MARK, .secret = j->secret, .segment = j->segment, .count = j->count};

    head.size = (uint32_t)(record->len - sizeof head);
    memcpy(record->data, &head, sizeof head);
    head.crc = crc32_of(record->data + 8, record->len - 8);
    memcpy(record->data, &head, sizeof head);
    buf_add(record, zeros, blocks_up(record->len) - record->len);
    CHECK(buf_ok(record));
}

enum err kv_journal_commit(struct kv_journal *j, struct buf *record)
{
    unsigned file = (unsigned)(j->segment % FILES);

    record_end(j, record);
    off_t end = j->at + (off_t)record->len;
    enum err rc = write_all(j, j->fds[file], record->data, record->len, j->at);
    KILL_POINT("journal.written");
    if (rc != ERR_OK) {
        return rc;
    }
    if (end > j->sizes[file]) {
        j->sizes[file] = end;
        lengthen(j, file, end);
    }
    if (!j->no_sync && fdatasync(j->fds[file]) != 0) {
        return ERR_IO;
    }
    KILL_POINT("journal.synced");
    j->at = end;
    j->count++;
    return ERR_OK;
}
