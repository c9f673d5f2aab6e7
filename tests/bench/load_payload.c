/* load_payload.c: signed webhooks out of one template. */
#include "tests/bench/load_payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue/base/buf.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"

#define ID_MARK       "~~~~~~~~~~~~~~~~~~~~" /* 20 places: the run's tag and 12 digits */
#define CUSTOMER_MARK "^^^^^^^"              /* 7 digits */
#define ID_SIZE       20
#define CUSTOMER_SIZE 7
#define TAG_SIZE      8
#define MARKS_MAX     8
#define REQUEST_MAX   (64u * 1024u)

/* Where the copies of one mark stand in the body. */
struct marks {
    size_t at[MARKS_MAX];
    size_t count;
};

struct payload {
    struct buf request;  /* head and body with the marks still in */
    size_t signature_at; /* of the 64 hex digits */
    size_t body_at;
    struct marks ids; /* offsets into the request */
    struct marks customers;
    char tag[TAG_SIZE + 1];
    char *secret;
    unsigned customer_count;
    uint64_t from; /* number of the first request */
    uint64_t sent;
    uint8_t *signatures; /* SHA256_SIZE bytes for each of the first prepared requests */
    size_t prepared;
};

static void add_opening(struct buf *body, const char *phone_id)
{
    buf_addf(body,
             "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"102290129340398\",\"changes\":[{"
             "\"value\":{\"messaging_product\":\"whatsapp\",\"metadata\":{\"display_phone_number\":"
             "\"15550783881\","
             "\"phone_number_id\":\"%s\"},",
             phone_id);
}

static void add_message(struct buf *body, long now, size_t size)
{
    static const char words[] = "Good morning, do you deliver on Saturdays and what does it cost? ";
    static const char closing[] = "\"}}]},\"field\":\"messages\"}]}]}";

    buf_addf(body,
             "\"contacts\":[{\"profile\":{\"name\":\"Sheena Nelson\"},\"wa_id\":\"1555" CUSTOMER_MARK "\"}],"
             "\"messages\":[{\"from\":\"1555" CUSTOMER_MARK
             "\",\"id\":\"wamid.HBgLMTY1MDM4Nzk0MzkVAgAS" ID_MARK
             "\",\"timestamp\":\"%ld\",\"type\":\"text\",\"text\":{\"body\":\"",
             now);
    for (size_t i = 0; body->len + strlen(closing) < size; i++) {
        buf_addc(body, words[i % (sizeof words - 1)]);
    }
    buf_adds(body, closing);
}

/* The mark stands in the conversation's id too, so that statuses about one message still differ. */
static void add_one_status(struct buf *body, const char *id, const char *status, long now)
{
    buf_addf(body,
             "{\"id\":\"%s\",\"status\":\"%s\",\"timestamp\":\"%ld\",\"recipient_id\":\"1555" CUSTOMER_MARK
             "\",\"conversation\":{\"id\":\"3f8a2c4de1b7" ID_MARK "\",\"origin\":{\"type\":\"service\"}},"
             "\"pricing\":{\"billable\":true,\"pricing_model\":\"PMP\",\"category\":\"service\",\"type\":"
             "\"regular\"}}",
             id, status, now);
}

/* Two statuses of one message. */
static void add_statuses(struct buf *body, const char *status_id, long now)
{
    const char *id = status_id != NULL ? status_id : "wamid.HBgLMTY1MDM4Nzk0MzkVAgAS" ID_MARK;

    buf_adds(body, "\"statuses\":[");
    add_one_status(body, id, "sent", now);
    buf_addc(body, ',');
    add_one_status(body, id, "delivered", now);
    buf_adds(body, "]},\"field\":\"messages\"}]}]}");
}

static void find_marks(const struct buf *request, const char *mark, struct marks *out)
{
    const char *from = request->data;
    const char *end = request->data + request->len;
    size_t size = strlen(mark);

    for (;;) {
        const char *at = memmem(from, (size_t)(end - from), mark, size);
        if (at == NULL) {
            return;
        }
        CHECK(out->count < MARKS_MAX);
        out->at[out->count++] = (size_t)(at - request->data);
        from = at + size;
    }
}

