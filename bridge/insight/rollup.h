/* rollup.h: the roll-up of an account's figures, kept up by a job in the background.
 *
 * KIND_SETTING record "rollup" of a partition: {"message", "event": the newest ids that are counted, "until":
 * the time up to which all is counted}. Thread: any; rollup_run: the worker's. */
#ifndef CHASQUI_INSIGHT_ROLLUP_H
#define CHASQUI_INSIGHT_ROLLUP_H

#include "queue/jobs.h"
#include "queue/store.h"

#define ROLLUP_LANE "rollup" /* of the housekeeping queue */

struct rollup_mark {
    char message[STORE_ID_MAX + 2], event[STORE_ID_MAX + 2]; /* ids behind which nothing is counted yet */
    int64_t until_ms;
    uint64_t rev; /* of the record; 0: nothing was ever counted */
};
void rollup_mark_read(struct snapshot *snap, const char *part, struct rollup_mark *mark);
/* Adds what of a partition is older than rest_ms to cs, at most `most` records, with the mark. Returns how
 * many. */
size_t rollup_collect(struct changes *cs, struct snapshot *snap, const char *part, int64_t rest_ms,
                      size_t most);
/* One pass over all accounts; ends the job. */
void rollup_run(struct job *job);

#endif
