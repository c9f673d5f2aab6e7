/* listen.c: `chasqui listen --forward-to URL`: events of a running daemon posted to a program under
 * development, signed as webhooks are, without an endpoint. Nothing is retried; Enter after r sends the last
 * one again. The secret is made once and kept in a file of mode 0600, so that it can stay in the program's
 * configuration. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <utlist.h>

#include "bridge/cli/follow.h"
#include "bridge/cli/words.h"
#include "bridge/serve.h"
#include "bridge/webhooks/endpoint.h"
#include "bridge/webhooks/sign.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/httpc.h"
#include "queue/base/id.h"
#include "queue/base/loop.h"
#include "queue/base/option.h"

#define SECRET_FILE  "listen.secret"
#define HEADER_COUNT 8
#define HEADER_MAX   1024

/* An event on its way to the program. */
struct letter {
    char *text;
    char id[64], type[64];
    struct letter *prev, *next;
};

struct listen {
    struct cli *cli;
    const char *url;
    char secret[1][SIGN_SECRET_SIZE];
    struct follow *follow;
    struct event *keys; /* stdin; NULL when it has ended */
    struct letter *queue;
    struct letter *last; /* the one sent last */
    bool sending;
    long left;
};

static void letter_free(struct letter *letter)
{
    if (letter != NULL) {
        free(letter->text);
        free(letter);
    }
}

static struct letter *letter_new(const char *text, const char *id, const char *type)
{
    struct letter *letter = xcalloc(1, sizeof(*letter));
    letter->text = xstrdup(text);
    snprintf(letter->id, sizeof(letter->id), "%s", id);
    snprintf(letter->type, sizeof(letter->type), "%s", type);
    return letter;
}

/* ---- the secret ---- */

/* Where it is kept: in the data directory, or beside the profile when the daemon is elsewhere. */
static char *secret_path(void)
{
    char *profile = option_text(OPT_URL)[0] != '\0' ? words_profile_path() : NULL;
    if (profile == NULL) {
        return serve_path(SECRET_FILE);
    }
    char *slash = strrchr(profile, '/');
    *slash = '\0';
    (void)mkdir(profile, 0700);
    char *path = xasprintf("%s/%s", profile, SECRET_FILE);
    free(profile);
    return path;
}

/* Reads the kept secret; false if there is none. */
static bool secret_read(const char *path, char out[SIGN_SECRET_SIZE])
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool read = fgets(out, SIGN_SECRET_SIZE, file) != NULL;
    fclose(file);
    out[read ? strcspn(out, "\r\n") : 0] = '\0';
    return read && endpoint_secret_fits(out);
}

