/* plan.c: what a source needs, and when it is read: at once, by a schedule, or never again. */
#include "kb/source/source.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kb/source/work.h"
#include "queue/base/clock.h"

#define LEAST_MS (60 * 1000) /* between scheduled readings */
#define MOST_MS  (366LL * 86400 * 1000)

static int64_t (*cron_next)(const char *, const char *, int64_t);

void source_cron(int64_t (*next)(const char *cron, const char *zone, int64_t at_ms))
{
    cron_next = next;
}

int64_t source_next_ms(const char *schedule, int64_t now_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } UNITS[] = {{'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    char *end = NULL;
    long long count = isdigit((unsigned char)schedule[0]) ? strtoll(schedule, &end, 10) : 0;

    for (size_t i = 0; count > 0 && i < sizeof UNITS / sizeof *UNITS; i++) {
        if (end[0] == UNITS[i].unit && end[1] == '\0' && count < MOST_MS / UNITS[i].ms) {
            int64_t ms = count * UNITS[i].ms;
            return ms < LEAST_MS ? -1 : ms;
        }
    }
    int64_t at = cron_next != NULL ? cron_next(schedule, "UTC", now_ms) : -1;
    return at > now_ms ? (at - now_ms < LEAST_MS ? LEAST_MS : at - now_ms) : -1;
}

enum err source_check(const json_t *doc, const char **field, const char **why)
{
    const char *type = jx_str_or(doc, "doc_type", "");
    bool url = jx_str(doc, "url") != NULL, file = jx_str(doc, "file_id") != NULL;
    bool content = jx_str_or(doc, "content", "")[0] != '\0';
    const char *schedule = jx_str(doc, "schedule");

    *field = NULL;
    if (strcmp(type, "file") == 0 && !file) {
        *field = "file_id";
        *why = "is required for this type";
    } else if ((strcmp(type, "url") == 0 || strcmp(type, "sitemap") == 0) && !url) {
        *field = "url";
        *why = "is required for this type";
    } else if (strcmp(type, "html") == 0 && !url && !content) {
        *field = "content";
        *why = "or url is required for this type";
    } else if (strcmp(type, "feed") == 0 && !url && !file && !content) {
        *field = "url";
        *why = "or file_id or content is required for this type";
    } else if (schedule != NULL && !url) {
        *field = "schedule";
        *why = "needs a url";
    } else if (schedule != NULL && source_next_ms(schedule, clock_wall_ms()) < 0) {
        *field = "schedule";
        *why = "must be an interval such as 30m, 24h or 7d, or five cron fields";
    }
    return *field != NULL ? ERR_INVALID : ERR_OK;
}

void source_queue(struct changes *cs, const char *part, json_t *doc)
{
    json_t *payload = json_object();

    jx_set_int(doc, "run", jx_int(doc, "run", 0) + 1);
    jx_set_str(doc, "status", "queued");
    json_object_del(doc, "reason");
    json_object_del(doc, "next_attempt_at");
    jx_set_str(payload, "document_id", jx_str(doc, "id"));
    jx_set_int(payload, "run", jx_int(doc, "run", 0));
    changes_push(cs, QUEUE_SOURCE, part, jx_str(doc, "id"), 0, payload);
    json_decref(payload);
}

void source_again(struct changes *cs, const char *part, json_t *doc, unsigned attempt, int64_t wait_ms)
{
    json_t *payload = json_object();
    char lane[JOB_LANE_MAX];

    jx_set_str(doc, "status", "queued");
    jx_set_time(doc, "next_attempt_at", clock_wall_ms() + wait_ms);
    snprintf(lane, sizeof lane, "%.80s/again/%lld", jx_str(doc, "id"), (long long)jx_int(doc, "run", 0));
    jx_set_str(payload, "document_id", jx_str(doc, "id"));
    jx_set_int(payload, "run", jx_int(doc, "run", 0));
    jx_set_int(payload, "attempt", attempt);
    changes_push(cs, QUEUE_SOURCE, part, lane, wait_ms, payload);
    json_decref(payload);
}

void source_tick(struct changes *cs, const char *part, const json_t *doc)
{
    int64_t wait = source_next_ms(jx_str_or(doc, "schedule", ""), clock_wall_ms());
    json_t *payload = json_object();
    char lane[JOB_LANE_MAX];

    if (wait > 0) {
        snprintf(lane, sizeof lane, "%.80s/schedule/%lld", jx_str(doc, "id"),
                 (long long)jx_int(doc, "tick", 0));
        jx_set_str(payload, "document_id", jx_str(doc, "id"));
        jx_set_int(payload, "tick", jx_int(doc, "tick", 0));
        changes_push(cs, QUEUE_SOURCE, part, lane, wait, payload);
    }
    json_decref(payload);
}

void source_schedule(struct changes *cs, const char *part, json_t *doc)
{
    jx_set_int(doc, "tick", jx_int(doc, "tick", 0) + 1);
    source_tick(cs, part, doc);
}

void source_drop(struct changes *cs, const char *part, const char *document_id)
{
    json_t *payload = json_object();

    jx_set_str(payload, "document_id", document_id);
    changes_push(cs, QUEUE_SOURCE, part, document_id, 0, payload);
    json_decref(payload);
}
