/* engine_fault.h: an engine for tests that is LMDB with calls that fail when told to.
 *
 * It has no scheme in the store's table and is linked with tests only, so no uri can choose it: open it with
 * store_open_engine. One plan holds for the whole process; thread: any. */
#ifndef CHASQUI_TESTS_ENGINE_FAULT_H
#define CHASQUI_TESTS_ENGINE_FAULT_H

#include "queue/engine.h"

enum fault_call { FAULT_NONE, FAULT_BEGIN, FAULT_APPLY, FAULT_COMMIT, FAULT_JOB, FAULT_LAST };

struct fault_plan {
    enum fault_call call;
    unsigned nth;     /* the first call to fail, from 1, counted from fault_set on */
    unsigned times;   /* how many calls in a row */
    enum err rc;      /* what they say */
    bool late;        /* FAULT_COMMIT: the commit is made and durable all the same */
    const char *name; /* FAULT_APPLY: only sets with an operation of this name count; NULL: all */
};

const struct store_engine *engine_fault(void);
/* Begins a new count with this plan; NULL: nothing fails. */
void fault_set(const struct fault_plan *plan);
/* Calls since fault_set. */
unsigned fault_calls(enum fault_call call);
/* Calls that were made to fail. */
unsigned fault_hits(void);
/* Commits tried after a commit, apply or begin had failed with ERR_IO: there must be none. */
unsigned fault_commits_after_io(void);

#endif
