/* sealed.c: sealed values that were opened, kept at hand.
 *
 * Each post of a platform is checked against its channel's secret, thousands of times a second, and opening
 * the sealed value costs more than the check. A sealed value is never given twice (its nonce is random), so
 * a slot that holds the same sealed text and the same context is the same secret: nothing has to be
 * invalidated, and a secret that was changed or deleted is not found by anybody's new text. What is long is
 * opened each time. */
#include <pthread.h>
#include <string.h>

#include "channels/channels_int.h"

#include "queue/base/crypto.h"

#define SLOTS       64
#define SEALED_KEPT 512
#define PLAIN_KEPT  256
#define CONTEXT_MAX 160

struct slot {
    char sealed[SEALED_KEPT]; /* "": empty */
    char context[CONTEXT_MAX];
    char plain[PLAIN_KEPT];
    size_t size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[SLOTS];

unsigned slot_number(const char *text, size_t size)
{
    uint64_t end = size;

    memcpy(&end, size > sizeof end ? text + size - sizeof end : text, size > sizeof end ? sizeof end : size);
    return (unsigned)(end * 0x9e3779b97f4a7c15U >> 32);
}

/* Where the sealed text would be kept; NULL if it is too long for that. */
static struct slot *slot_of(const char *context, const char *sealed)
{
    size_t size = strnlen(sealed, SEALED_KEPT);

    if (size == SEALED_KEPT || strnlen(context, CONTEXT_MAX) == CONTEXT_MAX) {
        return NULL;
    }
    return &slots[slot_number(sealed, size) % SLOTS];
}

/* Adds what is kept of the sealed text to out; false if nothing is. */
static bool recall(const char *context, const char *sealed, struct buf *out)
{
    struct slot *slot = slot_of(context, sealed);
    bool known = false;

    if (slot == NULL) {
        return false;
    }
    pthread_mutex_lock(&lock);
    if (strcmp(slot->sealed, sealed) == 0 && strcmp(slot->context, context) == 0) {
        known = true;
        buf_add(out, slot->plain, slot->size);
    }
    pthread_mutex_unlock(&lock);
    return known;
}

static void keep(const char *context, const char *sealed, const char *plain, size_t size)
{
    struct slot *slot = slot_of(context, sealed);

    if (slot == NULL || size > PLAIN_KEPT) {
        return;
    }
    pthread_mutex_lock(&lock);
    wipe(slot, sizeof *slot);
    memcpy(slot->sealed, sealed, strlen(sealed) + 1);
    memcpy(slot->context, context, strlen(context) + 1);
    memcpy(slot->plain, plain, size);
    slot->size = size;
    pthread_mutex_unlock(&lock);
}

enum err sealed_open(const char *context, const char *sealed, struct buf *out)
{
    size_t before = out->len;

    if (recall(context, sealed, out)) {
        return buf_ok(out) ? ERR_OK : ERR_LIMIT;
    }
    enum err rc = unseal(context, sealed, out);
    if (rc == ERR_OK) {
        keep(context, sealed, buf_str(out) + before, out->len - before);
    }
    return rc;
}
