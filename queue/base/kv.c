/* kv.c: transactions of a kv; what they read comes from the tree and, with a journal, from what is recent.
 *
 * Without a journal a commit is a commit of the tree (LMDB). It writes every page that it touched, wherever
 * that lies in the file: for a message some thirty pages, a millisecond. With a journal a commit is one write
 * and one sync at one place (kv_journal.h) and its entries stay in memory (kv_recent.h), until the flusher
 * brings thousands of commits into the tree at once (kv_flush.c), each page written once for all of them.
 * Invariants:
 *   - What a reader may see is durable: versions become visible after the sync of their record.
 *   - Tree and journal together always hold every commit: a segment is written over only when the tree has
 * it.
 *   - A reader sees one moment: the tree as of some flush, and above it the versions up to one number. Which
 *     of the lists the tree already holds follows from LMDB's transaction numbers (levels_fit).
 *   - After a failed write or sync of the journal nothing is written any more; reading goes on. */
#include "queue/base/kv.h"

#include <stdlib.h>
#include <string.h>

#include "queue/base/kv_int.h"

#define FLUSHED_TABLE                                                                    \
    "flushed" /* of the tree: the newest segment that it holds, and the journal's secret \
               */

static void journaled_init(struct kv *kv)
{
    pthread_mutex_init(&kv->writer, NULL);
    pthread_mutex_init(&kv->lock, NULL);
    pthread_cond_init(&kv->changed, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&kv->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    buf_init(&kv->record, JOURNAL_RECORD_MAX);
}

/* Opens the tree with our tables and one more for the flusher's mark. A tree that cannot be read and never
 * got as far as to have a journal was torn while it was made: nothing was ever acknowledged from it. */
static enum err tree_open_with_mark(struct kv *kv, const char *dir, const struct kv_options *options,
                                    const char *const tables[], size_t count)
{
    const char **all = xcalloc(count + 1, sizeof *all);

    memcpy(all, tables, count * sizeof *all);
    all[count] = FLUSHED_TABLE;
    size_t used = options->journal ? count + 1 : count;
    enum err rc = kv_tree_open(dir, options, all, used, &kv->tree);
    if (rc == ERR_CORRUPT && options->journal && !kv_journal_exists(dir) && kv_tree_remove_unborn(dir)) {
        rc = kv_tree_open(dir, options, all, used, &kv->tree);
    }
    free(all);
    return rc;
}

enum err kv_open(const char *dir, const struct kv_options *options, const char *const tables[], size_t count,
                 struct kv **out)
{
    struct kv *kv = xcalloc(1, sizeof *kv);

    CHECK(!options->journal || !options->read_only);
    *out = NULL;
    kv->tables = count;
    kv->no_sync = options->no_sync;
    journaled_init(kv);
    enum err rc = tree_open_with_mark(kv, dir, options, tables, count);
    if (rc == ERR_OK && options->journal) {
        rc = kv_flush_recover(kv, dir);
    }
    if (rc == ERR_OK && options->journal) {
        rc = kv_flush_start(kv);
    }
    if (rc != ERR_OK) {
        kv_close(kv);
        return rc;
    }
    *out = kv;
    return ERR_OK;
}

void kv_close(struct kv *kv)
{
    if (kv == NULL) {
        return;
    }
    kv_flush_stop(kv);
    kv_journal_close(kv->journal);
    kv_tree_close(kv->tree);
    kv_recent_release(kv->active);
    kv_recent_release(kv->frozen);
    pthread_mutex_destroy(&kv->writer);
    pthread_mutex_destroy(&kv->lock);
    pthread_cond_destroy(&kv->changed);
    pthread_cond_destroy(&kv->wake);
    buf_fini(&kv->record);
    free(kv->added);
    free(kv);
}

/* ---- transactions ---- */

/* Takes hold of the lists and of the number up to which they may be read. */
static void levels_take(struct kv_txn *txn)
{
    struct kv *kv = txn->kv;

    pthread_mutex_lock(&kv->lock);
    txn->levels[0] = kv->active;
    txn->levels[1] = kv->frozen;
    txn->number = kv->visible;
    for (int i = 0; i < LEVELS; i++) {
        if (txn->levels[i] != NULL) {
            kv_recent_hold(txn->levels[i]);
        }
    }
    pthread_mutex_unlock(&kv->lock);
}

static void levels_release(struct kv_txn *txn)
{
    for (int i = 0; i < LEVELS; i++) {
        kv_recent_release(txn->levels[i]);
        txn->levels[i] = NULL;
    }
}

/* Whether the tree that was opened after the lists were taken holds nothing newer than they do. */
static bool levels_fit(const struct kv_txn *txn)
{
    return kv_recent_flushed_from(txn->levels[0]) > kv_tree_txn_id(txn->base);
}

/* Drops the lists that are empty or that the tree holds already: nothing is to be found there. A writer keeps
 * the first, to write into it. */
static void levels_trim(struct kv_txn *txn)
{
    uint64_t seen = kv_tree_txn_id(txn->base);

    if (txn->levels[1] != NULL && kv_recent_flushed_as(txn->levels[1]) <= seen) {
        kv_recent_release(txn->levels[1]);
        txn->levels[1] = NULL;
    }
    if (!txn->write && kv_recent_is_empty(txn->levels[0])) {
        kv_recent_release(txn->levels[0]);
        txn->levels[0] = NULL;
    }
}

/* Lists and tree of one moment. The tree is opened after the lists were taken, so it may be ahead of them by
 * a flush; then once more. */
static enum err reader_begin(struct kv_txn *txn)
{
    for (;;) {
        levels_take(txn);
        enum err rc = kv_tree_begin_read(txn->kv->tree, &txn->base);
        if (rc == ERR_OK && levels_fit(txn)) {
            levels_trim(txn);
            return ERR_OK;
        }
        if (rc == ERR_OK) {
            kv_tree_abort(txn->base);
        }
        levels_release(txn);
        if (rc != ERR_OK) {
            return rc;
        }
    }
}

enum err kv_begin_read(struct kv *kv, struct kv_txn **out)
{
    struct kv_txn *txn = xcalloc(1, sizeof *txn);

    txn->kv = kv;
    enum err rc = kv->journal != NULL ? reader_begin(txn) : kv_tree_begin_read(kv->tree, &txn->base);
    if (rc != ERR_OK) {
        free(txn);
        txn = NULL;
    }
    *out = txn;
    return rc;
}

/* The one writer: reads like a reader, and itself. */
static enum err writer_begin(struct kv_txn *txn)
{
    struct kv *kv = txn->kv;

    pthread_mutex_lock(&kv->writer);
    enum err rc = kv_flush_room(kv);
    if (rc == ERR_OK) {
        rc = reader_begin(txn);
    }
    if (rc != ERR_OK) {
        pthread_mutex_unlock(&kv->writer);
        return rc;
    }
    txn->number = kv->number + 1;
    kv->added_count = 0;
    kv_journal_record_begin(&kv->record);
    return ERR_OK;
}

enum err kv_begin_write(struct kv *kv, struct kv_txn **out)
{
    struct kv_txn *txn = xcalloc(1, sizeof *txn);

    txn->kv = kv;
    txn->write = true;
    enum err rc = kv->journal != NULL ? writer_begin(txn) : kv_tree_begin_write(kv->tree, &txn->base);
    if (rc != ERR_OK) {
        free(txn);
        txn = NULL;
    }
    *out = txn;
    return rc;
}

/* Lets go of what a transaction holds. */
static void txn_end(struct kv_txn *txn)
{
    kv_tree_abort(txn->base);
    levels_release(txn);
    if (txn->write) {
        pthread_mutex_unlock(&txn->kv->writer);
    }
    free(txn);
}

/* Makes everything that a write transaction added invisible for good. */
static void writer_give_up(struct kv *kv)
{
    for (size_t i = 0; i < kv->added_count; i++) {
        kv_recent_give_up(kv->added[i]);
    }
    kv->added_count = 0;
}

/* Makes the transaction durable, then visible. */
static enum err writer_commit(struct kv_txn *txn)
{
    struct kv *kv = txn->kv;
    enum err rc = buf_ok(&kv->record) ? ERR_OK : ERR_LIMIT;

    if (rc == ERR_OK && kv_journal_record_is_empty(&kv->record)) {
        return ERR_OK;
    }
    if (rc == ERR_OK) {
        rc = kv_journal_commit(kv->journal, &kv->record);
    }
    if (rc != ERR_OK) {
        writer_give_up(kv);
    }
    pthread_mutex_lock(&kv->lock);
    if (rc == ERR_OK) {
        kv->number++;
        kv->visible = kv->number;
        kv_flush_turn(kv);
    } else if (rc == ERR_IO) {
        kv->failed = ERR_IO;
    }
    pthread_mutex_unlock(&kv->lock);
    return rc;
}

enum err kv_commit(struct kv_txn *txn)
{
    CHECK(txn->cursors == 0);
    if (txn->kv->journal == NULL) {
        enum err rc = kv_tree_commit(txn->base);
        free(txn);
        return rc;
    }
    enum err rc = txn->write ? writer_commit(txn) : ERR_OK;
    txn_end(txn);
    return rc;
}

void kv_abort(struct kv_txn *txn)
{
    if (txn == NULL) {
        return;
    }
    CHECK(txn->cursors == 0);
    if (txn->kv->journal == NULL) {
        kv_tree_abort(txn->base);
        free(txn);
        return;
    }
    if (txn->write) {
        writer_give_up(txn->kv);
    }
    txn_end(txn);
}

enum err kv_grow(struct kv *kv)
{
    return kv->journal == NULL ? kv_tree_grow(kv->tree)
                               : ERR_FULL; /* the flusher grows the tree; here it is the disk */
}

/* ---- entries ---- */

static bool key_fits(struct kv_bytes key)
{
    return key.size > 0 && key.size <= KV_KEY_MAX;
}

enum err kv_get(struct kv_txn *txn, unsigned table, struct kv_bytes key, struct kv_bytes *value)
{
    CHECK(table < txn->kv->tables);
    for (int i = 0; i < LEVELS; i++) {
        const struct kv_recent_node *node =
            txn->levels[i] != NULL ? kv_recent_get(txn->levels[i], table, key, txn->number) : NULL;
        if (node != NULL) {
            *value = node->gone ? KV_BYTES(NULL, 0) : node->value;
            return node->gone ? ERR_NOTFOUND : ERR_OK;
        }
    }
    return kv_tree_get(txn->base, table, key, value);
}

/* Adds a version to the list and to the record; value.data NULL: a deletion. */
static enum err version_add(struct kv_txn *txn, unsigned table, struct kv_bytes key, struct kv_bytes value)
{
    struct kv *kv = txn->kv;

    CHECK(txn->write && table < kv->tables);
    if (kv->added_count == kv->added_room) {
        kv->added_room = kv->added_room == 0 ? 256 : kv->added_room * 2;
        kv->added = xrealloc(kv->added, kv->added_room * sizeof *kv->added);
    }
    kv->added[kv->added_count++] = kv_recent_add(txn->levels[0], table, key, value, txn->number);
    kv_journal_record_add(&kv->record, table, key, value);
    return ERR_OK;
}

enum err kv_put(struct kv_txn *txn, unsigned table, struct kv_bytes key, struct kv_bytes value)
{
    if (txn->kv->journal == NULL) {
        return kv_tree_put(txn->base, table, key, value);
    }
    if (!key_fits(key)) {
        return ERR_INVALID;
    }
    return version_add(txn, table, key, value.data != NULL ? value : KV_BYTES("", 0));
}

enum err kv_append(struct kv_txn *txn, unsigned table, struct kv_bytes key, struct kv_bytes value)
{
    struct kv_cursor *cursor;
    struct kv_bytes last, none;

    if (txn->kv->journal == NULL) {
        return kv_tree_append(txn->base, table, key, value);
    }
    enum err rc = kv_cursor_open(txn, table, &cursor);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = kv_cursor_last(cursor, &last, &none);
    kv_cursor_close(cursor);
    if (rc == ERR_OK && kv_compare(key, last) <= 0) {
        return ERR_CONFLICT;
    }
    return rc == ERR_OK || rc == ERR_NOTFOUND ? kv_put(txn, table, key, value) : rc;
}

enum err kv_delete(struct kv_txn *txn, unsigned table, struct kv_bytes key)
{
    struct kv_bytes value;

    if (txn->kv->journal == NULL) {
        return kv_tree_delete(txn->base, table, key);
    }
    enum err rc = kv_get(txn, table, key, &value);
    return rc == ERR_OK ? version_add(txn, table, key, KV_BYTES(NULL, 0)) : rc;
}

/* Without a journal at once, with one entry by entry. */
enum err kv_clear(struct kv_txn *txn, unsigned table)
{
    struct kv_cursor *cursor;
    struct kv_bytes k, v;

    if (txn->kv->journal == NULL) {
        return kv_tree_clear(txn->base, table);
    }
    enum err rc = kv_cursor_open(txn, table, &cursor);
    for (; rc == ERR_OK && (rc = kv_cursor_next(cursor, &k, &v)) == ERR_OK;) {
        rc = kv_cursor_delete(cursor);
    }
    kv_cursor_close(cursor);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* With a journal by counting, unless nothing is recent. */
uint64_t kv_count(struct kv_txn *txn, unsigned table)
{
    struct kv_cursor *cursor;
    struct kv_bytes k, v;
    uint64_t count = 0;

    if (txn->kv->journal == NULL || (txn->levels[0] == NULL && txn->levels[1] == NULL)) {
        return kv_tree_count(txn->base, table);
    }
    if (kv_cursor_open(txn, table, &cursor) != ERR_OK) {
        return 0;
    }
    while (kv_cursor_next(cursor, &k, &v) == ERR_OK) {
        count++;
    }
    kv_cursor_close(cursor);
    return count;
}

/* ---- the whole ---- */

void kv_stat(struct kv *kv, struct kv_stat *out)
{
    kv_tree_stat(kv->tree, out);
    if (kv->journal != NULL) {
        pthread_mutex_lock(&kv->lock);
        out->recent_bytes =
            kv_recent_bytes(kv->active) + (kv->frozen != NULL ? kv_recent_bytes(kv->frozen) : 0);
        pthread_mutex_unlock(&kv->lock);
    }
}

/* A copy of a tree that takes nothing more, with what only the journal has. */
static enum err copy_of_failed(struct kv *kv, const char *dir)
{
    struct kv_tree *copy;
    enum err rc = kv_tree_copy(kv->tree, dir);

    if (rc == ERR_OK) {
        rc = kv_tree_open_like(kv->tree, dir, &copy);
    }
    if (rc == ERR_OK) {
        rc = kv_flush_copy(kv, copy);
        kv_tree_close(copy);
    }
    return rc;
}

enum err kv_copy(struct kv *kv, const char *dir)
{
    enum err rc = kv->journal != NULL ? kv_flush_all(kv) : ERR_OK;

    return rc == ERR_OK ? kv_tree_copy(kv->tree, dir) : rc == ERR_IO ? copy_of_failed(kv, dir) : rc;
}
