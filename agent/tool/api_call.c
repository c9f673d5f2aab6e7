/* api_call.c: one call, from its spec to what was saved of the answer.
 *
 * A call is filled, sent, read and told in that order, once; it never retries, because only its caller knows
 * whether a second one does harm. Secrets are opened when the request is filled and live until the answer was
 * cleaned of them; neither request nor answer reaches the log. */
#include "agent/tool/api_call.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/tool/api_call_int.h"
#include "agent/tool/secret.h"
#include "agent/tool/template.h"
#include "queue/base/arena.h"
#include "queue/base/crypto.h"
#include "queue/base/httpc.h"
#include "queue/base/log.h"

#define CALL_MAGIC  0x61706963u
#define CONNECT_MS  5000
#define ANSWER_MAX  (256u << 10)
#define REQUEST_MAX (1u << 20)
#define FILLED_MAX  8192 /* of a URL or a header, with its values */
#define HEADERS     36

struct api_call {
    unsigned magic;
    struct httpc *http;
    struct arena *arena;
    struct snapshot *snap; /* only while the request is filled */
    const char *part;
    json_t *spec, *secrets; /* secrets: what was opened */
    uint64_t transfer;
    api_call_fn fn; /* NULL once cancelled */
    void *arg;

    /* ---- the request ---- */
    const char *url, *body;
    size_t body_size;
    const char *headers[HEADERS];
    size_t header_count;
    const char *why; /* what kept it from being filled */
};

void api_call_fill(const char *text, const json_t *vars, struct buf *out)
{
    struct template_source source = {.vars = vars};

    (void)template_fill(text, TEMPLATE_PLAIN, &source, out);
}

/* Overwrites the secrets and lets the call go. */
static void call_free(struct api_call *call)
{
    for (size_t i = 0; i < json_array_size(call->secrets); i++) {
        const json_t *secret = json_array_get(call->secrets, i);
        wipe((char *)(uintptr_t)json_string_value(secret), json_string_length(secret));
    }
    json_decref(call->secrets);
    json_decref(call->spec);
    arena_free(call->arena);
    call->magic = 0;
    free(call);
}

/* ---- filling the request ---- */

static bool open_secret(const char *name, struct buf *out, void *arg)
{
    struct api_call *call = arg;
    struct buf clear;

    buf_init(&clear, SECRET_VALUE_MAX);
    bool found = secret_open(call->snap, call->part, name, &clear) == ERR_OK;
    if (found) {
        buf_add(out, clear.data, clear.len);
        jx_push(call->secrets, json_string(buf_str(&clear)));
        wipe(clear.data, clear.len);
    } else {
        call->why = arena_printf(call->arena, "there is no secret %s", name);
    }
    buf_fini(&clear);
    return found;
}

/* A text of the arena with its values; NULL with why. */
static const char *filled(struct api_call *call, const char *text, enum template_form form,
                          const struct template_source *source, size_t most)
{
    struct buf out;

    buf_init(&out, most);
    bool whole = template_fill(text, form, source, &out);
    const char *copy = whole && buf_ok(&out) ? arena_strndup(call->arena, buf_str(&out), out.len) : NULL;
    if (copy == NULL && call->why == NULL) {
        call->why = "the request is too large with its values";
    }
    if (out.data != NULL) {
        wipe(out.data, out.len);
    }
    buf_fini(&out);
    return copy;
}

static void fill_url(struct api_call *call, const struct template_source *source)
{
    call->url = filled(call, jx_str(call->spec, "url"), TEMPLATE_URL, source, FILLED_MAX);
    if (call->url != NULL && api_call_dotted(call->url)) {
        call->why = "a value in the URL's path is . or ..";
    }
}

static void add_header(struct api_call *call, const char *name, const char *value)
{
    CHECK(call->header_count < HEADERS);
    call->headers[call->header_count++] = arena_printf(call->arena, "%s: %s", name, value);
}

/* The value of a header of the spec, NULL if it has none. */
static const char *header_of(const json_t *spec, const char *name)
{
    json_t *value;
    const char *key;

    json_object_foreach (jx_obj(spec, "headers"), key, value) {
        if (strcasecmp(key, name) == 0) {
            return json_string_value(value);
        }
    }
    return NULL;
}

