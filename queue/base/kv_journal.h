/* kv_journal.h: commits one after the other in a file, so that one write and one sync make them durable.
 *
 * Two files of DIR take turns, journal-0 and journal-1; a segment is one turn. Segment n lies in file n % 2
 * and may begin only when segment n - 2 is in the tree, since it overwrites it. Files are written over rather
 * than made anew: a sync that changes no length and no block list is twice as fast. A record is one commit: a
 * head with sizes and a checksum, then its operations, filled up to whole blocks of 4 KiB, so that a write
 * never touches a block that holds an earlier, acknowledged commit. A segment ends at the first place where
 * no record of it stands; if one stands behind that place, an acknowledged commit was damaged, and the store
 * is not opened. Each segment has a random mark, which every head repeats: no bytes of a value can pass for a
 * record. Private to kv*.c. Thread: the writer's. */
#ifndef CHASQUI_BASE_KV_JOURNAL_H
#define CHASQUI_BASE_KV_JOURNAL_H

#include "queue/base/buf.h"
#include "queue/base/kv.h"

#define JOURNAL_RECORD_MAX ((size_t)256 << 20) /* bytes of one commit */

struct kv_journal;

/* Creates the files if they are missing. secret: random, the same each time. no_sync: as kv_options says. */
enum err kv_journal_open(const char *dir, uint64_t secret, bool no_sync, struct kv_journal **out) MUST_CHECK;
void kv_journal_close(struct kv_journal *j);
/* Whether a journal was ever opened there. */
bool kv_journal_exists(const char *dir);

/* Empties the files: everything is in the tree, and what was deleted there should not stay here. */
void kv_journal_clear(struct kv_journal *j);

/* One operation of a commit; value.data NULL: a deletion. Bytes are good during the call. */
typedef enum err (*kv_journal_op_fn)(uint64_t segment, unsigned table, struct kv_bytes key,
                                     struct kv_bytes value, void *arg);
/* Passes on, in order, every operation of the segments above after. *last: the newest segment met, or after.
 * ERR_CORRUPT if something between is missing or damaged. */
enum err kv_journal_replay(struct kv_journal *j, uint64_t after, kv_journal_op_fn fn, void *arg,
                           uint64_t *last) MUST_CHECK;

/* The next commits go into this segment. */
void kv_journal_begin(struct kv_journal *j, uint64_t segment);

/* A record under way: empties it, adds an operation, whether it has one. */
void kv_journal_record_begin(struct buf *record);
void kv_journal_record_add(struct buf *record, unsigned table, struct kv_bytes key, struct kv_bytes value);
bool kv_journal_record_is_empty(const struct buf *record);
/* Writes the record durably. ERR_FULL: nothing is there, later ones may succeed. ERR_IO: nothing more may be
 * written in this process. */
enum err kv_journal_commit(struct kv_journal *j, struct buf *record) MUST_CHECK;

#endif
