/* openai.c: what chat-completions servers are asked. How they answer: chat_reader.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/model/call.h"

#include "agent/model/dialect.h"
#include "agent/model/picture.h"

/* A tool call of an earlier round in this dialect: arguments are text. */
static json_t *call_of(const json_t *call)
{
    return json_pack("{s:s,s:s,s:{s:s,s:s}}", "id", jx_str_or(call, "id", ""), "type", "function", "function",
                     "name", jx_str_or(call, "name", ""), "arguments", jx_str_or(call, "arguments", "{}"));
}

/* One round: what the model said and called, and what came of it. */
static void push_round(json_t *list, const json_t *round)
{
    json_t *said = json_object(), *calls = json_array();
    const char *text = jx_str_or(round, "text", "");
    size_t i;
    json_t *item;

    json_array_foreach (jx_arr(round, "calls"), i, item) {
        jx_push(calls, call_of(item));
    }
    jx_set_str(said, "role", "assistant");
    jx_set_str(said, "content", text[0] != '\0' ? text : NULL);
    jx_set(said, "tool_calls", calls);
    jx_push(list, said);
    json_array_foreach (jx_arr(round, "results"), i, item) {
        json_t *result = json_object();
        jx_set_str(result, "role", "tool");
        jx_set_str(result, "tool_call_id", jx_str_or(item, "id", ""));
        jx_set_str(result, "content", jx_str_or(item, "text", ""));
        jx_push(list, result);
    }
}

/* The newest message with its pictures: text first, then each as a data: address. */
static json_t *pictured(const struct prompt *prompt, const char *text)
{
    json_t *content = json_pack("[{s:s,s:s}]", "type", "text", "text", text);

    for (size_t i = 0; i < prompt->image_count; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "data:%.40s;base64,", prompt->images[i].mime_type);
        char *url = picture_base64(&prompt->images[i], prefix);
        if (url != NULL) {
            jx_push(content, json_pack("{s:s,s:{s:s}}", "type", "image_url", "image_url", "url", url));
        }
        free(url);
    }
    return content;
}

/* The messages as role and content, then the rounds. */
static json_t *messages_of(const struct prompt *prompt)
{
    json_t *list = json_array();
    size_t i;
    json_t *round;

    for (i = 0; i < prompt->count; i++) {
        json_t *message = json_object();
        jx_set_str(message, "role", prompt->messages[i].role);
        if (i + 1 == prompt->count && prompt->image_count > 0) {
            jx_set(message, "content", pictured(prompt, prompt->messages[i].text));
        } else {
            jx_set_str(message, "content", prompt->messages[i].text);
        }
        jx_push(list, message);
    }
    json_array_foreach (prompt->rounds, i, round) {
        push_round(list, round);
    }
    return list;
}

static json_t *tools_of(const struct prompt *prompt)
{
    json_t *list = json_array();
    size_t i;
    json_t *tool;

    json_array_foreach (prompt->tools, i, tool) {
        jx_push(list, json_pack("{s:s,s:O}", "type", "function", "function", tool));
    }
    return list;
}

/* The limit of the answer's length, under the name that the server knows. */
static void add_limit(json_t *body, const struct model_config *config, unsigned mask)
{
    if ((mask & DIALECT_NO_TOKEN_LIMIT) == 0) {
        bool newer = (mask & DIALECT_COMPLETION_TOKENS) != 0;
        jx_set_int(body, newer ? "max_completion_tokens" : "max_tokens", config->max_output_tokens);
    }
}

json_t *openai_body(const struct model_config *config, const struct prompt *prompt, unsigned mask)
{
    json_t *body = json_object();

    jx_set_str(body, "model", config->name);
    jx_set(body, "messages", messages_of(prompt));
    jx_set_bool(body, "stream", config->stream);
    if (config->stream && (mask & DIALECT_NO_STREAM_OPTIONS) == 0) {
        jx_set(body, "stream_options", json_pack("{s:b}", "include_usage", 1));
    }
    add_limit(body, config, mask);
    if (config->temperature >= 0 && (mask & DIALECT_NO_TEMPERATURE) == 0) {
        jx_set(body, "temperature", json_real(config->temperature));
    }
    if (json_array_size(prompt->tools) > 0) {
        jx_set(body, "tools", tools_of(prompt));
        jx_set_str(body, "tool_choice", prompt->tools_over ? "none" : "auto");
    }
    if (prompt->schema != NULL && (mask & DIALECT_NO_SCHEMA) == 0) {
        jx_set(body, "response_format",
               json_pack("{s:s,s:{s:s,s:b,s:O}}", "type", "json_schema", "json_schema", "name", "answer",
                         "strict", 1, "schema", prompt->schema));
    }
    return body;
}

/* The key as a bearer token, and in Azure's own header where that is who answers. */
static size_t lines(const struct model_config *config, char out[WIRE_LINES][WIRE_LINE_SIZE])
{
    if (config->api_key[0] == '\0') {
        return 0;
    }
    snprintf(out[0], WIRE_LINE_SIZE, "Authorization: Bearer %s", config->api_key);
    if (strstr(config->base_url, ".azure.com") == NULL) {
        return 1;
    }
    snprintf(out[1], WIRE_LINE_SIZE, "api-key: %s", config->api_key);
    return 2;
}

const struct wire openai_wire = {.path = "/chat/completions",
                                 .body = openai_body,
                                 .lines = lines,
                                 .take = chat_reader_take,
                                 .request_id = "x-request-id"};
