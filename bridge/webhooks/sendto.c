/* sendto.c: endpoints kept ready; see sendto.h. */
#include "bridge/webhooks/sendto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/webhooks/endpoint.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"

struct sendtos {
    struct sendto *slots[SENDTO_SLOTS];
};

struct sendtos *sendtos_new(void)
{
    return xcalloc(1, sizeof(struct sendtos));
}

void sendto_release(struct sendto *sendto)
{
    if (sendto == NULL || --sendto->users > 0) {
        return;
    }
    json_decref(sendto->webhook);
    json_decref(sendto->indexed);
    wipe(sendto->secrets, sizeof(sendto->secrets));
    free(sendto);
}

void sendtos_free(struct sendtos *sendtos)
{
    if (sendtos == NULL) {
        return;
    }
    for (size_t i = 0; i < SENDTO_SLOTS; i++) {
        sendto_release(sendtos->slots[i]);
    }
    free(sendtos);
}

/* When the first of the endpoint's secrets ends. */
static int64_t first_end(const json_t *webhook)
{
    int64_t first = INT64_MAX, ms;
    bool date_only;
    size_t i;
    json_t *item;
    json_array_foreach (jx_arr(webhook, "secrets"), i, item) {
        const char *until = jx_str(item, "until");
        if (until != NULL && clock_parse(until, &ms, &date_only) && ms < first && ms > clock_wall_ms()) {
            first = ms;
        }
    }
    return first;
}

/* True if what is kept is the stored revision and none of its secrets has ended since. */
static bool is_current(const struct sendto *sendto, struct snapshot *snap, const char *part, const char *id)
{
    const void *data;
    size_t size;
    uint64_t rev;
    if (sendto == NULL || strcmp(sendto->id, id) != 0 || strcmp(sendto->part, part) != 0) {
        return false;
    }
    return snapshot_get_bytes(snap, KIND_WEBHOOK, part, id, &data, &size, &rev) == ERR_OK &&
           rev == sendto->rev && clock_wall_ms() < sendto->until_ms;
}

/* Reads the endpoint and opens its secrets. */
static enum err sendto_read(struct snapshot *snap, const char *part, const char *id, struct sendto **out)
{
    struct sendto *sendto = xcalloc(1, sizeof(*sendto));
    sendto->users = 1;
    enum err rc = snapshot_get(snap, KIND_WEBHOOK, part, id, &sendto->webhook, &sendto->rev);
    if (rc != ERR_OK) {
        sendto_release(sendto);
        return rc;
    }
    snprintf(sendto->id, sizeof(sendto->id), "%s", id);
    snprintf(sendto->part, sizeof(sendto->part), "%s", part);
    sendto->secret_count = endpoint_secrets(sendto->webhook, part, sendto->secrets);
    sendto->until_ms = first_end(sendto->webhook);
    sendto->indexed = json_object();
    jx_set_str(sendto->indexed, "webhook_id", id);
    *out = sendto;
    return ERR_OK;
}

enum err sendto_get(struct sendtos *sendtos, struct snapshot *snap, const char *part, const char *id,
                    struct sendto **out)
{
    struct sendto **slot = &sendtos->slots[crc32_of(id, strlen(id)) % SENDTO_SLOTS];
    if (!is_current(*slot, snap, part, id)) {
        struct sendto *sendto = NULL;
        enum err rc = sendto_read(snap, part, id, &sendto);
        if (rc != ERR_OK) {
            return rc;
        }
        sendto_release(*slot);
        *slot = sendto;
    }
    (*slot)->users++;
    *out = *slot;
    return ERR_OK;
}
