/* channels_fixture.h: a master key, a store in a directory of its own, channels to play with. */
#ifndef CHASQUI_TESTS_CHANNELS_FIXTURE_H
#define CHASQUI_TESTS_CHANNELS_FIXTURE_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "channels/channel.h"
#include "channels/contact.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "channels/sandbox.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/json.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"
#include "queue/base/option.h"
#include "queue/jobs.h"
#include "queue/store.h"

#define PART        "acc_01JAAAAAAAAAAAAAAAAAAAAAAA:live"
#define PART_TEST   "acc_01JAAAAAAAAAAAAAAAAAAAAAAA:test"
#define DEADLINE_MS 20000

struct fixture {
    char dir[64];
    struct store *store;
    struct workers *workers;
};

/* Removes a directory of plain files. */
static inline void fixture_remove(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    char path[512];

    for (entry = d != NULL ? readdir(d) : NULL; entry != NULL; entry = readdir(d)) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
            unlink(path);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
    rmdir(dir);
}

/* Group setup: the process gets a master key. */
static inline int fixture_keys(void **state)
{
    char dir[] = "/tmp/chasqui_keys_XXXXXX";
    char path[64];

    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    log_set(LOG_ERROR, LOG_KEYVALUE);
    snprintf(path, sizeof path, "%s/master.key", dir);
    int bad = crypto_master_key_create(path) != ERR_OK;
    fixture_remove(dir);
    return bad;
}

/* Test setup and teardown: an empty store. */
static inline int fixture_open(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    char uri[128];

    snprintf(f->dir, sizeof f->dir, "/tmp/chasqui_channels_XXXXXX");
    if (mkdtemp(f->dir) == NULL) {
        return -1;
    }
    snprintf(uri, sizeof uri, "lmdb:%s/store", f->dir);
    option_reset();
    struct buf why;
    buf_init(&why, 200);
    if (option_set_flag("mark-read", "false", &why) != ERR_OK) {
        return -1;
    }
    buf_fini(&why);
    *state = f;
    return store_open(uri, 64 << 20, 1024, &f->store) != ERR_OK;
}

static inline void fixture_stop(struct fixture *f)
{
    if (f->workers != NULL) {
        workers_stop(f->workers, 5000);
        workers_free(f->workers);
        f->workers = NULL;
    }
}

static inline int fixture_close(void **state)
{
    struct fixture *f = *state;
    char path[128];

    fixture_stop(f);
    store_close(f->store);
    snprintf(path, sizeof path, "%s/store", f->dir);
    fixture_remove(path);
    fixture_remove(f->dir);
    free(f);
    return 0;
}

/* Workers with the handlers of this room, but none for turns. */
static inline void fixture_start(struct fixture *f)
{
    f->workers = workers_new(f->store, 1, 64);
    channels_register(f->workers);
    assert_int_equal(workers_start(f->workers), ERR_OK);
}

static inline struct snapshot *fixture_snapshot(struct fixture *f)
{
    struct snapshot *snap = NULL;

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    return snap;
}

static inline enum err fixture_submit(struct fixture *f, struct changes *cs)
{
    return store_submit_wait(f->store, cs, NULL);
}

/* The body of a call that creates a WhatsApp channel. */
static inline json_t *fixture_whatsapp_body(void)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "type", "whatsapp", "phone_number_id", "123",
                     "display_phone_number", "15550001111", "business_account_id", "1", "access_token",
                     "EAAtoken-1234567890", "app_secret", "secret-of-the-app", "verify_token", "our-token");
}

/* A stored channel of that body (stolen). */
static inline json_t *fixture_channel_of(struct fixture *f, const char *part, json_t *body)
{
    struct changes *cs = changes_new();
    json_t *channel = NULL;
    const char *field = NULL;
    struct buf why;

    buf_init(&why, 200);
    assert_int_equal(channel_create(cs, part, "agt_1", body, &channel, &field, &why), ERR_OK);
    assert_int_equal(fixture_submit(f, cs), ERR_OK);
    json_decref(body);
    buf_fini(&why);
    return channel;
}

