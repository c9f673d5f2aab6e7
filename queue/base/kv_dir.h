/* kv_dir.h: the directory of a kv: who has it, whether it is full, whether its names are durable.
 *
 * One process at a time has a directory for writing: an flock on DIR/lock.pid, held while open. The lock
 * dies with the process, so there is nothing to clean up after a crash, and the file is never removed. In
 * one process a directory is open once, read-only opens included: LMDB's own POSIX locks belong to the
 * process, and closing a second open would drop the locks of the first. Private to kv.c. Thread: any. */
#ifndef CHASQUI_BASE_KV_DIR_H
#define CHASQUI_BASE_KV_DIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "queue/base/error.h"

struct kv_dir {
    char *path;  /* owned */
    int lock_fd; /* holds the flock; -1 if read-only */
    dev_t device;
    ino_t inode;
    struct kv_dir *next; /* in the list of what this process has open */
};

/* Creates the directory (0700, not its parents) unless read-only. ERR_BUSY if somebody has it. To be released
 * whatever comes back. */
enum err kv_dir_claim(struct kv_dir *dir, const char *path, bool read_only) MUST_CHECK;
void kv_dir_release(struct kv_dir *dir);

/* Makes the names in the directory durable, and its own name in its parent. */
enum err kv_dir_sync(const char *path) MUST_CHECK;
/* Whether its file system has next to no room left. */
bool kv_dir_full(const char *path);
/* Whether it is a directory that we can read and that holds nothing. */
bool kv_dir_empty(const char *path);

#endif
