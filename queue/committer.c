/* committer.c: the one thread that writes.
 *
 * It takes all change-sets that wait at the moment (at most BATCH_SETS), applies them in order in one
 * transaction, commits once with a full sync, then answers all of them. It never lingers to gather more:
 * while one commit is on its way to the disk, the next batch gathers by itself. Invariants:
 *   - A set whose guard fails is left out, alone; later sets of the batch see what earlier ones did.
 *   - No answer of success before the commit returned. After a failed sync no commit is tried again in this
 * process: the kernel may have dropped the dirty pages, so a later success would prove nothing. Every later
 * set gets ERR_IO.
 *   - A full disk fails the batch with ERR_FULL; the next one just tries.
 *   - An error that one set brings on (a damaged record) must not take its neighbours with it: the batch is
 * then run again one by one.
 *   - Leases, and lanes that are to be empty, are guards that live in the schedule, not in the engine. The
 * end of a lease is marked as soon as it is in the transaction, so that a second end in the same batch is
 * stale; a failed batch takes the marks back.
 *   - The schedule hears of a commit before the submitters do. Answers of one loop go there in one post, in
 * order. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/killpoint.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"
#include "queue/store_int.h"

#define BATCH_SETS  256
#define BATCH_BYTES CHANGES_BYTES_MAX
#define NEWS_SCALE  16

struct submission {
    struct changes *cs;
    struct loop *loop; /* where done runs; NULL if nobody waits there */
    store_done_fn done;
    void *arg;
    enum err rc;
    uint64_t rev;
    bool news;   /* not the end of a job */
    bool waited; /* owned by a thread in committer_submit_wait, which sleeps until answered */
    bool answered;
    struct submission *next;
};

struct committer {
    struct store *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work, answers;
    struct submission *first, **last; /* waiting */
    unsigned waiting, backlog;
    bool stopping;
    void (*feed_fn)(uint64_t rev, void *arg);
    void *feed_arg;
    atomic_bool writable;
    _Atomic uint64_t commits, changes, commit_us;
    _Atomic unsigned news; /* sets in a batch that are no ends of jobs: running mean, in sixteenths */
    struct effects fx;     /* of the batch under way; the thread's own, as the next two */
    struct submission *batch[BATCH_SETS];
    size_t count;
};

/* ---- answers ---- */

/* On the submitter's loop: runs the answers of one batch in order. */
static void answers_run(void *arg)
{
    struct submission *s = arg;

    while (s != NULL) {
        struct submission *next = s->next;
        changes_free(s->cs);
        s->done(s->rc, s->rev, s->arg);
        free(s);
        s = next;
    }
}

/* Wakes the thread that waits for this answer. */
static void answer_waiter(struct committer *c, struct submission *s)
{
    pthread_mutex_lock(&c->lock);
    s->answered = true;
    pthread_cond_broadcast(&c->answers);
    pthread_mutex_unlock(&c->lock);
}

/* Chains all answers for the loop of the entry at i and posts them together. */
static void answer_loop(struct committer *c, size_t i)
{
    struct loop *loop = c->batch[i]->loop;
    struct submission *first = NULL, **end = &first;

    for (; i < c->count; i++) {
        struct submission *s = c->batch[i];
        if (s != NULL && s->loop == loop) {
            *end = s;
            end = &s->next;
            c->batch[i] = NULL;
        }
    }
    *end = NULL;
    loop_post(loop, answers_run, first);
}

/* Hands every answer to its submitter. A change-set is freed where it was made, if somebody waits there:
 * memory that changes threads costs both of them a lock. */
static void batch_answer(struct committer *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct submission *s = c->batch[i];
        if (s != NULL && s->waited) {
            c->batch[i] = NULL;
            changes_free(s->cs);
            answer_waiter(c, s);
        } else if (s != NULL && s->done == NULL) {
            c->batch[i] = NULL;
            changes_free(s->cs);
            free(s);
        } else if (s != NULL) {
            answer_loop(c, i);
        }
    }
}

/* ---- one try of one batch ---- */

