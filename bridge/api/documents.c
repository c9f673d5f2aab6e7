/* documents.c: the record of a document: checked, prepared for the index, guarded by its external id. */
#include "bridge/api/documents.h"

#include <stdio.h>
#include <string.h>

#include "kb/kb.h"
#include "kb/source/source.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"
#include "queue/events.h"

#define GUARD_MAX 140

static const char *const fields[] = {"title",       "content",  "doc_type", "phrasings", "external_id", "metadata",
                                     "enabled",     "url",      "file_id",  "schedule",  "max_pages",   "max_depth"};

/* Names the field. */
static enum err refuse(const char **field, struct buf *why, const char *name, const char *reason)
{
    *field = name;
    buf_adds(why, reason);
    return ERR_INVALID;
}

enum err document_take(json_t *doc, const json_t *body, const char **field, struct buf *why)
{
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        json_t *value = json_object_get(body, fields[i]);
        if (json_is_null(value)) {
            json_object_del(doc, fields[i]);
        } else if (value != NULL) {
            jx_set(doc, fields[i], json_incref(value));
        }
    }
    const char *content = jx_str_or(doc, "content", "");
    if (jx_str(doc, "doc_type") == NULL) {
        jx_set_str(doc, "doc_type", "text");
    }
    if (!kb_doc_type_known(jx_str(doc, "doc_type"))) {
        return refuse(field, why, "doc_type", "must be one of text, faq, markdown, html, url, sitemap, file, feed");
    }
    bool source = kb_doc_type_source(jx_str(doc, "doc_type"));
    const char *fault = "";
    if (source && source_check(doc, field, &fault) != ERR_OK) {
        buf_adds(why, fault);
        return ERR_INVALID;
    }
    if (!source && content[strspn(content, " \t\r\n")] == '\0') {
        return refuse(field, why, "content", "must hold some text");
    }
    const char *title = jx_str_or(doc, "title", "");
    if (title[strspn(title, " \t\r\n")] == '\0') {
        return refuse(field, why, "title", "must not be empty");
    }
    kb_document_prepare(doc);
    return ERR_OK;
}

json_t *document_blank(const char *collection_id, const char *agent_id)
{
    int64_t now = clock_wall_ms();
    json_t *doc = json_object();
    jx_set_str(doc, "id", id_new(kind_row(KIND_DOCUMENT)->prefix).text);
    jx_set_str(doc, "collection_id", collection_id);
    if (agent_id != NULL) {
        jx_set_str(doc, "agent_id", agent_id);
    }
    jx_set(doc, "metadata", json_object());
    jx_set_time(doc, "created_at", now);
    jx_set_time(doc, "updated_at", now);
    return doc;
}

enum err document_find_external(struct snapshot *snap, const char *part, const char *collection_id,
                                const char *external_id, json_t **doc, uint64_t *rev)
{
    struct store_page page;
    struct page_query query = {.kind = KIND_DOCUMENT,
                               .part = part,
                               .index = INDEX_DOCUMENT_EXTERNAL,
                               .match = {collection_id, external_id},
                               .limit = 1};
    enum err rc = snapshot_page(snap, &query, &page);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = page.count == 1 ? ERR_OK : ERR_NOTFOUND;
    if (rc == ERR_OK) {
        *doc = json_incref(page.rows[0].body);
        *rev = page.rows[0].rev;
    }
    store_page_free(&page);
    return rc;
}

/* The record that two creations of one external id fight for. */
static void guard_external(struct changes *cs, struct snapshot *snap, const char *part, const json_t *doc)
{
    char name[GUARD_MAX], hash[65];
    uint64_t rev = 0;
    json_t *record = NULL;
    const char *external_id = jx_str(doc, "external_id");
    if (external_id == NULL) {
        return;
    }
    sha256_hex(external_id, strlen(external_id), hash);
    snprintf(name, sizeof(name), "external/%s/%s", jx_str_or(doc, "collection_id", ""), hash);
    if (snapshot_get(snap, KIND_SETTING, part, name, &record, &rev) != ERR_OK) {
        rev = 0;
    }
    json_decref(record);
    record = json_object();
    jx_set_str(record, "document_id", jx_str(doc, "id"));
    changes_expect(cs, KIND_SETTING, part, name, rev);
    changes_put(cs, KIND_SETTING, part, name, record);
    json_decref(record);
}

void document_add(struct changes *cs, struct snapshot *snap, const char *part, const json_t *doc)
{
    guard_external(cs, snap, part, doc);
    changes_expect(cs, KIND_DOCUMENT, part, jx_str(doc, "id"), 0);
    changes_put(cs, KIND_DOCUMENT, part, jx_str(doc, "id"), doc);
}

void document_put(struct changes *cs, const char *part, json_t *doc, uint64_t rev)
{
    jx_set_time(doc, "updated_at", clock_wall_ms());
    changes_expect(cs, KIND_DOCUMENT, part, jx_str(doc, "id"), rev);
    changes_put(cs, KIND_DOCUMENT, part, jx_str(doc, "id"), doc);
}

void document_event(struct changes *cs, struct snapshot *snap, const char *part, const char *agent_id, unsigned count,
                    const json_t *doc)
{
    struct event_about about = {.agent_id = agent_id};
    json_t *data = json_object(), *sync = json_object();
    jx_set_int(sync, "documents", count);
    jx_set_str(sync, "document_id", jx_str(doc, "id"));
    jx_set(data, "sync", sync);
    event_append(cs, snap, part, "knowledge.synced", &about, data, NULL);
    json_decref(data);
}

bool document_same(const json_t *doc, const json_t *other)
{
    static const char *const compared[] = {"hash",     "metadata",  "enabled",  "external_id",
                                           "schedule", "max_pages", "max_depth"};
    for (unsigned i = 0; i < sizeof(compared) / sizeof(compared[0]); i++) {
        const json_t *a = json_object_get(doc, compared[i]), *b = json_object_get(other, compared[i]);
        if (a == NULL || b == NULL ? a != b : !json_equal(a, b)) {
            return false;
        }
    }
    return true;
}

json_t *document_public(const json_t *doc)
{
    json_t *out = json_copy((json_t *)doc);
    static const char *const inner[] = {"hash", "run", "tick", "etag", "last_modified"};
    for (unsigned i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
        json_object_del(out, inner[i]);
    }
    return out;
}

json_t *document_brief(const json_t *doc)
{
    json_t *out = document_public(doc);
    json_object_del(out, "content");
    return out;
}
