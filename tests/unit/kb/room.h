/* room.h: a store and an index in a directory of their own, for the tests of the knowledge room. */
#ifndef CHASQUI_TESTS_KB_ROOM_H
#define CHASQUI_TESTS_KB_ROOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kb/kb.h"
#include "queue/base/loop.h"

#define ROOM_WAIT_S 20

struct room {
    char dir[64], index_dir[96], store_uri[96];
    struct store *store;
    struct kb *kb;
    struct loop *loop;
    struct arena *arena;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    uint64_t wanted; /* revision to wait for */
    int told;
};

static inline int room_setup(void **state)
{
    struct room *room = calloc(1, sizeof *room);

    snprintf(room->dir, sizeof room->dir, "/tmp/kb_test_XXXXXX");
    assert_non_null(mkdtemp(room->dir));
    snprintf(room->index_dir, sizeof room->index_dir, "%s/index", room->dir);
    snprintf(room->store_uri, sizeof room->store_uri, "lmdb:%s/store", room->dir);
    assert_int_equal(store_open(room->store_uri, 64u << 20, 64, &room->store), ERR_OK);
    assert_int_equal(kb_open(room->store, room->index_dir, &room->kb), ERR_OK);
    room->loop = loop_new("kb-test");
    assert_int_equal(loop_start(room->loop), ERR_OK);
    room->arena = arena_new(64u << 20);
    pthread_mutex_init(&room->mutex, NULL);
    pthread_cond_init(&room->cond, NULL);
    *state = room;
    return 0;
}

static inline int room_teardown(void **state)
{
    struct room *room = *state;
    char command[128];

    loop_stop(room->loop);
    loop_join(room->loop);
    kb_close(room->kb);
    loop_free(room->loop);
    store_close(room->store);
    arena_free(room->arena);
    pthread_cond_destroy(&room->cond);
    pthread_mutex_destroy(&room->mutex);
    snprintf(command, sizeof command, "rm -rf '%s'", room->dir);
    assert_int_equal(system(command), 0);
    free(room);
    return 0;
}

static inline void room_told(void *arg)
{
    struct room *room = arg;

    pthread_mutex_lock(&room->mutex);
    room->told++;
    pthread_cond_signal(&room->cond);
    pthread_mutex_unlock(&room->mutex);
}

static inline void room_ask(void *arg)
{
    struct room *room = arg;

    kb_when_indexed(room->kb, room->wanted, room_told, room);
}

/* Waits until kb_when_indexed has answered for rev. */
static inline void room_wait(struct room *room, uint64_t rev)
{
    struct timespec until;
    int rc = 0;

    if (room->kb == NULL) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ROOM_WAIT_S;
    pthread_mutex_lock(&room->mutex);
    int before = room->told;
    room->wanted = rev;
    loop_post(room->loop, room_ask, room);
    while (room->told == before && rc == 0) {
        rc = pthread_cond_timedwait(&room->cond, &room->mutex, &until);
    }
    pthread_mutex_unlock(&room->mutex);
    assert_int_equal(rc, 0);
}

static inline void room_submit(struct room *room, struct changes *cs)
{
    uint64_t rev = 0;

    assert_int_equal(store_submit_wait(room->store, cs, &rev), ERR_OK);
    assert_true(rev > 0);
    room_wait(room, rev);
}

static inline json_t *room_document(const char *id, const char *collection, const char *title,
                                    const char *content, bool enabled)
{
    json_t *doc = json_object();

    jx_set_str(doc, "id", id);
    jx_set_str(doc, "collection_id", collection);
    jx_set_str(doc, "title", title);
    jx_set_str(doc, "content", content);
    jx_set_str(doc, "doc_type", "faq");
    jx_set_bool(doc, "enabled", enabled);
    return doc;
}

/* Takes doc. */
static inline void room_put_doc(struct room *room, const char *part, json_t *doc)
{
    struct changes *cs = changes_new();

    kb_document_prepare(doc);
    changes_put(cs, KIND_DOCUMENT, part, jx_str(doc, "id"), doc);
    json_decref(doc);
    room_submit(room, cs);
}

static inline void room_put(struct room *room, const char *part, const char *id, const char *collection,
                            const char *title, const char *content, bool enabled)
{
    room_put_doc(room, part, room_document(id, collection, title, content, enabled));
}

static inline void room_delete(struct room *room, const char *part, const char *id)
{
    struct changes *cs = changes_new();

    changes_delete(cs, KIND_DOCUMENT, part, id);
    room_submit(room, cs);
}

static inline void room_search(struct room *room, const char *part, const char *collection, const char *text,
                               struct kb_result *result)
{
    struct kb_query query = {part, &collection, 1, text, NULL, 5, NULL};

    assert_int_equal(kb_search(room->kb, &query, room->arena, result), ERR_OK);
}

/* Closes and opens the index; anew: with its files removed. */
static inline void room_reopen(struct room *room, bool anew)
{
    char command[128];

    kb_close(room->kb);
    if (anew) {
        snprintf(command, sizeof command, "rm -rf '%s'", room->index_dir);
        assert_int_equal(system(command), 0);
    }
    assert_int_equal(kb_open(room->store, room->index_dir, &room->kb), ERR_OK);
}

#endif
