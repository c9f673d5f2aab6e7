/* job_int.h: the inside of a leased job. Private to the room. */
#ifndef CHASQUI_QUEUE_JOB_INT_H
#define CHASQUI_QUEUE_JOB_INT_H

#include "queue/lanes.h"

struct worker;

struct job {
    struct lease lease;
    json_t *payload; /* NULL until somebody asks */
    char *text;      /* of the payload */
    size_t size;
    unsigned tries;
    int64_t pushed_ms;
    struct worker *worker;
    job_done_fn done; /* of the job_finish under way */
    void *arg;
    int64_t back_ms;        /* of job_put_back */
    void (*cut)(void *arg); /* job_on_cut; NULL: nothing to free */
    void *cut_arg;
    struct job *prev, *next; /* jobs that the worker holds */
};

/* Of the worker that holds the job (workers.c). */
struct store *worker_store(const struct worker *worker);
struct loop *worker_loop(const struct worker *worker);
struct httpc *worker_http(const struct worker *worker);

/* True if the set ends this job. */
bool changes_end(const struct changes *cs, const struct job *job);

#endif
