/* server.c: the server as a whole: its threads, its start, its drain.
 *
 * Drain: thread 0 closes the listening sockets, every connection finishes what it has begun and closes.
 * `live` counts the connections that still owe an answer; when it is zero, or the time is over, whatever is
 * left is cut and the loops stop. A request whose handler never answered is freed with the server, so that
 * whoever holds requests must have stopped before http_server_free. */
#include "bridge/http/http_int.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bridge/http/encode.h"
#include "queue/base/log.h"

#define SCRATCH_MAX   (256u * 1024u)
#define RESERVED_FDS  128 /* for the store, outbound connections and logs */
#define DRAIN_POLL_NS 5000000

void http_config_default(struct http_config *config)
{
    *config = (struct http_config){
        .threads = 1,
        .head_ms = 10000,
        .body_ms = 30000,
        .idle_ms = 75000,
        .connections_max = 10000,
        .head_max = 32 * 1024,
        .uri_max = 8 * 1024,
        .fields_max = 100,
        .pipeline_max = 16,
    };
}

/* Writing to a client that is gone must be an error, not the end of the process. */
static void ignore_broken_pipes(void)
{
    struct sigaction old;
    if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigaction(SIGPIPE, &ignore, NULL);
    }
}

/* Makes one event loop's state. */
static void thread_init(struct http_server *server, unsigned index)
{
    struct http_thread *thread = &server->threads[index];
    char name[16];
    snprintf(name, sizeof name, "http-%u", index % 1000);
    thread->server = server;
    thread->loop = loop_new(name);
    thread->date_second = -1;
    TAILQ_INIT(&thread->conns);
    TAILQ_INIT(&thread->requests);
    buf_init(&thread->scratch, SCRATCH_MAX);
}

struct http_server *http_server_new(const struct http_config *config)
{
    CHECK(config->on_request != NULL && config->threads > 0 && config->pipeline_max > 0);
    CHECK(config->head_ms > 0 && config->body_ms > 0 && config->idle_ms > 0 && config->connections_max > 0);
    struct http_server *server = xcalloc(1, sizeof *server);
    server->config = *config;
    server->upload_dir = config->upload_dir != NULL ? xstrdup(config->upload_dir) : NULL;
    server->config.upload_dir = server->upload_dir;
    http_forwarded_init(server);
    server->spare_fd = -1;
    server->addresses = http_addresses_new();
    pthread_mutex_init(&server->tls_lock, NULL);
    TAILQ_INIT(&server->listeners);
    server->threads = xcalloc(config->threads, sizeof *server->threads);
    for (unsigned i = 0; i < config->threads; i++) {
        thread_init(server, i);
    }
    ignore_broken_pipes();
    return server;
}

enum err http_server_listen(struct http_server *server, const char *address)
{
    CHECK(!server->started);
    return http_listener_open(server, address);
}

const char *http_server_url(const struct http_server *server)
{
    return server->url;
}

/* How many connections the descriptor limit leaves room for. */
static unsigned connections_allowed(unsigned wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return wanted;
    }
    rlim_t reserve = limit.rlim_cur > 4 * RESERVED_FDS ? RESERVED_FDS : limit.rlim_cur / 4;
    rlim_t room = limit.rlim_cur - reserve;
    if (room >= wanted) {
        return wanted;
    }
    log_warn("http.connections_limited", "wanted=%u allowed=%llu", wanted, (unsigned long long)room);
    return room > 0 ? (unsigned)room : 1;
}

/* On thread 0: the listeners accept from now on. */
static void begin_accepting(void *arg)
{
    http_listeners_start(arg);
}

enum err http_server_start(struct http_server *server)
{
    CHECK(!server->started);
    if (server->config.upload_dir != NULL) {
        enum err rc = http_upload_prepare(server->config.upload_dir);
        if (rc != ERR_OK) {
            return rc;
        }
    }
    server->connections_max = connections_allowed(server->config.connections_max);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    loop_post(server->threads[0].loop, begin_accepting, server);
    for (unsigned i = 0; i < server->config.threads; i++) {
        enum err rc = loop_start(server->threads[i].loop);
        if (rc != ERR_OK) {
            while (i-- > 0) {
                loop_stop(server->threads[i].loop);
                loop_join(server->threads[i].loop);
            }
            return rc;
        }
    }
    server->started = true;
    return ERR_OK;
}

void http_server_turn_away(const struct http_guest *guest)
{
    struct http_server *server = guest->thread->server;
    close(guest->fd);
    if (guest->counted) {
        http_addresses_leave(server->addresses, &guest->address);
    }
    http_server_unlive(server);
    http_server_closed(server);
}

