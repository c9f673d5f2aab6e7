/* report.h: figures over a time, gathered in slices of a few ms on the request's loop, however much is
 * stored.
 *
 * A report names the kinds it passes over, in order. Each slice has a snapshot of its own; when the roll-up's
 * mark moves between two slices the report begins anew, so that nothing is counted twice or left out. What is
 * not rolled up yet is folded in memory first, and slots and conversations come to the report as they are
 * with it. A report that is not through after REPORT_TIME_MS answers with what it has and "complete": false.
 * Thread: the request's loop. */
#ifndef CHASQUI_API_REPORT_H
#define CHASQUI_API_REPORT_H

#include "bridge/api/call.h"
#include "bridge/insight/cluster.h"
#include "bridge/insight/fold.h"
#include "bridge/insight/segment.h"

#define REPORT_DAYS_MOST    3660 /* of one report */
#define REPORT_BUCKETS_MOST 400

struct report;
struct report_walk {
    enum kind kind; /* KIND_ROLLUP and KIND_INSIGHT come with what is not rolled up yet; others by the time in
                       their ids */
    bool newest_first;
    /* False: no more of this kind is wanted. */
    bool (*look)(struct report *r, const char *id, const json_t *record);
};
struct report_spec {
    struct report_walk walks[4];   /* look NULL ends */
    bool segments;                 /* the account's own are needed */
    void (*end)(struct report *r); /* makes the answer and ends the call */
};

struct report_bucket {
    int64_t from_ms;
    char day[11]; /* its first day in the account's time zone */
    int64_t figures[METRIC_COUNT];
    int64_t segments[SEGMENT_COUNT]; /* conversations that began */
};

struct report {
    struct call *c;
    const struct report_spec *spec;
    const char *zone, *agent; /* agent NULL: all */
    int64_t from_ms, to_ms;   /* half-open */
    size_t limit;
    struct report_bucket *buckets;
    size_t bucket_count;
    bool complete;
    struct snapshot *snap; /* of the slice */
    /* gathered so far; emptied when the report begins anew */
    int64_t totals[METRIC_COUNT], segments[SEGMENT_COUNT];
    int64_t rolled_up_ms;
    json_t *data; /* object */
    struct clusters *clusters;
    struct segments *own;
    struct report_run *run; /* the engine's */
};

/* Reads start_date, end_date (default: the last 30 days), agent_id and limit. NULL: the call has ended. */
struct report *report_new(struct call *c, size_t limit_default);
/* Buckets of so many days; before: as many again in front of them (the range grows). False: they would be
 * more than REPORT_BUCKETS_MOST; the report is gone and the call has ended. */
bool report_divide(struct report *r, int days, bool before);
/* Takes the report and ends the call later. */
void report_start(struct report *r, const struct report_spec *spec);
/* {"from", "until", "time_zone", "complete"}; new reference. */
json_t *report_head(const struct report *r);
/* The bucket of a moment, NULL if there is none. */
struct report_bucket *report_bucket_at(struct report *r, int64_t at_ms);

/* Looks that reports share: figures of a slot into totals and buckets; built-in segments of a conversation
 * likewise. */
bool report_look_slot(struct report *r, const char *id, const json_t *slot);
bool report_look_conversation(struct report *r, const char *id, const json_t *insight);
/* What the classification knows of a conversation; false: another agent's, or the conversation is gone. To be
 * finished with segment_view_fini. */
bool report_view(struct report *r, const json_t *insight, struct segment_view *view);

#endif
