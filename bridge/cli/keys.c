/* keys.c: `chasqui keys`: list, create, rotate and revoke API keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/client.h"

/* Prints a key's secret, which is shown this once. */
static void print_secret(struct cli *cli, const json_t *answer)
{
    if (cli->json) {
        cli_print_json(answer);
        return;
    }
    printf("%s\n", jx_str_or(answer, "key", ""));
    fprintf(stderr, "%s (%s); this is the only time the key is shown\n", jx_str_or(answer, "id", ""),
            jx_str_or(answer, "name", ""));
}

static enum cli_exit keys_list(struct cli *cli)
{
    json_t *answer = NULL;
    enum cli_exit code = client_call(cli, "GET", "/api/v1/keys/?page_size=100", NULL, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        size_t i;
        json_t *key;
        json_array_foreach (jx_arr(answer, "results"), i, key) {
            printf("%s  %-5s ...%s  %-9s %s%s%s\n", jx_str_or(key, "id", ""), jx_str_or(key, "mode", ""),
                   jx_str_or(key, "last4", "????"), jx_str_or(key, "status", ""), cli_bold(cli),
                   jx_str_or(key, "name", ""), cli_plain(cli));
        }
    }
    json_decref(answer);
    return code;
}

/* "read,messages" as a JSON array. */
static json_t *words_of(const char *list)
{
    json_t *words = json_array();
    for (const char *at = list; *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (len > 0) {
            jx_push(words, json_stringn(at, len));
        }
        at += len + (at[len] == ',');
    }
    return words;
}

static enum cli_exit keys_create(struct cli *cli)
{
    if (cli->arg_count != 2) {
        return cli_fail(EXIT_USAGE, "keys create needs a name");
    }
    json_t *body = json_object();
    jx_set_str(body, "name", cli->args[1]);
    jx_set_str(body, "mode", cli->live ? "live" : "test");
    if (cli->flags[FLAG_SCOPES] != NULL) {
        jx_set(body, "scopes", words_of(cli->flags[FLAG_SCOPES]));
    }
    if (cli->flags[FLAG_ALLOWED_IPS] != NULL) {
        jx_set(body, "allowed_ips", words_of(cli->flags[FLAG_ALLOWED_IPS]));
    }
    json_t *answer = NULL;
    enum cli_exit code = client_call(cli, "POST", "/api/v1/keys/", body, &answer);
    if (code == EXIT_DONE) {
        print_secret(cli, answer);
    }
    json_decref(answer);
    json_decref(body);
    return code;
}

static enum cli_exit keys_rotate(struct cli *cli)
{
    if (cli->arg_count != 2) {
        return cli_fail(EXIT_USAGE, "keys rotate needs a key's id");
    }
    char *path = xasprintf("/api/v1/keys/%s/rotate/", cli->args[1]);
    json_t *body = json_object();
    json_t *answer = NULL;
    enum cli_exit code = client_call(cli, "POST", path, body, &answer);
    if (code == EXIT_DONE) {
        print_secret(cli, answer);
    }
    json_decref(answer);
    json_decref(body);
    free(path);
    return code;
}

static enum cli_exit keys_revoke(struct cli *cli)
{
    if (cli->arg_count != 2) {
        return cli_fail(EXIT_USAGE, "keys revoke needs a key's id");
    }
    char *path = xasprintf("/api/v1/keys/%s/", cli->args[1]);
    enum cli_exit code = client_call(cli, "DELETE", path, NULL, NULL);
    if (code == EXIT_DONE && !cli->json) {
        printf("%s is revoked\n", cli->args[1]);
    }
    free(path);
    return code;
}

enum cli_exit cli_keys(struct cli *cli)
{
    static const struct {
        const char *name;
        cli_fn run;
    } verbs[] = {
        {"ls", keys_list}, {"create", keys_create}, {"rotate", keys_rotate}, {"revoke", keys_revoke}};
    const char *verb = cli_arg(cli, 0);
    for (size_t i = 0; verb != NULL && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verb, verbs[i].name) == 0) {
            return verbs[i].run(cli);
        }
    }
    return cli_fail(EXIT_USAGE, "keys needs one of: ls, create, rotate, revoke");
}
