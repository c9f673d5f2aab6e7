/* dialect.c: what a model server was found not to understand. */
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "agent/model/dialect.h"

#include "queue/base/buf.h"
#include "queue/base/crypto.h"

#define SLOTS 64

/* The newest findings; an old one that falls out is simply found again. */
static struct {
    pthread_mutex_t lock;
    unsigned next;
    struct {
        uint8_t key[SHA256_SIZE];
        unsigned mask;
    } slots[SLOTS];
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const struct {
    const char *param;
    unsigned bit;
} params[] = {
    {"stream_options", DIALECT_NO_STREAM_OPTIONS}, {"temperature", DIALECT_NO_TEMPERATURE},
    {"max_tokens", DIALECT_COMPLETION_TOKENS},     {"max_completion_tokens", DIALECT_NO_TOKEN_LIMIT},
    {"response_format", DIALECT_NO_SCHEMA},
};

/* The name under which a server and model are remembered. */
static void key_of(const char *base_url, const char *model, uint8_t out[SHA256_SIZE])
{
    struct buf text;

    buf_init(&text, 8192);
    buf_addf(&text, "%s\n%s", base_url, model);
    sha256(buf_str(&text), text.len, out);
    buf_fini(&text);
}

/* The slot of a key, SLOTS if there is none. The lock is held. */
static unsigned slot_of_locked(const uint8_t key[SHA256_SIZE])
{
    unsigned i = 0;

    while (i < SLOTS && (known.slots[i].mask == 0 || memcmp(known.slots[i].key, key, SHA256_SIZE) != 0)) {
        i++;
    }
    return i;
}

unsigned dialect_get(const char *base_url, const char *model)
{
    uint8_t key[SHA256_SIZE];

    key_of(base_url, model, key);
    pthread_mutex_lock(&known.lock);
    unsigned slot = slot_of_locked(key);
    unsigned mask = slot < SLOTS ? known.slots[slot].mask : 0;
    pthread_mutex_unlock(&known.lock);
    return mask;
}

bool dialect_learn(const char *base_url, const char *model, const char *param)
{
    uint8_t key[SHA256_SIZE];
    unsigned bit = 0;

    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        bit = strcmp(params[i].param, param) == 0 ? params[i].bit : bit;
    }
    if (bit == 0) {
        return false;
    }
    key_of(base_url, model, key);
    pthread_mutex_lock(&known.lock);
    unsigned slot = slot_of_locked(key);
    if (slot == SLOTS) {
        slot = known.next++ % SLOTS;
        memcpy(known.slots[slot].key, key, SHA256_SIZE);
        known.slots[slot].mask = 0;
    }
    bool news = (known.slots[slot].mask & bit) == 0;
    known.slots[slot].mask |= bit;
    pthread_mutex_unlock(&known.lock);
    return news;
}

void dialect_reset(void)
{
    pthread_mutex_lock(&known.lock);
    memset(known.slots, 0, sizeof known.slots);
    pthread_mutex_unlock(&known.lock);
}
