/* list.c: one page of a list, by number or by cursor. Reads end exactly where the page ends, so the position
 * behind the last row is the next cursor. */
#include "bridge/api/list.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/api/cursor.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"

#define SIZE_DEFAULT   20
#define SIZE_MAX_ASKED 100
#define PAGE_MAX       1000000
#define READ_MAX       1000 /* rows of one read when rows are only passed over */
#define QUERY_MAX      16384

struct list {
    struct call *c;
    const struct list_spec *spec;
    size_t size, page;  /* size: what the caller takes, before the place is read; 0: the default */
    bool by_page;       /* a page number was asked for */
    const char *cursor; /* NULL: none */
    json_t *rows;
    bool more;
    char *position; /* behind the last row; owned */
    int64_t total;
};

/* A whole number from the query. False: the call has ended. */
static bool read_number(struct call *c, const char *name, size_t max, size_t *out, bool *given)
{
    const char *text = call_query(c, name);
    char *end;
    *given = text != NULL;
    if (text == NULL) {
        return true;
    }
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value < 1 || value > max) {
        call_fail(c, API_BAD_FIELD, name, "%s must be a number from 1 to %zu.", name, max);
        return false;
    }
    *out = value;
    return true;
}

struct rebuilt {
    struct call *c;
    struct buf *out;
    bool filters_only;
};

/* One parameter of the query that is no place in the list. */
static bool add_param(const char *name, const char *value, void *arg)
{
    struct rebuilt *r = arg;
    bool size = strcmp(name, r->c->surface->page_size) == 0;
    if (strcmp(name, "page") == 0 || strcmp(name, "cursor") == 0 || (size && r->filters_only)) {
        return true;
    }
    buf_addc(r->out, r->out->len == 0 ? '?' : '&');
    percent_encode(r->out, name, strlen(name));
    buf_addc(r->out, '=');
    percent_encode(r->out, value, strlen(value));
    return true;
}

/* The query without page and cursor (and page size): what makes one list differ from another. */
static const char *query_text(struct call *c, bool filters_only)
{
    struct buf out;
    buf_init(&out, QUERY_MAX);
    struct rebuilt r = {c, &out, filters_only};
    http_query_each(c->req, add_param, &r);
    const char *text = arena_strdup(c->arena, buf_str(&out));
    buf_fini(&out);
    return text;
}

/* What a cursor of this list is bound to. */
static const char *list_name(struct call *c)
{
    return arena_printf(c->arena, "%s %s%s", c->part, http_path(c->req), query_text(c, true));
}

/* page, page_size, cursor. False: the call has ended. */
static bool read_place(struct list *list)
{
    struct call *c = list->c;
    bool given;
    struct buf position;
    list->size = list->size > 0 ? list->size : SIZE_DEFAULT;
    list->page = 1;
    if (!read_number(c, "page_size", SIZE_MAX_ASKED, &list->size, &given) ||
        !read_number(c, "page", PAGE_MAX, &list->page, &list->by_page)) {
        return false;
    }
    list->cursor = call_query(c, "cursor");
    if (list->cursor == NULL) {
        return true;
    }
    buf_init(&position, QUERY_MAX);
    enum err rc = list->by_page ? ERR_INVALID : cursor_read(list_name(c), list->cursor, &position);
    list->position = rc == ERR_OK ? xstrdup(buf_str(&position)) : NULL;
    buf_fini(&position);
    if (rc != ERR_OK) {
        call_fail(c, API_BAD_CURSOR, "cursor", NULL);
    }
    return rc == ERR_OK;
}

/* Takes the rows of one read: those kept are passed over while *skip lasts, then collected. */
static void take_rows(struct list *list, const struct store_page *page, size_t *skip)
{
    const struct list_spec *spec = list->spec;
    for (size_t i = 0; i < page->count; i++) {
        const json_t *row = page->rows[i].body;
        if (spec->keep != NULL && !spec->keep(row, spec->arg)) {
            continue;
        }
        if (*skip > 0) {
            (*skip)--;
            continue;
        }
        jx_push(list->rows, spec->show(row));
    }
}

