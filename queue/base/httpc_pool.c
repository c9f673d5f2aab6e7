/* httpc_pool.c: libcurl's multi interface on libevent.
 *
 * libcurl tells which sockets it wants watched (on_want) and when it wants to be woken (on_want_timer); we
 * tell it what happened and then read who has ended. Sockets and the timer are libevent events inside our
 * structs. libcurl gives a socket up after each transfer and wants it again with the next one, mostly for the
 * same: one that we opened for it stays in the kernel's list until libcurl closes it (on_close), unless it
 * has something to say meanwhile.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <uthash.h>
#include <utlist.h>

#include "queue/base/buf.h"
#include "queue/base/httpc_parts.h"
#include "queue/base/httpc_pool.h"
#include "queue/base/loop.h"

#define KEEP_MS    60000 /* how long a pool without transfers keeps its connections */
#define KEEP_POOLS 512   /* with more pools than this an idle one goes at once */
#define CONNECTIONS \
    256L              /* idle connections kept in one pool: as many as may be in flight, or they die young */
#define KEY_MOST 4096 /* bytes of a pool's name */
#define SPARES   64   /* handles kept in one pool for the next transfers */

struct watch {
    int fd;
    struct event event;
    struct httpc_pool *pool;
    short events; /* in the kernel's list for; 0: it is not there */
    bool opened;  /* by httpc_pool_opened: it lives until on_close */
    bool wanted;  /* by a transfer */
    UT_hash_handle hh;
};

struct httpc_pool {
    struct httpc_pools *all;
    char *key; /* 't' or 'u' for trusted or not, then the name; the shared pool has only the letter */
    UT_hash_handle hh;
    CURLM *multi;
    struct event timer;
    struct watch *watches; /* by fd */
    size_t users;
    struct loop_timer *idle;
    bool fresh;                          /* transfers were added that libcurl has not begun with */
    struct httpc_pool *waiting;          /* the next of those with fresh ones */
    struct httpc_handle *spares[SPARES]; /* the last one rested last */
    size_t spare_count;
};

struct httpc_pools {
    struct loop *loop;
    httpc_pool_done_fn done;
    struct httpc_pool *table;
    struct httpc_pool *waiting;
    struct buf key; /* room to put one together */
};

/* Takes a socket out of the kernel's list. */
static void watch_stop(struct watch *watch)
{
    if (watch->events != 0) {
        event_del(&watch->event);
        watch->events = 0;
    }
}

/* Ends watching a socket. */
static void watch_free(struct watch *watch)
{
    watch_stop(watch);
    HASH_DEL(watch->pool->watches, watch);
    free(watch);
}

/* The watch over a socket; NULL if there is none. */
static struct watch *watch_find(struct httpc_pool *pool, int fd)
{
    struct watch *watch;

    HASH_FIND_INT(pool->watches, &fd, watch);
    return watch;
}

static struct watch *watch_new(struct httpc_pool *pool, int fd)
{
    struct watch *watch = xcalloc(1, sizeof(*watch));

    watch->fd = fd;
    watch->pool = pool;
    HASH_ADD_INT(pool->watches, fd, watch);
    return watch;
}

void httpc_pool_opened(struct httpc_pool *pool, int fd)
{
    struct watch *watch = watch_find(pool, fd);

    if (watch != NULL) {
        watch_free(watch);
    }
    watch_new(pool, fd)->opened = true;
}

/* libcurl: close a socket that was opened for this pool. */
static int on_close(void *arg, curl_socket_t s)
{
    struct watch *watch = watch_find(arg, s);

    if (watch != NULL) {
        watch_free(watch);
    }
    return close(s);
}

/* Frees a pool and closes its connections. */
static void pool_free(struct httpc_pool *pool)
{
    CHECK(pool->users == 0);
    HASH_DEL(pool->all->table, pool);
    loop_cancel(pool->idle);
    while (pool->spare_count > 0) {
        httpc_handle_free(pool->spares[--pool->spare_count]);
    }
    curl_multi_cleanup(pool->multi);
    event_del(&pool->timer);
    while (pool->watches != NULL) {
        watch_free(pool->watches);
    }
    free(pool->key);
    free(pool);
}

