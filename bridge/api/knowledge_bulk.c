/* knowledge_bulk.c: up to 500 documents in one call and one change-set; each has its own outcome, and a bad
 * one does not spoil the others. A repeated push with the same external ids changes nothing. */
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/documents.h"
#include "bridge/api/knowledge.h"
#include "bridge/api/schema.h"
#include "bridge/api/sources.h"

enum outcome { CREATED, UPDATED, UNCHANGED, FAILED, OUTCOMES };
static const char *const outcome_names[OUTCOMES] = {"created", "updated", "unchanged", "failed"};

struct bulk {
    struct call *c;
    const json_t *agent;
    json_t *results;
    json_t *seen; /* external id -> record written earlier in this call */
    unsigned counts[OUTCOMES];
};

/* Notes what became of one document. */
static void note(struct bulk *bulk, enum outcome outcome, const json_t *doc, const json_t *given)
{
    json_t *row = json_object();
    jx_set_str(row, "external_id", jx_str(given, "external_id"));
    jx_set_str(row, "id", jx_str(doc, "id"));
    jx_set_str(row, "status", outcome_names[outcome]);
    bulk->counts[outcome]++;
    jx_push(bulk->results, row);
}

/* A refused document: why, naming its field. */
static void note_failed(struct bulk *bulk, const json_t *given, const char *field, const char *why)
{
    note(bulk, FAILED, NULL, given);
    json_t *row = json_array_get(bulk->results, json_array_size(bulk->results) - 1);
    json_t *error = json_object();
    jx_set_str(error, "code", "INVALID_PARAMETER");
    jx_set_str(error, "field", field);
    jx_set(error, "message", json_sprintf("%s %s", field, why));
    jx_set(row, "error", error);
}

/* The document of that external id: written in this call already, or stored. *rev 0: the former or none. */
static json_t *find(struct bulk *bulk, const char *external_id, uint64_t *rev)
{
    json_t *doc = NULL;
    *rev = 0;
    if (external_id == NULL) {
        return NULL;
    }
    doc = json_object_get(bulk->seen, external_id);
    if (doc != NULL) {
        return doc;
    }
    enum err rc = document_find_external(bulk->c->snap, bulk->c->part,
                                         jx_str_or(bulk->agent, "collection_id", ""), external_id, &doc, rev);
    return rc == ERR_OK ? call_keep(bulk->c, doc) : NULL;
}

/* Writes a checked document and notes how. */
static void write(struct bulk *bulk, const json_t *old, json_t *doc, uint64_t rev, const json_t *given)
{
    struct call *c = bulk->c;
    const char *external_id = jx_str(given, "external_id");
    if (old == NULL) {
        document_add(call_changes(c), c->snap, c->part, doc);
    } else if (document_same(old, doc)) {
        note(bulk, UNCHANGED, doc, given);
        return;
    } else if (rev != 0) {
        document_put(call_changes(c), c->part, doc, rev);
    } else {
        changes_put(call_changes(c), KIND_DOCUMENT, c->part, jx_str(doc, "id"), doc);
    }
    if (external_id != NULL) {
        jx_set(bulk->seen, external_id, json_incref(doc));
    }
    note(bulk, old == NULL ? CREATED : UPDATED, doc, given);
}

/* One document of the call. */
static void take(struct bulk *bulk, const json_t *given)
{
    struct schema_fault fault;
    struct buf why;
    uint64_t rev;
    const char *field = NULL;
    if (schema_check(SCHEMA_DOCUMENT, given, false, &fault) != ERR_OK) {
        note_failed(bulk, given, fault.field, fault.why);
        return;
    }
    json_t *old = find(bulk, jx_str(given, "external_id"), &rev);
    json_t *doc =
        old != NULL ? json_copy(old)
                    : document_blank(jx_str_or(bulk->agent, "collection_id", ""), jx_str(bulk->agent, "id"));
    call_keep(bulk->c, doc);
    buf_init(&why, 512);
    enum err rc = document_take(doc, given, &field, &why);
    if (rc == ERR_OK) {
        rc = source_settle(call_changes(bulk->c), bulk->c->snap, bulk->c->part, old, doc, &field, &why);
    }
    if (rc != ERR_OK) {
        note_failed(bulk, given, field, buf_str(&why));
    } else {
        write(bulk, old, doc, rev, given);
    }
    buf_fini(&why);
}

