/* send.c: `chasqui send`: one text message to a contact. */
#include <stdio.h>
#include <stdlib.h>

#include "bridge/cli/client.h"

enum cli_exit cli_send(struct cli *cli)
{
    if (cli->arg_count != 2) {
        return cli_fail(EXIT_USAGE, "send needs a recipient and a text: chasqui send +14155550123 \"Hello\"");
    }
    char *agent = NULL;
    enum cli_exit code = client_agent(cli, &agent);
    if (code != EXIT_DONE) {
        return code;
    }
    json_t *body = json_object();
    jx_set_str(body, "to", cli->args[0]);
    jx_set_str(body, "type", "text");
    jx_set_str(body, "text", cli->args[1]);
    char *path = xasprintf("/api/v1/agents/%s/messages/", agent);
    json_t *answer = NULL;
    code = client_call(cli, "POST", path, body, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        printf("%s %s to %s%s\n", jx_str_or(answer, "message_id", ""), jx_str_or(answer, "status", ""),
               jx_str_or(answer, "to", ""), cli->live ? "" : " (test mode: nothing really leaves)");
    }
    json_decref(answer);
    json_decref(body);
    free(path);
    free(agent);
    return code;
}
