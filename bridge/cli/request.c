/* request.c: `chasqui get|post|patch|delete PATH [JSON]`: any call of the REST API. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bridge/cli/client.h"

#define BODY_MAX (16u << 20)

/* The body: the argument, or stdin for "-"; none if there is no argument. */
static enum cli_exit read_body(const char *text, json_t **body)
{
    struct buf in, why;
    buf_init(&in, BODY_MAX);
    buf_init(&why, 512);
    if (strcmp(text, "-") == 0) {
        char piece[16384];
        size_t got;
        do {
            got = fread(piece, 1, sizeof(piece), stdin);
            buf_add(&in, piece, got);
        } while (got > 0);
    } else {
        buf_adds(&in, text);
    }
    enum cli_exit code = EXIT_DONE;
    if (!buf_ok(&in) || jx_parse_strict(buf_str(&in), in.len, body, &why) != ERR_OK) {
        code = cli_fail(EXIT_REFUSED, "the body is not a JSON object: %s", buf_str(&why));
    }
    buf_fini(&why);
    buf_fini(&in);
    return code;
}

enum cli_exit cli_request(struct cli *cli)
{
    const char *path = cli_arg(cli, 0), *text = cli_arg(cli, 1);
    if (path == NULL || path[0] != '/' || cli->arg_count > 2) {
        return cli_fail(EXIT_USAGE, "%s needs a path that begins with a slash", cli->command->name);
    }
    char method[8] = {0};
    for (size_t i = 0; i + 1 < sizeof(method) && cli->command->name[i] != '\0'; i++) {
        method[i] = (char)(cli->command->name[i] - 'a' + 'A');
    }
    json_t *body = NULL, *answer = NULL;
    enum cli_exit code = text != NULL ? read_body(text, &body) : EXIT_DONE;
    if (code == EXIT_DONE) {
        code = client_call(cli, method, path, body, &answer);
    }
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE && !json_is_null(answer)) {
        json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        putchar('\n');
    }
    json_decref(answer);
    json_decref(body);
    return code;
}