static bool ends_lease(const struct op *op)
{
    return op->type == OP_ACK || op->type == OP_WAIT;
}

static struct lane_name op_lane(const struct op *op)
{
    return (struct lane_name){.queue = op->code, .part = op->part, .lane = op->name};
}

/* ERR_STALE if the set ends a job that is not its submitter's any more. */
static enum err leases_check(struct committer *c, const struct changes *cs)
{
    for (size_t i = 0; i < cs->op_count; i++) {
        const struct op *op = &cs->ops[i];
        struct lane_name name = op_lane(op);
        if (ends_lease(op) && !lanes_holds(c->store->lanes, &name, op->seq, op->epoch)) {
            return ERR_STALE;
        }
    }
    return ERR_OK;
}

/* True if an earlier set of the batch under way pushed a job into the lane. */
static bool pushed_here(const struct committer *c, const struct lane_name *name)
{
    for (size_t i = 0; i < c->fx.count; i++) {
        const struct op *op = c->fx.rows[i].op;
        if (op->type == OP_PUSH && op->code == name->queue && strcmp(op->name, name->lane) == 0 &&
            strcmp(op->part, name->part) == 0) {
            return true;
        }
    }
    return false;
}

/* ERR_CONFLICT if a lane that the set expects to be empty has a job. */
static enum err idle_check(struct committer *c, const struct changes *cs)
{
    for (size_t i = 0; i < cs->guard_count; i++) {
        const struct guard *guard = &cs->guards[i];
        struct lane_name name = {.queue = guard->queue, .part = guard->part, .lane = guard->id};
        if (guard->type == GUARD_IDLE && (!lanes_idle(c->store->lanes, &name) || pushed_here(c, &name))) {
            return ERR_CONFLICT;
        }
    }
    return ERR_OK;
}

/* Sets or takes back the marks of all leases that effects from `from` on end. */
static void leases_mark(struct committer *c, size_t from, bool ending)
{
    for (size_t i = from; i < c->fx.count; i++) {
        if (ends_lease(c->fx.rows[i].op)) {
            struct lane_name name = op_lane(c->fx.rows[i].op);
            lanes_mark_ending(c->store->lanes, &name, ending);
        }
    }
}

/* True for a guard's answer: this set is out, the batch goes on. */
static bool guard_answer(enum err rc)
{
    return rc == ERR_SEEN || rc == ERR_CONFLICT || rc == ERR_STALE;
}

/* Applies one set. ERR_OK also when a guard refused it; its own result is in s->rc. */
static enum err set_apply(struct committer *c, struct submission *s)
{
    const struct store *store = c->store;
    size_t before = c->fx.count;

    s->rev = 0;
    s->rc = leases_check(c, s->cs);
    if (s->rc == ERR_OK) {
        s->rc = idle_check(c, s->cs);
    }
    if (s->rc == ERR_OK) {
        s->rc = store->engine->apply(store->self, s->cs, &c->fx, &s->rev);
    }
    if (s->rc == ERR_OK) {
        leases_mark(c, before, true);
    } else if (!guard_answer(s->rc)) {
        c->fx.count = before; /* never marked */
        return s->rc;
    }
    return ERR_OK;
}

/* Commits with the time taken. */
static enum err commit_timed(struct committer *c)
{
    int64_t began = clock_mono_us();

    KILL_POINT("commit.before");
    enum err rc = c->store->engine->commit(c->store->self);
    KILL_POINT("commit.after");
    if (rc == ERR_OK) {
        atomic_fetch_add(&c->commits, 1);
        atomic_fetch_add(&c->commit_us, (uint64_t)(clock_mono_us() - began));
    }
    return rc;
}

/* Applies and commits entries [from, to) of the batch; on an error nothing of them exists. */
static enum err batch_try(struct committer *c, size_t from, size_t to)
{
    const struct store *store = c->store;
    bool writes = false;