/* The kept secret, or a new one that is kept from now on. */
static enum cli_exit secret_get(char out[SIGN_SECRET_SIZE])
{
    char *path = secret_path();
    enum cli_exit code = EXIT_DONE;
    if (!secret_read(path, out)) {
        endpoint_secret_make(out);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || dprintf(fd, "%s\n", out) < 0) {
            code = cli_fail(EXIT_FAILED, "cannot keep the signing secret in %s: %s", path, strerror(errno));
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    free(path);
    return code;
}

/* ---- sending ---- */

static void send_next(struct listen *listen);

/* One line: time, status, event, milliseconds, id. */
static void print_line(const struct listen *listen, const struct httpc_answer *answer)
{
    const struct letter *letter = listen->last;
    char now[CLOCK_TEXT_SIZE], status[24];
    clock_rfc3339(clock_wall_ms(), now);
    snprintf(status, sizeof(status), "%ld", answer->status);
    const char *shown = answer->outcome == HTTPC_ANSWERED ? status : httpc_outcome_name(answer->outcome);
    if (listen->cli->json) {
        json_t *row = json_object();
        jx_set_str(row, "at", now);
        jx_set_int(row, "status", answer->status);
        jx_set_str(row, "outcome", httpc_outcome_name(answer->outcome));
        jx_set_str(row, "event", letter->type);
        jx_set_int(row, "duration_ms", answer->total_us / 1000);
        jx_set_str(row, "id", letter->id);
        cli_print_json(row);
        json_decref(row);
    } else {
        printf("%s%.8s%s  %-9s  %-22s %5" PRId64 " ms  %s\n", cli_dim(listen->cli), now + 11,
               cli_plain(listen->cli), shown, letter->type, answer->total_us / 1000, letter->id);
    }
    fflush(stdout);
}

static void answered(const struct httpc_answer *answer, void *arg)
{
    struct listen *listen = arg;
    if (answer->outcome == HTTPC_CANCELLED) {
        return;
    }
    print_line(listen, answer);
    listen->sending = false;
    if (listen->left > 0 && --listen->left == 0) {
        follow_stop(listen->follow, EXIT_DONE);
        return;
    }
    send_next(listen);
}

/* Posts the letter as the daemon would. */
static void post(struct listen *listen, const struct letter *letter)
{
    char lines[HEADER_COUNT][HEADER_MAX];
    const char *headers[HEADER_COUNT];
    struct buf plain, standard;
    struct sign_input in = {.id = letter->id,
                            .timestamp_s = clock_wall_ms() / 1000,
                            .body = letter->text,
                            .size = strlen(letter->text)};
    buf_init(&plain, HEADER_MAX);
    buf_init(&standard, HEADER_MAX);
    sign_plain(&plain, listen->secret, 1, &in);
    sign_standard(&standard, listen->secret, 1, &in);
    snprintf(lines[0], HEADER_MAX, "Content-Type: application/json");
    snprintf(lines[1], HEADER_MAX, "User-Agent: Chasqui-Webhooks/" CHASQUI_VERSION);
    snprintf(lines[2], HEADER_MAX, "X-ConvoAI-Signature: %s", buf_str(&plain));
    snprintf(lines[3], HEADER_MAX, "webhook-id: %s", letter->id);
    snprintf(lines[4], HEADER_MAX, "webhook-timestamp: %" PRId64, in.timestamp_s);
    snprintf(lines[5], HEADER_MAX, "webhook-signature: %s", buf_str(&standard));
    snprintf(lines[6], HEADER_MAX, "X-ConvoAI-Event: %s", letter->type);
    snprintf(lines[7], HEADER_MAX, "X-ConvoAI-Delivery: listen");
    for (size_t i = 0; i < HEADER_COUNT; i++) {
        headers[i] = lines[i];
    }
    struct httpc_request request = {.method = "POST",
                                    .url = listen->url,
                                    .headers = headers,
                                    .header_count = HEADER_COUNT,
                                    .body = letter->text,
                                    .body_size = in.size,
                                    .trusted = true};
    httpc_send(follow_http(listen->follow), &request, answered, listen);
    buf_fini(&standard);
    buf_fini(&plain);
}

/* Sends what waits, one after the other, in order. */
static void send_next(struct listen *listen)
{
    struct letter *letter = listen->queue;
    if (listen->sending || letter == NULL) {
        return;
    }
    DL_DELETE(listen->queue, letter);
    letter_free(listen->last);
    listen->last = letter;
    listen->sending = true;
    post(listen, letter);
}

static void on_event(struct follow *follow, const char *text, const json_t *event, void *arg)
{
    struct listen *listen = arg;
    struct letter *letter = letter_new(text, jx_str_or(event, "id", ""), jx_str_or(event, "type", ""));
    (void)follow;
    DL_APPEND(listen->queue, letter);
    send_next(listen);
}

/* Something was typed. */
static void on_keys(evutil_socket_t fd, short what, void *arg)
{
    struct listen *listen = arg;
    char typed[256];
    (void)what;
    ssize_t got = read(fd, typed, sizeof(typed) - 1);
    if (got <= 0) {
        event_del(listen->keys);
        return;
    }
    typed[got] = '\0';
    if (strcmp(typed, "r\n") == 0 && listen->last != NULL) {
        struct letter *again = letter_new(listen->last->text, listen->last->id, listen->last->type);
        DL_APPEND(listen->queue, again);
        send_next(listen);
    }
}

/* On the loop, before the stream opens. */
static void begin(struct follow *follow, void *arg)
{
    struct listen *listen = arg;
    listen->follow = follow;
    listen->keys =
        event_new(loop_base(follow_loop(follow)), STDIN_FILENO, EV_READ | EV_PERSIST, on_keys, listen);
    if (listen->keys != NULL && event_add(listen->keys, NULL) != 0) {
        event_free(listen->keys); /* a plain file cannot be waited for */
        listen->keys = NULL;
    }
    fprintf(stderr, "forwarding events of %s mode to %s\nsigned with %s\n",
            listen->cli->live ? "live" : "test", listen->url, listen->secret[0]);
}

/* The loop has ended. */
static void end(void *arg)
{
    struct listen *listen = arg;
    if (listen->keys != NULL) {
        event_free(listen->keys);
    }
}

enum cli_exit cli_listen(struct cli *cli)
{
    const char *limit = cli->flags[FLAG_LIMIT];
    struct listen listen = {
        .cli = cli, .url = cli->flags[FLAG_FORWARD_TO], .left = limit != NULL ? strtol(limit, NULL, 10) : -1};
    struct letter *letter, *next;
    if (listen.url == NULL || cli->arg_count > 0) {
        return cli_fail(EXIT_USAGE, "listen needs --forward-to URL");
    }
    enum cli_exit code = secret_get(listen.secret[0]);
    if (code == EXIT_DONE) {
        struct follow_spec spec = {
            .types = cli->flags[FLAG_EVENTS], .event = on_event, .begin = begin, .end = end, .arg = &listen};
        code = follow_run(cli, &spec);
    }
    DL_FOREACH_SAFE(listen.queue, letter, next)
    {
        letter_free(letter);
    }
    letter_free(listen.last);
    wipe(listen.secret, sizeof(listen.secret));
    return code;
}
