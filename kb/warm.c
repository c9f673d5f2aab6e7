/* warm.c: reads large collections, words and vectors, into memory on a thread of its own, so that no event
 * loop waits for it.
 *
 * A small collection is read by whoever asks: WARM_CHUNKS take a few milliseconds. A larger one is a request
 * in a list; the thread reads its collections and posts the answer to the loop that asked. A collection may
 * be evicted again before the asker comes to it: then it reads in place, so nobody waits twice. Whoever stops
 * the loops stops this thread before them (kb_rest): the rest of the list is answered at once. */
#include <stdlib.h>

#include "kb/kb_int.h"
#include "kb/rows.h"
#include "queue/base/log.h"

#define WARM_CHUNKS 500 /* chunks a caller reads by itself */

struct request {
    struct request *next;
    struct loop *loop;
    void (*fn)(void *arg);
    void *arg;
    size_t count;
    uint32_t numbers[]; /* of collections */
};

struct kb_warm {
    struct kb *kb;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;
    struct request *first, **end;
    bool running, stop;
    pthread_t thread;
};

struct kb_warm *kb_warm_new(struct kb *kb)
{
    struct kb_warm *w = xcalloc(1, sizeof *w);

    w->kb = kb;
    w->end = &w->first;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->wake, NULL);
    return w;
}

/* Reads what the request needs and lets go of it: it stays in memory as long as there is room. */
static void request_read(struct kb_warm *w, const struct request *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct kb_hot *hot;
        enum err rc = kb_cache_hold(w->kb->cache, r->numbers[i], &hot);
        if (rc == ERR_OK) {
            kb_cache_drop(w->kb->cache, hot);
            rc = kb_vectors_warm(w->kb->vectors, r->numbers[i]);
        }
        if (rc != ERR_OK) {
            log_warn("kb.warm", "error=%s", err_name(rc)); /* the search meets it again and says so */
        }
    }
}

static void *warm_main(void *arg)
{
    struct kb_warm *w = arg;

    pthread_mutex_lock(&w->mutex);
    while (!w->stop || w->first != NULL) {
        struct request *r = w->first;
        if (r == NULL) {
            pthread_cond_wait(&w->wake, &w->mutex);
            continue;
        }
        w->first = r->next;
        w->end = w->first == NULL ? &w->first : w->end;
        bool stop = w->stop;
        pthread_mutex_unlock(&w->mutex);
        if (!stop) {
            request_read(w, r);
        }
        loop_post(r->loop, r->fn, r->arg);
        free(r);
        pthread_mutex_lock(&w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* Appends a request, and starts the thread with the first. False: it could not, or is stopping. */
static bool request_add(struct kb_warm *w, struct request *r)
{
    pthread_mutex_lock(&w->mutex);
    if (!w->running && !w->stop) {
        w->running = pthread_create(&w->thread, NULL, warm_main, w) == 0;
    }
    bool taken = w->running && !w->stop;
    if (taken) {
        *w->end = r;
        w->end = &r->next;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->mutex);
    return taken;
}

void kb_warm_stop(struct kb_warm *w)
{
    pthread_mutex_lock(&w->mutex);
    bool running = w->running;
    w->stop = true;
    w->running = false;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    if (running) {
        pthread_join(w->thread, NULL);
    }
}

void kb_warm_free(struct kb_warm *w)
{
    CHECK(!w->running && w->first == NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

/* Notes the query's collections that are not in memory; returns about how many chunks they have. */
static uint64_t cold_find(struct kb *kb, struct kv_txn *txn, const struct kb_query *q, struct request *r)
{
    uint64_t chunks = 0;

    for (size_t i = 0; i < q->collection_count; i++) {
        struct kb_key key;
        struct kb_collection_row row;
        if (kb_key_named(&key, q->part, q->collections[i]) == ERR_OK &&
            kb_row_get(txn, KB_COLLECTION, &key, &row, sizeof row) == ERR_OK &&
            !kb_cache_has(kb->cache, row.collection)) {
            r->numbers[r->count++] = row.collection;
            chunks += row.next;
        }
    }
    return chunks;
}

bool kb_ready(struct kb *kb, const struct kb_query *q, void (*fn)(void *arg), void *arg)
{
    struct kv_txn *txn;

    CHECK(loop_current() != NULL);
    if (q->part == NULL || kv_begin_read(kb->kv, &txn) != ERR_OK) {
        return true; /* the search will say what is wrong */
    }
    struct request *r = xcalloc(1, sizeof *r + q->collection_count * sizeof *r->numbers);
    uint64_t chunks = cold_find(kb, txn, q, r);
    kv_abort(txn);
    r->loop = loop_current();
    r->fn = fn;
    r->arg = arg;
    if (chunks <= WARM_CHUNKS || !request_add(kb->warm, r)) {
        free(r);
        return true;
    }
    return false;
}

void kb_rest(struct kb *kb)
{
    kb_warm_stop(kb->warm);
}
