/* windows.c: looks every little while which 24-hour windows are about to end, in every account and mode, and
 * has window.closing told for each. A lane of the housekeeping queue; a job that is always put off. */
#include <string.h>

#include "bridge/app.h"
#include "channels/conversation.h"
#include "queue/base/clock.h"
#include "queue/base/log.h"
#include "queue/base/option.h"
#include "queue/jobs.h"
#include "queue/store.h"

#define EVERY_MS 20000
#define BATCH    200 /* conversations of one change-set */

struct walk {
    struct changes *cs;
    struct snapshot *snap;
    size_t told;
};

/* One account: both modes. False when the batch is full. */
static bool look(const char *part, const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct walk *walk = arg;
    (void)part;
    (void)data;
    (void)size;
    (void)rev;
    for (int mode = MODE_LIVE; mode <= MODE_TEST && walk->told < BATCH; mode++) {
        struct partition where = partition_of(id, (enum mode)mode);
        walk->told += conversation_windows_tell(walk->cs, walk->snap, where.text,
                                                option_int(OPT_WINDOW_CLOSING), BATCH - walk->told);
    }
    return walk->told < BATCH;
}

void windows_run(struct job *job)
{
    struct walk walk = {.cs = changes_new()};
    enum err rc = snapshot_open(job_store(job), &walk.snap);
    if (rc == ERR_OK) {
        rc = snapshot_walk(walk.snap, KIND_ACCOUNT, look, &walk);
        snapshot_close(walk.snap);
    }
    if (rc != ERR_OK) {
        log_warn("windows.failed", "error=%s", err_name(rc));
        changes_free(walk.cs);
        walk.cs = changes_new();
    }
    changes_postpone(walk.cs, job, walk.told >= BATCH ? 0 : EVERY_MS);
    job_finish(job, walk.cs, NULL, NULL);
}
