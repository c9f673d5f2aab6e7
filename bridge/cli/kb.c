/* kb.c: `chasqui kb`: push files and folders into the agent's knowledge, search it, list it, remove from it,
 * and measure the search on a folder of questions with known answers, which needs no daemon. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/client.h"
#include "bridge/cli/files.h"
#include "kb/eval.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"

#define BATCH_DOCUMENTS 50
#define BATCH_BYTES (1u << 20)
#define EVAL_THRESHOLD 0.5 /* of confidence, as an agent has it unless it says otherwise */

struct push {
    struct cli *cli;
    char *path;         /* of the bulk route */
    json_t *batch;      /* documents waiting for the next call */
    size_t batch_bytes;
    size_t done, total; /* documents */
    int64_t created, updated, unchanged, failed;
    json_t *known; /* external id -> SHA-256 of the file that the document was read from; NULL: not asked yet */
    enum cli_exit code;
};

/* Notes the files of one page of the agent's documents; the next page's path, NULL at the end. malloc'ed. */
static char *known_take(struct push *push, const json_t *answer)
{
    size_t i;
    json_t *doc;
    json_array_foreach(jx_arr(answer, "results"), i, doc) {
        if (jx_str(doc, "external_id") != NULL && jx_str(doc, "file_sha256") != NULL) {
            jx_set_str(push->known, jx_str(doc, "external_id"), jx_str(doc, "file_sha256"));
        }
    }
    const char *next = jx_str(answer, "next");
    const char *path = next != NULL ? strstr(next, "/api/v1/") : NULL;
    return path != NULL ? xstrdup(path) : NULL;
}

/* Asks which files the agent has been given before. */
static void known_load(struct push *push)
{
    char *path = xasprintf("%.*s?page_size=100", (int)(strlen(push->path) - strlen("bulk/")), push->path);
    push->known = json_object();
    while (path != NULL && push->code == EXIT_DONE) {
        json_t *answer = NULL;
        push->code = client_call(push->cli, "GET", path, NULL, &answer);
        free(path);
        path = push->code == EXIT_DONE ? known_take(push, answer) : NULL;
        json_decref(answer);
    }
    free(path);
}

/* Uploads the bytes of a file; its id into the document. */
static void push_bytes(struct push *push, json_t *document, const struct buf *bytes)
{
    const char *path = jx_str_or(document, "external_id", ""), *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    struct buf call;
    json_t *answer = NULL;
    buf_init(&call, 4096);
    buf_adds(&call, "/api/v1/files/?name=");
    percent_encode(&call, name, strlen(name));
    push->code = client_upload(push->cli, buf_str(&call), bytes->data, bytes->len, &answer);
    if (push->code == EXIT_DONE) {
        jx_set_str(document, "file_id", jx_str(json_array_get(jx_arr(answer, "files"), 0), "id"));
    }
    json_decref(answer);
    buf_fini(&call);
}

/* A file for the daemon: uploaded unless the agent has it already. True if it is to be pushed. */
static bool push_file(struct push *push, json_t *document)
{
    char sum[65];
    struct buf bytes;
    const char *path = jx_str_or(document, "external_id", "");
    if (push->known == NULL) {
        known_load(push);
    }
    buf_init(&bytes, FILES_UPLOAD_MAX);
    if (push->code == EXIT_DONE) {
        push->code = files_read(path, &bytes);
    }
    sha256_hex(buf_str(&bytes), bytes.len, sum);
    bool same = strcmp(jx_str_or(push->known, path, ""), sum) == 0;
    bool empty = bytes.len == 0;
    if (push->code == EXIT_DONE && !same && !empty) {
        push_bytes(push, document, &bytes);
    }
    push->unchanged += same;
    push->done += same || empty;
    buf_fini(&bytes);
    return push->code == EXIT_DONE && !same && !empty;
}

/* A line of progress on stderr: a bar on a terminal, a line for each batch elsewhere. */
static void push_progress(const struct push *push)
{
    if (push->cli->json) {
        return;
    }
    if (!push->cli->tty) {
        fprintf(stderr, "%zu of %zu documents\n", push->done, push->total);
        return;
    }
    enum { WIDTH = 30 };
    size_t full = push->total > 0 ? push->done * WIDTH / push->total : WIDTH;
    fprintf(stderr, "\r[");
    for (size_t i = 0; i < WIDTH; i++) {
        fputc(i < full ? '#' : '.', stderr);
    }
    fprintf(stderr, "] %zu/%zu", push->done, push->total);
    if (push->done == push->total) {
        fputc('\n', stderr);
    }
}

