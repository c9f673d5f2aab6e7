/* follow.c: keeps the index in line with the store's documents.
 *
 * The writer's thread sleeps until the store tells of a change, then reads the feed from the revision it
 * stands at, reads each document that changed as it is now, and commits the index together with the new
 * revision. Killed at any moment, it starts again from the revision of its last commit; doing a document
 * twice changes nothing. What was decided from an older snapshot is put right by the feed entries that follow
 * it.
 *
 * It rebuilds (empties the tables, then takes every document of the store) when the feed has a gap, when its
 * revision is above the store's newest (the store went back to a backup), after a change of format, and when
 * a rebuild was cut short; never with more names in memory than a stretch of them. The mark "rebuilding" is
 * committed with the emptying and goes with the last batch.
 *
 * Who waits for an answer (kb_when_indexed) is told when the writer has read everything that the feed held at
 * a moment after the call: a revision that touched no document needs nothing more.
 *
 * The pages of a source are indexed one by one. A change of the source looks at all of its pages again, in
 * the same commit of the index as far as it goes: so disabling a source takes all of its pages out before the
 * call is answered. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kb/kb_int.h"
#include "kb/rows.h"
#include "queue/base/log.h"

#define PAGE_DOCUMENTS  256 /* of the feed, at least a whole change-set */
#define BATCH_DOCUMENTS 256
#define BATCH_BYTES     (16u << 20) /* of rows in one commit */
#define RETRY_MS        1000
#define REBUILD_NAMES   4096       /* of documents or pages in memory at a time */
#define REV_OPEN        UINT64_MAX /* more names follow: no revision is reached yet */

struct kb_waiter {
    struct kb_waiter *next;
    struct loop *loop;
    loop_fn fn;
    void *arg;
};

struct name {
    char *part, *id; /* owned */
    enum kind kind;  /* KIND_DOCUMENT or KIND_PAGE */
};
struct names {
    struct name *rows;
    size_t count, room;
};

static void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->rows[i].part);
        free(names->rows[i].id);
    }
    free(names->rows);
    *names = (struct names){0};
}

static void names_add(struct names *names, enum kind kind, const char *part, const char *id)
{
    if (names->count == names->room) {
        names->room = names->room == 0 ? 64 : names->room * 2;
        names->rows = xrealloc(names->rows, names->room * sizeof *names->rows);
    }
    names->rows[names->count++] = (struct name){xstrdup(part), xstrdup(id), kind};
}

static int name_order(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    int order = strcmp(x->part, y->part);

    return order != 0 ? order : strcmp(x->id, y->id);
}

/* Keeps each name once. */
static void names_once(struct names *names)
{
    size_t kept = 0;

    if (names->count > 1) {
        qsort(names->rows, names->count, sizeof *names->rows, name_order);
    }
    for (size_t i = 0; i < names->count; i++) {
        if (kept > 0 && name_order(&names->rows[kept - 1], &names->rows[i]) == 0) {
            free(names->rows[i].part);
            free(names->rows[i].id);
            continue;
        }
        names->rows[kept++] = names->rows[i];
    }
    names->count = kept;
}

/* ---- applying ---- */

/* What the index should hold of a page: new reference, or ERR_NOTFOUND when the page or its source is gone.
 */
static enum err page_read(struct snapshot *snap, const struct name *name, json_t **doc)
{
    json_t *page = NULL, *source = NULL;
    enum err rc = snapshot_get(snap, KIND_PAGE, name->part, name->id, &page, NULL);

    if (rc == ERR_OK) {
        rc =
            snapshot_get(snap, KIND_DOCUMENT, name->part, jx_str_or(page, "document_id", "-"), &source, NULL);
    }
    if (rc == ERR_OK) {
        *doc = kb_page_document(page, source);
    }
    json_decref(page);
    json_decref(source);
    return rc;
}

/* Brings one document or page of the index in line with the store. */
static enum err document_follow(struct kb_batch *batch, struct snapshot *snap, const struct name *name)
{
    json_t *doc = NULL;
    enum err rc = name->kind == KIND_PAGE
                      ? page_read(snap, name, &doc)
                      : snapshot_get(snap, KIND_DOCUMENT, name->part, name->id, &doc, NULL);

