/* pace.c: token buckets, so that the platform's limits are kept and not run into: one for each number, one
 * for each number and customer.
 *
 * A number whose platform asks for patience (a limit of the number or the account, usage near a limit) is
 * held as a whole until a moment. The buckets live in memory: after a restart they are full, and the
 * platform's own refusal (which is waited out) is the second line. A bucket that is full again is the same as
 * none, so the table is bounded: when it is full of buckets, full ones are thrown out, and if there are none,
 * the newcomer is let through. Source of the figures: Meta's "Throughput" (80 a second by default) and "Pair
 * rate limits" (1 in 6 s, bursts of 45). One lock; held for a look-up. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"

#include "queue/base/codec.h"
#include "queue/base/option.h"

#define PAIR_REFILL_MS 6000
#define USUAL_RATE     80    /* messages a second of a number that was not upgraded */
#define BUCKETS        65536 /* a power of two */
#define PROBES         16

/* A bucket: milli-tokens at a time. */
struct bucket {
    uint64_t key; /* 0: free */
    int64_t milli, at_ms;
    int64_t hold_ms; /* nothing leaves before this moment */
};

static struct {
    pthread_mutex_t lock;
    struct bucket *table;
} pace = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What a bucket holds at most, and how long one token takes. */
struct rate {
    int64_t capacity, refill_us;
};
static const struct rate holder = {1, 1000}; /* of the entries that only hold a channel */

static uint64_t key_of(const char *first, const char *second)
{
    uint64_t high = crc32_of(first, strlen(first)), low = crc32_of(second, strlen(second));
    uint64_t key = high << 32 ^ low * 0x9e3779b97f4a7c15u;

    return key != 0 ? key : 1;
}

/* Brings a bucket to the present. True if it is full. */
static bool refill(struct bucket *bucket, const struct rate *rate, int64_t now_ms)
{
    int64_t gained = (now_ms - bucket->at_ms) * 1000 * 1000 / rate->refill_us;

    if (gained > 0) {
        bucket->milli += gained;
        bucket->at_ms = now_ms;
    }
    if (bucket->milli >= rate->capacity * 1000) {
        bucket->milli = rate->capacity * 1000;
        bucket->at_ms = now_ms;
        return true;
    }
    return false;
}

/* The bucket of a key, a new full one if there is room; NULL if there is none. */
static struct bucket *bucket_of(uint64_t key, const struct rate *rate, int64_t now_ms)
{
    struct bucket *place = NULL;

    for (size_t i = 0; i < PROBES; i++) {
        struct bucket *each = &pace.table[(key + i) & (BUCKETS - 1)];
        if (each->key == key) {
            refill(each, rate, now_ms);
            return each;
        }
        bool free_now = each->key == 0 || (now_ms - each->at_ms > 600000 && each->hold_ms <= now_ms);
        if (place == NULL && free_now) {
            place = each;
        }
    }
    if (place != NULL) {
        *place = (struct bucket){.key = key, .milli = rate->capacity * 1000, .at_ms = now_ms};
    }
    return place;
}

/* How long until a bucket holds a token. */
static int64_t wait_of(const struct bucket *bucket, const struct rate *rate)
{
    if (bucket == NULL || bucket->milli >= 1000) {
        return 0;
    }
    return (1000 - bucket->milli) * rate->refill_us / 1000 / 1000 + 1;
}

/* The table, made at the first call. */
static void table_ready(void)
{
    if (pace.table == NULL) {
        pace.table = xcalloc(BUCKETS, sizeof *pace.table);
    }
}

/* The rate of a number: the option's, or the platform's own where the option is not below the usual one. */
static struct rate number_rate(int64_t per_second)
{
    int64_t option = option_int(OPT_NUMBER_RATE);
    int64_t rate = per_second > 0 && option >= USUAL_RATE && per_second > option ? per_second : option;

    return (struct rate){rate, rate > 0 ? 1000000 / rate : 0};
}

int64_t pace_take_at(const char *channel_id, const char *contact_id, int64_t per_second, int64_t now_ms)
{
    int64_t burst = option_int(OPT_PAIR_BURST);
    struct rate number = number_rate(per_second);
    struct rate pair = {burst, PAIR_REFILL_MS * 1000};

    pthread_mutex_lock(&pace.lock);
    table_ready();
    struct bucket *held = bucket_of(key_of(channel_id, "hold"), &holder, now_ms);
    struct bucket *by_number =
        number.capacity > 0 ? bucket_of(key_of(channel_id, ""), &number, now_ms) : NULL;
    struct bucket *by_pair = burst > 0 ? bucket_of(key_of(channel_id, contact_id), &pair, now_ms) : NULL;
    int64_t first = wait_of(by_number, &number), second = wait_of(by_pair, &pair);
    int64_t third = held != NULL && held->hold_ms > now_ms ? held->hold_ms - now_ms : 0;
    if (first == 0 && second == 0 && third == 0) {
        if (by_number != NULL) {
            by_number->milli -= 1000;
        }
        if (by_pair != NULL) {
            by_pair->milli -= 1000;
        }
    }
    pthread_mutex_unlock(&pace.lock);
    first = first > second ? first : second;
    return first > third ? first : third;
}

int64_t pace_take(const char *channel_id, const char *contact_id, int64_t now_ms)
{
    return pace_take_at(channel_id, contact_id, 0, now_ms);
}

void pace_hold(const char *channel_id, int64_t ms, int64_t now_ms)
{
    pthread_mutex_lock(&pace.lock);
    table_ready();
    struct bucket *held = bucket_of(key_of(channel_id, "hold"), &holder, now_ms);
    if (held != NULL && held->hold_ms < now_ms + ms) {
        held->hold_ms = now_ms + ms;
    }
    pthread_mutex_unlock(&pace.lock);
}

void pace_release(const char *channel_id)
{
    pthread_mutex_lock(&pace.lock);
    table_ready();
    struct bucket *held = bucket_of(key_of(channel_id, "hold"), &holder, 0);
    if (held != NULL) {
        held->hold_ms = 0;
    }
    pthread_mutex_unlock(&pace.lock);
}

void pace_reset(void)
{
    pthread_mutex_lock(&pace.lock);
    free(pace.table);
    pace.table = NULL;
    pthread_mutex_unlock(&pace.lock);
}
