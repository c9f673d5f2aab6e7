/* dead_letters.c: `chasqui dead-letters`: look at jobs that were given up, run them again or drop them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/client.h"

#define PAGE "/api/v1/dead-letters/?page_size=100"

static enum cli_exit list(struct cli *cli)
{
    size_t i;
    json_t *answer = NULL, *row;
    enum cli_exit code = client_call(cli, "GET", PAGE, NULL, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else {
        json_array_foreach (jx_arr(answer, "results"), i, row) {
            printf("%s  %s  %-8s %3" JSON_INTEGER_FORMAT " tries  %s  %s\n", jx_str_or(row, "id", ""),
                   jx_str_or(row, "buried_at", ""), jx_str_or(row, "queue", ""),
                   (json_int_t)jx_int(row, "tries", 0), jx_str_or(row, "lane", ""),
                   jx_str_or(row, "why", ""));
        }
    }
    json_decref(answer);
    return code;
}

/* One letter: retried or dropped. */
static enum cli_exit act(struct cli *cli, bool retry, const char *id)
{
    char *path = xasprintf("/api/v1/dead-letters/%s/%s", id, retry ? "retry/" : "");
    json_t *body = retry ? json_object() : NULL;
    enum cli_exit code = client_call(cli, retry ? "POST" : "DELETE", path, body, NULL);
    json_decref(body);
    free(path);
    return code;
}

/* Every letter there is now, page by page; those that come back while this runs are left. */
static enum cli_exit act_on_all(struct cli *cli, bool retry, unsigned *count)
{
    size_t i, found;
    enum cli_exit code;
    json_t *done = json_object(), *row;
    do {
        json_t *answer = NULL;
        found = 0;
        code = client_call(cli, "GET", PAGE, NULL, &answer);
        json_array_foreach (jx_arr(answer, "results"), i, row) {
            const char *id = jx_str_or(row, "id", "-");
            if (code == EXIT_DONE && json_object_get(done, id) == NULL) {
                jx_set_bool(done, id, true);
                code = act(cli, retry, id);
                found++;
                *count += code == EXIT_DONE;
            }
        }
        json_decref(answer);
    } while (code == EXIT_DONE && found > 0);
    json_decref(done);
    return code;
}

enum cli_exit cli_dead_letters(struct cli *cli)
{
    unsigned count = 0;
    const char *verb = cli_arg(cli, 0);
    enum cli_exit code = EXIT_DONE;
    bool retry = verb != NULL && strcmp(verb, "retry") == 0;
    if (verb != NULL && strcmp(verb, "ls") == 0) {
        return list(cli);
    }
    if (!retry && (verb == NULL || strcmp(verb, "drop") != 0)) {
        return cli_fail(EXIT_USAGE, "dead-letters needs one of: ls, retry, drop");
    }
    if ((cli->arg_count > 1) == (cli->flags[FLAG_ALL] != NULL)) {
        return cli_fail(EXIT_USAGE, "dead-letters %s needs ids or --all", verb);
    }
    if (cli->flags[FLAG_ALL] != NULL) {
        code = act_on_all(cli, retry, &count);
    }
    for (int i = 1; i < cli->arg_count && code == EXIT_DONE; i++) {
        code = act(cli, retry, cli->args[i]);
        count += code == EXIT_DONE;
    }
    fprintf(stderr, "%s %u\n", retry ? "queued again:" : "dropped:", count);
    return code;
}
