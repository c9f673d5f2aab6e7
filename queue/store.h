/* store.h: the seam to durable state: snapshot reads, change-set writes. Nothing above knows the engine.
 *
 * Record: (kind, partition, id) -> JSON bytes and a revision. A revision is the number of the change-set that wrote the
 * record last: unique in the store, rising, never reused; 0 means "absent".
 * Reads are snapshots: open late, close early (milliseconds), never across I/O or a callback.
 * Writes are change-sets: guards and operations, applied whole or not at all, durable when done says ERR_OK. A step that
 * reads, decides and writes lists as guards whatever its decision rests on; a failed guard is an answer (ERR_SEEN,
 * ERR_STALE, ERR_CONFLICT), not a fault: read again and decide again. Every change-set carries at least one
 * guard that makes a second run a no-op, so that an engine may submit it again after an unknown commit.
 * Threads: store_open/close by the main thread; everything else from any thread. Callbacks come on the submitting
 * loop's thread, never inside store_submit. */
#ifndef CHASQUI_QUEUE_STORE_H
#define CHASQUI_QUEUE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/error.h"
#include "queue/base/json.h"
#include "queue/kinds.h"

struct store;
struct snapshot;
struct changes;
struct job; /* jobs.h */

#define STORE_ID_MAX 200              /* bytes of a record id */
#define STORE_BODY_MAX (8u << 20)     /* bytes of one record */
#define STORE_CHANGES_MAX 20000       /* operations of one change-set */
#define STORE_SCHEMA 1                /* the layout this program writes */

/* uri: "lmdb:DIR" (DIR is created, mode 0700). backlog: change-sets that may wait before ERR_BUSY. ERR_BUSY:
 * another process has it; ERR_SCHEMA: written by a newer version. */
enum err store_open(const char *uri, uint64_t map_size, unsigned backlog, struct store **out) MUST_CHECK;
/* Commits what was submitted, then closes. Workers must have stopped. */
void store_close(struct store *store);

/* ---- reading ---- */
enum err snapshot_open(struct store *store, struct snapshot **out) MUST_CHECK;
void snapshot_close(struct snapshot *snap); /* NULL is fine */
/* New reference in *body; rev may be NULL. ERR_NOTFOUND. */
enum err snapshot_get(struct snapshot *snap, enum kind kind, const char *part, const char *id, json_t **body,
                      uint64_t *rev) MUST_CHECK;
/* The stored bytes, good until the snapshot closes. */
enum err snapshot_get_bytes(struct snapshot *snap, enum kind kind, const char *part, const char *id, const void **data,
                            size_t *size, uint64_t *rev) MUST_CHECK;

struct page_query {
    enum kind kind;
    const char *part;
    enum index_id index;   /* INDEX_NONE: by id */
    const char *match[3];  /* the leading index fields, exact; NULL ends */
    const char *from, *to; /* half-open text range on the next field (or on the id); NULL: open */
    const char *after;     /* position of the page before, NULL: start */
    bool descending;       /* newest first */
    size_t limit;          /* 1..1000 */
};
struct store_row {
    char id[STORE_ID_MAX + 1];
    json_t *body;
    uint64_t rev;
};
struct store_page {
    struct store_row *rows;
    size_t count;
    bool more;
    char *position; /* text for after; NULL when count is 0 */
};
/* The caller frees the page. ERR_INVALID for a position that does not fit the query. */
enum err snapshot_page(struct snapshot *snap, const struct page_query *query, struct store_page *page) MUST_CHECK;
void store_page_free(struct store_page *page);
/* The rows of a query one by one, their bytes as stored, until fn returns false; after and limit do not count (go on with
 * from or to). For long walks in small steps: search, export, erasure. */
typedef bool (*snapshot_scan_fn)(const char *id, const void *data, size_t size, uint64_t rev, void *arg);
enum err snapshot_scan(struct snapshot *snap, const struct page_query *query, snapshot_scan_fn fn, void *arg) MUST_CHECK;
/* The rows of a query, page by page, until fn returns false; the row stays the walk's. after and limit do not count. */
typedef bool (*snapshot_row_fn)(const struct store_row *row, void *arg);
enum err snapshot_rows(struct snapshot *snap, const struct page_query *query, snapshot_row_fn fn, void *arg) MUST_CHECK;
/* All records of the kind (index INDEX_NONE), or those whose first field of a counted index equals match. Constant time. */
uint64_t snapshot_count(struct snapshot *snap, enum kind kind, const char *part, enum index_id index, const char *match);
int64_t snapshot_counter(struct snapshot *snap, const char *part, const char *name);
/* Walks counters whose name begins with prefix, in order; stops when fn returns false. */
void snapshot_counters(struct snapshot *snap, const char *part, const char *prefix,
                       bool (*fn)(const char *name, int64_t value, void *arg), void *arg);

/* ---- writing ---- */
struct changes *changes_new(void);
void changes_free(struct changes *cs); /* only if never submitted */

/* Guards. rev 0: must be absent. */
void changes_expect(struct changes *cs, enum kind kind, const char *part, const char *id, uint64_t rev);
/* First-seen: ERR_SEEN if (part, scope, id) was marked within the last 8 days (the longest a platform may retry). */
void changes_once(struct changes *cs, const char *part, const char *scope, const char *id);

