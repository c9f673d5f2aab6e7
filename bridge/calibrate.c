/* calibrate.c: once an hour, the confidence of each account's answers is fitted anew to the feedback they
 * met, where there is enough of it (kb/calibration.h). A lane of the housekeeping queue: a job that is always
 * put off. */
#include "bridge/app.h"
#include "kb/calibration.h"
#include "queue/base/log.h"
#include "queue/jobs.h"
#include "queue/store.h"

#define EVERY_MS (60 * 60 * (int64_t)1000)

struct pass {
    struct snapshot *snap;
    struct changes *cs;
    enum err rc;
    unsigned fitted;
};

/* Both modes of one account. */
static bool look_account(const char *part, const char *id, const void *data, size_t size, uint64_t rev,
                         void *arg)
{
    struct pass *pass = arg;

    (void)part;
    (void)data;
    (void)size;
    (void)rev;
    for (int mode = MODE_LIVE; mode <= MODE_TEST && pass->rc == ERR_OK; mode++) {
        bool changed;
        pass->rc =
            kb_calibration_refit(pass->snap, partition_of(id, (enum mode)mode).text, pass->cs, &changed);
        pass->fitted += changed;
    }
    return pass->rc == ERR_OK;
}

void calibrate_run(struct job *job)
{
    struct pass pass = {.cs = changes_new()};
    enum err rc = snapshot_open(job_store(job), &pass.snap);

    if (rc == ERR_OK) {
        rc = snapshot_walk(pass.snap, KIND_ACCOUNT, look_account, &pass);
        snapshot_close(pass.snap);
    }
    if (rc != ERR_OK || pass.rc != ERR_OK) {
        log_warn("calibrate.failed", "error=%s", err_name(rc != ERR_OK ? rc : pass.rc));
        changes_free(pass.cs);
        pass.cs = changes_new();
        pass.fitted = 0;
    }
    if (pass.fitted > 0) {
        log_info("calibrate.fitted", "partitions=%u", pass.fitted);
    }
    changes_postpone(pass.cs, job, EVERY_MS);
    job_finish(job, pass.cs, NULL, NULL);
}
