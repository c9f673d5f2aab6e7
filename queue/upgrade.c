/* upgrade.c: a store written by an older version of the index table is brought forward at opening.
 *
 * Which indexes a record is in depends on tbl_kinds.h. The store keeps a mark of the table its entries were
 * made by; when it differs from ours, every JSON record of the kinds that have indexes is written again as it
 * is, which puts it into new indexes and takes it out of dropped ones. The records themselves do not change,
 * so there is nothing to lose: a crash in the middle starts it over at the next opening, and the mark is
 * written last. New stores get the mark at once. A layout that older versions could not read at all is
 * another matter: that is STORE_SCHEMA, and a newer one is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/store_int.h"

#define STEP 500 /* records of one change-set */

struct upgrade {
    struct store *store;
    char (*parts)[PARTITION_SIZE]; /* every partition there is */
    size_t part_count, part_room;
    uint64_t records;
    enum err rc;
};

/* Eight bytes that change whenever a row of the index table does. */
static uint64_t layout_mark(void)
{
    uint8_t sum[SHA256_SIZE];
    struct buf text;

    buf_init(&text, 65536);
    for (int i = 0; i < INDEX_LAST; i++) {
        const struct index_row *row = index_row((enum index_id)i);
        if (row != NULL) {
            buf_addf(&text, "%d %d %s %s %s %d\n", row->index, row->kind, row->fields[0], row->fields[1],
                     row->fields[2], row->counted);
        }
    }
    CHECK(buf_ok(&text));
    sha256(text.data, text.len, sum);
    buf_fini(&text);
    uint64_t mark = get_u64(sum);
    return mark != 0 ? mark : 1;
}

static void part_add(struct upgrade *u, const char *part)
{
    if (u->part_count == u->part_room) {
        u->part_room = u->part_room == 0 ? 16 : u->part_room * 2;
        u->parts = xrealloc(u->parts, u->part_room * sizeof u->parts[0]);
    }
    snprintf(u->parts[u->part_count++], PARTITION_SIZE, "%s", part);
}

/* An account stands for its two partitions. */
static bool account_seen(const char *part, const char *id, const void *data, size_t size, uint64_t rev,
                         void *arg)
{
    (void)part;
    (void)data;
    (void)size;
    (void)rev;
    part_add(arg, partition_of(id, MODE_LIVE).text);
    part_add(arg, partition_of(id, MODE_TEST).text);
    return true;
}

static enum err parts_find(struct upgrade *u)
{
    struct snapshot *snap;
    enum err rc = snapshot_open(u->store, &snap);

    if (rc != ERR_OK) {
        return rc;
    }
    part_add(u, PARTITION_GLOBAL);
    rc = snapshot_walk(snap, KIND_ACCOUNT, account_seen, u);
    snapshot_close(snap);
    return rc;
}

/* Writes one page of records again. Raw records come as JSON null and are in no index. */
static enum err page_rewrite(struct upgrade *u, enum kind kind, const char *part,
                             const struct store_page *page)
{
    struct changes *cs = changes_new();

    for (size_t i = 0; i < page->count; i++) {
        if (json_is_object(page->rows[i].body)) {
            changes_put(cs, kind, part, page->rows[i].id, page->rows[i].body);
            u->records++;
        }
    }
    if (!changes_any(cs)) {
        changes_free(cs);
        return ERR_OK;
    }
    return store_submit_wait(u->store, cs, NULL);
}

/* All records of a kind in a partition, page by page; no snapshot is open while one is written. */
static enum err kind_rewrite(struct upgrade *u, enum kind kind, const char *part)
{
    struct page_query query = {.kind = kind, .part = part, .limit = STEP};
    char *after = NULL;
    bool more = true;
    enum err rc = ERR_OK;

    while (rc == ERR_OK && more) {
        struct store_page page = {0};
        struct snapshot *snap;
        query.after = after;
        rc = snapshot_open(u->store, &snap);
        if (rc == ERR_OK) {
            rc = snapshot_page(snap, &query, &page);
            snapshot_close(snap);
        }
        if (rc == ERR_OK) {
            rc = page_rewrite(u, kind, part, &page);
        }
        free(after);
        after = page.position != NULL ? xstrdup(page.position) : NULL;
        more = page.more;
        store_page_free(&page);
    }
    free(after);
    return rc;
}

static bool kind_indexed(enum kind kind)
{
    for (int i = 0; i < INDEX_LAST; i++) {
        const struct index_row *row = index_row((enum index_id)i);
        if (row != NULL && row->kind == kind) {
            return true;
        }
    }
    return false;
}

static enum err all_rewrite(struct upgrade *u)
{
    enum err rc = parts_find(u);

    for (int kind = 0; kind < KIND_LAST; kind++) {
        for (size_t i = 0; i < u->part_count && rc == ERR_OK && kind_indexed((enum kind)kind); i++) {
            rc = kind_rewrite(u, (enum kind)kind, u->parts[i]);
        }
    }
    return rc;
}

enum err store_upgrade(struct store *store)
{
    struct upgrade u = {.store = store};
    uint64_t mark = layout_mark(), found = 0;
    int64_t began = clock_mono_ms();
    enum err rc = store->engine->layout_get(store->self, &found);

    if (rc != ERR_OK || found == mark) {
        return rc;
    }
    if (found != 0) {
        rc = all_rewrite(&u);
        free(u.parts);
        log_info("store.upgraded", "records=%llu result=%s ms=%lld", (unsigned long long)u.records,
                 err_name(rc), (long long)(clock_mono_ms() - began));
    }
    return rc == ERR_OK ? store->engine->layout_put(store->self, mark) : rc;
}
