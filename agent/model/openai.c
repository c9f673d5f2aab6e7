/* openai.c: one generation at a chat-completions server.
 *
 * A call is one transfer, or a second one when the server refused a parameter that can be left out; waiting
 * and retrying after anything else is the turn's affair. The server's address passes the private-address
 * defence like every URL that a customer chose. Neither prompt nor answer nor key reaches the log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/model/model.h"

#include "agent/model/chat_reader.h"
#include "agent/model/dialect.h"
#include "agent/model/openai_request.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/httpc.h"
#include "queue/base/log.h"

#define CALL_MAGIC     0x6d6f6463u
#define CONNECT_MS     5000
#define SILENCE_MS     20000 /* also the longest wait for the first byte */
#define CALL_ARENA_MAX (64u << 20)
#define AUTH_SIZE      4200

struct model_call {
    unsigned magic;
    struct arena *arena; /* config texts, prompt */
    struct httpc *http;
    uint64_t transfer;
    struct model_config config;
    struct prompt prompt;
    struct chat_reader reader;
    int64_t end_mono_ms;
    model_event_fn fn; /* NULL once cancelled */
    void *arg;
};

/* A piece of text for the turn. */
static void give_text(const char *text, size_t size, void *arg)
{
    struct model_call *call = arg;
    struct model_event event = {.kind = MODEL_TEXT, .text = text, .size = size};

    if (call->fn != NULL) {
        call->fn(&event, call->arg);
    }
}

static void call_free(struct model_call *call)
{
    chat_reader_fini(&call->reader);
    wipe((char *)(uintptr_t)call->config.api_key, strlen(call->config.api_key));
    arena_free(call->arena);
    call->magic = 0;
    free(call);
}

/* Tells the turn how it ended; the call is gone afterwards. */
static void give_end(struct model_call *call, enum model_class class, const struct httpc_answer *answer)
{
    const char *request_id = httpc_answer_header(answer, "x-request-id");
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

    if (call->fn != NULL) {
        call->fn(&event, call->arg);
    }
    call_free(call);
}

static bool take_data(const char *data, size_t size, long status, void *arg)
{
    struct model_call *call = arg;

    CHECK(call->magic == CALL_MAGIC);
    return chat_reader_feed(&call->reader, data, size, status);
}

static void transfer_send(struct model_call *call);

/* The transfer ended: a second one without the refused parameter, or the end. */
static void transfer_done(const struct httpc_answer *answer, void *arg)
{
    struct model_call *call = arg;

    CHECK(call->magic == CALL_MAGIC);
    bool ours = answer->outcome == HTTPC_CANCELLED && (call->reader.done || call->reader.fault != MODEL_OK);
    enum model_class transfer = ours ? MODEL_OK : model_outcome_class(answer->outcome);
    enum model_class class = chat_reader_end(&call->reader, transfer, answer->status);
    if (class == MODEL_PARAMETER && call->fn != NULL &&
        dialect_learn(call->config.base_url, call->config.name, call->reader.param)) {
        log_info("model.parameter_dropped", "param=%s", log_quote(call->reader.param));
        chat_reader_fini(&call->reader);
        chat_reader_init(&call->reader, give_text, call);
        transfer_send(call);
        return;
    }
    give_end(call, class, answer);
}

/* Sends the request as the server likes it. */
static void transfer_send(struct model_call *call)
{
    char auth[AUTH_SIZE], azure[AUTH_SIZE];
    const char *headers[4] = {"Content-Type: application/json"};
    size_t count = 1;
    const struct model_config *config = &call->config;
    unsigned mask = dialect_get(config->base_url, config->name);
    json_t *body = openai_body(config, &call->prompt, mask);
    char *text = jx_text(body);
    int64_t left = call->end_mono_ms - clock_mono_ms();

    headers[count++] = config->stream ? "Accept: text/event-stream" : "Accept: application/json";
    if (config->api_key[0] != '\0') {
        snprintf(auth, sizeof auth, "Authorization: Bearer %s", config->api_key);
        headers[count++] = auth;
        if (strstr(config->base_url, ".azure.com") != NULL) {
            snprintf(azure, sizeof azure, "api-key: %s", config->api_key);
            headers[count++] = azure;
        }
    }
    struct httpc_request request = {
        .method = "POST",
        .url = openai_url(config->base_url, call->arena),
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
    wipe(auth, sizeof auth);
    wipe(azure, sizeof azure);
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

struct model_call *openai_start(const struct model_config *config, const struct model_request *request,
                                struct httpc *http, struct arena *arena, model_event_fn fn, void *arg)
{
    (void)arena;
    if (config->base_url == NULL || config->name == NULL) {
        struct model_event end = {
            .kind = MODEL_END, .class = MODEL_CONFIG, .retry_ms = -1, .request_id = "", .model = ""};
        fn(&end, arg);
        return NULL;
    }
    struct model_call *call = xcalloc(1, sizeof *call);
    call->magic = CALL_MAGIC;
    call->arena = arena_new(CALL_ARENA_MAX);
    call->http = http;
    call->fn = fn;
    call->arg = arg;
    call->end_mono_ms = clock_mono_ms() + request->time_ms;
    config_copy(call, config);
    prompt_build(&call->config, request, call->arena, &call->prompt);
    chat_reader_init(&call->reader, give_text, call);
    transfer_send(call);
    return call;
}

void openai_cancel(struct model_call *call)
{
    CHECK(call->magic == CALL_MAGIC);
    call->fn = NULL;
    httpc_cancel(call->http, call->transfer);
}
