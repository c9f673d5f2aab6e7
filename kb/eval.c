/* eval.c: reads an evaluation folder, indexes its corpus in memory, asks every question, and counts. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kb/confidence.h"
#include "kb/document.h"
#include "kb/eval.h"
#include "kb/eval_int.h"
#include "queue/base/clock.h"
#include "queue/base/json.h"

#define TOP            10
#define DOCUMENT_BYTES (64u << 20)
#define NAME_BYTES     600 /* of a passage's name */
#define BINS           15

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
    uint64_t chunks;
};

/* Indexes one chunk. */
static enum err chunk_index(struct run *run, const json_t *doc, const struct kb_chunk *chunk)
{
    struct kb_bag bag;

    kb_bag_init(&bag);
    kb_document_bag(doc, chunk, &bag);
    bool added = kb_index_add(run->set.index, &bag, ++run->chunks, chunk->document_id, chunk->ordinal);
    kb_bag_fini(&bag);
    return added ? ERR_OK : ERR_LIMIT;
}

/* Indexes a line as a document of its type; without one it is a single chunk, as a question-and-answer pair
 * is. */
static enum err document_index(struct run *run, json_t *line, struct arena *arena)
{
    struct kb_chunk whole = {.document_id = jx_str(line, "id"),
                             .title = jx_str_or(line, "title", ""),
                             .text = jx_str_or(line, "text", "")};
    struct kb_chunk *chunks = &whole;
    size_t count = 1;
    enum err rc = ERR_OK;

    if (jx_str(line, "doc_type") != NULL) {
        jx_set_str(line, "content", whole.text);
        rc = kb_document_chunks(line, arena, &chunks, &count);
    }
    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        rc = chunk_index(run, line, &chunks[i]);
    }
    return rc;
}

/* One line of the corpus. */
static enum err corpus_take(json_t *line, void *arg)
{
    struct run *run = arg;

    if (jx_str(line, "id") == NULL) {
        return ERR_INVALID;
    }
    run->result->documents++;
    struct arena *arena = arena_new(DOCUMENT_BYTES);
    enum err rc = document_index(run, line, arena);
    arena_free(arena);
    return rc;
}

/* The grade of a hit: of its document, or of its passage where the judgement names one ("returns#2"). */
static int hit_grade(const struct run *run, const struct kb_judged *judged, const struct kb_rank_hit *hit)
{
    const char *document = kb_index_document(run->set.index, hit->slot);
    char passage[NAME_BYTES];

    snprintf(passage, sizeof passage, "%s#%" PRIu32, document, run->set.index->slots[hit->slot].ordinal);
    int grade = kb_judged_grade(judged, document);
    return grade > 0 ? grade : kb_judged_grade(judged, passage);
}

/* Leaves the best passage of each document. */
static void documents_once(const struct kb_index *index, struct kb_ranking *ranking)
{
    size_t kept = 0;

    for (size_t i = 0; i < ranking->count; i++) {
        uint32_t document = index->slots[ranking->hits[i].slot].document;
        size_t at = 0;
        while (at < kept && index->slots[ranking->hits[at].slot].document != document) {
            at++;
        }
        if (at == kept) {
            ranking->hits[kept++] = ranking->hits[i];
        }
    }
    ranking->count = kept;
}

/* Gain of a ranking against the judgements of one query: nDCG, recall, reciprocal rank, first. */
static void rank_judge(struct run *run, const struct kb_judged *judged, const struct kb_ranking *ranking)
{
    struct kb_eval_result *r = run->result;
    double gain = 0, ideal = 0, found = 0, reciprocal = 0;

    for (size_t i = 0; i < ranking->count && i < TOP; i++) {
        int grade = hit_grade(run, judged, &ranking->hits[i]);
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
    documents_once(index, &ranking);

    const struct kb_judged *judged = kb_eval_judged(&run->set, id);
    bool correct = judged != NULL && ranking.count > 0 && hit_grade(run, judged, &ranking.hits[0]) > 0;
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