static void fill_headers(struct api_call *call, const struct template_source *source)
{
    json_t *value;
    const char *name;

    json_object_foreach (jx_obj(call->spec, "headers"), name, value) {
        const char *text = filled(call, json_string_value(value), TEMPLATE_HEADER, source, FILLED_MAX);
        if (text == NULL) {
            return;
        }
        add_header(call, name, text);
    }
    if (header_of(call->spec, "accept") == NULL) {
        add_header(call, "Accept", "application/json, */*;q=0.5");
    }
    if (header_of(call->spec, "user-agent") == NULL) {
        add_header(call, "User-Agent", "Chasqui/" CHASQUI_VERSION);
    }
}

/* How values are written into a body that is text: as its media type needs it. */
static enum template_form form_of(const char *text, const char *type)
{
    size_t blank = strspn(text, " \t\r\n");

    if (type != NULL && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0) {
        return TEMPLATE_URL;
    }
    bool json = type != NULL ? strcasestr(type, "json") != NULL : text[blank] == '{' || text[blank] == '[';
    return json ? TEMPLATE_JSON : TEMPLATE_PLAIN;
}

/* A body that is JSON: filled value by value. */
static void fill_json(struct api_call *call, const json_t *body, const struct template_source *source)
{
    struct buf out;
    json_t *value = template_json(body, source);

    if (value == NULL) {
        return;
    }
    buf_init(&out, REQUEST_MAX);
    jx_dump(value, &out);
    if (buf_ok(&out)) {
        call->body = arena_strndup(call->arena, buf_str(&out), out.len);
    } else {
        call->why = "the request is too large with its values";
    }
    if (out.data != NULL) {
        wipe(out.data, out.len);
    }
    buf_fini(&out);
    json_decref(value);
}

static void fill_body(struct api_call *call, const struct template_source *source)
{
    const json_t *body = json_object_get(call->spec, "body");
    const char *text = json_string_value(body), *type = header_of(call->spec, "content-type");
    enum template_form form = text != NULL ? form_of(text, type) : TEMPLATE_JSON;

    if (body == NULL || json_is_null(body)) {
        return;
    }
    if (text != NULL) {
        call->body = filled(call, text, form, source, REQUEST_MAX);
    } else {
        fill_json(call, body, source);
    }
    call->body_size = call->body != NULL ? strlen(call->body) : 0;
    if (type == NULL) {
        add_header(call, "Content-Type",
                   form == TEMPLATE_JSON ? "application/json" : "text/plain; charset=utf-8");
    }
}

/* Fills the request; call->why is set where that fails. */
static void fill_request(struct api_call *call, struct store *store, const json_t *vars)
{
    struct template_source source = {.vars = vars, .secret = open_secret, .arg = call};

    if (snapshot_open(store, &call->snap) != ERR_OK) {
        call->why = "the store cannot be read";
        return;
    }
    fill_url(call, &source);
    if (call->why == NULL) {
        fill_headers(call, &source);
    }
    if (call->why == NULL) {
        fill_body(call, &source);
    }
    snapshot_close(call->snap);
    call->snap = NULL;
}

/* ---- the answer ---- */

/* Why a transfer brought nothing, in plain words. */
static const char *outcome_text(enum httpc_outcome outcome)
{
    switch (outcome) {
    case HTTPC_BLOCKED:
        return "the address is not allowed";
    case HTTPC_UNREACHED:
        return "the server could not be reached";
    case HTTPC_BROKEN:
        return "the connection broke off";
    case HTTPC_TIMEOUT:
        return "no answer in time";
    case HTTPC_TOO_LARGE:
        return "the answer is larger than 256 KiB";
    default:
        return "the call was cancelled";
    }
}

/* The answer's body as JSON, cleaned of secrets. New reference. */
static json_t *body_of(const struct api_call *call, const struct httpc_answer *answer)
{
    json_t *value = NULL;

    if (answer->body_size == 0 || jx_parse_lenient(answer->body, answer->body_size, &value) != ERR_OK) {
        json_t *holder = json_object();
        jx_set_strn(holder, "text", answer->body, strlen(answer->body));
        value = json_incref(json_object_get(holder, "text"));
        json_decref(holder);
    }
    json_t *clean = api_call_redact(value, call->secrets);
    json_decref(value);
    return clean;
}

