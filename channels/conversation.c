/* conversation.c: the record of a thread: finding it, beginning it, writing it under its guard. */
#include <string.h>

#include "channels/channels_int.h"
#include "channels/conversation.h"

#include "queue/base/clock.h"
#include "queue/base/id.h"
#include "queue/events.h"

#define FIND_DEPTH    8 /* newest threads that are looked through: a new one begins only when none is open */
#define WINDOW_MARGIN 60000 /* ms: free text is refused so long before the platform would */
#define MOVE_MAX      1000

enum err conversation_get(struct snapshot *snap, const char *part, const char *id, json_t **conversation,
                          uint64_t *rev)
{
    return snapshot_get(snap, KIND_CONVERSATION, part, id, conversation, rev);
}

/* What a search looks for: this very thread, or (NULL) whatever is not closed. An index cuts long texts, so
 * only the record itself tells whether it is the same thread. */
static bool fits(const json_t *conversation, const char *thread)
{
    if (thread != NULL) {
        return strcmp(jx_str_or(conversation, "thread", ""), thread) == 0;
    }
    return strcmp(jx_str_or(conversation, "status", ""), "closed") != 0;
}

/* The newest row of the query that fits. */
static enum err newest(struct snapshot *snap, const struct page_query *query, const char *thread,
                       json_t **found, uint64_t *rev)
{
    struct store_page page;
    enum err rc = snapshot_page(snap, query, &page);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = ERR_NOTFOUND;
    for (size_t i = 0; i < page.count && rc != ERR_OK; i++) {
        if (!fits(page.rows[i].body, thread)) {
            continue;
        }
        *found = json_incref(page.rows[i].body);
        if (rev != NULL) {
            *rev = page.rows[i].rev;
        }
        rc = ERR_OK;
    }
    store_page_free(&page);
    return rc;
}

enum err conversation_find(struct snapshot *snap, const char *part, const char *channel_id,
                           const char *contact_id, json_t **conversation, uint64_t *rev)
{
    struct page_query query = {.kind = KIND_CONVERSATION,
                               .part = part,
                               .index = INDEX_CONVERSATION_CONTACT,
                               .match = {channel_id, contact_id},
                               .descending = true,
                               .limit = FIND_DEPTH};

    return newest(snap, &query, NULL, conversation, rev);
}

enum err conversation_find_thread(struct snapshot *snap, const char *part, const char *channel_id,
                                  const char *thread, json_t **conversation, uint64_t *rev)
{
    struct page_query query = {.kind = KIND_CONVERSATION,
                               .part = part,
                               .index = INDEX_CONVERSATION_THREAD,
                               .match = {channel_id, thread},
                               .descending = true,
                               .limit = FIND_DEPTH};

    return newest(snap, &query, thread, conversation, rev);
}

json_t *conversation_begin(struct changes *cs, struct snapshot *snap, const char *part, const json_t *channel,
                           const json_t *contact, const char *thread)
{
    json_t *conversation = json_object();
    int64_t now = clock_wall_ms();
    json_t *person = json_copy((json_t *)contact);

    jx_set_str(conversation, "id", id_new("cnv").text);
    jx_set_str(conversation, "agent_id", jx_str(channel, "agent_id"));
    jx_set_str(conversation, "channel_id", jx_str(channel, "id"));
    jx_set_str(conversation, "channel", jx_str(channel, "type"));
    jx_set_str(conversation, "contact_id", jx_str(contact, "id"));
    if (thread != NULL) {
        jx_set_str(conversation, "thread", thread);
    }
    jx_set_str(conversation, "status", "open");
    jx_set_str(conversation, "mode", "ai");
    jx_set_str(conversation, "window_expires_at", NULL);
    jx_set_str(conversation, "answered", NULL);
    jx_set(conversation, "tags", json_array());
    jx_set(conversation, "metadata", json_object());
    jx_set_time(conversation, "created_at", now);
    jx_set_time(conversation, "updated_at", now);
    jx_set_time(conversation, "last_message_at", now);
    changes_put(cs, KIND_CONVERSATION, part, jx_str(conversation, "id"), conversation);
    jx_set_time(person, "updated_at", now);
    changes_put(cs, KIND_CONTACT, part, jx_str(person, "id"), person);
    json_decref(person);
    conversation_event(cs, snap, part, "conversation.started", conversation);
    return conversation;
}

void conversation_put(struct changes *cs, const char *part, json_t *conversation, uint64_t rev)
{
    const char *id = jx_str(conversation, "id");

    CHECK(id != NULL);
    if (rev != 0) {
        changes_expect(cs, KIND_CONVERSATION, part, id, rev);
    }
    jx_set_time(conversation, "updated_at", clock_wall_ms());
    changes_put(cs, KIND_CONVERSATION, part, id, conversation);
}

void conversation_event(struct changes *cs, struct snapshot *snap, const char *part, const char *type,
                        const json_t *conversation)
{
    struct event_about about = {.agent_id = jx_str(conversation, "agent_id"),
                                .conversation_id = jx_str(conversation, "id")};
    json_t *data = json_object();

    jx_set(data, "conversation", json_incref((json_t *)conversation));
    event_append(cs, snap, part, type, &about, data, NULL);
    json_decref(data);
}

