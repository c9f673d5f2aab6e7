/* engine_fault.c: LMDB behind a counter. What is not named here is LMDB's own.
 *
 * A failing apply has done its work first: the transaction then holds a set that must not survive. A failing
 * commit leaves nothing, unless the plan says that it came through and only the news of it was lost. */
#include <pthread.h>
#include <string.h>

#include "tests/fault/engine_fault.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fault_plan plan;
static unsigned calls[FAULT_LAST], hits, after_io;
static bool io_told;

void fault_set(const struct fault_plan *to)
{
    pthread_mutex_lock(&lock);
    plan = to != NULL ? *to : (struct fault_plan){0};
    memset(calls, 0, sizeof calls);
    hits = 0;
    after_io = 0;
    io_told = false;
    pthread_mutex_unlock(&lock);
}

unsigned fault_calls(enum fault_call call)
{
    pthread_mutex_lock(&lock);
    unsigned count = calls[call];
    pthread_mutex_unlock(&lock);
    return count;
}

unsigned fault_hits(void)
{
    pthread_mutex_lock(&lock);
    unsigned count = hits;
    pthread_mutex_unlock(&lock);
    return count;
}

unsigned fault_commits_after_io(void)
{
    pthread_mutex_lock(&lock);
    unsigned count = after_io;
    pthread_mutex_unlock(&lock);
    return count;
}

/* Counts a call; what it must answer, ERR_OK if it may go on. */
static enum err due(enum fault_call call)
{
    enum err rc = ERR_OK;

    pthread_mutex_lock(&lock);
    unsigned n = ++calls[call];
    if (call == FAULT_COMMIT && io_told) {
        after_io++;
    }
    if (call == plan.call && n >= plan.nth && n - plan.nth < plan.times) {
        rc = plan.rc;
        hits++;
        io_told = io_told || (rc == ERR_IO && call != FAULT_JOB);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static enum err fault_begin(void *self)
{
    enum err rc = due(FAULT_BEGIN);

    return rc == ERR_OK ? engine_lmdb.begin(self) : rc;
}

/* True if the plan is about this set. */
static bool meant(const struct changes *cs)
{
    bool named = plan.name == NULL;

    for (size_t i = 0; i < cs->op_count && !named; i++) {
        named = strcmp(cs->ops[i].name, plan.name) == 0;
    }
    return named;
}

static enum err fault_apply(void *self, struct changes *cs, struct effects *fx, uint64_t *rev)
{
    enum err rc = engine_lmdb.apply(self, cs, fx, rev);
    enum err fault = rc == ERR_OK && meant(cs) ? due(FAULT_APPLY) : ERR_OK;

    return fault != ERR_OK ? fault : rc;
}

static enum err fault_commit(void *self)
{
    enum err rc = due(FAULT_COMMIT);

    if (rc == ERR_OK) {
        return engine_lmdb.commit(self);
    }
    if (!plan.late) {
        engine_lmdb.abort(self);
        return rc;
    }
    enum err real = engine_lmdb.commit(self);
    return real == ERR_OK ? rc : real;
}

static enum err fault_job(void *self, const struct lane_name *name, uint64_t seq, struct engine_job *out)
{
    enum err rc = due(FAULT_JOB);

    return rc == ERR_OK ? engine_lmdb.job(self, name, seq, out) : rc;
}

static struct store_engine built;

static void build(void)
{
    built = engine_lmdb;
    built.scheme = "fault";
    built.begin = fault_begin;
    built.apply = fault_apply;
    built.commit = fault_commit;
    built.job = fault_job;
}

const struct store_engine *engine_fault(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, build);
    return &built;
}
