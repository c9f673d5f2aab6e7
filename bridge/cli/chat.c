/* chat.c: `chasqui chat`: talk to the agent in the terminal; the answer is printed while it is written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/cli/client.h"
#include "queue/base/id.h"

struct chat {
    struct cli *cli;
    char *path;        /* of the stream route */
    const char *thread;
    size_t printed;    /* bytes of the answer printed so far */
    bool interactive;  /* a person at a terminal */
};

/* One event of the stream: a piece of the answer, or its end. */
static void chat_event(const json_t *data, void *arg)
{
    struct chat *chat = arg;
    if (chat->cli->json) {
        cli_print_json(data);
        return;
    }
    const char *text = jx_str_or(data, "message", "");
    fputs(text, stdout);
    fflush(stdout);
    chat->printed += strlen(text);
}

/* One message of the person and the agent's answer. */
static enum cli_exit chat_say(struct chat *chat, const char *message)
{
    json_t *body = json_object();
    jx_set_str(body, "message", message);
    jx_set_str(body, "thread_id", chat->thread);
    chat->printed = 0;
    if (chat->interactive) {
        printf("%sagent>%s ", cli_bold(chat->cli), cli_plain(chat->cli));
        fflush(stdout);
    }
    enum cli_exit code = client_stream(chat->cli, chat->path, body, chat_event, chat);
    if (code == EXIT_DONE && !chat->cli->json) {
        if (chat->printed == 0) {
            printf("%s(no answer: a person has this conversation)%s", cli_dim(chat->cli), cli_plain(chat->cli));
        }
        putchar('\n');
    }
    json_decref(body);
    return code;
}

/* Reads lines until the input ends. */
static enum cli_exit chat_lines(struct chat *chat)
{
    char *line = NULL;
    size_t room = 0;
    enum cli_exit code = EXIT_DONE;
    if (chat->interactive) {
        fprintf(stderr, "%s mode, thread %s; an empty line or Ctrl-D ends\n", chat->cli->live ? "live" : "test", chat->thread);
    }
    while (code == EXIT_DONE) {
        if (chat->interactive) {
            printf("%syou>%s ", cli_bold(chat->cli), cli_plain(chat->cli));
            fflush(stdout);
        }
        ssize_t got = getline(&line, &room, stdin);
        if (got <= 0) {
            break;
        }
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '\0' && chat->interactive) {
            break;
        }
        if (line[0] != '\0') {
            code = chat_say(chat, line);
        }
    }
    free(line);
    return code;
}

enum cli_exit cli_chat(struct cli *cli)
{
    char *agent = NULL;
    enum cli_exit code = client_agent(cli, &agent);
    if (code != EXIT_DONE) {
        return code;
    }
    struct id thread = id_new("chat");
    struct chat chat = {.cli = cli, .thread = cli->flags[FLAG_THREAD] != NULL ? cli->flags[FLAG_THREAD] : thread.text};
    chat.path = xasprintf("/api/v1/agents/%s/stream/", agent);
    if (cli->arg_count > 0) {
        code = cli->arg_count == 1 ? chat_say(&chat, cli->args[0])
                                   : cli_fail(EXIT_USAGE, "put the message in quotes: chasqui chat \"...\"");
    } else {
        chat.interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !cli->json;
        code = chat_lines(&chat);
    }
    free(chat.path);
    free(agent);
    return code;
}
