/* source.c: one job reads one source.
 *
 * Steps: read the record (gone: remove its pages; another run: nothing to do), mark it processing, get the
 * text (fetch, extract), then a change-set with the pages that changed and, when search sees them, one with
 * the record's state, the event and the end of the job. A change of the record meanwhile is a conflict of
 * that change-set: the record is read again, and if the run is still ours only what we set is set. A crash
 * anywhere repeats the reading. At most RUNNING_MAX sources are read at a time in a process; others wait
 * without holding a worker.
 *
 * A reading that failed for now (again.h) is a job of a lane of its own, so that who asks for a new reading
 * meanwhile need not wait for it: the new run makes it void. The record is queued again, with the reason and
 * "next_attempt_at"; the pages of the last good reading stay, and nothing is told before the last attempt. A
 * site of which only some addresses failed keeps what came and is read again the same way, for the most part
 * by conditional requests.
 *
 * A schedule is a job of its own lane: when it comes due it asks for a reading and plans the next one. Its
 * "tick" tells whether the schedule it belongs to is still in force. */
#include "kb/source/source.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kb/kb.h"
#include "kb/source/again.h"
#include "kb/source/page.h"
#include "kb/source/work.h"
#include "queue/base/blob.h"
#include "queue/base/clock.h"
#include "queue/base/log.h"
#include "queue/base/option.h"
#include "queue/events.h"

#define RUNNING_MAX 8
#define WAIT_MS     300

static atomic_uint running;
static struct kb *index_kb; /* borrowed, since source_register */

/* ---- work ---- */

static void work_free(struct work *w)
{
    atomic_fetch_sub(&running, 1);
    extract_cancel(w->extraction);
    loop_cancel(w->timer);
    web_fini(&w->web);
    json_decref(w->doc);
    json_decref(w->old);
    json_decref(w->pages);
    json_decref(w->frontier);
    json_decref(w->seen);
    json_decref(w->notes);
    free(w->reason);
    free(w->missing);
    free(w);
}

static void work_cut(void *arg)
{
    work_free(arg);
}

static void finish(struct work *w);

static void finished(enum err rc, uint64_t rev, void *arg)
{
    struct work *w = arg;

    (void)rev;
    if (rc == ERR_CONFLICT || rc == ERR_SEEN) {
        finish(w);
        return;
    }
    work_free(w);
}

/* Reads the record anew. ERR_NOTFOUND also when it is another run's. */
static enum err record_read(struct work *w, struct snapshot *snap)
{
    json_t *doc = NULL;
    enum err rc = snapshot_get(snap, KIND_DOCUMENT, job_partition(w->job),
                               jx_str_or(job_payload(w->job), "document_id", "-"), &doc, &w->rev);

    json_decref(w->doc);
    w->doc = doc;
    return rc;
}

/* Which attempt of its reading the job is, from 1. */
static unsigned attempt_of(const struct work *w)
{
    return (unsigned)jx_int(job_payload(w->job), "attempt", 1);
}

/* True if the reading, or what is missing of it, is tried once more, in *wait_ms. */
static bool again_due(const struct work *w, int64_t *wait_ms)
{
    bool passing = w->reason != NULL ? w->passing : w->missed > 0;

    return passing && again_wait(attempt_of(w), option_int(OPT_SOURCE_RETRY), w->asked_ms, wait_ms);
}

/* What a reading that brought its pages leaves in the record. */
static void good_write(struct work *w)
{
    json_object_del(w->doc, "reason");
    if (w->missed > 0) {
        char *reason = xasprintf("%u addresses could not be read. %s", w->missed, w->missing);
        jx_set_str(w->doc, "reason", reason);
        free(reason);
    }
    jx_set_time(w->doc, "synced_at", clock_wall_ms());
    if (w->notes != NULL) {
        json_object_del(w->doc, "etag");
        json_object_del(w->doc, "last_modified");
        json_object_update(w->doc, w->notes);
    }
    if (!w->unchanged) {
        jx_set_int(w->doc, "pages", (int64_t)json_array_size(w->pages));
        jx_set_int(w->doc, "size", (int64_t)pages_size(w->pages));
    }
}

