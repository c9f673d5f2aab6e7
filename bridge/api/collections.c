/* collections.c: collections of documents, which agents have beside their own. The collection that an agent
 * was made with is among them: it lives and dies with its agent. */
#include <string.h>

#include "agent/embed/embed.h"
#include "agent/profile/profile.h"
#include "bridge/api/call.h"
#include "bridge/api/knowledge.h"
#include "bridge/api/list.h"
#include "bridge/api/sources.h"
#include "queue/base/clock.h"

#define DELETE_MOST 15000 /* documents that go in one change-set */

/* The shape that leaves. */
static json_t *show(const json_t *collection)
{
    static const char *const shown[] = {"id",       "name",       "description", "agent_id",
                                        "metadata", "created_at", "updated_at"};
    json_t *out = json_object();
    for (unsigned i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        json_t *value = json_object_get(collection, shown[i]);
        jx_set(out, shown[i], value != NULL ? json_incref(value) : json_null());
    }
    return out;
}

/* The same with the number of its documents. */
static json_t *show_counted(struct call *c, const json_t *collection)
{
    json_t *out = show(collection);
    jx_set_int(out, "documents_count",
               (int64_t)snapshot_count(c->snap, KIND_DOCUMENT, c->part, INDEX_DOCUMENT_COLLECTION,
                                       jx_str(collection, "id")));
    return out;
}

/* Adds how far the passages are embedded, if the agent that owns the collection has a model for it. */
static void show_embedding(struct call *c, const json_t *collection, json_t *out)
{
    json_t *agent = NULL;
    uint8_t mark[KB_MODEL_MARK];
    uint64_t done, total;
    const char *owner = jx_str(collection, "agent_id");
    if (owner == NULL || agent_get(c->snap, c->part, owner, &agent, NULL) != ERR_OK) {
        return;
    }
    const json_t *own = embed_settings(call_keep(c, agent));
    if (own == NULL) {
        return;
    }
    embed_mark(own, mark);
    struct kb_embed_scope scope = {c->part, jx_str_or(collection, "id", ""), mark};
    if (kb_embedded_count(c->api->app->kb, &scope, &done, &total) == ERR_OK) {
        json_t *state = json_object();
        jx_set_int(state, "done", (int64_t)done);
        jx_set_int(state, "total", (int64_t)total);
        jx_set_str(state, "model", jx_str_or(own, "name", ""));
        jx_set(out, "embedding", state);
    }
}

void collections_list(struct call *c)
{
    struct list_spec spec = {.query = {.kind = KIND_COLLECTION, .part = c->part}, .show = show};
    if (call_snap(c) != NULL) {
        spec.total = (int64_t)snapshot_count(c->snap, KIND_COLLECTION, c->part, INDEX_NONE, NULL);
        list_reply(c, &spec);
    }
}

/* Takes the body's fields; what it lacks is unset if all is to be replaced. False: the call has ended. */
static bool take(struct call *c, json_t *collection, bool whole)
{
    static const char *const fields[] = {"name", "description", "metadata"};
    const char *name = jx_str(c->body, "name");
    if (name != NULL && name[strspn(name, " \t\r\n")] == '\0') {
        call_fail(c, API_BAD_FIELD, "name", "name must not be empty.");
        return false;
    }
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        json_t *value = json_object_get(c->body, fields[i]);
        if (value != NULL) {
            jx_set(collection, fields[i], json_incref(value));
        } else if (whole) {
            json_object_del(collection, fields[i]);
        }
    }
    if (jx_obj(collection, "metadata") == NULL) {
        jx_set(collection, "metadata", json_object());
    }
    jx_set_time(collection, "updated_at", clock_wall_ms());
    return true;
}

void collections_create(struct call *c)
{
    json_t *collection = call_keep(c, json_object());
    if (call_snap(c) == NULL) {
        return;
    }
    jx_set_str(collection, "id", id_new(kind_row(KIND_COLLECTION)->prefix).text);
    jx_set_time(collection, "created_at", clock_wall_ms());
    if (take(c, collection, true)) {
        const char *id = jx_str(collection, "id");
        changes_expect(call_changes(c), KIND_COLLECTION, c->part, id, 0);
        changes_put(call_changes(c), KIND_COLLECTION, c->part, id, collection);
        call_audit(c, "collection.created", id);
        call_commit(c, 201, show_counted(c, collection));
    }
}

