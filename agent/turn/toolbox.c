/* toolbox.c: the tools of one turn: what is offered, what is called, what comes back.
 *
 * A box belongs to one run of a turn and lives in its arena. Calls of one round run together; those that
 * need the network are under way at the same time. The round is over when the last has its result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/turn/toolbox.h"

#include "agent/model/prompt.h"
#include "agent/tool/api_call.h"
#include "agent/tool/args.h"
#include "agent/tool/mcp.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"

#define NAME_MAX_BYTES  64
#define DESCRIPTION_MAX 1024

/* One tool that is offered. */
struct item {
    const char *name;
    const json_t *parameters;
    const struct tool_row *row; /* ours; else: */
    const json_t *api;          /* a declared HTTP call; else: */
    const json_t *server;       /* an MCP server and the tool's name there */
    const char *remote;
    bool effect; /* it changes something outside */
    unsigned used;
};

/* One call of the round under way. */
struct call {
    struct toolbox *box;
    const char *id, *name, *text; /* text: the arguments as they came */
    struct item *item;
    json_t *arguments;
    const char *key; /* of an outside effect: what it is remembered under in this turn */
    struct api_call *api;
    struct mcp_call *mcp;
    const char *result;
    bool ok, done;
    int64_t began_us;
};

/* The list of one MCP server under way. */
struct listing {
    struct toolbox *box;
    const json_t *server;
    struct mcp_call *call; /* NULL: it came */
};

struct toolbox {
    struct turn *turn;
    struct item items[TOOLS_OFFERED];
    size_t count;
    json_t *offered, *rounds; /* the arena's */
    struct call calls[MODEL_CALLS];
    size_t call_count, under_way;
    unsigned round, total;
    bool running, helped;
    const char *said;
    struct listing lists[MCP_SERVERS];
    size_t listing;
    toolbox_fn fn; /* what waits, NULL: nothing */
    void *arg;
};

/* ---- what is offered ---- */

/* Offers a tool, unless there are enough or the name is taken. */
static struct item *item_add(struct toolbox *box, const char *name, const char *description,
                             json_t *parameters)
{
    struct arena *arena = box->turn->arena;

    arena_defer(arena, jx_decref, parameters);
    for (size_t i = 0; i < box->count; i++) {
        if (strcmp(box->items[i].name, name) == 0) {
            return NULL;
        }
    }
    if (box->count == TOOLS_OFFERED) {
        return NULL;
    }
    struct item *item = &box->items[box->count++];
    *item = (struct item){.name = arena_strdup(arena, name), .parameters = parameters};
    char *clean = prompt_clean(description, NULL, arena);
    clean[utf8_prefix(clean, strlen(clean), DESCRIPTION_MAX)] = '\0';
    jx_push(box->offered,
            json_pack("{s:s,s:s,s:O}", "name", item->name, "description", clean, "parameters", parameters));
    return item;
}

static void offer_rows(struct toolbox *box)
{
    size_t count;
    const struct tool_row *rows = tool_rows(&count);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].enabled(box->turn->agent)) {
            struct item *item =
                item_add(box, rows[i].name, rows[i].description, tool_parameters(&rows[i], box->turn->agent));
            CHECK(item != NULL);
            item->row = &rows[i];
        }
    }
}

static void offer_declared(struct toolbox *box)
{
    size_t i;
    json_t *tool;

    json_array_foreach (jx_arr(box->turn->agent, "tools"), i, tool) {
        const json_t *call = jx_obj(tool, "call");
        bool reads = strcmp(jx_str_or(call, "method", "GET"), "GET") == 0;
        struct item *item = item_add(box, jx_str_or(tool, "name", ""), jx_str_or(tool, "description", ""),
                                     json_deep_copy(jx_obj(tool, "parameters")));
        if (item != NULL) {
            item->api = call;
            item->effect = jx_bool(tool, "side_effect", !reads);
        }
    }
}

/* The tools of one MCP server; its name goes before theirs. */
static void offer_listed(struct toolbox *box, const json_t *server, const json_t *tools)
{
    struct arena *arena = box->turn->arena;
    size_t i;
    json_t *tool;

    json_array_foreach ((json_t *)tools, i, tool) {
        const json_t *schema = jx_obj(tool, "inputSchema");
        const char *remote = jx_str_or(tool, "name", "");
        const char *name = arena_printf(arena, "%s_%s", jx_str_or(server, "name", ""), remote);
        if (strlen(name) > NAME_MAX_BYTES || !args_schema_ok(schema, NULL)) {
            continue;
        }
        struct item *item = item_add(box, name, jx_str_or(tool, "description", ""), json_deep_copy(schema));
        if (item != NULL) {
            item->server = server;
            item->remote = arena_strdup(arena, remote);
            item->effect = !jx_bool(jx_obj(tool, "annotations"), "readOnlyHint", false);
        }
    }
}

