/* kv_tree.c: the only file that knows LMDB: tables in one memory-mapped file, transactions, cursors.
 *
 * Invariants kept here:
 *  - every LMDB transaction, and every other call that looks at the map, happens inside the gate
 *    (kv_gate.h); the map is moved only by a thread that is alone there;
 *  - one process at a time has the directory for writing, and a process opens it once (kv_dir.h);
 *  - a write transaction that met an error stays failed: each later call in it and its commit give that
 * error;
 *  - a disk that fails ends writing, not reading. LMDB gives an environment up when the write of its head
 * failed and refuses even reads. What was committed is whole, so the next reader opens it again, for reading
 * only, while nobody is inside the gate.
 *
 * A full disk reaches us as ENOSPC, or as EIO when the kernel wrote less than asked, so after EIO the file
 * system is asked how much room it has. ERR_FULL has two causes, map and disk; full_by_disk remembers which
 * it was last, so that kv_tree_grow does not enlarge a map that was not the trouble. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lmdb.h>

#include "queue/base/kv_tree.h"
#include "queue/base/kv_dir.h"
#include "queue/base/kv_gate.h"

#define MAP_FIRST     ((size_t)64 << 20) /* when the options give no size */
#define MAP_MAX       ((size_t)1 << 40)
#define READERS       254
#define UNBORN_MOST   (64 << 10)
#define MOVES_AT_MOST 8 /* times one call follows a map that another process enlarges */

struct kv_tree {
    MDB_env *env;
    struct kv_dir dir;
    size_t map_max;
    bool read_only;
    bool no_sync;
    struct kv_gate gate;
    atomic_bool full_by_disk;
    atomic_bool given_up; /* by LMDB; env is open for reading only, or NULL if even that failed */
    size_t count;
    MDB_dbi *tables;
    char **names; /* of the tables */
};

struct kv_tree_txn {
    struct kv_tree *tree;
    MDB_txn *txn;
    struct kv_pass pass;
    bool write;
    enum err failed; /* the first error of a write transaction */
    unsigned cursors;
};

struct kv_tree_cursor {
    struct kv_tree_txn *txn;
    MDB_cursor *cursor;
    bool standing; /* on an entry that kv_tree_cursor_delete may take */
};

/* The class of an LMDB result. */
static enum err class_of(struct kv_tree *tree, int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return ERR_OK;
    case MDB_NOTFOUND:
        return ERR_NOTFOUND;
    case MDB_KEYEXIST:
        return ERR_CONFLICT;
    case MDB_MAP_FULL:
        atomic_store(&tree->full_by_disk, false);
        return ERR_FULL;
    case ENOSPC:
    case EDQUOT:
        atomic_store(&tree->full_by_disk, true);
        return ERR_FULL;
    case EIO:
    case EFBIG:
        if (!kv_dir_full(tree->dir.path)) {
            return ERR_IO;
        }
        atomic_store(&tree->full_by_disk, true);
        return ERR_FULL;
    case MDB_READERS_FULL:
        return ERR_BUSY;
    case MDB_TXN_FULL:
        return ERR_LIMIT;
    case MDB_BAD_VALSIZE:
        return ERR_INVALID;
    case MDB_VERSION_MISMATCH:
        return ERR_SCHEMA;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
        return ERR_CORRUPT;
    case ENOMEM:
        return ERR_NOMEM;
    default:
        return code > 0 ? err_from_errno(code) : ERR_IO;
    }
}

/* Opens LMDB's environment with our fixed choice of flags. */
static enum err env_open(struct kv_tree *tree, const struct kv_options *options)
{
    unsigned flags = MDB_NOTLS | (options->read_only ? MDB_RDONLY : 0) | (options->no_sync ? MDB_NOSYNC : 0);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = options->map_size != 0 ? options->map_size : MAP_FIRST;
    int dead;
    int code;

