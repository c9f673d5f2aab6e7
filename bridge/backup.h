/* backup.h: an online copy of the store, made beside the running daemon.
 *
 * The copy is consistent with everything acknowledged before it began, compacted, and written by a thread of its own;
 * requests and jobs go on. The store must not close before it is done: backup_wait. Thread: backup_start on a loop's
 * thread, backup_wait on the main thread. */
#ifndef CHASQUI_BRIDGE_BACKUP_H
#define CHASQUI_BRIDGE_BACKUP_H

#include "queue/base/error.h"

struct store;

/* done comes on loop_current() with the result of store_backup(store, dir). */
void backup_start(struct store *store, const char *dir, void (*done)(enum err rc, void *arg), void *arg);
/* Waits until no copy is under way. */
void backup_wait(void);

#endif