struct toolbox *toolbox_open(struct turn *turn)
{
    struct toolbox *box = arena_alloc(turn->arena, sizeof *box);

    box->turn = turn;
    box->offered = json_array();
    box->rounds = json_array();
    arena_defer(turn->arena, jx_decref, box->offered);
    arena_defer(turn->arena, jx_decref, box->rounds);
    offer_rows(box);
    offer_declared(box);
    return box->count > 0 || json_array_size(jx_arr(turn->agent, "mcp_servers")) > 0 ? box : NULL;
}

/* The last list came: what waited goes on. */
static void listing_done(struct toolbox *box)
{
    toolbox_fn fn = box->fn;

    if (box->listing == 0 && fn != NULL) {
        box->fn = NULL;
        fn(box->arg);
    }
}

/* A server told its tools, or did not: then it has none. */
static void list_came(const struct mcp_result *result, void *arg)
{
    struct listing *list = arg;

    list->call = NULL;
    list->box->listing--;
    if (result->ok) {
        offer_listed(list->box, list->server, result->tools);
    }
    listing_done(list->box);
}

bool toolbox_prepare(struct toolbox *box, toolbox_fn fn, void *arg)
{
    struct turn *turn = box->turn;
    size_t i;
    json_t *server;

    json_array_foreach (jx_arr(turn->agent, "mcp_servers"), i, server) {
        json_t *kept = mcp_kept(turn->part, server);
        if (kept != NULL) {
            offer_listed(box, server, kept);
            json_decref(kept);
        } else if (i < MCP_SERVERS) {
            struct listing *list = &box->lists[i];
            *list = (struct listing){.box = box, .server = server};
            box->listing++;
            list->call =
                mcp_list(job_http(turn->job), job_store(turn->job), turn->part, server, list_came, list);
        }
    }
    box->fn = box->listing > 0 ? fn : NULL;
    box->arg = arg;
    return box->listing == 0;
}

bool toolbox_prepared(const struct toolbox *box)
{
    return box->listing == 0;
}

const json_t *toolbox_offered(const struct toolbox *box)
{
    return box->count > 0 ? box->offered : NULL;
}

const json_t *toolbox_rounds(const struct toolbox *box)
{
    return box->round > 0 ? box->rounds : NULL;
}

bool toolbox_over(const struct toolbox *box)
{
    return box->round >= TOOL_ROUNDS || box->total >= TOOL_CALLS;
}

bool toolbox_has_calls(const struct toolbox *box)
{
    return box->call_count > 0;
}

bool toolbox_helped(const struct toolbox *box)
{
    return box->helped;
}

const char *toolbox_person(const struct toolbox *box)
{
    return box->turn->person_wanted;
}

void toolbox_want_person(struct turn *turn, const char *reason)
{
    turn->person_wanted = prompt_clean(reason, NULL, turn->arena);
}

/* ---- what is called ---- */

void toolbox_take(struct toolbox *box, const char *id, const char *name, const char *arguments)
{
    struct arena *arena = box->turn->arena;

    if (box->call_count == MODEL_CALLS || toolbox_over(box)) {
        return;
    }
    struct call *call = &box->calls[box->call_count++];
    *call = (struct call){.box = box,
                          .id = arena_strdup(arena, id),
                          .name = arena_strdup(arena, name),
                          .text = arena_strdup(arena, arguments)};
}

void toolbox_forget(struct toolbox *box)
{
    CHECK(box->under_way == 0);
    box->call_count = 0;
}

/* One line of the trace; a name that was never offered is the model's own text and is left out. */
static void note_call(struct turn *turn, const struct call *call)
{
    json_t *line = json_object();

    jx_set_str(line, "name", call->item != NULL ? call->item->name : "unknown");
    jx_set_int(line, "ms", (clock_mono_us() - call->began_us) / 1000);
    jx_set_bool(line, "ok", call->ok);
    jx_push(turn->tool_trace, line);
}

