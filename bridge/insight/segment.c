/* segment.c: built-in segments by what the roll-up noted, own ones by rules or by likeness to examples. */
#include "bridge/insight/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/insight/terms.h"

#define ALIKE        0.51 /* half of the words is not enough: the price of this, the price of that */
#define EXAMPLE_MOST 500  /* bytes */

static const char *const names[] = {
#define X(symbol, name, text) [symbol] = name,
#include "bridge/insight/tbl_segments.h"
#undef X
};

const char *segment_name(enum segment_id id)
{
    return names[id];
}

enum segment_id segment_of(const char *name)
{
    int i = 0;

    while (i < SEGMENT_COUNT && strcmp(names[i], name) != 0) {
        i++;
    }
    return (enum segment_id)i;
}

static bool field_is(const json_t *record, const char *name, const char *wanted)
{
    return strcmp(jx_str_or(record, name, ""), wanted) == 0;
}

/* ---- built-in ---- */

/* True if an older conversation of the contact on this channel is kept. */
static bool has_earlier(const struct segment_view *view)
{
    const char *contact = jx_str(view->conversation, "contact_id"),
               *channel = jx_str(view->conversation, "channel_id");
    struct store_page page;
    struct page_query query = {.kind = KIND_CONVERSATION,
                               .part = view->part,
                               .index = INDEX_CONVERSATION_CONTACT,
                               .match = {channel, contact},
                               .limit = 1};

    if (contact == NULL || channel == NULL || snapshot_page(view->snap, &query, &page) != ERR_OK) {
        return false;
    }
    bool earlier = page.count > 0 && strcmp(page.rows[0].id, jx_str_or(view->conversation, "id", "")) < 0;
    store_page_free(&page);
    return earlier;
}

/* Which of the built-in ones hold; rows of tbl_segments.h in their order. */
static unsigned builtin(const struct segment_view *view)
{
    const json_t *in = view->insight;
    bool human_has = field_is(view->conversation, "mode", "human");
    bool escalated = jx_int(in, "handoffs", 0) > 0, human = jx_int(in, "human", 0) > 0;
    bool open = field_is(in, "last", "in") || field_is(in, "last", "fallback");
    bool holds[SEGMENT_COUNT] = {
        [SEGMENT_BY_AI] = !escalated && !human && jx_int(in, "in", 0) > 0 && field_is(in, "last", "answer"),
        [SEGMENT_BY_HUMAN] = !human_has && (human || jx_int(in, "resolved", 0) > 0),
        [SEGMENT_ESCALATED] = escalated,
        [SEGMENT_UNANSWERED] = open && !human_has && jx_int(in, "resolved", 0) == 0,
        [SEGMENT_LEAD] = jx_int(in, "lead", 0) > 0,
        [SEGMENT_BOOKING] = jx_int(in, "booking", 0) > 0,
        [SEGMENT_NEGATIVE] = jx_bool(in, "negative", false) || field_is(in, "rating", "down"),
        [SEGMENT_RETURNING] = has_earlier(view),
    };
    unsigned bits = 0;

    for (int i = 0; i < SEGMENT_COUNT; i++) {
        bits |= holds[i] ? 1u << i : 0;
    }
    return bits;
}

bool segment_view_init(struct segment_view *view, struct snapshot *snap, const char *part,
                       const json_t *insight)
{
    *view = (struct segment_view){.snap = snap, .part = part, .insight = insight};
    if (snapshot_get(snap, KIND_CONVERSATION, part, jx_str_or(insight, "id", ""), &view->conversation,
                     NULL) != ERR_OK) {
        return false;
    }
    view->segments = builtin(view);
    return true;
}

void segment_view_fini(struct segment_view *view)
{
    json_decref(view->conversation);
    terms_free(view->question);
}

/* The words of the conversation's first question. */
static const struct terms *question_of(struct segment_view *view)
{
    json_t *message = NULL;

    if (view->question == NULL) {
        const char *id = jx_str_or(view->insight, "question_id", "");
        if (id[0] == '\0' ||
            snapshot_get(view->snap, KIND_MESSAGE, view->part, id, &message, NULL) != ERR_OK) {
            message = NULL;
        }
        view->question = terms_of(jx_str_or(message, "text", ""));
        json_decref(message);
    }
    return view->question;
}

/* ---- own ---- */

struct own {
    json_t *record;
    struct terms *examples[SEGMENT_EXAMPLES_MOST];
    size_t example_count;
};

struct segments {
    struct own rows[SEGMENTS_MOST];
    size_t count;
};

struct segments *segments_load(struct snapshot *snap, const char *part)
{
    struct segments *segments = xcalloc(1, sizeof *segments);
    struct page_query query = {.kind = KIND_SEGMENT, .part = part, .limit = SEGMENTS_MOST};
    struct store_page page;

    if (snapshot_page(snap, &query, &page) != ERR_OK) {
        return segments;
    }
    for (size_t i = 0; i < page.count; i++) {
        struct own *own = &segments->rows[segments->count++];
        own->record = json_incref(page.rows[i].body);
        const json_t *examples = jx_arr(own->record, "examples");
        for (size_t k = 0; k < json_array_size(examples) && k < SEGMENT_EXAMPLES_MOST; k++) {
            own->examples[own->example_count++] = terms_of(json_string_value(json_array_get(examples, k)));
        }
    }
    store_page_free(&page);
    return segments;
}

