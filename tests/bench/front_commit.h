/* front_commit.h: the benchmark front's third mode: the raw body and its job in one durable commit, then 200.
 */
#ifndef CHASQUI_BENCH_FRONT_COMMIT_H
#define CHASQUI_BENCH_FRONT_COMMIT_H

#include "queue/base/error.h"

struct http_request;
struct store;

/* Opens a store in the directory dir. */
enum err front_commit_open(const char *dir, struct store **out) MUST_CHECK;
/* Answers the request when its body is durable. On the request's loop. */
void front_commit(struct store *store, struct http_request *req);
/* Answers with the store's counters, under the names the daemon's /metrics uses. */
void front_commit_figures(struct store *store, struct http_request *req);

#endif