    if (rc != ERR_OK && rc != ERR_NOTFOUND) {
        return rc;
    }
    if (doc != NULL && jx_str(doc, "id") == NULL) {
        jx_set_str(doc, "id", name->id);
    }
    rc = kb_batch_document(batch, name->part, name->id, doc);
    json_decref(doc);
    if (rc == ERR_INVALID || rc == ERR_LIMIT) { /* a record nobody should have been able to store */
        log_warn("kb.document", "document=%s error=%s", name->id, err_name(rc));
        rc = ERR_OK;
    }
    return rc;
}

/* Fills a batch with names from *at on, within its bounds. */
static enum err batch_fill(struct kb *kb, struct kb_batch *batch, const struct names *names, size_t *at)
{
    struct snapshot *snap;
    size_t end = names->count - *at > BATCH_DOCUMENTS ? *at + BATCH_DOCUMENTS : names->count;
    enum err rc = snapshot_open(kb->store, &snap);

    if (rc != ERR_OK) {
        return rc;
    }
    while (*at < end && kb_batch_bytes(batch) < BATCH_BYTES && rc == ERR_OK) {
        rc = document_follow(batch, snap, &names->rows[(*at)++]);
    }
    snapshot_close(snap);
    return rc;
}

/* One commit with names from *at on; the last one notes the revision and ends a rebuild. */
static enum err batch_run(struct kb *kb, const struct names *names, size_t *at, uint64_t rev)
{
    struct kb_batch *batch;
    size_t next = *at;
    enum err rc = kb_batch_open(kb, &batch);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = batch_fill(kb, batch, names, &next);
    if (rc == ERR_OK && next == names->count && rev != REV_OPEN) {
        rc = kb_batch_meta(batch, "rev", rev);
        if (rc == ERR_OK) {
            rc = kb_batch_meta(batch, "rebuilding", 0);
        }
    }
    if (rc != ERR_OK) {
        kb_batch_abort(batch);
        return rc;
    }
    rc = kb_batch_commit(batch);
    if (rc == ERR_OK) {
        *at = next;
    }
    return rc;
}

/* Applies all names in as many commits as it takes, then stands at rev, unless it is REV_OPEN. */
static enum err names_apply(struct kb *kb, const struct names *names, uint64_t rev)
{
    size_t at = 0;
    enum err rc;

    do {
        rc = batch_run(kb, names, &at, rev);
        if (rc == ERR_FULL && kv_grow(kb->kv) == ERR_OK) {
            rc = batch_run(kb, names, &at, rev);
        }
    } while (rc == ERR_OK && at < names->count);
    if (rc == ERR_OK && rev != REV_OPEN) {
        pthread_mutex_lock(&kb->mutex);
        kb->rev = rev;
        pthread_mutex_unlock(&kb->mutex);
    }
    return rc;
}

/* ---- rebuilding ---- */

/* The partitions of a walk, in order, each once. */
static bool part_take(const char *part, const char *id, const void *data, size_t size, uint64_t rev,
                      void *arg)
{
    struct names *parts = arg;

    (void)id;
    (void)data;
    (void)size;
    (void)rev;
    if (parts->count == 0 || strcmp(parts->rows[parts->count - 1].part, part) != 0) {
        names_add(parts, KIND_DOCUMENT, part, "");
    }
    return true;
}

/* Some names of one partition. */
struct stretch {
    struct names names;
    enum kind kind;
    const char *part, *behind; /* id of the last name of the stretch before; NULL: none */
};

static bool stretch_take(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct stretch *s = arg;

    (void)data;
    (void)size;
    (void)rev;
    if (s->behind == NULL || strcmp(id, s->behind) != 0) {
        names_add(&s->names, s->kind, s->part, id);
    }
    return s->names.count < REBUILD_NAMES;
}

