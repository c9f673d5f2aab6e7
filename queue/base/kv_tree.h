/* kv_tree.h: the tables of a kv as LMDB keeps them. Private to kv*.c; errors, ownership and threads as kv.h
 * says of the same calls. The only file that includes lmdb.h is kv_tree.c.
 *
 * What LMDB asks of its users is kept here and nowhere else: one writer at a time, values good only until the
 * transaction ends or writes again, short read transactions (a held reader stops page reuse and the file
 * grows), no WRITEMAP (SIGBUS on a full disk), no NOSYNC for what must last, the map grown only while no
 * transaction is open, stale readers cleared at start, never two opens of one path in a process. */
#ifndef CHASQUI_BASE_KV_TREE_H
#define CHASQUI_BASE_KV_TREE_H

#include "queue/base/kv.h"

struct kv_tree;
struct kv_tree_txn;
struct kv_tree_cursor;

/* Opens (creating if needed) DIR/data.mdb with the named tables; a table is addressed by its index in
 * tables[]. Holds an exclusive lock on DIR/lock.pid unless read_only: ERR_BUSY if another process has it, or
 * if this process has DIR open in either way. read_only creates nothing: ERR_NOTFOUND if DIR or a table is
 * missing. */
enum err kv_tree_open(const char *dir, const struct kv_options *options, const char *const tables[],
                      size_t count, struct kv_tree **out) MUST_CHECK;
/* Opens a directory with the same tables as another tree has. */
enum err kv_tree_open_like(const struct kv_tree *like, const char *dir, struct kv_tree **out) MUST_CHECK;
void kv_tree_close(struct kv_tree *tree);
/* Removes a file of which it is known that its first opening never ended, unless there is more in it than
 * such an opening writes. */
bool kv_tree_remove_unborn(const char *dir);

/* Read transactions may be used by one thread at a time; keep them far below a millisecond. */
enum err kv_tree_begin_read(struct kv_tree *tree, struct kv_tree_txn **out) MUST_CHECK;
/* Waits for the other writer. One at a time for the whole process. */
enum err kv_tree_begin_write(struct kv_tree *tree, struct kv_tree_txn **out) MUST_CHECK;
/* Durable when it returns ERR_OK. On ERR_FULL or ERR_IO nothing of the transaction exists. The handle is
 * gone. */
enum err kv_tree_commit(struct kv_tree_txn *txn) MUST_CHECK;
void kv_tree_abort(struct kv_tree_txn *txn);
/* After ERR_FULL from put or commit because the map was too small: doubles the map. ERR_FULL at map_max or
 * when the disk itself is full (then do not retry). No transaction of the calling thread may be open. */
enum err kv_tree_grow(struct kv_tree *tree) MUST_CHECK;

/* ERR_NOTFOUND if absent. The value lives as long as the transaction (and no write in it). */
enum err kv_tree_get(struct kv_tree_txn *txn, unsigned table, struct kv_bytes key,
                     struct kv_bytes *value) MUST_CHECK;
enum err kv_tree_put(struct kv_tree_txn *txn, unsigned table, struct kv_bytes key,
                     struct kv_bytes value) MUST_CHECK;
/* As kv_tree_put for keys that only rise: faster, ERR_CONFLICT if key is not above the last one. */
enum err kv_tree_append(struct kv_tree_txn *txn, unsigned table, struct kv_bytes key,
                        struct kv_bytes value) MUST_CHECK;
enum err kv_tree_delete(struct kv_tree_txn *txn, unsigned table,
                        struct kv_bytes key) MUST_CHECK; /* ERR_NOTFOUND if absent */
enum err kv_tree_clear(struct kv_tree_txn *txn, unsigned table) MUST_CHECK;
uint64_t kv_tree_count(struct kv_tree_txn *txn, unsigned table);

/* Cursor of one table, closed before its transaction ends. Each move gives the entry it stands on, or
 * ERR_NOTFOUND beyond the end. seek: the first entry with key >= the given one. */
enum err kv_tree_cursor_open(struct kv_tree_txn *txn, unsigned table, struct kv_tree_cursor **out) MUST_CHECK;
void kv_tree_cursor_close(struct kv_tree_cursor *cursor);
enum err kv_tree_cursor_seek(struct kv_tree_cursor *c, struct kv_bytes key, struct kv_bytes *k,
                             struct kv_bytes *v) MUST_CHECK;
enum err kv_tree_cursor_first(struct kv_tree_cursor *c, struct kv_bytes *k, struct kv_bytes *v) MUST_CHECK;
enum err kv_tree_cursor_last(struct kv_tree_cursor *c, struct kv_bytes *k, struct kv_bytes *v) MUST_CHECK;
enum err kv_tree_cursor_next(struct kv_tree_cursor *c, struct kv_bytes *k, struct kv_bytes *v) MUST_CHECK;
enum err kv_tree_cursor_prev(struct kv_tree_cursor *c, struct kv_bytes *k, struct kv_bytes *v) MUST_CHECK;
/* Deletes the entry it stands on (write transactions); the next kv_tree_cursor_next gives the one after it.
 */
enum err kv_tree_cursor_delete(struct kv_tree_cursor *c) MUST_CHECK;

/* LMDB's number of the state that a read transaction sees, or a write transaction will have made. */
uint64_t kv_tree_txn_id(const struct kv_tree_txn *txn);

void kv_tree_stat(struct kv_tree *tree, struct kv_stat *out);
/* A consistent, compacted copy of everything committed before the call, into the empty directory dir. */
enum err kv_tree_copy(struct kv_tree *tree, const char *dir) MUST_CHECK;

#endif
