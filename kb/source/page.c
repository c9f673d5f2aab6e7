/* page.c: pages of a source; see page.h. */
#include "kb/source/page.h"

#include <stdlib.h>
#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"

static bool load(const struct store_row *row, void *arg)
{
    json_t *pages = arg;

    jx_push(pages, json_incref(row->body));
    return json_array_size(pages) <= 2 * PAGES_MAX;
}

enum err pages_load(struct snapshot *snap, const char *part, const char *document_id, json_t **pages)
{
    struct page_query query = {
        .kind = KIND_PAGE, .part = part, .index = INDEX_PAGE_DOCUMENT, .match = {document_id}};

    *pages = json_array();
    return snapshot_rows(snap, &query, load, *pages);
}

void pages_take(json_t *pages, const struct extract_result *result, const char *url, bool titled)
{
    int64_t now = clock_wall_ms();
    char hex[65];

    for (size_t i = 0; i < result->count; i++) {
        const struct extract_section *section = &result->sections[i];
        json_t *page = json_object();
        jx_set_int(page, "ordinal", (int64_t)json_array_size(pages));
        jx_set_str(page, "title", titled ? result->title : "");
        jx_set_str(page, "content", section->text);
        if (url != NULL) {
            jx_set_str(page, "url", url);
        }
        if (section->page > 0) {
            jx_set_int(page, "number", section->page);
        }
        jx_set_int(page, "piece", (int64_t)i);
        sha256_hex(section->text, strlen(section->text), hex);
        jx_set_str(page, "hash", hex);
        jx_set_int(page, "size", (int64_t)strlen(section->text));
        jx_set_time(page, "fetched_at", now);
        jx_push(pages, page);
    }
}

bool pages_keep(json_t *pages, const json_t *old, const char *url)
{
    size_t i;
    json_t *page;
    bool any = false;

    json_array_foreach (old, i, page) {
        if (strcmp(jx_str_or(page, "url", ""), url) == 0) {
            json_t *copy = json_copy(page);
            jx_set_int(copy, "ordinal", (int64_t)json_array_size(pages));
            jx_push(pages, copy);
            any = true;
        }
    }
    return any;
}

size_t pages_size(const json_t *pages)
{
    size_t i, size = 0;
    json_t *page;

    json_array_foreach (pages, i, page) {
        size += (size_t)jx_int(page, "size", 0);
    }
    return size;
}

/* The name by which a page is known again. */
static char *page_name(const json_t *page)
{
    return xasprintf("%s#%lld", jx_str_or(page, "url", ""), (long long)jx_int(page, "piece", 0));
}

/* Old pages by name. */
static json_t *names_of(const json_t *old)
{
    size_t i;
    json_t *page, *names = json_object();

    json_array_foreach (old, i, page) {
        char *name = page_name(page);
        jx_set(names, name, json_incref(page));
        free(name);
    }
    return names;
}

/* True if the record would say the same but for the time. */
static bool page_same(const json_t *a, const json_t *b)
{
    static const char *const FIELDS[] = {"hash",    "title", "url",           "number",
                                         "ordinal", "etag",  "last_modified", "links"};

    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        const json_t *x = json_object_get(a, FIELDS[i]), *y = json_object_get(b, FIELDS[i]);
        if (x == NULL || y == NULL ? x != y : !json_equal(x, y)) {
            return false;
        }
    }
    return true;
}

void pages_write(struct changes *cs, const char *part, const char *document_id, const json_t *old,
                 const json_t *pages, unsigned *changed)
{
    size_t i;
    json_t *page, *names = names_of(old);
    const char *name;

    *changed = 0;
    json_array_foreach (pages, i, page) {
        char *own = page_name(page);
        const json_t *before = json_object_get(names, own);
        jx_set_str(page, "id",
                   before != NULL ? jx_str_or(before, "id", "") : id_new(kind_row(KIND_PAGE)->prefix).text);
        jx_set_str(page, "document_id", document_id);
        if (before == NULL || !page_same(before, page)) {
            changes_put(cs, KIND_PAGE, part, jx_str(page, "id"), page);
            *changed +=
                before == NULL || strcmp(jx_str_or(before, "hash", ""), jx_str_or(page, "hash", "")) != 0;
        }
        json_object_del(names, own);
        free(own);
    }
    json_object_foreach (names, name, page) {
        changes_delete(cs, KIND_PAGE, part, jx_str_or(page, "id", "-"));
        (*changed)++;
    }
    json_decref(names);
}