/* Reads a stretch as the store is now. */
static enum err stretch_read(struct kb *kb, struct stretch *s)
{
    struct page_query query = {.kind = s->kind, .part = s->part, .from = s->behind};
    struct snapshot *snap;
    enum err rc = snapshot_open(kb->store, &snap);

    if (rc == ERR_OK) {
        rc = snapshot_scan(snap, &query, stretch_take, s);
        snapshot_close(snap);
    }
    return rc;
}

static bool stopping(struct kb *kb)
{
    pthread_mutex_lock(&kb->mutex);
    bool stop = kb->stop;
    pthread_mutex_unlock(&kb->mutex);
    return stop;
}

/* Takes all records of a kind of one partition into the index. */
static enum err part_rebuild(struct kb *kb, enum kind kind, const char *part)
{
    char behind[STORE_ID_MAX + 1] = "";
    enum err rc = ERR_OK;
    bool more = true;

    while (rc == ERR_OK && more) {
        struct stretch s = {.kind = kind, .part = part, .behind = behind[0] != '\0' ? behind : NULL};
        rc = stopping(kb) ? ERR_CLOSED : stretch_read(kb, &s);
        more = rc == ERR_OK && s.names.count == REBUILD_NAMES;
        if (rc == ERR_OK && s.names.count > 0) {
            snprintf(behind, sizeof behind, "%s", s.names.rows[s.names.count - 1].id);
            rc = names_apply(kb, &s.names, REV_OPEN);
        }
        names_fini(&s.names);
    }
    return rc;
}

/* Takes all records of a kind into the index. */
static enum err kind_rebuild(struct kb *kb, enum kind kind)
{
    struct names parts = {0};
    struct snapshot *snap;
    enum err rc = snapshot_open(kb->store, &snap);

    if (rc == ERR_OK) {
        rc = snapshot_walk(snap, kind, part_take, &parts);
        snapshot_close(snap);
    }
    for (size_t i = 0; i < parts.count && rc == ERR_OK; i++) {
        rc = part_rebuild(kb, kind, parts.rows[i].part);
    }
    names_fini(&parts);
    return rc;
}

/* Empties the tables and marks the rebuild as begun. */
static enum err tables_clear(struct kb *kb)
{
    struct kb_batch *batch;
    enum err rc = kb_batch_open(kb, &batch);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = kb_batch_clear(batch);
    if (rc == ERR_OK) {
        rc = kb_batch_meta(batch, "rebuilding", 1);
    }
    if (rc == ERR_OK) {
        rc = kb_batch_meta(batch, "format", KB_FORMAT);
    }
    if (rc != ERR_OK) {
        kb_batch_abort(batch);
        return rc;
    }
    return kb_batch_commit(batch);
}

/* Makes the whole index anew from the store's documents, a stretch at a time: what changes behind it comes
 * with the feed. */
static enum err rebuild(struct kb *kb)
{
    struct names none = {0};
    struct snapshot *snap;
    enum err rc = tables_clear(kb);

    if (rc == ERR_OK) {
        rc = snapshot_open(kb->store, &snap);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    uint64_t rev = snapshot_feed_rev(snap);
    snapshot_close(snap);
    log_info("kb.rebuild", "rev=%llu", (unsigned long long)rev);
    rc = kind_rebuild(kb, KIND_DOCUMENT);
    if (rc == ERR_OK) {
        rc = kind_rebuild(kb, KIND_PAGE);
    }
    return rc == ERR_OK ? names_apply(kb, &none, rev) : rc;
}

/* ---- following ---- */

struct feed_page {
    struct names names;
    uint64_t rev; /* of the last entry taken */
    size_t taken;
    bool more;
};

/* Takes one feed entry; stops at the end of a change-set once the page is full. */
static bool feed_take(uint64_t rev, enum kind kind, const char *part, const char *id, void *arg)
{
    struct feed_page *page = arg;

    if (page->taken >= PAGE_DOCUMENTS && rev != page->rev) {
        page->more = true;
        return false;
    }
    page->rev = rev;
    page->taken++;
    if (kind == KIND_DOCUMENT || kind == KIND_PAGE) {
        names_add(&page->names, kind, part, id);
    }
    return true;
}

struct page_walk {
    struct names *names;
    const char *part;
};

static bool page_take(const struct store_row *row, void *arg)
{
    struct page_walk *walk = arg;

    names_add(walk->names, KIND_PAGE, walk->part, row->id);
    return true;
}

/* Adds the pages of one source, if the document has any. */
static enum err pages_add(struct snapshot *snap, const char *part, const char *id, struct names *names)
{
    struct page_query query = {.kind = KIND_PAGE, .part = part, .index = INDEX_PAGE_DOCUMENT, .match = {id}};