/* Moves what one contact has on one channel. */
static enum err move_channel(struct changes *cs, struct snapshot *snap, const char *part,
                             const char *channel_id, const char *from, const char *to, const char *except)
{
    struct page_query query = {.kind = KIND_CONVERSATION,
                               .part = part,
                               .index = INDEX_CONVERSATION_CONTACT,
                               .match = {channel_id, from},
                               .limit = MOVE_MAX};
    struct store_page page;
    enum err rc = snapshot_page(snap, &query, &page);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < page.count; i++) {
        json_t *conversation = page.rows[i].body;
        if (except == NULL || strcmp(page.rows[i].id, except) != 0) {
            jx_set_str(conversation, "contact_id", to);
            conversation_put(cs, part, conversation, page.rows[i].rev);
        }
    }
    store_page_free(&page);
    return ERR_OK;
}

enum err conversation_move(struct changes *cs, struct snapshot *snap, const char *part, const json_t *from,
                           const char *to, const char *except)
{
    struct page_query query = {.kind = KIND_CHANNEL, .part = part, .limit = MOVE_MAX};
    struct store_page channels;
    size_t i;
    json_t *each;

    if (json_array_size(from) == 0) {
        return ERR_OK;
    }
    enum err rc = snapshot_page(snap, &query, &channels);
    if (rc != ERR_OK) {
        return rc;
    }
    json_array_foreach (from, i, each) {
        for (size_t c = 0; c < channels.count && rc == ERR_OK; c++) {
            rc = move_channel(cs, snap, part, channels.rows[c].id, json_string_value(each), to, except);
        }
    }
    store_page_free(&channels);
    return rc;
}

void conversation_care(struct changes *cs, const char *part, const json_t *conversation, const char *what,
                       int64_t wait_ms)
{
    const char *id = jx_str_or(conversation, "id", "");
    const char *at = jx_str_or(jx_obj(conversation, "handoff"), "at", "");
    char lane[JOB_LANE_MAX];
    json_t *payload = json_pack("{s:s, s:s, s:s, s:I}", "conversation_id", id, "at", at, "what", what,
                                "due_ms", (json_int_t)(clock_wall_ms() + wait_ms));

    snprintf(lane, sizeof lane, "%.60s/%.20s", id, what);
    changes_push(cs, QUEUE_CARE, part, lane, wait_ms, payload);
    json_decref(payload);
}

void conversation_hand_over(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation,
                            const char *reason, const char *note)
{
    struct event_about about = {.agent_id = jx_str(conversation, "agent_id"),
                                .conversation_id = jx_str(conversation, "id")};
    json_t *handoff = json_object();
    json_t *data = json_object();

    if (!conversation_is_human(conversation)) {
        jx_set_str(handoff, "reason", reason);
        jx_set_str(handoff, "note", note);
        jx_set_time(handoff, "at", clock_wall_ms());
        jx_set(conversation, "handoff", json_incref(handoff));
        jx_set_str(conversation, "status", "handoff");
        jx_set_str(conversation, "mode", "human");
        jx_set_str(data, "reason", reason);
        jx_set_str(data, "note", note);
        jx_set(data, "conversation", json_deep_copy(conversation));
        event_append(cs, snap, part, "handoff.triggered", &about, data, NULL);
    }
    json_decref(handoff);
    json_decref(data);
}

bool conversation_has_fallback(struct snapshot *snap, const char *part, const json_t *conversation)
{
    json_t *content = refusal_template(snap, part, conversation, "");
    bool has = content != NULL;

    json_decref(content);
    return has;
}

size_t conversation_windows_tell(struct changes *cs, struct snapshot *snap, const char *part, int64_t lead_ms,
                                 size_t limit)
{
    int64_t now = clock_wall_ms();
    char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];
    struct page_query query = {.kind = KIND_CONVERSATION,
                               .part = part,
                               .index = INDEX_CONVERSATION_WINDOW,
                               .from = clock_rfc3339(now, from),
                               .to = clock_rfc3339(now + lead_ms, to),
                               .limit = 1000};
    struct store_page page;
    size_t told = 0;

    if (snapshot_page(snap, &query, &page) != ERR_OK) {
        return 0;
    }
    for (size_t i = 0; i < page.count && told < limit; i++) {
        json_t *conversation = page.rows[i].body;
        const char *end = jx_str_or(conversation, "window_expires_at", "");
        bool closed = strcmp(jx_str_or(conversation, "status", ""), "closed") == 0;
        if (closed || strcmp(jx_str_or(conversation, "window_told", ""), end) == 0) {
            continue;
        }
        jx_set_str(conversation, "window_told", end);
        conversation_put(cs, part, conversation, page.rows[i].rev);
        json_object_del(conversation, "window_told");
        conversation_event(cs, snap, part, "window.closing", conversation);
        told++;
    }
    store_page_free(&page);
    return told;
}

bool conversation_is_human(const json_t *conversation)
{
    return strcmp(jx_str_or(conversation, "mode", "ai"), "human") == 0;
}

bool conversation_window_open(const json_t *conversation, int64_t now_ms)
{
    const struct channel_ops *ops = channel_ops(jx_str_or(conversation, "channel", ""));
    const char *until = jx_str(conversation, "window_expires_at");
    int64_t end_ms;
    bool date_only;

    if (ops == NULL || !ops->has_window) {
        return true;
    }
    return until != NULL && clock_parse(until, &end_ms, &date_only) && end_ms - WINDOW_MARGIN >= now_ms;
}
