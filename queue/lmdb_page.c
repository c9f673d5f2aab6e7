/* lmdb_page.c: pages of records by id or by an index, in both directions.
 *
 * A query is a prefix (kind and partition, or index, partition and the matched fields) and a range behind it.
 * The position that a page hands out is the rest of its last key behind that prefix, with a checksum of the
 * prefix and the direction before it, so that it cannot be used with another query by mistake. */
#include <stdlib.h>
#include <string.h>

#include "queue/base/codec.h"
#include "queue/engine_lmdb.h"

#define ABOVE_ALL 0xff /* no byte of UTF-8 */

struct scan {
    unsigned table;
    size_t fields_left; /* of the index entry behind the prefix, before the id */
    struct key prefix, low, high, after;
    const char *part;
    bool descending, resumed;
};

/* Adds the bound behind the prefix: a field is cut as the index cuts it, an id is not. */
static void bound(struct scan *scan, struct key *key, const char *text)
{
    *key = scan->prefix;
    if (scan->fields_left > 0) {
        key_field(key, text, false);
    } else {
        key_open_text(key, text);
    }
}

static uint32_t scan_checksum(const struct scan *scan)
{
    struct key key = scan->prefix;

    key_u8(&key, scan->descending);
    return crc32_of(key.data, key.size);
}

/* Reads a position of an earlier page into scan->after. */
static enum err position_read(struct scan *scan, const char *text)
{
    struct buf bytes;
    enum err rc = ERR_INVALID;

    buf_init(&bytes, KV_KEY_MAX + 8);
    if (base64url_decode(&bytes, text, strlen(text)) && bytes.len > 4 &&
        get_u32((const uint8_t *)bytes.data) == scan_checksum(scan)) {
        scan->after = scan->prefix;
        key_bytes(&scan->after, bytes.data + 4, bytes.len - 4);
        scan->resumed = true;
        rc = scan->after.ok ? ERR_OK : ERR_INVALID;
    }
    buf_fini(&bytes);
    return rc;
}

static char *position_write(const struct scan *scan, const struct key *last)
{
    uint8_t checksum[4];
    struct buf bytes, text;

    buf_init(&bytes, KV_KEY_MAX + 8);
    buf_init(&text, 2 * KV_KEY_MAX);
    put_u32(checksum, scan_checksum(scan));
    buf_add(&bytes, checksum, sizeof checksum);
    buf_add(&bytes, last->data + scan->prefix.size, last->size - scan->prefix.size);
    base64url_encode(&text, bytes.data, bytes.len);
    buf_fini(&bytes);
    CHECK(buf_ok(&text));
    return buf_take(&text, NULL);
}

/* The prefix of the query; false if the matched fields do not fit the index. */
static bool scan_prefix(struct scan *scan, const struct page_query *query)
{
    const struct index_row *row = index_row(query->index);
    size_t fields = 0, matched = 0;

    if (query->index == INDEX_NONE) {
        scan->table = TABLE_RECORD;
        key_record(&scan->prefix, query->kind, query->part, "");
        return scan->prefix.ok;
    }
    CHECK(row != NULL && row->kind == query->kind);
    while (fields < 3 && row->fields[fields][0] != '\0') {
        fields++;
    }
    scan->table = TABLE_INDEX;
    key_index_prefix(&scan->prefix, query->index, query->part);
    for (; matched < 3 && query->match[matched] != NULL; matched++) {
        key_field(&scan->prefix, query->match[matched], true);
    }
    CHECK(matched <= fields);
    scan->fields_left = fields - matched;
    return scan->prefix.ok;
}

static enum err scan_init(struct scan *scan, const struct page_query *query)
{
    *scan = (struct scan){.part = query->part, .descending = query->descending};
    if (query->limit < 1 || query->limit > 1000 || !scan_prefix(scan, query)) {
        return ERR_INVALID;
    }
    bound(scan, &scan->low, query->from != NULL ? query->from : "");
    if (query->to != NULL) {
        bound(scan, &scan->high, query->to);
    } else {
        scan->high = scan->prefix;
        key_u8(&scan->high, ABOVE_ALL);
    }
    if (!scan->low.ok || !scan->high.ok) {
        return ERR_INVALID;
    }
    return query->after != NULL ? position_read(scan, query->after) : ERR_OK;
}

static int compare(struct kv_bytes a, const struct key *b)
{
    size_t shorter = a.size < b->size ? a.size : b->size;
    int order = memcmp(a.data, b->data, shorter);

    return order != 0 ? order : (a.size > b->size) - (a.size < b->size);
}

/* The first entry of the page in its direction; it may lie outside the range. */
static enum err scan_first(const struct scan *scan, struct kv_cursor *cursor, struct kv_bytes *k,
                           struct kv_bytes *v)
{
    const struct key *low =
        scan->resumed && compare(key_kv(&scan->after), &scan->low) >= 0 ? &scan->after : &scan->low;
    const struct key *high =
        scan->resumed && compare(key_kv(&scan->after), &scan->high) < 0 ? &scan->after : &scan->high;
    enum err rc = kv_cursor_seek(cursor, key_kv(scan->descending ? high : low), k, v);

