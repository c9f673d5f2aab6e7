/* follow.c: an event stream that is opened again where it stopped. */
#include "bridge/cli/follow.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/client.h"
#include "queue/base/httpc.h"
#include "queue/base/id.h"
#include "queue/base/loop.h"

#define SILENCE_MS 45000 /* three heartbeats */
#define AGAIN_MS   1000
#define FRAME_MAX   (4u << 20)

struct follow {
    struct cli *cli;
    char *path;
    struct loop *loop;
    struct httpc *http;
    const struct follow_spec *spec;
    struct buf line; /* unfinished */
    struct buf data; /* of the frame under way */
    char last[64];   /* the last event's id */
    char frame_id[64], frame_name[64];
    bool told; /* that the daemon is away */
    bool over;
    enum cli_exit code;
};

static void open_stream(void *arg);

struct loop *follow_loop(struct follow *follow)
{
    return follow->loop;
}

struct httpc *follow_http(struct follow *follow)
{
    return follow->http;
}

void follow_stop(struct follow *follow, enum cli_exit code)
{
    follow->code = code;
    follow->over = true;
    loop_stop(follow->loop);
}

/* A frame is complete. */
static void frame_end(struct follow *follow)
{
    json_t *event = NULL;
    if (strcmp(follow->frame_name, "reset") == 0) {
        fprintf(stderr,
                "chasqui: events were missed: the log no longer holds the place where this stopped\n");
        follow->last[0] = '\0';
    } else if (follow->data.len > 0 &&
               jx_parse_lenient(buf_str(&follow->data), follow->data.len, &event) == ERR_OK) {
        snprintf(follow->last, sizeof(follow->last), "%s", follow->frame_id);
        follow->spec->event(follow, buf_str(&follow->data), event, follow->spec->arg);
        json_decref(event);
    }
    buf_reset(&follow->data);
    follow->frame_name[0] = '\0';
}

/* A complete line of the stream. */
static void line_end(struct follow *follow)
{
    const char *text = buf_str(&follow->line);
    if (text[0] == '\0') {
        frame_end(follow);
    } else if (strncmp(text, "id: ", 4) == 0) {
        snprintf(follow->frame_id, sizeof(follow->frame_id), "%s", text + 4);
    } else if (strncmp(text, "event: ", 7) == 0) {
        snprintf(follow->frame_name, sizeof(follow->frame_name), "%s", text + 7);
    } else if (strncmp(text, "data: ", 6) == 0) {
        buf_adds(&follow->data, text + 6);
    }
    buf_reset(&follow->line);
}

/* Bytes of the stream; an error's body is kept for its report. */
static bool on_data(const char *data, size_t size, long status, void *arg)
{
    struct follow *follow = arg;
    if (status != 200) {
        buf_add(&follow->line, data, size);
        return true;
    }
    follow->told = false;
    for (size_t i = 0; i < size && !follow->over; i++) {
        if (data[i] == '\n') {
            line_end(follow);
        } else if (data[i] != '\r') {
            buf_addc(&follow->line, data[i]);
        }
    }
    return !follow->over;
}

/* The daemon does not let us follow. */
static void refused(struct follow *follow, long status)
{
    json_t *answer = NULL;
    if (jx_parse_lenient(buf_str(&follow->line), follow->line.len, &answer) != ERR_OK) {
        answer = NULL;
    }
    enum cli_exit code = status == 401 || status == 403 ? EXIT_DENIED : EXIT_REFUSED;
    cli_fail(code, "%s (HTTP %ld)",
             jx_str_or(jx_obj(answer, "error"), "message", "the daemon gave no reason"), status);
    json_decref(answer);
    follow_stop(follow, code);
}

/* The stream broke off: again in a moment. */
static void on_done(const struct httpc_answer *answer, void *arg)
{
    struct follow *follow = arg;
    if (follow->over || answer->outcome == HTTPC_CANCELLED) {
        return;
    }
    if (answer->status >= 400 && answer->status < 500 && answer->status != 429) {
        refused(follow, answer->status);
        return;
    }
    if (!follow->told && answer->outcome != HTTPC_ANSWERED) {
        fprintf(stderr, "chasqui: the daemon is away (%s); waiting for it\n", answer->reason);
        follow->told = true;
    }
    buf_reset(&follow->line);
    buf_reset(&follow->data);
    loop_after(follow->loop, AGAIN_MS, open_stream, follow);
}

/* Opens the stream behind the last event. */
static void open_stream(void *arg)
{
    struct follow *follow = arg;
    struct client_target target;
    char last[96];
    client_target_init(&target, follow->cli, follow->path);
    if (follow->last[0] != '\0') {
        snprintf(last, sizeof(last), "Last-Event-ID: %s", follow->last);
        target.headers[target.header_count++] = last;
    }
    struct httpc_request request = {.method = "GET",
                                    .url = buf_str(&target.url),
                                    .headers = target.headers,
                                    .header_count = target.header_count,
                                    .unix_socket = target.socket_path,
                                    .silence_ms = SILENCE_MS,
                                    .total_ms = INT_MAX,
                                    .trusted = true,
                                    .on_data = on_data};
    httpc_send(follow->http, &request, on_done, follow);
    client_target_fini(&target);
}

/* Runs first on the loop. */
static void start(void *arg)
{
    struct follow *follow = arg;
    follow->http = httpc_new(follow->loop);
    if (follow->spec->begin != NULL) {
        follow->spec->begin(follow, follow->spec->arg);
    }
    open_stream(follow);
}

enum cli_exit follow_run(struct cli *cli, const struct follow_spec *spec)
{
    struct follow follow = {.cli = cli, .spec = spec};
    follow.path = xasprintf("/api/v1/events/stream/%s%s", spec->types != NULL ? "?types=" : "",
                            spec->types != NULL ? spec->types : "");
    buf_init(&follow.line, FRAME_MAX);
    buf_init(&follow.data, FRAME_MAX);
    follow.loop = loop_new("follow");
    loop_post(follow.loop, start, &follow);
    loop_run(follow.loop);
    follow.over = true;
    if (spec->end != NULL) {
        spec->end(spec->arg);
    }
    httpc_free(follow.http);
    loop_free(follow.loop);
    buf_fini(&follow.data);
    buf_fini(&follow.line);
    free(follow.path);
    return follow.code;
}
