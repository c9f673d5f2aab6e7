/* api.c: from a request to its handler: match, identify, limit, read the body, check it, run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bridge/api/auth.h"
#include "bridge/api/call.h"
#include "bridge/api/deprecation.h"
#include "bridge/api/figures.h"
#include "bridge/api/idempotency.h"
#include "bridge/api/reply.h"
#include "bridge/insight/tally.h"
#include "bridge/http/upload.h"
#include "queue/base/log.h"
#include "queue/base/option.h"

#define BODY_SMALL    (64u * 1024u)
#define BODY_BULK_MAX (16u << 20)
#define FILES_TIMES   4 /* so many of the largest files in one request */
#define PARTS_MAX     32
#define FIELD_MAX     (64u * 1024u)
#define CALL_WHY_MAX  1024

/* The one API of the process. */
static struct api the_api;

/* Tells a caller of a route that will go when that is. */
static void tell_deprecation(struct call *c)
{
    char since[DEPRECATION_TEXT_SIZE], until[DEPRECATION_TEXT_SIZE];
    const struct deprecation *row = c->route != NULL ? deprecation_of(c->route) : NULL;
    if (row != NULL) {
        deprecation_headers(row, since, until);
        http_reply_header(c->req, "Deprecation", since);
        http_reply_header(c->req, "Sunset", until);
        http_reply_header(c->req, "Link", "</docs/>; rel=\"deprecation\"; type=\"text/html\"");
    }
}

/* The call of a request whose head is there. */
static struct call *call_begin(struct http_request *req, struct api *api)
{
    const char *rest;
    struct arena *arena = http_arena(req);
    struct call *c = arena_alloc(arena, sizeof(*c));
    c->api = api;
    c->req = req;
    c->arena = arena;
    c->surface = surface_of(http_path(req), &rest);
    route_find(c->surface, http_method(req), rest, &c->match);
    c->route = c->match.route;
    const struct route *any = c->match.any;
    if (any != NULL && c->surface->prefix[0] == '\0' && (any->surfaces & ON_ROOT) == 0 &&
        !http_from_unix_socket(req)) {
        c->route = NULL; /* administration does not exist for the network */
        c->match.any = NULL;
    }
    tell_deprecation(c);
    buf_init(&c->why, CALL_WHY_MAX);
    http_set_context(req, c);
    return c;
}

/* How much body a route reads. */
static size_t body_limit(const struct route *route)
{
    if (route == NULL) {
        return BODY_SMALL;
    }
    switch (route->body) {
    case BODY_JSON:
        return (size_t)option_int(OPT_HTTP_BODY_MAX);
    case BODY_BULK:
        return BODY_BULK_MAX;
    case BODY_FILES:
        return FILES_TIMES * (size_t)option_int(OPT_HTTP_FILE_MAX) + BODY_SMALL;
    case BODY_HOOK:
        return (size_t)option_int(OPT_HOOK_BODY_MAX);
    case BODY_NONE:
        break;
    }
    return BODY_SMALL;
}

/* No row: 404, 405 or the answer to OPTIONS. A key that is there is looked at all the same. */
static void without_route(struct call *c)
{
    struct buf allow;
    if (c->surface->prefix[0] != '\0' && auth_offered(c) && !auth_identify(c)) {
        return;
    }
    if (c->match.any == NULL) {
        call_fail(c, API_NOT_FOUND, NULL, "There is nothing at this address.");
        return;
    }
    buf_init(&allow, 200);
    route_allow(c->surface, c->match.any, &allow);
    http_reply_header(c->req, "Allow", arena_strdup(c->arena, buf_str(&allow)));
    buf_fini(&allow);
    if (strcmp(http_method(c->req), "OPTIONS") == 0) {
        call_reply(c, 204, NULL);
    } else {
        call_fail(c, API_BAD_METHOD, NULL, NULL);
    }
}

/* True if the body is announced as larger than what is read of one that nobody wants. */
static bool body_is_large(const struct http_request *req)
{
    const char *length = http_header(req, "Content-Length");
    return length != NULL ? strtoull(length, NULL, 10) > BODY_SMALL : http_header(req, "Transfer-Encoding") != NULL;
}