    code = mdb_env_create(&tree->env);
    if (code != 0) {
        tree->env = NULL;
        return class_of(tree, code);
    }
    mdb_env_set_mapsize(tree->env, (size + page - 1) / page * page);
    mdb_env_set_maxreaders(tree->env, options->readers != 0 ? options->readers : READERS);
    mdb_env_set_maxdbs(tree->env, (MDB_dbi)tree->count);
    code = mdb_env_open(tree->env, tree->dir.path, flags, 0600);
    if (code == 0) {
        code = mdb_reader_check(tree->env, &dead);
    }
    return class_of(tree, code);
}

/* Opens the named tables in one transaction, creating what is missing unless read-only. */
static enum err tables_open(struct kv_tree *tree)
{
    struct kv_tree_txn *txn;
    enum err rc = tree->read_only ? kv_tree_begin_read(tree, &txn) : kv_tree_begin_write(tree, &txn);
    unsigned flags = tree->read_only ? 0 : MDB_CREATE;
    int code = 0;

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < tree->count && code == 0; i++) {
        code = mdb_dbi_open(txn->txn, tree->names[i], flags, &tree->tables[i]);
    }
    if (code != 0) {
        kv_tree_abort(txn);
        return class_of(tree, code);
    }
    /* In LMDB table handles stay good after the commit only, for a read transaction too. */
    return kv_tree_commit(txn);
}

/* Opens the tables, growing the map if even they do not fit, and makes the new names durable. */
static enum err open_all(struct kv_tree *tree, const struct kv_options *options)
{
    enum err rc = env_open(tree, options);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = tables_open(tree);
    while (rc == ERR_FULL && kv_tree_grow(tree) == ERR_OK) {
        rc = tables_open(tree);
    }
    if (rc != ERR_OK || tree->read_only) {
        return rc;
    }
    return kv_dir_sync(tree->dir.path);
}

bool kv_tree_remove_unborn(const char *dir)
{
    char *path = xasprintf("%s/data.mdb", dir);
    struct stat st;
    bool gone = stat(path, &st) == 0 && st.st_size <= UNBORN_MOST && unlink(path) == 0;

    free(path);
    return gone;
}

/* Opens a directory of tables. */
enum err kv_tree_open(const char *dir, const struct kv_options *options, const char *const tables[],
                      size_t count, struct kv_tree **out)
{
    struct kv_tree *tree = xcalloc(1, sizeof(*tree));
    enum err rc;

    *out = NULL;
    tree->map_max = options->map_max != 0 ? options->map_max : MAP_MAX;
    tree->read_only = options->read_only;
    tree->no_sync = options->no_sync;
    tree->count = count;
    tree->tables = xcalloc(count + 1, sizeof(*tree->tables));
    tree->names = xcalloc(count + 1, sizeof(*tree->names));
    for (size_t i = 0; i < count; i++) {
        tree->names[i] = xstrdup(tables[i]);
    }
    kv_gate_init(&tree->gate);
    rc = kv_dir_claim(&tree->dir, dir, tree->read_only);
    if (rc == ERR_OK) {
        rc = open_all(tree, options);
    }
    if (rc != ERR_OK) {
        kv_tree_close(tree);
        return rc;
    }
    *out = tree;
    return ERR_OK;
}

enum err kv_tree_open_like(const struct kv_tree *like, const char *dir, struct kv_tree **out)
{
    struct kv_options options = {.map_max = like->map_max};

    return kv_tree_open(dir, &options, (const char *const *)like->names, like->count, out);
}

/* Closes the tables and lets go of the directory. No transaction is open. */
void kv_tree_close(struct kv_tree *tree)
{
    if (tree == NULL) {
        return;
    }
    kv_gate_fini(&tree->gate);
    if (tree->env != NULL) {
        if (tree->no_sync && !tree->read_only && !atomic_load(&tree->given_up)) {
            mdb_env_sync(tree->env, 1);
        }
        mdb_env_close(tree->env);
    }
    kv_dir_release(&tree->dir);
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->names[i]);
    }
    free(tree->names);
    free(tree->tables);
    free(tree);
}

/* Moves the map to a new size; size 0 takes the size another process has given the file. An address
 * space that is too small is found out before LMDB gives up the old map. */
