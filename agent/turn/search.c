/* search.c: looks for passages of the agent's knowledge.
 *
 * A burst is searched as a whole, because people cut one question in pieces, and message by message, because
 * they also ask two things in a row: two questions in one query hide each other's answers. For the same
 * reason a question that stands among other sentences ("I am Jo. When do you open?") is looked for alone,
 * too. The most certain result leads; what the others found follows, each passage once. */
#include <stdlib.h>
#include <string.h>

#include "agent/turn/turn.h"

#include "agent/embed/embed.h"
#include "agent/common/phrases.h"
#include "agent/profile/profile.h"
#include "agent/turn/rules.h"
#include "agent/common/words.h"
#include "kb/kb.h"
#include "queue/base/log.h"

#define PASSAGES     6 /* of one search */
#define PASSAGES_ALL 8
#define PASSAGES_MET EMBED_RERANK /* looked at by a reranker */
#define WORDS_LEAST  2            /* shorter messages are part of a question, not one */

/* The agent's collections as kb_search wants them. */
static struct kb_query query_of(struct turn *turn)
{
    json_t *list = agent_collections(turn->agent);
    size_t count = json_array_size(list);
    const char **ids = arena_alloc(turn->arena, (count + 1) * sizeof *ids);

    arena_defer(turn->arena, jx_decref, list);
    for (size_t i = 0; i < count; i++) {
        ids[i] = json_string_value(json_array_get(list, i));
    }
    return (struct kb_query){
        .part = turn->part, .collections = ids, .collection_count = count, .limit = PASSAGES};
}

/* Searches for one text; an index that cannot be read finds nothing. */
static struct kb_result find(struct turn *turn, struct kb_query *query, const char *text,
                             const char *previous)
{
    struct kb_result result = {0};

    query->text = text;
    query->previous = previous;
    enum err rc = kb_search(turn->kb, query, turn->arena, &result);
    if (rc != ERR_OK) {
        log_warn("turn.search_failed", "turn=%s error=%s", turn->id.text, err_name(rc));
        return (struct kb_result){0};
    }
    result.confidence = kb_calibrate(&turn->calibration, result.shipped);
    return result;
}

