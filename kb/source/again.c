/* again.c: see again.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kb/source/again.h"
#include "queue/base/crypto.h"

bool again_worth(enum httpc_outcome outcome, long status)
{
    switch (outcome) {
    case HTTPC_ANSWERED:
        return status == 408 || status == 425 || status == 429 ||
               (status >= 500 && status != 501 && status != 505);
    case HTTPC_UNREACHED:
    case HTTPC_BROKEN:
    case HTTPC_TIMEOUT:
    case HTTPC_CANCELLED:
        return true;
    case HTTPC_BLOCKED:
    case HTTPC_TOO_LARGE:
        break;
    }
    return false;
}

int64_t again_asked_ms(const char *retry_after, int64_t now_ms)
{
    struct tm tm = {0};
    char *end;

    if (retry_after[0] >= '0' && retry_after[0] <= '9') {
        long long seconds = strtoll(retry_after, &end, 10);
        return *end != '\0' ? 0 : seconds < AGAIN_WAIT_MS / 1000 ? seconds * 1000 : AGAIN_WAIT_MS;
    }
    const char *rest = strptime(retry_after, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (rest == NULL || *rest != '\0') {
        return 0;
    }
    int64_t wait = (int64_t)timegm(&tm) * 1000 - now_ms;
    return wait < 0 ? 0 : wait < AGAIN_WAIT_MS ? wait : AGAIN_WAIT_MS;
}

bool again_wait(unsigned attempt, int64_t first_ms, int64_t asked_ms, int64_t *wait_ms)
{
    static const int64_t TIMES[AGAIN_MOST - 1] = {1, 4, 20};

    if (attempt == 0 || attempt >= AGAIN_MOST) {
        return false;
    }
    int64_t wait = first_ms * TIMES[attempt - 1] * (int64_t)(800 + random_below(401)) / 1000;
    wait = wait > asked_ms ? wait : asked_ms;
    *wait_ms = wait < AGAIN_WAIT_MS ? wait : AGAIN_WAIT_MS;
    return true;
}