/* Tells how the reading ended. */
static void outcome_tell(const struct work *w, struct changes *cs, struct snapshot *snap)
{
    struct event_about about = {.agent_id = jx_str(w->doc, "agent_id")};
    json_t *data = json_object(), *sync = json_object();

    jx_set_int(sync, "documents", 1);
    jx_set_str(sync, "document_id", jx_str(w->doc, "id"));
    if (w->reason != NULL) {
        jx_set_str(sync, "reason", w->reason);
    }
    jx_set(data, "sync", sync);
    event_append(cs, snap, job_partition(w->job), w->reason == NULL ? "knowledge.synced" : "knowledge.failed",
                 &about, data, NULL);
    json_decref(data);
}

/* The record's state, and the next attempt or the event of this reading. */
static void outcome_write(struct work *w, struct changes *cs, struct snapshot *snap)
{
    const char *part = job_partition(w->job), *id = jx_str_or(w->doc, "id", "");
    int64_t wait = 0;
    bool good = w->reason == NULL, again = again_due(w, &wait);

    if (good) {
        good_write(w);
    } else {
        jx_set_str(w->doc, "reason", w->reason);
    }
    if (again) {
        source_again(cs, part, w->doc, attempt_of(w) + 1, wait);
    } else {
        jx_set_str(w->doc, "status", good ? "ready" : "failed");
        json_object_del(w->doc, "next_attempt_at");
        outcome_tell(w, cs, snap);
    }
    jx_set_time(w->doc, "updated_at", clock_wall_ms());
    changes_expect(cs, KIND_DOCUMENT, part, id, w->rev);
    changes_put(cs, KIND_DOCUMENT, part, id, w->doc);
    log_info("source.read", "document=%s ok=%d pages=%zu changed=%u missed=%u again_ms=%lld", id, good,
             json_array_size(w->pages), w->changed, w->missed, (long long)wait);
}

/* True if the record just read is still of this run. */
static bool run_current(const struct work *w)
{
    return jx_int(w->doc, "run", 0) == jx_int(job_payload(w->job), "run", -1);
}

/* Search sees the pages: the source is ready. */
static void indexed(void *arg)
{
    finish(arg);
}

static void pages_stored(enum err rc, uint64_t rev, void *arg)
{
    struct work *w = arg;

    if (rc == ERR_OK) {
        w->stored = true;
        kb_when_indexed(index_kb, rev, indexed, w);
    } else if (rc == ERR_CONFLICT) {
        finish(w);
    } else {
        struct job *job = w->job;
        work_free(w);
        job_put_back(job, WAIT_MS);
    }
}

/* Commits the pages that changed. False: there are none. */
static bool pages_store(struct work *w)
{
    struct changes *cs = changes_new();

    pages_write(cs, job_partition(w->job), jx_str_or(w->doc, "id", ""), w->old, w->pages, &w->changed);
    if (!changes_any(cs)) {
        changes_free(cs);
        return false;
    }
    changes_expect(cs, KIND_DOCUMENT, job_partition(w->job), jx_str_or(w->doc, "id", ""), w->rev);
    store_submit(job_store(w->job), cs, pages_stored, w);
    return true;
}

/* Commits what the reading brought: first the pages, then, when search sees them, the state with the event.
 */
static void finish(struct work *w)
{
    struct snapshot *snap = NULL;
    enum err rc = snapshot_open(job_store(w->job), &snap);

    if (rc == ERR_OK) {
        rc = record_read(w, snap);
    }
    bool current = rc == ERR_OK && run_current(w);
    if (current && w->reason == NULL && !w->unchanged && !w->stored && pages_store(w)) {
        snapshot_close(snap);
        return;
    }
    struct changes *cs = changes_new();
    if (current) {
        outcome_write(w, cs, snap);
    }
    snapshot_close(snap);
    if (rc == ERR_OK || rc == ERR_NOTFOUND) {
        changes_ack(cs, w->job);
    } else {
        changes_fail(cs, w->job, err_name(rc));
    }
    job_finish(w->job, cs, finished, w);
}

