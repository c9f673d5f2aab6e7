/* events.c: reading the event log. Events leave as their stored form, the same that endpoints get. */
#include "queue/events.h"

#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"

struct filter {
    json_t *patterns; /* NULL: every type */
    const char *conversation_id, *agent_id;
};

static bool keep(const json_t *row, const void *arg)
{
    const struct filter *filter = arg;
    return (filter->patterns == NULL || event_subscribed(filter->patterns, jx_str_or(row, "type", ""))) &&
           (filter->conversation_id == NULL ||
            strcmp(jx_str_or(row, "conversation_id", ""), filter->conversation_id) == 0) &&
           (filter->agent_id == NULL || strcmp(jx_str_or(row, "agent_id", ""), filter->agent_id) == 0);
}

/* Events keep their form on every surface: it is the one that endpoints get. */
static json_t *show(const json_t *event)
{
    return json_incref((json_t *)event);
}

/* "message.*,handoff.triggered" as patterns. False: the call has ended. */
static bool read_types(struct call *c, json_t **patterns)
{
    const char *text = call_query(c, "types");
    *patterns = NULL;
    if (text == NULL) {
        text = call_query(c, "type");
    }
    if (text == NULL) {
        return true;
    }
    *patterns = call_keep(c, json_array());
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        const char *pattern = arena_strndup(c->arena, text, len);
        if (!event_subscription_valid(pattern)) {
            call_fail(c, API_BAD_FIELD, "types", "types must be names of event types, message.* or *.");
            return false;
        }
        jx_push(*patterns, json_string(pattern));
        text += len + (text[len] == ',');
    }
    return true;
}

void events_list(struct call *c)
{
    struct filter filter = {.conversation_id = call_query(c, "conversation_id"),
                            .agent_id = call_query(c, "agent_id")};
    const char *order = call_query(c, "order");
    struct list_spec spec = {.query = {.kind = KIND_EVENT,
                                       .part = c->part,
                                       .descending = order != NULL && strcmp(order, "desc") == 0},
                             .arg = &filter,
                             .show = show,
                             .total = -1,
                             .cursors = true,
                             .bare = true};
    if (call_snap(c) == NULL || !read_types(c, &filter.patterns)) {
        return;
    }
    if (filter.patterns != NULL || filter.conversation_id != NULL || filter.agent_id != NULL) {
        spec.keep = keep;
    } else {
        spec.total = (int64_t)snapshot_count(c->snap, KIND_EVENT, c->part, INDEX_NONE, NULL);
    }
    list_reply(c, &spec);
}
