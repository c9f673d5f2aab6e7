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

#define BODY_MAX       (4u << 20)
#define SIGNATURE_HEAD "sha256="

struct front {
    bool check;
    const char *secret;
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
    int status = !front->check || signature_ok(front, req) ? 200 : 401;

    http_reply(req, status, "application/json", "{}", 2);
}

static int serve(struct front *front, unsigned threads)
{
    struct http_config config;
    sigset_t stop;
    int number = 0;

    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    http_config_default(&config);
    config.threads = threads;
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
        sigwait(&stop, &number);
        http_server_stop(server, 1000);
    } else {
        fprintf(stderr, "front: %s\n", err_text(rc));
    }
    http_server_free(server);
    return rc == ERR_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct front front = {.secret = "app-secret"};
    long threads = 1;
    bool fine =
        argc >= 2 && argc % 2 == 0 && (strcmp(argv[1], "bare") == 0 || strcmp(argv[1], "signature") == 0);

    for (int i = 2; fine && i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--threads") == 0) {
            threads = strtol(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--secret") == 0) {
            front.secret = argv[i + 1];
        } else {
            fine = false;
        }
    }
    if (!fine || threads < 1 || threads > 64) {
        fprintf(stderr, "usage: front bare|signature [--threads N] [--secret TEXT]\n");
        return 2;
    }
    front.check = strcmp(argv[1], "signature") == 0;
    return serve(&front, (unsigned)threads);
}
