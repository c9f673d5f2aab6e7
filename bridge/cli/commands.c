/* commands.c: the table of commands. */
#include "bridge/cli/cli.h"

#include <string.h>

static const struct cli_command commands[] = {
#define X(name, args, summary, flags, fn, examples) {name, args, summary, examples, flags, fn},
#include "bridge/cli/tbl_commands.h"
#undef X
};

const struct cli_command *cli_command_at(unsigned index)
{
    return index < sizeof(commands) / sizeof(commands[0]) ? &commands[index] : NULL;
}

const struct cli_command *cli_command_find(const char *name)
{
    for (unsigned i = 0; cli_command_at(i) != NULL; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}