static enum err map_move(struct kv_tree *tree, size_t size)
{
    void *probe =
        mmap(NULL, size != 0 ? size : 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int code;

    if (probe == MAP_FAILED) {
        return ERR_FULL;
    }
    munmap(probe, size != 0 ? size : 1);
    code = mdb_env_set_mapsize(tree->env, size);
    /* The old map is gone when this fails: nothing could be read any more. */
    CHECK(code == 0);
    return ERR_OK;
}

/* Opens a given-up environment again, for reading only. Nobody is inside. */
static void reopen_reading(struct kv_tree *tree)
{
    MDB_envinfo info;
    MDB_txn *txn = NULL;
    struct kv_options options = {.read_only = true};
    int code = -1;

    mdb_env_info(tree->env, &info);
    options.map_size = info.me_mapsize;
    options.readers = info.me_maxreaders;
    mdb_env_close(tree->env);
    atomic_store(&tree->given_up, true);
    if (env_open(tree, &options) == ERR_OK) {
        code = mdb_txn_begin(tree->env, NULL, MDB_RDONLY, &txn);
    }
    for (size_t i = 0; i < tree->count && code == 0; i++) {
        code = mdb_dbi_open(txn, tree->names[i], 0, &tree->tables[i]);
    }
    if (txn != NULL) {
        (void)mdb_txn_commit(txn);
    }
    if (code != 0 && tree->env != NULL) {
        mdb_env_close(tree->env);
        tree->env = NULL;
    }
}

/* What can be done about a refusal when one is alone: MDB_MAP_RESIZED if it is worth another attempt. */
static int make_well(struct kv_tree *tree, int code)
{
    if (!kv_gate_shut(&tree->gate)) {
        return MDB_READERS_FULL; /* this thread's other transaction must end first: busy */
    }
    if (code == MDB_MAP_RESIZED) {
        (void)map_move(tree, 0);
    } else if (!atomic_load(&tree->given_up)) {
        reopen_reading(tree);
    }
    code = tree->env != NULL ? MDB_MAP_RESIZED : MDB_PANIC;
    kv_gate_open(&tree->gate);
    return code;
}

/* LMDB's begin; what it has given up it refuses. */
static int begin_call(struct kv_tree *tree, struct kv_tree_txn *txn)
{
    if (tree->env == NULL || (txn->write && atomic_load(&tree->given_up))) {
        return MDB_PANIC;
    }
    return mdb_txn_begin(tree->env, NULL, txn->write ? 0 : MDB_RDONLY, &txn->txn);
}

/* One attempt at a transaction; follows a map that another process has enlarged. */
static int begin_once(struct kv_tree *tree, struct kv_tree_txn *txn)
{
    int dead;
    int code;

    kv_gate_enter(&tree->gate, &txn->pass, !txn->write);
    code = begin_call(tree, txn);
    if (code == MDB_READERS_FULL && mdb_reader_check(tree->env, &dead) == 0 && dead > 0) {
        code = begin_call(tree, txn);
    }
    if (code == 0) {
        return 0;
    }
    kv_gate_leave(&tree->gate, &txn->pass);
    if (code == MDB_MAP_RESIZED || (code == MDB_PANIC && !txn->write)) {
        code = make_well(tree, code);
    }
    return code;
}

/* Begins a transaction of either kind. */
static enum err begin(struct kv_tree *tree, bool write, struct kv_tree_txn **out)
{
    struct kv_tree_txn *txn = xcalloc(1, sizeof(*txn));
    int code = MDB_MAP_RESIZED;

    txn->tree = tree;
    txn->write = write;
    for (int i = 0; i < MOVES_AT_MOST && code == MDB_MAP_RESIZED; i++) {
        code = begin_once(tree, txn);
    }
    if (code != 0) {
        free(txn);
        *out = NULL;
        return class_of(tree, code);
    }
    *out = txn;
    return ERR_OK;
}

/* Opens a snapshot. */
enum err kv_tree_begin_read(struct kv_tree *tree, struct kv_tree_txn **out)
{
    return begin(tree, false, out);
}

/* Opens the one write transaction. */
enum err kv_tree_begin_write(struct kv_tree *tree, struct kv_tree_txn **out)
{
    CHECK(!tree->read_only);
    return begin(tree, true, out);
}

/* Leaves the gate and frees the handle. */
static void txn_free(struct kv_tree_txn *txn)
{
    kv_gate_leave(&txn->tree->gate, &txn->pass);
    free(txn);
}

/* Commits; a transaction that met an error is given up instead. */
enum err kv_tree_commit(struct kv_tree_txn *txn)
{
    struct kv_tree *tree = txn->tree;
    enum err rc = txn->failed;

