/* hook.c: what a platform posted, stored as it came.
 *
 * The record is one line of JSON about the call, a newline, then the raw bytes. Its job runs in one of a few
 * lanes of the channel: posts about the same customer share a lane, so that they are taken apart in the order
 * of arrival, while a storm of one customer's posts does not hold up the others; posts of statuses alone have
 * lanes of their own. Which lane is a mere guess
 * from the bytes (the first "from" or "recipient_id"); a wrong guess costs order between posts, which
 * platforms do not promise either.
 *
 * While little comes in, a post of one message or status is taken apart at once and needs no job: one commit
 * less before the customer is answered. It does so only where its lane is empty, and still is when it is
 * committed, so that it cannot overtake; and whatever stands in its way (a duplicate, a record written
 * meanwhile) sends it the usual way. */
#include <stdio.h>
#include <string.h>

#include "channels/channels_int.h"

#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/id.h"

#define LANES      16
#define SCAN_BYTES 16384 /* the head of a body in which the customer is looked for */

/* The text that stands behind the first key of the body, its size in *len; NULL if there is none. */
static const char *value_behind(const char *body, size_t size, const char *key, size_t *len)
{
    const char *at = memmem(body, size, key, strlen(key));
    const char *end = body + size;

    if (at == NULL) {
        return NULL;
    }
    at += strlen(key);
    while (at < end && (*at == ':' || *at == ' ' || *at == '"')) {
        at++;
    }
    const char *close = memchr(at, '"', (size_t)(end - at));
    *len = close != NULL ? (size_t)(close - at) : 0;
    return close != NULL ? at : NULL;
}

/* True for a post of nothing but statuses, as far as the bytes tell: these need no order among the messages
 * (the ladder of message.c takes them in any), and a thousand of them must not stand before one customer's
 * words. */
static bool statuses_only(const char *body, size_t size)
{
    static const char statuses[] = "\"statuses\"", messages[] = "\"messages\":";
    static const char echoes[] = "\"message_echoes\"";

    /* Customers' messages first: for them one look ends in the middle of the body. */
    return memmem(body, size, messages, sizeof messages - 1) == NULL &&
           memmem(body, size, statuses, sizeof statuses - 1) != NULL &&
           memmem(body, size, echoes, sizeof echoes - 1) == NULL;
}

static void lane_name(const char *channel_id, bool statuses, unsigned number, char lane[JOB_LANE_MAX])
{
    snprintf(lane, JOB_LANE_MAX, "%s:%s%u", channel_id, statuses ? "s" : "", number);
}

static void lane_of(const char *channel_id, const char *body, size_t size, char lane[JOB_LANE_MAX])
{
    static const char *const keys[] = {"\"from\"", "\"from_user_id\"", "\"recipient_id\"",
                                       "\"recipient_user_id\""};
    size_t scanned = size < SCAN_BYTES ? size : SCAN_BYTES;
    const char *who = NULL;
    size_t len = 0;

    for (size_t i = 0; who == NULL && i < sizeof keys / sizeof *keys; i++) {
        who = value_behind(body, scanned, keys[i], &len);
    }
    unsigned number = who != NULL ? crc32_of(who, len) % LANES : 0;
    lane_name(channel_id, statuses_only(body, size), number, lane);
}

bool hook_waits(struct store *store, const char *part, const char *channel_id, int64_t before_ms)
{
    char lane[JOB_LANE_MAX];

    for (unsigned i = 0; i < 2 * LANES; i++) {
        lane_name(channel_id, i % 2 == 0, i / 2, lane);
        int64_t oldest = store_lane_oldest(store, QUEUE_INTAKE, part, lane);
        if (oldest > 0 && oldest <= before_ms) {
            return true;
        }
    }
    return false;
}

/* The texts one behind the other, in room that is known to hold them; returns their size. */
static size_t join(char *out, size_t room, const char *const texts[])
{
    size_t at = 0;

    for (; *texts != NULL; texts++) {
        size_t size = strlen(*texts);
        CHECK(size < room - at);
        memcpy(out + at, *texts, size + 1);
        at += size;
    }
    return at;
}

/* Adds the record. Written by hand, this being the busiest path: no text here can hold anything that needs an
 * escape. */
static struct id hook_put(struct changes *cs, const char *part, const char *channel_id, const char *body,
                          size_t size)
{
    struct id id = id_new("hok");
    char received[CLOCK_TEXT_SIZE], about[ID_SIZE + CLOCK_TEXT_SIZE + 64];

    clock_rfc3339(clock_wall_ms(), received);
    size_t about_size = join(about, sizeof about,
                             (const char *const[]){"{\"channel_id\":\"", channel_id, "\",\"received_at\":\"",
                                                   received, "\"}\n", NULL});
    changes_expect(cs, KIND_HOOK, part, id.text, 0);
    changes_put_joined(cs, KIND_HOOK, part, id.text, about, about_size, body, size);
    return id;
}