static bool has_chunk(const struct kb_result *result, const char *id)
{
    for (size_t i = 0; i < result->count; i++) {
        if (strcmp(result->hits[i].chunk.id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds what from found and to has not, while there is room. */
static void append(struct kb_result *to, const struct kb_result *from)
{
    for (size_t i = 0; i < from->count && to->count < PASSAGES_ALL; i++) {
        if (!has_chunk(to, from->hits[i].chunk.id)) {
            to->hits[to->count++] = from->hits[i];
        }
    }
}

/* Joins two results, the more certain one first. */
static struct kb_result join(struct turn *turn, const struct kb_result *a, const struct kb_result *b)
{
    bool b_leads = b->count > 0 && (a->count == 0 || b->confidence > a->confidence);
    const struct kb_result *first = b_leads ? b : a, *second = b_leads ? a : b;
    struct kb_result joined = {
        .confidence = first->confidence, .shipped = first->shipped, .took_us = a->took_us + b->took_us};

    joined.hits = arena_alloc(turn->arena, PASSAGES_ALL * sizeof *joined.hits);
    append(&joined, first);
    append(&joined, second);
    return joined;
}

/* True if a message may be a question of its own. */
static bool is_question(const char *text)
{
    char *folded = words_fold(text);
    size_t words = folded[0] != '\0' ? 1 : 0;

    for (const char *p = folded; *p != '\0'; p++) {
        words += *p == ' ' ? 1 : 0;
    }
    bool is = words >= WORDS_LEAST && phrase_of(folded, NULL) == PHRASE_NONE;
    free(folded);
    return is;
}

/* Notes a message and the passage that answers it, unless that passage is noted. */
static void note_part(struct turn *turn, const char *text, const struct kb_result *result)
{
    if (result->count == 0 || result->confidence < turn_threshold(turn) || turn->part_count == MODEL_PARTS) {
        return;
    }
    for (size_t i = 0; i < turn->part_count; i++) {
        if (strcmp(turn->parts[i].hit->chunk.id, result->hits[0].chunk.id) == 0) {
            return;
        }
    }
    turn->parts[turn->part_count++] = (struct model_part){text, &result->hits[0]};
}

/* Searches for one part of what was written. */
static void search_part(struct turn *turn, struct kb_query *query, const char *text)
{
    if (is_question(text)) {
        struct kb_result result = find(turn, query, text, NULL);
        note_part(turn, text, &result);
        turn->found = join(turn, &turn->found, &result);
    }
}

/* Bytes of the mark that ends a sentence here, 0 if none does; *asks: it is a question's. */
static size_t sentence_end(const char *at, bool *asks)
{
    static const struct {
        const char *mark;
        bool asks, spaced;
    } ends[] = {{"?", true, true},       {".", false, true},      {"!", false, true},
                {"\n", false, false},    {"\uff1f", true, false}, {"\u061f", true, false},
                {"\u3002", false, false}};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t len = strlen(ends[i].mark);
        if (strncmp(at, ends[i].mark, len) == 0 &&
            (!ends[i].spaced || at[len] == '\0' || at[len] == ' ' || at[len] == '\n')) {
            *asks = ends[i].asks;
            return len;
        }
    }
    return 0;
}

/* Searches for the questions of a message that holds other sentences as well. */
static void search_sentences(struct turn *turn, struct kb_query *query, const char *text)
{
    const char *from = text, *at = text;
    size_t searched = 0;

    while (*at != '\0' && searched < MODEL_PARTS) {
        bool asks = false;
        size_t end = sentence_end(at, &asks);
        at += end > 0 ? end : 1;
        if (end == 0) {
            continue;
        }
        bool whole = from == text && at[strspn(at, " \n")] == '\0';
        if (asks && !whole) {
            search_part(turn, query, arena_strndup(turn->arena, from, (size_t)(at - from)));
            searched++;
        }
        from = at;
    }
}

/* Searches the last messages of a burst one by one, and the questions in them. */
static void search_parts(struct turn *turn, struct kb_query *query)
{
    size_t count = json_array_size(turn->burst);

    for (size_t i = count > MODEL_PARTS ? count - MODEL_PARTS : 0; i < count; i++) {
        const char *text = jx_str_or(json_array_get(turn->burst, i), "text", "");
        if (count > 1) {
            search_part(turn, query, text);
        }
        search_sentences(turn, query, text);
    }
}

size_t turn_search_more(struct turn *turn, const char *text)
{
    struct kb_query query = query_of(turn);
    struct kb_result more = find(turn, &query, text, NULL), all = turn->found;
    size_t before = turn->found.count;

    all.hits = arena_alloc(turn->arena, (before + more.count + 1) * sizeof *all.hits);
    all.count = 0;
    for (size_t i = 0; i < before; i++) {
        all.hits[all.count++] = turn->found.hits[i];
    }
    for (size_t i = 0; i < more.count; i++) {
        if (!has_chunk(&turn->found, more.hits[i].chunk.id)) {
            all.hits[all.count++] = more.hits[i];
        }
    }
    if (more.count > 0 && more.confidence > all.confidence) {
        all.confidence = turn->confidence = more.confidence;
        all.shipped = more.shipped;
    }
    turn->found = all;
    return all.count - before;
}

/* What is to be searched is in memory. */
static void warmed(void *arg)
{
    turn_resume(arg);
}

/* Sends the question to be embedded. False: no need to wait. */
static bool meaning_begin(struct turn *turn)
{
    bool first = !turn->meant;

    turn->meant = true;
    if (first) {
        turn->meaning = embed_question_new(job_http(turn->job), turn->part, turn->agent, turn->question,
                                           turn->arena, warmed, turn);
    }
    return first && turn->meaning != NULL;
}

/* Searches for the question as a whole. True: a reranker looks at what was found. */
static bool search_whole(struct turn *turn, struct kb_query *query)
{
    bool reranks = rerank_settings(turn->agent) != NULL;
    struct kb_query whole = *query;

    whole.vector = embed_question_vector(turn->meaning);
    whole.limit = reranks ? PASSAGES_MET : PASSAGES;
    turn->found = find(turn, &whole, turn->question, turn->previous);
    turn->reranked = true;
    return reranks && embed_rerank(job_http(turn->job), turn->part, turn->agent, turn->question, &turn->found,
                                   turn->arena, warmed, turn);
}

enum turn_outcome turn_search(struct turn *turn)
{
    struct kb_query query = query_of(turn);

    if (!turn->warmed) {
        turn->warmed = true;
        if (!kb_ready(turn->kb, &query, warmed, turn)) {
            return TURN_WAIT;
        }
    }
    if (meaning_begin(turn)) {
        return TURN_WAIT;
    }
    if (!turn->reranked && search_whole(turn, &query)) {
        return TURN_WAIT;
    }
    turn->found.count = turn->found.count < PASSAGES ? turn->found.count : PASSAGES;
    search_parts(turn, &query);
    turn->confidence = turn->found.count > 0 ? turn->found.confidence : 0;
    rule_own_topic(turn);
    return TURN_MORE;
}
