/* door.c: the channels that platforms post to, kept ready.
 *
 * A post names its channel by id alone, thousands of times a second, and the record is the same each time. A
 * slot holds a parsed channel with the partition it lives in; one read of the stored revision tells whether
 * it is still what the store holds. Revisions are never given twice, so a slot that matches is the record
 * itself: there is nothing to invalidate, and a change of a secret counts with the next post. Readers share
 * the parsed record and must not change it. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "channels/channels_int.h"

#include "queue/base/id.h"

#define SLOTS 256

struct slot {
    char id[ID_SIZE];
    char part[PARTITION_SIZE];
    uint64_t rev;
    json_t *channel; /* NULL: empty */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[SLOTS];

static struct slot *slot_of(const char *id)
{
    return &slots[slot_number(id, strlen(id)) % SLOTS];
}

/* The record kept for the id with its revision, which may be out of date. New reference, or NULL. */
static json_t *kept(const char *id, char part[PARTITION_SIZE], uint64_t *rev)
{
    json_t *channel = NULL;

    pthread_mutex_lock(&lock);
    const struct slot *slot = slot_of(id);
    if (slot->channel != NULL && strcmp(slot->id, id) == 0) {
        channel = json_incref(slot->channel);
        *rev = slot->rev;
        memcpy(part, slot->part, PARTITION_SIZE);
    }
    pthread_mutex_unlock(&lock);
    return channel;
}

static void keep(const char *id, const char *part, json_t *channel, uint64_t rev)
{
    pthread_mutex_lock(&lock);
    struct slot *slot = slot_of(id);
    json_t *former = slot->channel;
    snprintf(slot->id, sizeof slot->id, "%s", id);
    snprintf(slot->part, sizeof slot->part, "%s", part);
    slot->rev = rev;
    slot->channel = json_incref(channel);
    pthread_mutex_unlock(&lock);
    json_decref(former);
}

/* True if the store holds this revision of the channel. */
static bool is_current(struct snapshot *snap, const char *part, const char *id, uint64_t rev)
{
    const void *data;
    size_t size;
    uint64_t now = 0;

    return snapshot_get_bytes(snap, KIND_CHANNEL, part, id, &data, &size, &now) == ERR_OK && now == rev;
}

enum err channel_at_door(struct snapshot *snap, const char *id, char part[PARTITION_SIZE], json_t **channel)
{
    uint64_t rev = 0;

    *channel = kept(id, part, &rev);
    if (*channel != NULL && is_current(snap, part, id, rev)) {
        return ERR_OK;
    }
    json_decref(*channel);
    *channel = NULL;
    enum err rc = channel_partition(snap, id, part);
    if (rc == ERR_OK) {
        rc = channel_get(snap, part, id, channel, &rev);
    }
    if (rc == ERR_OK) {
        keep(id, part, *channel, rev);
    }
    return rc;
}
