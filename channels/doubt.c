/* doubt.c: how long a send whose outcome is unknown waits for word of it.
 *
 * The wait exists for the platform's status, so it must not run while no status can come in or be read:
 *
 *  - It is counted by the monotonic clock of one run of the process. A doubt that another run left (it was
 *    killed around the call) is dated anew when this run first looks at it; the time between the runs, when
 *    nobody took statuses, does not count, and neither does a jump of the wall clock.
 *  - A status may have been taken in and not yet applied, the machine being slow or the backlog long. Hooks
 *    keep the order of arrival in each of a channel's lanes; the wait goes on while one of them still holds
 *    what came before the wait's end.
 *
 * An attempt is {"count", "started_at", "run", "since"}: started_at is its mark, since the moment from which
 * the wait counts, by the clock of that run. */
#include <pthread.h>
#include <string.h>

#include "channels/channels_int.h"

#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/option.h"

static int64_t run;

static void run_draw(void)
{
    run = (int64_t)random_below(UINT64_C(1) << 53); /* exact in anything that reads JSON */
}

/* The number of this run of the process. */
static int64_t this_run(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    CHECK(pthread_once(&once, run_draw) == 0);
    return run;
}

bool doubt_is(const json_t *message)
{
    return jx_int(jx_obj(message, "attempt"), "started_at", 0) > 0;
}

bool doubt_is_dated(const json_t *message)
{
    return jx_int(jx_obj(message, "attempt"), "run", -1) == this_run();
}

void doubt_date(json_t *message)
{
    json_t *attempt = jx_obj(message, "attempt");

    jx_set_int(attempt, "run", this_run());
    jx_set_int(attempt, "since", clock_mono_ms());
}

int64_t doubt_left(struct store *store, const char *part, const json_t *message)
{
    int64_t waited = clock_mono_ms() - jx_int(jx_obj(message, "attempt"), "since", 0);
    int64_t grace = option_int(OPT_DOUBT_GRACE);

    CHECK(doubt_is_dated(message));
    if (waited < grace) {
        return grace - waited;
    }
    int64_t ended_wall = clock_wall_ms() - (waited - grace);
    return hook_waits(store, part, jx_str_or(message, "channel_id", "-"), ended_wall) ? DOUBT_LOOK_MS : 0;
}