/* Takes what "save" names out of the body; NULL with why if something is not there. New reference. */
static json_t *saved_of(struct api_call *call, const json_t *body, const char **why)
{
    json_t *saved = json_object(), *pointer;
    const char *name;

    json_object_foreach (jx_obj(call->spec, "save"), name, pointer) {
        const json_t *value = jx_at(body, json_string_value(pointer));
        if (value == NULL && *why == NULL) {
            *why = arena_printf(call->arena, "the answer has no %s", json_string_value(pointer));
        } else if (value != NULL) {
            jx_set(saved, name, json_deep_copy(value));
        }
    }
    return saved;
}

/* The transfer ended. */
static void call_done(const struct httpc_answer *answer, void *arg)
{
    struct api_call *call = arg;
    struct api_call_result result = {.status = answer->status, .took_ms = answer->total_us / 1000};

    CHECK(call->magic == CALL_MAGIC);
    if (answer->outcome == HTTPC_CANCELLED) { /* by the caller, or because the workers stop */
        call_free(call);
        return;
    }
    json_t *body = body_of(call, answer), *saved = NULL;
    if (answer->outcome != HTTPC_ANSWERED) {
        result.why = outcome_text(answer->outcome);
    } else if (answer->status < 200 || answer->status > 299) {
        result.why = arena_printf(call->arena, "the server answered %ld", answer->status);
    } else {
        saved = saved_of(call, body, &result.why);
    }
    result.ok = result.why == NULL;
    result.saved = saved;
    result.body = body;
    if (call->fn != NULL) { /* not cancelled between answer and now */
        log_info("api_call.done", "host=%s status=%ld outcome=%s ms=%lld",
                 log_quote(arena_strndup(call->arena, call->url, api_call_host(call->url))), answer->status,
                 httpc_outcome_name(answer->outcome), (long long)result.took_ms);
        call->fn(&result, call->arg);
    }
    json_decref(saved);
    json_decref(body);
    call_free(call);
}

/* Hands the filled request to the client, which copies all of it. */
static void call_send(struct api_call *call)
{
    int64_t total = jx_int(call->spec, "timeout_ms", API_CALL_MS_DEFAULT);
    struct httpc_request request = {
        .method = jx_str_or(call->spec, "method", "GET"),
        .url = call->url,
        .headers = call->headers,
        .header_count = call->header_count,
        .body = call->body,
        .body_size = call->body_size,
        .connect_ms = (int)(total < CONNECT_MS ? total : CONNECT_MS),
        .total_ms = (int)total,
        .max_answer = ANSWER_MAX,
        .pool = call->part,
    };

    call->transfer = httpc_send(call->http, &request, call_done, call);
    for (size_t i = 0; i < call->header_count; i++) {
        wipe((char *)(uintptr_t)call->headers[i], strlen(call->headers[i]));
    }
    if (call->body != NULL) {
        wipe((char *)(uintptr_t)call->body, call->body_size);
    }
}

/* Ends a call that was never sent. */
static struct api_call *call_refused(struct api_call *call)
{
    json_t *none = json_object();
    struct api_call_result result = {.why = call->why, .saved = none, .body = json_null()};

    call->fn(&result, call->arg);
    json_decref(none);
    call_free(call);
    return NULL;
}

struct api_call *api_call_start(struct httpc *http, struct store *store, const char *part, const json_t *spec,
                                const json_t *vars, api_call_fn fn, void *arg)
{
    struct api_call *call = xcalloc(1, sizeof *call);
    const char *field = NULL;
    struct buf why;

    call->magic = CALL_MAGIC;
    call->http = http;
    call->fn = fn;
    call->arg = arg;
    call->arena = arena_new(4 * REQUEST_MAX);
    call->part = arena_strdup(call->arena, part);
    call->spec = json_deep_copy(spec);
    call->secrets = json_array();
    buf_init(&why, 500);
    if (api_call_check(call->spec, &field, &why) != ERR_OK) {
        call->why = arena_strdup(call->arena, buf_str(&why));
    } else {
        fill_request(call, store, vars);
    }
    buf_fini(&why);
    if (call->why != NULL) {
        return call_refused(call);
    }
    call_send(call);
    return call;
}

void api_call_cancel(struct api_call *call)
{
    CHECK(call->magic == CALL_MAGIC);
    call->fn = NULL;
    httpc_cancel(call->http, call->transfer);
}
