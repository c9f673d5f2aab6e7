/* serve.h: the daemon's life: open, run, drain, close. */
#ifndef CHASQUI_BRIDGE_SERVE_H
#define CHASQUI_BRIDGE_SERVE_H

#define SERVE_READ_ONLY 9
/* Runs until SIGTERM or SIGINT; the options must be loaded. Prints "listening on URL" when requests are taken.
 * Returns the process's exit code: 0 after a clean drain, SERVE_READ_ONLY when the store was read-only for longer than
 * OPT_READ_ONLY_GRACE, 1 when it could not start. */
int serve_run(void);

/* The data directory in force, without a trailing slash: the option, or the user's default place. Never NULL. */
const char *serve_data_dir(void);
/* A path below it; the caller frees. */
char *serve_path(const char *name);

#endif
