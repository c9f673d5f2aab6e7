/* help.c: `chasqui help` and `chasqui version`, out of the tables. */
#include <stdio.h>
#include <string.h>

#include "bridge/cli/cli.h"
#include "bridge/cli/words.h"
#include "queue/base/option.h"

/* All commands, one line each. */
static void help_all(const struct cli *cli)
{
    printf("%schasqui%s: a bridge between messaging platforms, an agent that answers from your knowledge, and your apps\n\n",
           cli_bold(cli), cli_plain(cli));
    for (unsigned i = 0; cli_command_at(i) != NULL; i++) {
        printf("  %-14s %s\n", cli_command_at(i)->name, cli_command_at(i)->summary);
    }
    printf("\nFirst steps:  chasqui init && chasqui serve      then, elsewhere:  chasqui chat\n"
           "More:         chasqui help COMMAND; exit codes and options: man chasqui\n");
}

/* The flags of a command. */
static void help_flags(const struct cli_command *command)
{
    for (int i = 0; i < FLAG_COUNT; i++) {
        const char *name, *value;
        const char *help = cli_flag_help((enum cli_flag)i, &name, &value);
        if (words_contain("json live test help no-color yes", name) || words_contain(command->flags, name)) {
            printf("  --%s %-*s %s\n", name, (int)(16 - strlen(name)), value, help);
        }
    }
}

/* The daemon's options. */
static void help_options(void)
{
    printf("\nOptions (also as CHASQUI_* variables and in the configuration file):\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        printf("  --%-26s %s%s%s%s\n", row->flag, row->help, row->fallback[0] != '\0' ? " [" : "", row->fallback,
               row->fallback[0] != '\0' ? "]" : "");
    }
}

/* One command: usage, examples, flags. */
static void help_command(const struct cli *cli, const struct cli_command *command)
{
    printf("usage: %schasqui %s%s %s\n\n%s\n\nExamples:\n%s\nFlags:\n", cli_bold(cli), command->name, cli_plain(cli),
           command->args, command->summary, command->examples);
    help_flags(command);
    if (command->run == cli_serve || command->run == cli_check_config) {
        help_options();
    }
}

enum cli_exit cli_help(struct cli *cli)
{
    const char *name = cli_arg(cli, 0);
    if (name == NULL) {
        help_all(cli);
        return EXIT_DONE;
    }
    const struct cli_command *command = cli_command_find(name);
    if (command == NULL) {
        const char *near = words_nearest_command(name);
        return near != NULL ? cli_fail(EXIT_USAGE, "unknown command %s; did you mean %s?", name, near)
                            : cli_fail(EXIT_USAGE, "unknown command %s", name);
    }
    help_command(cli, command);
    return EXIT_DONE;
}

enum cli_exit cli_version(struct cli *cli)
{
    if (cli->json) {
        json_t *version = json_object();
        jx_set_str(version, "version", CHASQUI_VERSION);
        cli_print_json(version);
        json_decref(version);
    } else {
        printf("chasqui %s\n", CHASQUI_VERSION);
    }
    return EXIT_DONE;
}