/* Reads until the page is full or the list is over. The last read ends where the page ends, so its position
 * is the page's. */
static enum err read_rows(struct list *list, size_t skip)
{
    struct page_query query = list->spec->query;
    enum err rc = ERR_OK;
    list->more = true;
    while (rc == ERR_OK && list->more && json_array_size(list->rows) < list->size) {
        struct store_page page;
        query.after = list->position;
        query.limit = skip > 0 ? skip : list->size - json_array_size(list->rows);
        query.limit = query.limit < READ_MAX ? query.limit : READ_MAX;
        rc = snapshot_page(call_snap(list->c), &query, &page);
        if (rc == ERR_OK) {
            take_rows(list, &page, &skip);
            list->more = page.more;
            if (page.position != NULL) {
                free(list->position);
                list->position = page.position;
                page.position = NULL;
            }
            store_page_free(&page);
        }
    }
    return rc;
}

/* Counts the list by walking it. */
static enum err count_rows(struct list *list)
{
    struct page_query query = list->spec->query;
    char *position = NULL;
    bool more = true;
    enum err rc = ERR_OK;
    list->total = 0;
    while (rc == ERR_OK && more) {
        struct store_page page;
        query.after = position;
        query.limit = READ_MAX;
        rc = snapshot_page(call_snap(list->c), &query, &page);
        if (rc != ERR_OK) {
            break;
        }
        for (size_t i = 0; i < page.count; i++) {
            list->total += list->spec->keep == NULL || list->spec->keep(page.rows[i].body, list->spec->arg);
        }
        more = page.more;
        free(position);
        position = page.position;
        page.position = NULL;
        store_page_free(&page);
    }
    free(position);
    return rc;
}

/* The address of another page of the same list. */
static const char *page_url(struct list *list, const char *name, const char *value)
{
    struct call *c = list->c;
    const char *query = query_text(c, false);
    return arena_printf(c->arena, "%s%s%s%s%s=%s", c->api->app->public_url, http_path(c->req), query,
                        query[0] == '\0' ? "?" : "&", name, value);
}

/* A cursor behind the page's last row; NULL if the list ends here. */
static const char *next_cursor(struct list *list)
{
    struct buf out;
    const char *text = NULL;
    if (!list->spec->cursors || !list->more || list->position == NULL) {
        return NULL;
    }
    buf_init(&out, QUERY_MAX);
    if (cursor_make(list_name(list->c), list->position, &out) == ERR_OK) {
        text = arena_strdup(list->c->arena, buf_str(&out));
    }
    buf_fini(&out);
    return text;
}

/* {count, next, previous, results} */
static json_t *count_envelope(struct list *list, const char *cursor)
{
    struct call *c = list->c;
    json_t *out = json_object();
    bool more = (int64_t)(list->page * list->size) < list->total;
    jx_set_int(out, "count", list->total);
    if (cursor != NULL && !list->by_page) {
        jx_set_str(out, "next", page_url(list, "cursor", cursor));
    } else if (more && list->cursor == NULL) {
        jx_set_str(out, "next", page_url(list, "page", arena_printf(c->arena, "%zu", list->page + 1)));
    } else {
        jx_set_str(out, "next", NULL);
    }
    bool back = list->page > 1 && list->cursor == NULL;
    jx_set_str(out, "previous",
               back ? page_url(list, "page", arena_printf(c->arena, "%zu", list->page - 1)) : NULL);
    return out;
}

/* {data, meta: {total, page, page_size}} */
static json_t *meta_envelope(struct list *list, const char *cursor)
{
    json_t *out = json_object(), *meta = json_object();
    jx_set_int(meta, "total", list->total);
    jx_set_int(meta, "page", (int64_t)list->page);
    jx_set_int(meta, "page_size", (int64_t)list->size);
    if (cursor != NULL) {
        jx_set_str(meta, "next_cursor", cursor);
    }
    jx_set(out, "meta", meta);
    return out;
}

