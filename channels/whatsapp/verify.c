/* verify.c: is it Meta that calls? The handshake of the subscription, and the signature of each post.
 *
 * The signature covers the bytes as received: Meta escapes non-ASCII characters and slashes, so a body that
 * was parsed and written again would not match. During a rotation of the app secret two secrets are live, and
 * either may have signed. */
#include <string.h>

#include "channels/whatsapp/whatsapp.h"

#include "queue/base/codec.h"
#include "queue/base/crypto.h"

#define CHALLENGE_MAX  256
#define SECRET_MAX     4096
#define SIGNATURE_HEAD "sha256="

/* True if value equals the sealed field. */
static bool secret_equals(const char *part, const json_t *channel, const char *field, const char *value)
{
    struct buf secret;
    bool equal = false;

    buf_init(&secret, SECRET_MAX);
    if (channel_secret(part, channel, field, &secret) == ERR_OK && secret.len > 0) {
        equal = equal_ct(secret.data, secret.len, value, strlen(value));
        wipe(secret.data, secret.len);
    }
    buf_fini(&secret);
    return equal;
}

enum err whatsapp_challenge(const char *part, const json_t *channel, const struct hook_call *call,
                            struct buf *answer)
{
    const char *mode = call->query("hub.mode", call->arg);
    const char *challenge = call->query("hub.challenge", call->arg);
    const char *token = call->query("hub.verify_token", call->arg);

    if (mode == NULL || challenge == NULL || token == NULL) {
        return ERR_INVALID;
    }
    if (strcmp(mode, "subscribe") != 0 || !secret_equals(part, channel, "verify_token", token)) {
        return ERR_DENIED;
    }
    if (challenge[0] == '\0' || strlen(challenge) > CHALLENGE_MAX) {
        return ERR_INVALID;
    }
    buf_adds(answer, challenge);
    return ERR_OK;
}

bool whatsapp_signature_ok(const char *secret, size_t secret_size, const char *body, size_t size,
                           const char *signature)
{
    size_t head = strlen(SIGNATURE_HEAD);
    uint8_t ours[SHA256_SIZE];
    uint8_t theirs[SHA256_SIZE];

    if (strncmp(signature, SIGNATURE_HEAD, head) != 0 ||
        !hex_decode(signature + head, strlen(signature + head), theirs, sizeof theirs)) {
        return false;
    }
    hmac_sha256(secret, secret_size, body, size, ours);
    return equal_ct(ours, sizeof ours, theirs, sizeof theirs);
}

/* True if the secret in that field signed the call. */
static bool signed_with(const char *part, const json_t *channel, const char *field,
                        const struct hook_call *call, const char *signature)
{
    struct buf secret;
    bool good = false;

    buf_init(&secret, SECRET_MAX);
    if (channel_secret(part, channel, field, &secret) == ERR_OK && secret.len > 0) {
        good = whatsapp_signature_ok(secret.data, secret.len, call->body, call->body_size, signature);
        wipe(secret.data, secret.len);
    }
    buf_fini(&secret);
    return good;
}

enum err whatsapp_verify(const char *part, const json_t *channel, const struct hook_call *call)
{
    const char *signature = call->header("X-Hub-Signature-256", call->arg);

    if (signature == NULL) {
        return ERR_DENIED;
    }
    bool good = signed_with(part, channel, "app_secret", call, signature) ||
                signed_with(part, channel, "app_secret_previous", call, signature);
    return good ? ERR_OK : ERR_DENIED;
}
