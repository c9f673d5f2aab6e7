/* crypto.c: hashing, authentication codes, randomness and comparison, all of OpenSSL 3.
 *
 * Fetching an algorithm takes locks and walks the providers' tables, so it happens once for the process.
 * Each thread keeps its own contexts, made at first use and freed by the thread-specific destructor when
 * the thread ends; a context is never shared, so nothing here needs a lock. A failing primitive is a broken
 * installation, not an input, hence CHECK. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "queue/base/crypto.h"

#include "queue/base/codec.h"

#define KEY_KEPT 128 /* a longer key is set up each time */

#define MACS 2 /* an event is signed with two keys, then the next one with the same */

/* A code's context and the key that it is set up with. */
struct mac {
    EVP_MAC_CTX *context;
    uint8_t key[KEY_KEPT];
    size_t key_size;
    bool keyed;
};

/* What one thread keeps. */
struct contexts {
    EVP_MD_CTX *digest;
    struct mac macs[MACS];
    unsigned newest; /* of macs: used last */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key_contexts;
static EVP_MD *digest_sha256;
static EVP_MAC *mac_hmac;
static _Thread_local struct contexts *mine;

/* Frees the contexts of a thread that ends. */
static void contexts_free(void *arg)
{
    struct contexts *c = arg;

    EVP_MD_CTX_free(c->digest);
    for (unsigned i = 0; i < MACS; i++) {
        EVP_MAC_CTX_free(c->macs[i].context);
        OPENSSL_cleanse(c->macs[i].key, sizeof c->macs[i].key);
    }
    free(c);
    mine = NULL;
}

static void fetch_all(void)
{
    digest_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    mac_hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    CHECK(digest_sha256 != NULL && mac_hmac != NULL);
    CHECK(pthread_key_create(&key_contexts, contexts_free) == 0);
}

/* The calling thread's contexts, made at its first call. */
static struct contexts *contexts(void)
{
    if (mine != NULL) {
        return mine;
    }
    CHECK(pthread_once(&once, fetch_all) == 0);

    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    struct contexts *c = xcalloc(1, sizeof *c);
    c->digest = EVP_MD_CTX_new();
    CHECK(c->digest != NULL);
    for (unsigned i = 0; i < MACS; i++) {
        c->macs[i].context = EVP_MAC_CTX_new(mac_hmac);
        CHECK(c->macs[i].context != NULL);
        CHECK(EVP_MAC_CTX_set_params(c->macs[i].context, params) == 1);
    }
    CHECK(pthread_setspecific(key_contexts, c) == 0);
    mine = c;
    return c;
}

void sha256(const void *data, size_t size, uint8_t out[SHA256_SIZE])
{
    struct contexts *c = contexts();
    unsigned len = 0;

    CHECK(EVP_DigestInit_ex2(c->digest, digest_sha256, NULL) == 1);
    CHECK(EVP_DigestUpdate(c->digest, data, size) == 1);
    CHECK(EVP_DigestFinal_ex(c->digest, out, &len) == 1 && len == SHA256_SIZE);
}

struct sha256_sum {
    EVP_MD_CTX *context;
};

struct sha256_sum *sha256_begin(void)
{
    struct sha256_sum *sum = xcalloc(1, sizeof *sum);

    (void)contexts(); /* fetches the digest */
    sum->context = EVP_MD_CTX_new();
    CHECK(sum->context != NULL && EVP_DigestInit_ex2(sum->context, digest_sha256, NULL) == 1);
    return sum;
}

void sha256_add(struct sha256_sum *sum, const void *data, size_t size)
{
    CHECK(EVP_DigestUpdate(sum->context, data, size) == 1);
}

void sha256_end(struct sha256_sum *sum, uint8_t out[SHA256_SIZE])
{
    unsigned len = 0;

    CHECK(EVP_DigestFinal_ex(sum->context, out, &len) == 1 && len == SHA256_SIZE);
    EVP_MD_CTX_free(sum->context);
    free(sum);
}

void sha256_hex(const void *data, size_t size, char out[65])
{
    uint8_t sum[SHA256_SIZE];

    sha256(data, size, sum);
    hex_encode(sum, sizeof sum, out);
}

/* Begins a code with the key. One that is set up already saves its two blocks, else the context that was used
 * before the last one takes it. An empty key is given as a pointer to nothing, since NULL means the key
 * before.
 */
static EVP_MAC_CTX *mac_begin(struct contexts *c, const void *key, size_t key_size)
{
    for (unsigned i = 0; i < MACS; i++) {
        struct mac *mac = &c->macs[i];
        if (mac->keyed && equal_ct(mac->key, mac->key_size, key, key_size)) {
            CHECK(EVP_MAC_init(mac->context, NULL, 0, NULL) == 1);
            c->newest = i;
            return mac->context;
        }
    }
    c->newest = (c->newest + 1) % MACS;
    struct mac *mac = &c->macs[c->newest];
    CHECK(EVP_MAC_init(mac->context, key_size > 0 ? key : "", key_size, NULL) == 1);
    mac->keyed = key_size > 0 && key_size <= sizeof mac->key;
    if (mac->keyed) {
        memcpy(mac->key, key, key_size);
        mac->key_size = key_size;
    }
    return mac->context;
}

void hmac_sha256(const void *key, size_t key_size, const void *data, size_t size, uint8_t out[SHA256_SIZE])
{
    hmac_sha256_joined(key, key_size, "", 0, data, size, out);
}

/* RFC 2104. */
void hmac_sha256_joined(const void *key, size_t key_size, const void *first, size_t first_size,
                        const void *second, size_t second_size, uint8_t out[SHA256_SIZE])
{
    struct contexts *c = contexts();
    size_t len = 0;

    EVP_MAC_CTX *mac = mac_begin(c, key, key_size);
    CHECK(first_size == 0 || EVP_MAC_update(mac, first, first_size) == 1);
    CHECK(EVP_MAC_update(mac, second, second_size) == 1);
    CHECK(EVP_MAC_final(mac, out, &len, SHA256_SIZE) == 1 && len == SHA256_SIZE);
}

void random_bytes(void *out, size_t size)
{
    uint8_t *at = out;

    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0) {
            CHECK(errno == EINTR);
            continue;
        }
        at += got;
        size -= (size_t)got;
    }
}

/* Draws again while the value falls into the uneven rest of the 64-bit range. */
uint64_t random_below(uint64_t bound)
{
    uint64_t value;

    CHECK(bound > 0);
    uint64_t uneven = (UINT64_MAX - bound + 1) % bound;
    do {
        random_bytes(&value, sizeof value);
    } while (value < uneven);
    return value % bound;
}

bool equal_ct(const void *a, size_t a_size, const void *b, size_t b_size)
{
    return a_size == b_size && CRYPTO_memcmp(a, b, a_size) == 0;
}

void wipe(void *data, size_t size)
{
    OPENSSL_cleanse(data, size);
}
