/* events.c: event records and their fan-out to endpoints; see events.h.
 *
 * A delivery's lane begins with its endpoint's id. Endpoints that asked for strict order have a lane for each
 * conversation; the others spread over SPREAD lanes by conversation, enough to send while earlier outcomes
 * are being committed. An event over BODY_MAX loses its longest texts and says so ("truncated"): the receiver
 * fetches the object. */
#include <stdio.h>
#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/id.h"
#include "queue/changes.h"
#include "queue/events.h"
#include "queue/jobs.h"

#define SPREAD     64
#define BODY_MAX   (256u << 10)
#define SCALAR_MAX 64   /* bytes of a number or a word, and of the marks around a value */
#define ESCAPE_MAX 6    /* bytes of one byte's escape */
#define TEXT_KEPT  2048 /* texts longer than this go first when a body is too large */

const struct event_row event_rows[] = {
#define X(type, alias, text) {type, alias, text},
#include "queue/tbl_events.h"
#undef X
};
const unsigned event_row_count = sizeof event_rows / sizeof event_rows[0];

/* True if the pattern covers the name: equal, "*", or "word.*" before "word.rest". */
static bool pattern_covers(const char *pattern, const char *name)
{
    size_t len = strlen(pattern);

    if (strcmp(pattern, "*") == 0 || strcmp(pattern, name) == 0) {
        return true;
    }
    return len > 2 && strcmp(pattern + len - 2, ".*") == 0 && strncmp(pattern, name, len - 1) == 0;
}

/* True if the pattern reaches the row under either of its names. */
static bool pattern_reaches(const char *pattern, const struct event_row *row)
{
    return pattern_covers(pattern, row->type) ||
           (row->alias[0] != '\0' && pattern_covers(pattern, row->alias));
}

static const struct event_row *row_of(const char *type)
{
    for (unsigned i = 0; i < event_row_count; i++) {
        if (strcmp(event_rows[i].type, type) == 0) {
            return &event_rows[i];
        }
    }
    return NULL;
}

bool event_subscription_valid(const char *pattern)
{
    for (unsigned i = 0; i < event_row_count; i++) {
        if (pattern_reaches(pattern, &event_rows[i])) {
            return true;
        }
    }
    return false;
}

bool event_subscribed(const json_t *patterns, const char *type)
{
    const struct event_row *row = row_of(type);
    const json_t *pattern;
    size_t i;

    json_array_foreach (patterns, i, pattern) {
        if (row != NULL && json_is_string(pattern) && pattern_reaches(json_string_value(pattern), row)) {
            return true;
        }
    }
    return false;
}

/* What an event's order counts by: its conversation, or the object it tells of. */
static const char *subject_of(const json_t *event)
{
    const char *conversation = jx_str(event, "conversation_id"), *key;
    json_t *value;

    if (conversation != NULL) {
        return conversation;
    }
    json_object_foreach (jx_obj(event, "data"), key, value) {
        if (jx_str(value, "id") != NULL) {
            return jx_str(value, "id");
        }
    }
    return jx_str_or(event, "id", "");
}

/* The lane of one delivery. */
static void lane_text(const json_t *webhook, const json_t *event, char *out, size_t size)
{
    const char *about = subject_of(event);

    if (jx_bool(webhook, "ordered", false)) {
        snprintf(out, size, "%s/%s", jx_str_or(webhook, "id", ""), jx_str_or(event, "conversation_id", ""));
    } else {
        snprintf(out, size, "%s/%u", jx_str_or(webhook, "id", ""), crc32_of(about, strlen(about)) % SPREAD);
    }
}

void event_deliver(struct changes *cs, const char *part, const json_t *event, const json_t *webhook,
                   bool replay)
{
    struct id id = id_new(kind_row(KIND_DELIVERY)->prefix);
    json_t *delivery = json_object(), *payload = json_object();
    char lane[JOB_LANE_MAX + 1];

    jx_set_str(delivery, "id", id.text);
    jx_set_str(delivery, "webhook_id", jx_str_or(webhook, "id", ""));
    jx_set_str(delivery, "event_id", jx_str_or(event, "id", ""));
    jx_set_str(delivery, "event_type", jx_str_or(event, "type", ""));
    jx_set_str(delivery, "status", "pending");
    jx_set_bool(delivery, "replay", replay);
    jx_set(delivery, "attempts", json_array());
    jx_set_time(delivery, "created_at", clock_wall_ms());
    changes_put(cs, KIND_DELIVERY, part, id.text, delivery);
    jx_set_str(payload, "delivery_id", id.text);
    jx_set_str(payload, "webhook_id", jx_str_or(webhook, "id", ""));
    jx_set_str(payload, "event_id", jx_str_or(event, "id", ""));
    lane_text(webhook, event, lane, sizeof lane);
    changes_push(cs, QUEUE_DELIVER, part, lane, 0, payload);
    json_decref(delivery);
    json_decref(payload);
}

