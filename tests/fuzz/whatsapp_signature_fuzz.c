/* whatsapp_signature_fuzz.c: the signature field of a post. Input: the field's value, a line feed, the body.
 *
 * True exactly for "sha256=" and the 64 hex digits of the body's HMAC, in either case of the digits. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "channels/whatsapp/whatsapp.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "tests/fuzz/fuzz.h"

#define SECRET "an app secret"

void fuzz_one(const char *data, size_t size)
{
    char good[7 + 2 * SHA256_SIZE + 1] = "sha256=";
    uint8_t mac[SHA256_SIZE];
    char *field = fuzz_line(&data, &size);

    hmac_sha256(SECRET, strlen(SECRET), data, size, mac);
    hex_encode(mac, sizeof mac, good + 7);
    bool want = strncmp(field, "sha256=", 7) == 0 && strcasecmp(field, good) == 0;
    CHECK(whatsapp_signature_ok(SECRET, strlen(SECRET), data, size, field) == want);
    CHECK(whatsapp_signature_ok(SECRET, strlen(SECRET), data, size, good));
    size_t at = fuzz_pick(data, size, 1, strlen(good));
    good[at] = (char)(good[at] ^ 1);
    CHECK(!whatsapp_signature_ok(SECRET, strlen(SECRET), data, size, good));
    free(field);
}
