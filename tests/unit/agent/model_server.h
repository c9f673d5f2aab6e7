/* model_server.h: a chat-completions server on loopback that does as the test says.
 *
 * Request number n (from 0) is answered by script[n], the last entry for all further ones. An answer may be
 * held until the test releases it. One thread for each connection; each serves one request and closes. */
#ifndef CHASQUI_TESTS_MODEL_SERVER_H
#define CHASQUI_TESTS_MODEL_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_REQUESTS 32
#define SERVER_BODY     (256u << 10)

struct server_step {
    const char *head; /* status line and fields, NULL: 200 and an event stream */
    const char *body;
    bool held;  /* wait for model_server_release after half of the body */
    bool reset; /* close without an answer */
};

struct model_server {
    int fd, port;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    const struct server_step *script;
    unsigned count;    /* of script */
    unsigned requests; /* seen */
    unsigned released; /* held answers that may go on */
    bool closing;
    atomic_int alive;
    char *bodies[SERVER_REQUESTS];
    char auth[256];
};

struct server_link {
    struct model_server *server;
    int fd;
};

#define SERVER_SSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
#define SERVER_JSON_HEAD(status) \
    "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n"
#define SERVER_DELTA(text)                                                                 \
    "data: {\"model\":\"fake-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text \
    "\"},\"finish_reason\":null}]}\n\n"
#define SERVER_END                                                                    \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":90,\"completion_tokens\":7}}\n\ndata: [DONE]\n\n"

static inline void server_say(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

/* Reads one request; its body is malloc'ed, NULL if the client went away. */
static inline char *server_hear(int fd, char *auth, size_t auth_size)
{
    char *text = calloc(1, SERVER_BODY + 1);
    size_t len = 0, want = SIZE_MAX;

    while (len < want && len < SERVER_BODY) {
        ssize_t n = recv(fd, text + len, SERVER_BODY - len, 0);
        if (n <= 0) {
            free(text);
            return NULL;
        }
        len += (size_t)n;
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strcasestr(text, "content-length:");
        if (end != NULL && want == SIZE_MAX) {
            want = (size_t)(end + 4 - text) + (length != NULL ? (size_t)strtoul(length + 15, NULL, 10) : 0);
        }
    }
    const char *key = strcasestr(text, "authorization:");
    snprintf(auth, auth_size, "%.*s", key != NULL ? (int)strcspn(key, "\r\n") : 0, key != NULL ? key : "");
    char *body = strdup(strstr(text, "\r\n\r\n") + 4);
    free(text);
    return body;
}

static inline void *server_serve(void *arg)
{
    struct server_link *link = arg;
    struct model_server *s = link->server;
    char auth[256];
    char *body = server_hear(link->fd, auth, sizeof auth);

    pthread_mutex_lock(&s->mutex);
    unsigned number = body != NULL ? s->requests++ : 0;
    const struct server_step *step = &s->script[number < s->count ? number : s->count - 1];
    if (body != NULL && number < SERVER_REQUESTS) {
        s->bodies[number] = body;
        memcpy(s->auth, auth, sizeof auth);
    } else {
        free(body);
    }
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    if (body != NULL && !step->reset) {
        size_t size = strlen(step->body), half = step->held ? size / 2 : size;
        const char *head = step->head != NULL ? step->head : SERVER_SSE_HEAD;
        char length[64];
        server_say(link->fd, head, strlen(head));
        if (step->head != NULL) {
            snprintf(length, sizeof length, "Content-Length: %zu\r\n\r\n", size);
            server_say(link->fd, length, strlen(length));
        }
        server_say(link->fd, step->body, half);
        pthread_mutex_lock(&s->mutex);
        while (step->held && s->released == 0 && !s->closing) {
            pthread_cond_wait(&s->cond, &s->mutex);
        }
        s->released -= step->held && s->released > 0 ? 1 : 0;
        pthread_mutex_unlock(&s->mutex);
        server_say(link->fd, step->body + half, size - half);
    }
    close(link->fd);
    free(link);
    atomic_fetch_sub(&s->alive, 1);
    return NULL;
}

static inline void *server_accept(void *arg)
{
    struct model_server *s = arg;

    for (;;) {
        int fd = accept(s->fd, NULL, NULL);
        pthread_t thread;
        if (fd < 0) {
            return NULL;
        }
        struct server_link *link = calloc(1, sizeof *link);
        *link = (struct server_link){s, fd};
        atomic_fetch_add(&s->alive, 1);
        if (pthread_create(&thread, NULL, server_serve, link) == 0) {
            pthread_detach(thread);
        }
    }
}

static inline void model_server_start(struct model_server *s, const struct server_step *script,
                                      unsigned count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    memset(s, 0, sizeof *s);
    s->script = script;
    s->count = count;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->cond, NULL);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(s->fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(s->fd, 64) != 0 ||
        getsockname(s->fd, (struct sockaddr *)&address, &size) != 0) {
        abort();
    }
    s->port = ntohs(address.sin_port);
    pthread_create(&s->thread, NULL, server_accept, s);
}

static inline unsigned model_server_requests(struct model_server *s)
{
    pthread_mutex_lock(&s->mutex);
    unsigned n = s->requests;
    pthread_mutex_unlock(&s->mutex);
    return n;
}

static inline void model_server_release(struct model_server *s)
{
    pthread_mutex_lock(&s->mutex);
    s->released++;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

static inline void model_server_stop(struct model_server *s)
{
    pthread_mutex_lock(&s->mutex);
    s->closing = true;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    while (atomic_load(&s->alive) > 0) {
        usleep(1000);
    }
    for (unsigned i = 0; i < SERVER_REQUESTS; i++) {
        free(s->bodies[i]);
    }
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mutex);
}

#endif