    if (scan->descending) {
        return rc == ERR_NOTFOUND ? kv_cursor_last(cursor, k, v)
               : rc == ERR_OK     ? kv_cursor_prev(cursor, k, v)
                                  : rc;
    }
    if (rc == ERR_OK && low == &scan->after && compare(*k, low) == 0) {
        rc = kv_cursor_next(cursor, k, v);
    }
    return rc;
}

static bool in_range(const struct scan *scan, struct kv_bytes k)
{
    return compare(k, &scan->low) >= 0 && compare(k, &scan->high) < 0;
}

/* Where the id begins in an entry's key; 0 if the key is none of ours. */
static size_t id_at(const struct scan *scan, struct kv_bytes k)
{
    const uint8_t *data = k.data, *at = data + scan->prefix.size, *end = data + k.size;

    for (size_t i = 0; i < scan->fields_left; i++) {
        const uint8_t *nul = memchr(at, 0, (size_t)(end - at));
        if (nul == NULL) {
            return 0;
        }
        at = nul + 1;
    }
    return at < end && end - at <= STORE_ID_MAX ? (size_t)(at - data) : 0;
}

/* The id and the record of the entry the cursor stands on. */
static enum err row_view(void *txn, const struct scan *scan, enum kind kind, struct kv_bytes k,
                         struct kv_bytes v, char id[STORE_ID_MAX + 1], struct record_view *view)
{
    size_t at = id_at(scan, k);

    if (at == 0) {
        return ERR_CORRUPT;
    }
    memcpy(id, (const char *)k.data + at, k.size - at);
    id[k.size - at] = '\0';
    if (scan->table == TABLE_INDEX) {
        enum err rc = lmdb_get(txn, kind, scan->part, id, view);
        return rc == ERR_NOTFOUND ? ERR_CORRUPT : rc;
    }
    return record_view(v, view) ? ERR_OK : ERR_CORRUPT;
}

/* Fills one row from the entry the cursor stands on. */
static enum err row_fill(void *txn, const struct scan *scan, const struct page_query *query,
                         struct kv_bytes k, struct kv_bytes v, struct store_row *row)
{
    struct record_view view;
    enum err rc = row_view(txn, scan, query->kind, k, v, row->id, &view);

    if (rc != ERR_OK) {
        return rc;
    }
    row->rev = view.rev;
    row->body = NULL;
    if (view.raw) {
        row->body = json_null();
        return ERR_OK;
    }
    return jx_parse_lenient((const char *)view.body, view.body_size, &row->body) == ERR_OK ? ERR_OK
                                                                                           : ERR_CORRUPT;
}

/* Walks the cursor over the page's entries; *last is the key of the last row. */
static enum err rows_fill(void *txn, const struct scan *scan, const struct page_query *query,
                          struct kv_cursor *cursor, struct store_page *page, struct key *last)
{
    struct kv_bytes k, v;
    enum err rc = scan_first(scan, cursor, &k, &v);

    while (rc == ERR_OK && in_range(scan, k)) {
        if (page->count == query->limit) {
            page->more = true;
            break;
        }
        rc = row_fill(txn, scan, query, k, v, &page->rows[page->count]);
        if (rc != ERR_OK) {
            break;
        }
        page->count++;
        key_begin(last);
        key_bytes(last, k.data, k.size);
        rc = scan->descending ? kv_cursor_prev(cursor, &k, &v) : kv_cursor_next(cursor, &k, &v);
    }
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

enum err lmdb_page(void *txn, const struct page_query *query, struct store_page *page)
{
    struct kv_cursor *cursor;
    struct key last;
    struct scan scan;
    enum err rc = scan_init(&scan, query);

    if (rc == ERR_OK) {
        rc = kv_cursor_open(txn, scan.table, &cursor);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    page->rows = xcalloc(query->limit, sizeof *page->rows);
    rc = rows_fill(txn, &scan, query, cursor, page, &last);
    kv_cursor_close(cursor);
    if (rc == ERR_OK && page->count > 0) {
        page->position = position_write(&scan, &last);
    }
    return rc;
}

/* Walks the cursor over all of the query's entries. */
static enum err rows_pass(void *txn, const struct scan *scan, enum kind kind, struct kv_cursor *cursor,
                          snapshot_scan_fn fn, void *arg)
{
    char id[STORE_ID_MAX + 1];
    struct record_view view;
    struct kv_bytes k, v;
    enum err rc = scan_first(scan, cursor, &k, &v);

    while (rc == ERR_OK && in_range(scan, k)) {
        rc = row_view(txn, scan, kind, k, v, id, &view);
        if (rc != ERR_OK || !fn(id, view.body, view.body_size, view.rev, arg)) {
            break;
        }
        rc = scan->descending ? kv_cursor_prev(cursor, &k, &v) : kv_cursor_next(cursor, &k, &v);
    }
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

enum err lmdb_scan(void *txn, const struct page_query *query, snapshot_scan_fn fn, void *arg)
{
    struct page_query all = *query;
    struct kv_cursor *cursor;
    struct scan scan;

    all.limit = 1;
    all.after = NULL;
    enum err rc = scan_init(&scan, &all);
    if (rc == ERR_OK) {
        rc = kv_cursor_open(txn, scan.table, &cursor);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = rows_pass(txn, &scan, query->kind, cursor, fn, arg);
    kv_cursor_close(cursor);
    return rc;
}