    return snapshot_rows(snap, &query, page_take, &(struct page_walk){names, part});
}

/* Adds the pages of every document that changed. */
static enum err sources_expand(struct snapshot *snap, struct names *names)
{
    enum err rc = ERR_OK;
    size_t count = names->count;

    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        if (names->rows[i].kind == KIND_DOCUMENT) {
            char *part = names->rows[i].part, *id = names->rows[i].id; /* their rows may move */
            rc = pages_add(snap, part, id, names);
        }
    }
    return rc;
}

/* Reads the feed behind rev; *lost: it cannot be followed from there. */
static enum err feed_read(struct kb *kb, uint64_t rev, struct feed_page *page, bool *lost)
{
    struct snapshot *snap;
    bool gap = false;
    enum err rc = snapshot_open(kb->store, &snap);

    if (rc != ERR_OK) {
        return rc;
    }
    page->rev = rev;
    *lost = snapshot_feed_rev(snap) < rev;
    if (!*lost) {
        rc = snapshot_feed(snap, rev, feed_take, page, &gap);
        *lost = gap;
        if (rc == ERR_OK && !gap) {
            rc = sources_expand(snap, &page->names);
        }
    }
    snapshot_close(snap);
    return rc;
}

/* Applies one page of the feed; *more: there is another. */
static enum err follow_page(struct kb *kb, bool *more)
{
    struct feed_page page = {0};
    bool lost = false;

    pthread_mutex_lock(&kb->mutex);
    uint64_t rev = kb->rev;
    pthread_mutex_unlock(&kb->mutex);
    enum err rc = feed_read(kb, rev, &page, &lost);
    *more = page.more || lost;
    if (rc == ERR_OK && lost) {
        rc = rebuild(kb);
    } else if (rc == ERR_OK && page.taken > 0) {
        names_once(&page.names);
        rc = names_apply(kb, &page.names, page.rev);
    }
    names_fini(&page.names);
    return rc;
}

/* Follows the feed to its end. */
static enum err catch_up(struct kb *kb)
{
    bool more = true;
    enum err rc = ERR_OK;

    while (rc == ERR_OK && more) {
        rc = follow_page(kb, &more);
        if (stopping(kb)) {
            return ERR_CLOSED;
        }
    }
    return rc;
}

/* ---- the thread ---- */

/* Tells everyone in the list and frees it. */
static void waiters_tell(struct kb_waiter *waiters)
{
    while (waiters != NULL) {
        struct kb_waiter *w = waiters;
        waiters = w->next;
        loop_post(w->loop, w->fn, w->arg);
        free(w);
    }
}

static void waiters_free(struct kb_waiter *waiters)
{
    while (waiters != NULL) {
        struct kb_waiter *w = waiters;
        waiters = w->next;
        free(w);
    }
}

/* Puts waiters back whose turn failed. Mutex held. */
static void waiters_return_locked(struct kb *kb, struct kb_waiter *waiters)
{
    struct kb_waiter **end = &kb->waiters;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = waiters;
}

/* Waits a while after a failure, or until the end. Mutex held. */
static void pause_locked(struct kb *kb)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RETRY_MS / 1000;
    while (!kb->stop && pthread_cond_timedwait(&kb->wake, &kb->mutex, &until) != ETIMEDOUT) {
    }
}

