/* eval_int.h: the files of an evaluation folder; shared by eval.c and eval_set.c. */
#ifndef CHASQUI_KB_EVAL_INT_H
#define CHASQUI_KB_EVAL_INT_H

#include "kb/index.h"
#include "queue/base/json.h"

struct kb_judgement {
    char *query, *document; /* owned */
    int grade;
};
/* The judgements of one query, best grade first. */
struct kb_judged {
    const struct kb_judgement *rows;
    size_t count;
};
struct kb_eval_set {
    struct kb_index *index;    /* owned */
    struct kb_judgement *rows; /* owned; ordered by query */
    size_t count, room;
    struct kb_judged found; /* the last answer of kb_eval_judged */
};
void kb_eval_set_fini(struct kb_eval_set *set);

/* Calls take for every line of DIR/NAME (dir "": NAME alone) that is not empty. */
enum err kb_eval_lines(const char *dir, const char *name, enum err (*take)(json_t *line, void *arg),
                       void *arg, struct buf *why) MUST_CHECK;
/* Reads DIR/qrels.tsv. */
enum err kb_eval_qrels(const char *dir, struct kb_eval_set *set, struct buf *why) MUST_CHECK;
/* NULL if the query has no judgement above 0. */
const struct kb_judged *kb_eval_judged(struct kb_eval_set *set, const char *query);
int kb_judged_grade(const struct kb_judged *judged, const char *document);

#endif
