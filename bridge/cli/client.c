/* client.c: one blocking call of the daemon's REST API; see client.h. */
#include "bridge/cli/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/serve.h"
#include "queue/base/httpc.h"
#include "queue/base/loop.h"
#include "queue/base/option.h"

#define CALL_MS 150000

struct call {
    struct cli *cli;
    struct loop *loop;
    struct httpc *http;
    struct httpc_request request;
    enum cli_exit code;
    bool silent; /* failures are not printed */
    json_t *answer;
    client_event_fn on_event; /* NULL: a plain answer */
    void *event_arg;
    struct buf line; /* the stream's unfinished line */
};

/* The exit code that stands for an HTTP status. */
static enum cli_exit exit_of_status(long status)
{
    static const struct {
        long status;
        enum cli_exit code;
    } rows[] = {{401, EXIT_DENIED},  {403, EXIT_DENIED},  {404, EXIT_NOT_FOUND}, {429, EXIT_LIMITED},
                {400, EXIT_REFUSED}, {409, EXIT_REFUSED}, {413, EXIT_REFUSED},   {422, EXIT_REFUSED}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status == status) {
            return rows[i].code;
        }
    }
    return status >= 200 && status < 300 ? EXIT_DONE : EXIT_FAILED;
}

/* What the daemon said about a failure, as one line. */
static enum cli_exit report(long status, const json_t *answer)
{
    const json_t *error = jx_obj(answer, "error");
    const char *message = jx_str_or(error, "message", "the daemon gave no reason");
    const char *field = jx_str(error, "field");
    const char *id = jx_str(error, "request_id");
    return cli_fail(exit_of_status(status), "%s%s%s (HTTP %ld%s%s)", field != NULL ? field : "", field != NULL ? ": " : "",
                    message, status, id != NULL ? ", request " : "", id != NULL ? id : "");
}

/* The transfer is over: keeps or reports its answer and ends the loop. */
static void call_done(const struct httpc_answer *answer, void *arg)
{
    struct call *call = arg;
    if (answer->outcome != HTTPC_ANSWERED && call->silent) {
        call->code = EXIT_UNREACHED;
    } else if (answer->outcome != HTTPC_ANSWERED) {
        bool never = answer->outcome == HTTPC_UNREACHED || answer->outcome == HTTPC_BLOCKED;
        call->code = cli_fail(never ? EXIT_UNREACHED : EXIT_FAILED, "%s the daemon (%s)\n  is it running? start it with: chasqui serve --data %s",
                              never ? "cannot reach" : "lost", answer->reason, serve_data_dir());
    } else {
        if (answer->body_size == 0 || jx_parse_lenient(answer->body, answer->body_size, &call->answer) != ERR_OK) {
            call->answer = json_null();
        }
        call->code = exit_of_status(answer->status);
        if (call->code != EXIT_DONE) {
            report(answer->status, call->answer);
        }
    }
    loop_stop(call->loop);
}

/* One complete line of an event stream. */
static void stream_line(struct call *call)
{
    const char *text = buf_str(&call->line);
    json_t *data = NULL;
    if (strncmp(text, "data:", 5) == 0 && jx_parse_lenient(text + 5, call->line.len - 5, &data) == ERR_OK) {
        call->on_event(data, call->event_arg);
        json_decref(data);
    }
    buf_reset(&call->line);
}

/* Bytes of an event stream as they come. An error status carries a JSON body instead, kept for the report. */
static bool stream_data(const char *data, size_t size, long status, void *arg)
{
    struct call *call = arg;
    if (status != 200) {
        buf_add(&call->line, data, size);
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            stream_line(call);
        } else if (data[i] != '\r') {
            buf_addc(&call->line, data[i]);
        }
    }
    return true;
}

/* The stream is over; an error's body was collected on the way. */
static void stream_done(const struct httpc_answer *answer, void *arg)
{
    struct call *call = arg;
    struct httpc_answer whole = *answer;
    if (answer->status != 200) {
        whole.body = buf_str(&call->line);
        whole.body_size = call->line.len;
    }
    call_done(&whole, call);
}

/* Runs on the loop: begins the transfer. */
static void call_begin(void *arg)
{
    struct call *call = arg;
    call->http = httpc_new(call->loop);
    httpc_send(call->http, &call->request, call->on_event != NULL ? stream_done : call_done, call);
}

/* Sends the call and waits for its end. */
static void call_run(struct call *call)
{
    call->loop = loop_new("cli");
    loop_post(call->loop, call_begin, call);
    loop_run(call->loop);
    httpc_free(call->http);
    loop_free(call->loop);
}

