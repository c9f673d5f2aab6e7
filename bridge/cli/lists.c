/* lists.c: `chasqui agents`, `conversations`, `accounts`: look at what there is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/client.h"

/* Columns of a list for people: JSON keys, printed in order. */
struct columns {
    const char *const *keys;
    size_t count;
};

/* GETs a list and prints it as JSON or as aligned columns. */
static enum cli_exit print_list(struct cli *cli, const char *path, struct columns columns)
{
    json_t *answer = NULL;
    enum cli_exit code = client_call(cli, "GET", path, NULL, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        size_t i;
        json_t *row;
        json_array_foreach(jx_arr(answer, "results"), i, row) {
            for (size_t c = 0; c < columns.count; c++) {
                printf("%s%-*s", c > 0 ? "  " : "", c + 1 < columns.count ? 10 : 0, jx_str_or(row, columns.keys[c], "-"));
            }
            putchar('\n');
        }
    }
    json_decref(answer);
    return code;
}

/* GETs one object and prints it indented for people, in one line for machines. */
static enum cli_exit print_object(struct cli *cli, const char *path)
{
    json_t *answer = NULL;
    enum cli_exit code = client_call(cli, "GET", path, NULL, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        putchar('\n');
    }
    json_decref(answer);
    return code;
}

enum cli_exit cli_agents(struct cli *cli)
{
    static const char *const keys[] = {"id", "status", "phone_number", "name"};
    const char *verb = cli_arg(cli, 0);
    if (verb != NULL && strcmp(verb, "ls") == 0) {
        return print_list(cli, "/api/v1/agents/?page_size=100", (struct columns){keys, 4});
    }
    if (verb == NULL || strcmp(verb, "get") != 0) {
        return cli_fail(EXIT_USAGE, "agents needs one of: ls, get");
    }
    char *agent = cli_arg(cli, 1) != NULL ? xstrdup(cli_arg(cli, 1)) : NULL;
    enum cli_exit code = agent != NULL ? EXIT_DONE : client_agent(cli, &agent);
    if (code == EXIT_DONE) {
        char *path = xasprintf("/api/v1/agents/%s/", agent);
        code = print_object(cli, path);
        free(path);
    }
    free(agent);
    return code;
}

/* A conversation as a transcript. */
static enum cli_exit print_transcript(struct cli *cli, const char *id)
{
    char *path = xasprintf("/api/v1/conversations/%s/messages/?page_size=100", id);
    json_t *answer = NULL;
    enum cli_exit code = client_call(cli, "GET", path, NULL, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        size_t i;
        json_t *message;
        json_array_foreach(jx_arr(answer, "results"), i, message) {
            printf("%s%s  %-8s %-9s%s  %s\n", cli_dim(cli), jx_str_or(message, "created_at", ""),
                   jx_str_or(jx_obj(message, "author"), "type", ""), jx_str_or(message, "status", ""), cli_plain(cli),
                   jx_str_or(message, "text", ""));
        }
    }
    json_decref(answer);
    free(path);
    return code;
}

enum cli_exit cli_conversations(struct cli *cli)
{
    static const char *const keys[] = {"id", "status", "mode", "channel", "last_message_at"};
    const char *verb = cli_arg(cli, 0);
    if (verb != NULL && strcmp(verb, "ls") == 0) {
        char *path = xasprintf("/api/v1/conversations/?page_size=%s%s%s",
                               cli->flags[FLAG_LIMIT] != NULL ? cli->flags[FLAG_LIMIT] : "20",
                               cli->flags[FLAG_AGENT] != NULL ? "&agent_id=" : "",
                               cli->flags[FLAG_AGENT] != NULL ? cli->flags[FLAG_AGENT] : "");
        enum cli_exit code = print_list(cli, path, (struct columns){keys, 5});
        free(path);
        return code;
    }
    if (verb == NULL || strcmp(verb, "get") != 0 || cli->arg_count != 2) {
        return cli_fail(EXIT_USAGE, "conversations needs one of: ls, get ID");
    }
    return print_transcript(cli, cli->args[1]);
}

/* ls and get of a kind of record; what: its name in the API's paths. */
static enum cli_exit list_or_get(struct cli *cli, const char *what, struct columns columns)
{
    const char *verb = cli_arg(cli, 0), *agent = cli->flags[FLAG_AGENT], *limit = cli->flags[FLAG_LIMIT];
    bool list = verb != NULL && strcmp(verb, "ls") == 0, one = verb != NULL && strcmp(verb, "get") == 0;
    if (!list && (!one || cli->arg_count != 2)) {
        return cli_fail(EXIT_USAGE, "%s needs one of: ls, get ID", what);
    }
    char *path = one ? xasprintf("/api/v1/%s/%s/", what, cli->args[1])
                     : xasprintf("/api/v1/%s/?page_size=%s%s%s", what, limit != NULL ? limit : "20",
                                 agent != NULL ? "&agent_id=" : "", agent != NULL ? agent : "");
    enum cli_exit code = one ? print_object(cli, path) : print_list(cli, path, columns);
    free(path);
    return code;
}

enum cli_exit cli_leads(struct cli *cli)
{
    static const char *const keys[] = {"id", "status", "created_at", "contact_id"};
    return list_or_get(cli, "leads", (struct columns){keys, 4});
}

enum cli_exit cli_appointments(struct cli *cli)
{
    static const char *const keys[] = {"id", "status", "starts_at", "service", "resource", "name"};
    return list_or_get(cli, "appointments", (struct columns){keys, 6});
}

/* accounts create --name N [--email E] [--plan P] */
static enum cli_exit accounts_create(struct cli *cli)
{
    if (cli->flags[FLAG_NAME] == NULL) {
        return cli_fail(EXIT_USAGE, "accounts create needs --name");
    }
    json_t *body = json_object();
    jx_set_str(body, "name", cli->flags[FLAG_NAME]);
    if (cli->flags[FLAG_EMAIL] != NULL) {
        jx_set_str(body, "email", cli->flags[FLAG_EMAIL]);
    }
    if (cli->flags[FLAG_PLAN] != NULL) {
        jx_set_str(body, "plan", cli->flags[FLAG_PLAN]);
    }
    json_t *answer = NULL;
    enum cli_exit code = client_call(cli, "POST", "/admin/accounts/", body, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        printf("account %s, agent %s\nlive key %s\ntest key %s\n", jx_str_or(answer, "account_id", ""),
               jx_str_or(answer, "agent_id", ""), jx_str_or(answer, "live_key", ""), jx_str_or(answer, "test_key", ""));
        fprintf(stderr, "this is the only time the keys are shown\n");
    }
    json_decref(answer);
    json_decref(body);
    return code;
}

enum cli_exit cli_accounts(struct cli *cli)
{
    static const char *const keys[] = {"id", "plan", "email", "name"};
    const char *verb = cli_arg(cli, 0);
    if (verb != NULL && strcmp(verb, "ls") == 0) {
        return print_list(cli, "/admin/accounts/", (struct columns){keys, 4});
    }
    if (verb != NULL && strcmp(verb, "create") == 0) {
        return accounts_create(cli);
    }
    return cli_fail(EXIT_USAGE, "accounts needs one of: ls, create");
}