    c->fx.count = 0;
    c->fx.feed = false;
    enum err rc = store->engine->begin(store->self);
    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = from; i < to && rc == ERR_OK; i++) {
        rc = set_apply(c, c->batch[i]);
        writes = writes || (c->batch[i]->rc == ERR_OK && changes_writes(c->batch[i]->cs));
    }
    if (rc != ERR_OK || !writes) {
        store->engine->abort(store->self);
    } else {
        rc = commit_timed(c);
    }
    if (rc != ERR_OK) {
        leases_mark(c, 0, false);
    }
    return rc;
}

/* ---- a batch to its end ---- */

/* Tells the schedule what a commit changed. */
static void schedule_apply(struct committer *c)
{
    struct lanes *lanes = c->store->lanes;

    for (size_t i = 0; i < c->fx.count; i++) {
        const struct effect *effect = &c->fx.rows[i];
        struct lane_name name = op_lane(effect->op);
        if (effect->op->type == OP_PUSH) {
            lanes_push(lanes, &name, effect->seq, effect->due);
        } else if (effect->op->type == OP_ACK) {
            lanes_ack(lanes, &name, effect->seq, effect->due);
        } else {
            lanes_release(lanes, &name, effect->op->epoch, effect->due);
        }
    }
    if (c->fx.count > 0) {
        lanes_wake(lanes);
    }
}

/* Tells the follower of the feed the newest revision of the batch. */
static void feed_tell(struct committer *c, size_t from, size_t to)
{
    uint64_t rev = 0;

    for (size_t i = from; i < to; i++) {
        if (c->batch[i]->rc == ERR_OK && c->batch[i]->rev > rev) {
            rev = c->batch[i]->rev;
        }
    }
    pthread_mutex_lock(&c->lock);
    void (*fn)(uint64_t, void *) = c->feed_fn;
    void *arg = c->feed_arg;
    pthread_mutex_unlock(&c->lock);
    if (fn != NULL && c->fx.feed) {
        fn(rev, arg);
    }
}

/* The whole of [from, to) failed. A failed write or sync ends all writing for good. */
static void batch_fail(struct committer *c, size_t from, size_t to, enum err rc)
{
    for (size_t i = from; i < to; i++) {
        c->batch[i]->rc = rc;
        c->batch[i]->rev = 0;
    }
    log_error("store.commit", "error=%s sets=%zu", err_name(rc), to - from);
    if (rc == ERR_IO) {
        atomic_store(&c->writable, false);
        log_error("store.read_only", "reason=io until=restart");
    }
}

static void batch_run(struct committer *c, size_t from, size_t to)
{
    if (!atomic_load(&c->writable)) {
        for (size_t i = from; i < to; i++) {
            c->batch[i]->rc = ERR_IO;
        }
        return;
    }
    enum err rc = batch_try(c, from, to);
    if (rc == ERR_OK) {
        atomic_fetch_add(&c->changes, to - from);
        schedule_apply(c);
        feed_tell(c, from, to);
    } else if (rc != ERR_FULL && rc != ERR_IO && to - from > 1) {
        for (size_t i = from; i < to; i++) {
            batch_run(c, i, i + 1);
        }
    } else {
        batch_fail(c, from, to, rc);
    }
}

/* ---- the thread ---- */

/* Waits for work and takes a batch; false when stopping and nothing is left. */
static bool batch_take(struct committer *c)
{
    size_t bytes = 0;

    pthread_mutex_lock(&c->lock);
    while (c->first == NULL && !c->stopping) {
        pthread_cond_wait(&c->work, &c->lock);
    }
    for (c->count = 0; c->first != NULL && c->count < BATCH_SETS && bytes < BATCH_BYTES;) {
        struct submission *s = c->first;
        c->first = s->next;
        s->next = NULL;
        bytes += s->cs->bytes;
        c->batch[c->count++] = s;
        c->waiting--;
    }
    if (c->first == NULL) {
        c->last = &c->first;
    }
    pthread_mutex_unlock(&c->lock);
    return c->count > 0;
}