/* What an outside effect answered is kept for the whole turn. */
static void keep_result(const struct call *call)
{
    if (call->key != NULL && json_object_get(call->box->turn->tool_memo, call->key) == NULL) {
        jx_set(call->box->turn->tool_memo, call->key,
               json_pack("{s:s,s:b}", "text", call->result, "ok", call->ok ? 1 : 0));
    }
}

/* The round as the model reads it next. */
static void round_close(struct toolbox *box, const char *said)
{
    json_t *calls = json_array(), *results = json_array();

    for (size_t i = 0; i < box->call_count; i++) {
        const struct call *call = &box->calls[i];
        jx_push(calls, json_pack("{s:s,s:s,s:s}", "id", call->id, "name", call->name, "arguments",
                                 call->arguments != NULL ? call->text : "{}"));
        jx_push(results,
                json_pack("{s:s,s:s,s:b}", "id", call->id, "text", call->result, "error", !call->ok));
    }
    json_t *round = json_object();
    jx_set_str(round, "text", said);
    jx_set(round, "calls", calls);
    jx_set(round, "results", results);
    jx_push(box->rounds, round);
    box->round++;
    box->call_count = 0;
}

/* A call has its result; the last one ends the round. */
static void call_end(struct call *call, const char *text, bool ok)
{
    struct toolbox *box = call->box;
    size_t size = strlen(text);

    CHECK(!call->done);
    call->done = true;
    call->ok = ok;
    call->result = arena_strndup(box->turn->arena, text, utf8_prefix(text, size, TOOL_RESULT_MAX));
    box->helped = box->helped || ok;
    keep_result(call);
    note_call(box->turn, call);
    box->under_way--;
    if (box->under_way == 0 && !box->running && box->fn != NULL) {
        toolbox_fn fn = box->fn;
        box->fn = NULL;
        fn(box->arg);
    }
}

static void api_came(const struct api_call_result *result, void *arg)
{
    struct call *call = arg;
    struct buf text;
    const json_t *told = json_object_size(result->saved) > 0 ? result->saved : result->body;

    call->api = NULL;
    buf_init(&text, 4u << 20);
    if (result->ok && json_is_string(told)) {
        buf_add(&text, json_string_value(told), json_string_length(told));
    } else if (result->ok && told != NULL) {
        jx_dump(told, &text);
    } else if (!result->ok) {
        buf_addf(&text, "It did not work: %s", result->why != NULL ? result->why : "no answer");
    }
    call_end(call, buf_str(&text), result->ok);
    buf_fini(&text);
}

static void mcp_came(const struct mcp_result *result, void *arg)
{
    struct call *call = arg;

    call->mcp = NULL;
    call_end(call, result->text, result->ok);
}

/* What an outside effect is known by: the tool, the arguments in one spelling, and a message ("": any). */
static const char *effect_key(struct turn *turn, const struct call *call, const char *message_id)
{
    char *arguments = json_dumps(call->arguments, JSON_COMPACT | JSON_SORT_KEYS);
    const char *all = arena_printf(turn->arena, "%s %s %s %s", turn->conversation_id, message_id,
                                   call->item->name, arguments != NULL ? arguments : "");
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];

    sha256(all, strlen(all), digest);
    hex_encode(digest, SHA256_SIZE, hex);
    free(arguments);
    return arena_strdup(turn->arena, hex);
}

/* The values that a declared call's texts may name: the arguments, and what we know, which wins. */
static json_t *vars_of(const struct turn *turn, const struct call *call)
{
    json_t *vars = json_deep_copy(call->arguments);

    jx_set(vars, "conversation", json_pack("{s:s}", "id", turn->conversation_id));
    jx_set(vars, "contact",
           json_pack("{s:s,s:s,s:s}", "id", jx_str_or(turn->conversation, "contact_id", ""), "name",
                     turn->contact_name != NULL ? turn->contact_name : "", "phone",
                     turn->contact_phone != NULL ? turn->contact_phone : ""));
    return vars;
}

static void start_api(struct call *call)
{
    struct turn *turn = call->box->turn;
    json_t *spec = json_deep_copy(call->item->api), *vars = vars_of(turn, call);

    if (call->key != NULL) {
        json_t *headers = jx_obj(spec, "headers");
        if (headers == NULL) {
            headers = json_object();
            jx_set(spec, "headers", headers);
        }
        jx_set_str(headers, "Idempotency-Key",
                   effect_key(turn, call, turn->newest_id != NULL ? turn->newest_id : ""));
    }
    struct api_call *api =
        api_call_start(job_http(turn->job), job_store(turn->job), turn->part, spec, vars, api_came, call);
    call->api = call->done ? NULL : api;
    json_decref(spec);
    json_decref(vars);
}

