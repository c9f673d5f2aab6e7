/* embed.h: search by meaning, with models of somebody else: who embeds passages and questions, who reranks.
 *
 * Both are optional settings of an agent (agent/tbl_agent.h): /knowledge/embedding {base_url, name, api_key?,
 * dimensions?, certain?} is a server that has OpenAI's POST /embeddings; /knowledge/rerank {base_url, shape,
 * name?, api_key?} one that has POST /rerank. Scope: a collection is embedded with the model of the agent
 * that owns it (the collection the agent was made with); one that no agent owns is searched by words. A
 * question is embedded with the model of the agent that is asked, and meets the vectors of all its
 * collections that were made with that same model (address, name and dimensions).
 *
 * certain is the cosine from which a passage is trusted that words do not find (kb.h), .8 unless set: what is
 * near differs from model to model. Of a reranker only the order is used, because scores differ too; the
 * confidence of a result stays what it was.
 *
 * Passages are embedded in the background by QUEUE_EMBED, one lane for each collection, as the index follows
 * the store. Whatever these servers do, search works by words alone: a question waits knowledge.embed_time
 * and knowledge.rerank_time at most. Addresses are a customer's and pass the private-address defence. Neither
 * text nor vectors nor keys reach the log. Thread: the loop of the httpc that is used. */
#ifndef CHASQUI_AGENT_EMBED_EMBED_H
#define CHASQUI_AGENT_EMBED_EMBED_H

#include "kb/kb.h"
#include "queue/base/json.h"

struct httpc;
struct kb;
struct workers;

#define EMBED_BATCH    64 /* texts in one call */
#define EMBED_RERANK   20 /* passages that are reranked */
#define EMBED_CERTAIN  .8
#define EMBED_TEXT_MAX 8000 /* bytes of one text */

/* The settings; NULL if the agent has none. */
const json_t *embed_settings(const json_t *agent);
const json_t *rerank_settings(const json_t *agent);
/* What marks vectors of these settings. */
void embed_mark(const json_t *settings, uint8_t mark[KB_MODEL_MARK]);

/* ---- one call of an embedding server (server.c) ---- */
enum embed_outcome {
    EMBED_DONE,
    EMBED_LATER,     /* it may pass */
    EMBED_TOO_LARGE, /* with fewer or shorter texts it may work */
    EMBED_REFUSED,
    EMBED_CANCELLED, /* the loop ends: go no further */
};
struct embed_result {
    enum embed_outcome outcome;
    const float
        *vectors; /* DONE: count times dimensions, in the order of the texts; good until done returns */
    size_t count, dimensions;
    const char *why; /* else; for people */
};
typedef void (*embed_done_fn)(const struct embed_result *result, void *arg);
struct embed_call {
    const char *part;
    const json_t *agent;
    const char *const *texts;
    size_t count; /* 1..EMBED_BATCH */
    int total_ms;
};
/* Reads the call before it returns. done exactly once, later or at once. */
void embed_start(struct httpc *http, const struct embed_call *call, embed_done_fn done, void *arg);

/* ---- one call of a reranker (rerank.c) ---- */
struct rerank_call {
    const char *part;
    const json_t *agent;
    const char *question;
    const char *const *texts;
    size_t count; /* 1..EMBED_RERANK */
    int total_ms;
};
/* order: positions in texts, best first, each once; NULL: it did not work. cancelled: the loop ends. */
typedef void (*rerank_done_fn)(const size_t *order, bool cancelled, void *arg);
void rerank_start(struct httpc *http, const struct rerank_call *call, rerank_done_fn done, void *arg);

/* ---- a question (question.c) ---- */
struct embed_question;
/* Begins to embed a question. NULL: the agent has no embedding server. fn(arg) later, or never if the loop
 * ends first; never inside. */
struct embed_question *embed_question_new(struct httpc *http, const char *part, const json_t *agent,
                                          const char *text, struct arena *arena, void (*fn)(void *arg),
                                          void *arg);
/* The vector; NULL: it came late, or not at all. The arena's. */
const struct kb_vector *embed_question_vector(const struct embed_question *question);
/* Begins to rerank what was found. False: the agent has no reranker, or there is nothing to order. fn(arg) as
 * above; result is then in the new order. */
bool embed_rerank(struct httpc *http, const char *part, const json_t *agent, const char *text,
                  struct kb_result *result, struct arena *arena, void (*fn)(void *arg), void *arg);

/* ---- the background (backfill.c) ---- */
/* The handler of QUEUE_EMBED, and what pushes its jobs. Before the workers start; kb outlives them. */
void embed_register(struct workers *workers, struct store *store, struct kb *kb);

#endif
