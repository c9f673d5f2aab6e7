/* kv_int.h: what the files of a kv share. Private to kv*.c. */
#ifndef CHASQUI_BASE_KV_INT_H
#define CHASQUI_BASE_KV_INT_H

#include <pthread.h>

#include "queue/base/kv_journal.h"
#include "queue/base/kv_recent.h"
#include "queue/base/kv_tree.h"

#define LEVELS 2 /* lists of recent versions that a reader may have to look at */

struct kv {
    struct kv_tree *tree;
    size_t tables;
    bool no_sync;
    struct kv_journal *journal; /* NULL: commits go straight to the tree, and nothing below is used */

    pthread_mutex_t writer; /* held by the write transaction, and by who begins a new list */
    uint64_t number;        /* of the last commit; the writer's */
    struct buf record;      /* of the write transaction under way */
    struct kv_recent_node **added;
    size_t added_count, added_room;

    pthread_mutex_t lock;         /* for what follows; taken after writer */
    pthread_cond_t changed, wake; /* wake: the flusher's */
    struct kv_recent *active;     /* takes what is committed */
    struct kv_recent *frozen;     /* on its way into the tree; NULL: none */
    uint64_t visible;             /* the last commit that readers may see */
    enum err failed;              /* of the journal or the flusher: nothing is written any more */
    bool stuck;                   /* the tree has no room for what is frozen; tried again */
    bool stopping, flush_wanted, freeze_wanted;
    pthread_t flusher;
    bool flusher_runs;
};

struct kv_txn {
    struct kv *kv;
    struct kv_tree_txn *base;
    struct kv_recent *levels[LEVELS]; /* newest first; NULL: none */
    uint64_t number;                  /* what it sees of them; a write transaction's own, too */
    bool write;
    unsigned cursors;
};

/* kv_flush.c */
enum err kv_flush_start(struct kv *kv) MUST_CHECK;
/* Brings everything into the tree, if that can be done, and ends the flusher. */
void kv_flush_stop(struct kv *kv);
/* Everything that was committed before the call is in the tree. */
enum err kv_flush_all(struct kv *kv) MUST_CHECK;
/* The writer, before a commit: waits while two lists are full. */
enum err kv_flush_room(struct kv *kv) MUST_CHECK;
/* The writer, after a commit, with the lock: begins a new list when this one is large. */
void kv_flush_turn(struct kv *kv);
/* Opens the journal and brings in what it has and the tree has not. */
enum err kv_flush_recover(struct kv *kv, const char *dir) MUST_CHECK;
/* When nothing is written any more: brings into a copy of the tree what only the journal has. */
enum err kv_flush_copy(struct kv *kv, struct kv_tree *copy) MUST_CHECK;

#endif