    CHECK(txn->cursors == 0);
    if (rc != ERR_OK) {
        mdb_txn_abort(txn->txn);
    } else {
        rc = class_of(tree, mdb_txn_commit(txn->txn));
    }
    if (rc == ERR_OK && txn->write) {
        atomic_store(&tree->full_by_disk, false);
    }
    txn_free(txn);
    return rc;
}

/* Gives a transaction up. */
void kv_tree_abort(struct kv_tree_txn *txn)
{
    if (txn == NULL) {
        return;
    }
    CHECK(txn->cursors == 0);
    mdb_txn_abort(txn->txn);
    txn_free(txn);
}

/* Doubles the map while nobody has a transaction open. */
enum err kv_tree_grow(struct kv_tree *tree)
{
    MDB_envinfo info;
    enum err rc = ERR_FULL;
    size_t size;
    bool alone;

    if (atomic_load(&tree->full_by_disk) || kv_dir_full(tree->dir.path)) {
        return ERR_FULL;
    }
    if (atomic_load(&tree->given_up)) {
        return ERR_IO;
    }
    alone = kv_gate_shut(&tree->gate);
    CHECK(alone); /* the caller has a transaction open: a bug that would hang here for ever */
    mdb_env_info(tree->env, &info);
    size = info.me_mapsize <= tree->map_max / 2 ? info.me_mapsize * 2 : tree->map_max;
    if (size > info.me_mapsize) {
        rc = map_move(tree, size);
    }
    kv_gate_open(&tree->gate);
    return rc;
}

/* LMDB's number of the state that the transaction reads, or will have made. */
uint64_t kv_tree_txn_id(const struct kv_tree_txn *txn)
{
    return mdb_txn_id(txn->txn);
}

/* The handle of a table. */
static MDB_dbi handle(const struct kv_tree_txn *txn, unsigned table)
{
    CHECK(table < txn->tree->count);
    return txn->tree->tables[table];
}

/* A key or value in LMDB's shape. */
static MDB_val val_of(struct kv_bytes bytes)
{
    return (MDB_val){.mv_size = bytes.size, .mv_data = (void *)bytes.data};
}

/* Whether a key has a length that can be stored. */
static bool key_fits(struct kv_bytes key)
{
    return key.size > 0 && key.size <= KV_KEY_MAX;
}

/* The class of a result inside a transaction. An error that spoils a write transaction is kept. */
static enum err settle(struct kv_tree_txn *txn, int code)
{
    enum err rc;

    if (code == 0) {
        return ERR_OK;
    }
    rc = code == MDB_BAD_TXN && txn->failed != ERR_OK ? txn->failed : class_of(txn->tree, code);
    if (txn->write && rc != ERR_NOTFOUND && rc != ERR_CONFLICT && rc != ERR_INVALID &&
        txn->failed == ERR_OK) {
        txn->failed = rc;
    }
    return rc;
}

/* Reads one value. A key that cannot be stored is not there. */
enum err kv_tree_get(struct kv_tree_txn *txn, unsigned table, struct kv_bytes key, struct kv_bytes *value)
{
    MDB_val k = val_of(key);
    MDB_val v = {0};
    enum err rc;

