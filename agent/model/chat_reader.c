/* chat_reader.c: what a model server answers, as text, tool calls and one class. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/model/chat_reader.h"

#define ERROR_BODY_MAX (64u << 10)

static bool take_event(const char *event, const char *data, size_t size, void *arg);

void chat_reader_init(struct chat_reader *r, chat_take_fn take, chat_text_fn fn, void *arg)
{
    memset(r, 0, sizeof *r);
    tool_calls_init(&r->calls);
    r->take = take;
    sse_init(&r->sse, take_event, r);
    buf_init(&r->body, SSE_STREAM_MAX);
    r->fn = fn;
    r->arg = arg;
}

void chat_reader_fini(struct chat_reader *r)
{
    sse_fini(&r->sse);
    tool_calls_fini(&r->calls);
    buf_fini(&r->body);
}

/* Text behind the think filter. */
static void take_text(const char *text, size_t size, void *arg)
{
    struct chat_reader *r = arg;

    r->text_size += size;
    if (r->text_size > MODEL_TEXT_MAX) {
        r->fault = MODEL_MALFORMED;
        return;
    }
    for (size_t i = 0; i < size && !r->visible; i++) {
        r->visible = (unsigned char)text[i] > ' ';
    }
    r->fn(text, size, r->arg);
}

void chat_reader_text(struct chat_reader *r, const json_t *text)
{
    if (json_is_string(text)) {
        think_feed(&r->think, json_string_value(text), json_string_length(text), take_text, r);
    }
}

void chat_reader_model(struct chat_reader *r, const char *name)
{
    if (r->model[0] == '\0' && name != NULL) {
        snprintf(r->model, sizeof r->model, "%s", name);
    }
}

/* A content value: text, or (as some gateways send it) a list of parts. */
static void take_content(struct chat_reader *r, const json_t *content)
{
    chat_reader_text(r, content);
    for (size_t i = 0; i < json_array_size(content); i++) {
        chat_reader_text(r, json_object_get(json_array_get(content, i), "text"));
    }
}

/* The tool calls of a message, or pieces of them. */
static void take_calls(struct chat_reader *r, const json_t *message, bool whole)
{
    const json_t *list = jx_arr(message, "tool_calls");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *call = json_array_get(list, i);
        const json_t *function = jx_obj(call, "function");
        const json_t *arguments = json_object_get(function, "arguments");
        char *text = json_is_object(arguments) ? jx_text(arguments) : NULL;
        tool_calls_piece(&r->calls, whole ? (int64_t)i : jx_int(call, "index", -1), jx_str(call, "id"),
                         jx_str(function, "name"), text != NULL ? text : json_string_value(arguments));
        free(text);
    }
}

/* What a finish reason says beyond that it is one. */
static void take_finish(struct chat_reader *r, const json_t *choice)
{
    const char *finish = jx_str(choice, "finish_reason");

    if (finish == NULL) {
        return;
    }
    r->finished = true;
    if (strcmp(finish, "length") == 0) {
        r->truncated = true;
    } else if (strcmp(finish, "content_filter") == 0) {
        r->refused = true;
    } else if (strcmp(finish, "error") == 0) {
        r->fault = MODEL_SERVER;
    }
}

/* The newest usage that is not null wins. */
static void take_usage(struct chat_reader *r, const json_t *root)
{
    const json_t *usage = jx_obj(root, "usage");

    if (usage == NULL) {
        return;
    }
    r->usage.known = true;
    r->usage.input = jx_int(usage, "prompt_tokens", 0);
    r->usage.output = jx_int(usage, "completion_tokens", 0);
    r->usage.cached = jx_int(jx_obj(usage, "prompt_tokens_details"), "cached_tokens", 0);
    r->usage.reasoning = jx_int(jx_obj(usage, "completion_tokens_details"), "reasoning_tokens", 0);
}

/* Remembers which parameter an error complains about. */
static void take_fault(struct chat_reader *r, long status, const json_t *root)
{
    const char *param = model_error_param(root);

    r->fault = model_error_class(status, root);
    snprintf(r->param, sizeof r->param, "%s", param != NULL ? param : "");
}

