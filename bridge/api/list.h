/* list.h: pages of records in the surface's envelope, by page number or by cursor, and date filters. */
#ifndef CHASQUI_API_LIST_H
#define CHASQUI_API_LIST_H

#include "bridge/api/call.h"

struct list_spec {
    struct page_query query; /* kind, part, index, match, range, direction; the rest is filled in */
    /* False: the row is not in the list. NULL: all are. */
    bool (*keep)(const json_t *row, const void *arg);
    const void *arg;
    /* The row as it leaves; new reference. */
    json_t *(*show)(const json_t *row);
    int64_t total; /* of the whole list; -1: to be counted */
    bool cursors;  /* the list grows: next is a cursor unless a page was asked for */
    bool bare;     /* rows keep their names on every surface */
};
/* Reads page, page_size and cursor and ends the call. */
void list_reply(struct call *c, const struct list_spec *spec);
/* A list that is whole already: items is a borrowed array, paged the same way. */
void list_reply_array(struct call *c, const json_t *items);
/* The same with another page size where the caller asks for none. */
void list_reply_sized(struct call *c, const json_t *items, size_t size);

/* start_date and end_date as texts for a half-open range of RFC 3339 times; a bare end date includes that
 * day. NULL where not given. False: the call has ended with 400. */
bool list_dates(struct call *c, const char **from, const char **to);

/* What a list of an agent's or a contact's records may be narrowed to; NULL: not asked for. */
struct list_filter {
    const char *status, *agent, *contact, *from, *to;
};
/* Reads status, agent_id, contact_id and the dates. False: the call has ended with 400. */
bool list_filter_read(struct call *c, struct list_filter *filter);
/* True if the row is asked for; time: its field that the dates speak of. */
bool list_filter_keeps(const struct list_filter *filter, const json_t *row, const char *time);

#endif
