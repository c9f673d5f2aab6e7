/* breaker.c: leaves a model server alone for a while that fails again and again. */
#include <pthread.h>
#include <string.h>

#include "agent/model/breaker.h"

#include "queue/base/buf.h"
#include "queue/base/crypto.h"
#include "queue/base/log.h"

#define SLOTS 256

struct slot {
    uint8_t key[SHA256_SIZE];
    unsigned failures; /* in a row; 0: the slot is free */
    int64_t first_ms;  /* the first of them */
    int64_t until_ms;  /* nobody asks before; 0: closed */
};

/* Only servers that fail have a slot; one that falls out has to fail anew. */
static struct {
    pthread_mutex_t lock;
    unsigned next;
    struct slot slots[SLOTS];
} board = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void key_of(const char *base_url, const char *model, uint8_t out[SHA256_SIZE])
{
    struct buf text;

    buf_init(&text, 8192);
    buf_addf(&text, "%s\n%s", base_url, model);
    sha256(buf_str(&text), text.len, out);
    buf_fini(&text);
}

/* The slot of a key, NULL if it has none. The lock is held. */
static struct slot *slot_of_locked(const uint8_t key[SHA256_SIZE])
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (board.slots[i].failures > 0 && memcmp(board.slots[i].key, key, SHA256_SIZE) == 0) {
            return &board.slots[i];
        }
    }
    return NULL;
}

bool breaker_allows(const char *base_url, const char *model, int64_t now_ms)
{
    uint8_t key[SHA256_SIZE];
    bool allowed = true;

    key_of(base_url, model, key);
    pthread_mutex_lock(&board.lock);
    struct slot *slot = slot_of_locked(key);
    if (slot != NULL && slot->until_ms > 0) {
        allowed = now_ms >= slot->until_ms;
        slot->until_ms = allowed ? now_ms + BREAKER_OPEN_MS : slot->until_ms;
    }
    pthread_mutex_unlock(&board.lock);
    return allowed;
}

/* One more failure. The lock is held. True if that opened the breaker. */
static bool fail_locked(const uint8_t key[SHA256_SIZE], int64_t now_ms)
{
    struct slot *slot = slot_of_locked(key);

    if (slot == NULL) {
        slot = &board.slots[board.next++ % SLOTS];
        memset(slot, 0, sizeof *slot);
        memcpy(slot->key, key, SHA256_SIZE);
    }
    if (slot->failures == 0 || (slot->until_ms == 0 && now_ms - slot->first_ms > BREAKER_WINDOW_MS)) {
        slot->failures = 0;
        slot->first_ms = now_ms;
    }
    slot->failures++;
    if (slot->failures < BREAKER_FAILURES) {
        return false;
    }
    bool news = slot->until_ms == 0;
    slot->until_ms = now_ms + BREAKER_OPEN_MS;
    return news;
}

void breaker_note(const char *base_url, const char *model, enum model_class class, int64_t now_ms)
{
    uint8_t key[SHA256_SIZE];
    bool failed = class == MODEL_SERVER || class == MODEL_OVERLOADED || class == MODEL_TIMEOUT;
    bool opened = false, closed = false;

    if (class == MODEL_CANCELLED || class == MODEL_UNAVAILABLE || class == MODEL_BUDGET) {
        return;
    }
    key_of(base_url, model, key);
    pthread_mutex_lock(&board.lock);
    if (failed) {
        opened = fail_locked(key, now_ms);
    } else {
        struct slot *slot = slot_of_locked(key);
        closed = slot != NULL && slot->until_ms > 0;
        if (slot != NULL) {
            memset(slot, 0, sizeof *slot);
        }
    }
    pthread_mutex_unlock(&board.lock);
    if (opened || closed) {
        log_warn(opened ? "model.breaker_open" : "model.breaker_closed", "model=%s", log_quote(model));
    }
}

void breaker_reset(void)
{
    pthread_mutex_lock(&board.lock);
    memset(board.slots, 0, sizeof board.slots);
    pthread_mutex_unlock(&board.lock);
}
