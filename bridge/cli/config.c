/* config.c: `chasqui check-config`: are file, environment and flags understood, and which value is in force from where. */
#include <stdio.h>

#include "bridge/cli/cli.h"
#include "queue/base/buf.h"
#include "queue/base/option.h"

/* Loads both layers, saying what is wrong with each. */
static bool layers_fine(void)
{
    struct buf why;
    buf_init(&why, 2048);
    bool fine = true;
    if (option_load_environment(&why) != ERR_OK) {
        fprintf(stderr, "chasqui: %s\n", buf_str(&why));
        fine = false;
    }
    buf_reset(&why);
    const char *file = option_text(OPT_CONFIG);
    if (file[0] != '\0' && option_load_file(file, &why) != ERR_OK) {
        fprintf(stderr, "chasqui: %s\n", buf_str(&why));
        fine = false;
    }
    buf_fini(&why);
    return fine;
}

/* One option as "name = value  (source)". */
static json_t *effective_row(enum option_id id)
{
    struct buf value;
    buf_init(&value, 65536);
    option_show(id, &value);
    json_t *row = json_object();
    jx_set_str(row, "name", option_row(id)->name);
    jx_set_str(row, "value", buf_str(&value));
    jx_set_str(row, "source", option_source_name(option_source_of(id)));
    buf_fini(&value);
    return row;
}

/* Every option with its source. */
static void print_effective(const struct cli *cli)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        json_t *row = effective_row((enum option_id)i);
        if (cli->json) {
            cli_print_json(row);
        } else {
            printf("%-28s = %-32s %s(%s)%s\n", jx_str_or(row, "name", ""), jx_str_or(row, "value", ""), cli_dim(cli),
                   jx_str_or(row, "source", ""), cli_plain(cli));
        }
        json_decref(row);
    }
}

enum cli_exit cli_check_config(struct cli *cli)
{
    cli->json = cli->flags[FLAG_JSON] != NULL;
    if (!layers_fine()) {
        return EXIT_PROBLEMS;
    }
    if (cli->flags[FLAG_EFFECTIVE] != NULL) {
        print_effective(cli);
    } else {
        printf("the configuration is fine\n");
    }
    return EXIT_DONE;
}