    *value = KV_BYTES(NULL, 0);
    if (!key_fits(key)) {
        return ERR_NOTFOUND;
    }
    if (txn->failed != ERR_OK) {
        return txn->failed;
    }
    rc = settle(txn, mdb_get(txn->txn, handle(txn, table), &k, &v));
    if (rc == ERR_OK) {
        *value = KV_BYTES(v.mv_data, v.mv_size);
    }
    return rc;
}

/* Writes one entry. */
static enum err put(struct kv_tree_txn *txn, unsigned table, struct kv_bytes key, struct kv_bytes value,
                    unsigned flags)
{
    MDB_val k = val_of(key);
    MDB_val v = val_of(value);

    CHECK(txn->write);
    if (!key_fits(key)) {
        return ERR_INVALID;
    }
    if (txn->failed != ERR_OK) {
        return txn->failed;
    }
    return settle(txn, mdb_put(txn->txn, handle(txn, table), &k, &v, flags));
}

/* Writes or replaces an entry. */
enum err kv_tree_put(struct kv_tree_txn *txn, unsigned table, struct kv_bytes key, struct kv_bytes value)
{
    return put(txn, table, key, value, 0);
}

/* Writes an entry behind the last one. */
enum err kv_tree_append(struct kv_tree_txn *txn, unsigned table, struct kv_bytes key, struct kv_bytes value)
{
    return put(txn, table, key, value, MDB_APPEND);
}

/* Deletes one entry. */
enum err kv_tree_delete(struct kv_tree_txn *txn, unsigned table, struct kv_bytes key)
{
    MDB_val k = val_of(key);

    CHECK(txn->write);
    if (!key_fits(key)) {
        return ERR_NOTFOUND;
    }
    if (txn->failed != ERR_OK) {
        return txn->failed;
    }
    return settle(txn, mdb_del(txn->txn, handle(txn, table), &k, NULL));
}

/* Deletes all entries of a table. */
enum err kv_tree_clear(struct kv_tree_txn *txn, unsigned table)
{
    CHECK(txn->write);
    if (txn->failed != ERR_OK) {
        return txn->failed;
    }
    return settle(txn, mdb_drop(txn->txn, handle(txn, table), 0));
}

/* How many entries a table has; 0 in a failed transaction. */
uint64_t kv_tree_count(struct kv_tree_txn *txn, unsigned table)
{
    MDB_stat stat;

    return mdb_stat(txn->txn, handle(txn, table), &stat) == 0 ? stat.ms_entries : 0;
}

/* Opens a cursor before the first entry. */
enum err kv_tree_cursor_open(struct kv_tree_txn *txn, unsigned table, struct kv_tree_cursor **out)
{
    MDB_cursor *inner = NULL;
    enum err rc = txn->failed;

    *out = NULL;
    if (rc == ERR_OK) {
        rc = settle(txn, mdb_cursor_open(txn->txn, handle(txn, table), &inner));
    }
    if (rc != ERR_OK) {
        return rc;
    }
    *out = xcalloc(1, sizeof(**out));
    **out = (struct kv_tree_cursor){.txn = txn, .cursor = inner};
    txn->cursors++;
    return ERR_OK;
}

/* Closes a cursor. */
void kv_tree_cursor_close(struct kv_tree_cursor *cursor)
{
    if (cursor == NULL) {
        return;
    }
    CHECK(cursor->txn->cursors > 0);
    cursor->txn->cursors--;
    mdb_cursor_close(cursor->cursor);
    free(cursor);
}

/* Moves a cursor and gives the entry it then stands on; in *k LMDB may expect the key to seek. */
static enum err move(struct kv_tree_cursor *c, MDB_val seek, MDB_cursor_op op, struct kv_bytes *k,
                     struct kv_bytes *v)
{
    MDB_val value = {0};
    enum err rc = c->txn->failed;

