/* kv_flush.c: brings what is recent into the tree, many commits at once.
 *
 * A list that has grown large, or old, is frozen: a new list and a new segment of the journal take what
 * comes, and the flusher's thread writes the newest version of each key of the frozen one into the tree, in
 * order, in one transaction that also notes the segment. When that is durable the list goes, and its segment
 * may be written over. There is one frozen list at most: the writer waits when the next one is large, too. A
 * tree without room (a full disk) is tried again; meanwhile commits go on until the active list is large. A
 * tree that cannot be written (a failed sync) ends writing: what was acknowledged is in the journal and is
 * brought in by the next process. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "queue/base/crypto.h"
#include "queue/base/killpoint.h"
#include "queue/base/kv_int.h"

#define LIST_LARGE ((size_t)16 << 20) /* memory of a list that is frozen */
#define LIST_MOST  ((size_t)48 << 20) /* of one that the writer may fill while another is on its way */
#define PIECE      ((size_t)1 << 20)  /* bytes of one transaction of the tree */
#define ENTRY_COST 64                 /* bytes that an entry counts beyond its own */
#define NICENESS   5                  /* commits come first */
#define LIST_AGE   3000               /* milliseconds after which a list of any size is brought in */
#define RETRY_MS   100                /* between attempts at a tree without room */
#define BUSY_MS    10                 /* between attempts at a writer who is at work */
#define GROW_TRIES 40
#define EVERYTHING (UINT64_MAX - 1)

/* The entries of the tree's table behind ours. */
static const struct kv_bytes segment_key = {"segment", 7}, secret_key = {"secret", 6};

/* ---- into the tree ---- */

/* How far a list has been written. */
struct progress {
    unsigned table;
    const struct kv_recent_node *node; /* the next one; NULL: the table's first */
};

/* The newest version of each key from *at on, until a piece is full; at the list's end table is kv's count.
 */
static enum err piece_fill(struct kv *kv, struct kv_tree_txn *txn, const struct kv_recent *list,
                           struct progress *at)
{
    enum err rc = ERR_OK;
    size_t size = 0;

    for (; at->table < kv->tables; at->table++, at->node = NULL) {
        const struct kv_recent_node *node = at->node;
        if (node == NULL) {
            node = kv_recent_from(list, at->table, KV_BYTES("", 0), false, EVERYTHING);
        }
        for (; node != NULL && rc == ERR_OK && size < PIECE; node = kv_recent_next(list, node, EVERYTHING)) {
            rc = node->gone ? kv_tree_delete(txn, at->table, node->key)
                            : kv_tree_put(txn, at->table, node->key, node->value);
            rc = rc == ERR_NOTFOUND ? ERR_OK : rc;
            size += node->key.size + node->value.size + ENTRY_COST;
        }
        if (node != NULL) {
            at->node = node;
            return rc;
        }
    }
    return rc;
}

/* One transaction of a list; the last one notes the segment. On failure *at stays where it was. */
static enum err piece_write(struct kv *kv, struct kv_tree *tree, struct kv_recent *list, uint64_t segment,
                            struct progress *at)
{
    struct progress now = *at;
    struct kv_tree_txn *txn;
    enum err rc = kv_tree_begin_write(tree, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = piece_fill(kv, txn, list, &now);
    bool last = now.table == kv->tables;
    if (rc == ERR_OK && last) {
        rc = kv_tree_put(txn, (unsigned)kv->tables, segment_key, KV_BYTES(&segment, sizeof segment));
    }
    if (rc != ERR_OK) {
        kv_tree_abort(txn);
        return rc;
    }
    KILL_POINT("flush.written");
    if (tree == kv->tree) {
        kv_recent_set_flushed(list, kv_tree_txn_id(txn), last);
    }
    rc = kv_tree_commit(txn);
    KILL_POINT("flush.committed");
    *at = rc == ERR_OK ? now : *at;
    return rc;
}

/* Writes a list into a tree, piece by piece, with a map that grows as it must. Pieces are small so that their
 * syncs do not hold up those of the journal. */
static enum err list_write(struct kv *kv, struct kv_tree *tree, struct kv_recent *list, uint64_t segment)
{
    struct progress at = {.table = 0};
    enum err rc = ERR_OK;