/* Operations; JSON is serialised at once, the caller keeps its reference. A fault (too large, bad id) is remembered and
 * answered by submit as ERR_LIMIT or ERR_INVALID. */
void changes_put(struct changes *cs, enum kind kind, const char *part, const char *id, const json_t *body);
/* The same for a body that is JSON text already; indexed is an object with the fields that the kind's indexes name. The id is
 * one of ours. */
void changes_put_text(struct changes *cs, enum kind kind, const char *part, const char *id, const char *text, size_t size,
                      const json_t *indexed);
/* Bytes that are not JSON; such a record is in no index. */
void changes_put_bytes(struct changes *cs, enum kind kind, const char *part, const char *id, const void *data, size_t size);
/* The same for a body in two pieces. */
void changes_put_joined(struct changes *cs, enum kind kind, const char *part, const char *id, const void *first,
                        size_t first_size, const void *second, size_t second_size);
/* As changes_put; the store adds a first field "sequence": the next number of the named stream in this partition, from 1,
 * without gaps, in commit order. */
void changes_put_numbered(struct changes *cs, enum kind kind, const char *part, const char *id, const json_t *body,
                          const char *stream);
/* As changes_put_numbered; the store adds "previous" too: the SHA-256 (hex) of the stored bytes of the record that has the
 * number before, 64 zeros for the first. A record changed, dropped or slipped in later breaks the chain. The last link stands
 * in KIND_CHAIN under the stream's name: {"sequence", "hash"}. Such a record is never put again. */
void changes_put_chained(struct changes *cs, enum kind kind, const char *part, const char *id, const json_t *body,
                         const char *stream);
void changes_delete(struct changes *cs, enum kind kind, const char *part, const char *id); /* absent is fine */
void changes_add(struct changes *cs, const char *part, const char *counter, int64_t delta);
/* The record as this change-set leaves it so far: for rooms of which two may write the same record in one set. New
 * reference. ERR_NOTFOUND: the set deletes it, or does not touch it (*touched says which); read the snapshot then. */
enum err changes_peek(const struct changes *cs, enum kind kind, const char *part, const char *id, json_t **body,
                      bool *touched) MUST_CHECK;
/* True once any operation or guard was added. */
bool changes_any(const struct changes *cs);
/* Job operations (push, ack, retry, bury) are in jobs.h. */

typedef void (*store_done_fn)(enum err rc, uint64_t rev, void *arg);
/* Takes the change-set. done comes later on loop_current() (which must exist) with the revision given to what it
 * wrote. done may be NULL. */
void store_submit(struct store *store, struct changes *cs, store_done_fn done, void *arg);
/* Blocks until durable: for the command line, tests and start-up; never on an event loop. */
enum err store_submit_wait(struct store *store, struct changes *cs, uint64_t *rev) MUST_CHECK;

/* ---- the change feed: (rev, kind, partition, id) of every put and delete of kinds with feed set, in commit order ---- */
typedef bool (*feed_fn)(uint64_t rev, enum kind kind, const char *part, const char *id, void *arg);
/* Calls fn for entries with rev > after, in order, until fn returns false. *gap is set if entries after `after` were
 * already dropped: the follower must rebuild. */
enum err snapshot_feed(struct snapshot *snap, uint64_t after, feed_fn fn, void *arg, bool *gap) MUST_CHECK;
/* The newest revision in the feed (0: none). */
uint64_t snapshot_feed_rev(struct snapshot *snap);
/* Walks every record of a kind in all partitions: for rebuilding derived data, retention and migration. */
enum err snapshot_walk(struct snapshot *snap, enum kind kind,
                       bool (*fn)(const char *part, const char *id, const void *data, size_t size, uint64_t rev, void *arg),
                       void *arg) MUST_CHECK;
/* fn(rev, arg) on the committer's thread after each commit that touched the feed: post and return. One follower. */
void store_on_feed(struct store *store, void (*fn)(uint64_t rev, void *arg), void *arg);

/* ---- condition ---- */
struct store_status {
    bool writable;         /* false after a failed sync: only a restart helps */
    bool disk_low;         /* below the reserve, see store_set_reserve */
    unsigned waiting;      /* change-sets waiting for the committer */
    uint64_t used_bytes, map_bytes;
    uint64_t recent_bytes; /* of memory, for what is durable but not yet in its place on disk */
    uint64_t commits, changes; /* since start */
    uint64_t commit_us_sum;    /* time spent in durable commits */
    int64_t oldest_reader_ms;
};
void store_status(struct store *store, struct store_status *out);
void store_set_reserve(struct store *store, uint64_t bytes);
/* True if new work may be taken in: writable, disk above the reserve, backlog below its limit. Cheap. */
bool store_accepts(struct store *store);
/* True while little comes in from outside: there is time to do at once what may wait for a job. Cheap. */
bool store_calm(struct store *store);
/* Consistent compacted copy of everything committed before the call, into the empty directory dir. May take long. */
enum err store_backup(struct store *store, const char *dir) MUST_CHECK;

#endif
