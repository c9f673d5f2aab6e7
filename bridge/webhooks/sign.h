/* sign.h: two signatures on one delivery.
 *
 * X-ConvoAI-Signature: "sha256=" + hex HMAC-SHA256 over the body, keyed with the secret's text as shown
 * ("whsec_" included). Standard Webhooks 1.0 (webhook-id, webhook-timestamp, webhook-signature): "v1," +
 * base64 HMAC-SHA256 over "id.timestamp.body", keyed with the bytes that the base64 behind "whsec_" stands
 * for if it is strict base64 of 24 to 64 bytes, else with the secret's text. Several live secrets sign side
 * by side, the current one first. Thread: any. */
#ifndef CHASQUI_WEBHOOKS_SIGN_H
#define CHASQUI_WEBHOOKS_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/buf.h"

#define SIGN_SECRET_SIZE 257 /* 256 characters and the NUL */
#define SIGN_SECRETS     3   /* live at once */

/* True if the secret's key is base64; then key, *key_size hold its bytes (room for SIGN_KEY_MAX). */
#define SIGN_KEY_MAX 256
bool sign_key(const char *secret, uint8_t key[SIGN_KEY_MAX], size_t *key_size);

struct sign_input {
    const char *id;      /* the event's id */
    int64_t timestamp_s; /* of this attempt */
    const void *body;
    size_t size;
};
/* Adds the value of X-ConvoAI-Signature: items separated by commas. */
void sign_plain(struct buf *out, const char secrets[][SIGN_SECRET_SIZE], unsigned count,
                const struct sign_input *in);
/* Adds the value of webhook-signature: items separated by spaces. */
void sign_standard(struct buf *out, const char secrets[][SIGN_SECRET_SIZE], unsigned count,
                   const struct sign_input *in);

#endif
