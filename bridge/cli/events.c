/* events.c: `chasqui events tail`: the account's events as they happen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/client.h"
#include "bridge/cli/follow.h"

struct tail {
    struct cli *cli;
    long left; /* events still wanted, -1: no end */
};

/* One event: a line for people, itself for machines. */
static void print_event(const struct cli *cli, const char *text, const json_t *event)
{
    if (cli->json) {
        puts(text);
    } else {
        printf("%s%s%s  %-22s %s  %s\n", cli_dim(cli), jx_str_or(event, "created_at", ""), cli_plain(cli),
               jx_str_or(event, "type", ""), jx_str_or(event, "id", ""),
               jx_str_or(event, "conversation_id", ""));
    }
    fflush(stdout);
}

static void on_event(struct follow *follow, const char *text, const json_t *event, void *arg)
{
    struct tail *tail = arg;
    print_event(tail->cli, text, event);
    if (tail->left > 0 && --tail->left == 0) {
        follow_stop(follow, EXIT_DONE);
    }
}

/* events ls: the newest first. */
static enum cli_exit list(struct cli *cli)
{
    size_t i;
    json_t *answer = NULL, *event;
    const char *types = cli->flags[FLAG_EVENTS];
    char *path = xasprintf("/api/v1/events/?order=desc&page_size=%s%s%s",
                           cli->flags[FLAG_LIMIT] != NULL ? cli->flags[FLAG_LIMIT] : "20",
                           types != NULL ? "&types=" : "", types != NULL ? types : "");
    enum cli_exit code = client_call(cli, "GET", path, NULL, &answer);
    json_array_foreach (jx_arr(answer, "results"), i, event) {
        char *text = jx_text(event);
        print_event(cli, text, event);
        free(text);
    }
    json_decref(answer);
    free(path);
    return code;
}

enum cli_exit cli_events(struct cli *cli)
{
    const char *verb = cli_arg(cli, 0), *limit = cli->flags[FLAG_LIMIT];
    struct tail tail = {.cli = cli, .left = limit != NULL ? strtol(limit, NULL, 10) : -1};
    if (verb != NULL && strcmp(verb, "ls") == 0) {
        return list(cli);
    }
    if (verb == NULL || strcmp(verb, "tail") != 0) {
        return cli_fail(EXIT_USAGE, "events needs one of: tail, ls");
    }
    struct follow_spec spec = {.types = cli->flags[FLAG_EVENTS], .event = on_event, .arg = &tail};
    return follow_run(cli, &spec);
}