static void *writer_main(void *arg)
{
    struct kb *kb = arg;

    pthread_mutex_lock(&kb->mutex);
    while (!kb->stop) {
        if (!kb->dirty) {
            pthread_cond_wait(&kb->wake, &kb->mutex);
            continue;
        }
        kb->dirty = false;
        struct kb_waiter *waiters = kb->waiters;
        struct kb_vector_batch *embedded = kb->embedded;
        kb->waiters = NULL;
        kb->embedded = NULL;
        pthread_mutex_unlock(&kb->mutex);
        kb_embedded_write(kb, embedded);
        enum err rc = catch_up(kb);
        if (rc == ERR_OK) {
            waiters_tell(waiters);
            waiters = NULL;
        } else if (rc != ERR_CLOSED) {
            log_error("kb.follow", "error=%s retry_ms=%d", err_name(rc), RETRY_MS);
        }
        pthread_mutex_lock(&kb->mutex);
        if (rc != ERR_OK) {
            kb->dirty = true;
            waiters_return_locked(kb, waiters);
            pause_locked(kb);
        }
    }
    pthread_mutex_unlock(&kb->mutex);
    return NULL;
}

/* Wakes the writer; called on the committer's thread. */
static void on_feed(uint64_t rev, void *arg)
{
    struct kb *kb = arg;

    (void)rev;
    pthread_mutex_lock(&kb->mutex);
    kb->dirty = true;
    pthread_cond_signal(&kb->wake);
    pthread_mutex_unlock(&kb->mutex);
}

void kb_when_indexed(struct kb *kb, uint64_t rev, void (*fn)(void *arg), void *arg)
{
    struct loop *loop = loop_current();

    CHECK(loop != NULL);
    pthread_mutex_lock(&kb->mutex);
    bool there = rev <= kb->rev;
    if (!there) {
        struct kb_waiter *w = xcalloc(1, sizeof *w);
        *w = (struct kb_waiter){kb->waiters, loop, fn, arg};
        kb->waiters = w;
        kb->dirty = true;
        pthread_cond_signal(&kb->wake);
    }
    pthread_mutex_unlock(&kb->mutex);
    if (there) {
        loop_post(loop, fn, arg);
    }
}

/* Reads where the index stands; *broken: it must be made anew. */
static enum err state_read(struct kb *kb, bool *broken)
{
    struct kv_txn *txn;
    uint64_t format, rebuilding;
    enum err rc = kv_begin_read(kb->kv, &txn);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = kb_meta_get(txn, "rev", 0, &kb->rev);
    if (rc == ERR_OK) {
        rc = kb_meta_get(txn, "rebuilding", 0, &rebuilding);
    }
    if (rc == ERR_OK) {
        rc = kb_meta_get(txn, "format", 0, &format);
    }
    kv_abort(txn);
    *broken = rc == ERR_OK && (rebuilding != 0 || format != KB_FORMAT);
    return rc;
}

enum err kb_follow_start(struct kb *kb)
{
    bool broken;
    enum err rc = state_read(kb, &broken);

    if (rc == ERR_OK && broken) {
        rc = rebuild(kb);
    }
    if (rc == ERR_OK) {
        rc = catch_up(kb);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    kb->dirty = true; /* what came before the store knew of us */
    if (pthread_create(&kb->writer, NULL, writer_main, kb) != 0) {
        return ERR_NOMEM;
    }
    kb->running = true;
    store_on_feed(kb->store, on_feed, kb);
    return ERR_OK;
}

void kb_follow_stop(struct kb *kb)
{
    if (kb->running) {
        store_on_feed(kb->store, NULL, NULL);
        pthread_mutex_lock(&kb->mutex);
        kb->stop = true;
        pthread_cond_broadcast(&kb->wake);
        pthread_mutex_unlock(&kb->mutex);
        pthread_join(kb->writer, NULL);
        kb->running = false;
    }
    waiters_free(kb->waiters);
    kb->waiters = NULL;
    while (kb->embedded != NULL) {
        struct kb_vector_batch *batch = kb->embedded;
        kb->embedded = batch->next;
        kb_vector_batch_free(batch);
    }
}
