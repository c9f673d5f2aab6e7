/* idempotency.c: the record of an Idempotency-Key, committed with the effect; requests under way are held in memory. */
#include "bridge/api/idempotency.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "bridge/http/upload.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"

#define HEADER_MAX     255
#define PARTS_TEXT_MAX (4u << 20) /* names and fields of a form */

struct running {
    char id[65 + PARTITION_SIZE];
    UT_hash_handle hh;
};
struct inflight {
    pthread_mutex_t lock;
    struct running *running;
};

struct inflight *inflight_new(void)
{
    struct inflight *inflight = xcalloc(1, sizeof(*inflight));
    pthread_mutex_init(&inflight->lock, NULL);
    return inflight;
}

void inflight_free(struct inflight *inflight)
{
    struct running *item, *next;
    if (inflight == NULL) {
        return;
    }
    HASH_ITER (hh, inflight->running, item, next) {
        HASH_DEL(inflight->running, item);
        free(item);
    }
    pthread_mutex_destroy(&inflight->lock);
    free(inflight);
}

/* False if a request with this record is under way already. */
static bool hold(struct inflight *inflight, const char *part, const char *id)
{
    struct running *item = xcalloc(1, sizeof(*item)), *other;
    snprintf(item->id, sizeof(item->id), "%s/%s", part, id);
    pthread_mutex_lock(&inflight->lock);
    HASH_FIND_STR(inflight->running, item->id, other);
    if (other == NULL) {
        HASH_ADD_STR(inflight->running, id, item);
    }
    pthread_mutex_unlock(&inflight->lock);
    if (other != NULL) {
        free(item);
    }
    return other == NULL;
}

void idempotency_end(struct call *c)
{
    struct running *item;
    char id[65 + PARTITION_SIZE];
    if (!c->idem_held) {
        return;
    }
    c->idem_held = false;
    snprintf(id, sizeof(id), "%s/%s", c->part, c->idem_id);
    pthread_mutex_lock(&c->api->inflight->lock);
    HASH_FIND_STR(c->api->inflight->running, id, item);
    if (item != NULL) {
        HASH_DEL(c->api->inflight->running, item);
    }
    pthread_mutex_unlock(&c->api->inflight->lock);
    free(item);
}

/* The header without quotes; NULL if it is not 1 to 255 printable characters. */
static const char *header_value(struct call *c, const char *header)
{
    size_t len = strlen(header);
    if (len >= 2 && header[0] == '"' && header[len - 1] == '"') {
        header = arena_strndup(c->arena, header + 1, len - 2);
        len -= 2;
    }
    for (size_t i = 0; i < len; i++) {
        if (header[i] < ' ' || header[i] > '~') {
            return NULL;
        }
    }
    return len >= 1 && len <= HEADER_MAX ? header : NULL;
}

/* Files tell one request from another by their sums. */
static void add_parts(struct call *c, struct buf *text)
{
    unsigned count;
    const struct http_part *parts = http_parts(c->req, &count);
    for (unsigned i = 0; i < count; i++) {
        const struct http_part *part = &parts[i];
        buf_addf(text, "%s\n%s\n%s\n%s\n%s\n", part->name, part->filename != NULL ? part->filename : "", part->mime_type,
                 part->sha256, part->value != NULL ? part->value : "");
    }
}

/* The hashes that name the record and tell one request from another. */
static void make_names(struct call *c, const char *key)
{
    size_t size;
    const char *body = http_body(c->req, &size);
    struct buf text;
    buf_init(&text, size + PARTS_TEXT_MAX);
    buf_addf(&text, "%s %s\n%s", c->route->method, c->route->path, key);
    sha256_hex(text.data, text.len, c->idem_id);
    buf_reset(&text);
    buf_addf(&text, "%s %s\n", http_method(c->req), http_path(c->req));
    buf_add(&text, body, size);
    add_parts(c, &text);
    sha256_hex(buf_str(&text), text.len, c->idem_print);
    buf_fini(&text);
}

/* What an answer is sealed under. */
static const char *context_of(struct call *c)
{
    return arena_printf(c->arena, "%s/idempotency/%s", c->part, c->idem_id);
}

/* Answers as the first time. */
static void replay(struct call *c, const json_t *record)
{
    struct buf plain;
    json_t *answer = NULL;
    buf_init(&plain, STORE_BODY_MAX);
    enum err rc = unseal(context_of(c), jx_str_or(record, "answer", ""), &plain);
    if (rc == ERR_OK) {
        rc = jx_parse_lenient(buf_str(&plain), plain.len, &answer);
    }
    buf_fini(&plain);
    if (rc != ERR_OK) {
        call_fail(c, API_INTERNAL, NULL, "The first answer cannot be read any more.");
        return;
    }
    http_reply_header(c->req, "Idempotency-Replayed", "true");
    if (json_is_null(answer)) {
        json_decref(answer);
        answer = NULL;
    }
    call_reply(c, (int)jx_int(record, "status", 200), answer);
}

/* Looks for the record. False: the call has ended. */
static bool look_up(struct call *c)
{
    json_t *record;
    struct snapshot *snap = call_snap(c);
    if (snap == NULL) {
        return false;
    }
    enum err rc = snapshot_get(snap, KIND_IDEMPOTENCY, c->part, c->idem_id, &record, NULL);
    if (rc == ERR_NOTFOUND) {
        return true;
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return false;
    }
    call_keep(c, record);
    if (clock_wall_ms() - jx_int(record, "created_ms", 0) > IDEMPOTENCY_KEEP_MS) {
        return true;
    }
    if (strcmp(jx_str_or(record, "print", ""), c->idem_print) != 0) {
        call_fail(c, API_KEY_REUSED, NULL, NULL);
    } else {
        replay(c, record);
    }
    return false;
}

bool idempotency_begin(struct call *c)
{
    const char *header = http_header(c->req, "Idempotency-Key");
    if (header == NULL || strcmp(c->route->method, "POST") != 0) {
        return true;
    }
    if (!c->idem_held) {
        const char *key = header_value(c, header);
        if (key == NULL) {
            call_fail(c, API_BAD_FIELD, "Idempotency-Key",
                      "Idempotency-Key must be 1 to 255 printable characters.");
            return false;
        }
        make_names(c, key);
        if (!hold(c->api->inflight, c->part, c->idem_id)) {
            call_fail(c, API_KEY_BUSY, NULL, NULL);
            return false;
        }
        c->idem_held = true;
    }
    return look_up(c);
}

void idempotency_add(struct call *c, int status, const json_t *answer)
{
    struct buf sealed;
    uint64_t rev = 0;
    json_t *old = NULL;
    if (c->idem_id[0] == '\0') {
        return;
    }
    if (snapshot_get(call_snap(c), KIND_IDEMPOTENCY, c->part, c->idem_id, &old, &rev) == ERR_OK) {
        json_decref(old);
    }
    char *text = answer != NULL ? jx_text(answer) : xstrdup("null");
    buf_init(&sealed, STORE_BODY_MAX);
    CHECK(seal(context_of(c), text, strlen(text), &sealed) == ERR_OK);
    free(text);
    json_t *record = json_object();
    jx_set_str(record, "print", c->idem_print);
    jx_set_int(record, "status", status);
    jx_set_str(record, "answer", buf_str(&sealed));
    jx_set_int(record, "created_ms", clock_wall_ms());
    buf_fini(&sealed);
    changes_expect(c->changes, KIND_IDEMPOTENCY, c->part, c->idem_id, rev);
    changes_put(c->changes, KIND_IDEMPOTENCY, c->part, c->idem_id, record);
    json_decref(record);
}
