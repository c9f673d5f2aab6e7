/* seal.c: secrets at rest, and the master key that they are sealed under.
 *
 * A sealed value is "v1." + base64url(nonce 12 | ciphertext | tag 16), AES-256-GCM with the caller's context
 * as associated data. Nonces are random: at 96 bits, a collision becomes likely only after far more seals
 * than one key here will ever see (NIST SP 800-38D section 8.3 allows 2^32). The master key lives in one
 * static place, guarded by a lock because tests and re-keying may load another while threads seal. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "queue/base/crypto.h"

#include "queue/base/codec.h"
#include "queue/base/file.h"

#define KEY_SIZE   32
#define KEY_TEXT   (2 * KEY_SIZE)
#define NONCE_SIZE 12
#define TAG_SIZE   16
#define VERSION    "v1."
#define SEALED_MAX (1 << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t master_key[KEY_SIZE];
static bool ready;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *cipher;

static void cipher_fetch(void)
{
    cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    CHECK(cipher != NULL);
}

/* Copies the master key; the caller wipes it. */
static void key_copy(uint8_t out[KEY_SIZE])
{
    pthread_mutex_lock(&lock);
    bool have = ready;
    memcpy(out, master_key, KEY_SIZE);
    pthread_mutex_unlock(&lock);
    CHECK(have);
}

static void key_set(const uint8_t key[KEY_SIZE])
{
    pthread_mutex_lock(&lock);
    memcpy(master_key, key, KEY_SIZE);
    ready = true;
    pthread_mutex_unlock(&lock);
}

bool crypto_master_key_ready(void)
{
    pthread_mutex_lock(&lock);
    bool have = ready;
    pthread_mutex_unlock(&lock);
    return have;
}

/* Reads at most size bytes of an open file. */
static enum err read_some(int fd, char *out, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = read(fd, out + *got, size - *got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_from_errno(errno);
        }
        if (n == 0) {
            return ERR_OK;
        }
        *got += (size_t)n;
    }
    return ERR_OK;
}

/* Reads the key text of an open file that only its owner may read. */
static enum err read_key(int fd, uint8_t key[KEY_SIZE])
{
    char text[KEY_TEXT + 2];
    struct stat st;
    size_t len;

    if (fstat(fd, &st) != 0) {
        return err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
        return ERR_DENIED;
    }
    enum err rc = read_some(fd, text, sizeof text, &len);
    if (rc != ERR_OK) {
        return rc;
    }
    if (len == KEY_TEXT + 1 && text[KEY_TEXT] == '\n') {
        len--;
    }
    rc = hex_decode(text, len, key, KEY_SIZE) ? ERR_OK : ERR_INVALID;
    wipe(text, sizeof text);
    return rc;
}

/* ERR_NOTFOUND without the file, ERR_DENIED if others may read it, ERR_INVALID if it holds no key. */
enum err crypto_master_key_load(const char *path)
{
    uint8_t key[KEY_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return err_from_errno(errno);
    }
    enum err rc = read_key(fd, key);
    close(fd);
    if (rc == ERR_OK) {
        key_set(key);
    }
    wipe(key, sizeof key);
    return rc;
}

/* Syncs the folder that holds path, so that the new name survives a power cut. */
static enum err parent_sync(const char *path)
{
    char *copy = xstrdup(path);
    enum err rc = folder_sync(dirname(copy));

    free(copy);
    return rc;
}

/* Writes a fresh key's text to an open file, down to the disk. */
static enum err write_key(int fd)
{
    uint8_t key[KEY_SIZE];
    char text[KEY_TEXT + 2];

    random_bytes(key, sizeof key);
    hex_encode(key, sizeof key, text);
    text[KEY_TEXT] = '\n';
    errno = EIO; /* what a short write means here */
    bool good = write(fd, text, KEY_TEXT + 1) == KEY_TEXT + 1 && fsync(fd) == 0;
    enum err rc = good ? ERR_OK : err_from_errno(errno);
    wipe(key, sizeof key);
    wipe(text, sizeof text);
    return rc;
}

/* Writes beside the path and links it into place: the name shows a whole key or none, and link never
 * overwrites. ERR_CONFLICT if the path exists. */
