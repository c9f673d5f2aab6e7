/* kv.h: ordered key-value tables in a directory: LMDB (kv_tree.h), and before it a journal if wanted.
 *
 * With a journal a commit is one write and one sync at one place, whatever it touches; its entries are read
 * from memory until a thread of the kv brings many commits into LMDB at once (kv.c says how). Without one a
 * commit is a commit of LMDB. One writer at a time; values are good until the transaction ends or writes
 * again; read transactions are short: a held one keeps memory and stops page reuse, and the file grows. */
#ifndef CHASQUI_BASE_KV_H
#define CHASQUI_BASE_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/error.h"

#define KV_KEY_MAX 511 /* LMDB's compiled-in limit on Debian 12 */

struct kv;
struct kv_txn;
struct kv_cursor;

struct kv_bytes {
    const void *data;
    size_t size;
};
#define KV_BYTES(ptr, len) ((struct kv_bytes){.data = (ptr), .size = (len)})

struct kv_options {
    size_t map_size;  /* bytes of address space to begin with; grown by doubling up to map_max */
    size_t map_max;   /* 0: 1 TiB */
    unsigned readers; /* reader slots; 0: 254 */
    bool read_only;   /* not with a journal */
    bool journal;     /* commits are durable in DIR/journal-0 and -1 first */
    bool no_sync; /* only for derived data that a rebuild restores, and for tests that must see the loss */
};

struct kv_stat {
    uint64_t map_size;        /* bytes of address space */
    uint64_t used_bytes;      /* bytes of the file in use */
    uint64_t last_txn;        /* id of the last committed transaction */
    unsigned readers;         /* reader slots in use */
    uint64_t recent_bytes;    /* of memory that holds what is only in the journal */
    int64_t oldest_reader_ms; /* age of the oldest open read transaction of this process; 0 if none */
};

/* Opens (creating if needed) DIR/data.mdb with the named tables; a table is addressed by its index in
 * tables[]. Holds an exclusive lock on DIR/lock.pid unless read_only: ERR_BUSY if another process has it, or
 * if this process has DIR open in either way. read_only creates nothing: ERR_NOTFOUND if DIR or a table is
 * missing. */
enum err kv_open(const char *dir, const struct kv_options *options, const char *const tables[], size_t count,
                 struct kv **out) MUST_CHECK;
void kv_close(struct kv *kv);

/* Read transactions may be used by one thread at a time; keep them far below a millisecond. */
enum err kv_begin_read(struct kv *kv, struct kv_txn **out) MUST_CHECK;
/* Waits for the other writer. One at a time for the whole process. */
enum err kv_begin_write(struct kv *kv, struct kv_txn **out) MUST_CHECK;
/* Durable when it returns ERR_OK. On ERR_FULL or ERR_IO nothing of the transaction exists. The handle is
 * gone. */
enum err kv_commit(struct kv_txn *txn) MUST_CHECK;
void kv_abort(struct kv_txn *txn);
/* After ERR_FULL from put or commit because the map was too small: doubles the map. ERR_FULL at map_max or
 * when the disk itself is full (then do not retry), and always with a journal, where the map grows by itself.
 * No transaction of the calling thread may be open. */
enum err kv_grow(struct kv *kv) MUST_CHECK;

/* ERR_NOTFOUND if absent. The value lives as long as the transaction (and no write in it). */
enum err kv_get(struct kv_txn *txn, unsigned table, struct kv_bytes key, struct kv_bytes *value) MUST_CHECK;
enum err kv_put(struct kv_txn *txn, unsigned table, struct kv_bytes key, struct kv_bytes value) MUST_CHECK;
/* As kv_put for keys that only rise: faster, ERR_CONFLICT if key is not above the last one. */
enum err kv_append(struct kv_txn *txn, unsigned table, struct kv_bytes key, struct kv_bytes value) MUST_CHECK;
enum err kv_delete(struct kv_txn *txn, unsigned table,
                   struct kv_bytes key) MUST_CHECK; /* ERR_NOTFOUND if absent */
enum err kv_clear(struct kv_txn *txn, unsigned table) MUST_CHECK;
uint64_t kv_count(struct kv_txn *txn, unsigned table);

/* Cursor of one table, closed before its transaction ends. Each move gives the entry it stands on, or
 * ERR_NOTFOUND beyond the end. seek: the first entry with key >= the given one. */
enum err kv_cursor_open(struct kv_txn *txn, unsigned table, struct kv_cursor **out) MUST_CHECK;
void kv_cursor_close(struct kv_cursor *cursor);
enum err kv_cursor_seek(struct kv_cursor *c, struct kv_bytes key, struct kv_bytes *k,
                        struct kv_bytes *v) MUST_CHECK;
enum err kv_cursor_first(struct kv_cursor *c, struct kv_bytes *k, struct kv_bytes *v) MUST_CHECK;
enum err kv_cursor_last(struct kv_cursor *c, struct kv_bytes *k, struct kv_bytes *v) MUST_CHECK;
enum err kv_cursor_next(struct kv_cursor *c, struct kv_bytes *k, struct kv_bytes *v) MUST_CHECK;
enum err kv_cursor_prev(struct kv_cursor *c, struct kv_bytes *k, struct kv_bytes *v) MUST_CHECK;
/* Deletes the entry it stands on (write transactions); the next kv_cursor_next gives the one after it. */
enum err kv_cursor_delete(struct kv_cursor *c) MUST_CHECK;

void kv_stat(struct kv *kv, struct kv_stat *out);
/* A consistent, compacted copy of everything committed before the call, into the empty directory dir. */
enum err kv_copy(struct kv *kv, const char *dir) MUST_CHECK;

#endif