void knowledge_bulk_put(struct call *c)
{
    size_t i;
    json_t *given, *out = json_object();
    const json_t *documents = jx_arr(c->body, "documents");
    call_keep(c, out);
    struct bulk bulk = {.c = c, .agent = knowledge_home(c), .results = json_array(), .seen = json_object()};
    jx_set(out, "results", bulk.results);
    call_keep(c, bulk.seen);
    if (bulk.agent == NULL || !call_charge(c, (unsigned)json_array_size(documents))) {
        return;
    }
    json_array_foreach (documents, i, given) {
        take(&bulk, given);
    }
    json_t *answer = json_object();
    for (unsigned k = 0; k < OUTCOMES; k++) {
        jx_set_int(answer, outcome_names[k], bulk.counts[k]);
    }
    jx_set(answer, "results", json_incref(bulk.results));
    if (bulk.counts[CREATED] + bulk.counts[UPDATED] == 0) {
        call_reply(c, 200, answer);
    } else {
        document_event(call_changes(c), c->snap, c->part, jx_str(bulk.agent, "id"),
                       bulk.counts[CREATED] + bulk.counts[UPDATED], NULL);
        call_commit_then(c, 200, answer, knowledge_committed);
    }
}

/* Removes one document of this agent; false if there is none. */
static bool drop(struct call *c, const json_t *agent, const char *id, const char *external_id)
{
    json_t *doc = NULL;
    uint64_t rev;
    const char *collection = jx_str_or(agent, "collection_id", "");
    enum err rc = id == NULL ? document_find_external(c->snap, c->part, collection, external_id, &doc, &rev)
                  : strlen(id) > STORE_ID_MAX ? ERR_NOTFOUND
                                              : snapshot_get(c->snap, KIND_DOCUMENT, c->part, id, &doc, &rev);
    bool ours = rc == ERR_OK && strcmp(jx_str_or(doc, "collection_id", ""), collection) == 0;
    if (ours) {
        changes_expect(call_changes(c), KIND_DOCUMENT, c->part, jx_str(doc, "id"), rev);
        source_delete(call_changes(c), c->part, doc);
    }
    json_decref(doc);
    return ours;
}

/* Removes every document that one list of the body names. */
static void drop_list(struct call *c, const json_t *agent, const char *list, json_t *results,
                      int64_t *deleted)
{
    size_t i;
    json_t *item;
    bool external = strcmp(list, "external_ids") == 0;
    json_array_foreach (jx_arr(c->body, list), i, item) {
        const char *text = json_string_value(item);
        bool done = drop(c, agent, external ? NULL : text, external ? text : NULL);
        json_t *row = json_object();
        jx_set_str(row, external ? "external_id" : "id", text);
        jx_set_str(row, "status", done ? "deleted" : "not_found");
        jx_push(results, row);
        *deleted += done;
    }
}

void knowledge_bulk_delete(struct call *c)
{
    int64_t deleted = 0;
    json_t *agent = knowledge_home(c);
    if (agent == NULL) {
        return;
    }
    if (jx_arr(c->body, "ids") == NULL && jx_arr(c->body, "external_ids") == NULL) {
        call_fail(c, API_BAD_FIELD, "ids", "ids or external_ids is required.");
        return;
    }
    json_t *answer = json_object(), *results = json_array();
    drop_list(c, agent, "ids", results, &deleted);
    drop_list(c, agent, "external_ids", results, &deleted);
    jx_set_int(answer, "deleted", deleted);
    jx_set(answer, "results", results);
    if (deleted == 0) {
        call_reply(c, 200, answer);
    } else {
        call_commit_then(c, 200, answer, knowledge_committed);
    }
}
