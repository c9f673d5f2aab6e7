/* known.c: see known.h. Two small tables for each thread, a slot for each remainder of a hash; who comes
 * later takes the slot. */
#include "bridge/api/known.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS          256
#define NAME_MAX_BYTES 64

struct record {
    enum kind kind;
    char id[STORE_ID_MAX + 1];
    void *bytes; /* as stored; NULL: the slot is empty */
    size_t size;
    json_t *body;
};

struct hint {
    char name[NAME_MAX_BYTES + 1];
    char id[STORE_ID_MAX + 1];
};

struct known {
    struct record records[SLOTS];
    struct hint hints[SLOTS];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t of_thread;

static void record_clear(struct record *record)
{
    free(record->bytes);
    record->bytes = NULL;
    json_decref(record->body);
    record->body = NULL;
}

/* The thread ends. */
static void forget(void *arg)
{
    struct known *known = arg;
    for (unsigned i = 0; i < SLOTS; i++) {
        record_clear(&known->records[i]);
    }
    free(known);
}

static void make_key(void)
{
    CHECK(pthread_key_create(&of_thread, forget) == 0);
}

/* This thread's tables. */
static struct known *mine(void)
{
    pthread_once(&once, make_key);
    struct known *known = pthread_getspecific(of_thread);
    if (known == NULL) {
        known = xcalloc(1, sizeof *known);
        CHECK(pthread_setspecific(of_thread, known) == 0);
    }
    return known;
}

/* FNV-1a. */
static unsigned slot_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return (hash ^ hash >> 16) % SLOTS;
}

/* Parses the bytes anew and keeps them. */
static enum err refill(struct record *record, enum kind kind, const char *id, const void *data, size_t size)
{
    json_t *body = NULL;
    enum err rc = jx_parse_lenient(data, size, &body);
    if (rc != ERR_OK) {
        return ERR_CORRUPT;
    }
    record_clear(record);
    record->kind = kind;
    snprintf(record->id, sizeof record->id, "%s", id);
    record->bytes = xmalloc(size);
    memcpy(record->bytes, data, size);
    record->size = size;
    record->body = body;
    return ERR_OK;
}

enum err known_get(struct snapshot *snap, enum kind kind, const char *id, json_t **body, uint64_t *rev)
{
    const void *data = NULL;
    size_t size = 0;
    uint64_t ignored;
    struct record *record = &mine()->records[slot_of(id)];
    enum err rc =
        snapshot_get_bytes(snap, kind, PARTITION_GLOBAL, id, &data, &size, rev != NULL ? rev : &ignored);
    if (rc != ERR_OK) {
        return rc;
    }
    bool same = record->bytes != NULL && record->kind == kind && strcmp(record->id, id) == 0 &&
                record->size == size && memcmp(record->bytes, data, size) == 0;
    if (!same) {
        rc = refill(record, kind, id, data, size);
    }
    *body = rc == ERR_OK ? json_incref(record->body) : NULL;
    return rc;
}

const char *known_id(const char *name)
{
    const struct hint *hint = &mine()->hints[slot_of(name)];
    return hint->name[0] != '\0' && strcmp(hint->name, name) == 0 ? hint->id : NULL;
}

void known_note(const char *name, const char *id)
{
    struct hint *hint = &mine()->hints[slot_of(name)];
    CHECK(strlen(name) <= NAME_MAX_BYTES && strlen(id) <= STORE_ID_MAX);
    snprintf(hint->name, sizeof hint->name, "%s", name);
    snprintf(hint->id, sizeof hint->id, "%s", id);
}