/* The collection that the path names. NULL: 404. */
static json_t *find(struct call *c, uint64_t *rev)
{
    return call_find(c, KIND_COLLECTION, call_param(c, "collection"), rev);
}

void collections_show(struct call *c)
{
    json_t *collection = find(c, NULL);
    if (collection != NULL) {
        json_t *out = show_counted(c, collection);
        show_embedding(c, collection, out);
        call_reply(c, 200, out);
    }
}

void collections_change(struct call *c)
{
    uint64_t rev;
    json_t *collection = find(c, &rev);
    if (collection != NULL && take(c, collection, strcmp(c->route->method, "PUT") == 0)) {
        const char *id = jx_str(collection, "id");
        changes_expect(call_changes(c), KIND_COLLECTION, c->part, id, rev);
        changes_put(call_changes(c), KIND_COLLECTION, c->part, id, collection);
        call_audit(c, "collection.updated", id);
        call_commit(c, 200, show_counted(c, collection));
    }
}

struct deletion {
    struct call *c;
    size_t count;
};

static bool delete_document(const struct store_row *row, void *arg)
{
    struct deletion *deletion = arg;
    if (++deletion->count > DELETE_MOST) {
        return false;
    }
    source_delete(call_changes(deletion->c), deletion->c->part, row->body);
    return true;
}

/* Deletes its documents. False: too many for one change-set, or the store failed; the call has ended. */
static bool delete_documents(struct call *c, const char *id)
{
    struct deletion deletion = {.c = c};
    struct page_query query = {
        .kind = KIND_DOCUMENT, .part = c->part, .index = INDEX_DOCUMENT_COLLECTION, .match = {id}};
    enum err rc = snapshot_rows(c->snap, &query, delete_document, &deletion);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
    } else if (deletion.count > DELETE_MOST) {
        call_fail(c, API_IMPOSSIBLE, NULL,
                  "The collection has too many documents: remove them first, 500 in one call.");
    }
    return rc == ERR_OK && deletion.count <= DELETE_MOST;
}

struct detaching {
    struct call *c;
    const char *id; /* of the collection */
};

/* Takes the collection off one agent's list. */
static bool detach(const struct store_row *row, void *arg)
{
    const struct detaching *detaching = arg;
    struct call *c = detaching->c;
    json_t *agent = json_deep_copy(row->body), *list = jx_arr(jx_obj(agent, "knowledge"), "collections");
    size_t before = json_array_size(list);
    for (size_t i = before; i > 0; i--) {
        if (strcmp(json_string_value(json_array_get(list, i - 1)), detaching->id) == 0) {
            json_array_remove(list, i - 1);
        }
    }
    if (json_array_size(list) != before) {
        changes_expect(call_changes(c), KIND_AGENT, c->part, row->id, row->rev);
        changes_put(call_changes(c), KIND_AGENT, c->part, row->id, agent);
    }
    json_decref(agent);
    return true;
}

/* Takes the collection off every agent. False: the call has ended. */
static bool detach_all(struct call *c, const char *id)
{
    struct page_query query = {.kind = KIND_AGENT, .part = c->part};
    enum err rc = snapshot_rows(c->snap, &query, detach, &(struct detaching){.c = c, .id = id});
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
    }
    return rc == ERR_OK;
}

void collections_delete(struct call *c)
{
    uint64_t rev;
    json_t *collection = find(c, &rev);
    if (collection == NULL) {
        return;
    }
    const char *id = jx_str(collection, "id");
    if (jx_str(collection, "agent_id") != NULL) {
        call_fail(c, API_IMPOSSIBLE, NULL, "This is an agent's own collection: it goes with its agent.");
        return;
    }
    changes_expect(call_changes(c), KIND_COLLECTION, c->part, id, rev);
    if (delete_documents(c, id) && detach_all(c, id)) {
        changes_delete(call_changes(c), KIND_COLLECTION, c->part, id);
        call_audit(c, "collection.deleted", id);
        call_commit_then(c, 204, NULL, knowledge_committed);
    }
}

json_t *knowledge_home(struct call *c)
{
    const char *id = call_param(c, "collection");
    if (id[0] == '\0') {
        return call_agent(c, NULL);
    }
    json_t *collection = call_find(c, KIND_COLLECTION, id, NULL);
    if (collection == NULL) {
        return NULL;
    }
    json_t *home = call_keep(c, json_object());
    jx_set_str(home, "collection_id", id);
    jx_set_str(home, "id", jx_str(collection, "agent_id"));
    return home;
}