void channel_hook_store(struct changes *cs, const char *part, const char *channel_id, const char *body,
                        size_t size, char *out)
{
    struct id id = hook_put(cs, part, channel_id, body, size);
    char lane[JOB_LANE_MAX], payload[2 * ID_SIZE + 64];
    size_t payload_size = join(
        payload, sizeof payload,
        (const char *const[]){"{\"channel_id\":\"", channel_id, "\",\"hook_id\":\"", id.text, "\"}", NULL});
    lane_of(channel_id, body, size, lane);
    changes_push_text(cs, QUEUE_INTAKE, part, lane, 0, payload, payload_size);
    memcpy(out, id.text, ID_SIZE);
}

struct changes *channel_hook_take(struct store *store, struct snapshot *snap, const char *part,
                                  const json_t *channel, const char *body, size_t size)
{
    const char *channel_id = jx_str_or(channel, "id", "");
    char lane[JOB_LANE_MAX];

    if (size > SCAN_BYTES || !store_calm(store)) {
        return NULL;
    }
    lane_of(channel_id, body, size, lane);
    if (!store_lane_idle(store, QUEUE_INTAKE, part, lane)) {
        return NULL;
    }
    struct changes *cs = changes_new();
    (void)hook_put(cs, part, channel_id, body, size);
    changes_expect_idle(cs, QUEUE_INTAKE, part, lane);
    if (intake_at_once(cs, snap, part, channel, body, size)) {
        return cs;
    }
    changes_free(cs);
    return NULL;
}

enum err hook_get(struct snapshot *snap, const char *part, const char *id, json_t **about, const char **body,
                  size_t *size)
{
    const void *data = NULL;
    size_t len = 0;
    enum err rc = snapshot_get_bytes(snap, KIND_HOOK, part, id, &data, &len, NULL);

    if (rc != ERR_OK) {
        return rc;
    }
    const char *newline = memchr(data, '\n', len);
    if (newline == NULL) {
        return ERR_CORRUPT;
    }
    size_t head = (size_t)(newline - (const char *)data);
    rc = jx_parse_lenient(data, head, about);
    if (rc != ERR_OK) {
        return ERR_CORRUPT;
    }
    *body = newline + 1;
    *size = len - head - 1;
    return ERR_OK;
}

enum err channel_hook_about(struct snapshot *snap, const char *part, const char *id, json_t **about)
{
    const char *body = NULL;
    size_t size = 0;
    enum err rc = hook_get(snap, part, id, about, &body, &size);

    if (rc == ERR_OK) {
        jx_set_str(*about, "id", id);
        jx_set_int(*about, "bytes", (int64_t)size);
    }
    return rc;
}

/* What a hook left in quarantine goes: its next taking apart decides again. */
static enum err quarantine_clear(struct changes *cs, struct snapshot *snap, const char *part,
                                 const char *channel_id, const char *hook_id)
{
    struct page_query query = {.kind = KIND_QUARANTINE,
                               .part = part,
                               .index = INDEX_QUARANTINE_CHANNEL,
                               .match = {channel_id, hook_id},
                               .limit = 1000};
    struct store_page page;
    enum err rc = snapshot_page(snap, &query, &page);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < page.count; i++) {
        changes_expect(cs, KIND_QUARANTINE, part, page.rows[i].id, page.rows[i].rev);
        changes_delete(cs, KIND_QUARANTINE, part, page.rows[i].id);
    }
    store_page_free(&page);
    return ERR_OK;
}

enum err channel_hook_replay(struct changes *cs, struct snapshot *snap, const char *part, const char *id)
{
    json_t *about = NULL;
    const char *body = NULL;
    size_t size = 0;
    char lane[JOB_LANE_MAX];
    enum err rc = hook_get(snap, part, id, &about, &body, &size);

    if (rc != ERR_OK) {
        return rc;
    }
    const char *channel_id = jx_str_or(about, "channel_id", "-");
    rc = quarantine_clear(cs, snap, part, channel_id, id);
    if (rc == ERR_OK) {
        json_t *payload = json_object();
        jx_set_str(payload, "channel_id", channel_id);
        jx_set_str(payload, "hook_id", id);
        jx_set_str(payload, "replay", id_new("rpl").text);
        lane_of(channel_id, body, size, lane);
        changes_push(cs, QUEUE_INTAKE, part, lane, 0, payload);
        json_decref(payload);
    }
    json_decref(about);
    return rc;
}