static void add_head(struct payload *p, const struct payload_options *options, size_t body_size)
{
    buf_addf(&p->request,
             "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: facebookexternalua\r\nAccept: */*\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\nX-Hub-Signature-256: sha256=",
             options->path, options->host, body_size);
    p->signature_at = p->request.len;
    for (size_t i = 0; i < 2 * SHA256_SIZE; i++) {
        buf_addc(&p->request, '0');
    }
    buf_adds(&p->request, "\r\n\r\n");
    p->body_at = p->request.len;
}

struct payload *payload_new(const struct payload_options *options)
{
    struct payload *p = xcalloc(1, sizeof *p);
    long now = (long)time(NULL);
    struct buf body;

    CHECK(strlen(options->tag) == TAG_SIZE && options->customers > 0);
    memcpy(p->tag, options->tag, TAG_SIZE);
    p->secret = xstrdup(options->secret);
    p->customer_count = options->customers;
    buf_init(&body, REQUEST_MAX);
    add_opening(&body, options->phone_id);
    if (options->kind == PAYLOAD_MESSAGE) {
        add_message(&body, now, options->body_size);
    } else {
        add_statuses(&body, options->status_id, now);
    }
    buf_init(&p->request, 2 * REQUEST_MAX);
    add_head(p, options, body.len);
    buf_add(&p->request, body.data, body.len);
    CHECK(buf_ok(&body) && buf_ok(&p->request));
    buf_fini(&body);
    find_marks(&p->request, ID_MARK, &p->ids);
    find_marks(&p->request, CUSTOMER_MARK, &p->customers);
    return p;
}

void payload_free(struct payload *p)
{
    if (p == NULL) {
        return;
    }
    buf_fini(&p->request);
    free(p->secret);
    free(p->signatures);
    free(p);
}

size_t payload_size(const struct payload *p)
{
    return p->request.len;
}

size_t payload_body_size(const struct payload *p)
{
    return p->request.len - p->body_at;
}

/* Writes number as digits with leading zeros. */
static void put_digits(char *out, size_t size, uint64_t number)
{
    for (size_t i = size; i > 0; i--) {
        out[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* Fills the marks of the request with that number; out holds the template. */
static void patch(const struct payload *p, uint64_t number, char *out)
{
    for (size_t i = 0; i < p->ids.count; i++) {
        memcpy(out + p->ids.at[i], p->tag, TAG_SIZE);
        put_digits(out + p->ids.at[i] + TAG_SIZE, ID_SIZE - TAG_SIZE, number);
    }
    for (size_t i = 0; i < p->customers.count; i++) {
        put_digits(out + p->customers.at[i], CUSTOMER_SIZE, number % p->customer_count);
    }
}

static void sign(const struct payload *p, const char *request, uint8_t out[SHA256_SIZE])
{
    hmac_sha256(p->secret, strlen(p->secret), request + p->body_at, p->request.len - p->body_at, out);
}

void payload_from(struct payload *p, uint64_t number)
{
    CHECK(p->sent == 0 && p->signatures == NULL);
    p->from = number;
}

void payload_prepare(struct payload *p, size_t count)
{
    char *request = xmalloc(p->request.len);

    CHECK(p->sent == 0 && p->signatures == NULL);
    p->signatures = xmalloc(count * SHA256_SIZE);
    memcpy(request, p->request.data, p->request.len);
    for (size_t i = 0; i < count; i++) {
        patch(p, p->from + i, request);
        sign(p, request, p->signatures + i * SHA256_SIZE);
    }
    p->prepared = count;
    free(request);
}

void payload_next(struct payload *p, char *out)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t mac[SHA256_SIZE];
    uint64_t number = p->sent++;

    memcpy(out, p->request.data, p->request.len);
    patch(p, p->from + number, out);
    if (number < p->prepared) {
        memcpy(mac, p->signatures + number * SHA256_SIZE, SHA256_SIZE);
    } else {
        sign(p, out, mac);
    }
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        out[p->signature_at + 2 * i] = digits[mac[i] >> 4];
        out[p->signature_at + 2 * i + 1] = digits[mac[i] & 15];
    }
}
