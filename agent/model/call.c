/* call.c: one generation at a model server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/model/call.h"

#include "agent/model/dialect.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/httpc.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"

#define CALL_MAGIC     0x6d6f6463u
#define CONNECT_MS     5000
#define SILENCE_MS     20000 /* between bytes */
#define CALL_ARENA_MAX (64u << 20)

struct model_call {
    unsigned magic;
    const struct wire *wire;
    struct arena *arena; /* config texts, prompt */
    struct httpc *http;
    uint64_t transfer;
    struct model_config config;
    struct prompt prompt;
    struct chat_reader reader;
    int64_t end_mono_ms;
    struct loop_timer *first; /* until the first piece came */
    bool late;                /* it did not */
    model_event_fn fn;        /* NULL once cancelled */
    void *arg;
};

/* Nothing came in time: the transfer ends as a timeout. */
static void first_over(void *arg)
{
    struct model_call *call = arg;

    CHECK(call->magic == CALL_MAGIC);
    call->first = NULL;
    call->late = true;
    httpc_cancel(call->http, call->transfer);
}

/* The wait for the first piece is over. */
static void first_came(struct model_call *call)
{
    loop_cancel(call->first);
    call->first = NULL;
}

/* A piece of text for the turn. */
static void give_text(const char *text, size_t size, void *arg)
{
    struct model_call *call = arg;
    struct model_event event = {.kind = MODEL_TEXT, .text = text, .size = size};

    first_came(call);
    if (call->fn != NULL) {
        call->fn(&event, call->arg);
    }
}

static void call_free(struct model_call *call)
{
    first_came(call);
    chat_reader_fini(&call->reader);
    wipe((char *)(uintptr_t)call->config.api_key, strlen(call->config.api_key));
    arena_free(call->arena);
    call->magic = 0;
    free(call);
}

/* Tells the turn how it ended; the call is gone afterwards. */
static void give_end(struct model_call *call, enum model_class class, const struct httpc_answer *answer)
{
    const char *request_id = httpc_answer_header(answer, call->wire->request_id);
    const char *retry_ms = httpc_answer_header(answer, "retry-after-ms");
    struct model_event event = {
        .kind = MODEL_END,
        .class = class,
        .truncated = call->reader.truncated,
        .status = answer->status,
        .request_id = request_id != NULL ? request_id : "",
        .model = call->reader.model,
        .usage = call->reader.usage,
        .retry_ms = model_retry_after(retry_ms, answer->retry_after, clock_wall_ms()),
    };

    if (call->fn != NULL && class == MODEL_OK) {
        tool_calls_give(&call->reader.calls, call->fn, call->arg);
    }
    if (call->fn != NULL) {
        call->fn(&event, call->arg);
    }
    call_free(call);
}

static bool take_data(const char *data, size_t size, long status, void *arg)
{
    struct model_call *call = arg;

    CHECK(call->magic == CALL_MAGIC);
    bool more = chat_reader_feed(&call->reader, data, size, status);
    if (call->reader.calls.count > 0) {
        first_came(call);
    }
    return more;
}

static void transfer_send(struct model_call *call);

/* The transfer ended: a second one without the refused parameter, or the end. */
static void transfer_done(const struct httpc_answer *answer, void *arg)
{
    struct model_call *call = arg;

    CHECK(call->magic == CALL_MAGIC);
    bool ours = answer->outcome == HTTPC_CANCELLED && (call->reader.done || call->reader.fault != MODEL_OK);
    enum model_class transfer = ours         ? MODEL_OK
                                : call->late ? MODEL_TIMEOUT
                                             : model_outcome_class(answer->outcome);
    enum model_class class = chat_reader_end(&call->reader, transfer, answer->status);
    if (class == MODEL_PARAMETER && call->fn != NULL &&
        dialect_learn(call->config.base_url, call->config.name, call->reader.param)) {
        log_info("model.parameter_dropped", "param=%s", log_quote(call->reader.param));
        chat_reader_fini(&call->reader);
        chat_reader_init(&call->reader, call->wire->take, give_text, call);
        transfer_send(call);
        return;
    }
    give_end(call, class, answer);
}