/* On the connection's own thread: begins it, unless the server drains. */
static void adopt(void *arg)
{
    struct http_guest *guest = arg;
    if (guest->thread->draining) {
        http_server_turn_away(guest);
    } else {
        http_conn_new(guest);
    }
    free(guest);
}

/* On thread 0: counts a new connection and gives it to the next thread. */
void http_server_adopt(struct http_server *server, const struct http_guest *guest)
{
    struct http_guest *own = xcalloc(1, sizeof *own);
    *own = *guest;
    own->thread = &server->threads[server->next_thread++ % server->config.threads];
    atomic_fetch_add(&server->connections, 1);
    atomic_fetch_add(&server->live, 1);
    atomic_fetch_add(&server->accepted, 1);
    if (loop_is_current(own->thread->loop)) {
        adopt(own);
    } else {
        loop_post(own->thread->loop, adopt, own);
    }
}

/* A connection owes nothing any more. */
void http_server_unlive(struct http_server *server)
{
    atomic_fetch_sub(&server->live, 1);
}

/* On thread 0: there is room for connections again. */
static void accept_again(void *arg)
{
    http_listeners_resume(arg, HTTP_PAUSE_FULL);
}

/* A connection is closed; wakes the accepting side if it waits for that. */
void http_server_closed(struct http_server *server)
{
    atomic_fetch_sub(&server->connections, 1);
    if (atomic_load(&server->rests_full) && atomic_exchange(&server->rests_full, false)) {
        loop_post(server->threads[0].loop, accept_again, server);
    }
}

/* On each thread: what has begun is finished, nothing new begins. */
static void drain_thread(void *arg)
{
    struct http_thread *thread = arg;
    struct http_conn *conn = NULL;
    thread->draining = true;
    if (thread == &thread->server->threads[0]) {
        http_listeners_close(thread->server);
    }
    TAILQ_FOREACH(conn, &thread->conns, in_thread)
    {
        http_conn_drain(conn);
    }
}

/* On each thread, last of all. */
static void stop_thread(void *arg)
{
    struct http_thread *thread = arg;
    loop_stop(thread->loop);
}

/* On each thread: closes what is left, then ends the loop one turn later, since a bufferevent that is freed
 * closes its socket in the turn that follows. */
static void cut_thread(void *arg)
{
    struct http_thread *thread = arg;
    while (!TAILQ_EMPTY(&thread->conns)) {
        thread->cut += http_conn_cut(TAILQ_FIRST(&thread->conns));
    }
    loop_after(thread->loop, 0, stop_thread, thread);
}

/* Waits until no connection owes an answer, at most ms. */
static void await_drained(struct http_server *server, int64_t ms)
{
    struct timespec start;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (now = start; atomic_load(&server->live) > 0; clock_gettime(CLOCK_MONOTONIC, &now)) {
        int64_t past = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
        if (past >= ms) {
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = DRAIN_POLL_NS}, NULL);
    }
}

unsigned http_server_stop(struct http_server *server, int64_t ms)
{
    if (!server->started || server->stopped) {
        return server->cut;
    }
    server->stopped = true;
    for (unsigned i = 0; i < server->config.threads; i++) {
        loop_post(server->threads[i].loop, drain_thread, &server->threads[i]);
    }
    await_drained(server, ms);
    /* Thread 0 ends first: a connection it accepted last is in its new thread's mailbox before the letter to
     * cut. */
    for (unsigned i = 0; i < server->config.threads; i++) {
        loop_post(server->threads[i].loop, cut_thread, &server->threads[i]);
        loop_join(server->threads[i].loop);
        server->cut += server->threads[i].cut;
    }
    return server->cut;
}

/* Frees one event loop's state and the requests nobody answered. */
static void thread_fini(struct http_thread *thread)
{
    CHECK(TAILQ_EMPTY(&thread->conns));
    while (!TAILQ_EMPTY(&thread->requests)) {
        http_request_free(TAILQ_FIRST(&thread->requests));
    }
    while (thread->spare_count > 0) {
        arena_free(thread->spares[--thread->spare_count]);
    }
    buf_fini(&thread->scratch);
    http_packer_free(thread->packer);
    loop_free(thread->loop);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    CHECK(!server->started || server->stopped);
    http_listeners_close(server);
    for (unsigned i = 0; i < server->config.threads; i++) {
        thread_fini(&server->threads[i]);
    }
    if (server->spare_fd >= 0) {
        close(server->spare_fd);
    }
    http_tls_free(server);
    http_addresses_free(server->addresses);
    free(server->upload_dir);
    http_forwarded_fini(server);
    free(server->threads);
    free(server);
}

void http_server_stats(const struct http_server *server, struct http_stats *out)
{
    out->connections = atomic_load(&server->connections);
    out->accepted = atomic_load(&server->accepted);
    out->requests = atomic_load(&server->requests);
    out->refused = atomic_load(&server->refused);
}
