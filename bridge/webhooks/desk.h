/* desk.h: what a worker keeps for all its deliveries.
 *
 * Rooms: a delivery that finds all places of a quick endpoint taken waits here, in memory, for the next one
 * to end, if one of this worker's own is under way there. That costs a job's place, so few may wait at one
 * endpoint and not many in all. Ends: outcomes are handed to the committer in handfuls, so that one commit
 * records many; nothing waits longer than ENDS_MS, and nothing at all when no other delivery is under way. An
 * outcome that waits is not recorded: a crash delivers again what was in flight or on its way to the disk,
 * and nothing else. Thread: a worker's. */
#ifndef CHASQUI_WEBHOOKS_DESK_H
#define CHASQUI_WEBHOOKS_DESK_H

#include <stdbool.h>

#include "bridge/webhooks/sendto.h"
#include "queue/base/buf.h"
#include "queue/jobs.h"

#define ENDS_MS 2

struct desk;

/* Frees all desks: no worker is running. waiting: deliveries that one desk may let wait. */
void desks_reset(unsigned waiting);
/* The calling worker's, made at its first call. */
struct desk *desk_here(const struct job *job);
struct sendtos *desk_sendtos(struct desk *desk);
/* A buffer, empty, with the memory of its last use: good until the caller's next call with the same number.
 */
enum desk_buf { DESK_HEADERS, DESK_PLAIN, DESK_STANDARD, DESK_RECORD, DESK_BUFS };
struct buf *desk_buf(struct desk *desk, enum desk_buf which, size_t max);

/* An attempt at the endpoint began. */
void desk_enter(struct desk *desk, const char *endpoint);
/* It ended. Returns a delivery that waited for that, to be run now, or NULL. */
struct job *desk_leave(struct desk *desk, const char *endpoint);
/* A delivery that waits at an endpoint where none of this worker's is under way any more, or NULL. */
struct job *desk_stranded(struct desk *desk, const char *endpoint);
/* True if the job waits until desk_leave returns it. */
bool desk_wait(struct desk *desk, const char *endpoint, struct job *job);

/* As job_finish, a little later. cut(arg) instead of done if the workers stop before. */
void desk_finish(struct desk *desk, struct job *job, struct changes *cs, job_done_fn done,
                 void (*cut)(void *arg), void *arg);

#endif
