/* kb_eval.c: measures the search on an evaluation folder.
 * usage: kb_eval DIR [--queries FILE] [--run OUT] [--threshold T] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kb/eval.h"

/* Prints the figures, one a line. */
static void print(const struct kb_eval_result *r)
{
    printf("documents %zu, questions with an answer %zu\n", r->documents, r->queries);
    printf("nDCG@10   %.4f\nRecall@10 %.4f\nMRR@10    %.4f\nP@1       %.4f\n", r->ndcg10, r->recall10,
           r->mrr10, r->p1);
    if (r->outside > 0) {
        printf("out of scope %zu: handed over %.4f, served %.4f, wrong answers %.4f\n", r->outside,
               r->outside_recall, r->served, r->wrong);
    }
    printf("calibration error %.4f\nindex %.1f us a document, query %.1f us\n", r->calibration_error,
           r->index_us, r->query_us);
}

int main(int argc, char **argv)
{
    struct kb_eval_options options = {.threshold = 0.5};
    struct kb_eval_result result;
    struct buf why;

    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--queries") == 0 && more) {
            options.queries = argv[++i];
        } else if (strcmp(argv[i], "--run") == 0 && more) {
            options.run = argv[++i];
        } else if (strcmp(argv[i], "--threshold") == 0 && more) {
            options.threshold = strtod(argv[++i], NULL);
        } else {
            options.dir = argv[i];
        }
    }
    if (options.dir == NULL) {
        fprintf(stderr, "usage: kb_eval DIR [--queries FILE] [--run OUT] [--threshold T]\n");
        return 2;
    }
    buf_init(&why, 4096);
    enum err rc = kb_eval(&options, &result, &why);
    if (rc != ERR_OK) {
        fprintf(stderr, "kb_eval: %s\n", buf_str(&why));
    } else {
        print(&result);
    }
    buf_fini(&why);
    return rc == ERR_OK ? 0 : 1;
}
