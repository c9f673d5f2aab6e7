/* builtin.c: channels that exist without anybody connecting them: the API itself, and test mode's WhatsApp
 * number. A KIND_SETTING record says which channel it is; its revision is the guard that two first uses make
 * one channel. */
#include <stdio.h>

#include "bridge/api/sandbox.h"
#include "channels/channel.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"

#define SETTING_MAX 80

/* The setting that names the channel. */
static const char *setting_of(const char *what, const char *agent_id, char out[SETTING_MAX])
{
    snprintf(out, SETTING_MAX, "channel/%s/%s", what, agent_id);
    return out;
}

/* The channel a setting names, if both are there. */
static enum err find(struct snapshot *snap, const char *part, const char *setting, json_t **channel,
                     uint64_t *guard)
{
    json_t *record = NULL;
    *guard = 0;
    enum err rc = snapshot_get(snap, KIND_SETTING, part, setting, &record, guard);
    if (rc == ERR_OK) {
        rc = channel_get(snap, part, jx_str_or(record, "channel_id", ""), channel, NULL);
    }
    json_decref(record);
    return rc;
}

/* A new channel and the setting that names it. */
static enum err add(struct changes *cs, const char *part, const char *agent_id, const char *setting,
                    uint64_t guard, const json_t *body, json_t **channel, const char **field, struct buf *why)
{
    enum err rc = channel_create(cs, part, agent_id, body, channel, field, why);
    if (rc != ERR_OK) {
        return rc;
    }
    json_t *record = json_object();
    jx_set_str(record, "channel_id", jx_str(*channel, "id"));
    changes_expect(cs, KIND_SETTING, part, setting, guard);
    changes_put(cs, KIND_SETTING, part, setting, record);
    json_decref(record);
    return ERR_OK;
}

enum err sandbox_channel_find(struct snapshot *snap, const char *part, const char *agent_id, json_t **channel,
                              uint64_t *guard)
{
    char setting[SETTING_MAX];
    return find(snap, part, setting_of("sandbox", agent_id, setting), channel, guard);
}

/* A secret nobody needs to know: test mode signs and sends nothing. */
static void set_random(json_t *body, const char *name)
{
    uint8_t bytes[16];
    char text[2 * sizeof(bytes) + 1];
    random_bytes(bytes, sizeof(bytes));
    hex_encode(bytes, sizeof(bytes), text);
    jx_set_str(body, name, text);
}

enum err sandbox_channel_add(struct changes *cs, const char *part, const char *agent_id, uint64_t guard,
                             json_t **channel, const char **field, struct buf *why)
{
    char setting[SETTING_MAX], number[16];
    json_t *body = json_object();
    CHECK(partition_mode(part) == MODE_TEST);
    snprintf(number, sizeof(number), "9%014llu", (unsigned long long)random_below(100000000000000ULL));
    jx_set_str(body, "type", "whatsapp");
    jx_set_str(body, "name", "Sandbox");
    jx_set_str(body, "phone_number_id", number);
    jx_set_str(body, "display_phone_number", SANDBOX_NUMBER);
    set_random(body, "access_token");
    set_random(body, "app_secret");
    set_random(body, "verify_token");
    enum err rc =
        add(cs, part, agent_id, setting_of("sandbox", agent_id, setting), guard, body, channel, field, why);
    json_decref(body);
    return rc;
}

enum err builtin_channel_find(struct snapshot *snap, const char *part, const char *agent_id, json_t **channel,
                              uint64_t *guard)
{
    char setting[SETTING_MAX];
    return find(snap, part, setting_of("api", agent_id, setting), channel, guard);
}

enum err builtin_channel_add(struct changes *cs, const char *part, const char *agent_id, uint64_t guard,
                             json_t **channel, const char **field, struct buf *why)
{
    char setting[SETTING_MAX];
    json_t *body = json_object();
    jx_set_str(body, "type", "api");
    jx_set_str(body, "name", "API");
    enum err rc =
        add(cs, part, agent_id, setting_of("api", agent_id, setting), guard, body, channel, field, why);
    json_decref(body);
    return rc;
}
