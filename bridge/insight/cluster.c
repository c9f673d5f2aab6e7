/* cluster.c: one pass, each question to the cluster it is most alike, or to one of its own. */
#include "bridge/insight/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/insight/terms.h"

#define ALIKE         0.51 /* half of the words is not enough: the price of this, the price of that */
#define PASSAGE_BONUS 0.3  /* for the same passage ... */
#define PASSAGE_LEAST 0.2  /* ... where the words are at least so alike */
#define PASSAGE_SIZE  64

struct cluster {
    struct terms *terms;
    char passage[PASSAGE_SIZE];
    size_t order;
    int64_t count, answered, rated;
    double confidence; /* sum over those rated */
    json_t *shown;
};

struct clusters {
    struct cluster rows[CLUSTERS_MOST];
    size_t count;
};

struct clusters *clusters_new(void)
{
    return xcalloc(1, sizeof(struct clusters));
}

void clusters_free(struct clusters *clusters)
{
    for (size_t i = 0; clusters != NULL && i < clusters->count; i++) {
        terms_free(clusters->rows[i].terms);
        json_decref(clusters->rows[i].shown);
    }
    free(clusters);
}

/* The cluster the question belongs to, NULL if to none. */
static struct cluster *find(struct clusters *clusters, const struct terms *terms, const char *passage)
{
    struct cluster *best = NULL;
    double most = 0;

    for (size_t i = 0; i < clusters->count; i++) {
        struct cluster *each = &clusters->rows[i];
        double likeness = terms_likeness(terms, each->terms);
        if (passage != NULL && likeness >= PASSAGE_LEAST && strcmp(passage, each->passage) == 0) {
            likeness += PASSAGE_BONUS;
        }
        if (likeness >= ALIKE && likeness > most) {
            best = each;
            most = likeness;
        }
    }
    return best;
}

static struct cluster *begin(struct clusters *clusters, struct terms *terms, const struct question *question)
{
    struct cluster *cluster = &clusters->rows[clusters->count];

    cluster->terms = terms;
    cluster->order = clusters->count++;
    cluster->shown = json_object();
    jx_set_str(cluster->shown, "question", question->text);
    jx_set_str(cluster->shown, "agent_id", question->agent_id);
    jx_set_str(cluster->shown, "last_asked_at", question->asked_at);
    jx_set(cluster->shown, "examples", json_array());
    return cluster;
}

static void count(struct cluster *cluster, const struct question *question)
{
    json_t *examples = jx_arr(cluster->shown, "examples");

    cluster->count++;
    cluster->answered += question->answered;
    if (question->confidence >= 0) {
        cluster->rated++;
        cluster->confidence += question->confidence;
    }
    if (cluster->passage[0] == '\0' && question->passage != NULL &&
        strlen(question->passage) < PASSAGE_SIZE) {
        memcpy(cluster->passage, question->passage, strlen(question->passage) + 1);
    }
    if (json_array_size(examples) < CLUSTER_EXAMPLES) {
        json_t *example = json_object();
        jx_set_str(example, "message_id", question->message_id);
        jx_set_str(example, "conversation_id", question->conversation_id);
        jx_set_str(example, "text", question->text);
        jx_set_str(example, "asked_at", question->asked_at);
        jx_push(examples, example);
    }
}

bool clusters_add(struct clusters *clusters, const struct question *question)
{
    struct terms *terms = terms_of(question->text);
    struct cluster *cluster = find(clusters, terms, question->passage);
    bool asks = terms_count(terms) > 0;

    if (cluster == NULL && asks && clusters->count < CLUSTERS_MOST) {
        cluster = begin(clusters, terms, question);
        terms = NULL;
    }
    if (cluster != NULL) {
        count(cluster, question);
    }
    terms_free(terms);
    return asks;
}

static int by_count(const void *a, const void *b)
{
    const struct cluster *left = a, *right = b;

    if (left->count != right->count) {
        return left->count < right->count ? 1 : -1;
    }
    return left->order < right->order ? -1 : 1;
}

json_t *clusters_list(struct clusters *clusters, size_t limit)
{
    json_t *list = json_array();

    qsort(clusters->rows, clusters->count, sizeof *clusters->rows, by_count);
    for (size_t i = 0; i < clusters->count && i < limit; i++) {
        const struct cluster *each = &clusters->rows[i];
        jx_set_int(each->shown, "count", each->count);
        jx_set_int(each->shown, "answered", each->answered);
        jx_set(each->shown, "answered_share", json_real((double)each->answered / (double)each->count));
        jx_set(each->shown, "confidence",
               each->rated > 0 ? json_real(each->confidence / (double)each->rated) : json_null());
        jx_push(list, json_incref(each->shown));
    }
    return list;
}
