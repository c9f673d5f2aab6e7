/* httpc_pool.h: kept connections: one libcurl multi handle for each pool name, driven by one loop.
 *
 * libcurl shares connections, name look-ups and pins between all transfers of a multi handle, so each pool
 * name has one of its own, and trusted and untrusted transfers of the same name have two. A pool without
 * transfers keeps its connections for a minute, then it is freed. Private to httpc.c. Thread: the loop's own.
 */
#ifndef CHASQUI_BASE_HTTPC_POOL_H
#define CHASQUI_BASE_HTTPC_POOL_H

#include <stdbool.h>

#include <curl/curl.h>

struct loop;
struct httpc_pool;
struct httpc_pools;

/* A transfer ended by itself. It has been taken out of its pool; never called from inside libcurl. */
typedef void (*httpc_pool_done_fn)(CURL *easy, CURLcode code);

struct httpc_pools *httpc_pools_new(struct loop *loop, httpc_pool_done_fn done);
/* No transfer is in any pool. */
void httpc_pools_free(struct httpc_pools *pools);

struct httpc_handle;
struct httpc_request;
/* A handle for the request: one that the same pool used before, at best for the same URL, or a new one. */
struct httpc_handle *httpc_pool_handle(struct httpc_pools *pools, const struct httpc_request *request);
/* Takes back a handle that is in no pool; what it points to may be freed afterwards. */
void httpc_pool_spare(struct httpc_pools *pools, const char *name, bool trusted, struct httpc_handle *handle);

/* Adds a transfer to the pool of that name (NULL: the shared one). Never calls done itself; httpc_pools_begin
 * has to follow in the same turn of the loop. */
struct httpc_pool *httpc_pool_add(struct httpc_pools *pools, const char *name, bool trusted, CURL *easy);
/* Lets libcurl begin with all that were added, together. Calls done of those that end at once. */
void httpc_pools_begin(struct httpc_pools *pools);
/* A socket was opened for one of the pool's transfers. */
void httpc_pool_opened(struct httpc_pool *pool, int fd);
/* Takes a transfer out that has not ended. Not from inside libcurl. */
void httpc_pool_remove(struct httpc_pool *pool, CURL *easy);

#endif
