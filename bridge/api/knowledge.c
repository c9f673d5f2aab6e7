/* knowledge.c: an agent's own documents. A call that changes knowledge answers when the change can be found
 * by search. */
#include "kb/kb.h"

#include <string.h>

#include "agent/agent.h"
#include "agent/embed/embed.h"
#include "bridge/api/call.h"
#include "bridge/api/documents.h"
#include "bridge/api/knowledge.h"
#include "bridge/api/list.h"
#include "bridge/api/sources.h"
#include "kb/calibration.h"
#include "kb/source/page.h"
#include "queue/base/httpc.h"
#include "queue/base/loop.h"

#define SEARCH_LIMIT    5
#define COLLECTIONS_MAX 128

void knowledge_list(struct call *c)
{
    json_t *agent = knowledge_home(c);
    if (agent == NULL) {
        return;
    }
    const char *collection = jx_str_or(agent, "collection_id", "");
    struct list_spec spec = {.query = {.kind = KIND_DOCUMENT,
                                       .part = c->part,
                                       .index = INDEX_DOCUMENT_COLLECTION,
                                       .match = {collection}},
                             .show = document_brief,
                             .cursors = true};
    spec.total =
        (int64_t)snapshot_count(c->snap, KIND_DOCUMENT, c->part, INDEX_DOCUMENT_COLLECTION, collection);
    list_reply(c, &spec);
}

static void indexed(void *arg)
{
    call_answer(arg);
}

/* Durable; the answer waits until search sees it too. */
void knowledge_committed(struct call *c, uint64_t rev)
{
    kb_when_indexed(c->api->app->kb, rev, indexed, c);
}

/* True if no other document of the collection has this external id. False: the call has ended with 409. */
static bool external_free(struct call *c, const json_t *doc)
{
    uint64_t rev;
    json_t *other = NULL;
    const char *external_id = jx_str(doc, "external_id");
    if (external_id == NULL || document_find_external(c->snap, c->part, jx_str_or(doc, "collection_id", ""),
                                                      external_id, &other, &rev) != ERR_OK) {
        return true;
    }
    bool same = strcmp(jx_str_or(other, "id", ""), jx_str_or(doc, "id", "")) == 0;
    json_decref(other);
    if (!same) {
        call_fail(c, API_EXISTS, "external_id", "external_id: another document of this collection has it.");
    }
    return same;
}

/* knowledge.synced for a document that is ready at once; a source tells of itself when it was read. */
static void written_event(struct call *c, const json_t *doc)
{
    if (!kb_doc_type_source(jx_str(doc, "doc_type"))) {
        document_event(call_changes(c), c->snap, c->part, jx_str(doc, "agent_id"), 1, doc);
    }
}

void knowledge_create(struct call *c)
{
    const char *field = NULL;
    json_t *agent = knowledge_home(c);
    if (agent == NULL) {
        return;
    }
    json_t *doc = call_keep(c, document_blank(jx_str_or(agent, "collection_id", ""), jx_str(agent, "id")));
    enum err rc = document_take(doc, c->body, &field, &c->why);
    if (rc == ERR_OK) {
        rc = source_settle(call_changes(c), c->snap, c->part, NULL, doc, &field, &c->why);
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
    } else if (external_free(c, doc)) {
        document_add(call_changes(c), c->snap, c->part, doc);
        written_event(c, doc);
        call_commit_then(c, 201, document_public(doc), knowledge_committed);
    }
}

json_t *knowledge_find(struct call *c, uint64_t *rev)
{
    json_t *agent = knowledge_home(c);
    json_t *doc = agent != NULL ? call_find(c, KIND_DOCUMENT, call_param(c, "document"), rev) : NULL;
    if (doc != NULL &&
        strcmp(jx_str_or(doc, "collection_id", ""), jx_str_or(agent, "collection_id", "")) != 0) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such document.");
        return NULL;
    }
    return doc;
}

