/* outcome.h: one delivery under way, and how its end is written down. Private to the room. Thread: the
 * worker's that holds the job. */
#ifndef CHASQUI_WEBHOOKS_OUTCOME_H
#define CHASQUI_WEBHOOKS_OUTCOME_H

#include "bridge/webhooks/attempt.h"
#include "bridge/webhooks/desk.h"
#include "bridge/webhooks/stored.h"

#define ANSWER_MAX (16u * 1024u) /* bytes of an answer that are kept */

/* Lives from the lease to the end of the job. */
struct delivery {
    struct job *job;
    struct desk *desk;
    char id[ID_SIZE], webhook[ID_SIZE];
    struct stored stored; /* its record */
    uint64_t rev;
    struct sendto *endpoint;
    char *body;
    size_t size;
    int64_t started_ms;
    enum attempt_end end;
    int64_t retry_ms; /* ATTEMPT_RETRY: how long to wait */
    long status;      /* the answer's, 0 if none */
    struct buf note;  /* what is written down of the attempt: a JSON object */
};

/* The ids in a job's payload, "-" where there is none. */
struct delivery_ids {
    char delivery[ID_SIZE], webhook[ID_SIZE];
};
void delivery_ids(const struct job *job, struct delivery_ids *out);
struct delivery *delivery_new(struct job *job, struct desk *desk, const struct delivery_ids *ids);
void delivery_free(struct delivery *d);
/* Reads record, endpoint and, if body is set, the event's bytes. ERR_NOTFOUND: there is nothing to deliver.
 */
enum err delivery_load(struct delivery *d, bool body) MUST_CHECK;
/* The number of this attempt, from 1. */
unsigned delivery_attempt(const struct delivery *d);
/* Judges the answer, writes down the attempt and ends the job. d is gone afterwards. */
void delivery_answered(struct delivery *d, const struct httpc_answer *answer);
/* The endpoint is switched off: nothing was sent and nothing will be. d is gone afterwards. */
void delivery_skip(struct delivery *d);
/* Ends the job without an attempt: nothing is left to do (ERR_NOTFOUND), or it could not be read. d is gone
 * afterwards. */
void delivery_drop(struct delivery *d, enum err rc);

#endif
