/* events.h: the account's event log and its fan-out, written in the change-set of the cause.
 *
 * An event is a KIND_EVENT record whose bytes are what every receiver gets, on every attempt:
 * {"sequence", "id", "type", "created_at", "timestamp", "api_version", "livemode", "agent_id", "conversation_id"?, "data"}.
 * sequence counts within a conversation (or, for events of none, within the account's stream of those). For every
 * active endpoint that subscribed to the type (its alias, a wildcard "message.*" or "*") a KIND_DELIVERY record and a
 * QUEUE_DELIVER job follow in the same change-set: an event cannot be lost between its cause and its delivery. */
#ifndef CHASQUI_QUEUE_EVENTS_H
#define CHASQUI_QUEUE_EVENTS_H

#include "queue/base/json.h"
#include "queue/store.h"

#define EVENT_API_VERSION "v1.4"

struct event_row {
    const char *type, *alias, *text;
};
extern const struct event_row event_rows[];
extern const unsigned event_row_count;
/* True for a type, an alias, "*" or "word.*" that matches at least one type. */
bool event_subscription_valid(const char *pattern);
/* True if an endpoint subscribed to these patterns (JSON array of text) gets this type. */
bool event_subscribed(const json_t *patterns, const char *type);

struct event_about {
    const char *agent_id;        /* may be NULL: account-wide */
    const char *conversation_id; /* may be NULL */
};
/* data: borrowed. Endpoints are read from snap. Returns the event's id text in out (ID_SIZE bytes) if out is not NULL. */
void event_append(struct changes *cs, struct snapshot *snap, const char *part, const char *type,
                  const struct event_about *about, const json_t *data, char *out);
/* Hears of each event inside the change-set it stands in, to add what follows from it; a few listeners, set before
 * the workers start. Thread: whoever builds the set. */
#define EVENT_LISTENERS 4
typedef void (*event_listener_fn)(struct changes *cs, struct snapshot *snap, const char *part, const json_t *event);
void event_listen(event_listener_fn fn);
/* One event to one endpoint whatever it subscribed to: test deliveries and replays. */
void event_deliver(struct changes *cs, const char *part, const json_t *event, const json_t *webhook, bool replay);

#endif