void work_done(struct work *w)
{
    if (w->reason == NULL && w->missed > 0 && json_array_size(w->pages) == 0) {
        w->passing = true;
        work_fail(w, w->missing);
    } else if (w->reason == NULL && !w->unchanged && json_array_size(w->pages) == 0) {
        work_fail(w, "Nothing with text was found there.");
    } else if (w->reason == NULL &&
               (json_array_size(w->pages) > PAGES_MAX || pages_size(w->pages) > PAGES_BYTES_MAX)) {
        work_fail(w, "The source holds more text than one source may have; split it.");
    } else {
        finish(w);
    }
}

void work_fail(struct work *w, const char *reason)
{
    free(w->reason);
    w->reason = xstrdup(reason);
    finish(w);
}

void work_unread(struct work *w, const struct web_answer *answer)
{
    w->passing = answer->passing;
    w->asked_ms = answer->asked_ms;
    work_fail(w, answer->reason);
}

/* ---- one file or address ---- */

/* The text came out of the child. */
static void extracted(const struct extract_result *result, void *arg)
{
    struct work *w = arg;

    w->extraction = 0;
    if (!result->ok) {
        work_fail(w, result->reason);
        return;
    }
    pages_take(w->pages, result, jx_str(w->doc, "url"), false);
    work_done(w);
}

static void page_came(struct work *w, const struct web_answer *answer)
{
    if (answer->reason != NULL) {
        work_unread(w, answer);
        return;
    }
    if (answer->unchanged) {
        w->unchanged = true;
        work_done(w);
        return;
    }
    web_note(w, answer->http);
    const char *slash = strrchr(answer->url, '/');
    struct extract_request request = {.bytes = answer->http->body,
                                      .size = answer->http->body_size,
                                      .mime_type = answer->http->content_type,
                                      .filename = slash != NULL ? slash + 1 : NULL};
    w->extraction = extract_start(job_loop(w->job), &request, extracted, w);
}

/* Starts the child on bytes at hand. */
static void extract_bytes(struct work *w, const struct buf *bytes, const char *type, const char *name)
{
    struct extract_request request = {
        .bytes = buf_str(bytes), .size = bytes->len, .mime_type = type, .filename = name};

    w->extraction = extract_start(job_loop(w->job), &request, extracted, w);
}

/* An uploaded file. */
static void file_start(struct work *w)
{
    struct snapshot *snap = NULL;
    struct buf bytes;
    json_t *file = NULL;
    enum err rc = snapshot_open(job_store(w->job), &snap);

    if (rc == ERR_OK) {
        rc = snapshot_get(snap, KIND_FILE, job_partition(w->job), jx_str_or(w->doc, "file_id", "-"), &file,
                          NULL);
    }
    snapshot_close(snap);
    buf_init(&bytes, EXTRACT_FILE_MAX);
    if (rc == ERR_OK) {
        rc = blob_get(jx_str_or(file, "sha256", ""), &bytes);
    }
    if (rc == ERR_OK) {
        extract_bytes(w, &bytes, jx_str(file, "mime_type"), jx_str(file, "name"));
    } else {
        work_fail(w, rc == ERR_LIMIT ? "The file is larger than 25 MB." : "The file is not there any more.");
    }
    json_decref(file);
    buf_fini(&bytes);
}

/* Text that stands in the record itself. */
static void content_start(struct work *w)
{
    const char *content = jx_str_or(w->doc, "content", "");
    bool html = strcmp(jx_str_or(w->doc, "doc_type", ""), "html") == 0;
    char first = content[strspn(content, " \t\r\n")];
    struct buf bytes;

    buf_init(&bytes, EXTRACT_FILE_MAX);
    buf_adds(&bytes, content);
    extract_bytes(w, &bytes, NULL,
                  html                           ? "page.html"
                  : first == '[' || first == '{' ? "feed.json"
                                                 : "feed.csv");
    buf_fini(&bytes);
}

/* Gets the text, by what the record has. */
static void reading_start(struct work *w)
{
    const char *url = jx_str(w->doc, "url");

    if (strcmp(jx_str_or(w->doc, "doc_type", ""), "sitemap") == 0) {
        crawl_start(w);
    } else if (url != NULL) {
        bool there =
            json_array_size(w->old) > 0 && strcmp(jx_str_or(json_array_get(w->old, 0), "url", ""), url) == 0;
        web_get(w, url, there ? w->doc : NULL, false, page_came);
    } else if (jx_str(w->doc, "file_id") != NULL) {
        file_start(w);
    } else {
        content_start(w);
    }
}

