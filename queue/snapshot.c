/* snapshot.c: the public reading side: hands each question to the store's engine. */
#include <stdlib.h>
#include <string.h>

#include "queue/store_int.h"

#define ROWS_FIRST   16 /* most walks are over few rows, and a page is memory for as many as it may have */
#define ROWS_AT_ONCE 500

struct snapshot {
    const struct store_engine *engine;
    void *txn;
};

enum err snapshot_open(struct store *store, struct snapshot **out)
{
    void *txn;
    enum err rc = store->engine->read_begin(store->self, &txn);

    *out = NULL;
    if (rc != ERR_OK) {
        return rc;
    }
    *out = xmalloc(sizeof **out);
    **out = (struct snapshot){.engine = store->engine, .txn = txn};
    return ERR_OK;
}

void snapshot_close(struct snapshot *snap)
{
    if (snap != NULL) {
        snap->engine->read_end(snap->txn);
        free(snap);
    }
}

enum err snapshot_get_bytes(struct snapshot *snap, enum kind kind, const char *part, const char *id,
                            const void **data, size_t *size, uint64_t *rev)
{
    struct record_view view;
    enum err rc = snap->engine->get(snap->txn, kind, part, id, &view);

    if (rc == ERR_OK) {
        *data = view.body;
        *size = view.body_size;
    }
    if (rev != NULL) {
        *rev = rc == ERR_OK ? view.rev : 0;
    }
    return rc;
}

enum err snapshot_get(struct snapshot *snap, enum kind kind, const char *part, const char *id, json_t **body,
                      uint64_t *rev)
{
    const void *data;
    size_t size;
    enum err rc = snapshot_get_bytes(snap, kind, part, id, &data, &size, rev);

    *body = NULL;
    if (rc != ERR_OK) {
        return rc;
    }
    return jx_parse_lenient(data, size, body) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

enum err snapshot_page(struct snapshot *snap, const struct page_query *query, struct store_page *page)
{
    *page = (struct store_page){0};
    enum err rc = snap->engine->page(snap->txn, query, page);
    if (rc != ERR_OK) {
        store_page_free(page);
    }
    return rc;
}

enum err snapshot_scan(struct snapshot *snap, const struct page_query *query, snapshot_scan_fn fn, void *arg)
{
    return snap->engine->scan(snap->txn, query, fn, arg);
}

void store_page_free(struct store_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        json_decref(page->rows[i].body);
    }
    free(page->rows);
    free(page->position);
    *page = (struct store_page){0};
}

enum err snapshot_rows(struct snapshot *snap, const struct page_query *query, snapshot_row_fn fn, void *arg)
{
    struct page_query at = *query;
    struct store_page page = {.more = true};
    char *after = NULL;
    bool more = true;
    enum err rc = ERR_OK;

    at.limit = ROWS_FIRST;
    while (rc == ERR_OK && more) {
        at.after = after;
        rc = snapshot_page(snap, &at, &page);
        for (size_t i = 0; more && i < page.count; i++) {
            more = fn(&page.rows[i], arg);
        }
        more = more && page.more;
        free(after);
        after = page.position;
        page.position = NULL;
        store_page_free(&page);
        at.limit = ROWS_AT_ONCE;
    }
    free(after);
    return rc;
}

uint64_t snapshot_count(struct snapshot *snap, enum kind kind, const char *part, enum index_id index,
                        const char *match)
{
    const struct index_row *row = index_row(index);

    CHECK(index == INDEX_NONE || (row != NULL && row->kind == kind && row->counted && match != NULL));
    return snap->engine->count(snap->txn, kind, part, index, index == INDEX_NONE ? NULL : match);
}

int64_t snapshot_counter(struct snapshot *snap, const char *part, const char *name)
{
    return snap->engine->counter(snap->txn, part, name);
}

void snapshot_counters(struct snapshot *snap, const char *part, const char *prefix,
                       bool (*fn)(const char *name, int64_t value, void *arg), void *arg)
{
    snap->engine->counters(snap->txn, part, prefix, fn, arg);
}

enum err snapshot_feed(struct snapshot *snap, uint64_t after, feed_fn fn, void *arg, bool *gap)
{
    *gap = false;
    return snap->engine->feed(snap->txn, after, fn, arg, gap);
}

uint64_t snapshot_feed_rev(struct snapshot *snap)
{
    return snap->engine->feed_rev(snap->txn);
}

enum err snapshot_walk(struct snapshot *snap, enum kind kind,
                       bool (*fn)(const char *part, const char *id, const void *data, size_t size,
                                  uint64_t rev, void *arg),
                       void *arg)
{
    return snap->engine->walk(snap->txn, kind, fn, arg);
}
