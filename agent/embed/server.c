/* server.c: one call of an embedding server, by the wire format of OpenAI's POST /embeddings: the answer's
 * rows may come in any order and carry numbers, or the base64 of little-endian float32. */
#include <stdlib.h>
#include <string.h>

#include "agent/embed/embed.h"

#include "agent/embed/side.h"
#include "agent/model/errors.h"
#include "agent/profile/profile.h"
#include "kb/dot.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"

#define ANSWER_MAX ((size_t)16 << 20)
#define BODY_MAX   ((size_t)4 << 20)

/* A call under way. */
struct calling {
    embed_done_fn done;
    void *arg;
    size_t count;
};

const json_t *embed_settings(const json_t *agent)
{
    return jx_obj(jx_obj(agent, "knowledge"), "embedding");
}

void embed_mark(const json_t *settings, uint8_t mark[KB_MODEL_MARK])
{
    uint8_t sum[SHA256_SIZE];
    char *text = xasprintf("%s\n%s\n%lld", jx_str_or(settings, "base_url", ""),
                           jx_str_or(settings, "name", ""), (long long)jx_int(settings, "dimensions", 0));

    sha256(text, strlen(text), sum);
    memcpy(mark, sum, KB_MODEL_MARK);
    free(text);
}

static void call_end(struct calling *c, enum embed_outcome outcome, const char *why)
{
    struct embed_result result = {.outcome = outcome, .why = why};

    c->done(&result, c->arg);
    free(c);
}

/* The numbers of one row, into out (n of them). False: it is none, or of another length. */
static bool row_read(const json_t *value, float *out, size_t n)
{
    if (json_is_array(value) && json_array_size(value) == n) {
        for (size_t i = 0; i < n; i++) {
            out[i] = (float)json_number_value(json_array_get(value, i));
        }
        return true;
    }
    const char *text = json_string_value(value);
    struct buf bytes;
    buf_init(&bytes, n * sizeof *out + 4);
    bool good = text != NULL && base64_decode(&bytes, text, strlen(text)) && bytes.len == n * sizeof *out;
    for (size_t i = 0; good && i < n; i++) {
        const uint8_t *b = (const uint8_t *)bytes.data + i * 4;
        uint32_t bits = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&out[i], &bits, sizeof bits);
    }
    buf_fini(&bytes);
    return good;
}

/* How many numbers a row has; 0 if it is none. */
static size_t row_size(const json_t *value)
{
    size_t n = json_is_string(value) ? json_string_length(value) / 4 * 3 / 4 : json_array_size(value);

    return n <= KB_DIMENSIONS_MAX ? n : 0;
}

/* Puts the rows in the order of the texts. NULL: a row is missing, double, or of another length. */
static float *rows_read(const json_t *body, size_t count, size_t *dimensions)
{
    const json_t *data = jx_arr(body, "data"), *row;
    size_t n = row_size(json_object_get(json_array_get(data, 0), "embedding")), i;
    bool seen[EMBED_BATCH] = {false};

    if (n == 0 || json_array_size(data) != count || count > EMBED_BATCH) {
        return NULL;
    }
    float *vectors = xcalloc(count * n, sizeof *vectors);
    json_array_foreach (data, i, row) {
        int64_t at = jx_int(row, "index", (int64_t)i);
        if (at < 0 || (size_t)at >= count || seen[at] ||
            !row_read(json_object_get(row, "embedding"), vectors + (size_t)at * n, n)) {
            free(vectors);
            return NULL;
        }
        seen[at] = true;
    }
    *dimensions = n;
    return vectors;
}

/* What a refusal means. */
static enum embed_outcome refusal(enum model_class class, size_t texts)
{
    switch (model_class_act(class)) {
    case ACT_RETRY:
        return class == MODEL_SERVER && texts > 1 ? EMBED_TOO_LARGE : EMBED_LATER;
    case ACT_SHRINK:
        return EMBED_TOO_LARGE;
    default:
        return class == MODEL_BAD_REQUEST ? EMBED_TOO_LARGE : EMBED_REFUSED;
    }
}

/* What the server's answer means. */
static void answered(const struct httpc_answer *answer, void *arg)
{
    struct calling *c = arg;
    json_t *body = NULL;
    float *vectors = NULL;
    struct embed_result result = {.outcome = EMBED_DONE, .count = c->count};

    if (answer->outcome != HTTPC_ANSWERED) {
        enum model_class class = model_outcome_class(answer->outcome);
        bool over = answer->outcome == HTTPC_CANCELLED;
        call_end(c,
                 over                                  ? EMBED_CANCELLED
                 : model_class_act(class) == ACT_RETRY ? EMBED_LATER
                                                       : EMBED_REFUSED,
                 model_class_name(class));
        return;
    }
    if (jx_parse_lenient(answer->body, answer->body_size, &body) != ERR_OK) {
        body = NULL;
    }
    bool bad = answer->status < 200 || answer->status > 299 || model_is_error(body);
    if (!bad) {
        vectors = rows_read(body, c->count, &result.dimensions);
    }
    if (bad) {
        enum model_class class = model_error_class(answer->status, body);
        call_end(c, refusal(class, c->count), model_class_name(class));
    } else if (vectors == NULL) {
        call_end(c, EMBED_LATER, "malformed");
    } else {
        result.vectors = vectors;
        c->done(&result, c->arg);
        free(vectors);
        free(c);
    }
    json_decref(body);
}

/* The body of the request; new reference. */
static json_t *body_of(const struct embed_call *call, const json_t *own)
{
    json_t *body = json_object(), *input = json_array();

    jx_set_str(body, "model", jx_str_or(own, "name", ""));
    for (size_t i = 0; i < call->count; i++) {
        jx_push(input, side_text(call->texts[i]));
    }
    jx_set(body, "input", input);
    jx_set_str(body, "encoding_format", "float");
    if (jx_int(own, "dimensions", 0) > 0) {
        jx_set_int(body, "dimensions", jx_int(own, "dimensions", 0));
    }
    return body;
}

void embed_start(struct httpc *http, const struct embed_call *call, embed_done_fn done, void *arg)
{
    struct calling *c = xcalloc(1, sizeof *c);
    const json_t *own = embed_settings(call->agent);
    struct buf key;

    *c = (struct calling){.done = done, .arg = arg, .count = call->count};
    buf_init(&key, SIDE_KEY_MAX);
    enum err opened = agent_embedding_key(call->part, call->agent, &key);
    if (opened != ERR_OK && opened != ERR_NOTFOUND) {
        call_end(c, EMBED_REFUSED, "config");
    } else {
        json_t *body = body_of(call, own);
        struct side_post post = {.part = call->part,
                                 .base_url = jx_str_or(own, "base_url", ""),
                                 .path = "/embeddings",
                                 .key = buf_str(&key),
                                 .body = body,
                                 .total_ms = call->total_ms,
                                 .max_answer = ANSWER_MAX};
        side_send(http, &post, answered, c);
        json_decref(body);
    }
    side_key_fini(&key);
}
