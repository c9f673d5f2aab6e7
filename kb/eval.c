/* eval.c: reads an evaluation folder, indexes its corpus in memory, asks every question, and counts. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kb/confidence.h"
#include "kb/eval.h"
#include "kb/eval_int.h"
#include "queue/base/clock.h"
#include "queue/base/json.h"

#define TOP  10
#define BINS 15

struct bins {
    double count[BINS], confidence[BINS], right[BINS];
};

struct run {
    const struct kb_eval_options *options;
    struct kb_eval_result *result;
    struct kb_eval_set set;
    struct kb_ranker *ranker;
    FILE *file;
    struct bins bins;
    int64_t query_us;
    size_t asked;
};

/* One document as one chunk, as a question-and-answer pair is. */
static enum err corpus_take(json_t *line, void *arg)
{
    struct run *run = arg;
    struct kb_bag bag;
    const char *title = jx_str_or(line, "title", ""), *text = jx_str_or(line, "text", "");
    const char *id = jx_str(line, "id");
    json_t *phrasings = jx_arr(line, "phrasings");

    if (id == NULL) {
        return ERR_INVALID;
    }
    kb_bag_init(&bag);
    kb_bag_add(&bag, title, strlen(title), KB_TITLE_WEIGHT);
    kb_bag_add(&bag, text, strlen(text), 1);
    for (size_t i = 0; i < json_array_size(phrasings); i++) {
        const char *phrasing = json_string_value(json_array_get(phrasings, i));
        if (phrasing != NULL) {
            kb_bag_add(&bag, phrasing, strlen(phrasing), 1);
        }
    }
    bool added = kb_index_add(run->set.index, &bag, ++run->result->documents, id, 0);
    kb_bag_fini(&bag);
    return added ? ERR_OK : ERR_LIMIT;
}

/* Gain of a ranking against the judgements of one query: nDCG, recall, reciprocal rank, first. */
static void rank_judge(struct run *run, const struct kb_judged *judged, const struct kb_ranking *ranking)
{
    struct kb_eval_result *r = run->result;
    double gain = 0, ideal = 0, found = 0, reciprocal = 0;

    for (size_t i = 0; i < ranking->count && i < TOP; i++) {
        int grade = kb_judged_grade(judged, kb_index_document(run->set.index, ranking->hits[i].slot));
        gain += (exp2(grade) - 1) / log2((double)i + 2);
        found += grade > 0;
        reciprocal = grade > 0 && reciprocal == 0 ? 1.0 / (double)(i + 1) : reciprocal;
        r->p1 += i == 0 && grade > 0;
    }
    for (size_t i = 0; i < judged->count && i < TOP; i++) {
        ideal += (exp2(judged->rows[i].grade) - 1) / log2((double)i + 2);
    }
    r->queries++;
    r->ndcg10 += gain / ideal;
    r->recall10 += found / (double)judged->count;
    r->mrr10 += reciprocal;
}

/* Notes what a confidence was worth. */
static void decision_judge(struct run *run, bool outside, bool correct, double confidence, bool answered)
{
    struct kb_eval_result *r = run->result;
    int bin = confidence >= 1 ? BINS - 1 : (int)(confidence * BINS);

    run->bins.count[bin]++;
    run->bins.confidence[bin] += confidence;
    run->bins.right[bin] += correct;
    r->outside += outside;
    r->outside_recall += outside && !answered;
    r->served += !outside && answered && correct;
    r->wrong += answered && !correct;
}

/* One line of the run file. */
static void run_write(struct run *run, const char *id, const struct kb_ranking *ranking, double confidence,
                      bool answer)
{
    json_t *line = json_object(), *results = json_array();

    jx_set_str(line, "qid", id);
    for (size_t i = 0; i < ranking->count && i < TOP; i++) {
        json_t *row = json_object();
        jx_set_str(row, "id", kb_index_document(run->set.index, ranking->hits[i].slot));
        jx_set(row, "score", json_real(ranking->hits[i].score));
        jx_push(results, row);
    }
    jx_set(line, "results", results);
    jx_set(line, "confidence", json_real(confidence));
    jx_set_str(line, "decision", answer ? "answer" : "handoff");
    char *text = jx_text(line);
    fprintf(run->file, "%s\n", text);
    free(text);
    json_decref(line);
}