void knowledge_show(struct call *c)
{
    json_t *doc = knowledge_find(c, NULL);
    if (doc != NULL) {
        call_reply(c, 200, document_public(doc));
    }
}

/* PUT replaces: what the body does not name is unset. */
static void clear_fields(json_t *doc)
{
    static const char *const cleared[] = {"content", "doc_type", "phrasings", "external_id", "enabled",
                                          "url",     "file_id",  "schedule",  "max_pages",   "max_depth"};
    for (unsigned i = 0; i < sizeof(cleared) / sizeof(cleared[0]); i++) {
        json_object_del(doc, cleared[i]);
    }
    jx_set(doc, "metadata", json_object());
}

void knowledge_change(struct call *c)
{
    uint64_t rev;
    const char *field = NULL;
    json_t *doc = knowledge_find(c, &rev);
    if (doc == NULL) {
        return;
    }
    json_t *before = call_keep(c, json_copy(doc));
    if (strcmp(c->route->method, "PUT") == 0) {
        clear_fields(doc);
    }
    enum err rc = document_take(doc, c->body, &field, &c->why);
    if (rc == ERR_OK) {
        rc = source_settle(call_changes(c), c->snap, c->part, before, doc, &field, &c->why);
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, field, buf_str(&c->why));
    } else if (external_free(c, doc)) {
        document_put(call_changes(c), c->part, doc, rev);
        written_event(c, doc);
        call_commit_then(c, 200, document_public(doc), knowledge_committed);
    }
}

void knowledge_delete(struct call *c)
{
    uint64_t rev;
    json_t *doc = knowledge_find(c, &rev);
    if (doc != NULL) {
        changes_expect(call_changes(c), KIND_DOCUMENT, c->part, jx_str(doc, "id"), rev);
        source_delete(call_changes(c), c->part, doc);
        call_commit_then(c, 204, NULL, knowledge_committed);
    }
}

/* Adds the passages of a document, or of a page as the index sees it. False: the call has ended. */
static bool add_chunks(struct call *c, const json_t *doc, json_t *rows)
{
    struct kb_chunk *chunks;
    size_t count;
    enum err rc = kb_document_chunks(doc, c->arena, &chunks, &count);

    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        json_t *row = json_object();
        jx_set_str(row, "id", chunks[i].id);
        jx_set_str(row, "document_id", chunks[i].document_id);
        jx_set_str(row, "title", chunks[i].title);
        jx_set_str(row, "text", chunks[i].text);
        jx_set_int(row, "ordinal", (int64_t)json_array_size(rows));
        jx_set_int(row, "tokens", chunks[i].tokens);
        jx_push(rows, row);
    }
    return true;
}

void knowledge_chunks(struct call *c)
{
    json_t *pages = NULL, *page;
    size_t i;
    json_t *doc = knowledge_find(c, NULL);
    if (doc == NULL) {
        return;
    }
    json_t *rows = call_keep(c, json_array());
    if (!kb_doc_type_source(jx_str(doc, "doc_type"))) {
        if (add_chunks(c, doc, rows)) {
            list_reply_array(c, rows);
        }
        return;
    }
    enum err rc = pages_load(c->snap, c->part, jx_str_or(doc, "id", ""), &pages);
    call_keep(c, pages);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    json_array_foreach (pages, i, page) {
        if (!add_chunks(c, call_keep(c, kb_page_document(page, doc)), rows)) {
            return;
        }
    }
    list_reply_array(c, rows);
}

/* One hit as it leaves. */
static json_t *show_hit(const struct kb_hit *hit)
{
    json_t *row = json_object();
    jx_set_str(row, "document_id", hit->chunk.document_id);
    jx_set_str(row, "chunk_id", hit->chunk.id);
    jx_set_str(row, "title", hit->chunk.title);
    jx_set_str(row, "text", hit->chunk.text);
    jx_set(row, "score", json_real(hit->score));
    return row;
}