/* One of ours: at once. */
static void run_row(struct call *call)
{
    struct buf out;

    buf_init(&out, 64u << 10);
    bool ok = call->item->row->fn(call->box->turn, call->arguments, &out);
    call_end(call, buf_str(&out), ok);
    buf_fini(&out);
}

/* The offered tool with this name, NULL if there is none. */
static struct item *item_of(struct toolbox *box, const char *name)
{
    for (size_t i = 0; i < box->count; i++) {
        if (strcmp(box->items[i].name, name) == 0) {
            return &box->items[i];
        }
    }
    return NULL;
}

/* Reads and judges the arguments; false: why says what is wrong. */
static bool read_arguments(struct call *call, struct buf *why)
{
    if (jx_parse_strict(call->text, strlen(call->text), &call->arguments, NULL) != ERR_OK) {
        call->arguments = NULL;
        buf_adds(why, "The arguments are no JSON object.");
        return false;
    }
    arena_defer(call->box->turn->arena, jx_decref, call->arguments);
    return args_check(call->item->parameters, call->arguments, why);
}

/* Runs a call whose arguments are good. */
static void start_good(struct call *call)
{
    struct turn *turn = call->box->turn;
    struct item *item = call->item;
    const json_t *before;

    if (item->row != NULL) {
        run_row(call);
        return;
    }
    call->key = item->effect ? effect_key(turn, call, "") : NULL;
    before = call->key != NULL ? json_object_get(turn->tool_memo, call->key) : NULL;
    if (before != NULL) {
        call_end(call, jx_str_or(before, "text", ""), jx_bool(before, "ok", false));
    } else if (item->effect && item->used > 1) {
        call_end(call, "This was done once already; it is not done twice for one message.", false);
    } else if (item->api != NULL) {
        start_api(call);
    } else {
        call->mcp = mcp_run(job_http(turn->job), job_store(turn->job), turn->part, item->server, item->remote,
                            call->arguments, mcp_came, call);
    }
}

static void start_call(struct call *call)
{
    struct buf why;

    call->began_us = clock_mono_us();
    call->item = item_of(call->box, call->name);
    buf_init(&why, 2048);
    if (call->item == NULL) {
        call_end(call, "There is no such tool.", false);
    } else if (!read_arguments(call, &why)) {
        call_end(call, buf_str(&why), false);
    } else if (call->box->total >= TOOL_CALLS) {
        call_end(call, "Too many calls.", false);
    } else if (call->item->row != NULL && call->item->used >= call->item->row->times) {
        call_end(call, "This tool was used often enough for one message.", false);
    } else {
        call->box->total++;
        call->item->used++;
        start_good(call);
    }
    buf_fini(&why);
}

bool toolbox_run(struct toolbox *box, const char *said, toolbox_fn fn, void *arg)
{
    if (box->call_count > 0 && box->under_way == 0 && !box->calls[0].done) {
        box->running = true;
        box->fn = fn;
        box->arg = arg;
        box->under_way = box->call_count;
        box->said = arena_strdup(box->turn->arena, said);
        for (size_t i = 0; i < box->call_count; i++) {
            start_call(&box->calls[i]);
        }
        box->running = false;
    }
    if (box->under_way > 0) {
        return false;
    }
    box->fn = NULL;
    round_close(box, box->said);
    return true;
}

void toolbox_cancel(struct toolbox *box)
{
    if (box == NULL) {
        return;
    }
    box->fn = NULL;
    for (size_t i = 0; i < MCP_SERVERS; i++) {
        if (box->lists[i].call != NULL) {
            mcp_cancel(box->lists[i].call);
            box->lists[i].call = NULL;
        }
    }
    for (size_t i = 0; i < box->call_count; i++) {
        if (box->calls[i].api != NULL) {
            api_call_cancel(box->calls[i].api);
        }
        if (box->calls[i].mcp != NULL) {
            mcp_cancel(box->calls[i].mcp);
        }
        box->calls[i].api = NULL;
        box->calls[i].mcp = NULL;
    }
    box->under_way = box->call_count = box->listing = 0;
}
