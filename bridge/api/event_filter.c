/* event_filter.c: which events a caller wants to see. */
#include "bridge/api/event_filter.h"

#include <string.h>

#include "queue/events.h"

/* True if a filter's word, if any, is the event's. */
static bool fits(const json_t *event, const char *name, const char *want)
{
    return want == NULL || strcmp(jx_str_or(event, name, ""), want) == 0;
}

bool event_filter_keep(const json_t *event, const void *arg)
{
    const struct event_filter *filter = arg;
    return (filter->patterns == NULL || event_subscribed(filter->patterns, jx_str_or(event, "type", ""))) &&
           fits(event, "conversation_id", filter->conversation_id) &&
           fits(event, "agent_id", filter->agent_id);
}

bool event_filter_is_open(const struct event_filter *filter)
{
    return filter->patterns == NULL && filter->conversation_id == NULL && filter->agent_id == NULL;
}

bool event_filter_read(struct call *c, struct event_filter *filter)
{
    const char *text = call_query(c, "types");
    *filter = (struct event_filter){.conversation_id = call_query(c, "conversation_id"),
                                    .agent_id = call_query(c, "agent_id")};
    text = text != NULL ? text : call_query(c, "type");
    if (text == NULL) {
        return true;
    }
    filter->patterns = call_keep(c, json_array());
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        const char *pattern = arena_strndup(c->arena, text, len);
        if (!event_subscription_valid(pattern)) {
            call_fail(c, API_BAD_FIELD, "types", "types must be names of event types, message.* or *.");
            return false;
        }
        jx_push(filter->patterns, json_string(pattern));
        text += len + (text[len] == ',');
    }
    return true;
}
