/* transcribe.c: one call of a speech-to-text server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/reading/transcribe.h"

#include "agent/profile/profile.h"
#include "queue/base/blob.h"
#include "queue/base/crypto.h"
#include "queue/base/httpc.h"

#define SOUND_MAX  (25u << 20) /* what servers of this kind take */
#define KEY_MAX    8192
#define ANSWER_MAX ((size_t)1 << 20)

/* A call under way. */
struct calling {
    transcribe_done_fn done;
    void *arg;
};

static void call_end(struct calling *c, enum transcribe_outcome outcome, const char *text, const char *code,
                     const char *detail)
{
    struct transcribe_result result = {.outcome = outcome, .text = text, .code = code, .detail = detail};

    c->done(&result, c->arg);
    free(c);
}

/* True for answers after which the same call may work. */
static bool may_pass(const struct httpc_answer *answer)
{
    long status = answer->status;

    if (answer->outcome != HTTPC_ANSWERED) {
        return answer->outcome != HTTPC_BLOCKED && answer->outcome != HTTPC_TOO_LARGE;
    }
    return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

/* What the server's answer means. */
static void answered(const struct httpc_answer *answer, void *arg)
{
    struct calling *c = arg;
    json_t *body = NULL;
    char code[32];

    if (answer->outcome != HTTPC_ANSWERED || answer->status < 200 || answer->status > 299) {
        snprintf(code, sizeof code, answer->status > 0 ? "HTTP_%ld" : "NO_ANSWER", answer->status);
        call_end(c, may_pass(answer) ? TRANSCRIBE_LATER : TRANSCRIBE_REFUSED, "", code,
                 "the transcription server did not write the voice message down");
        return;
    }
    if (jx_parse_lenient(answer->body, answer->body_size, &body) != ERR_OK) {
        body = NULL;
    }
    const char *text = jx_str(body, "text");
    if (text == NULL) {
        call_end(c, TRANSCRIBE_LATER, "", "ANSWER", "the transcription server's answer holds no text");
    } else if (text[strspn(text, " \t\r\n")] == '\0') {
        call_end(c, TRANSCRIBE_REFUSED, "", "NO_SPEECH", "the voice message holds no words");
    } else {
        call_end(c, TRANSCRIBE_DONE, text, "", "");
    }
    json_decref(body);
}

/* The ending by which servers tell the format. */
static const char *ending_of(const char *mime_type)
{
    static const struct {
        const char *type, *ending;
    } rows[] = {{"audio/ogg", "ogg"}, {"audio/mpeg", "mp3"},  {"audio/mp4", "m4a"},
                {"video/mp4", "mp4"}, {"audio/aac", "aac"},   {"audio/amr", "amr"},
                {"audio/wav", "wav"}, {"audio/webm", "webm"}, {"audio/flac", "flac"}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strncmp(rows[i].type, mime_type, strlen(rows[i].type)) == 0) {
            return rows[i].ending;
        }
    }
    return "ogg";
}

/* One field of the multipart body. */
static void field_add(struct buf *out, const char *boundary, const char *name, const char *value)
{
    buf_addf(out, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", boundary, name, value);
}

/* The multipart body around the sound. ERR_NOTFOUND, ERR_LIMIT, ERR_CORRUPT, ERR_IO. */
static enum err body_build(const struct transcribe_call *call, const char *boundary, struct buf *body)
{
    const json_t *own = jx_obj(jx_obj(call->agent, "model"), "transcription");

    field_add(body, boundary, "model", jx_str_or(own, "name", ""));
    field_add(body, boundary, "response_format", "json");
    buf_addf(body,
             "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"voice.%s\"\r\n"
             "Content-Type: %s\r\n\r\n",
             boundary, ending_of(call->mime_type), call->mime_type);
    enum err rc = blob_get(call->sha256, body);
    buf_addf(body, "\r\n--%s--\r\n", boundary);
    return rc == ERR_OK && !buf_ok(body) ? ERR_LIMIT : rc;
}

/* base_url/audio/transcriptions, before a query string if there is one. New text. */
static char *url_of(const json_t *own)
{
    const char *base = jx_str_or(own, "base_url", "");
    size_t path = strcspn(base, "?");

    return xasprintf("%.*s/audio/transcriptions%s", (int)path, base, base + path);
}

/* Sends the body; key is "" for none. */
static void call_send(struct httpc *http, const struct transcribe_call *call, const char *boundary,
                      const struct buf *body, const char *key, struct calling *c)
{
    const json_t *own = jx_obj(jx_obj(call->agent, "model"), "transcription");
    char *url = url_of(own);
    char *type = xasprintf("Content-Type: multipart/form-data; boundary=%s", boundary);
    char *bearer = xasprintf("Authorization: Bearer %s", key);
    const char *headers[] = {type, "Accept: application/json", bearer};
    struct httpc_request request = {.method = "POST",
                                    .url = url,
                                    .headers = headers,
                                    .header_count = key[0] != '\0' ? 3 : 2,
                                    .body = body->data,
                                    .body_size = body->len,
                                    .total_ms = call->total_ms,
                                    .max_answer = ANSWER_MAX,
                                    .pool = call->part};

    httpc_send(http, &request, answered, c);
    wipe(bearer, strlen(bearer));
    free(bearer);
    free(type);
    free(url);
}

void transcribe_start(struct httpc *http, const struct transcribe_call *call, transcribe_done_fn done,
                      void *arg)
{
    struct calling *c = xcalloc(1, sizeof *c);
    struct buf body, key;
    char boundary[40];

    *c = (struct calling){.done = done, .arg = arg};
    snprintf(boundary, sizeof boundary, "chasqui%016llx", (unsigned long long)random_below(UINT64_MAX));
    buf_init(&body, SOUND_MAX + 4096);
    buf_init(&key, KEY_MAX);
    enum err opened = agent_transcription_key(call->part, call->agent, &key);
    enum err rc = body_build(call, boundary, &body);
    if (opened != ERR_OK && opened != ERR_NOTFOUND) {
        call_end(c, TRANSCRIBE_REFUSED, "", "CREDENTIALS", "the transcription server's key cannot be opened");
    } else if (rc != ERR_OK) {
        call_end(c, rc == ERR_IO ? TRANSCRIBE_LATER : TRANSCRIBE_REFUSED, "", err_name(rc),
                 rc == ERR_LIMIT ? "the voice message is too large to be written down"
                                 : "the bytes of the voice message cannot be read");
    } else {
        call_send(http, call, boundary, &body, buf_str(&key), c);
    }
    if (key.data != NULL) {
        wipe(key.data, key.len);
    }
    buf_fini(&key);
    buf_fini(&body);
}
