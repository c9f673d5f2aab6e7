/* analytics_questions.c: what customers ask most, and what the knowledge does not answer, clustered by
 * meaning.
 *
 * Both read from the newest on and look at no more than QUESTIONS_MOST questions (header X-Report-Complete
 * says "false" then, or when time was over). A gap is resolved when a search for its question is certain now:
 * the knowledge of today is asked, not a note of yesterday. */
#include <string.h>

#include "agent/profile/profile.h"
#include "bridge/api/list.h"
#include "bridge/api/report.h"
#include "kb/kb.h"

#define QUESTIONS_MOST  5000
#define LIMIT_DEFAULT   20
#define COLLECTIONS_MAX 64
#define THRESHOLD       0.5

/* Ends the call with a list that its limit has cut already. */
static void reply_list(struct report *r, json_t *rows)
{
    http_reply_header(r->c->req, "X-Report-Complete", r->complete ? "true" : "false");
    list_reply_sized(r->c, rows, r->limit);
    json_decref(rows);
}

/* ---- top questions ---- */

/* A reply is met before its question: keeps what the next question of the conversation needs to know of it.
 */
static void note_reply(struct report *r, const char *conversation, const json_t *message)
{
    const json_t *citation = json_array_get(jx_arr(message, "citations"), 0);
    const char *author = jx_str_or(jx_obj(message, "author"), "type", "");
    json_t *note = json_object();

    jx_set_bool(note, "answered",
                strcmp(author, "system") != 0 && strcmp(jx_str_or(message, "source", ""), "fallback") != 0);
    jx_set_str(note, "passage", jx_str(citation, "chunk_id"));
    jx_set(note, "confidence", json_real(jx_num(message, "confidence", -1)));
    jx_set(r->data, conversation, note);
}

static bool look_message(struct report *r, const char *id, const json_t *message)
{
    const char *conversation = jx_str_or(message, "conversation_id", "");
    const char *text = jx_str_or(message, "text", "");

    if (r->agent != NULL && strcmp(jx_str_or(message, "agent_id", ""), r->agent) != 0) {
        return true;
    }
    if (strcmp(jx_str_or(message, "direction", ""), "out") == 0) {
        note_reply(r, conversation, message);
        return true;
    }
    const json_t *reply = json_object_get(r->data, conversation);
    struct question question = {.text = text,
                                .message_id = id,
                                .conversation_id = conversation,
                                .agent_id = jx_str(message, "agent_id"),
                                .passage = jx_str(reply, "passage"),
                                .answered = jx_bool(reply, "answered", false),
                                .confidence = jx_num(reply, "confidence", -1),
                                .asked_at = jx_str(message, "created_at")};
    bool asks =
        strcmp(jx_str_or(message, "type", ""), "reaction") != 0 && clusters_add(r->clusters, &question);
    r->totals[METRIC_IN] += asks;
    return r->totals[METRIC_IN] < QUESTIONS_MOST;
}

static void questions_end(struct report *r)
{
    r->complete = r->complete && r->totals[METRIC_IN] < QUESTIONS_MOST;
    reply_list(r, clusters_list(r->clusters, r->limit));
}

void analytics_questions(struct call *c)
{
    static const struct report_spec spec = {.walks = {{KIND_MESSAGE, true, look_message}},
                                            .end = questions_end};
    struct report *r = report_new(c, LIMIT_DEFAULT);

    if (r != NULL) {
        report_start(r, &spec);
    }
}

/* ---- knowledge gaps ---- */

static bool look_gap(struct report *r, const char *id, const json_t *gap)
{
    (void)id;
    if (r->agent != NULL && strcmp(jx_str_or(gap, "agent_id", ""), r->agent) != 0) {
        return true;
    }
    struct question question = {.text = jx_str_or(gap, "question", ""),
                                .message_id = jx_str(gap, "message_id"),
                                .conversation_id = jx_str(gap, "conversation_id"),
                                .agent_id = jx_str(gap, "agent_id"),
                                .confidence = jx_num(gap, "confidence", -1),
                                .asked_at = jx_str(gap, "created_at")};
    r->totals[METRIC_IN] += clusters_add(r->clusters, &question);
    return r->totals[METRIC_IN] < QUESTIONS_MOST;
}

/* Asks the knowledge of today. */
static void recheck(struct report *r, json_t *gap)
{
    const char *ids[COLLECTIONS_MAX];
    struct kb_query query = {
        .part = r->c->part, .collections = ids, .text = jx_str_or(gap, "question", ""), .limit = 1};
    struct kb_result found = {.count = 0};
    json_t *agent = NULL;
    bool resolved = false;

    jx_set_str(gap, "document_id", NULL);
    if (agent_get(r->snap, r->c->part, jx_str_or(gap, "agent_id", ""), &agent, NULL) == ERR_OK) {
        json_t *collections = agent_collections(agent);
        for (size_t i = 0; i < json_array_size(collections) && i < COLLECTIONS_MAX; i++) {
            ids[query.collection_count++] = json_string_value(json_array_get(collections, i));
        }
        double threshold =
            jx_num(jx_obj(jx_obj(agent, "settings"), "chat"), "confidence_threshold", THRESHOLD);
        resolved = kb_search(r->c->api->app->kb, &query, r->c->arena, &found) == ERR_OK && found.count > 0 &&
                   found.confidence >= threshold;
        json_decref(collections);
        json_decref(agent);
    }
    jx_set_str(gap, "status", resolved ? "resolved" : "open");
    if (resolved) {
        jx_set_str(gap, "document_id", found.hits[0].chunk.document_id);
    }
}

static void gaps_end(struct report *r)
{
    const char *wanted = call_query(r->c, "status");
    json_t *all = clusters_list(r->clusters, LIMIT_DEFAULT * 5), *rows = json_array(), *gap;
    size_t i;

    r->complete = r->complete && r->totals[METRIC_IN] < QUESTIONS_MOST;
    json_array_foreach (all, i, gap) {
        if (json_array_size(rows) == r->limit) {
            break;
        }
        recheck(r, gap);
        json_object_del(gap, "answered");
        json_object_del(gap, "answered_share");
        if (wanted == NULL || strcmp(wanted, jx_str_or(gap, "status", "")) == 0) {
            jx_push(rows, json_incref(gap));
        }
    }
    json_decref(all);
    reply_list(r, rows);
}

void analytics_gaps(struct call *c)
{
    static const struct report_spec spec = {.walks = {{KIND_GAP, true, look_gap}}, .end = gaps_end};
    struct report *r = report_new(c, LIMIT_DEFAULT);

    if (r != NULL) {
        report_start(r, &spec);
    }
}