/* A large body is only read from callers who may send it, and only where there is somebody to take it. */
static void on_head(struct http_request *req, size_t *body_max, void *arg)
{
    struct call *c = call_begin(req, arg);
    *body_max = body_limit(c->route);
    if (c->route == NULL && body_is_large(req)) {
        without_route(c);
        return;
    }
    bool large = c->route != NULL && (c->route->body == BODY_BULK || c->route->body == BODY_FILES);
    if (!large || c->route->scope[0] == '\0' || !auth_identify(c) || !auth_permit(c)) {
        return;
    }
    call_rest(c);
    if (c->route->body == BODY_FILES) {
        struct http_upload_limits limits = {(uint64_t)option_int(OPT_HTTP_FILE_MAX), PARTS_MAX, FIELD_MAX};
        http_upload_begin(req, &limits);
    }
}

/* True if the body may be JSON by what the client says of it. */
static bool is_json(const struct call *c)
{
    const char *type = http_header(c->req, "Content-Type");
    if (type == NULL || type[0] == '\0') {
        return true;
    }
    size_t len = strcspn(type, "; ");
    return (len == 16 && strncasecmp(type, "application/json", len) == 0) ||
           (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

/* The body in canonical names. False: the call has ended with 400 or 415. */
static bool read_body(struct call *c)
{
    json_t *worn;
    size_t size;
    const char *text = http_body(c->req, &size);
    struct buf clash;
    if (size == 0 || c->route->schema == SCHEMA_NONE) {
        c->body = call_keep(c, json_object());
        return true;
    }
    if (!is_json(c)) {
        call_fail(c, API_BAD_TYPE, NULL, NULL);
        return false;
    }
    if (jx_parse_strict(text, size, &worn, &c->why) != ERR_OK) {
        call_fail(c, API_BAD_JSON, NULL, "The body is not a JSON object: %s.", buf_str(&c->why));
        return false;
    }
    buf_init(&clash, 512);
    c->body = surface_in(c->surface, worn, &clash);
    json_decref(worn);
    if (c->body == NULL) {
        call_fail(c, API_BAD_FIELD, buf_str(&clash), "%s is given twice.", buf_str(&clash));
    } else {
        call_keep(c, c->body);
    }
    buf_fini(&clash);
    return c->body != NULL;
}

/* The body against the route's schema. False: the call has ended with 400. */
static bool check_body(struct call *c)
{
    struct schema_fault fault;
    bool partial = strcmp(c->route->method, "PATCH") == 0;
    if (schema_check(c->route->schema, c->body, partial, &fault) == ERR_OK) {
        return true;
    }
    call_fail(c, fault.unknown ? API_UNKNOWN_FIELD : API_BAD_FIELD, fault.field, "%s %s.", fault.field,
              fault.why);
    return false;
}

static void on_request(struct http_request *req, void *arg)
{
    struct call *c = http_context(req);
    (void)arg;
    if (c->route == NULL) {
        without_route(c);
        return;
    }
    if (c->route->scope[0] != '\0' && !c->caller.known && (!auth_identify(c) || !auth_permit(c))) {
        return;
    }
    if (read_body(c) && check_body(c)) {
        call_run(c);
    }
}

/* One line for each request, and the figures. */
static void on_answered(const struct http_request *req, int status, size_t bytes, int64_t took_us, void *arg)
{
    struct api *api = arg;
    const struct call *c = http_context(req);
    figures_answer(api->figures, status, took_us);
    if (c != NULL && c->caller.known && !c->caller.administrator) {
        tally_add(c->part);
    }
    log_info("http.answered",
             "request=%s method=%s path=%s status=%d bytes=%zu us=%lld key=%s account=%s mode=%s",
             http_request_id(req), log_quote(http_method(req)),
             c != NULL && c->route != NULL ? c->route->path : "-", status, bytes, (long long)took_us,
             c != NULL && c->caller.key_id[0] != '\0' ? c->caller.key_id : "-",
             c != NULL && c->caller.known ? c->caller.account_id : "-",
             c == NULL || !c->caller.known ? "-"
             : c->caller.mode == MODE_LIVE ? "live"
                                           : "test");
}

/* The front refused by itself: the same envelope. */
static void on_refused(struct http_request *req, int status, const char *reason, void *arg)
{
    char message[256];
    (void)arg;
    snprintf(message, sizeof(message), "%s", reason != NULL ? reason : "");
    char *text = reply_error_text(api_error_of_status(status), NULL, message, http_request_id(req));
    http_reply(req, status, "application/json", text, strlen(text));
    free(text);
}

void api_attach(struct http_config *config, struct app *app)
{
    the_api.app = app;
    if (the_api.limits == NULL) {
        the_api.limits = limits_new();
        the_api.inflight = inflight_new();
        the_api.figures = figures_new();
    }
    config->on_head = on_head;
    config->on_request = on_request;
    config->on_answered = on_answered;
    config->on_refused = on_refused;
    config->arg = &the_api;
}
