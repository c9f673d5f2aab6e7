/* learn.c: see learn.h. POST .../phrasings/ takes a text, or the message that a person answered or checked:
 * then the document named is the right one for its question, and the answer's turn is labelled confirmed or
 * rejected by whether it had found that document first. */
#include "bridge/api/learn.h"

#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/documents.h"
#include "bridge/api/knowledge.h"
#include "channels/conversation.h"
#include "channels/feedback.h"
#include "kb/calibration.h"
#include "kb/kb.h"

#define LOOKED_BEHIND 20 /* messages of a burst before its answer */

/* A question and the turn that answered it; borrowed for the call, NULL where there is none. */
struct lesson {
    const char *text; /* of the customer */
    json_t *trace;
};

/* A record of the partition, kept for the call; NULL if it is not there. */
static json_t *look(struct call *c, enum kind kind, const char *id)
{
    json_t *record = NULL;

    if (id == NULL || id[0] == '\0' || snapshot_get(c->snap, kind, c->part, id, &record, NULL) != ERR_OK) {
        return NULL;
    }
    return call_keep(c, record);
}

/* The trace of the turn that a message came from, or of the first one behind it; NULL if there is none. Kept
 * for the call. */
static json_t *trace_behind(struct call *c, const json_t *message)
{
    struct page_query query = {.kind = KIND_MESSAGE,
                               .part = c->part,
                               .index = INDEX_MESSAGE_CONVERSATION,
                               .match = {jx_str_or(message, "conversation_id", "")},
                               .from = jx_str_or(message, "id", ""),
                               .limit = LOOKED_BEHIND};
    struct store_page page;
    json_t *trace = NULL;

    if (snapshot_page(c->snap, &query, &page) != ERR_OK) {
        return NULL;
    }
    for (size_t i = 0; trace == NULL && i < page.count; i++) {
        trace = kb_calibration_trace(c->snap, c->part, page.rows[i].id);
    }
    store_page_free(&page);
    return trace != NULL ? call_keep(c, trace) : NULL;
}

/* What can be learnt from a message of the customer or of the agent. */
static struct lesson lesson_of(struct call *c, const json_t *message)
{
    struct lesson lesson = {.trace = trace_behind(c, message)};
    bool asked = strcmp(jx_str_or(message, "direction", ""), "in") == 0;
    const json_t *question = asked ? message : look(c, KIND_MESSAGE, jx_str(lesson.trace, "question_id"));

    lesson.text = jx_str(question, "text");
    return lesson;
}

/* The document that the turn's first passage is of; NULL if it found none. */
static const char *answered_by(const json_t *trace)
{
    return jx_str(json_array_get(jx_arr(trace, "passages"), 0), "document_id");
}

/* Labels the turn: the document was the right one. */
static void label_turn(struct call *c, const json_t *trace, const char *document_id)
{
    const char *found = answered_by(trace);
    uint64_t rev;
    json_t *conversation = NULL;

    if (found == NULL ||
        snapshot_get(c->snap, KIND_CONVERSATION, c->part, jx_str_or(trace, "conversation_id", "-"),
                     &conversation, &rev) != ERR_OK) {
        return;
    }
    call_keep(c, conversation);
    struct feedback feedback = {.rating = strcmp(found, document_id) == 0 ? "up" : "down",
                                .message_id = jx_str(trace, "message_id"),
                                .by = "api"};
    call_keep(c, feedback_give(call_changes(c), c->snap, c->part, conversation, &feedback));
    conversation_put(call_changes(c), c->part, conversation, rev);
}

/* The lesson that the body's message_id names. False: the call has ended. */
static bool lesson_read(struct call *c, struct lesson *lesson)
{
    const json_t *message = look(c, KIND_MESSAGE, jx_str(c->body, "message_id"));

    if (message != NULL) {
        *lesson = lesson_of(c, message);
    }
    if (lesson->text == NULL) {
        call_fail(c, API_BAD_FIELD, "message_id",
                  "message_id: there is no such message, or no question of a customer behind it.");
        return false;
    }
    return true;
}

void knowledge_learn(struct call *c)
{
    uint64_t rev;
    struct lesson lesson = {.text = jx_str(c->body, "text")};
    json_t *doc = knowledge_find(c, &rev);

    if (doc == NULL) {
        return;
    }
    if ((lesson.text == NULL) == (jx_str(c->body, "message_id") == NULL)) {
        call_fail(c, API_BAD_FIELD, "text",
                  "text: say either the phrasing or the message_id of the question.");
        return;
    }
    if (lesson.text == NULL && !lesson_read(c, &lesson)) {
        return;
    }
    enum err rc = kb_document_learn(doc, lesson.text);
    if (rc != ERR_OK) {
        call_refuse(c, rc, "text",
                    rc == ERR_INVALID ? "must hold some text"
                                      : "the document has all the phrasings it may have");
        return;
    }
    document_put(call_changes(c), c->part, doc, rev);
    if (lesson.trace != NULL) {
        label_turn(c, lesson.trace, jx_str_or(doc, "id", ""));
    }
    call_commit_then(c, 201, document_public(doc), knowledge_committed);
}

bool learn_confirmed(struct call *c, const char *message_id)
{
    const json_t *message = look(c, KIND_MESSAGE, message_id);
    struct lesson lesson = {.text = NULL};
    json_t *doc = NULL;
    uint64_t rev;

    if (message != NULL) {
        lesson = lesson_of(c, message);
    }
    const char *id = answered_by(lesson.trace);
    if (lesson.text == NULL || id == NULL ||
        snapshot_get(c->snap, KIND_DOCUMENT, c->part, id, &doc, &rev) != ERR_OK) {
        return false;
    }
    call_keep(c, doc);
    if (kb_document_learn(doc, lesson.text) != ERR_OK) {
        return false;
    }
    document_put(call_changes(c), c->part, doc, rev);
    return true;
}

void knowledge_calibration(struct call *c)
{
    json_t *record = call_snap(c) != NULL ? look(c, KIND_SETTING, KB_CALIBRATION_SETTING) : NULL;
    json_t *answer = record != NULL ? json_copy(record) : json_object();

    if (record == NULL) {
        jx_set_bool(answer, "taken", false);
        jx_set_int(answer, "labels", 0);
        jx_set(answer, "stretch", json_real(1));
        jx_set(answer, "shift", json_real(0));
        jx_set_str(answer, "reason", "There are too few labels, or too few of one kind.");
    }
    json_object_del(answer, "feedback");
    if (c->snap != NULL) {
        jx_set_int(answer, "labels_needed", KB_REFIT_LABELS);
        call_reply(c, 200, answer);
        return;
    }
    json_decref(answer);
}
