/* load_payload.h: the requests the load generator sends: signed WhatsApp webhooks, each with a message id of
 * its own.
 *
 * A request is a template in which the message id, the customer's number and the signature are patched.
 * Signatures may be made before the measurement, so that the generator takes little of the processors it
 * shares with the server. */
#ifndef CHASQUI_BENCH_LOAD_PAYLOAD_H
#define CHASQUI_BENCH_LOAD_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

struct payload;

enum payload_kind { PAYLOAD_MESSAGE, PAYLOAD_STATUS };

struct payload_options {
    enum payload_kind kind;
    const char *host;      /* Host field */
    const char *path;      /* request target */
    const char *secret;    /* the app secret that signs */
    const char *phone_id;  /* phone_number_id in the metadata */
    const char *status_id; /* the message that all statuses are about; NULL: each about one of its own */
    const char *tag;       /* 8 characters that no other run against the same server uses */
    size_t body_size;      /* bytes of a message body; a status has its own natural size */
    unsigned customers;    /* distinct senders, taken in turn */
};

struct payload *payload_new(const struct payload_options *options);
void payload_free(struct payload *p);
/* The number of the first request: its customer is number % customers. Before anything else. */
void payload_from(struct payload *p, uint64_t number);
/* Makes the signatures of the first count requests now; later ones are signed when they are sent. */
void payload_prepare(struct payload *p, size_t count);
/* Bytes of one request; all have the same size. */
size_t payload_size(const struct payload *p);
size_t payload_body_size(const struct payload *p);
/* Writes the next request into out, which has room for payload_size bytes. */
void payload_next(struct payload *p, char *out);

#endif
