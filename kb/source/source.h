/* source.h: knowledge that is read from a file or an address, by jobs of QUEUE_SOURCE.
 *
 * A source is a document record of a type for which kb_doc_type_source is true:
 *   html     "content" (a page's source text) or "url"     file     "file_id"
 *   url      "url": one page or file                       feed     "url", "file_id" or "content": CSV or
 * JSON sitemap  "url": a sitemap, or a page from which links of the same host are followed; "max_pages",
 * "max_depth" with "schedule" ("24h", or five cron fields) for addresses. Its states: queued, processing,
 * ready, failed with "reason"; queued with "reason" and "next_attempt_at" between the attempts at a site in
 * trouble; ready with "reason" when some of a site's pages could not be had. What is read becomes pages
 * (page.h); a failed reading leaves the pages of the last good one. "run" counts the readings asked for: a
 * job of an older run does nothing, and a job that finds its document gone removes the pages. "pages",
 * "synced_at" tell of the last good reading. */
#ifndef CHASQUI_KB_SOURCE_SOURCE_H
#define CHASQUI_KB_SOURCE_SOURCE_H

#include "queue/base/json.h"
#include "queue/jobs.h"
#include "queue/store.h"

/* Checks what a source needs. ERR_INVALID: *field and *why (static texts). */
enum err source_check(const json_t *doc, const char **field, const char **why) MUST_CHECK;
/* The record will be read: sets its state, counts the run, adds the job. The caller writes doc in the same
 * change-set. */
void source_queue(struct changes *cs, const char *part, json_t *doc);
/* The schedule of doc is new: the next reading by time is planned from now; older plans are void. */
void source_schedule(struct changes *cs, const char *part, json_t *doc);
/* The document goes in this change-set: its pages follow. */
void source_drop(struct changes *cs, const char *part, const char *document_id);

/* Milliseconds from now to the next reading; -1 if the schedule is none. */
int64_t source_next_ms(const char *schedule, int64_t now_ms);
/* How cron fields are understood: the time of the next match behind at_ms in a zone, below 0 if there is
 * none. Unset: only intervals are schedules. At start. */
void source_cron(int64_t (*next)(const char *cron, const char *zone, int64_t at_ms));

/* The handler of QUEUE_SOURCE. kb must outlive the workers. */
struct kb;
void source_register(struct workers *workers, struct kb *kb);

#endif
