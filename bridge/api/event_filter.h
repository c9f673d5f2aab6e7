/* event_filter.h: which events a caller wants to see: by type, conversation and agent. */
#ifndef CHASQUI_API_EVENT_FILTER_H
#define CHASQUI_API_EVENT_FILTER_H

#include "bridge/api/call.h"

/* Borrowed from the call. All NULL: every event. */
struct event_filter {
    json_t *patterns;
    const char *conversation_id, *agent_id;
};
/* Out of the query: types (or type), conversation_id, agent_id. False: the call has ended with 400. */
bool event_filter_read(struct call *c, struct event_filter *filter);
bool event_filter_is_open(const struct event_filter *filter);
/* True if the event passes; arg is the filter. */
bool event_filter_keep(const json_t *event, const void *arg);

#endif
