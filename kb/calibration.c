/* calibration.c: see calibration.h. */
#include <stdlib.h>
#include <string.h>

#include "kb/calibration.h"
#include "queue/base/clock.h"

struct labels {
    struct snapshot *snap;
    const char *part;
    struct kb_label rows[KB_REFIT_MOST];
    size_t count;
};

struct kb_calibration kb_calibration_read(struct snapshot *snap, const char *part)
{
    struct kb_calibration c = KB_CALIBRATION_NONE;
    json_t *record = NULL;

    if (snapshot_get(snap, KIND_SETTING, part, KB_CALIBRATION_SETTING, &record, NULL) == ERR_OK &&
        jx_bool(record, "taken", false)) {
        c = (struct kb_calibration){jx_num(record, "stretch", 1), jx_num(record, "shift", 0)};
    }
    json_decref(record);
    return kb_calibration_sane(&c) ? c : KB_CALIBRATION_NONE;
}

/* The trace that names the message: of a reply, or of a question that was handed over. New reference or NULL.
 */
static json_t *trace_naming(struct snapshot *snap, const char *part, const char *message_id)
{
    struct page_query query = {.kind = KIND_TURN,
                               .part = part,
                               .index = INDEX_TURN_MESSAGE,
                               .match = {message_id},
                               .descending = true,
                               .limit = 1};
    struct store_page page;
    json_t *trace = NULL;

    if (snapshot_page(snap, &query, &page) == ERR_OK) {
        trace = page.count > 0 ? json_incref(page.rows[0].body) : NULL;
        store_page_free(&page);
    }
    return trace;
}

json_t *kb_calibration_trace(struct snapshot *snap, const char *part, const char *message_id)
{
    json_t *message = NULL, *trace = NULL;

    if (snapshot_get(snap, KIND_MESSAGE, part, message_id, &message, NULL) == ERR_OK &&
        jx_str(message, "turn_id") != NULL &&
        snapshot_get(snap, KIND_TURN, part, jx_str(message, "turn_id"), &trace, NULL) != ERR_OK) {
        trace = NULL;
    }
    json_decref(message);
    return trace != NULL ? trace : trace_naming(snap, part, message_id);
}

/* Makes a label of one feedback, if its answer came out of the knowledge. */
static void label_add(struct labels *labels, const json_t *feedback)
{
    const char *message_id = jx_str(feedback, "message_id");
    json_t *trace = message_id != NULL ? kb_calibration_trace(labels->snap, labels->part, message_id) : NULL;
    double confidence = jx_num(trace, "shipped_confidence", jx_num(trace, "confidence", 0));

    if (confidence > 0 && confidence <= 1 && json_array_size(jx_arr(trace, "passages")) > 0) {
        labels->rows[labels->count++] =
            (struct kb_label){confidence, strcmp(jx_str_or(feedback, "rating", ""), "up") == 0};
    }
    json_decref(trace);
}

static bool feedback_take(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct labels *labels = arg;
    json_t *feedback = NULL;

    (void)id;
    (void)rev;
    if (jx_parse_lenient(data, size, &feedback) == ERR_OK) {
        label_add(labels, feedback);
        json_decref(feedback);
    }
    return labels->count < KB_REFIT_MOST;
}

/* The newest labels of the partition. */
static enum err labels_read(struct labels *labels)
{
    struct page_query query = {.kind = KIND_FEEDBACK, .part = labels->part, .descending = true};

    return snapshot_scan(labels->snap, &query, feedback_take, labels);
}

/* The record of a fit. New reference. */
static json_t *record_of(const struct kb_refit *fit, uint64_t feedback)
{
    json_t *record = json_object();

    jx_set(record, "stretch", json_real(fit->calibration.stretch));
    jx_set(record, "shift", json_real(fit->calibration.shift));
    jx_set_int(record, "labels", (int64_t)fit->labels);
    jx_set_int(record, "feedback", (int64_t)feedback);
    jx_set_bool(record, "taken", fit->taken);
    jx_set_str(record, "reason", fit->reason);
    if (fit->error_before > 0) {
        jx_set(record, "error_before", json_real(fit->error_before));
        jx_set(record, "error_after", json_real(fit->error_after));
    }
    jx_set_time(record, "fitted_at", clock_wall_ms());
    return record;
}

enum err kb_calibration_refit(struct snapshot *snap, const char *part, struct changes *cs, bool *changed)
{
    uint64_t feedback = snapshot_count(snap, KIND_FEEDBACK, part, INDEX_NONE, NULL), rev = 0;
    json_t *before = NULL;
    struct kb_refit fit;

    *changed = false;
    if (feedback < KB_REFIT_LABELS) {
        return ERR_OK;
    }
    enum err rc = snapshot_get(snap, KIND_SETTING, part, KB_CALIBRATION_SETTING, &before, &rev);
    bool same = rc == ERR_OK && jx_int(before, "feedback", -1) == (int64_t)feedback;
    json_decref(before);
    if (same || (rc != ERR_OK && rc != ERR_NOTFOUND)) {
        return same ? ERR_OK : rc;
    }
    struct labels *labels = xcalloc(1, sizeof *labels);
    labels->snap = snap;
    labels->part = part;
    rc = labels_read(labels);
    if (rc == ERR_OK) {
        kb_refit(labels->rows, labels->count, &fit);
        json_t *record = record_of(&fit, feedback);
        changes_expect(cs, KIND_SETTING, part, KB_CALIBRATION_SETTING, rev);
        changes_put(cs, KIND_SETTING, part, KB_CALIBRATION_SETTING, record);
        json_decref(record);
        *changed = true;
    }
    free(labels);
    return rc;
}
