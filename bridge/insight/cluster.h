/* cluster.h: questions that mean the same, gathered as they come.
 *
 * Two questions mean the same when the words that matter in them are alike (terms.h), or nearly so and the
 * answer to both rested on the same passage of the knowledge: there the index has said what they are about.
 * The first question of a cluster stands for it. Thread: the owner's. */
#ifndef CHASQUI_INSIGHT_CLUSTER_H
#define CHASQUI_INSIGHT_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/base/json.h"

#define CLUSTERS_MOST    300 /* more kinds of questions than that are not told apart */
#define CLUSTER_EXAMPLES 3

struct question {
    const char *text, *message_id, *conversation_id, *agent_id;
    const char *passage; /* id of the chunk the answer rests on; NULL: none */
    bool answered;
    double confidence; /* < 0: unknown */
    const char *asked_at;
};
struct clusters;
struct clusters *clusters_new(void);
void clusters_free(struct clusters *clusters);
/* False: the text asks nothing that could be told apart (it has no word that matters). */
bool clusters_add(struct clusters *clusters, const struct question *question);
/* The largest first, at most limit: [{"question", "count", "answered", "answered_share", "confidence"|null,
 * "last_asked_at", "agent_id", "examples": [{"message_id", "conversation_id", "text", "asked_at"}]}].
 * Questions come newest first. */
json_t *clusters_list(struct clusters *clusters, size_t limit);

#endif
