/* hooks.c: `chasqui hooks`: what platforms posted: list it, or take it apart once more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/client.h"

static enum cli_exit hooks_list(struct cli *cli)
{
    json_t *answer = NULL;
    enum cli_exit code = client_call(cli, "GET", "/api/v1/hooks/?page_size=100", NULL, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        size_t i;
        json_t *hook;
        json_array_foreach(jx_arr(answer, "results"), i, hook) {
            printf("%s  %s  %s  %lld bytes\n", jx_str_or(hook, "id", ""), jx_str_or(hook, "received_at", ""),
                   jx_str_or(hook, "channel_id", ""), (long long)jx_int(hook, "bytes", 0));
        }
    }
    json_decref(answer);
    return code;
}

/* One POST; adds to *count how many posts it started again. */
static enum cli_exit replay_call(struct cli *cli, const char *path, const json_t *body, int64_t *count)
{
    json_t *answer = NULL;
    enum cli_exit code = client_call(cli, "POST", path, body, &answer);
    *count += jx_int(answer, "replayed", 0);
    json_decref(answer);
    return code;
}

/* replay ID... | replay --since TIME */
static enum cli_exit hooks_replay(struct cli *cli)
{
    enum cli_exit code = EXIT_DONE;
    int64_t count = 0;
    json_t *body = json_object();
    if (cli->arg_count < 2 && cli->flags[FLAG_SINCE] == NULL) {
        json_decref(body);
        return cli_fail(EXIT_USAGE, "hooks replay needs ids or --since TIME");
    }
    for (int i = 1; code == EXIT_DONE && i < cli->arg_count; i++) {
        char *path = xasprintf("/api/v1/hooks/%s/replay/", cli->args[i]);
        code = replay_call(cli, path, body, &count);
        free(path);
    }
    if (code == EXIT_DONE && cli->flags[FLAG_SINCE] != NULL) {
        jx_set_str(body, "since", cli->flags[FLAG_SINCE]);
        code = replay_call(cli, "/api/v1/hooks/replay/", body, &count);
    }
    json_decref(body);
    if (code == EXIT_DONE && cli->json) {
        printf("{\"replayed\":%lld}\n", (long long)count);
    } else if (code == EXIT_DONE) {
        printf("%lld posts are taken apart once more\n", (long long)count);
    }
    return code;
}

enum cli_exit cli_hooks(struct cli *cli)
{
    const char *verb = cli_arg(cli, 0);
    if (verb != NULL && strcmp(verb, "ls") == 0) {
        return hooks_list(cli);
    }
    if (verb != NULL && strcmp(verb, "replay") == 0) {
        return hooks_replay(cli);
    }
    return cli_fail(EXIT_USAGE, "hooks needs one of: ls, replay ID..., replay --since TIME");
}
