/* rerank.c: one call of a reranker. Cohere's and Jina's shape: {model, query, documents, top_n} ->
 * {"results": [{index, relevance_score}]}; that of text-embeddings-inference: {query, texts} -> [{index,
 * score}]. */
#include <stdlib.h>
#include <string.h>

#include "agent/embed/embed.h"

#include "agent/embed/side.h"
#include "agent/profile/profile.h"

#define ANSWER_MAX ((size_t)256 << 10)

struct calling {
    rerank_done_fn done;
    void *arg;
    size_t count;
};

/* What the answer says of one passage. */
struct scored {
    size_t at;
    double score;
};

/* What differs between the shapes. */
static const struct shape {
    const char *name, *texts;
    bool bare;
} shapes[] = {
    {"cohere", "documents", false},
    {"jina", "documents", false},
    {"tei", "texts", true},
};

const json_t *rerank_settings(const json_t *agent)
{
    return jx_obj(jx_obj(agent, "knowledge"), "rerank");
}

static const struct shape *shape_of(const json_t *own)
{
    const char *name = jx_str_or(own, "shape", "cohere");
    size_t i = sizeof shapes / sizeof *shapes - 1;

    while (i > 0 && strcmp(shapes[i].name, name) != 0) {
        i--;
    }
    return &shapes[i];
}

static int scored_order(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;

    if (x->score > y->score || x->score < y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return (x->at > y->at) - (x->at < y->at);
}

/* Reads the order; passages that the server leaves out follow as they stood. False: it is no order. */
static bool order_read(const json_t *body, size_t count, size_t order[EMBED_RERANK])
{
    struct scored rows[EMBED_RERANK];
    bool seen[EMBED_RERANK] = {false};
    const json_t *list = json_is_array(body) ? body : jx_arr(body, "results"), *row;
    size_t found = 0, i;

    json_array_foreach (list, i, row) {
        int64_t at = jx_int(row, "index", -1);
        double score = jx_num(row, "relevance_score", jx_num(row, "score", 0));
        if (at < 0 || (size_t)at >= count || seen[at]) {
            return false;
        }
        seen[at] = true;
        rows[found++] = (struct scored){(size_t)at, score};
    }
    if (found == 0) {
        return false;
    }
    qsort(rows, found, sizeof *rows, scored_order);
    for (i = 0; i < found; i++) {
        order[i] = rows[i].at;
    }
    for (i = 0; i < count; i++) {
        if (!seen[i]) {
            order[found++] = i;
        }
    }
    return true;
}

static void answered(const struct httpc_answer *answer, void *arg)
{
    struct calling *c = arg;
    size_t order[EMBED_RERANK];
    json_t *body = NULL;
    bool good = answer->outcome == HTTPC_ANSWERED && answer->status >= 200 && answer->status <= 299 &&
                jx_parse_lenient(answer->body, answer->body_size, &body) == ERR_OK &&
                order_read(body, c->count, order);

    c->done(good ? order : NULL, answer->outcome == HTTPC_CANCELLED, c->arg);
    json_decref(body);
    free(c);
}

/* The body of the request; new reference. */
static json_t *body_of(const struct rerank_call *call, const json_t *own)
{
    const struct shape *shape = shape_of(own);
    json_t *body = json_object(), *texts = json_array();

    if (!shape->bare && jx_str(own, "name") != NULL) {
        jx_set_str(body, "model", jx_str(own, "name"));
    }
    jx_set(body, "query", side_text(call->question));
    for (size_t i = 0; i < call->count; i++) {
        jx_push(texts, side_text(call->texts[i]));
    }
    jx_set(body, shape->texts, texts);
    if (shape->bare) {
        jx_set_bool(body, "raw_scores", false);
    } else {
        jx_set_int(body, "top_n", (int64_t)call->count);
    }
    return body;
}

void rerank_start(struct httpc *http, const struct rerank_call *call, rerank_done_fn done, void *arg)
{
    struct calling *c = xcalloc(1, sizeof *c);
    const json_t *own = rerank_settings(call->agent);
    struct buf key;

    CHECK(call->count <= EMBED_RERANK);
    *c = (struct calling){.done = done, .arg = arg, .count = call->count};
    buf_init(&key, SIDE_KEY_MAX);
    enum err opened = agent_rerank_key(call->part, call->agent, &key);
    if (opened != ERR_OK && opened != ERR_NOTFOUND) {
        done(NULL, false, arg);
        free(c);
    } else {
        json_t *body = body_of(call, own);
        struct side_post post = {.part = call->part,
                                 .base_url = jx_str_or(own, "base_url", ""),
                                 .path = "/rerank",
                                 .key = buf_str(&key),
                                 .body = body,
                                 .total_ms = call->total_ms,
                                 .max_answer = ANSWER_MAX};
        side_send(http, &post, answered, c);
        json_decref(body);
    }
    side_key_fini(&key);
}
