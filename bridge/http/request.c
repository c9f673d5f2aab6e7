/* request.c: the life of a request and what handlers read from it. */
#include "bridge/http/http_int.h"

#include <string.h>
#include <strings.h>

#include "queue/base/clock.h"

#define ARENA_MAX (8u * 1024u * 1024u) /* of what peers choose the size of */
#define EXTRA_MAX (64u * 1024u)        /* fields a handler adds to its answer */

/* Begins a request at the end of the connection's list. */
struct http_request *http_request_new(struct http_conn *conn)
{
    struct http_thread *thread = conn->thread;
    struct arena *arena =
        thread->spare_count > 0 ? thread->spares[--thread->spare_count] : arena_new(ARENA_MAX);
    struct http_request *req = arena_alloc(arena, sizeof *req);
    req->magic = HTTP_REQUEST_MAGIC;
    req->arena = arena;
    req->conn = conn;
    req->thread = thread;
    req->id = id_new("req");
    req->born_us = clock_mono_us();
    req->method = req->target = req->path = req->query = "";
    memcpy(req->peer, conn->peer, sizeof req->peer);
    req->from_unix = conn->from_unix;
    buf_init(&req->body, HTTP_BODY_MAX);
    buf_init(&req->extra, EXTRA_MAX);
    TAILQ_INSERT_TAIL(&conn->requests, req, in_conn);
    TAILQ_INSERT_TAIL(&thread->requests, req, in_thread);
    conn->under_way++;
    conn->fresh = false;
    return req;
}

/* Ends a request; it is in no connection's list any more. */
void http_request_free(struct http_request *req)
{
    CHECK(req->magic == HTTP_REQUEST_MAGIC && req->conn == NULL);
    req->magic = 0;
    loop_cancel(req->gone_timer);
    TAILQ_REMOVE(&req->thread->requests, req, in_thread);
    http_upload_free(req->upload);
    if (!req->body_lent) {
        buf_fini(&req->body);
    }
    buf_fini(&req->extra);
    if (req->out != NULL) {
        evbuffer_free(req->out);
    }
    struct http_thread *thread = req->thread;
    struct arena *arena = req->arena; /* holds the request */
    if (thread->spare_count < HTTP_SPARES) {
        arena_reset(arena);
        thread->spares[thread->spare_count++] = arena;
    } else {
        arena_free(arena);
    }
}

/* Makes room for a body of known size before its first byte comes. */
void http_request_expect(struct http_request *req, size_t size)
{
    if (size <= HTTP_LENT_MAX && req->upload == NULL) {
        req->body.data = arena_alloc(req->arena, size + 1);
        req->body.room = size + 1;
        req->body.max = size; /* so that it never grows out of the arena */
        req->body_lent = true;
    }
}

/* Takes a request off its connection. */
void http_request_detach(struct http_request *req)
{
    struct http_conn *conn = req->conn;
    TAILQ_REMOVE(&conn->requests, req, in_conn);
    conn->under_way--;
    req->conn = NULL;
}

/* Tells of an answered request. What it leaves outside is cleared away before its answer leaves. */
void http_request_report(struct http_request *req)
{
    const struct http_config *config = &req->thread->server->config;
    CHECK(req->answer == HTTP_ANSWERED);
    if (config->on_answered != NULL) {
        config->on_answered(req, req->status, req->sent, clock_mono_us() - req->born_us, config->arg);
    }
    http_upload_free(req->upload);
    req->upload = NULL;
}

/* Reports an answered request and ends it. */
void http_request_retire(struct http_request *req)
{
    http_request_report(req);
    http_request_free(req);
}

/* The request behind a callback's pointer. */
struct http_request *http_request_of(void *ptr)
{
    struct http_request *req = ptr;
    CHECK(req->magic == HTTP_REQUEST_MAGIC);
    return req;
}

const char *http_method(const struct http_request *req)
{
    return req->method;
}

const char *http_path(const struct http_request *req)
{
    return req->path;
}

const char *http_query(const struct http_request *req)
{
    return req->query;
}

const char *http_header(const struct http_request *req, const char *name)
{
    for (unsigned i = 0; i < req->field_count; i++) {
        if (http_field_is(&req->fields[i], name)) {
            return req->fields[i].value;
        }
    }
    return NULL;
}

const char *http_body(const struct http_request *req, size_t *size)
{
    if (size != NULL) {
        *size = req->body.len;
    }
    return buf_str(&req->body);
}

const char *http_peer(const struct http_request *req)
{
    return req->peer;
}

bool http_from_unix_socket(const struct http_request *req)
{
    return req->from_unix;
}

const char *http_request_id(const struct http_request *req)
{
    return req->id.text;
}

struct arena *http_arena(struct http_request *req)
{
    return req->arena;
}

struct loop *http_loop(struct http_request *req)
{
    return req->thread->loop;
}

void http_set_context(struct http_request *req, void *context)
{
    req->context = context;
}

void *http_context(const struct http_request *req)
{
    return req->context;
}
