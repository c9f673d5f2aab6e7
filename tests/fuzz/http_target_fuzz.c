/* http_target_fuzz.c: a request target and a Host value: path, query, parameters.
 *
 * Input: the target, a line feed, the Host. A path that is taken must be clean, and the same path written
 * with every byte escaped must lead to the same place. */
#include <stdlib.h>
#include <string.h>

#include "bridge/http/http_int.h"
#include "queue/base/codec.h"
#include "tests/fuzz/fuzz.h"

/* What the guard lets through in a target. */
static bool guarded(const char *target)
{
    for (; *target != '\0'; target++) {
        if (*target <= 0x20 || *target >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* A request as far as target.c reads it; the caller frees its arena. */
static struct http_request *request_new(const char *target, const char *host)
{
    struct arena *arena = arena_new(8u << 20);
    struct http_request *req = arena_alloc(arena, sizeof *req);

    req->magic = HTTP_REQUEST_MAGIC;
    req->arena = arena;
    req->target = target;
    req->path = req->query = "";
    req->fields = arena_alloc(arena, sizeof *req->fields);
    req->fields[0] = (struct http_field){"Host", host};
    req->field_count = 1;
    return req;
}

/* The path with everything but its slashes escaped leads to the same path. */
static void escape_again(const char *path)
{
    struct http_fault fault = {0, NULL};
    struct buf text;

    buf_init(&text, 3 * strlen(path) + 1);
    for (const char *at = path; *at != '\0'; at++) {
        if (*at == '/') {
            buf_addc(&text, '/');
        } else {
            buf_addf(&text, "%%%02x", (unsigned char)*at);
        }
    }
    struct http_request *req = request_new(buf_str(&text), "a");
    bool taken = http_target_split(req, &fault);
    CHECK(taken && strcmp(req->path, path) == 0);
    arena_free(req->arena);
    buf_fini(&text);
}

static bool on_param(const char *name, const char *value, void *arg)
{
    struct http_request *req = arg;
    const char *first = http_query_value(req, name);

    CHECK(first != NULL && value != NULL);
    return true;
}

void fuzz_one(const char *data, size_t size)
{
    struct http_fault fault = {0, NULL};
    char *target = fuzz_line(&data, &size);
    char *host = fuzz_text(data, size);
    struct http_request *req = request_new(target, host);

    if (target[0] != '\0' && guarded(target)) {
        if (http_target_split(req, &fault)) {
            CHECK(req->path[0] == '/' && strstr(req->path, "//") == NULL &&
                  strstr(req->path, "/../") == NULL);
            CHECK(strchr(req->path, '\\') == NULL && utf8_valid(req->path, strlen(req->path)));
            escape_again(req->path);
            http_query_each(req, on_param, req);
        } else {
            CHECK(fault.status == 400 && fault.reason != NULL);
        }
    }
    http_host_valid(host, strlen(host));
    arena_free(req->arena);
    free(target);
    free(host);
}