/* Keeps the running mean of news; the last four batches weigh most. */
static void news_count(struct committer *c)
{
    unsigned mean = atomic_load(&c->news), news = 0;

    for (size_t i = 0; i < c->count; i++) {
        news += c->batch[i]->news ? 1 : 0;
    }
    atomic_store(&c->news, mean - mean / 4 + news * NEWS_SCALE / 4);
}

static void *committer_main(void *arg)
{
    struct committer *c = arg;

    while (batch_take(c)) {
        news_count(c);
        batch_run(c, 0, c->count);
        KILL_POINT("answers.before");
        batch_answer(c);
        KILL_POINT("answers.after");
    }
    return NULL;
}

struct committer *committer_start(struct store *store, unsigned backlog)
{
    struct committer *c = xcalloc(1, sizeof *c);
    sigset_t all, before;

    c->store = store;
    c->backlog = backlog;
    c->last = &c->first;
    c->writable = true;
    CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
    CHECK(pthread_cond_init(&c->work, NULL) == 0);
    CHECK(pthread_cond_init(&c->answers, NULL) == 0);
    sigfillset(&all); /* signals are the main thread's business */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    CHECK(pthread_create(&c->thread, NULL, committer_main, c) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_setname_np(c->thread, "committer");
    return c;
}

void committer_stop(struct committer *c)
{
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->work);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->answers);
    free(c->fx.rows);
    free(c);
}

static void enqueue_locked(struct committer *c, struct submission *s)
{
    s->next = NULL;
    *c->last = s;
    c->last = &s->next;
    c->waiting++;
    pthread_cond_signal(&c->work);
}

void committer_submit(struct committer *c, struct loop *loop, struct changes *cs, store_done_fn done,
                      void *arg, bool over)
{
    struct submission *s = xcalloc(1, sizeof *s);

    *s =
        (struct submission){.cs = cs, .loop = loop, .done = done, .arg = arg, .rc = cs->fault, .news = !over};
    pthread_mutex_lock(&c->lock);
    if (s->rc == ERR_OK && !over && c->waiting >= c->backlog) {
        s->rc = ERR_BUSY;
    }
    if (s->rc == ERR_OK) {
        enqueue_locked(c, s);
        s = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    if (s == NULL) {
        return;
    }
    if (done != NULL) {
        loop_post(loop, answers_run, s);
    } else {
        changes_free(cs);
        free(s);
    }
}

enum err committer_submit_wait(struct committer *c, struct changes *cs, uint64_t *rev)
{
    struct submission s = {.cs = cs, .rc = cs->fault, .waited = true};

    if (s.rc != ERR_OK) {
        changes_free(cs);
    } else {
        pthread_mutex_lock(&c->lock);
        enqueue_locked(c, &s);
        while (!s.answered) {
            pthread_cond_wait(&c->answers, &c->lock);
        }
        pthread_mutex_unlock(&c->lock);
    }
    if (rev != NULL) {
        *rev = s.rev;
    }
    return s.rc;
}

void committer_on_feed(struct committer *c, void (*fn)(uint64_t rev, void *arg), void *arg)
{
    pthread_mutex_lock(&c->lock);
    c->feed_fn = fn;
    c->feed_arg = arg;
    pthread_mutex_unlock(&c->lock);
}

void committer_status(struct committer *c, struct committer_status *out)
{
    pthread_mutex_lock(&c->lock);
    out->waiting = c->waiting;
    pthread_mutex_unlock(&c->lock);
    out->writable = atomic_load(&c->writable);
    out->commits = atomic_load(&c->commits);
    out->changes = atomic_load(&c->changes);
    out->commit_us_sum = atomic_load(&c->commit_us);
}

struct committer_load committer_load(struct committer *c)
{
    return (struct committer_load){.commits = atomic_load(&c->commits),
                                   .news = atomic_load(&c->news) / NEWS_SCALE};
}

bool committer_has_room(struct committer *c)
{
    pthread_mutex_lock(&c->lock);
    bool room = c->waiting < c->backlog;
    pthread_mutex_unlock(&c->lock);
    return room && atomic_load(&c->writable);
}
