/* fold.c: messages and events into slots and conversations. */
#include "bridge/insight/fold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/common/words.h"
#include "agent/rules/handoff_rules.h"
#include "bridge/insight/terms.h"
#include "queue/base/clock.h"
#include "queue/base/id.h"

#define MOOD_NEGATIVE 2
#define NO_AGENT      "-"

struct fold {
    char *part;
    struct snapshot *snap;
    json_t *slots, *conversations; /* id -> record */
    json_t *revs;                  /* "kind/id" -> revision the record was read at */
};

static const char *const metric_names[] = {
#define X(symbol, name, text) [symbol] = name,
#include "bridge/insight/tbl_metrics.h"
#undef X
};

const char *metric_name(enum metric metric)
{
    return metric_names[metric];
}

enum metric metric_of(const char *name)
{
    int i = 0;

    while (i < METRIC_COUNT && strcmp(metric_names[i], name) != 0) {
        i++;
    }
    return (enum metric)i;
}

char *slot_name(int64_t at_ms, char out[SLOT_SIZE])
{
    char text[CLOCK_TEXT_SIZE];

    clock_rfc3339(at_ms - at_ms % SLOT_MS, text);
    memcpy(out, text, SLOT_SIZE - 1);
    out[SLOT_SIZE - 1] = '\0';
    return out;
}

struct fold *fold_new(const char *part)
{
    struct fold *fold = xcalloc(1, sizeof *fold);

    fold->part = xstrdup(part);
    fold->slots = json_object();
    fold->conversations = json_object();
    fold->revs = json_object();
    return fold;
}

void fold_free(struct fold *fold)
{
    if (fold != NULL) {
        json_decref(fold->slots);
        json_decref(fold->conversations);
        json_decref(fold->revs);
        free(fold->part);
        free(fold);
    }
}

void fold_on(struct fold *fold, struct snapshot *snap)
{
    fold->snap = snap;
}

const json_t *fold_slots(const struct fold *fold)
{
    return fold->slots;
}

const json_t *fold_conversations(const struct fold *fold)
{
    return fold->conversations;
}

/* ---- the records that grow ---- */

/* The record as it stands so far: in the fold, in the store, or empty. */
static json_t *record_take(struct fold *fold, json_t *records, enum kind kind, const char *id)
{
    json_t *record = json_object_get(records, id);
    uint64_t rev = 0;

    if (record != NULL) {
        return record;
    }
    if (snapshot_get(fold->snap, kind, fold->part, id, &record, &rev) != ERR_OK) {
        record = json_object();
        rev = 0;
    }
    jx_set(records, id, record);
    jx_set_int(fold->revs, id, (int64_t)rev);
    return record;
}

static void add(json_t *record, const char *name)
{
    jx_set_int(record, name, jx_int(record, name, 0) + 1);
}

/* The figures of an agent in the quarter of an hour in which the record was born. */
static json_t *slot_take(struct fold *fold, const char *id, const char *agent)
{
    char name[SLOT_SIZE];
    json_t *slot = record_take(fold, fold->slots, KIND_ROLLUP, slot_name(id_time_ms(id), name));
    json_t *agents = jx_obj(slot, "agents");

    if (agents == NULL) {
        agents = json_object();
        jx_set(slot, "agents", agents);
    }
    json_t *figures = jx_obj(agents, agent);
    if (figures == NULL) {
        figures = json_object();
        jx_set(agents, agent, figures);
    }
    return figures;
}

/* ---- messages ---- */

struct seen {
    json_t *figures, *insight;
    const json_t *message;
};

static bool is_negative(const char *text)
{
    char *folded = words_fold(text);
    bool negative = mood_points(text, folded) >= MOOD_NEGATIVE;

    free(folded);
    return negative;
}

static void seen_customer(struct seen *s, const char *id)
{
    const char *text = jx_str_or(s->message, "text", "");
    const char *language = jx_str(s->insight, "language") == NULL ? terms_language(text) : NULL;

    add(s->figures, metric_name(METRIC_IN));
    add(s->insight, "in");
    jx_set_str(s->insight, "last", "in");
    if (language != NULL) {
        jx_set_str(s->insight, "language", language);
    }
    if (jx_str(s->insight, "question_id") == NULL && terms_any(text)) {
        jx_set_str(s->insight, "question_id", id);
    }
    if (!jx_bool(s->insight, "negative", false) && is_negative(text)) {
        jx_set_bool(s->insight, "negative", true);
    }
}

static void seen_ai(struct seen *s, const char *id)
{
    const char *source = jx_str_or(s->message, "source", "");
    bool fallback = strcmp(source, "fallback") == 0, knows = strcmp(source, "knowledge") == 0;

    (void)id;
    add(s->figures, metric_name(METRIC_AI));
    add(s->insight, "ai");
    jx_set_str(s->insight, "last", fallback ? "fallback" : "answer");
    if (fallback) {
        add(s->figures, metric_name(METRIC_FALLBACKS));
        add(s->insight, "fallback");
    } else if (knows || strcmp(source, "model") == 0) {
        add(s->figures, metric_name(METRIC_ANSWERS));
        if (knows || json_array_size(jx_arr(s->message, "citations")) > 0) {
            add(s->figures, metric_name(METRIC_GROUNDED));
        }
    } else {
        add(s->figures, metric_name(METRIC_FLOW));
    }
}