/* Asks one question. */
static enum err query_take(json_t *line, void *arg)
{
    struct run *run = arg;
    const char *id = jx_str(line, "id"), *text = jx_str(line, "text");
    struct kb_ranking ranking;

    if (id == NULL || text == NULL) {
        return ERR_INVALID;
    }
    int64_t start = clock_mono_us();
    const struct kb_index *index = run->set.index;
    kb_rank(run->ranker, &(struct kb_rank_query){&index, 1, text, NULL, 0, 20}, &ranking);
    double confidence = ranking.count > 0 ? kb_confidence(ranking.signals) : 0;
    run->query_us += clock_mono_us() - start;
    run->asked++;

    const struct kb_judged *judged = kb_eval_judged(&run->set, id);
    bool correct = judged != NULL && ranking.count > 0 &&
                   kb_judged_grade(judged, kb_index_document(index, ranking.hits[0].slot)) > 0;
    bool answer = ranking.count > 0 && confidence >= run->options->threshold;
    if (judged != NULL) {
        rank_judge(run, judged, &ranking);
    }
    decision_judge(run, strcmp(jx_str_or(line, "scope", ""), "oos") == 0, correct, confidence, answer);
    if (run->options->each != NULL) {
        run->options->each(id, &ranking, correct, run->options->arg);
    }
    if (run->file != NULL) {
        run_write(run, id, &ranking, confidence, answer);
    }
    return ERR_OK;
}

/* Sums to means. */
static void result_finish(struct run *run)
{
    struct kb_eval_result *r = run->result;
    double answerable = r->queries > 0 ? (double)r->queries : 1;
    double asked = run->asked > 0 ? (double)run->asked : 1;
    double inside = asked - (double)r->outside;

    r->ndcg10 /= answerable;
    r->recall10 /= answerable;
    r->mrr10 /= answerable;
    r->p1 /= answerable;
    r->served /= inside > 0 ? inside : 1;
    r->outside_recall /= r->outside > 0 ? (double)r->outside : 1;
    r->wrong /= asked;
    r->query_us = (double)run->query_us / asked;
    r->index_us /= r->documents > 0 ? (double)r->documents : 1;
    for (int i = 0; i < BINS; i++) {
        r->calibration_error += fabs(run->bins.confidence[i] - run->bins.right[i]) / asked;
    }
}

/* The steps of one evaluation; files are named by folder. */
static enum err run_all(struct run *run, struct buf *why)
{
    const struct kb_eval_options *o = run->options;
    int64_t start = clock_mono_us();
    enum err rc = kb_eval_lines(o->dir, "corpus.jsonl", corpus_take, run, why);

    run->result->index_us = (double)(clock_mono_us() - start);
    if (rc == ERR_OK) {
        rc = kb_eval_qrels(o->dir, &run->set, why);
    }
    if (rc == ERR_OK && o->run != NULL) {
        run->file = fopen(o->run, "we");
        if (run->file == NULL) {
            buf_addf(why, "%s: cannot be written", o->run);
            return err_from_errno(errno);
        }
    }
    if (rc == ERR_OK) {
        rc = kb_eval_lines(o->queries != NULL ? "" : o->dir,
                           o->queries != NULL ? o->queries : "queries.jsonl", query_take, run, why);
    }
    return rc;
}

enum err kb_eval(const struct kb_eval_options *options, struct kb_eval_result *out, struct buf *why)
{
    struct run run = {.options = options, .result = out};

    *out = (struct kb_eval_result){0};
    run.set.index = kb_index_new();
    run.ranker = kb_ranker_new();
    enum err rc = run_all(&run, why);
    if (run.file != NULL && fclose(run.file) != 0 && rc == ERR_OK) {
        buf_addf(why, "%s: cannot be written", options->run);
        rc = ERR_IO;
    }
    result_finish(&run);
    kb_ranker_free(run.ranker);
    kb_eval_set_fini(&run.set);
    return rc;
}
