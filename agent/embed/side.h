/* side.h: one JSON request to a server beside the model. Private to the room. */
#ifndef CHASQUI_AGENT_EMBED_SIDE_H
#define CHASQUI_AGENT_EMBED_SIDE_H

#include "queue/base/buf.h"
#include "queue/base/httpc.h"
#include "queue/base/json.h"

#define SIDE_KEY_MAX 8192

struct side_post {
    const char *part, *base_url;
    const char *path; /* "/embeddings": comes before the base URL's query, if it has one */
    const char *key;  /* in clear, "" none */
    const json_t *body;
    int total_ms;
    size_t max_answer;
};
void side_send(struct httpc *http, const struct side_post *post, httpc_done_fn done, void *arg);
/* Wipes and frees. */
void side_key_fini(struct buf *key);
/* A text as it is sent: not longer than EMBED_TEXT_MAX, cut between letters. New reference. */
json_t *side_text(const char *text);

#endif