/* Says why single documents of a batch were refused. */
static void push_failures(const struct push *push, const json_t *results)
{
    size_t i;
    json_t *row;
    json_array_foreach(results, i, row) {
        if (strcmp(jx_str_or(row, "status", ""), "failed") == 0 && !push->cli->json) {
            const json_t *error = jx_obj(row, "error");
            fprintf(stderr, "\nchasqui: %s: %s\n", jx_str_or(row, "external_id", "?"),
                    error != NULL ? jx_str_or(error, "message", "refused") : jx_str_or(row, "error", "refused"));
        }
    }
}

/* Sends what waits. */
static void push_flush(struct push *push)
{
    size_t count = json_array_size(push->batch);
    if (count == 0 || push->code != EXIT_DONE) {
        return;
    }
    json_t *body = json_object();
    jx_set(body, "documents", push->batch);
    push->batch = json_array();
    push->batch_bytes = 0;
    json_t *answer = NULL;
    push->code = client_call(push->cli, "POST", push->path, body, &answer);
    if (push->code == EXIT_DONE) {
        push->created += jx_int(answer, "created", 0);
        push->updated += jx_int(answer, "updated", 0);
        push->unchanged += jx_int(answer, "unchanged", 0);
        push->failed += jx_int(answer, "failed", 0);
        push_failures(push, jx_arr(answer, "results"));
        push->done += count;
        push_progress(push);
    }
    json_decref(answer);
    json_decref(body);
}

/* Takes one document read from a file. */
static void push_document(json_t *document, void *arg)
{
    struct push *push = arg;
    if (push->code != EXIT_DONE || (strcmp(jx_str_or(document, "doc_type", ""), "file") == 0 && !push_file(push, document))) {
        json_decref(document);
        if (push->cli->tty && push->code == EXIT_DONE) {
            push_progress(push);
        }
        return;
    }
    push->batch_bytes += strlen(jx_str_or(document, "content", ""));
    jx_push(push->batch, document);
    if (json_array_size(push->batch) >= BATCH_DOCUMENTS || push->batch_bytes >= BATCH_BYTES) {
        push_flush(push);
    }
}

static void count_document(json_t *document, void *arg)
{
    (*(size_t *)arg)++;
    json_decref(document);
}

/* The outcome in words or as one object. */
static void push_report(const struct push *push)
{
    if (push->cli->json) {
        json_t *report = json_object();
        jx_set_int(report, "created", push->created);
        jx_set_int(report, "updated", push->updated);
        jx_set_int(report, "unchanged", push->unchanged);
        jx_set_int(report, "failed", push->failed);
        cli_print_json(report);
        json_decref(report);
        return;
    }
    printf("%lld new, %lld changed, %lld unchanged, %lld failed\n", (long long)push->created, (long long)push->updated,
           (long long)push->unchanged, (long long)push->failed);
    fprintf(stderr, "next: chasqui kb search \"a question\"%s\n", push->cli->live ? " --live" : "");
}

/* kb push PATH... */
static enum cli_exit kb_push(struct cli *cli, const char *agent)
{
    if (cli->arg_count < 2) {
        return cli_fail(EXIT_USAGE, "kb push needs at least one file or folder");
    }
    struct push push = {.cli = cli, .batch = json_array()};
    push.path = xasprintf("/api/v1/agents/%s/knowledge/bulk/", agent);
    for (int i = 1; i < cli->arg_count && push.code == EXIT_DONE; i++) {
        push.code = files_documents(cli->args[i], count_document, &push.total);
    }
    for (int i = 1; i < cli->arg_count && push.code == EXIT_DONE; i++) {
        push.code = files_documents(cli->args[i], push_document, &push);
    }
    push_flush(&push);
    if (push.code == EXIT_DONE && push.total == 0) {
        push.code = cli_fail(EXIT_NOT_FOUND, "found no file there that can be pushed (.md, .txt, .csv, .html, .pdf, .docx, .json)");
    }
    if (push.code == EXIT_DONE) {
        push_report(&push);
        push.code = push.failed > 0 ? EXIT_REFUSED : EXIT_DONE;
    }
    json_decref(push.batch);
    json_decref(push.known);
    free(push.path);
    return push.code;
}

