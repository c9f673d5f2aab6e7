/* front.c: the HTTP front alone, for the ingest benchmark: what the daemon could reach if it did nothing
 * behind it.
 *
 * usage: front bare|signature [--threads N] [--secret TEXT]
 *   bare       answers 200 to every request
 *   signature  checks X-Hub-Signature-256 over the body first, 401 if it is wrong
 * Listens on a free loopback port, prints "listening on URL", ends on SIGTERM or SIGINT. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/http/http.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/store.h"
#include "tests/bench/front_commit.h"

#define BODY_MAX       (4u << 20)
#define SIGNATURE_HEAD "sha256="

struct front {
    bool check;
    const char *secret;
    const char *data;
    struct store *store; /* NULL unless bodies are committed */
    long threads;
};

static void on_head(struct http_request *req, size_t *body_max, void *arg)
{
    (void)req;
    (void)arg;
    *body_max = BODY_MAX;
}

static bool signature_ok(const struct front *front, struct http_request *req)
{
    const char *signature = http_header(req, "X-Hub-Signature-256");
    size_t head = strlen(SIGNATURE_HEAD);
    uint8_t ours[SHA256_SIZE];
    uint8_t theirs[SHA256_SIZE];
    size_t size = 0;
    const char *body = http_body(req, &size);

    if (signature == NULL || strncmp(signature, SIGNATURE_HEAD, head) != 0 ||
        !hex_decode(signature + head, strlen(signature + head), theirs, sizeof theirs)) {
        return false;
    }
    hmac_sha256(front->secret, strlen(front->secret), body, size, ours);
    return equal_ct(ours, sizeof ours, theirs, sizeof theirs);
}

static void on_request(struct http_request *req, void *arg)
{
    const struct front *front = arg;

    if (front->store != NULL && strcmp(http_method(req), "GET") == 0) {
        front_commit_figures(front->store, req);
    } else if (front->check && !signature_ok(front, req)) {
        http_reply(req, 401, "text/plain; charset=utf-8", "no", 2);
    } else if (front->store != NULL) {
        front_commit(front->store, req);
    } else {
        http_reply(req, 200, "text/plain; charset=utf-8", "ok", 2);
    }
}

/* Serves until a signal ends it. */
static enum err serve(struct front *front, const sigset_t *stop)
{
    struct http_config config;
    int number = 0;

    http_config_default(&config);
    config.threads = (unsigned)front->threads;
    config.on_head = on_head;
    config.on_request = on_request;
    config.arg = front;
    struct http_server *server = http_server_new(&config);
    enum err rc = http_server_listen(server, "127.0.0.1:0");
    if (rc == ERR_OK) {
        rc = http_server_start(server);
    }
    if (rc == ERR_OK) {
        printf("listening on %s\n", http_server_url(server));
        fflush(stdout);
        sigwait(stop, &number);
        http_server_stop(server, 1000);
    }
    http_server_free(server);
    return rc;
}

static enum err run(struct front *front)
{
    enum err rc = ERR_OK;
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (front->data != NULL) {
        rc = front_commit_open(front->data, &front->store);
    }
    if (rc == ERR_OK) {
        rc = serve(front, &stop);
    }
    if (front->store != NULL) {
        store_close(front->store);
    }
    return rc;
}

static bool parse(struct front *front, int argc, char **argv)
{
    if (argc < 2 || argc % 2 != 0) {
        return false;
    }
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--threads") == 0) {
            front->threads = strtol(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--secret") == 0) {
            front->secret = argv[i + 1];
        } else if (strcmp(argv[i], "--data") == 0) {
            front->data = argv[i + 1];
        } else {
            return false;
        }
    }
    bool commit = strcmp(argv[1], "commit") == 0;
    front->check = commit || strcmp(argv[1], "signature") == 0;
    return (front->check || strcmp(argv[1], "bare") == 0) && commit == (front->data != NULL) &&
           front->threads >= 1 && front->threads <= 64;
}

int main(int argc, char **argv)
{
    struct front front = {.secret = "app-secret", .threads = 1};

    if (!parse(&front, argc, argv)) {
        fprintf(stderr, "usage: front bare|signature|commit [--threads N] [--secret TEXT] [--data DIR]\n");
        return 2;
    }
    enum err rc = run(&front);
    if (rc != ERR_OK) {
        fprintf(stderr, "front: %s\n", err_text(rc));
    }
    return rc == ERR_OK ? 0 : 1;
}
