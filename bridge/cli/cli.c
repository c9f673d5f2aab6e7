/* cli.c: the command line taken apart, by the two tables of flags: commands' own (tbl_flags.h) and the daemon's options
 * (tbl_options.h). Any flag may stand before or after the command's name; "--" ends flags. An unknown word gets the nearest
 * known one and exit code 2. */
#include "bridge/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/cli/words.h"
#include "queue/base/error.h"
#include "queue/base/log.h"
#include "queue/base/option.h"

struct flag_row {
    const char *name, *value, *help;
};
static const struct flag_row flag_rows[FLAG_COUNT] = {
#define X(symbol, flag, value, help) {flag, value, help},
#include "bridge/cli/tbl_flags.h"
#undef X
};

const char *cli_flag_help(enum cli_flag flag, const char **name, const char **value)
{
    *name = flag_rows[flag].name;
    *value = flag_rows[flag].value;
    return flag_rows[flag].help;
}

enum cli_exit cli_fail(enum cli_exit code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("chasqui: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}

const char *cli_arg(const struct cli *cli, int index)
{
    return index < cli->arg_count ? cli->args[index] : NULL;
}

void cli_print_json(const json_t *value)
{
    char *text = jx_text(value);
    puts(text);
    free(text);
}

const char *cli_bold(const struct cli *cli)
{
    return cli->tty ? "\033[1m" : "";
}

const char *cli_dim(const struct cli *cli)
{
    return cli->tty ? "\033[2m" : "";
}

const char *cli_plain(const struct cli *cli)
{
    return cli->tty ? "\033[0m" : "";
}

/* The row of a flag, FLAG_COUNT if it is none of ours. */
static enum cli_flag flag_find(const char *name, size_t len)
{
    for (int i = 0; i < FLAG_COUNT; i++) {
        if (strlen(flag_rows[i].name) == len && strncmp(flag_rows[i].name, name, len) == 0) {
            return (enum cli_flag)i;
        }
    }
    return FLAG_COUNT;
}

/* One of our own flags; *used counts the words it took. */
static enum cli_exit take_own_flag(struct cli *cli, enum cli_flag flag, const char *inline_value, const char *next, int *used)
{
    bool needs_value = flag_rows[flag].value[0] != '\0';
    if (!needs_value && inline_value != NULL) {
        return cli_fail(EXIT_USAGE, "--%s takes no value", flag_rows[flag].name);
    }
    if (needs_value && inline_value == NULL) {
        if (next == NULL) {
            return cli_fail(EXIT_USAGE, "--%s needs a value: --%s %s", flag_rows[flag].name, flag_rows[flag].name,
                            flag_rows[flag].value);
        }
        *used = 2;
        inline_value = next;
    }
    cli->flags[flag] = needs_value ? inline_value : "";
    return EXIT_DONE;
}

/* An option of the daemon given as a flag. */
static enum cli_exit take_option(const char *name, const char *inline_value, const char *next, int *used)
{
    bool known = false;
    bool takes = option_flag_takes_value(name, &known);
    if (!known) {
        const char *near = words_nearest_flag(name);
        return near != NULL ? cli_fail(EXIT_USAGE, "unknown flag --%s; did you mean --%s?", name, near)
                            : cli_fail(EXIT_USAGE, "unknown flag --%s; see chasqui help", name);
    }
    const char *value = inline_value;
    if (takes && value == NULL) {
        if (next == NULL) {
            return cli_fail(EXIT_USAGE, "--%s needs a value", name);
        }
        value = next;
        *used = 2;
    }
    struct buf why;
    buf_init(&why, 1024);
    enum err rc = option_set_flag(name, value, &why);
    if (rc != ERR_OK) {
        cli_fail(EXIT_USAGE, "%s", buf_str(&why));
    }
    buf_fini(&why);
    return rc == ERR_OK ? EXIT_DONE : EXIT_USAGE;
}

/* One word that begins with a dash. */
static enum cli_exit take_flag(struct cli *cli, const char *word, const char *next, int *used)
{
    if (strcmp(word, "-h") == 0) {
        word = "--help";
    }
    if (strncmp(word, "--", 2) != 0) {
        return cli_fail(EXIT_USAGE, "unknown flag %s; flags begin with two dashes", word);
    }
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const char *inline_value = equals != NULL ? equals + 1 : NULL;
    enum cli_flag flag = flag_find(name, len);
    if (flag != FLAG_COUNT) {
        return take_own_flag(cli, flag, inline_value, next, used);
    }
    char *copy = xstrndup(name, len);
    enum cli_exit code = take_option(copy, inline_value, next, used);
    free(copy);
    return code;
}

/* All words after the program's name. */
static enum cli_exit parse(struct cli *cli, int argc, char **argv)
{
    bool flags_over = false;
    for (int i = 1; i < argc;) {
        const char *word = argv[i];
        int used = 1;
        if (!flags_over && strcmp(word, "--") == 0) {
            flags_over = true;
        } else if (!flags_over && word[0] == '-' && word[1] != '\0') {
            enum cli_exit code = take_flag(cli, word, i + 1 < argc ? argv[i + 1] : NULL, &used);
            if (code != EXIT_DONE) {
                return code;
            }
        } else if (cli->command == NULL) {
            cli->command = cli_command_find(word);
            if (cli->command == NULL) {
                const char *near = words_nearest_command(word);
                return near != NULL ? cli_fail(EXIT_USAGE, "unknown command %s; did you mean %s?", word, near)
                                    : cli_fail(EXIT_USAGE, "unknown command %s; see chasqui help", word);
            }
        } else {
            cli->args[cli->arg_count++] = word;
        }
        i += used;
    }
    return EXIT_DONE;
}

/* Common flags every command takes. */
static bool flag_is_common(enum cli_flag flag)
{
    return flag == FLAG_JSON || flag == FLAG_LIVE || flag == FLAG_TEST || flag == FLAG_HELP || flag == FLAG_NO_COLOR ||
           flag == FLAG_YES;
}

/* Refuses a flag that the command does not know. */
static enum cli_exit check_flags(const struct cli *cli)
{
    for (int i = 0; i < FLAG_COUNT; i++) {
        if (cli->flags[i] != NULL && !flag_is_common((enum cli_flag)i) &&
            !words_contain(cli->command->flags, flag_rows[i].name)) {
            return cli_fail(EXIT_USAGE, "%s does not take --%s; see chasqui help %s", cli->command->name, flag_rows[i].name,
                            cli->command->name);
        }
    }
    if (cli->flags[FLAG_LIVE] != NULL && cli->flags[FLAG_TEST] != NULL) {
        return cli_fail(EXIT_USAGE, "--live and --test exclude each other");
    }
    return EXIT_DONE;
}

/* The user's own profile, written by `init --api-key`; the configuration file; the environment. */
static enum cli_exit load_options(void)
{
    struct buf why;
    buf_init(&why, 1024);
    char *profile = words_profile_path();
    enum err rc = ERR_OK;
    if (profile != NULL && access(profile, R_OK) == 0) {
        rc = option_load_file(profile, &why);
    }
    free(profile);
    if (rc == ERR_OK) {
        rc = option_load_environment(&why);
    }
    if (rc == ERR_OK && option_text(OPT_CONFIG)[0] != '\0') {
        rc = option_load_file(option_text(OPT_CONFIG), &why);
    }
    if (rc != ERR_OK) {
        cli_fail(EXIT_USAGE, "%s", buf_str(&why));
    }
    buf_fini(&why);
    return rc == ERR_OK ? EXIT_DONE : EXIT_USAGE;
}

/* Log level and format as the options say; commands that only pass by say less, unless told. */
static enum cli_exit set_log(bool daemon)
{
    enum log_level level = LOG_INFO;
    if (!log_level_parse(option_text(OPT_LOG_LEVEL), &level)) {
        return cli_fail(EXIT_USAGE, "log.level must be debug, info, warn or error");
    }
    if (!daemon && option_source_of(OPT_LOG_LEVEL) == OPTION_DEFAULT) {
        level = LOG_WARN;
    }
    log_set(level, strcmp(option_text(OPT_LOG_FORMAT), "json") == 0 ? LOG_JSON : LOG_KEYVALUE);
    return EXIT_DONE;
}

/* Whether colours are welcome on stdout. */
static bool wants_colour(const struct cli *cli)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL && cli->flags[FLAG_NO_COLOR] == NULL &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {.args = xcalloc((size_t)argc + 1, sizeof(char *))};
    enum cli_exit code = parse(&cli, argc, argv);
    if (code == EXIT_DONE && (cli.command == NULL || cli.flags[FLAG_HELP] != NULL)) {
        cli.args[0] = cli.command != NULL ? cli.command->name : NULL;
        cli.arg_count = cli.command != NULL ? 1 : 0;
        cli.command = cli_command_find("help");
        cli.flags[FLAG_HELP] = NULL;
    }
    if (code == EXIT_DONE) {
        code = check_flags(&cli);
    }
    if (code == EXIT_DONE && cli.command->run != cli_check_config) {
        code = load_options();
        if (code == EXIT_DONE) {
            code = set_log(cli.command->run == cli_serve);
        }
    }
    if (code == EXIT_DONE) {
        cli.json = cli.flags[FLAG_JSON] != NULL;
        cli.live = cli.flags[FLAG_LIVE] != NULL;
        cli.tty = wants_colour(&cli);
        code = cli.command->run(&cli);
    }
    free(cli.args);
    return (int)code;
}
