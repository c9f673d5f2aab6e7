/* cli.h: the command line: a table of commands, a table of flags, one file for each command.
 *
 * stdout is data, stderr is talk. Exit codes are rows of tbl_exits.h. A command that needs the daemon speaks to its REST
 * API: over the administration socket in the data directory, or over HTTP when a URL and key are set. */
#ifndef CHASQUI_CLI_CLI_H
#define CHASQUI_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/base/json.h"

enum cli_exit {
#define X(symbol, code, text) symbol = code,
#include "bridge/cli/tbl_exits.h"
#undef X
};

enum cli_flag {
#define X(symbol, flag, value, help) symbol,
#include "bridge/cli/tbl_flags.h"
#undef X
    FLAG_COUNT
};

/* One invocation: the parsed command line. */
struct cli {
    const struct cli_command *command;
    const char *flags[FLAG_COUNT]; /* value, "" for a bare flag, NULL if not given */
    const char **args;             /* positional arguments after the command's name */
    int arg_count;
    bool json;  /* --json */
    bool live;  /* --live: live data; otherwise test mode */
    bool tty;   /* stdout is a terminal and colour is welcome */
};

typedef enum cli_exit (*cli_fn)(struct cli *cli);
struct cli_command {
    const char *name;
    const char *args;     /* usage after the name */
    const char *summary;  /* one line */
    const char *examples; /* lines, two spaces in front */
    const char *flags;    /* space-separated flags it takes besides the common ones */
    cli_fn run;
};
/* NULL if there is none. */
const struct cli_command *cli_command_find(const char *name);
const struct cli_command *cli_command_at(unsigned index);
const char *cli_flag_help(enum cli_flag flag, const char **name, const char **value);

/* Parses and runs; returns the exit code. */
int cli_main(int argc, char **argv);

/* One line to stderr: what happened, what to do. Returns code for `return cli_fail(...)`. */
enum cli_exit cli_fail(enum cli_exit code, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A positional argument or NULL. */
const char *cli_arg(const struct cli *cli, int index);
/* Prints a JSON value and a newline to stdout. */
void cli_print_json(const json_t *value);
/* ANSI start of a colour for a terminal, "" otherwise; cli_plain ends it. */
const char *cli_bold(const struct cli *cli);
const char *cli_dim(const struct cli *cli);
const char *cli_plain(const struct cli *cli);

/* Commands, one file each. */
enum cli_exit cli_init(struct cli *cli);
enum cli_exit cli_serve(struct cli *cli);
enum cli_exit cli_chat(struct cli *cli);
enum cli_exit cli_kb(struct cli *cli);
enum cli_exit cli_send(struct cli *cli);
enum cli_exit cli_hooks(struct cli *cli);
enum cli_exit cli_flows(struct cli *cli);
enum cli_exit cli_sample(struct cli *cli);
enum cli_exit cli_keys(struct cli *cli);
enum cli_exit cli_agents(struct cli *cli);
enum cli_exit cli_accounts(struct cli *cli);
enum cli_exit cli_conversations(struct cli *cli);
enum cli_exit cli_leads(struct cli *cli);
enum cli_exit cli_appointments(struct cli *cli);
enum cli_exit cli_listen(struct cli *cli);
enum cli_exit cli_events(struct cli *cli);
enum cli_exit cli_trigger(struct cli *cli);
enum cli_exit cli_verify(struct cli *cli);
enum cli_exit cli_dead_letters(struct cli *cli);
enum cli_exit cli_queue(struct cli *cli);
enum cli_exit cli_request(struct cli *cli);
enum cli_exit cli_check_config(struct cli *cli);
enum cli_exit cli_backup(struct cli *cli);
enum cli_exit cli_restore(struct cli *cli);
enum cli_exit cli_compact(struct cli *cli);
enum cli_exit cli_doctor(struct cli *cli);
enum cli_exit cli_version(struct cli *cli);
enum cli_exit cli_man(struct cli *cli);
enum cli_exit cli_help(struct cli *cli);

#endif