/* Prints the hits of a search for people. */
static void print_hits(const struct cli *cli, const json_t *answer)
{
    size_t i;
    json_t *hit;
    printf("confidence %.2f\n", jx_num(answer, "confidence", 0));
    json_array_foreach(jx_arr(answer, "results"), i, hit) {
        printf("%s%5.2f  %s%s  %s%s%s\n", cli_bold(cli), jx_num(hit, "score", 0), jx_str_or(hit, "title", ""), cli_plain(cli),
               cli_dim(cli), jx_str_or(hit, "document_id", ""), cli_plain(cli));
        printf("       %.300s\n", jx_str_or(hit, "text", ""));
    }
}

/* kb search QUERY */
static enum cli_exit kb_search_command(struct cli *cli, const char *agent)
{
    if (cli->arg_count != 2) {
        return cli_fail(EXIT_USAGE, "kb search needs one question, in quotes");
    }
    json_t *body = json_object();
    jx_set_str(body, "query", cli->args[1]);
    if (cli->flags[FLAG_LIMIT] != NULL) {
        jx_set_int(body, "limit", strtol(cli->flags[FLAG_LIMIT], NULL, 10));
    }
    char *path = xasprintf("/api/v1/agents/%s/knowledge/search/", agent);
    json_t *answer = NULL;
    enum cli_exit code = client_call(cli, "POST", path, body, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        print_hits(cli, answer);
    }
    json_decref(answer);
    json_decref(body);
    free(path);
    return code;
}

/* kb ls */
static enum cli_exit kb_list(struct cli *cli, const char *agent)
{
    char *path = xasprintf("/api/v1/agents/%s/knowledge/?page_size=%s", agent,
                           cli->flags[FLAG_LIMIT] != NULL ? cli->flags[FLAG_LIMIT] : "100");
    json_t *answer = NULL;
    enum cli_exit code = client_call(cli, "GET", path, NULL, &answer);
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        size_t i;
        json_t *doc;
        json_array_foreach(jx_arr(answer, "results"), i, doc) {
            printf("%s  %-10s %s%s%s\n", jx_str_or(doc, "id", ""), jx_str_or(doc, "status", ""), cli_bold(cli),
                   jx_str_or(doc, "title", ""), cli_plain(cli));
        }
        fprintf(stderr, "%lld documents\n", (long long)jx_int(answer, "count", 0));
    }
    json_decref(answer);
    free(path);
    return code;
}

/* kb gaps: what customers asked and the knowledge did not answer, the most asked first. */
static enum cli_exit kb_gaps(struct cli *cli, const char *agent)
{
    char *path = xasprintf("/api/v1/analytics/knowledge-gaps/?agent_id=%s&limit=%s", agent,
                           cli->flags[FLAG_LIMIT] != NULL ? cli->flags[FLAG_LIMIT] : "20");
    json_t *answer = NULL, *gap;
    enum cli_exit code = client_call(cli, "GET", path, NULL, &answer);
    size_t i;
    if (code == EXIT_DONE && cli->json) {
        cli_print_json(answer);
    } else if (code == EXIT_DONE) {
        json_array_foreach (jx_arr(answer, "results"), i, gap) {
            printf("%4lldx  %-8s  %s%s%s\n", (long long)jx_int(gap, "count", 0), jx_str_or(gap, "status", ""),
                   cli_bold(cli), jx_str_or(gap, "question", ""), cli_plain(cli));
        }
        fprintf(stderr, "%lld gaps\n", (long long)jx_int(answer, "count", 0));
    }
    json_decref(answer);
    free(path);
    return code;
}

