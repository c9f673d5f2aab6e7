/* id.c: ULIDs (48 bits of wall time, 80 random bits, Crockford's base 32) behind a prefix.
 *
 * Invariant: each id of this process is greater than the one before. Inside one millisecond, and while the
 * clock stands behind the last id, the random part is counted up by one; should it run over, the time part
 * moves ahead by a millisecond. One lock guards the last id. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "queue/base/id.h"

#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/error.h"

#define ULID_LEN 26
#define TIME_LEN 10
#define TIME_MAX ((INT64_C(1) << 48) - 1)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int64_t time_ms;
    uint64_t high; /* 40 random bits */
    uint64_t low;  /* 40 random bits */
} last = {.time_ms = -1};

#define HALF_MASK ((UINT64_C(1) << 40) - 1)

/* Writes value as n base 32 digits, most significant first. */
static void put_digits(uint64_t value, char *out, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        out[i] = alphabet[value & 31];
        value >>= 5;
    }
}

/* The place of c in the alphabet, or -1. */
static int digit_of(char c)
{
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

    return at != NULL ? (int)(at - alphabet) : -1;
}

/* Fills the random half of a new millisecond. */
static void fresh_locked(int64_t now)
{
    uint64_t bits[2];

    random_bytes(bits, sizeof bits);
    last.time_ms = now;
    last.high = bits[0] & HALF_MASK;
    last.low = bits[1] & HALF_MASK;
}

/* Moves last to the next id. */
static void step_locked(int64_t now)
{
    if (now > last.time_ms) {
        fresh_locked(now);
        return;
    }
    last.low = (last.low + 1) & HALF_MASK;
    if (last.low == 0) {
        last.high = (last.high + 1) & HALF_MASK;
        if (last.high == 0) {
            last.time_ms++;
        }
    }
}

struct id id_new(const char *prefix)
{
    struct id id;
    size_t size = strlen(prefix);

    CHECK(size > 0 && size + 1 + ULID_LEN < ID_SIZE);
    memcpy(id.text, prefix, size);
    id.text[size] = '_';
    char *at = id.text + size + 1;

    pthread_mutex_lock(&lock);
    int64_t now = clock_wall_ms();
    step_locked(now > 0 ? now : 0);
    put_digits((uint64_t)last.time_ms, at, TIME_LEN);
    put_digits(last.high, at + TIME_LEN, 8);
    put_digits(last.low, at + TIME_LEN + 8, 8);
    pthread_mutex_unlock(&lock);

    at[ULID_LEN] = '\0';
    return id;
}

/* True if text is a ULID; the first digit cannot exceed 7, or the time would not fit 48 bits. */
static bool is_ulid(const char *text)
{
    for (int i = 0; i < ULID_LEN; i++) {
        if (digit_of(text[i]) < 0) {
            return false;
        }
    }
    return text[ULID_LEN] == '\0' && text[0] <= '7';
}

bool id_is(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);

    return text != NULL && strncmp(text, prefix, size) == 0 && text[size] == '_' && is_ulid(text + size + 1);
}

int64_t id_time_ms(const char *text)
{
    const char *ulid = text != NULL ? strrchr(text, '_') : NULL;
    int64_t ms = 0;

    if (ulid == NULL || !is_ulid(ulid + 1)) {
        return -1;
    }
    for (int i = 1; i <= TIME_LEN; i++) {
        ms = ms * 32 + digit_of(ulid[i]);
    }
    return ms;
}

void id_floor(int64_t wall_ms, char out[27])
{
    int64_t ms = wall_ms < 0 ? 0 : wall_ms > TIME_MAX ? TIME_MAX : wall_ms;

    put_digits((uint64_t)ms, out, TIME_LEN);
    memset(out + TIME_LEN, '0', ULID_LEN - TIME_LEN);
    out[ULID_LEN] = '\0';
}
