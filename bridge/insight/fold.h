/* fold.h: what messages and events add to the figures of an account: a pure function of the records, held in
 * memory until it is written or only looked at.
 *
 * KIND_ROLLUP record, one for each quarter of an hour (UTC) in which something happened, id
 * "2026-11-21T03:15": {"agents": {AGENT_ID: {metric: number}}} with the metrics of tbl_metrics.h. A quarter
 * is the largest piece that every time zone's days are made of. KIND_INSIGHT record, one for each
 * conversation, under its id: {"id", "agent_id", "contact_id", "channel_id", "first_at", "in", "ai", "human",
 * "fallback", "handoffs", "resolved", "lead", "booking", "negative", "rating"?, "last":
 * "in|answer|fallback|human", "language"?, "question_id"? (its first question)}. No text of a customer stands
 * in either. Thread: the owner's. */
#ifndef CHASQUI_INSIGHT_FOLD_H
#define CHASQUI_INSIGHT_FOLD_H

#include "queue/base/json.h"
#include "queue/store.h"

enum metric {
#define X(symbol, name, text) symbol,
#include "bridge/insight/tbl_metrics.h"
#undef X
    METRIC_COUNT
};
const char *metric_name(enum metric metric);
/* METRIC_COUNT if there is none of that name. */
enum metric metric_of(const char *name);

#define SLOT_SIZE 17
#define SLOT_MS   (15 * 60 * (int64_t)1000)
/* The id of the quarter of an hour that holds a moment. */
char *slot_name(int64_t at_ms, char out[SLOT_SIZE]);

struct fold;
struct fold *fold_new(const char *part);
void fold_free(struct fold *fold);
/* Records are read from here until the next call: what stands there is what the fold adds to. */
void fold_on(struct fold *fold, struct snapshot *snap);
void fold_message(struct fold *fold, const char *id, const json_t *message);
void fold_event(struct fold *fold, const char *id, const json_t *event);
/* False if no event with these bytes is counted: it need not be parsed. */
bool fold_wants_event(const void *data, size_t size);
/* Adds what was changed, each record under its guard. */
void fold_write(const struct fold *fold, struct changes *cs);
/* The records as the fold leaves them, by id: objects of slots or conversations; borrowed. */
const json_t *fold_slots(const struct fold *fold);
const json_t *fold_conversations(const struct fold *fold);

#endif