    while (rc == ERR_OK && at.table < kv->tables) {
        rc = piece_write(kv, tree, list, segment, &at);
        for (int i = 0; i < GROW_TRIES && rc == ERR_FULL && kv_tree_grow(tree) == ERR_OK; i++) {
            rc = piece_write(kv, tree, list, segment, &at);
        }
    }
    return rc;
}

/* ---- the flusher's thread ---- */

/* With writer and lock: a new list and segment from here on. */
static void list_freeze(struct kv *kv)
{
    kv->frozen = kv->active;
    kv->active = kv_recent_new(kv_recent_segment(kv->frozen) + 1);
    kv_journal_begin(kv->journal, kv_recent_segment(kv->active));
    pthread_cond_signal(&kv->wake);
}

void kv_flush_turn(struct kv *kv)
{
    if (kv->frozen == NULL && (kv->freeze_wanted || kv_recent_bytes(kv->active) >= LIST_LARGE)) {
        list_freeze(kv);
    }
    kv->freeze_wanted = false;
}

/* Waits on the flusher's condition for so long at most. With the lock. */
static void wait_ms(struct kv *kv, long ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&kv->wake, &kv->lock, &until);
}

/* Freezes what there is, itself if no writer is at work, else by asking him. With the lock. A writer who
 * waits for us holds his mutex: never wait for that here. */
static void freeze_what_is(struct kv *kv)
{
    if (kv->frozen != NULL || kv_recent_is_empty(kv->active)) {
        return;
    }
    if (pthread_mutex_trylock(&kv->writer) != 0) {
        kv->freeze_wanted = true;
        wait_ms(kv, BUSY_MS);
        return;
    }
    list_freeze(kv);
    pthread_mutex_unlock(&kv->writer);
}

/* Brings the frozen list in. With the lock, which is let go meanwhile. */
static void flush_frozen(struct kv *kv)
{
    struct kv_recent *list = kv->frozen;

    pthread_mutex_unlock(&kv->lock);
    enum err rc = list_write(kv, kv->tree, list, kv_recent_segment(list));
    pthread_mutex_lock(&kv->lock);
    kv->stuck = rc == ERR_FULL;
    if (rc == ERR_OK) {
        kv->frozen = NULL;
        kv_recent_release(list);
    } else if (rc != ERR_FULL) {
        kv->failed = rc;
    }
    pthread_cond_broadcast(&kv->changed);
    if (rc == ERR_FULL && !kv->stopping) {
        wait_ms(kv, RETRY_MS);
    }
}

/* Whether the flusher has more to do before it ends. With the lock. */
static bool goes_on(const struct kv *kv)
{
    bool left = kv->frozen != NULL || !kv_recent_is_empty(kv->active);

    return kv->failed == ERR_OK && !(kv->stopping && (!left || kv->stuck));
}

static void *flusher_main(void *arg)
{
    struct kv *kv = arg;

    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS); /* of this thread only, on Linux */
    pthread_mutex_lock(&kv->lock);
    while (goes_on(kv)) {
        if (kv->frozen != NULL) {
            flush_frozen(kv);
            continue;
        }
        if (!kv->flush_wanted && !kv->stopping) {
            wait_ms(kv, LIST_AGE);
        }
        kv->flush_wanted = false;
        freeze_what_is(kv);
    }
    pthread_cond_broadcast(&kv->changed);
    pthread_mutex_unlock(&kv->lock);
    return NULL;
}

enum err kv_flush_start(struct kv *kv)
{
    int code = pthread_create(&kv->flusher, NULL, flusher_main, kv);

    if (code == 0) {
        (void)pthread_setname_np(kv->flusher, "flusher");
    }
    kv->flusher_runs = code == 0;
    return code == 0 ? ERR_OK : err_from_errno(code);
}

void kv_flush_stop(struct kv *kv)
{
    if (!kv->flusher_runs) {
        return;
    }
    pthread_mutex_lock(&kv->lock);
    kv->stopping = true;
    pthread_cond_signal(&kv->wake);
    pthread_mutex_unlock(&kv->lock);
    pthread_join(kv->flusher, NULL);
    kv->flusher_runs = false;
    if (kv->failed == ERR_OK && kv->frozen == NULL && kv_recent_is_empty(kv->active)) {
        kv_journal_clear(kv->journal);
    }
}

/* ---- waiting for it ---- */

/* Whether something of this segment or an older one is not in the tree. With the lock. */
static bool lacks(const struct kv *kv, uint64_t segment)
{
    return kv->frozen != NULL ? kv_recent_segment(kv->frozen) <= segment
                              : kv_recent_segment(kv->active) <= segment && !kv_recent_is_empty(kv->active);
}

