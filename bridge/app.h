/* app.h: the running daemon's parts, handed to routes and commands. Owner: serve.c, which opens and closes them in
 * order. Fields do not change while requests run, but for draining. */
#ifndef CHASQUI_BRIDGE_APP_H
#define CHASQUI_BRIDGE_APP_H

#include <stdatomic.h>
#include <stdint.h>

#include "queue/base/error.h"

struct http_config;
struct http_server;
struct kb;
struct store;
struct workers;

struct app {
    struct store *store;
    struct kb *kb;
    struct workers *workers;
    struct http_server *http;
    const char *data_dir;
    char public_url[256]; /* without a trailing slash; option http.public_url or the first listener's */
    int64_t started_ms;   /* wall time */
    atomic_bool draining; /* readyz says 503, platform hooks get 503 */
};

/* api/api.c: sets the front's callbacks; the app must outlive the server. */
void api_attach(struct http_config *config, struct app *app);
/* webhooks/deliver.c: the QUEUE_DELIVER handler. */
void webhooks_register(struct workers *workers);
struct job;
/* windows.c: one look at the windows that are about to end; ends the job. */
#define WINDOWS_LANE "windows"
#define ORPHANS_LANE "orphans"
#define CALIBRATE_LANE "calibrate"
void windows_run(struct job *job);
/* calibrate.c: fits confidence to feedback, account by account; ends the job. */
void calibrate_run(struct job *job);
/* orphans.c: the lane of blobs that no record names; and one sweep of them, with the number that went. */
void orphans_run(struct job *job);
enum err orphans_sweep(struct store *store, unsigned *removed) MUST_CHECK;

/* sweep.c: retention: the QUEUE_SWEEP handler, which puts itself off until its next run; ensure pushes the one job if no
 * start before has (blocks; before the loops run). */
void sweep_register(struct workers *workers);
enum err sweep_ensure(struct store *store) MUST_CHECK;

/* The chain of each partition's audit log (changes_put_chained). */
#define AUDIT_STREAM "audit"

#endif
