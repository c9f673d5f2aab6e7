/* crypto.h: the few primitives we use, all of OpenSSL: SHA-256, HMAC-SHA256, AES-256-GCM, random, compare.
 *
 * The MAC and cipher implementations are fetched once and keyed contexts are kept per thread (measured
 * 2.2 times cheaper than fetching for each call). Thread: any. */
#ifndef CHASQUI_BASE_CRYPTO_H
#define CHASQUI_BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/buf.h"
#include "queue/base/error.h"

#define SHA256_SIZE 32

void sha256(const void *data, size_t size, uint8_t out[SHA256_SIZE]);
/* out: 65 bytes of lower-case hex. */
void sha256_hex(const void *data, size_t size, char out[65]);
/* Piece by piece, for files. sha256_end gives the sum and frees. */
struct sha256_sum;
struct sha256_sum *sha256_begin(void);
void sha256_add(struct sha256_sum *sum, const void *data, size_t size);
void sha256_end(struct sha256_sum *sum, uint8_t out[SHA256_SIZE]);
void hmac_sha256(const void *key, size_t key_size, const void *data, size_t size, uint8_t out[SHA256_SIZE]);
/* Over two pieces, one behind the other. */
void hmac_sha256_joined(const void *key, size_t key_size, const void *first, size_t first_size,
                        const void *second, size_t second_size, uint8_t out[SHA256_SIZE]);

/* From the system's generator; dies if there is none. */
void random_bytes(void *out, size_t size);
/* Uniform in [0, bound), bound > 0. */
uint64_t random_below(uint64_t bound);

/* Same time whatever the content; false at once when the sizes differ. */
bool equal_ct(const void *a, size_t a_size, const void *b, size_t b_size);
/* Overwrites in a way the compiler keeps. */
void wipe(void *data, size_t size);

/* Secrets at rest: AES-256-GCM under the process's master key, random 12-byte nonce. context is bound in as
 * associated data (account + record id), so a sealed value moved to another record does not open. The text
 * form is "v1." + base64url. */
enum err crypto_master_key_load(const char *path) MUST_CHECK;   /* a 0600 file of 64 hex digits */
enum err crypto_master_key_create(const char *path) MUST_CHECK; /* refuses to overwrite; loads it too */
bool crypto_master_key_ready(void);
enum err seal(const char *context, const char *plain, size_t size, struct buf *out) MUST_CHECK;
/* ERR_DENIED if the value was altered, moved, or sealed under another key. */
enum err unseal(const char *context, const char *sealed, struct buf *out) MUST_CHECK;

#endif