void segments_free(struct segments *segments)
{
    for (size_t i = 0; segments != NULL && i < segments->count; i++) {
        json_decref(segments->rows[i].record);
        for (size_t k = 0; k < segments->rows[i].example_count; k++) {
            terms_free(segments->rows[i].examples[k]);
        }
    }
    free(segments);
}

size_t segments_count(const struct segments *segments)
{
    return segments->count;
}

const json_t *segments_record(const struct segments *segments, size_t i)
{
    return segments->rows[i].record;
}

static double likeness(const struct own *own, struct segment_view *view)
{
    double best = 0;

    for (size_t i = 0; i < own->example_count; i++) {
        double each = terms_likeness(own->examples[i], question_of(view));
        best = each > best ? each : best;
    }
    return best;
}

/* The kinds of rules: where the text that is compared stands. */
enum rule_place { RULE_CONVERSATION, RULE_INSIGHT, RULE_TAG, RULE_SEGMENT, RULE_MESSAGES };
static const struct rule {
    const char *name;
    enum rule_place place;
} rules[] = {
    {"channel", RULE_CONVERSATION},
    {"agent_id", RULE_CONVERSATION},
    {"status", RULE_CONVERSATION},
    {"mode", RULE_CONVERSATION},
    {"language", RULE_INSIGHT},
    {"rating", RULE_INSIGHT},
    {"tag", RULE_TAG},
    {"segment", RULE_SEGMENT},
    {"min_messages", RULE_MESSAGES},
};

static const struct rule *rule_of(const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(rules[i].name, name) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}

static bool rule_holds(const struct rule *rule, const json_t *value, const struct segment_view *view)
{
    const char *text = json_is_string(value) ? json_string_value(value) : "";

    switch (rule->place) {
    case RULE_CONVERSATION:
        return field_is(view->conversation, rule->name, text);
    case RULE_INSIGHT:
        return field_is(view->insight, rule->name, text);
    case RULE_TAG:
        return jx_lists(view->conversation, "tags", text);
    case RULE_SEGMENT:
        return segment_of(text) < SEGMENT_COUNT && (view->segments >> segment_of(text) & 1u) != 0;
    case RULE_MESSAGES:
        return jx_int(view->insight, "in", 0) >= json_integer_value(value);
    }
    return false;
}

bool segments_hold(const struct segments *segments, size_t i, struct segment_view *view)
{
    const struct own *own = &segments->rows[i];
    const char *name;
    json_t *value;

    if (own->example_count > 0 && likeness(own, view) < ALIKE) {
        return false;
    }
    json_object_foreach (jx_obj(own->record, "rules"), name, value) {
        const struct rule *rule = rule_of(name);
        if (rule == NULL || !rule_holds(rule, value, view)) {
            return false;
        }
    }
    return true;
}

size_t segments_intent(const struct segments *segments, struct segment_view *view)
{
    size_t best = segments->count;
    double most = 0;

    for (size_t i = 0; i < segments->count; i++) {
        double each = segments->rows[i].example_count > 0 ? likeness(&segments->rows[i], view) : 0;
        if (each >= ALIKE && each > most) {
            best = i;
            most = each;
        }
    }
    return best;
}

/* ---- checking ---- */

static bool rule_fine(const struct rule *rule, const json_t *value)
{
    if (rule->place == RULE_MESSAGES) {
        return json_is_integer(value) && json_integer_value(value) > 0;
    }
    return json_is_string(value) &&
           (rule->place != RULE_SEGMENT || segment_of(json_string_value(value)) < SEGMENT_COUNT);
}

static enum err rules_check(const json_t *given, const char **field, struct buf *why)
{
    static _Thread_local char pointer[64];
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)given, name, value) {
        const struct rule *rule = rule_of(name);
        if (rule == NULL || !rule_fine(rule, value)) {
            snprintf(pointer, sizeof pointer, "/rules/%.40s", name);
            *field = pointer;
            buf_adds(why, rule == NULL ? "There is no such rule." : "This is no value of the rule.");
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

static enum err examples_check(const json_t *examples, const char **field, struct buf *why)
{
    size_t i;
    json_t *each;

    *field = "/examples";
    json_array_foreach (examples, i, each) {
        const char *text = json_string_value(each);
        if (text == NULL || strlen(text) > EXAMPLE_MOST || !terms_any(text)) {
            buf_addf(why, "Each example is a text of up to %d bytes with a word that matters.", EXAMPLE_MOST);
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

enum err segment_check(const json_t *body, const char **field, struct buf *why)
{
    const json_t *given = jx_obj(body, "rules"), *examples = jx_arr(body, "examples");

    if (json_object_size(given) == 0 && json_array_size(examples) == 0) {
        *field = "/rules";
        buf_adds(why, "A segment needs rules or examples.");
        return ERR_INVALID;
    }
    enum err rc = rules_check(given, field, why);
    return rc == ERR_OK ? examples_check(examples, field, why) : rc;
}