void chat_reader_take(struct chat_reader *r, const json_t *root, bool whole)
{
    const json_t *choice = json_array_get(jx_arr(root, "choices"), 0);
    const json_t *message = jx_obj(choice, whole ? "message" : "delta");
    const char *refusal = jx_str(message, "refusal");

    chat_reader_model(r, jx_str(root, "model"));
    take_usage(r, root);
    take_content(r, json_object_get(message, "content"));
    take_calls(r, message, whole);
    r->refused = r->refused || (refusal != NULL && refusal[0] != '\0');
    take_finish(r, choice);
}

/* One JSON value of an answer: an error, or what the server's kind of answer makes of it. */
static void take_root(struct chat_reader *r, const json_t *root, bool whole)
{
    if (model_is_error(root)) {
        take_fault(r, 200, root);
    } else {
        r->take(r, root, whole);
    }
}

/* One event of a stream. */
static bool take_event(const char *event, const char *data, size_t size, void *arg)
{
    struct chat_reader *r = arg;
    json_t *root = NULL;

    if (strncmp(data, "[DONE]", 6) == 0) {
        r->done = true;
        return false;
    }
    if (jx_parse_lenient(data, size, &root) != ERR_OK) {
        if (strcmp(event, "error") == 0) {
            r->fault = MODEL_SERVER;
        }
        return r->fault == MODEL_OK;
    }
    take_root(r, root, false);
    if (strcmp(event, "error") == 0 && r->fault == MODEL_OK) {
        take_fault(r, 200, root);
    }
    json_decref(root);
    return r->fault == MODEL_OK;
}

/* Looks at the first byte that is no white space of JSON. */
static void sniff(struct chat_reader *r, const char *data, size_t size)
{
    size_t i = 0;

    while (i < size && (data[i] == ' ' || data[i] == '\t' || data[i] == '\r' || data[i] == '\n')) {
        i++;
    }
    if (i < size) {
        r->form = data[i] == '{' || data[i] == '[' ? CHAT_OBJECT : CHAT_STREAM;
    }
}

bool chat_reader_feed(struct chat_reader *r, const char *data, size_t size, long status)
{
    if (status < 200 || status > 299) {
        size_t room = ERROR_BODY_MAX - r->body.len;
        buf_add(&r->body, data, size < room ? size : room);
        return true;
    }
    if (r->form == CHAT_SNIFF) {
        sniff(r, data, size);
    }
    if (r->form == CHAT_OBJECT) {
        buf_add(&r->body, data, size);
        if (!buf_ok(&r->body)) {
            r->fault = MODEL_MALFORMED;
        }
    } else if (sse_feed(&r->sse, data, size) != ERR_OK && r->fault == MODEL_OK) {
        r->fault = MODEL_MALFORMED;
    }
    return r->fault == MODEL_OK && !r->done;
}

/* The class of an answer with a status that is no success. */
static enum model_class end_refused(struct chat_reader *r, long status)
{
    json_t *root = NULL;

    if (jx_parse_lenient(buf_str(&r->body), r->body.len, &root) != ERR_OK) {
        root = NULL;
    }
    take_fault(r, status, root);
    json_decref(root);
    return r->fault;
}

/* Reads a whole JSON answer. */
static void end_object(struct chat_reader *r)
{
    json_t *root = NULL;

    if (jx_parse_lenient(buf_str(&r->body), r->body.len, &root) != ERR_OK) {
        r->fault = MODEL_MALFORMED;
        return;
    }
    take_root(r, root, true);
    r->finished = true;
    json_decref(root);
}

enum model_class chat_reader_end(struct chat_reader *r, enum model_class transfer, long status)
{
    if (r->fault != MODEL_OK) {
        return r->fault;
    }
    if (transfer == MODEL_OK && (status < 200 || status > 299)) {
        return end_refused(r, status);
    }
    if (r->form == CHAT_OBJECT && transfer == MODEL_OK) {
        end_object(r);
    } else if (r->form == CHAT_STREAM) {
        sse_end(&r->sse);
    }
    think_end(&r->think, take_text, r);
    if (r->fault != MODEL_OK) {
        return r->fault;
    }
    if (!r->finished && !r->done) {
        return transfer != MODEL_OK ? transfer : MODEL_SERVER;
    }
    if (r->refused) {
        return MODEL_FILTERED;
    }
    return r->visible || r->calls.count > 0 ? MODEL_OK : MODEL_EMPTY;
}