/* A search that waits: for the index, for the question's vector, for a reranker. The call's state. */
struct searching {
    struct call *c;
    struct httpc *http; /* NULL: none was needed yet */
    struct embed_question *meaning;
    bool warmed, meant, found;
    struct kb_result result;
};

/* What was waited for is there, or will not be: the handler runs again. */
static void search_on(void *arg)
{
    struct searching *s = arg;
    call_run(s->c);
}

static void client_free(void *arg)
{
    httpc_free(arg);
}

/* The client of this search. */
static struct httpc *search_http(struct searching *s)
{
    if (s->http == NULL) {
        s->http = httpc_new(loop_current());
    }
    return s->http;
}

/* Lets go of the client, but not inside its own callback. */
static void search_rest(struct searching *s)
{
    if (s->http != NULL) {
        loop_post(loop_current(), client_free, s->http);
        s->http = NULL;
    }
}

/* Everything but the order of a reranker. False: the call waits, or has ended. */
static bool search_find(struct searching *s, struct kb_query *query, const json_t *agent)
{
    struct call *c = s->c;
    bool reranks = rerank_settings(agent) != NULL;
    size_t limit = query->limit;
    bool warm = s->warmed || kb_ready(c->api->app->kb, query, search_on, s);
    s->warmed = true;
    if (!warm) {
        call_wait(c);
        return false;
    }
    if (!s->meant && embed_settings(agent) != NULL) {
        s->meant = true;
        s->meaning = embed_question_new(search_http(s), c->part, agent, query->text, c->arena, search_on, s);
        if (s->meaning != NULL) {
            call_wait(c);
            return false;
        }
    }
    query->vector = embed_question_vector(s->meaning);
    query->limit = reranks && limit < EMBED_RERANK ? EMBED_RERANK : limit;
    enum err rc = kb_search(c->api->app->kb, query, c->arena, &s->result);
    s->found = true;
    if (rc != ERR_OK) {
        search_rest(s);
        call_refuse(c, rc, NULL, "");
        return false;
    }
    if (reranks &&
        embed_rerank(search_http(s), c->part, agent, query->text, &s->result, c->arena, search_on, s)) {
        call_wait(c);
        return false;
    }
    return true;
}

/* Searches these collections as this agent would. */
static void search(struct call *c, const json_t *agent, const json_t *collections)
{
    const char *ids[COLLECTIONS_MAX];
    struct kb_query query = {.part = c->part, .collections = ids, .text = jx_str(c->body, "query")};
    int64_t limit = jx_int(c->body, "limit", SEARCH_LIMIT);
    query.limit = limit > 0 ? (size_t)limit : SEARCH_LIMIT;
    for (size_t i = 0; i < json_array_size(collections) && i < COLLECTIONS_MAX; i++) {
        ids[query.collection_count++] = json_string_value(json_array_get(collections, i));
    }
    struct searching *s = c->state;
    if (s == NULL) {
        s = c->state = arena_alloc(c->arena, sizeof(*s));
        *s = (struct searching){.c = c};
    }
    size_t most = query.limit;
    if (!s->found && !search_find(s, &query, agent)) {
        return;
    }
    search_rest(s);
    json_t *out = json_object(), *rows = json_array();
    for (size_t i = 0; i < s->result.count && i < most; i++) {
        jx_push(rows, show_hit(&s->result.hits[i]));
    }
    jx_set_str(out, "query", query.text);
    struct kb_calibration own = kb_calibration_read(c->snap, c->part);
    jx_set(out, "confidence", json_real(kb_calibrate(&own, s->result.shipped)));
    jx_set(out, "results", rows);
    call_reply(c, 200, out);
}

void knowledge_search(struct call *c)
{
    json_t *agent = call_agent(c, NULL);
    if (agent != NULL) {
        search(c, agent, call_keep(c, agent_collections(agent)));
    }
}