static inline json_t *fixture_channel(struct fixture *f, const char *part)
{
    return fixture_channel_of(f, part, fixture_whatsapp_body());
}

/* One identity as a list. */
static inline json_t *fixture_identity(const char *type, const char *value)
{
    return json_pack("[{s:s,s:s}]", "type", type, "value", value);
}

/* Receives one text; the change-set's outcome. */
static inline enum err fixture_receive(struct fixture *f, const char *part, const json_t *channel,
                                       const char *phone, const char *platform_id, const char *text,
                                       struct message_received *out)
{
    struct snapshot *snap = fixture_snapshot(f);
    struct changes *cs = changes_new();
    json_t *identities = fixture_identity("phone", phone);
    struct message_inbound in = {.channel = channel,
                                 .identities = identities,
                                 .name = "Ana",
                                 .platform_id = platform_id,
                                 .platform_ms = clock_wall_ms(),
                                 .type = "text",
                                 .text = text,
                                 .wants_turn = true};

    enum err rc = message_receive(cs, snap, part, &in, out);
    snapshot_close(snap);
    json_decref(identities);
    if (rc != ERR_OK) {
        changes_free(cs);
        return rc;
    }
    return fixture_submit(f, cs);
}

/* A record of the store; NULL if there is none. New reference. */
static inline json_t *fixture_get(struct fixture *f, enum kind kind, const char *part, const char *id,
                                  uint64_t *rev)
{
    struct snapshot *snap = fixture_snapshot(f);
    json_t *body = NULL;
    enum err rc = snapshot_get(snap, kind, part, id, &body, rev);

    snapshot_close(snap);
    assert_true(rc == ERR_OK || rc == ERR_NOTFOUND);
    return rc == ERR_OK ? body : NULL;
}

static inline uint64_t fixture_count(struct fixture *f, enum kind kind, const char *part)
{
    struct snapshot *snap = fixture_snapshot(f);
    uint64_t count = snapshot_count(snap, kind, part, INDEX_NONE, NULL);

    snapshot_close(snap);
    return count;
}

/* All records of a kind, oldest first, as an array. New reference. */
static inline json_t *fixture_all(struct fixture *f, enum kind kind, const char *part)
{
    struct snapshot *snap = fixture_snapshot(f);
    struct page_query query = {.kind = kind, .part = part, .limit = 1000};
    struct store_page page;
    json_t *all = json_array();

    assert_int_equal(snapshot_page(snap, &query, &page), ERR_OK);
    for (size_t i = 0; i < page.count; i++) {
        jx_push(all, json_incref(page.rows[i].body));
    }
    store_page_free(&page);
    snapshot_close(snap);
    return all;
}

/* "type type type " of all events. */
static inline void fixture_events(struct fixture *f, const char *part, struct buf *out)
{
    json_t *all = fixture_all(f, KIND_EVENT, part);
    size_t i;
    json_t *event;

    buf_init(out, 1 << 16);
    json_array_foreach (all, i, event) {
        buf_addf(out, "%s ", jx_str_or(event, "type", "?"));
    }
    json_decref(all);
}

static inline uint64_t fixture_jobs(struct fixture *f, enum queue_id queue)
{
    struct queue_shape shape;

    store_queue_shape(f->store, queue, &shape);
    return shape.jobs;
}

/* Real time in ms, whatever a test does to the clock. */
static inline int64_t fixture_real_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until ready says so; fails the test after the deadline. */
static inline void fixture_wait(bool (*ready)(void *arg), void *arg, const char *what)
{
    int64_t end = fixture_real_ms() + DEADLINE_MS;
    struct timespec pause = {.tv_nsec = 2000000};

    while (!ready(arg)) {
        if (fixture_real_ms() > end) {
            fail_msg("waited too long for %s", what);
        }
        nanosleep(&pause, NULL);
    }
}

#endif
