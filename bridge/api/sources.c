/* sources.c: routes and rules of knowledge sources: reading again, pages. */
#include "bridge/api/sources.h"

#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/documents.h"
#include "bridge/api/knowledge.h"
#include "bridge/api/list.h"
#include "kb/kb.h"
#include "kb/source/page.h"
#include "kb/source/source.h"

/* Fields that only sources have. */
static const char *const OWN[] = {"url", "file_id", "file_sha256", "schedule", "max_pages",     "max_depth",
                                  "run", "tick",    "pages",       "etag",     "last_modified", "synced_at", "next_attempt_at"};
/* Fields whose change asks for a new reading. */
static const char *const READ_FROM[] = {"doc_type", "url", "file_sha256", "content", "max_pages", "max_depth"};

/* True if one of the fields differs. */
static bool differ(const json_t *a, const json_t *b, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *x = json_object_get(a, names[i]), *y = json_object_get(b, names[i]);
        if (x == NULL || y == NULL ? x != y : !json_equal(x, y)) {
            return true;
        }
    }
    return false;
}

/* The file that the document names: there, and whole. */
static enum err file_take(struct snapshot *snap, const char *part, json_t *doc, const char **field,
                          struct buf *why)
{
    json_t *file = NULL;
    const char *id = jx_str(doc, "file_id");

    json_object_del(doc, "file_sha256");
    if (id == NULL) {
        return ERR_OK;
    }
    enum err rc =
        strlen(id) > STORE_ID_MAX ? ERR_NOTFOUND : snapshot_get(snap, KIND_FILE, part, id, &file, NULL);
    if (rc == ERR_OK && strcmp(jx_str_or(file, "state", ""), "ready") == 0) {
        jx_set_str(doc, "file_sha256", jx_str_or(file, "sha256", ""));
    } else {
        *field = "file_id";
        buf_adds(why, rc == ERR_OK ? "names a file that is not there yet" : "names no file of this account");
        rc = ERR_INVALID;
    }
    json_decref(file);
    return rc;
}

enum err source_settle(struct changes *cs, struct snapshot *snap, const char *part, const json_t *before,
                       json_t *doc, const char **field, struct buf *why)
{
    static const char *const schedule[] = {"schedule"};
    bool was = before != NULL && kb_doc_type_source(jx_str(before, "doc_type"));

    if (!kb_doc_type_source(jx_str(doc, "doc_type"))) {
        for (size_t i = 0; i < sizeof OWN / sizeof *OWN; i++) {
            json_object_del(doc, OWN[i]);
        }
        if (was) {
            source_drop(cs, part, jx_str(doc, "id"));
        }
        kb_document_prepare(doc);
        return ERR_OK;
    }
    enum err rc = file_take(snap, part, doc, field, why);
    if (rc != ERR_OK) {
        return rc;
    }
    kb_document_prepare(doc);
    if (!was) {
        jx_set_int(doc, "size", 0);
    }
    if (!was || differ(before, doc, READ_FROM, sizeof READ_FROM / sizeof *READ_FROM)) {
        source_queue(cs, part, doc);
    }
    if (was ? differ(before, doc, schedule, 1) : jx_str(doc, "schedule") != NULL) {
        source_schedule(cs, part, doc);
    }
    return ERR_OK;
}

void source_delete(struct changes *cs, const char *part, const json_t *doc)
{
    changes_delete(cs, KIND_DOCUMENT, part, jx_str_or(doc, "id", "-"));
    if (kb_doc_type_source(jx_str(doc, "doc_type"))) {
        source_drop(cs, part, jx_str(doc, "id"));
    }
}

void knowledge_sync(struct call *c)
{
    uint64_t rev;
    json_t *doc = knowledge_find(c, &rev);

    if (doc == NULL) {
        return;
    }
    if (!kb_doc_type_source(jx_str(doc, "doc_type"))) {
        call_fail(c, API_IMPOSSIBLE, NULL, "The document's text stands in it; only sources are read again.");
        return;
    }
    source_queue(call_changes(c), c->part, doc);
    document_put(call_changes(c), c->part, doc, rev);
    call_commit(c, 202, document_brief(doc));
}

/* One page as it leaves. */
static json_t *show_page(const json_t *page)
{
    static const char *const shown[] = {"id",  "document_id", "ordinal", "title",
                                        "url", "number",      "size",    "fetched_at"};
    json_t *out = json_object();

    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        json_t *value = json_object_get(page, shown[i]);
        if (value != NULL) {
            jx_set(out, shown[i], json_incref(value));
        }
    }
    return out;
}

void knowledge_pages(struct call *c)
{
    json_t *doc = knowledge_find(c, NULL);

    if (doc == NULL) {
        return;
    }
    const char *id = jx_str_or(doc, "id", "");
    struct list_spec spec = {
        .query = {.kind = KIND_PAGE, .part = c->part, .index = INDEX_PAGE_DOCUMENT, .match = {id}},
        .show = show_page,
        .cursors = true};
    spec.total = (int64_t)snapshot_count(c->snap, KIND_PAGE, c->part, INDEX_PAGE_DOCUMENT, id);
    list_reply(c, &spec);
}