/* A pool has been without transfers for long enough. */
static void on_idle(void *arg)
{
    struct httpc_pool *pool = arg;

    pool->idle = NULL;
    pool_free(pool);
}

/* Counts one transfer less; the last one starts the pool's idle time. */
static void user_gone(struct httpc_pool *pool)
{
    CHECK(pool->users > 0);
    pool->users--;
    if (pool->users == 0) {
        int wait = HASH_COUNT(pool->all->table) > KEEP_POOLS ? 0 : KEEP_MS;
        pool->idle = loop_after(pool->all->loop, wait, on_idle, pool);
    }
}

/* Reads who has ended and reports each. */
static void reap(struct httpc_pool *pool)
{
    httpc_pool_done_fn done = pool->all->done;
    int left;
    CURLMsg *message = curl_multi_info_read(pool->multi, &left);

    while (message != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        CHECK(message->msg == CURLMSG_DONE);
        curl_multi_remove_handle(pool->multi, easy);
        user_gone(pool);
        done(easy, code);
        message = curl_multi_info_read(pool->multi, &left);
    }
}

/* Tells libcurl what happened, then looks who ended. */
static void act(struct httpc_pool *pool, curl_socket_t s, int what)
{
    int running;

    curl_multi_socket_action(pool->multi, s, what, &running);
    reap(pool);
}

/* libevent: a socket is ready. */
static void on_ready(evutil_socket_t s, short what, void *arg)
{
    struct watch *watch = arg;

    if (!watch->wanted) { /* the other side closed a resting connection: libcurl looks before it uses it */
        watch_stop(watch);
        return;
    }
    int select =
        ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

    act(watch->pool, s, select);
}

/* libevent: the time libcurl asked for has come. */
static void on_time(evutil_socket_t s, short what, void *arg)
{
    (void)s;
    (void)what;
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl: watch this socket no more. */
static void want_nothing(struct watch *watch)
{
    if (watch != NULL && watch->opened) {
        watch->wanted = false;
    } else if (watch != NULL) {
        watch_free(watch);
    }
}

/* libcurl: watch this socket so, or no more. */
static int on_want(CURL *easy, curl_socket_t s, int what, void *pool_arg, void *socket_arg)
{
    struct httpc_pool *pool = pool_arg;
    struct watch *watch = watch_find(pool, s);
    int events = ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) | ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0);

    (void)easy;
    (void)socket_arg;
    if (what == CURL_POLL_REMOVE) {
        want_nothing(watch);
        return 0;
    }
    watch = watch != NULL ? watch : watch_new(pool, s);
    watch->wanted = true;
    if (watch->events == events) {
        return 0;
    }
    watch_stop(watch);
    watch->events = (short)events;
    event_assign(&watch->event, loop_base(pool->all->loop), s, (short)(events | EV_PERSIST), on_ready, watch);
    return events != 0 ? event_add(&watch->event, NULL) : 0;
}

/* libcurl: wake me in so many milliseconds, or (-1) not at all. */
static int on_want_timer(CURLM *multi, long ms, void *arg)
{
    struct httpc_pool *pool = arg;
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

    (void)multi;
    if (ms < 0 || (ms == 0 && pool->fresh)) { /* httpc_pools_begin comes before any timer could */
        event_del(&pool->timer);
        return 0;
    }
    event_base_update_cache_time(loop_base(pool->all->loop));
    return event_add(&pool->timer, &wait);
}

/* Makes an empty pool; takes the key. */
static struct httpc_pool *pool_new(struct httpc_pools *all, char *key)
{
    struct httpc_pool *pool = xcalloc(1, sizeof(*pool));

    pool->all = all;
    pool->key = key;
    pool->multi = curl_multi_init();
    CHECK(pool->multi != NULL);
    evtimer_assign(&pool->timer, loop_base(all->loop), on_time, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_want);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_want_timer);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS);
    HASH_ADD_KEYPTR(hh, all->table, pool->key, strlen(pool->key), pool);
    return pool;
}