enum err kv_flush_all(struct kv *kv)
{
    pthread_mutex_lock(&kv->lock);
    uint64_t segment = kv_recent_segment(kv->active);
    bool left =
        lacks(kv, segment); /* looked at once a turn: a writer may add to an empty list at any moment */
    while (kv->failed == ERR_OK && !kv->stuck && left) {
        kv->flush_wanted = true;
        pthread_cond_signal(&kv->wake);
        pthread_cond_wait(&kv->changed, &kv->lock);
        left = lacks(kv, segment);
    }
    enum err rc = kv->failed != ERR_OK ? kv->failed : left ? ERR_FULL : ERR_OK;
    pthread_mutex_unlock(&kv->lock);
    return rc;
}

enum err kv_flush_room(struct kv *kv)
{
    pthread_mutex_lock(&kv->lock);
    while (kv->failed == ERR_OK && kv->frozen != NULL && !kv->stuck &&
           kv_recent_bytes(kv->active) >= LIST_MOST) {
        pthread_cond_wait(&kv->changed, &kv->lock);
    }
    enum err rc = kv->failed;
    if (rc == ERR_OK && kv->stuck && kv_recent_bytes(kv->active) >= LIST_LARGE) {
        rc = ERR_FULL;
    }
    pthread_mutex_unlock(&kv->lock);
    return rc;
}

/* ---- a process that ended before ---- */

struct recovery {
    struct kv *kv;
    struct kv_recent *list;
};

static enum err recover_op(uint64_t segment, unsigned table, struct kv_bytes key, struct kv_bytes value,
                           void *arg)
{
    struct recovery *r = arg;

    (void)segment;
    if (table >= r->kv->tables || key.size == 0 || key.size > KV_KEY_MAX) {
        return ERR_CORRUPT;
    }
    kv_recent_add(r->list, table, key, value, 0);
    return ERR_OK;
}

/* A number of the tree's table behind ours; 0 if it was never written. */
static enum err number_read(struct kv *kv, struct kv_tree_txn *txn, struct kv_bytes key, uint64_t *out)
{
    struct kv_bytes value;
    enum err rc = kv_tree_get(txn, (unsigned)kv->tables, key, &value);

    *out = 0;
    if (rc == ERR_OK && value.size == sizeof *out) {
        memcpy(out, value.data, sizeof *out);
    }
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* The newest segment that the tree holds, and the journal's secret, made at the first opening. */
static enum err numbers_read(struct kv *kv, uint64_t *segment, uint64_t *secret)
{
    struct kv_tree_txn *txn;
    enum err rc = kv_tree_begin_write(kv->tree, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = number_read(kv, txn, segment_key, segment);
    if (rc == ERR_OK) {
        rc = number_read(kv, txn, secret_key, secret);
    }
    if (rc == ERR_OK && *secret == 0) {
        random_bytes(secret, sizeof *secret);
        rc = kv_tree_put(txn, (unsigned)kv->tables, secret_key, KV_BYTES(secret, sizeof *secret));
        if (rc == ERR_OK) {
            return kv_tree_commit(txn);
        }
    }
    kv_tree_abort(txn);
    return rc;
}

enum err kv_flush_recover(struct kv *kv, const char *dir)
{
    struct recovery r = {.kv = kv, .list = kv_recent_new(0)};
    uint64_t segment, secret, last = 0;
    enum err rc = numbers_read(kv, &segment, &secret);

    if (rc == ERR_OK) {
        rc = kv_journal_open(dir, secret, kv->no_sync, &kv->journal);
    }
    if (rc == ERR_OK) {
        rc = kv_journal_replay(kv->journal, segment, recover_op, &r, &last);
    }
    if (rc == ERR_OK && last > segment) {
        rc = list_write(kv, kv->tree, r.list, last);
    }
    kv_recent_release(r.list);
    if (rc == ERR_OK) {
        kv->active = kv_recent_new(last + 1);
        kv_journal_begin(kv->journal, last + 1);
    }
    return rc;
}

enum err kv_flush_copy(struct kv *kv, struct kv_tree *copy)
{
    enum err rc = ERR_OK;

    pthread_mutex_lock(&kv->lock);
    if (kv->frozen != NULL) {
        rc = list_write(kv, copy, kv->frozen, kv_recent_segment(kv->frozen));
    }
    if (rc == ERR_OK && !kv_recent_is_empty(kv->active)) {
        rc = list_write(kv, copy, kv->active, kv_recent_segment(kv->active));
    }
    pthread_mutex_unlock(&kv->lock);
    return rc;
}
