/* status.c: a platform's word on a message of ours, applied to the message's record.
 *
 * The message is known by our own id, if the platform gives it back, or by the platform's id. Our id goes
 * first: a status may overtake the answer to the very send it tells of, and then only our id is known; the
 * record learns the platform's id from it. A status needs no first-seen mark: the ladder (message.c) makes a
 * second one a step to nowhere. */
#include <string.h>

#include "channels/billing.h"
#include "channels/channels_int.h"
#include "channels/message.h"

/* True if the record is a message that went out on that channel. */
static bool is_ours(const json_t *msg, const char *channel_id)
{
    return strcmp(jx_str_or(msg, "direction", ""), "out") == 0 &&
           strcmp(jx_str_or(msg, "channel_id", ""), channel_id) == 0;
}

/* By the id that we sent along. */
static enum err find_by_ours(struct snapshot *snap, const char *part, const char *channel_id, const char *id,
                             json_t **msg, uint64_t *rev)
{
    if (id == NULL || !id_is(id, "msg")) {
        return ERR_NOTFOUND;
    }
    enum err rc = snapshot_get(snap, KIND_MESSAGE, part, id, msg, rev);
    if (rc == ERR_OK && !is_ours(*msg, channel_id)) {
        json_decref(*msg);
        *msg = NULL;
        return ERR_NOTFOUND;
    }
    return rc;
}

/* By the platform's id. The index cuts long texts, so the record itself is asked. */
static enum err find_by_theirs(struct snapshot *snap, const char *part, const char *channel_id,
                               const char *platform_id, json_t **msg, uint64_t *rev)
{
    struct page_query query = {.kind = KIND_MESSAGE,
                               .part = part,
                               .index = INDEX_MESSAGE_PLATFORM,
                               .match = {channel_id, platform_id},
                               .limit = 20};
    struct store_page page;
    enum err rc = snapshot_page(snap, &query, &page);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = ERR_NOTFOUND;
    for (size_t i = 0; i < page.count && rc != ERR_OK; i++) {
        const json_t *each = page.rows[i].body;
        if (is_ours(each, channel_id) && strcmp(jx_str_or(each, "platform_id", ""), platform_id) == 0) {
            *msg = json_incref(page.rows[i].body);
            *rev = page.rows[i].rev;
            rc = ERR_OK;
        }
    }
    store_page_free(&page);
    return rc;
}

enum err status_apply(struct changes *cs, struct snapshot *snap, const char *part, const char *channel_id,
                      const json_t *status)
{
    const char *platform_id = jx_str_or(status, "platform_id", "-");
    json_t *msg = NULL;
    uint64_t rev = 0;
    bool learned = false;
    enum err rc = find_by_ours(snap, part, channel_id, jx_str(status, "outbox"), &msg, &rev);

    if (rc == ERR_NOTFOUND) {
        rc = find_by_theirs(snap, part, channel_id, platform_id, &msg, &rev);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (jx_str(msg, "platform_id") == NULL) {
        jx_set_str(msg, "platform_id", platform_id);
        learned = true;
    }
    learned = billing_note(cs, part, msg, jx_obj(status, "pricing")) || learned;
    const json_t *error = jx_obj(status, "error");
    if (message_advance(cs, snap, part, msg, rev, jx_str_or(status, "status", ""), error)) {
        if (error != NULL && strcmp(jx_str_or(status, "status", ""), "failed") == 0) {
            rc = refusal_follow(cs, snap, part, msg, jx_str_or(error, "code", ""));
        }
    } else if (learned) {
        changes_expect(cs, KIND_MESSAGE, part, jx_str(msg, "id"), rev);
        changes_put(cs, KIND_MESSAGE, part, jx_str(msg, "id"), msg);
    }
    json_decref(msg);
    return rc;
}
