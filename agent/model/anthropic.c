/* anthropic.c: Anthropic Messages (docs.anthropic.com, "Messages", version 2023-06-01): what is asked and how
 * the answer reads.
 *
 * The system part is no message; results of tools are the user's; messages of one role in a row are one. The
 * parts that stay the same from turn to turn end in a mark for the provider's cache: tools and system
 * together, and the conversation up to the newest message. A stream is a row of typed events; what is not
 * known is passed over, as the provider asks for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/model/call.h"

#include "agent/model/dialect.h"
#include "agent/model/picture.h"

#define ANTHROPIC_VERSION "2023-06-01"

/* ---- what is asked ---- */

static json_t *block_text(const char *text)
{
    return json_pack("{s:s,s:s}", "type", "text", "text", text);
}

/* The provider keeps what stands up to here. */
static void mark_cached(json_t *block)
{
    jx_set(block, "cache_control", json_pack("{s:s}", "type", "ephemeral"));
}

/* The content of the message of that role at the end of the list; begun if the last one is another's. */
static json_t *content_of(json_t *list, const char *role)
{
    json_t *last = json_array_get(list, json_array_size(list) - 1);

    if (json_array_size(list) > 0 && strcmp(jx_str_or(last, "role", ""), role) == 0) {
        return jx_arr(last, "content");
    }
    json_t *content = json_array(), *message = json_object();
    jx_set_str(message, "role", role);
    jx_set(message, "content", content);
    jx_push(list, message);
    return content;
}

/* The arguments of a call as the object they must be. */
static json_t *input_of(const json_t *call)
{
    json_t *input = NULL;
    const char *text = jx_str_or(call, "arguments", "{}");

    if (jx_parse_lenient(text, strlen(text), &input) == ERR_OK && json_is_object(input)) {
        return input;
    }
    json_decref(input);
    return json_object();
}

static void push_round(json_t *list, const json_t *round)
{
    json_t *said = content_of(list, "assistant");
    const char *text = jx_str_or(round, "text", "");
    size_t i;
    json_t *item;

    if (text[strspn(text, " \t\r\n")] != '\0') {
        jx_push(said, block_text(text));
    }
    json_array_foreach (jx_arr(round, "calls"), i, item) {
        jx_push(said, json_pack("{s:s,s:s,s:s,s:o}", "type", "tool_use", "id", jx_str_or(item, "id", ""),
                                "name", jx_str_or(item, "name", ""), "input", input_of(item)));
    }
    json_t *results = content_of(list, "user");
    json_array_foreach (jx_arr(round, "results"), i, item) {
        jx_push(results, json_pack("{s:s,s:s,s:s,s:b}", "type", "tool_result", "tool_use_id",
                                   jx_str_or(item, "id", ""), "content", jx_str_or(item, "text", ""),
                                   "is_error", jx_bool(item, "error", false)));
    }
}

/* The pictures that came with the newest message, before its text. */
static void push_pictures(json_t *content, const struct prompt *prompt)
{
    for (size_t i = 0; i < prompt->image_count; i++) {
        char *data = picture_base64(&prompt->images[i], "");
        if (data != NULL) {
            jx_push(content, json_pack("{s:s,s:{s:s,s:s,s:s}}", "type", "image", "source", "type", "base64",
                                       "media_type", prompt->images[i].mime_type, "data", data));
        }
        free(data);
    }
}

/* The conversation; it must begin with the customer. */
static json_t *messages_of(const struct prompt *prompt)
{
    json_t *list = json_array();
    size_t i;
    json_t *round;

    if (prompt->count > 1 && strcmp(prompt->messages[1].role, "user") != 0) {
        jx_push(content_of(list, "user"), block_text("(What was said before is left out.)"));
    }
    for (i = 1; i < prompt->count; i++) {
        json_t *block = block_text(prompt->messages[i].text);
        if (i + 2 == prompt->count) {
            mark_cached(block);
        }
        if (i + 1 == prompt->count) {
            push_pictures(content_of(list, prompt->messages[i].role), prompt);
        }
        jx_push(content_of(list, prompt->messages[i].role), block);
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
        jx_push(list,
                json_pack("{s:s,s:s,s:O}", "name", jx_str_or(tool, "name", ""), "description",
                          jx_str_or(tool, "description", ""), "input_schema", jx_obj(tool, "parameters")));
    }
    return list;
}

static json_t *body_of(const struct model_config *config, const struct prompt *prompt, unsigned mask)
{
    json_t *body = json_object(), *system = json_array(), *block = block_text(prompt->messages[0].text);

    mark_cached(block);
    jx_push(system, block);
    jx_set_str(body, "model", config->name);
    jx_set_int(body, "max_tokens", config->max_output_tokens);
    if (json_array_size(prompt->tools) > 0) {
        jx_set(body, "tools", tools_of(prompt));
        jx_set(body, "tool_choice", json_pack("{s:s}", "type", prompt->tools_over ? "none" : "auto"));
    }
    jx_set(body, "system", system);
    jx_set(body, "messages", messages_of(prompt));
    jx_set_bool(body, "stream", config->stream);
    if (config->temperature >= 0 && (mask & DIALECT_NO_TEMPERATURE) == 0) {
        jx_set(body, "temperature", json_real(config->temperature < 1 ? config->temperature : 1));
    }
    return body;
}

