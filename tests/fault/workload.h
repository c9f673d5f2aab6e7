/* workload.h: a scripted writer for the fault tests, and the comparison of a store with its script.
 *
 * Each writer works alone in a partition of its own and makes its steps in order, so the number of its steps
 * that are in a store says what all its records, indexes, counts, jobs and marks must be. One stream of
 * numbered events is shared by all writers. A store that lost, doubled or half-applied a step differs. */
#ifndef CHASQUI_TESTS_WORKLOAD_H
#define CHASQUI_TESTS_WORKLOAD_H

#include <stdbool.h>

#include "queue/base/buf.h"
#include "queue/jobs.h"
#include "queue/store.h"

#define WORKLOAD_WRITERS_MAX 8

/* The n-th step (from 1) of a writer, ready to submit. */
struct changes *workload_step(unsigned writer, unsigned n);
/* Handler for the jobs the steps push: consumes them. */
void workload_job(struct job *job, void *arg);
/* How many steps of the writer are in the store. */
unsigned workload_done(struct store *store, unsigned writer);
/* Compares the whole store with the script; no worker may run. On false `why` says what differs. */
bool workload_check(struct store *store, unsigned writers, struct buf *why);

#endif
