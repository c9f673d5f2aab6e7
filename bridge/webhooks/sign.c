/* sign.c: HMAC-SHA256 in the two forms that receivers know. */
#include "bridge/webhooks/sign.h"

#include <inttypes.h>
#include <string.h>

#include "queue/base/codec.h"
#include "queue/base/crypto.h"

#define KEY_LEAST  24
#define KEY_MOST   64
#define NUMBER_MAX 32 /* of a time, with what stands around it */

bool sign_key(const char *secret, uint8_t key[SIGN_KEY_MAX], size_t *key_size)
{
    struct buf bytes;
    bool decoded = false;
    buf_init(&bytes, SIGN_KEY_MAX);
    if (strncmp(secret, "whsec_", 6) == 0) {
        decoded = base64_decode(&bytes, secret + 6, strlen(secret) - 6) && bytes.len >= KEY_LEAST &&
                  bytes.len <= KEY_MOST;
    }
    *key_size = decoded ? bytes.len : strlen(secret);
    memcpy(key, decoded ? bytes.data : secret, *key_size);
    if (bytes.len > 0) {
        wipe(bytes.data, bytes.len);
    }
    buf_fini(&bytes);
    return decoded;
}

void sign_plain(struct buf *out, const char secrets[][SIGN_SECRET_SIZE], unsigned count,
                const struct sign_input *in)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t mac[SHA256_SIZE];
        char hex[2 * SHA256_SIZE + 1];
        hmac_sha256(secrets[i], strlen(secrets[i]), in->body, in->size, mac);
        hex_encode(mac, sizeof(mac), hex);
        buf_adds(out, i == 0 ? "sha256=" : ",sha256=");
        buf_adds(out, hex);
    }
}

void sign_standard(struct buf *out, const char secrets[][SIGN_SECRET_SIZE], unsigned count,
                   const struct sign_input *in)
{
    struct buf before;
    buf_init(&before, strlen(in->id) + NUMBER_MAX);
    buf_addf(&before, "%s.%" PRId64 ".", in->id, in->timestamp_s);
    for (unsigned i = 0; i < count; i++) {
        uint8_t key[SIGN_KEY_MAX], mac[SHA256_SIZE];
        size_t key_size;
        sign_key(secrets[i], key, &key_size);
        hmac_sha256_joined(key, key_size, buf_str(&before), before.len, in->body, in->size, mac);
        wipe(key, sizeof(key));
        buf_adds(out, i == 0 ? "v1," : " v1,");
        base64_encode(out, mac, sizeof(mac));
    }
    buf_fini(&before);
}
