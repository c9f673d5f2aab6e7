/* queue.c: `chasqui queue`: the shape of what waits: a row for each destination, a column for each age,
 * doubling. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/client.h"

/* The heading: the upper bound of each column, in words. */
static void print_head(const struct cli *cli, const json_t *bounds)
{
    size_t i;
    json_t *bound;
    printf("%s%-9s %-40s %7s", cli_dim(cli), "QUEUE", "DESTINATION", "TOTAL");
    json_array_foreach (bounds, i, bound) {
        char text[24];
        int64_t s = json_integer_value(bound);
        snprintf(text, sizeof(text),
                 s < 60     ? "%" PRId64 "s"
                 : s < 3600 ? "%" PRId64 "m"
                            : "%" PRId64 "h",
                 s < 60     ? s
                 : s < 3600 ? s / 60
                            : s / 3600);
        printf(" %6s", text);
    }
    printf(" %6s%s\n", "older", cli_plain(cli));
}

enum cli_exit cli_queue(struct cli *cli)
{
    size_t i, k;
    json_t *answer = NULL, *row, *number;
    enum cli_exit code = client_call(cli, "GET", "/admin/queue/shape/", NULL, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        print_head(cli, jx_arr(answer, "age_bounds_s"));
        json_array_foreach (jx_arr(answer, "results"), i, row) {
            printf("%-9s %-40s %7" PRId64, jx_str_or(row, "queue", ""), jx_str_or(row, "destination", ""),
                   jx_int(row, "jobs", 0));
            json_array_foreach (jx_arr(row, "by_age"), k, number) {
                printf(" %6" PRId64, (int64_t)json_integer_value(number));
            }
            putchar('\n');
        }
    }
    json_decref(answer);
    return code;
}