/* kb rm ID... */
static enum cli_exit kb_remove(struct cli *cli, const char *agent)
{
    if (cli->arg_count < 2) {
        return cli_fail(EXIT_USAGE, "kb rm needs document ids; see chasqui kb ls");
    }
    enum cli_exit code = EXIT_DONE;
    for (int i = 1; i < cli->arg_count && code == EXIT_DONE; i++) {
        struct buf path;
        buf_init(&path, 1024);
        buf_addf(&path, "/api/v1/agents/%s/knowledge/", agent);
        percent_encode(&path, cli->args[i], strlen(cli->args[i]));
        buf_addc(&path, '/');
        code = client_call(cli, "DELETE", buf_str(&path), NULL, NULL);
        buf_fini(&path);
    }
    return code;
}

/* The figures as one object. */
static void print_figures_json(const struct kb_eval_result *r)
{
    const struct {
        const char *name;
        double value;
    } figures[] = {{"ndcg@10", r->ndcg10},
                   {"recall@10", r->recall10},
                   {"mrr@10", r->mrr10},
                   {"p@1", r->p1},
                   {"served", r->served},
                   {"outside_recall", r->outside_recall},
                   {"wrong", r->wrong},
                   {"calibration_error", r->calibration_error},
                   {"index_us", r->index_us},
                   {"query_us", r->query_us}};
    json_t *report = json_object();
    jx_set_int(report, "documents", (int64_t)r->documents);
    jx_set_int(report, "queries", (int64_t)r->queries);
    jx_set_int(report, "outside", (int64_t)r->outside);
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        jx_set(report, figures[i].name, json_real(figures[i].value));
    }
    cli_print_json(report);
    json_decref(report);
}

/* The figures for people. */
static void print_figures(const struct kb_eval_result *r)
{
    printf("%zu documents, %zu questions with an answer, %zu without\n", r->documents, r->queries, r->outside);
    printf("nDCG@10 %.4f  Recall@10 %.4f  MRR@10 %.4f  P@1 %.4f\n", r->ndcg10, r->recall10, r->mrr10, r->p1);
    if (r->outside > 0) {
        printf("answered and right %.4f, without an answer and handed over %.4f, wrong answers %.4f\n", r->served,
               r->outside_recall, r->wrong);
    }
    printf("calibration error %.4f, %.0f us a document, %.0f us a question\n", r->calibration_error, r->index_us,
           r->query_us);
}

/* kb eval DIR: indexes the folder's corpus in memory; nothing of the account is touched. */
static enum cli_exit kb_eval_command(struct cli *cli)
{
    if (cli->arg_count != 2) {
        return cli_fail(EXIT_USAGE, "kb eval needs one folder with corpus.jsonl, queries.jsonl and qrels.tsv");
    }
    struct kb_eval_options options = {.dir = cli->args[1],
                                      .queries = cli->flags[FLAG_QUERIES],
                                      .run = cli->flags[FLAG_RUN],
                                      .threshold = EVAL_THRESHOLD};
    struct kb_eval_result result;
    struct buf why;
    buf_init(&why, 4096);
    enum err rc = kb_eval(&options, &result, &why);
    enum cli_exit code = EXIT_DONE;
    if (rc != ERR_OK) {
        code = cli_fail(rc == ERR_NOTFOUND ? EXIT_NOT_FOUND : EXIT_REFUSED, "%s", buf_str(&why));
    } else if (cli->json) {
        print_figures_json(&result);
    } else {
        print_figures(&result);
    }
    buf_fini(&why);
    return code;
}

enum cli_exit cli_kb(struct cli *cli)
{
    static const struct {
        const char *name;
        enum cli_exit (*run)(struct cli *, const char *);
    } verbs[] = {{"push", kb_push}, {"search", kb_search_command}, {"ls", kb_list}, {"gaps", kb_gaps}, {"rm", kb_remove}};
    const char *verb = cli_arg(cli, 0);
    if (verb != NULL && strcmp(verb, "eval") == 0) {
        return kb_eval_command(cli);
    }
    for (size_t i = 0; verb != NULL && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verb, verbs[i].name) == 0) {
            char *agent = NULL;
            enum cli_exit code = client_agent(cli, &agent);
            if (code == EXIT_DONE) {
                code = verbs[i].run(cli, agent);
            }
            free(agent);
            return code;
        }
    }
    return cli_fail(EXIT_USAGE, "kb needs one of: push, search, ls, gaps, rm, eval");
}
