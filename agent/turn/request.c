/* request.c: what a generator is asked: request and configuration of a turn's agent. */
#include <string.h>

#include "agent/turn/turn.h"

#include "agent/common/hours.h"
#include "agent/profile/profile.h"
#include "agent/turn/toolbox.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/base/log.h"
#include "queue/base/option.h"

#define OUTPUT_TOKENS  600
#define CONTEXT_TOKENS 8000
#define CANARY_BYTES   9
#define PRIMARY_SHARE  0.6 /* of the time, where a fallback model waits */

/* What stands in the system part and must never come back; the same for all turns of an agent. */
static const char *canary_of(struct turn *turn)
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * CANARY_BYTES + 1];
    const char *text =
        arena_printf(turn->arena, "canary %s %s", turn->part, jx_str_or(turn->agent, "id", ""));

    sha256(text, strlen(text), digest);
    hex_encode(digest, CANARY_BYTES, hex);
    return arena_printf(turn->arena, "cq-%s", hex);
}

int64_t turn_time_left(const struct turn *turn)
{
    return turn->begun_mono_ms + option_int(OPT_MODEL_TIME) - clock_mono_ms();
}

const json_t *turn_model(const struct turn *turn)
{
    const json_t *model = jx_obj(turn->agent, "model");

    return turn->gen.on_fallback ? jx_obj(model, "fallback") : model;
}

int64_t turn_tokens_left(const struct turn *turn)
{
    const json_t *budget = jx_obj(jx_obj(turn->agent, "settings"), "budget");
    int64_t most = jx_int(budget, "tokens_per_message", -1);

    return most < 0 ? INT64_MAX : most - turn->spent.input - turn->spent.output;
}

/* The business's opening hours as text, NULL if it has told none. */
static const char *hours_of(struct turn *turn)
{
    struct buf out;
    const json_t *hours = jx_obj(jx_obj(turn->agent, "settings"), "hours");

    if (jx_obj(hours, "weekly") == NULL) {
        return NULL;
    }
    buf_init(&out, 8192);
    hours_text(hours, &out);
    const char *text = arena_strdup(turn->arena, buf_str(&out));
    buf_fini(&out);
    return text;
}

/* The business's time zone, NULL if it has told none. */
static const char *zone_of(const struct turn *turn)
{
    const json_t *settings = jx_obj(turn->agent, "settings");
    const char *zone = jx_str(jx_obj(settings, "hours"), "time_zone");

    return zone != NULL ? zone : jx_str(jx_obj(settings, "appointments"), "time_zone");
}

/* The tools' part of a request. */
static void add_tools(const struct turn *turn, struct model_request *out)
{
    const struct toolbox *box = turn->gen.box;

    if (box != NULL) {
        out->tools = toolbox_offered(box);
        out->rounds = toolbox_rounds(box);
        out->tools_over = toolbox_over(box);
    }
}

void turn_request(struct turn *turn, struct model_request *out)
{
    const json_t *chat = turn_chat(turn);

    if (turn->canary == NULL) {
        turn->canary = canary_of(turn);
    }
    *out = (struct model_request){
        .agent_name = jx_str_or(turn->agent, "name", ""),
        .persona = jx_str_or(turn->agent, "system_prompt", ""),
        .tone = jx_str(chat, "tone"),
        .style = jx_str(chat, "response_style"),
        .cite = strcmp(jx_str_or(chat, "citation_style", "NONE"), "NONE") != 0,
        .canary = turn->canary,
        .history = turn->lines,
        .history_count = turn->line_count,
        .question = turn->question,
        .passages = &turn->found,
        .parts = turn->parts,
        .part_count = turn->part_count,
        .images = turn->material->images,
        .image_count = turn->material->image_count,
        .papers = turn->material->papers,
        .paper_count = turn->material->paper_count,
        .now_ms = clock_wall_ms(),
        .time_zone = zone_of(turn),
        .hours = hours_of(turn),
        .contact = turn->contact_name,
        .summary = jx_str(jx_obj(turn->conversation, "summary"), "text"),
        .shrink = turn->gen.shrink,
        .time_ms = turn_time_left(turn),
        .first_ms = option_int(OPT_MODEL_FIRST),
    };
    if (jx_obj(jx_obj(turn->agent, "model"), "fallback") != NULL && !turn->gen.on_fallback) {
        out->time_ms = (int64_t)((double)out->time_ms * PRIMARY_SHARE);
    }
    add_tools(turn, out);
}

void turn_model_config(const struct turn *turn, struct buf *key, struct model_config *out)
{
    const json_t *model = turn_model(turn);
    enum err rc = turn->gen.on_fallback ? agent_fallback_key(turn->part, turn->agent, key)
                                        : agent_api_key(turn->part, turn->agent, key);
    int64_t tokens = turn_tokens_left(turn);
    int64_t answer = jx_int(model, "max_output_tokens", OUTPUT_TOKENS);
    int64_t context = jx_int(model, "context_tokens", CONTEXT_TOKENS);

    if (rc != ERR_OK && rc != ERR_NOTFOUND) {
        log_error("model.key_unreadable", "agent=%s error=%s", jx_str_or(turn->agent, "id", ""),
                  err_name(rc));
    }
    *out = (struct model_config){
        .provider = jx_str_or(model, "provider", "extractive"),
        .base_url = jx_str(model, "base_url"),
        .name = jx_str(model, "name"),
        .api_key = buf_str(key),
        .pool = turn->part,
        .temperature = jx_num(model, "temperature", -1),
        .max_output_tokens = (unsigned)(answer < tokens / 4 ? answer : tokens / 4),
        .context_tokens = (unsigned)(context < tokens ? context : tokens),
        .stream = jx_bool(model, "stream", true),
    };
}