void client_target_init(struct client_target *target, const struct cli *cli, const char *path)
{
    const char *base = option_text(OPT_URL);
    memset(target, 0, sizeof(*target));
    buf_init(&target->url, 16384);
    buf_init(&target->auth, 1024);
    buf_init(&target->account, 256);
    target->headers[target->header_count++] = "Content-Type: application/json";
    if (base[0] != '\0') {
        size_t len = strlen(base);
        buf_addf(&target->url, "%.*s%s", (int)(base[len - 1] == '/' ? len - 1 : len), base, path);
        buf_addf(&target->auth, "Authorization: Bearer %s", option_text(OPT_API_KEY));
        target->headers[target->header_count++] = buf_str(&target->auth);
        return;
    }
    target->socket_path = serve_path("chasqui.sock");
    buf_addf(&target->url, "http://localhost%s", path);
    buf_adds(&target->auth, cli->live ? "Chasqui-Mode: live" : "Chasqui-Mode: test");
    target->headers[target->header_count++] = buf_str(&target->auth);
    if (cli->flags[FLAG_ACCOUNT] != NULL) {
        buf_addf(&target->account, "Chasqui-Account: %s", cli->flags[FLAG_ACCOUNT]);
        target->headers[target->header_count++] = buf_str(&target->account);
    }
}

void client_target_fini(struct client_target *target)
{
    free(target->socket_path);
    buf_fini(&target->account);
    buf_fini(&target->auth);
    buf_fini(&target->url);
}

/* One call with these bytes as its body; type NULL: JSON. */
static enum cli_exit call_bytes(struct cli *cli, const char *method, const char *path, const char *type, const void *bytes,
                                size_t size, struct call *call)
{
    struct client_target target;
    client_target_init(&target, cli, path);
    buf_init(&call->line, 4u << 20);
    if (type != NULL) {
        target.headers[0] = type;
    }
    call->cli = cli;
    call->answer = NULL;
    call->code = EXIT_FAILED;
    call->request = (struct httpc_request){
        .method = method, .url = buf_str(&target.url), .headers = target.headers, .header_count = target.header_count,
        .body = bytes, .body_size = size, .total_ms = CALL_MS, .max_answer = 64u << 20,
        .trusted = true, .unix_socket = target.socket_path, .on_data = call->on_event != NULL ? stream_data : NULL};
    call_run(call);
    buf_fini(&call->line);
    client_target_fini(&target);
    return call->code;
}

/* One call, plain or streamed. */
static enum cli_exit call_api(struct cli *cli, const char *method, const char *path, const json_t *body, struct call *call)
{
    char *text = body != NULL ? jx_text(body) : NULL;
    enum cli_exit code = call_bytes(cli, method, path, NULL, text, text != NULL ? strlen(text) : 0, call);
    free(text);
    return code;
}

enum cli_exit client_upload(struct cli *cli, const char *path, const void *bytes, size_t size, json_t **out)
{
    struct call call = {.on_event = NULL};
    enum cli_exit code = call_bytes(cli, "POST", path, "Content-Type: application/octet-stream", bytes, size, &call);
    *out = call.answer != NULL ? call.answer : json_null();
    return code;
}

enum cli_exit client_call(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **out)
{
    struct call call = {.on_event = NULL};
    enum cli_exit code = call_api(cli, method, path, body, &call);
    if (out != NULL) {
        *out = call.answer != NULL ? call.answer : json_null();
    } else {
        json_decref(call.answer);
    }
    return code;
}

bool client_alive(struct cli *cli)
{
    struct call call = {.silent = true};
    enum cli_exit code = call_api(cli, "GET", "/healthz", NULL, &call);
    json_decref(call.answer);
    return code == EXIT_DONE;
}

enum cli_exit client_stream(struct cli *cli, const char *path, const json_t *body, client_event_fn on_event, void *arg)
{
    struct call call = {.on_event = on_event, .event_arg = arg};
    enum cli_exit code = call_api(cli, "POST", path, body, &call);
    json_decref(call.answer);
    return code;
}

enum cli_exit client_agent(struct cli *cli, char **id)
{
    if (cli->flags[FLAG_AGENT] != NULL) {
        *id = xstrdup(cli->flags[FLAG_AGENT]);
        return EXIT_DONE;
    }
    json_t *list = NULL;
    enum cli_exit code = client_call(cli, "GET", "/api/v1/agents/?page_size=1", NULL, &list);
    if (code == EXIT_DONE) {
        const char *first = jx_str(json_array_get(jx_arr(list, "results"), 0), "id");
        if (first == NULL) {
            code = cli_fail(EXIT_NOT_FOUND, "this account has no agent in %s mode", cli->live ? "live" : "test");
        } else {
            *id = xstrdup(first);
        }
    }
    json_decref(list);
    return code;
}