/* Sends the request as the server likes it. */
static void transfer_send(struct model_call *call)
{
    char lines[WIRE_LINES][WIRE_LINE_SIZE];
    const char *headers[WIRE_LINES + 2] = {"Content-Type: application/json"};
    const struct model_config *config = &call->config;
    size_t count = 2, own = call->wire->lines(config, lines);
    json_t *body = call->wire->body(config, &call->prompt, dialect_get(config->base_url, config->name));
    char *text = jx_text(body);
    int64_t left = call->end_mono_ms - clock_mono_ms();

    headers[1] = config->stream ? "Accept: text/event-stream" : "Accept: application/json";
    for (size_t i = 0; i < own; i++) {
        headers[count++] = lines[i];
    }
    struct httpc_request request = {
        .method = "POST",
        .url = call_url(config->base_url, call->wire->path, call->arena),
        .headers = headers,
        .header_count = count,
        .body = text,
        .body_size = strlen(text),
        .connect_ms = CONNECT_MS,
        .silence_ms = SILENCE_MS,
        .total_ms = (int)(left > 1 ? left : 1),
        .max_answer = SSE_STREAM_MAX,
        .pool = config->pool,
        .on_data = take_data,
    };
    call->transfer = httpc_send(call->http, &request, transfer_done, call);
    wipe(lines, sizeof lines);
    free(text);
    json_decref(body);
}

/* Copies the texts of a configuration. */
static void config_copy(struct model_call *call, const struct model_config *config)
{
    call->config = *config;
    call->config.provider = arena_strdup(call->arena, config->provider);
    call->config.base_url = arena_strdup(call->arena, config->base_url);
    call->config.name = arena_strdup(call->arena, config->name);
    call->config.api_key = arena_strdup(call->arena, config->api_key != NULL ? config->api_key : "");
    call->config.pool = config->pool != NULL ? arena_strdup(call->arena, config->pool) : NULL;
}

char *call_url(const char *base_url, const char *path, struct arena *arena)
{
    size_t end = strcspn(base_url, "?");
    size_t trimmed = end, first = strcspn(path + 1, "/") + 1;

    while (trimmed > 0 && base_url[trimmed - 1] == '/') {
        trimmed--;
    }
    if (trimmed > first && strncmp(base_url + trimmed - first, path, first) == 0) {
        trimmed -= first;
    }
    return arena_printf(arena, "%.*s%s%s", (int)trimmed, base_url, path, base_url + end);
}

struct model_call *call_start(const struct wire *wire, const struct model_config *config,
                              const struct model_request *request, struct httpc *http, model_event_fn fn,
                              void *arg)
{
    if (config->base_url == NULL || config->name == NULL) {
        struct model_event end = {
            .kind = MODEL_END, .class = MODEL_CONFIG, .retry_ms = -1, .request_id = "", .model = ""};
        fn(&end, arg);
        return NULL;
    }
    struct model_call *call = xcalloc(1, sizeof *call);
    call->magic = CALL_MAGIC;
    call->wire = wire;
    call->arena = arena_new(CALL_ARENA_MAX);
    call->http = http;
    call->fn = fn;
    call->arg = arg;
    call->end_mono_ms = clock_mono_ms() + request->time_ms;
    config_copy(call, config);
    prompt_build(&call->config, request, call->arena, &call->prompt);
    chat_reader_init(&call->reader, wire->take, give_text, call);
    if (request->first_ms > 0 && request->first_ms < request->time_ms) {
        call->first = loop_after(loop_current(), request->first_ms, first_over, call);
    }
    transfer_send(call);
    return call;
}

void call_cancel(struct model_call *call)
{
    CHECK(call->magic == CALL_MAGIC);
    call->fn = NULL;
    first_came(call);
    httpc_cancel(call->http, call->transfer);
}
