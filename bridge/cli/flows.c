/* flows.c: `chasqui flows`: list, push from a file, try. */
#include "bridge/cli/flows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/client.h"

#define FILE_MAX (1u << 20)

/* One call below the agent's flows; tail as in "FLOW/test/". *out as of client_call. */
static enum cli_exit flows_call(struct cli *cli, const char *method, const char *tail, const json_t *body, json_t **out)
{
    char *agent = NULL;
    enum cli_exit code = client_agent(cli, &agent);
    if (code == EXIT_DONE) {
        char *path = xasprintf("/api/v1/agents/%s/flows/%s", agent, tail);
        code = client_call(cli, method, path, body, out);
        free(path);
    }
    free(agent);
    return code;
}

static enum cli_exit flows_ls(struct cli *cli)
{
    json_t *answer = NULL, *flow;
    size_t i;
    enum cli_exit code = flows_call(cli, "GET", "?page_size=100", NULL, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        json_array_foreach(jx_arr(answer, "results"), i, flow) {
            printf("%s  %-5s v%-3lld %-13s %s%s\n", jx_str_or(flow, "id", ""), jx_bool(flow, "enabled", false) ? "on" : "off",
                   (long long)jx_int(flow, "version", 0), jx_str_or(jx_obj(flow, "trigger"), "type", "-"),
                   jx_str_or(flow, "name", ""), jx_bool(flow, "changed", false) ? "  (draft differs)" : "");
        }
    }
    json_decref(answer);
    return code;
}

json_t *flows_read(const char *path)
{
    struct buf text, why;
    char piece[65536];
    size_t size;
    json_t *flow = NULL;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (file == NULL) {
        cli_fail(EXIT_USAGE, "cannot read %s", path);
        return NULL;
    }
    buf_init(&text, FILE_MAX);
    buf_init(&why, 300);
    for (size = fread(piece, 1, sizeof(piece), file); size > 0; size = fread(piece, 1, sizeof(piece), file)) {
        buf_add(&text, piece, size);
    }
    if (!buf_ok(&text) || jx_parse_strict(buf_str(&text), text.len, &flow, &why) != ERR_OK) {
        cli_fail(EXIT_USAGE, "%s: %s", path, buf_ok(&text) ? buf_str(&why) : "larger than 1 MiB");
        flow = NULL;
    }
    buf_fini(&why);
    buf_fini(&text);
    if (file != stdin) {
        fclose(file);
    }
    return flow;
}

/* The id of the flow that has this name already, NULL if none has. malloc'ed. */
static enum cli_exit same_name(struct cli *cli, const char *name, char **id)
{
    json_t *answer = NULL, *flow;
    size_t i;
    enum cli_exit code = flows_call(cli, "GET", "?page_size=100", NULL, &answer);
    json_array_foreach(jx_arr(answer, "results"), i, flow) {
        if (*id == NULL && strcmp(jx_str_or(flow, "name", ""), name) == 0) {
            *id = xstrdup(jx_str_or(flow, "id", ""));
        }
    }
    json_decref(answer);
    return code;
}

enum cli_exit flows_store(struct cli *cli, const json_t *flow, json_t **answer, bool *replaced)
{
    char *id = NULL;
    enum cli_exit code = same_name(cli, jx_str_or(flow, "name", ""), &id);
    if (code == EXIT_DONE) {
        char *tail = id != NULL ? xasprintf("%s/", id) : xstrdup("");
        code = flows_call(cli, id != NULL ? "PUT" : "POST", tail, flow, answer);
        free(tail);
    }
    if (replaced != NULL) {
        *replaced = id != NULL;
    }
    free(id);
    return code;
}

/* A flow of that name is replaced, else it is made. */
static enum cli_exit flows_push(struct cli *cli)
{
    bool replaced = false;
    json_t *answer = NULL, *flow = cli_arg(cli, 1) != NULL ? flows_read(cli_arg(cli, 1)) : NULL;
    if (flow == NULL) {
        return cli_arg(cli, 1) != NULL ? EXIT_USAGE : cli_fail(EXIT_USAGE, "flows push needs a file");
    }
    enum cli_exit code = flows_store(cli, flow, &answer, &replaced);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        printf("%s  %s  version %lld, %s\n", jx_str_or(answer, "id", ""), replaced ? "replaced" : "made",
               (long long)jx_int(answer, "version", 0), jx_bool(answer, "enabled", false) ? "on" : "off");
    }
    json_decref(answer);
    json_decref(flow);
    return code;
}

static void print_line(const json_t *line)
{
    json_t *option;
    size_t i;
    printf("%-8s  %s%s%s\n", jx_str_or(line, "from", ""), jx_str_or(line, "text", ""),
           jx_str(line, "text") != NULL ? "" : jx_str_or(line, "type", ""), jx_str_or(line, "reason", ""));
    json_array_foreach(jx_arr(line, "options"), i, option) {
        printf("          [%s] %s\n", jx_str_or(option, "id", ""), jx_str_or(option, "title", ""));
    }
}

static enum cli_exit flows_test(struct cli *cli)
{
    json_t *answer = NULL, *line, *body = json_object(), *messages = json_array();
    size_t i;
    const char *id = cli_arg(cli, 1);
    for (int k = 2; cli_arg(cli, k) != NULL; k++) {
        jx_push(messages, json_string(cli_arg(cli, k)));
    }
    jx_set(body, "messages", messages);
    char *tail = xasprintf("%s/test/", id != NULL ? id : "");
    enum cli_exit code = id != NULL ? flows_call(cli, "POST", tail, body, &answer)
                                    : cli_fail(EXIT_USAGE, "flows test needs the flow's id, then messages");
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        json_array_foreach(jx_arr(answer, "transcript"), i, line) {
            print_line(line);
        }
    }
    free(tail);
    json_decref(answer);
    json_decref(body);
    return code;
}

enum cli_exit cli_flows(struct cli *cli)
{
    const char *verb = cli_arg(cli, 0) != NULL ? cli_arg(cli, 0) : "";
    if (strcmp(verb, "ls") == 0) {
        return flows_ls(cli);
    }
    if (strcmp(verb, "push") == 0) {
        return flows_push(cli);
    }
    return strcmp(verb, "test") == 0 ? flows_test(cli) : cli_fail(EXIT_USAGE, "flows needs one of: ls, push, test");
}