static size_t lines(const struct model_config *config, char out[WIRE_LINES][WIRE_LINE_SIZE])
{
    snprintf(out[0], WIRE_LINE_SIZE, "anthropic-version: " ANTHROPIC_VERSION);
    if (config->api_key[0] == '\0') {
        return 1;
    }
    snprintf(out[1], WIRE_LINE_SIZE, "x-api-key: %s", config->api_key);
    return 2;
}

/* ---- how the answer reads ---- */

/* input_tokens leaves out what the cache held or took: the sum is what was read. Later values win. */
static void take_usage(struct chat_reader *r, const json_t *usage)
{
    if (usage == NULL) {
        return;
    }
    int64_t cached = jx_int(usage, "cache_read_input_tokens", 0);
    int64_t input =
        jx_int(usage, "input_tokens", 0) + cached + jx_int(usage, "cache_creation_input_tokens", 0);
    r->usage.known = true;
    if (input > 0) {
        r->usage.input = input;
        r->usage.cached = cached;
    }
    r->usage.output = jx_int(usage, "output_tokens", r->usage.output);
}

static void take_stop(struct chat_reader *r, const char *reason)
{
    if (reason == NULL) {
        return;
    }
    r->finished = true;
    r->refused = r->refused || strcmp(reason, "refusal") == 0;
    r->truncated = r->truncated || strcmp(reason, "max_tokens") == 0 ||
                   strcmp(reason, "model_context_window_exceeded") == 0;
}

/* A block of content: text, or the call of a tool. index < 0: it is all there. */
static void take_block(struct chat_reader *r, int64_t index, const json_t *block)
{
    const char *type = jx_str_or(block, "type", "");
    const json_t *input = jx_obj(block, "input");

    if (strcmp(type, "text") == 0) {
        chat_reader_text(r, json_object_get(block, "text"));
    } else if (strcmp(type, "tool_use") == 0) {
        char *text = json_object_size(input) > 0 ? jx_text(input) : NULL;
        tool_calls_piece(&r->calls, index, jx_str(block, "id"), jx_str(block, "name"), text);
        free(text);
    }
}

static void take_whole(struct chat_reader *r, const json_t *root)
{
    const json_t *content = jx_arr(root, "content");

    chat_reader_model(r, jx_str(root, "model"));
    take_usage(r, jx_obj(root, "usage"));
    for (size_t i = 0; i < json_array_size(content); i++) {
        take_block(r, (int64_t)i, json_array_get(content, i));
    }
    take_stop(r, jx_str(root, "stop_reason"));
}

static void event_start(struct chat_reader *r, const json_t *root)
{
    take_whole(r, jx_obj(root, "message"));
}

static void event_block(struct chat_reader *r, const json_t *root)
{
    take_block(r, jx_int(root, "index", 0), jx_obj(root, "content_block"));
}

static void event_piece(struct chat_reader *r, const json_t *root)
{
    const json_t *delta = jx_obj(root, "delta");
    const char *type = jx_str_or(delta, "type", "");

    if (strcmp(type, "text_delta") == 0) {
        chat_reader_text(r, json_object_get(delta, "text"));
    } else if (strcmp(type, "input_json_delta") == 0) {
        tool_calls_piece(&r->calls, jx_int(root, "index", 0), NULL, NULL, jx_str(delta, "partial_json"));
    }
}

static void event_message(struct chat_reader *r, const json_t *root)
{
    take_usage(r, jx_obj(root, "usage"));
    take_stop(r, jx_str(jx_obj(root, "delta"), "stop_reason"));
}

static void event_stop(struct chat_reader *r, const json_t *root)
{
    (void)root;
    r->done = true;
}

static const struct {
    const char *type;
    void (*fn)(struct chat_reader *r, const json_t *root);
} events[] = {
    {"message_start", event_start},       {"content_block_start", event_block},
    {"content_block_delta", event_piece}, {"message_delta", event_message},
    {"message_stop", event_stop},
};

static void take(struct chat_reader *r, const json_t *root, bool whole)
{
    const char *type = jx_str_or(root, "type", "");

    if (whole) {
        take_whole(r, root);
        return;
    }
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        if (strcmp(events[i].type, type) == 0) {
            events[i].fn(r, root);
        }
    }
}

const struct wire anthropic_wire = {
    .path = "/v1/messages", .body = body_of, .lines = lines, .take = take, .request_id = "request-id"};
