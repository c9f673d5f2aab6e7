/* client.h: the command line's way to the daemon: one blocking call of its REST API.
 *
 * With a URL and key set (CHASQUI_URL, CHASQUI_API_KEY or the profile) over HTTP; otherwise over the administration
 * socket in the data directory, where the account and mode go in headers and no key is needed. */
#ifndef CHASQUI_CLI_CLIENT_H
#define CHASQUI_CLI_CLIENT_H

#include "bridge/cli/cli.h"
#include "queue/base/buf.h"

/* body NULL: none. *out: the answer as JSON (new reference, JSON null if it was none), also on failure; may be NULL. On
 * failure the daemon's words are printed and the matching exit code returned. */
enum cli_exit client_call(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **out);
/* POST of bytes that are no JSON. */
enum cli_exit client_upload(struct cli *cli, const char *path, const void *bytes, size_t size, json_t **out);
/* As client_call for an answer of server-sent events: on_data(JSON of one data: line). */
typedef void (*client_event_fn)(const json_t *data, void *arg);
enum cli_exit client_stream(struct cli *cli, const char *path, const json_t *body, client_event_fn on_event, void *arg);

/* Where a call goes, with what credentials: for those who make their transfers themselves. */
struct client_target {
    struct buf url, auth, account;
    const char *headers[5];
    size_t header_count;
    char *socket_path; /* NULL: over HTTP */
};
void client_target_init(struct client_target *target, const struct cli *cli, const char *path);
void client_target_fini(struct client_target *target);

/* True if a daemon answers on the socket of this data directory; prints nothing. */
bool client_alive(struct cli *cli);

/* The agent to work on: --agent, else the account's first. malloc'ed in *id. */
enum cli_exit client_agent(struct cli *cli, char **id);

#endif
