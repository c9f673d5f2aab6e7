/* events.c: reading the event log. Events leave as their stored form, the same that endpoints get. */
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/event_filter.h"
#include "bridge/api/list.h"

/* Events keep their form on every surface: it is the one that endpoints get. */
static json_t *show(const json_t *event)
{
    return json_incref((json_t *)event);
}

void events_list(struct call *c)
{
    struct event_filter filter;
    const char *order = call_query(c, "order");
    struct list_spec spec = {.query = {.kind = KIND_EVENT,
                                       .part = c->part,
                                       .descending = order != NULL && strcmp(order, "desc") == 0},
                             .arg = &filter,
                             .show = show,
                             .total = -1,
                             .cursors = true,
                             .bare = true};
    if (call_snap(c) == NULL || !event_filter_read(c, &filter)) {
        return;
    }
    if (!event_filter_is_open(&filter)) {
        spec.keep = event_filter_keep;
    } else {
        spec.total = (int64_t)snapshot_count(c->snap, KIND_EVENT, c->part, INDEX_NONE, NULL);
    }
    list_reply(c, &spec);
}