/* The record says processing. */
static void marked(enum err rc, uint64_t rev, void *arg)
{
    struct work *w = arg;

    (void)rev;
    if (rc != ERR_OK && rc != ERR_CONFLICT) {
        struct job *job = w->job;
        work_free(w);
        job_put_back(job, WAIT_MS);
        return;
    }
    reading_start(w); /* a conflict is met again at the end */
}

static void mark(struct work *w)
{
    struct changes *cs = changes_new();
    const char *part = job_partition(w->job), *id = jx_str_or(w->doc, "id", "");

    jx_set_str(w->doc, "status", "processing");
    json_object_del(w->doc, "next_attempt_at");
    changes_expect(cs, KIND_DOCUMENT, part, id, w->rev);
    changes_put(cs, KIND_DOCUMENT, part, id, w->doc);
    store_submit(job_store(w->job), cs, marked, w);
}

/* ---- other jobs ---- */

/* Removes the pages of a document that is gone or no source any more. */
static void purge(struct work *w)
{
    struct changes *cs = changes_new();
    size_t i;
    json_t *page;

    json_array_foreach (w->old, i, page) {
        changes_delete(cs, KIND_PAGE, job_partition(w->job), jx_str_or(page, "id", "-"));
    }
    changes_ack(cs, w->job);
    job_finish(w->job, cs, finished, w);
}

static void just_ack(struct work *w)
{
    struct changes *cs = changes_new();

    changes_ack(cs, w->job);
    job_finish(w->job, cs, finished, w);
}

static void ticked(enum err rc, uint64_t rev, void *arg)
{
    struct work *w = arg;
    struct job *job = w->job;

    (void)rev;
    work_free(w);
    if (rc == ERR_CONFLICT) {
        job_put_back(job, WAIT_MS);
    }
}

/* A scheduled time has come. */
static void tick(struct work *w)
{
    struct changes *cs = changes_new();
    const char *part = job_partition(w->job), *id = jx_str_or(w->doc, "id", "");

    if (jx_int(w->doc, "tick", 0) == jx_int(job_payload(w->job), "tick", -1)) {
        source_queue(cs, part, w->doc);
        source_tick(cs, part, w->doc);
        changes_expect(cs, KIND_DOCUMENT, part, id, w->rev);
        changes_put(cs, KIND_DOCUMENT, part, id, w->doc);
    }
    changes_ack(cs, w->job);
    job_finish(w->job, cs, ticked, w);
}

/* Decides what the job is. */
static void begin(struct work *w, enum err found)
{
    const json_t *payload = job_payload(w->job);

    if (found == ERR_NOTFOUND || !kb_doc_type_source(jx_str(w->doc, "doc_type"))) {
        purge(w);
    } else if (json_object_get(payload, "tick") != NULL) {
        tick(w);
    } else if (jx_int(payload, "run", -1) != jx_int(w->doc, "run", 0)) {
        just_ack(w);
    } else {
        mark(w);
    }
}

static void source_run(struct job *job, void *arg)
{
    struct snapshot *snap = NULL;

    (void)arg;
    if (atomic_load(&running) >= RUNNING_MAX) {
        job_put_back(job, WAIT_MS);
        return;
    }
    atomic_fetch_add(&running, 1);
    struct work *w = xcalloc(1, sizeof *w);
    w->job = job;
    w->pages = json_array();
    enum err rc = snapshot_open(job_store(job), &snap);
    enum err found = rc == ERR_OK ? record_read(w, snap) : rc;
    if (found == ERR_OK || found == ERR_NOTFOUND) {
        rc = pages_load(snap, job_partition(job), jx_str_or(job_payload(job), "document_id", "-"), &w->old);
    } else {
        rc = found;
    }
    snapshot_close(snap);
    if (rc != ERR_OK) {
        work_free(w);
        job_put_back(job, WAIT_MS);
        return;
    }
    job_on_cut(job, work_cut, w);
    begin(w, found);
}

void source_register(struct workers *workers, struct kb *kb)
{
    index_kb = kb;
    workers_handle(workers, QUEUE_SOURCE, source_run, NULL);
}