/* Ends the call with the page. */
static void reply_page(struct list *list)
{
    struct call *c = list->c;
    bool enveloped = c->surface->enveloped;
    const char *cursor = next_cursor(list);
    json_t *out = enveloped ? meta_envelope(list, cursor) : count_envelope(list, cursor);
    json_t *worn = surface_out(c->surface, out);
    json_t *rows = list->spec->bare ? json_incref(list->rows) : surface_out(c->surface, list->rows);
    jx_set(worn, enveloped ? "data" : "results", rows);
    json_decref(out);
    c->bare = true;
    call_reply(c, 200, worn);
}

void list_reply(struct call *c, const struct list_spec *spec)
{
    struct list list = {.c = c, .spec = spec, .total = spec->total, .rows = json_array()};
    if (call_snap(c) != NULL && read_place(&list)) {
        enum err rc = read_rows(&list, (list.page - 1) * list.size);
        if (rc == ERR_OK && spec->total < 0) {
            rc = count_rows(&list);
        }
        if (rc == ERR_OK) {
            reply_page(&list);
        } else {
            call_refuse(c, rc, NULL, "");
        }
    }
    json_decref(list.rows);
    free(list.position);
}

void list_reply_array(struct call *c, const json_t *items)
{
    list_reply_sized(c, items, SIZE_DEFAULT);
}

void list_reply_sized(struct call *c, const json_t *items, size_t size)
{
    static const struct list_spec plain;
    struct list list = {
        .c = c, .spec = &plain, .size = size, .total = (int64_t)json_array_size(items), .rows = json_array()};
    if (read_place(&list)) {
        for (size_t i = 0; i < list.size; i++) {
            json_t *item = json_array_get(items, (list.page - 1) * list.size + i);
            if (item != NULL) {
                json_array_append(list.rows, item);
            }
        }
        reply_page(&list);
    }
    json_decref(list.rows);
    free(list.position);
}

/* One bound of the range. False: the call has ended. */
static bool read_date(struct call *c, const char *name, bool end, const char **out)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t ms;
    bool date_only;
    const char *given = call_query(c, name);
    *out = NULL;
    if (given == NULL) {
        return true;
    }
    if (!clock_parse(given, &ms, &date_only)) {
        call_fail(c, API_BAD_FIELD, name, "%s must be an ISO 8601 date or date-time.", name);
        return false;
    }
    if (end) {
        ms += date_only ? 24 * 3600 * 1000 : 1000;
    }
    *out = arena_strdup(c->arena, clock_rfc3339(ms, text));
    return true;
}

bool list_dates(struct call *c, const char **from, const char **to)
{
    return read_date(c, "start_date", false, from) && read_date(c, "end_date", true, to);
}

bool list_filter_read(struct call *c, struct list_filter *filter)
{
    *filter = (struct list_filter){.status = call_query(c, "status"),
                                   .agent = call_query(c, "agent_id"),
                                   .contact = call_query(c, "contact_id")};
    return list_dates(c, &filter->from, &filter->to);
}

/* True if nothing is asked for or the row's field says just that. */
static bool field_is(const json_t *row, const char *name, const char *wanted)
{
    return wanted == NULL || strcmp(jx_str_or(row, name, ""), wanted) == 0;
}

bool list_filter_keeps(const struct list_filter *filter, const json_t *row, const char *time)
{
    const char *at = jx_str_or(row, time, "");
    return field_is(row, "status", filter->status) && field_is(row, "agent_id", filter->agent) &&
           field_is(row, "contact_id", filter->contact) &&
           (filter->from == NULL || strcmp(at, filter->from) >= 0) &&
           (filter->to == NULL || strcmp(at, filter->to) < 0);
}
