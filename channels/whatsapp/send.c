/* send.c: one call of the Graph API for one message.
 *
 * The platform has no idempotency key. So an outcome is "unknown" whenever the request may have reached it
 * without an answer reaching us; only failures before the request could leave (name, connect, TLS) are safe
 * to repeat at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/whatsapp/whatsapp.h"

#include "queue/base/httpc.h"
#include "queue/base/log.h"

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

/* What the usage headers ask for: the channel holds, and a message that was put off waits at least as long.
 */
static void usage_heed(const struct httpc_answer *answer, struct send_result *result)
{
    static const char *const names[] = {"X-App-Usage", "X-Business-Use-Case-Usage"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t hold = whatsapp_usage_hold(httpc_answer_header(answer, names[i]));
        result->hold_ms = hold > result->hold_ms ? hold : result->hold_ms;
    }
    if (result->outcome == SEND_LATER && result->hold_ms > result->retry_ms) {
        result->retry_ms = result->hold_ms;
    }
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
            result.hold_ms = result.hold_ms > 0 ? told : 0;
            result.retry_ms = told;
        }
        usage_heed(answer, &result);
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

/* Starts the transfer; body is whole. False: the channel's token cannot be opened. */
static bool transfer(const struct send_call *call, struct sending *s, const struct buf *body)
{
    char *url = whatsapp_number_url(call->channel, "messages");
    bool started = whatsapp_call(call, "POST", url, "application/json", body, answered, s);

    free(url);
    return started;
}

/* Sends a message whose media, if it has any, the platform knows. */
static void send_now(const struct send_call *call, send_done_fn done, void *arg)
{
    json_t *content = whatsapp_send_body(call->contact, call->message);
    struct send_result result;
    struct buf body;

    if (content == NULL) {
        result = failed(SEND_REFUSED, "NO_RECIPIENT",
                        "the contact has no WhatsApp identity, or the message no content", "");
        done(&result, arg);
        return;
    }
    struct sending *s = xcalloc(1, sizeof *s);
    *s = (struct sending){.done = done, .arg = arg};
    s->attempt = (unsigned)jx_int(jx_obj(call->message, "attempt"), "count", 1);
    snprintf(s->message_id, sizeof s->message_id, "%s", jx_str_or(call->message, "id", ""));
    buf_init(&body, BODY_MAX);
    jx_dump(content, &body);
    json_decref(content);
    if (!transfer(call, s, &body)) {
        free(s);
        result = failed(SEND_CHANNEL, "CREDENTIALS",
                        "the channel's access token is missing or cannot be opened", "");
        done(&result, arg);
    }
    buf_fini(&body);
}

/* A message that waits for its file. */
struct attaching {
    struct send_call call;
    send_done_fn done;
    void *arg;
};

/* The file has an id at the platform: now the message can go. */
static void attached(const char *media_id, const struct send_result *failure, void *arg)
{
    struct attaching *a = arg;

    if (media_id == NULL) {
        a->done(failure, a->arg);
    } else {
        json_t *message = json_copy((json_t *)a->call.message);
        json_t *content = json_copy(jx_obj(message, "content"));
        json_object_del(content, "file_id");
        jx_set_str(content, "id", media_id);
        jx_set(message, "content", content);
        a->call.message = message;
        send_now(&a->call, a->done, a->arg);
        json_decref(message);
    }
    free(a);
}

void whatsapp_send(const struct send_call *call, send_done_fn done, void *arg)
{
    const char *file_id = jx_str(jx_obj(call->message, "content"), "file_id");

    if (file_id == NULL) {
        send_now(call, done, arg);
        return;
    }
    struct attaching *a = xcalloc(1, sizeof *a);
    *a = (struct attaching){.call = *call, .done = done, .arg = arg};
    whatsapp_upload(call, file_id, attached, a);
}

/* ---- receipts and probes ---- */

/* One of them under way. */
struct asking {
    send_done_fn done;
    void *arg;
};

/* Any success is one. */
static void asked(const struct httpc_answer *answer, void *arg)
{
    struct asking *a = arg;
    json_t *body = NULL;
    struct send_result result = {.outcome = SEND_DELIVERED};

    if (answer->outcome != HTTPC_ANSWERED) {
        result = judge_transfer(answer);
    } else if (answer->status < 200 || answer->status > 299) {
        if (jx_parse_lenient(answer->body, answer->body_size, &body) != ERR_OK) {
            body = NULL;
        }
        result = whatsapp_judge(answer->status, body, 1);
    }
    a->done(&result, a->arg);
    json_decref(body);
    free(a);
}

/* Starts the call, or ends at once. */
static void ask(const struct send_call *call, const char *method, const char *url, const struct buf *body,
                send_done_fn done, void *arg)
{
    static const struct send_result closed = {.outcome = SEND_CHANNEL, .code = "CREDENTIALS"};
    struct asking *a = xcalloc(1, sizeof *a);

    *a = (struct asking){.done = done, .arg = arg};
    if (!whatsapp_call(call, method, url, "application/json", body, asked, a)) {
        free(a);
        done(&closed, arg);
    }
}

void whatsapp_receipt(const struct send_call *call, const char *platform_id, bool typing, send_done_fn done,
                      void *arg)
{
    char *url = whatsapp_number_url(call->channel, "messages");
    json_t *content = json_object();
    struct buf body;

    jx_set_str(content, "messaging_product", "whatsapp");
    jx_set_str(content, "status", "read");
    jx_set_str(content, "message_id", platform_id);
    if (typing) {
        jx_set(content, "typing_indicator", json_pack("{s:s}", "type", "text"));
    }
    buf_init(&body, BODY_MAX);
    jx_dump(content, &body);
    ask(call, "POST", url, &body, done, arg);
    buf_fini(&body);
    json_decref(content);
    free(url);
}

void whatsapp_probe(const struct send_call *call, send_done_fn done, void *arg)
{
    char *url = whatsapp_number_url(call->channel, "?fields=id");

    ask(call, "GET", url, NULL, done, arg);
    free(url);
}
