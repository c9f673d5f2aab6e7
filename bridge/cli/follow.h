/* follow.h: the account's events as they happen, for commands that stay: one event stream that is opened
 * again where it stopped whenever it breaks off. Everything runs on the one loop of follow_run. */
#ifndef CHASQUI_CLI_FOLLOW_H
#define CHASQUI_CLI_FOLLOW_H

#include "bridge/cli/cli.h"

struct follow;
struct httpc;
struct loop;

/* text: the event's bytes as its endpoints get them; event: the same, parsed. Borrowed. */
typedef void (*follow_fn)(struct follow *follow, const char *text, const json_t *event, void *arg);

struct follow_spec {
    const char *types; /* "message.*,handoff.triggered" or NULL for all */
    follow_fn event;
    void (*begin)(struct follow *follow, void *arg); /* before the stream opens; may be NULL */
    void (*end)(void *arg);                          /* the loop has ended and is still there; may be NULL */
    void *arg;
};
/* Returns when follow_stop was called or the daemon refuses. */
enum cli_exit follow_run(struct cli *cli, const struct follow_spec *spec);
void follow_stop(struct follow *follow, enum cli_exit code);
struct loop *follow_loop(struct follow *follow);
struct httpc *follow_http(struct follow *follow);

#endif