/* What a pool is found under; good until the next call. */
static const char *key_of(struct httpc_pools *pools, const char *name, bool trusted)
{
    buf_reset(&pools->key);
    buf_addc(&pools->key, trusted ? 't' : 'u');
    if (name != NULL) {
        buf_addc(&pools->key, ':');
        buf_adds(&pools->key, name);
    }
    return buf_str(&pools->key);
}

/* The pool of a name; NULL if it is not there. */
static struct httpc_pool *pool_find(struct httpc_pools *pools, const char *name, bool trusted)
{
    const char *key = key_of(pools, name, trusted);
    struct httpc_pool *pool;

    HASH_FIND_STR(pools->table, key, pool);
    return pool;
}

/* The pool of a name, made if it is not there. */
static struct httpc_pool *pool_of(struct httpc_pools *pools, const char *name, bool trusted)
{
    struct httpc_pool *pool = pool_find(pools, name, trusted);

    return pool != NULL ? pool : pool_new(pools, xstrdup(key_of(pools, name, trusted)));
}

/* Makes an empty set of pools. */
struct httpc_pools *httpc_pools_new(struct loop *loop, httpc_pool_done_fn done)
{
    struct httpc_pools *pools = xcalloc(1, sizeof(*pools));

    pools->loop = loop;
    pools->done = done;
    buf_init(&pools->key, KEY_MOST);
    return pools;
}

/* Frees all pools. */
void httpc_pools_free(struct httpc_pools *pools)
{
    while (pools->table != NULL) {
        pool_free(pools->table);
    }
    buf_fini(&pools->key);
    free(pools);
}

/* The spare handle that is to be used next for the request. */
static size_t spare_for(const struct httpc_pool *pool, const struct httpc_request *request)
{
    for (size_t i = pool->spare_count; i > 0; i--) {
        if (httpc_handle_fits(pool->spares[i - 1], request)) {
            return i - 1;
        }
    }
    return pool->spare_count - 1;
}

/* A spare handle, or a new one. */
struct httpc_handle *httpc_pool_handle(struct httpc_pools *pools, const struct httpc_request *request)
{
    struct httpc_pool *pool = pool_find(pools, request->pool, request->trusted);

    if (pool == NULL || pool->spare_count == 0) {
        return httpc_handle_new();
    }
    size_t at = spare_for(pool, request);
    struct httpc_handle *handle = pool->spares[at];
    pool->spares[at] = pool->spares[--pool->spare_count];
    return handle;
}

/* Keeps a handle for the pool's next transfer, or frees it. */
void httpc_pool_spare(struct httpc_pools *pools, const char *name, bool trusted, struct httpc_handle *handle)
{
    struct httpc_pool *pool = pool_find(pools, name, trusted);

    if (pool == NULL || pool->spare_count == SPARES) {
        httpc_handle_free(handle);
        return;
    }
    httpc_handle_rest(handle);
    pool->spares[pool->spare_count++] = handle;
}

/* Adds a transfer. */
struct httpc_pool *httpc_pool_add(struct httpc_pools *pools, const char *name, bool trusted, CURL *easy)
{
    struct httpc_pool *pool = pool_of(pools, name, trusted);
    CURLMcode code;

    loop_cancel(pool->idle);
    pool->idle = NULL;
    pool->users++;
    if (!pool->fresh) {
        pool->fresh = true;
        LL_PREPEND2(pools->waiting, pool, waiting);
    }
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, pool);
    code = curl_multi_add_handle(pool->multi, easy);
    CHECK(code == CURLM_OK);
    return pool;
}

/* A pool with fresh transfers has users, so it is not freed before its turn; its idle time begins later. */
void httpc_pools_begin(struct httpc_pools *pools)
{
    while (pools->waiting != NULL) {
        struct httpc_pool *pool = pools->waiting;
        LL_DELETE2(pools->waiting, pool, waiting);
        pool->fresh = false;
        act(pool, CURL_SOCKET_TIMEOUT, 0);
    }
}

/* Ends a transfer from outside. */
void httpc_pool_remove(struct httpc_pool *pool, CURL *easy)
{
    CURLMcode code = curl_multi_remove_handle(pool->multi, easy);

    CHECK(code == CURLM_OK);
    user_gone(pool);
}