/* True if this endpoint is to get this event: switched on, of the agent or of the whole account, subscribed.
 */
static bool endpoint_wants(const json_t *webhook, const json_t *event)
{
    const char *owner = jx_str(webhook, "agent_id"), *agent = jx_str(event, "agent_id");

    if (strcmp(jx_str_or(webhook, "status", "active"), "disabled") == 0) {
        return false;
    }
    if (owner != NULL && (agent == NULL || strcmp(owner, agent) != 0)) {
        return false;
    }
    return event_subscribed(jx_arr(webhook, "events"), jx_str_or(event, "type", ""));
}

struct fan {
    struct changes *cs;
    const char *part;
    const json_t *event;
};

static bool look_endpoint(const struct store_row *row, void *arg)
{
    const struct fan *fan = arg;

    if (endpoint_wants(row->body, fan->event)) {
        event_deliver(fan->cs, fan->part, fan->event, row->body, false);
    }
    return true;
}

/* A delivery for every endpoint of the partition that wants the event. */
static enum err fan_out(struct changes *cs, struct snapshot *snap, const char *part, const json_t *event)
{
    struct page_query query = {.kind = KIND_WEBHOOK, .part = part};

    return snapshot_rows(snap, &query, look_endpoint, &(struct fan){cs, part, event});
}

/* Drops every text over TEXT_KEPT bytes. */
static void shorten(json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    void *next;

    if (json_is_array(value)) {
        json_array_foreach (value, i, item) {
            shorten(item);
        }
    }
    json_object_foreach_safe(value, next, key, item)
    {
        if (json_is_string(item) && json_string_length(item) > TEXT_KEPT) {
            jx_set(value, key, json_null());
        } else {
            shorten(item);
        }
    }
}

/* No fewer bytes than the value's text has, without writing it: each byte of a string as its longest escape.
 */
static size_t text_bound(const json_t *value)
{
    size_t sum = SCALAR_MAX, i;
    const char *key;
    json_t *item;

    if (json_is_string(value)) {
        return sum + ESCAPE_MAX * json_string_length(value);
    }
    json_array_foreach (value, i, item) {
        sum += text_bound(item);
    }
    json_object_foreach ((json_t *)value, key, item) {
        sum += SCALAR_MAX + ESCAPE_MAX * strlen(key) + text_bound(item);
    }
    return sum;
}

/* data as it fits into an event's body; new reference. */
static json_t *fitting(const json_t *data)
{
    if (text_bound(data) <= BODY_MAX || json_dumpb(data, NULL, 0, JSON_COMPACT) <= BODY_MAX) {
        return json_incref((json_t *)data);
    }
    json_t *copy = json_deep_copy(data);
    shorten(copy);
    jx_set_bool(copy, "truncated", true);
    return copy;
}

/* The event's body but for its sequence, which the store adds as the first field. New reference. */
static json_t *event_body(const char *part, const char *type, const char *id, const struct event_about *about,
                          const json_t *data)
{
    json_t *event = json_object();
    int64_t now = clock_wall_ms();

    jx_set_str(event, "id", id);
    jx_set_str(event, "type", type);
    jx_set_time(event, "created_at", now);
    jx_set_time(event, "timestamp", now);
    jx_set_str(event, "api_version", EVENT_API_VERSION);
    jx_set_bool(event, "livemode", partition_mode(part) == MODE_LIVE);
    jx_set_str(event, "agent_id", about->agent_id);
    if (about->conversation_id != NULL) {
        jx_set_str(event, "conversation_id", about->conversation_id);
    }
    jx_set(event, "data", fitting(data));
    return event;
}

static event_listener_fn listeners[EVENT_LISTENERS];
static unsigned listener_count;

void event_listen(event_listener_fn fn)
{
    for (unsigned i = 0; i < listener_count; i++) {
        if (listeners[i] == fn) {
            return; /* the room was opened a second time */
        }
    }
    CHECK(listener_count < EVENT_LISTENERS);
    listeners[listener_count++] = fn;
}

void event_append(struct changes *cs, struct snapshot *snap, const char *part, const char *type,
                  const struct event_about *about, const json_t *data, char *out)
{
    static const struct event_about nothing;
    struct id id = id_new(kind_row(KIND_EVENT)->prefix);

    CHECK(row_of(type) != NULL);
    about = about != NULL ? about : &nothing;
    json_t *event = event_body(part, type, id.text, about, data);
    changes_put_numbered(cs, KIND_EVENT, part, id.text, event,
                         about->conversation_id != NULL ? about->conversation_id : "account");
    enum err rc = fan_out(cs, snap, part, event);
    if (rc != ERR_OK) {
        changes_fault(cs, rc);
    }
    for (unsigned i = 0; i < listener_count; i++) {
        listeners[i](cs, snap, part, event);
    }
    if (out != NULL) {
        memcpy(out, id.text, strlen(id.text) + 1);
    }
    json_decref(event);
}
