/* killpoint.c: counts down to the place that the environment names. Empty in a build without the hook. */
#include "queue/base/killpoint.h"

#ifdef CHASQUI_KILL_POINTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char wanted[64]; /* empty: none */
static atomic_long left;

/* A child has an environment of its own. */
static void forget_wish(void)
{
    static const pthread_once_t fresh = PTHREAD_ONCE_INIT;

    once = fresh;
    wanted[0] = '\0';
}

/* Takes TEST_KILL_POINT=name:count apart; anything else is no wish at all. */
static void read_wish(void)
{
    const char *text = getenv("TEST_KILL_POINT");
    const char *colon = text != NULL ? strchr(text, ':') : NULL;

    (void)pthread_atfork(NULL, NULL, forget_wish);
    if (colon != NULL && (size_t)(colon - text) < sizeof wanted) {
        memcpy(wanted, text, (size_t)(colon - text));
        atomic_store(&left, strtol(colon + 1, NULL, 10));
    }
}

void kill_point(const char *name)
{
    pthread_once(&once, read_wish);
    if (wanted[0] != '\0' && strcmp(wanted, name) == 0 && atomic_fetch_sub(&left, 1) == 1) {
        (void)raise(SIGKILL);
    }
}

#endif
