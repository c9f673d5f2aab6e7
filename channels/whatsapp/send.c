/* send.c: one call of the Graph API for one message.
 *
 * The platform has no idempotency key. So an outcome is "unknown" whenever the request may have reached it
 * without an answer reaching us; only failures before the request could leave (name, connect, TLS) are safe
 * to repeat at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/whatsapp/whatsapp.h"

#include "queue/base/crypto.h"
#include "queue/base/httpc.h"
#include "queue/base/log.h"
#include "queue/base/option.h"

#define TOKEN_MAX    8192
#define BODY_MAX     (1u << 20)
#define PAUSE_MAX_MS 3600000

/* A call under way. */
struct sending {
    send_done_fn done;
    void *arg;
    unsigned attempt;
    char message_id[64];
};

/* An outcome without an answer of the platform. */
static struct send_result failed(enum send_outcome outcome, const char *code, const char *title,
                                 const char *detail)
{
    return (struct send_result){.outcome = outcome, .code = code, .title = title, .detail = detail};
}

/* What the transfer itself says, before any answer. */
static struct send_result judge_transfer(const struct httpc_answer *answer)
{
    switch (answer->outcome) {
    case HTTPC_BLOCKED:
        return failed(SEND_CHANNEL, "URL_BLOCKED", "the channel's graph_url may not be reached",
                      answer->reason);
    case HTTPC_UNREACHED:
        return failed(SEND_LATER, "UNREACHED", "the platform could not be reached", answer->reason);
    default:
        return failed(SEND_UNKNOWN, "NO_ANSWER", "the connection broke before an answer came",
                      answer->reason);
    }
}

/* Retry-After in ms, 0 if there is none we understand (a date). */
static int64_t retry_after_ms(const struct httpc_answer *answer)
{
    char *end = NULL;
    long seconds = strtol(answer->retry_after, &end, 10);

    if (end == answer->retry_after || *end != '\0' || seconds < 0) {
        return 0;
    }
    return seconds < PAUSE_MAX_MS / 1000 ? seconds * 1000 : PAUSE_MAX_MS;
}

static void log_answer(const struct sending *s, const struct httpc_answer *answer, const json_t *body,
                       const struct send_result *result)
{
    if (result->outcome == SEND_ACCEPTED) {
        log_debug("whatsapp.accepted", "message=%s us=%lld", s->message_id, (long long)answer->total_us);
        return;
    }
    log_warn("whatsapp.refused", "message=%s status=%ld outcome=%s code=%s attempt=%u trace=%s",
             s->message_id, answer->status, httpc_outcome_name(answer->outcome), log_quote(result->code),
             s->attempt, log_quote(jx_str_or(jx_obj(body, "error"), "fbtrace_id", "")));
}

/* The transfer ended. */
static void answered(const struct httpc_answer *answer, void *arg)
{
    struct sending *s = arg;
    json_t *body = NULL;
    struct send_result result;

    if (answer->outcome == HTTPC_ANSWERED) {
        if (jx_parse_lenient(answer->body, answer->body_size, &body) != ERR_OK) {
            body = NULL;
        }
        result = whatsapp_judge(answer->status, body, s->attempt);
        int64_t told = retry_after_ms(answer);
        if (result.outcome == SEND_LATER && told > result.retry_ms) {
            result.retry_ms = told;
        }
    } else {
        result = judge_transfer(answer);
    }
    json_t *identities = result.outcome == SEND_ACCEPTED ? whatsapp_recipient_of(body) : NULL;
    result.identities = identities;
    log_answer(s, answer, body, &result);
    s->done(&result, s->arg);
    json_decref(identities);
    json_decref(body);
    free(s);
}

/* {graph_url}/{graph_version}/{phone_number_id}/messages; the channel's own values go before the options. */
static char *messages_url(const json_t *channel)
{
    const char *base = jx_str_or(channel, "graph_url", option_text(OPT_GRAPH_URL));
    const char *version = jx_str_or(channel, "graph_version", option_text(OPT_GRAPH_VERSION));
    size_t len = strlen(base);

    while (len > 0 && base[len - 1] == '/') {
        len--;
    }
    return xasprintf("%.*s/%s/%s/messages", (int)len, base, version,
                     jx_str_or(channel, "phone_number_id", ""));
}

/* "Authorization: Bearer TOKEN"; false if the channel's token cannot be opened. */
static bool authorization(const struct send_call *call, struct buf *header)
{
    struct buf token;

    buf_init(&token, TOKEN_MAX);
    bool good = channel_secret(call->part, call->channel, "access_token", &token) == ERR_OK && token.len > 0;
    if (good) {
        buf_addf(header, "Authorization: Bearer %s", buf_str(&token));
        wipe(token.data, token.len);
    }
    buf_fini(&token);
    return good && buf_ok(header);
}

/* Starts the transfer; body is whole. */
static void transfer(const struct send_call *call, struct sending *s, const char *bearer,
                     const struct buf *body)
{
    char *url = messages_url(call->channel);
    const char *headers[] = {bearer, "Content-Type: application/json", "Accept: application/json"};
    struct httpc_request request = {.method = "POST",
                                    .url = url,
                                    .headers = headers,
                                    .header_count = sizeof headers / sizeof *headers,
                                    .body = body->data,
                                    .body_size = body->len,
                                    .trusted = jx_str(call->channel, "graph_url") == NULL,
                                    .pool = call->part};

    httpc_send(call->http, &request, answered, s);
    free(url);
}

void whatsapp_send(const struct send_call *call, send_done_fn done, void *arg)
{
    json_t *content = whatsapp_send_body(call->contact, call->message);
    struct send_result result;
    struct buf bearer, body;

    buf_init(&bearer, TOKEN_MAX + 64);
    buf_init(&body, BODY_MAX);
    if (content == NULL) {
        result = failed(SEND_REFUSED, "NO_RECIPIENT",
                        "the contact has no WhatsApp identity, or the message no content", "");
        done(&result, arg);
    } else if (!authorization(call, &bearer)) {
        result = failed(SEND_CHANNEL, "CREDENTIALS",
                        "the channel's access token is missing or cannot be opened", "");
        done(&result, arg);
    } else {
        struct sending *s = xcalloc(1, sizeof *s);
        *s = (struct sending){.done = done, .arg = arg};
        s->attempt = (unsigned)jx_int(jx_obj(call->message, "attempt"), "count", 1);
        snprintf(s->message_id, sizeof s->message_id, "%s", jx_str_or(call->message, "id", ""));
        jx_dump(content, &body);
        transfer(call, s, buf_str(&bearer), &body);
    }
    if (bearer.len > 0) {
        wipe(bearer.data, bearer.len);
    }
    json_decref(content);
    buf_fini(&bearer);
    buf_fini(&body);
}