static void seen_human(struct seen *s, const char *id)
{
    (void)id;
    add(s->figures, metric_name(METRIC_HUMAN));
    add(s->insight, "human");
    jx_set_str(s->insight, "last", "human");
}

static void seen_system(struct seen *s, const char *id)
{
    (void)id;
    add(s->figures, metric_name(METRIC_SYSTEM));
}

/* The record of a conversation, begun with what its first message tells; counted as a conversation then. */
static json_t *insight_take(struct fold *fold, const char *id, const json_t *message, json_t *figures)
{
    const char *conversation = jx_str_or(message, "conversation_id", "");
    json_t *insight = record_take(fold, fold->conversations, KIND_INSIGHT, conversation);

    if (jx_str(insight, "first_at") == NULL) {
        jx_set_str(insight, "id", conversation);
        jx_set_str(insight, "agent_id", jx_str(message, "agent_id"));
        jx_set_str(insight, "contact_id", jx_str(message, "contact_id"));
        jx_set_str(insight, "channel_id", jx_str(message, "channel_id"));
        jx_set_time(insight, "first_at", id_time_ms(id));
        add(figures, metric_name(METRIC_CONVERSATIONS));
    }
    return insight;
}

void fold_message(struct fold *fold, const char *id, const json_t *message)
{
    static const struct {
        const char *author;
        void (*fn)(struct seen *s, const char *id);
    } authors[] = {
        {"customer", seen_customer}, {"ai", seen_ai}, {"human", seen_human}, {"system", seen_system}};
    const char *author = jx_str_or(jx_obj(message, "author"), "type", "");

    if (jx_str(message, "conversation_id") == NULL || id_time_ms(id) < 0) {
        return;
    }
    struct seen s = {.figures = slot_take(fold, id, jx_str_or(message, "agent_id", NO_AGENT)),
                     .message = message};
    s.insight = insight_take(fold, id, message, s.figures);
    for (size_t i = 0; i < sizeof authors / sizeof *authors; i++) {
        if (strcmp(author, authors[i].author) == 0) {
            authors[i].fn(&s, id);
        }
    }
}

/* ---- events ---- */

/* Events that are counted, and what the conversation notes of them. */
static const struct told {
    const char *type;
    enum metric metric;
    const char *note; /* "" for nothing */
} tolds[] = {
    {"conversation.ended", METRIC_ENDED, ""},          {"handoff.triggered", METRIC_HANDOFFS, "handoffs"},
    {"handoff.resolved", METRIC_RESOLVED, "resolved"}, {"lead.created", METRIC_LEADS, "lead"},
    {"lead.qualified", METRIC_QUALIFIED, ""},          {"appointment.booked", METRIC_BOOKED, "booking"},
    {"appointment.cancelled", METRIC_CANCELLED, ""},   {"feedback.received", METRIC_UP, ""},
};
#define TOLDS (sizeof tolds / sizeof *tolds)

bool fold_wants_event(const void *data, size_t size)
{
    char field[64];

    for (size_t i = 0; i < TOLDS; i++) {
        int len = snprintf(field, sizeof field, "\"type\":\"%s\"", tolds[i].type);
        if (memmem(data, size, field, (size_t)len) != NULL) {
            return true;
        }
    }
    return false;
}

/* The last word of a customer on how it was. */
static enum metric take_rating(const json_t *event, json_t *insight)
{
    const char *rating = jx_str_or(jx_obj(jx_obj(event, "data"), "feedback"), "rating", "up");

    if (insight != NULL) {
        jx_set_str(insight, "rating", rating);
    }
    return strcmp(rating, "down") == 0 ? METRIC_DOWN : METRIC_UP;
}

static void event_count(struct fold *fold, const char *id, const json_t *event, const struct told *told)
{
    const char *conversation = jx_str(event, "conversation_id");
    json_t *insight =
        conversation != NULL ? record_take(fold, fold->conversations, KIND_INSIGHT, conversation) : NULL;
    enum metric metric = told->metric == METRIC_UP ? take_rating(event, insight) : told->metric;

    add(slot_take(fold, id, jx_str_or(event, "agent_id", NO_AGENT)), metric_name(metric));
    if (insight != NULL && told->note[0] != '\0') {
        add(insight, told->note);
    }
}

void fold_event(struct fold *fold, const char *id, const json_t *event)
{
    const char *type = jx_str_or(event, "type", "");

    for (size_t i = 0; i < TOLDS && id_time_ms(id) >= 0; i++) {
        if (strcmp(type, tolds[i].type) == 0) {
            event_count(fold, id, event, &tolds[i]);
        }
    }
}

/* ---- out ---- */

static void write_records(const struct fold *fold, struct changes *cs, enum kind kind, json_t *records)
{
    const char *id;
    json_t *record;

    json_object_foreach (records, id, record) {
        changes_expect(cs, kind, fold->part, id, (uint64_t)jx_int(fold->revs, id, 0));
        changes_put(cs, kind, fold->part, id, record);
    }
}

void fold_write(const struct fold *fold, struct changes *cs)
{
    write_records(fold, cs, KIND_ROLLUP, fold->slots);
    write_records(fold, cs, KIND_INSIGHT, fold->conversations);
}