    *k = KV_BYTES(NULL, 0);
    *v = KV_BYTES(NULL, 0);
    if (rc == ERR_OK) {
        rc = settle(c->txn, mdb_cursor_get(c->cursor, &seek, &value, op));
    }
    c->standing = rc == ERR_OK;
    if (rc == ERR_OK) {
        *k = KV_BYTES(seek.mv_data, seek.mv_size);
        *v = KV_BYTES(value.mv_data, value.mv_size);
    }
    return rc;
}

/* Moves to the first entry at or after key; an empty key is before everything. */
enum err kv_tree_cursor_seek(struct kv_tree_cursor *c, struct kv_bytes key, struct kv_bytes *k,
                             struct kv_bytes *v)
{
    return move(c, val_of(key), key.size > 0 ? MDB_SET_RANGE : MDB_FIRST, k, v);
}

/* Moves to the first entry. */
enum err kv_tree_cursor_first(struct kv_tree_cursor *c, struct kv_bytes *k, struct kv_bytes *v)
{
    return move(c, (MDB_val){0}, MDB_FIRST, k, v);
}

/* Moves to the last entry. */
enum err kv_tree_cursor_last(struct kv_tree_cursor *c, struct kv_bytes *k, struct kv_bytes *v)
{
    return move(c, (MDB_val){0}, MDB_LAST, k, v);
}

/* Moves on; the first entry if the cursor has not moved yet. */
enum err kv_tree_cursor_next(struct kv_tree_cursor *c, struct kv_bytes *k, struct kv_bytes *v)
{
    return move(c, (MDB_val){0}, MDB_NEXT, k, v);
}

/* Moves back; the last entry if the cursor has not moved yet. */
enum err kv_tree_cursor_prev(struct kv_tree_cursor *c, struct kv_bytes *k, struct kv_bytes *v)
{
    return move(c, (MDB_val){0}, MDB_PREV, k, v);
}

/* Deletes where the cursor stands; ERR_NOTFOUND if it stands nowhere, as after a delete. LMDB leaves the
 * cursor on the successor and marks it, so that the next move forward gives that one. */
enum err kv_tree_cursor_delete(struct kv_tree_cursor *c)
{
    CHECK(c->txn->write);
    if (c->txn->failed != ERR_OK) {
        return c->txn->failed;
    }
    if (!c->standing) {
        return ERR_NOTFOUND;
    }
    c->standing = false;
    return settle(c->txn, mdb_cursor_del(c->cursor, 0));
}

/* Counts the lines of LMDB's reader list that describe a reader: those that begin with a number. */
static int count_reader(const char *line, void *arg)
{
    unsigned *count = arg;

    while (*line == ' ') {
        line++;
    }
    *count += isdigit((unsigned char)*line) != 0;
    return 0;
}

/* Fills in the figures. */
void kv_tree_stat(struct kv_tree *tree, struct kv_stat *out)
{
    struct kv_pass pass;
    MDB_envinfo info = {0};
    MDB_stat stat = {0};

    *out = (struct kv_stat){0};
    kv_gate_enter(&tree->gate, &pass, false);
    mdb_env_info(tree->env, &info);
    mdb_env_stat(tree->env, &stat);
    mdb_reader_list(tree->env, count_reader, &out->readers);
    kv_gate_leave(&tree->gate, &pass);
    out->map_size = info.me_mapsize;
    out->used_bytes = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    out->last_txn = info.me_last_txnid;
    out->oldest_reader_ms = kv_gate_oldest_ms(&tree->gate);
}

/* Makes a copied file's bytes durable. */
static enum err file_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum err rc = ERR_OK;

    if (fd < 0) {
        return err_from_errno(errno);
    }
    if (fsync(fd) != 0) {
        rc = err_from_errno(errno);
    }
    close(fd);
    return rc;
}

/* Copies without the free pages, as a reader that takes its time. */
enum err kv_tree_copy(struct kv_tree *tree, const char *dir)
{
    struct kv_tree_txn *probe;
    struct kv_pass pass;
    char *path;
    enum err rc;

    if (!kv_dir_empty(dir)) {
        return ERR_INVALID;
    }
    rc = kv_tree_begin_read(tree, &probe); /* opens a given-up environment again */
    if (rc != ERR_OK) {
        return rc;
    }
    kv_tree_abort(probe);
    kv_gate_enter(&tree->gate, &pass, true);
    rc = tree->env != NULL ? class_of(tree, mdb_env_copy2(tree->env, dir, MDB_CP_COMPACT)) : ERR_IO;
    kv_gate_leave(&tree->gate, &pass);
    path = xasprintf("%s/data.mdb", dir);
    if (rc == ERR_OK) {
        rc = file_sync(path);
    }
    if (rc == ERR_OK) {
        rc = kv_dir_sync(dir);
    } else {
        unlink(path);
    }
    free(path);
    return rc;
}
