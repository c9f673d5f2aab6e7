/* eval.h: how good the search is on a folder of questions with known answers.
 *
 * The folder holds corpus.jsonl {"id", "title", "text", "phrasings"?, "doc_type"?}, queries.jsonl {"id",
 * "text", "scope"?} (scope "oos": nothing in the corpus answers it) and qrels.tsv (query, TAB, document, TAB,
 * grade). A document with a doc_type is split as a pushed one is, and a judgement may name its passage
 * ("returns#2"). Thread: one at a time, off the loops: takes seconds. */
#ifndef CHASQUI_KB_EVAL_H
#define CHASQUI_KB_EVAL_H

#include <stddef.h>

#include "kb/rank.h"
#include "queue/base/buf.h"
#include "queue/base/error.h"

struct kb_eval_options {
    const char *dir;
    const char *queries; /* another file of questions; NULL: queries.jsonl of the folder */
    const char
        *run; /* file to write: one line {"qid", "results", "confidence", "decision"} each; NULL: none */
    double threshold; /* of confidence, below it the decision is "handoff" */
    /* Told of every question; correct: the first result is right. NULL: nobody. */
    void (*each)(const char *query, const struct kb_ranking *ranking, bool correct, void *arg);
    void *arg;
};
struct kb_eval_result {
    size_t documents, queries; /* queries: those that have an answer */
    double ndcg10, recall10, mrr10, p1;
    size_t outside;            /* questions out of scope; the rest is 0 when there are none */
    double served;             /* in scope, answered, first result right */
    double outside_recall;     /* out of scope, handed over */
    double wrong;              /* of all, answered with a wrong entry */
    double calibration_error;  /* expected, 15 bins */
    double index_us, query_us; /* for each document, each query */
};
/* On failure why holds one sentence naming the file and line. */
enum err kb_eval(const struct kb_eval_options *options, struct kb_eval_result *out,
                 struct buf *why) MUST_CHECK;

#endif
