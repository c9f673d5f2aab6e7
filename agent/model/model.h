/* model.h: one shape for every way to write an answer: a request in; pieces of text, calls of tools and one
 * end out.
 *
 * A generator is a row of model.c: "extractive" says the sentences of the best passage, "openai" asks a
 * chat-completions server, "anthropic" one that speaks Anthropic Messages. What a server sends stays inside
 * its adapter: the turn sees text, tool calls, an end with a class (errors.h) and usage. Thread: the loop of
 * the httpc that is used; events come on it. */
#ifndef CHASQUI_AGENT_MODEL_MODEL_H
#define CHASQUI_AGENT_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/model/errors.h"
#include "kb/kb.h"
#include "queue/base/arena.h"

struct httpc;

/* What the model says when the sources do not answer; never shown to a customer. */
#define MODEL_NO_ANSWER "[[no_answer]]"
#define MODEL_PARTS     4
#define MODEL_IMAGES    4
#define MODEL_PAPERS    3
#define MODEL_TEXT_MAX  (64u << 10) /* bytes of text taken from one answer */
#define MODEL_CALLS     8           /* tool calls taken from one answer; more are dropped */
#define MODEL_CALL_MAX  (32u << 10) /* bytes of one call's arguments */

struct model_config {
    const char *provider; /* a row's name */
    const char *base_url, *name;
    const char *api_key; /* "" for none */
    const char *pool;    /* connections are not shared between pools: the partition */
    double temperature;  /* < 0: not sent */
    unsigned max_output_tokens, context_tokens;
    bool stream;
};

struct model_line {
    bool from_customer;
    const char *text;
};

/* One message of a burst and the passage that answers it. */
struct model_part {
    const char *question;
    const struct kb_hit *hit;
};

/* A picture that the customer sent with the question. Its bytes are a blob: the adapter reads it when it
 * builds the request (blob_get) and leaves out what cannot be read; it was sniffed and its size is bounded. */
struct model_image {
    const char *mime_type; /* image/jpeg, image/png, image/webp, image/gif */
    const char *sha256;
};

/* A document that the customer sent with the question; untrusted, both. */
struct model_paper {
    const char *name, *text;
};

struct model_request {
    const char *agent_name, *persona, *tone, *style; /* trusted: written by the account */
    bool cite;                                       /* ask for source marks */
    const char *canary;                              /* in the system part; must never come back */
    const struct model_line *history;                /* oldest first; untrusted */
    size_t history_count;
    const char *question;             /* what the customer wrote since the last answer; untrusted */
    const struct kb_result *passages; /* untrusted */
    const struct model_part *parts;   /* where a burst asks several things; extractive answers each */
    size_t part_count;                /* at most MODEL_PARTS */
    const struct model_image *images; /* beside the question; at most MODEL_IMAGES; 0 where the model is blind */
    size_t image_count;
    const struct model_paper *papers; /* at most MODEL_PAPERS */
    size_t paper_count;
    int64_t now_ms;                   /* wall time, for the date in the prompt */
    const char *time_zone;            /* IANA name for that date; NULL: UTC */
    const char *hours;                /* the business's, as text; trusted; NULL: not said */
    const char *contact;              /* the customer's name; untrusted; NULL: unknown */
    const char *summary;              /* of what was said before history; untrusted; NULL: none */
    const json_t *tools;  /* array {"name", "description", "parameters": JSON Schema}; NULL: none */
    const json_t *rounds; /* earlier rounds of this answer: array {"text", "calls": [{"id", "name",
                             "arguments": text}], "results": [{"id", "text", "error"}]}; untrusted */
    bool tools_over;      /* the tools are shown but may not be called any more */
    const char *task; /* trusted; not an answer to a customer but this, about the question; NULL: answer */
    const json_t *schema; /* JSON Schema the task's answer keeps to, where the server can; NULL: text */
    unsigned shrink;      /* each step halves the room for history and passages */
    int64_t time_ms;      /* the whole generation must end within this */
    int64_t first_ms;     /* the first piece must come within this; 0: no bound of its own */
};

struct model_usage {
    bool known;
    int64_t input, output, cached, reasoning;
};

enum model_event_kind { MODEL_TEXT, MODEL_TOOL, MODEL_END };
struct model_event {
    enum model_event_kind kind;
    const char *text; /* TEXT: a piece, good until the callback returns */
    size_t size;
    const char *call_id, *tool, *arguments; /* TOOL: good until the callback returns; arguments as the model
                                               wrote them, which may be no JSON */
    /* END: */
    enum model_class class;
    bool truncated;                 /* the model stopped at its length limit */
    int64_t retry_ms;               /* wait the server asks for, -1: none */
    long status;                    /* HTTP status of the last answer, 0: none */
    const char *request_id, *model; /* the server's words, "" if none */
    struct model_usage usage;
};
typedef void (*model_event_fn)(const struct model_event *event, void *arg);

struct model_call;
/* Begins one generation. config and request are read before it returns, texts are copied as needed. TEXT
 * events, TOOL events if the answer is good, then exactly one END, which may come before model_start returns.
 * Returns NULL when it already ended; otherwise a handle that is good until END. arena: the turn's. */
struct model_call *model_start(const struct model_config *config, const struct model_request *request,
                               struct httpc *http, struct arena *arena, model_event_fn fn, void *arg);
/* No event comes afterwards. */
void model_cancel(struct model_call *call);

/* True if a row has this name. model_is_local: it needs no network. */
bool model_known(const char *provider);
bool model_is_local(const char *provider);

/* The passages that the extractive answer is made of: each part's, or the best and what stands beside it. At
 * least one if anything was found; returns how many. */
size_t model_extract_parts(const struct model_request *request, struct model_part out[MODEL_PARTS]);
/* The extractive answer itself: the sentences of those passages that answer; NULL if there are none. */
const char *model_extract(const struct model_request *request, struct arena *arena);

#endif
