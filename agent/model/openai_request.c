/* openai_request.c: our request as a chat-completions call. */
#include <string.h>

#include "agent/model/openai_request.h"

#include "agent/model/dialect.h"

/* The messages as role and content. */
static json_t *messages_of(const struct prompt *prompt)
{
    json_t *list = json_array();

    for (size_t i = 0; i < prompt->count; i++) {
        json_t *message = json_object();
        jx_set_str(message, "role", prompt->messages[i].role);
        jx_set_str(message, "content", prompt->messages[i].text);
        jx_push(list, message);
    }
    return list;
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
    if ((mask & DIALECT_NO_TOKEN_LIMIT) == 0) {
        bool newer = (mask & DIALECT_COMPLETION_TOKENS) != 0;
        jx_set_int(body, newer ? "max_completion_tokens" : "max_tokens", config->max_output_tokens);
    }
    if (config->temperature >= 0 && (mask & DIALECT_NO_TEMPERATURE) == 0) {
        jx_set(body, "temperature", json_real(config->temperature));
    }
    return body;
}

char *openai_url(const char *base_url, struct arena *arena)
{
    size_t path = strcspn(base_url, "?");
    size_t trimmed = path;

    while (trimmed > 0 && base_url[trimmed - 1] == '/') {
        trimmed--;
    }
    return arena_printf(arena, "%.*s/chat/completions%s", (int)trimmed, base_url, base_url + path);
}
