/* channel_keys.c: keys of API channels, made with their channel, rotated and ended. */
#include "bridge/api/channel_keys.h"

#include <string.h>

#include "queue/base/clock.h"

void channel_key_add(struct call *c, const json_t *channel, char out[KEY_TEXT_SIZE])
{
    json_t *scopes = json_pack("[s]", "messages");
    struct key_spec spec = {
        .account_id = c->caller.account_id,
        .mode = c->caller.mode,
        .name = jx_str_or(channel, "name", "API channel"),
        .scopes = scopes,
        .created_by = c->caller.key_id[0] != '\0' ? c->caller.key_id : NULL,
        .channel_id = jx_str(channel, "id"),
    };
    json_t *key = key_create(call_changes(c), &spec, out);
    call_audit(c, "key.created", jx_str(key, "id"));
    json_decref(key);
    json_decref(scopes);
}

/* The end of one key; a key that ends sooner already is left alone. */
static void end_key(struct call *c, const struct store_row *row, int64_t overlap_s)
{
    struct changes *cs = call_changes(c);
    if (overlap_s <= 0) {
        changes_expect(cs, KIND_KEY, PARTITION_GLOBAL, row->id, row->rev);
        changes_delete(cs, KIND_KEY, PARTITION_GLOBAL, row->id);
    } else if (jx_str(row->body, "expires_at") == NULL) {
        json_t *ending = json_copy(row->body);
        jx_set_time(ending, "expires_at", clock_wall_ms() + overlap_s * 1000);
        changes_expect(cs, KIND_KEY, PARTITION_GLOBAL, row->id, row->rev);
        changes_put(cs, KIND_KEY, PARTITION_GLOBAL, row->id, ending);
        json_decref(ending);
    }
}

struct ending {
    struct call *c;
    const char *channel_id;
    int64_t overlap_s;
};

static bool look_key(const struct store_row *row, void *arg)
{
    const struct ending *ending = arg;
    if (strcmp(jx_str_or(row->body, "channel_id", ""), ending->channel_id) == 0) {
        end_key(ending->c, row, ending->overlap_s);
    }
    return true;
}

bool channel_keys_end(struct call *c, const char *channel_id, int64_t overlap_s)
{
    struct ending ending = {.c = c, .channel_id = channel_id, .overlap_s = overlap_s};
    struct page_query query = {
        .kind = KIND_KEY,
        .part = PARTITION_GLOBAL,
        .index = INDEX_KEY_BY_ACCOUNT,
        .match = {c->caller.account_id, c->caller.mode == MODE_LIVE ? "live" : "test"},
    };
    enum err rc = snapshot_rows(c->snap, &query, look_key, &ending);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
    }
    return rc == ERR_OK;
}

void channel_addresses(struct call *c, const char *channel_id, json_t *out)
{
    const char *base = c->api->app->public_url;
    jx_set_str(out, "docs_url", arena_printf(c->arena, "%s/channelsApi/%s/docs", base, channel_id));
    jx_set_str(out, "openapi_url",
               arena_printf(c->arena, "%s/channelsApi/%s/openapi.json", base, channel_id));
}

void channels_rotate(struct call *c)
{
    char text[KEY_TEXT_SIZE];
    json_t *channel = channels_find(c, NULL);
    if (channel == NULL) {
        return;
    }
    if (strcmp(jx_str_or(channel, "type", ""), "api") != 0) {
        call_fail(c, API_IMPOSSIBLE, NULL, "Only an API channel has a key of its own.");
        return;
    }
    if (!channel_keys_end(c, jx_str_or(channel, "id", ""), jx_int(c->body, "overlap_s", 0))) {
        return;
    }
    channel_key_add(c, channel, text);
    json_t *out = json_object();
    jx_set_str(out, "id", jx_str(channel, "id"));
    jx_set_str(out, "channel_id", jx_str(channel, "id"));
    jx_set_str(out, "api_key", text);
    channel_addresses(c, jx_str_or(channel, "id", ""), out);
    call_audit(c, "channel.key_rotated", jx_str(channel, "id"));
    call_commit(c, 201, out);
}

void channels_test(struct call *c)
{
    json_t *channel = channels_find(c, NULL);
    if (channel == NULL) {
        return;
    }
    const json_t *reason = jx_obj(channel, "reason");
    bool works = strcmp(jx_str_or(channel, "status", ""), "active") == 0;
    bool assigned = jx_str(channel, "agent_id") != NULL;
    json_t *out = json_object();
    jx_set_bool(out, "ok", works && assigned);
    jx_set_str(out, "status", jx_str(channel, "status"));
    jx_set_str(out, "detail",
               !assigned        ? "The channel is assigned to no agent."
               : works          ? "Messages go through."
               : reason != NULL ? jx_str_or(reason, "detail", "The platform refuses.")
                                : "A person paused the channel.");
    call_reply(c, 200, out);
}
