/* orphans.c: once a day, blobs that no record names any more are removed: leftovers of a crash between the
 * file and its record, of files whose bytes were not those promised, of records that were deleted.
 *
 * Mark and sweep. Marked is every SHA-256 in hex that stands anywhere in a record of a kind that may name a
 * blob, in all accounts and modes: too much is marked rather than too little, and a kind that comes later is
 * marked too. Swept is what is unmarked and was last put more than a day ago; putting a blob again makes it
 * young (blob.h), so a record that is being written while the sweep runs does not lose its bytes. A crash in
 * between removes less, never more: marks live in memory only. A lane of the housekeeping queue; a job that
 * is always put off. */
#include <stdlib.h>
#include <string.h>

#include "bridge/app.h"
#include "queue/base/blob.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/log.h"
#include "queue/jobs.h"
#include "queue/store.h"

#define DAY_MS      (24 * 3600 * (int64_t)1000)
#define RETRY_MS    (10 * 60 * 1000)
#define HEX_SIZE    64
#define MARK_SIZE   8 /* bytes of a sum that are kept: a false match keeps a blob, and is unlikely */
#define MARKS_LEAST 1024

/* Kinds that repeat what others hold, or hold none: not worth reading through. */
static const enum kind passed_over[] = {KIND_HOOK,         KIND_EVENT, KIND_DELIVERY,    KIND_MESSAGE,
                                        KIND_CONVERSATION, KIND_AUDIT, KIND_IDEMPOTENCY, KIND_LIMIT,
                                        KIND_TURN,         KIND_NOTICE};

struct marks {
    uint64_t *items;
    size_t count, room;
};

static void mark_add(struct marks *marks, const char *hex)
{
    uint64_t mark;

    if (!hex_decode(hex, 2 * MARK_SIZE, (uint8_t *)&mark, MARK_SIZE)) {
        return;
    }
    if (marks->count == marks->room) {
        marks->room = marks->room > 0 ? 2 * marks->room : MARKS_LEAST;
        marks->items = xrealloc(marks->items, marks->room * sizeof *marks->items);
    }
    marks->items[marks->count++] = mark;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Marks each run of exactly 64 hex digits. */
static bool mark_record(const char *part, const char *id, const void *data, size_t size, uint64_t rev,
                        void *arg)
{
    const char *text = data;
    size_t run = 0;

    (void)part;
    (void)id;
    (void)rev;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && is_hex(text[i])) {
            run++;
            continue;
        }
        if (run == HEX_SIZE) {
            mark_add(arg, text + i - HEX_SIZE);
        }
        run = 0;
    }
    return true;
}

static int mark_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool is_passed_over(enum kind kind)
{
    for (size_t i = 0; i < sizeof passed_over / sizeof *passed_over; i++) {
        if (passed_over[i] == kind) {
            return true;
        }
    }
    return false;
}

/* Marks what the records of all other kinds name. */
static enum err mark_all(struct store *store, struct marks *marks)
{
    static const enum kind kinds[] = {
#define KIND(symbol, code, name, prefix, feed) symbol,
#include "queue/tbl_kinds.h"
#undef KIND
    };
    struct snapshot *snap;
    enum err rc = snapshot_open(store, &snap);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; rc == ERR_OK && i < sizeof kinds / sizeof *kinds; i++) {
        if (!is_passed_over(kinds[i])) {
            rc = snapshot_walk(snap, kinds[i], mark_record, marks);
        }
    }
    snapshot_close(snap);
    if (marks->count > 0) {
        qsort(marks->items, marks->count, sizeof *marks->items, mark_order);
    }
    return rc;
}

static bool is_marked(const char *hex, void *arg)
{
    const struct marks *marks = arg;
    uint64_t mark;

    return hex_decode(hex, 2 * MARK_SIZE, (uint8_t *)&mark, MARK_SIZE) && marks->count > 0 &&
           bsearch(&mark, marks->items, marks->count, sizeof mark, mark_order) != NULL;
}

enum err orphans_sweep(struct store *store, unsigned *removed)
{
    struct marks marks = {0};
    int64_t before = clock_wall_ms() - DAY_MS; /* before the marks: what comes later is younger */
    enum err rc = mark_all(store, &marks);

    *removed = rc == ERR_OK ? blob_sweep(before, is_marked, &marks) : 0;
    free(marks.items);
    return rc;
}

void orphans_run(struct job *job)
{
    unsigned removed;
    struct changes *cs = changes_new();
    enum err rc = orphans_sweep(job_store(job), &removed);

    if (rc != ERR_OK) {
        log_warn("orphans.failed", "error=%s", err_name(rc));
    } else if (removed > 0) {
        log_info("orphans.removed", "blobs=%u", removed);
    }
    changes_postpone(cs, job, rc == ERR_OK ? DAY_MS : RETRY_MS);
    job_finish(job, cs, NULL, NULL);
}
