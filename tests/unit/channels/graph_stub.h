/* graph_stub.h: a scripted HTTP server on a free loopback port, standing in for the Graph API in unit tests.
 * Each request takes the script's next row; behind its end everything is accepted. */
#ifndef CHASQUI_TESTS_GRAPH_STUB_H
#define CHASQUI_TESTS_GRAPH_STUB_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "channels_fixture.h"

#define STUB_REQUESTS_MAX 64

struct stub_row {
    int status;         /* 0: close without an answer */
    const char *body;   /* NULL: accepted, with a new id */
    const char *header; /* one more header line without its end, or NULL */
};
struct stub_request {
    char path[256];
    char authorization[256];
    json_t *body;
};
struct graph_stub {
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    const struct stub_row *script;
    size_t script_len;
    struct stub_request requests[STUB_REQUESTS_MAX];
    size_t count;
    void (*before_answer)(const json_t *body, void *arg); /* called before each answer goes out */
    void *arg;
};

/* Copies a header's value out of the head. */
static inline void stub_header(const char *head, const char *name, char *out, size_t size)
{
    const char *at = strcasestr(head, name);

    out[0] = '\0';
    if (at != NULL) {
        at += strlen(name);
        at += strspn(at, ": ");
        snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
    }
}

/* Reads one request whole; false if the peer went away. */
static inline bool stub_read(int fd, struct stub_request *request)
{
    static char data[1 << 18];
    size_t used = 0;
    char length[32];
    char *end = NULL;

    for (;;) {
        ssize_t got = read(fd, data + used, sizeof data - used - 1);
        if (got <= 0) {
            return false;
        }
        used += (size_t)got;
        data[used] = '\0';
        end = strstr(data, "\r\n\r\n");
        if (end == NULL) {
            continue;
        }
        stub_header(data, "\r\ncontent-length", length, sizeof length);
        if (used >= (size_t)(end - data) + 4 + strtoul(length, NULL, 10)) {
            break;
        }
    }
    stub_header(data, "\r\nauthorization", request->authorization, sizeof request->authorization);
    sscanf(data, "%*s %255s", request->path);
    request->body = json_loads(end + 4, 0, NULL);
    return true;
}

static inline void stub_answer(int fd, const struct stub_row *row, size_t number)
{
    char accepted[128];
    char *text = NULL;

    snprintf(accepted, sizeof accepted,
             "{\"messaging_product\":\"whatsapp\",\"contacts\":[],\"messages\":[{\"id\":\"wamid.%zu\"}]}",
             number);
    const char *body = row->body != NULL ? row->body : accepted;
    int len = asprintf(&text,
                       "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                       "Connection: close\r\n%s%s\r\n%s",
                       row->status, strlen(body), row->header != NULL ? row->header : "",
                       row->header != NULL ? "\r\n" : "", body);
    if (write(fd, text, (size_t)len) != len) {
        print_error("the stub could not answer\n");
    }
    free(text);
}

static inline void *stub_run(void *arg)
{
    static const struct stub_row fine = {200, NULL, NULL};
    struct graph_stub *stub = arg;
    int fd;

    for (fd = accept(stub->listener, NULL, NULL); fd >= 0; fd = accept(stub->listener, NULL, NULL)) {
        struct stub_request request = {.body = NULL};
        if (stub_read(fd, &request)) {
            pthread_mutex_lock(&stub->lock);
            size_t number = stub->count;
            stub->requests[number] = request;
            stub->count++;
            pthread_mutex_unlock(&stub->lock);
            const struct stub_row *row = number < stub->script_len ? &stub->script[number] : &fine;
            if (stub->before_answer != NULL) {
                stub->before_answer(request.body, stub->arg);
            }
            if (row->status != 0) {
                stub_answer(fd, row, number);
            }
        }
        close(fd);
    }
    return NULL;
}

static inline void stub_start(struct graph_stub *stub, const struct stub_row *script, size_t script_len)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;

    stub->script = script;
    stub->script_len = script_len;
    pthread_mutex_init(&stub->lock, NULL);
    stub->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(stub->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(stub->listener, 16), 0);
    assert_int_equal(getsockname(stub->listener, (struct sockaddr *)&address, &size), 0);
    stub->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&stub->thread, NULL, stub_run, stub), 0);
}

static inline void stub_stop(struct graph_stub *stub)
{
    shutdown(stub->listener, SHUT_RDWR);
    pthread_join(stub->thread, NULL);
    close(stub->listener);
    for (size_t i = 0; i < stub->count; i++) {
        json_decref(stub->requests[i].body);
    }
    pthread_mutex_destroy(&stub->lock);
}

static inline size_t stub_count(struct graph_stub *stub)
{
    pthread_mutex_lock(&stub->lock);
    size_t count = stub->count;
    pthread_mutex_unlock(&stub->lock);
    return count;
}

#endif
