/* man.c: `chasqui man`: the manual page (mdoc), out of the same tables as parser and help, so that it cannot lag behind. */
#include <stdio.h>
#include <string.h>

#include "bridge/cli/cli.h"
#include "bridge/cli/words.h"
#include "queue/base/option.h"

/* Text for roff: backslashes and dashes escaped, a leading dot or quote kept from being a request. */
static void roff(const char *text)
{
    if (text[0] == '.' || text[0] == '\'') {
        fputs("\\&", stdout);
    }
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            fputs("\\e", stdout);
        } else if (*text == '-') {
            fputs("\\-", stdout);
        } else {
            putchar(*text);
        }
    }
}

/* A list item with a bold head and a sentence. */
static void item(const char *head, const char *rest, const char *text)
{
    printf(".It Sy ");
    roff(head);
    if (rest[0] != '\0') {
        printf(" Ar ");
        roff(rest);
    }
    putchar('\n');
    roff(text);
    putchar('\n');
}

static void man_commands(void)
{
    puts(".Sh COMMANDS\n.Bl -tag -width Ds");
    for (unsigned i = 0; cli_command_at(i) != NULL; i++) {
        item(cli_command_at(i)->name, "", cli_command_at(i)->summary);
        puts(".Bd -literal -compact");
        printf("chasqui %s ", cli_command_at(i)->name);
        roff(cli_command_at(i)->args);
        puts("\n.Ed");
    }
    puts(".El");
}

static void man_flags(void)
{
    puts(".Sh FLAGS\nFlags may stand before or after the command; a command refuses those it does not take.\n.Bl -tag -width Ds");
    for (int i = 0; i < FLAG_COUNT; i++) {
        const char *name, *value;
        const char *help = cli_flag_help((enum cli_flag)i, &name, &value);
        char head[64];
        snprintf(head, sizeof(head), "--%s", name);
        item(head, value, help);
    }
    puts(".El");
}

/* "--http-threads, CHASQUI_HTTP_THREADS, [http] threads", with the default. */
static void man_option(const struct option_row *row)
{
    const char *dot = strchr(row->name, '.');
    char head[128];
    snprintf(head, sizeof(head), "--%s", row->flag);
    item(head, "", row->help);
    printf(".Pp\nIn the file: section\n.Sy [%.*s] ,\nkey\n.Sy ", (int)(dot - row->name), row->name);
    roff(dot + 1);
    if (row->fallback[0] != '\0') {
        printf(" ;\ndefault\n.Li ");
        roff(row->fallback);
    }
    puts(" .");
    if (row->reload) {
        puts("Taken at a reload.");
    }
}

static void man_options(void)
{
    puts(".Sh OPTIONS\nA flag wins over its variable, the variable over the configuration file, the file over the default.\n"
         "The variable of the option\n.Sy section.key\nis\n.Ev CHASQUI_SECTION_KEY ;\nthose of the section\n.Sy core\n"
         "leave the section out, as in\n.Ev CHASQUI_DATA .\n.Bl -tag -width Ds");
    for (int i = 0; i < OPTION_COUNT; i++) {
        man_option(option_row((enum option_id)i));
    }
    puts(".El");
}

static void man_exits(void)
{
    static const struct {
        int code;
        const char *text;
    } rows[] = {
#define X(symbol, code, text) {code, text},
#include "bridge/cli/tbl_exits.h"
#undef X
    };
    puts(".Sh EXIT STATUS\n.Bl -tag -width Ds");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        printf(".It %d\n%s\n", rows[i].code, rows[i].text);
    }
    puts(".El");
}

static void man_examples(void)
{
    puts(".Sh EXAMPLES\n.Bd -literal");
    for (unsigned i = 0; cli_command_at(i) != NULL; i++) {
        const char *at = cli_command_at(i)->examples;
        while (*at != '\0') {
            size_t len = strcspn(at, "\n");
            char line[256];
            snprintf(line, sizeof(line), "%.*s", (int)(len > 2 ? len - 2 : 0), at + 2);
            roff(line);
            putchar('\n');
            at += len + (at[len] == '\n');
        }
    }
    puts(".Ed");
}

enum cli_exit cli_man(struct cli *cli)
{
    (void)cli;
    puts(".Dd $Mdocdate$\n.Dt CHASQUI 1\n.Os\n.Sh NAME\n.Nm chasqui\n"
         ".Nd bridge between messaging platforms, an agent and your apps\n"
         ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar flags\n.Op Ar arguments\n"
         ".Sh DESCRIPTION\n.Nm\n"
         "receives what customers write on messaging platforms, lets an agent answer from a business's own knowledge, and tells the\n"
         "business's apps what happened.\n"
         "The same program is the daemon and its command line.\n"
         "Commands that need the daemon reach it through a socket in the data directory, or over HTTP when\n"
         ".Ev CHASQUI_URL\nand\n.Ev CHASQUI_API_KEY\nare set; they work on test data unless told\n.Fl -live .");
    man_commands();
    man_flags();
    man_options();
    man_exits();
    man_examples();
    return EXIT_DONE;
}