enum err crypto_master_key_create(const char *path)
{
    char *draft = xasprintf("%s.XXXXXX", path);
    int fd = mkostemp(draft, O_CLOEXEC);
    enum err rc;

    if (fd < 0) {
        rc = err_from_errno(errno);
        free(draft);
        return rc;
    }
    rc = write_key(fd);
    close(fd);
    if (rc == ERR_OK && link(draft, path) != 0) {
        rc = err_from_errno(errno);
    }
    unlink(draft);
    free(draft);
    if (rc == ERR_OK) {
        rc = parent_sync(path);
    }
    return rc == ERR_OK ? crypto_master_key_load(path) : rc;
}

/* A context keyed for one direction, with the associated data taken in. The caller frees it. */
static EVP_CIPHER_CTX *cipher_start(const char *context, const uint8_t *nonce, int encrypt)
{
    uint8_t key[KEY_SIZE];
    int len;

    CHECK(pthread_once(&once, cipher_fetch) == 0);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    CHECK(ctx != NULL);
    key_copy(key);
    CHECK(EVP_CipherInit_ex2(ctx, cipher, key, nonce, encrypt, NULL) == 1);
    wipe(key, sizeof key);
    CHECK(EVP_CipherUpdate(ctx, NULL, &len, (const uint8_t *)context, (int)strlen(context)) == 1);
    return ctx;
}

/* Adds the sealed text of size bytes; ERR_LIMIT if they are more than 1 MiB or out has no room. */
enum err seal(const char *context, const char *plain, size_t size, struct buf *out)
{
    int len = 0, rest = 0;

    if (size > SEALED_MAX) {
        return ERR_LIMIT;
    }
    size_t total = NONCE_SIZE + size + TAG_SIZE;
    uint8_t *box = xmalloc(total);
    random_bytes(box, NONCE_SIZE);
    EVP_CIPHER_CTX *ctx = cipher_start(context, box, 1);
    CHECK(EVP_CipherUpdate(ctx, box + NONCE_SIZE, &len, (const uint8_t *)plain, (int)size) == 1);
    CHECK(EVP_CipherFinal_ex(ctx, box + NONCE_SIZE + len, &rest) == 1);
    CHECK((size_t)len + (size_t)rest == size);
    CHECK(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, box + NONCE_SIZE + size) == 1);
    EVP_CIPHER_CTX_free(ctx);

    buf_adds(out, VERSION);
    base64url_encode(out, box, total);
    free(box);
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

/* Opens nonce, ciphertext and tag into plain, which has room for size bytes. */
static bool box_open(const char *context, const uint8_t *box, size_t size, uint8_t *plain)
{
    uint8_t tag[TAG_SIZE];
    int len = 0, rest = 0;
    EVP_CIPHER_CTX *ctx = cipher_start(context, box, 0);

    memcpy(tag, box + NONCE_SIZE + size, TAG_SIZE);
    CHECK(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1);
    bool good = EVP_CipherUpdate(ctx, plain, &len, box + NONCE_SIZE, (int)size) == 1 &&
                EVP_CipherFinal_ex(ctx, plain + len, &rest) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* Adds the plain bytes; every way in which a text is not what seal wrote is the same ERR_DENIED. */
enum err unseal(const char *context, const char *sealed, struct buf *out)
{
    struct buf box;
    size_t prefix = strlen(VERSION);
    enum err rc = ERR_DENIED;

    if (strncmp(sealed, VERSION, prefix) != 0) {
        return rc;
    }
    buf_init(&box, SEALED_MAX + NONCE_SIZE + TAG_SIZE);
    if (base64url_decode(&box, sealed + prefix, strlen(sealed + prefix)) &&
        box.len >= NONCE_SIZE + TAG_SIZE) {
        size_t size = box.len - NONCE_SIZE - TAG_SIZE;
        uint8_t *plain = xmalloc(size);
        if (box_open(context, (const uint8_t *)box.data, size, plain)) {
            buf_add(out, plain, size);
            rc = buf_ok(out) ? ERR_OK : ERR_LIMIT;
        }
        wipe(plain, size);
        free(plain);
    }
    buf_fini(&box);
    return rc;
}
