/* question.c: a question on its way through the servers, for whoever searches. */
#include <stdlib.h>
#include <string.h>

#include "agent/embed/embed.h"

#include "kb/dot.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"
#include "queue/base/option.h"

struct embed_question {
    struct arena *arena;
    struct kb_vector vector;
    void (*fn)(void *arg);
    void *arg;
    bool found;
    bool inside; /* embed_start has not returned */
};

/* Keeps the vector, and goes on; not if the loop ends. */
static void embedded(const struct embed_result *result, void *arg)
{
    struct embed_question *q = arg;

    if (result->outcome == EMBED_CANCELLED) {
        return;
    }
    if (result->outcome == EMBED_DONE) {
        int8_t *parts = arena_alloc(q->arena, result->dimensions);
        q->vector.scale = kb_quantise(result->vectors, result->dimensions, parts);
        q->vector.dimensions = result->dimensions;
        q->vector.parts = parts;
        q->found = q->vector.scale > 0;
    } else {
        log_info("embed.question", "by_words_alone=%s", result->why);
    }
    if (q->inside) {
        loop_post(loop_current(), q->fn, q->arg);
    } else {
        q->fn(q->arg);
    }
}

struct embed_question *embed_question_new(struct httpc *http, const char *part, const json_t *agent,
                                          const char *text, struct arena *arena, void (*fn)(void *arg),
                                          void *arg)
{
    const json_t *own = embed_settings(agent);

    if (own == NULL || text == NULL || text[0] == '\0') {
        return NULL;
    }
    struct embed_question *q = arena_alloc(arena, sizeof *q);
    *q = (struct embed_question){.arena = arena, .fn = fn, .arg = arg, .inside = true};
    embed_mark(own, q->vector.model);
    q->vector.certain = jx_num(own, "certain", EMBED_CERTAIN);
    struct embed_call call = {.part = part,
                              .agent = agent,
                              .texts = &text,
                              .count = 1,
                              .total_ms = (int)option_int(OPT_EMBED_TIME)};
    embed_start(http, &call, embedded, q);
    q->inside = false;
    return q;
}

const struct kb_vector *embed_question_vector(const struct embed_question *q)
{
    return q != NULL && q->found ? &q->vector : NULL;
}

/* Passages that are being reranked. */
struct reranking {
    struct kb_result *result;
    size_t count;
    void (*fn)(void *arg);
    void *arg;
    bool inside;
};

static void reranked(const size_t *order, bool cancelled, void *arg)
{
    struct reranking *r = arg;
    struct kb_hit hits[EMBED_RERANK];

    if (cancelled) {
        return;
    }
    if (order != NULL) {
        memcpy(hits, r->result->hits, r->count * sizeof *hits);
        for (size_t i = 0; i < r->count; i++) {
            double score = hits[i].score;
            r->result->hits[i] = hits[order[i]];
            r->result->hits[i].score = score; /* of the place, so that scores fall */
        }
    } else {
        log_info("embed.rerank", "kept_order=1");
    }
    if (r->inside) {
        loop_post(loop_current(), r->fn, r->arg);
    } else {
        r->fn(r->arg);
    }
}

bool embed_rerank(struct httpc *http, const char *part, const json_t *agent, const char *text,
                  struct kb_result *result, struct arena *arena, void (*fn)(void *arg), void *arg)
{
    if (rerank_settings(agent) == NULL || result->count < 2) {
        return false;
    }
    struct reranking *r = arena_alloc(arena, sizeof *r);
    size_t count = result->count < EMBED_RERANK ? result->count : EMBED_RERANK;
    const char **texts = arena_alloc(arena, count * sizeof *texts);
    for (size_t i = 0; i < count; i++) {
        const struct kb_chunk *chunk = &result->hits[i].chunk;
        texts[i] = arena_printf(arena, "%s\n%s", chunk->title, chunk->text);
    }
    *r = (struct reranking){.result = result, .count = count, .fn = fn, .arg = arg, .inside = true};
    struct rerank_call call = {.part = part,
                               .agent = agent,
                               .question = text,
                               .texts = texts,
                               .count = count,
                               .total_ms = (int)option_int(OPT_RERANK_TIME)};
    rerank_start(http, &call, reranked, r);
    r->inside = false;
    return true;
}
