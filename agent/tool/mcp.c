/* mcp.c: a client of MCP servers over Streamable HTTP.
 *
 * A call is a row of messages: initialize, notifications/initialized, then what is wanted (tools/list page by
 * page, or tools/call). Where a session is known the first two are left out. States only move forward, but
 * for one return to the beginning when the server does not know the session any more. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tool/mcp.h"

#include "agent/model/sse.h"
#include "agent/tool/secret.h"
#include "queue/base/arena.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/httpc.h"

#define MCP_MAGIC    0x6d637063u
#define SESSION_SIZE 257
#define HEADERS_MAX  16
#define PAGES_MAX    5
#define TOOLS_MAX    128
#define SERVERS_KEPT 64
#define LINE_SIZE    8600

enum state { ST_GREET, ST_GREETED, ST_WORK };

/* What is remembered of a server. */
struct known {
    uint8_t key[SHA256_SIZE];
    bool used, greeted;
    char session[SESSION_SIZE], version[24];
    json_t *tools; /* NULL: none kept */
    int64_t tools_ms;
};
static struct {
    pthread_mutex_t lock;
    unsigned next;
    struct known servers[SERVERS_KEPT];
} memory = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct mcp_call {
    unsigned magic;
    struct httpc *http;
    struct store *store;
    struct arena *arena;
    char *part;
    json_t *server, *arguments; /* owned; arguments NULL: a list */
    char *tool;                 /* NULL: a list */
    uint8_t key[SHA256_SIZE];
    enum state state;
    bool greeted_anew;
    unsigned pages;
    int64_t id, end_ms;
    uint64_t transfer;
    char session[SESSION_SIZE], version[24];
    char *cursor;
    json_t *tools;  /* of a list, growing */
    json_t *answer; /* the message that answers ours, out of a stream */
    mcp_fn fn;      /* NULL: cancelled */
    void *arg;
};

static void message_send(struct mcp_call *call);

/* ---- memory ---- */

static void key_of(const char *part, const json_t *server, uint8_t out[SHA256_SIZE])
{
    char *text = json_dumps(server, JSON_COMPACT | JSON_SORT_KEYS);
    char *all = xasprintf("%s\n%s", part, text != NULL ? text : "");

    sha256(all, strlen(all), out);
    free(all);
    free(text);
}

/* The place of a server, NULL if it is unknown. The lock is held. */
static struct known *known_locked(const uint8_t key[SHA256_SIZE])
{
    for (unsigned i = 0; i < SERVERS_KEPT; i++) {
        if (memory.servers[i].used && memcmp(memory.servers[i].key, key, SHA256_SIZE) == 0) {
            return &memory.servers[i];
        }
    }
    return NULL;
}

/* The place of a server, made if there is none. The lock is held. */
static struct known *known_make_locked(const uint8_t key[SHA256_SIZE])
{
    struct known *place = known_locked(key);

    if (place == NULL) {
        place = &memory.servers[memory.next++ % SERVERS_KEPT];
        json_decref(place->tools);
        memset(place, 0, sizeof *place);
        memcpy(place->key, key, SHA256_SIZE);
        place->used = true;
    }
    return place;
}

json_t *mcp_kept(const char *part, const json_t *server)
{
    uint8_t key[SHA256_SIZE];
    json_t *tools = NULL;

    key_of(part, server, key);
    pthread_mutex_lock(&memory.lock);
    const struct known *place = known_locked(key);
    if (place != NULL && place->tools != NULL && clock_mono_ms() - place->tools_ms < MCP_LIST_MS) {
        tools = json_deep_copy(place->tools);
    }
    pthread_mutex_unlock(&memory.lock);
    return tools;
}

/* Keeps session and version, and the tools of a finished list. */
static void remember(const struct mcp_call *call)
{
    pthread_mutex_lock(&memory.lock);
    struct known *place = known_make_locked(call->key);
    place->greeted = true;
    memcpy(place->session, call->session, sizeof place->session);
    memcpy(place->version, call->version, sizeof place->version);
    if (call->tools != NULL) {
        json_decref(place->tools);
        place->tools = json_deep_copy(call->tools);
        place->tools_ms = clock_mono_ms();
    }
    pthread_mutex_unlock(&memory.lock);
}

/* Goes on with a known session, if there is one. */
static void recall(struct mcp_call *call)
{
    pthread_mutex_lock(&memory.lock);
    const struct known *place = known_locked(call->key);
    if (place != NULL && place->greeted) {
        memcpy(call->session, place->session, sizeof call->session);
        memcpy(call->version, place->version, sizeof call->version);
        call->state = ST_WORK;
    }
    pthread_mutex_unlock(&memory.lock);
}

void mcp_reset(void)
{
    pthread_mutex_lock(&memory.lock);
    for (unsigned i = 0; i < SERVERS_KEPT; i++) {
        json_decref(memory.servers[i].tools);
    }
    memset(memory.servers, 0, sizeof memory.servers);
    pthread_mutex_unlock(&memory.lock);
}

/* ---- a call's life ---- */

static void call_free(struct mcp_call *call)
{
    call->magic = 0;
    arena_free(call->arena);
    free(call->part);
    free(call->tool);
    free(call->cursor);
    json_decref(call->server);
    json_decref(call->arguments);
    json_decref(call->tools);
    json_decref(call->answer);
    free(call);
}

/* Tells the caller and is gone. */
static void finish(struct mcp_call *call, bool ok, const char *text)
{
    struct mcp_result result = {.ok = ok, .text = text, .tools = ok ? call->tools : NULL};

    if (call->fn != NULL) {
        call->fn(&result, call->arg);
    }
    call_free(call);
}

/* True if the declaration allows the tool. */
static bool is_allowed(const json_t *server, const char *tool)
{
    const json_t *list = jx_arr(server, "allowed_tools");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name != NULL && strcmp(name, tool) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- what answers say ---- */

/* Takes one JSON-RPC message: ours is the one with our id. */
static void take_message(struct mcp_call *call, const json_t *message)
{
    if (jx_int(message, "id", -1) == call->id &&
        (json_object_get(message, "result") != NULL || json_object_get(message, "error") != NULL)) {
        json_decref(call->answer);
        call->answer = json_incref((json_t *)message);
    }
}

static bool take_event(const char *event, const char *data, size_t size, void *arg)
{
    struct mcp_call *call = arg;
    json_t *message = NULL;

    (void)event;
    if (jx_parse_lenient(data, size, &message) == ERR_OK) {
        take_message(call, message);
    }
    json_decref(message);
    return call->answer == NULL;
}

/* Finds our answer in what came, JSON or a stream. */
static void read_answer(struct mcp_call *call, const struct httpc_answer *answer)
{
    json_t *whole = NULL;
    struct sse sse;

    if (strncmp(answer->content_type, "text/event-stream", 17) != 0) {
        if (jx_parse_lenient(answer->body, answer->body_size, &whole) == ERR_OK) {
            take_message(call, json_is_array(whole) ? json_array_get(whole, 0) : whole);
        }
        json_decref(whole);
        return;
    }
    sse_init(&sse, take_event, call);
    if (sse_feed(&sse, answer->body, answer->body_size) == ERR_OK) {
        sse_end(&sse);
    }
    sse_fini(&sse);
}

/* Adds the allowed tools of one page. */
static void add_tools(struct mcp_call *call, const json_t *result)
{
    const json_t *list = jx_arr(result, "tools");
    size_t i;
    json_t *tool;

    if (call->tools == NULL) {
        call->tools = json_array();
    }
    json_array_foreach ((json_t *)list, i, tool) {
        const char *name = jx_str(tool, "name");
        if (name != NULL && is_allowed(call->server, name) && json_array_size(call->tools) < TOOLS_MAX) {
            jx_push(call->tools, json_deep_copy(tool));
        }
    }
}

/* The texts of a call's result. */
static void give_content(struct mcp_call *call, const json_t *result)
{
    struct buf text;
    const json_t *content = jx_arr(result, "content");
    bool failed = jx_bool(result, "isError", false);

    buf_init(&text, MCP_ANSWER_MAX);
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *part = json_array_get(content, i);
        buf_adds(&text, jx_str_or(part, "text", ""));
        buf_adds(&text, jx_str(part, "text") != NULL ? "\n" : "");
    }
    if (text.len == 0 && jx_obj(result, "structuredContent") != NULL) {
        jx_dump(jx_obj(result, "structuredContent"), &text);
    }
    char *kept = arena_strndup(call->arena, buf_str(&text), text.len);
    buf_fini(&text);
    finish(call, !failed, kept);
}

/* The result of what was wanted. */
static void work_done(struct mcp_call *call, const json_t *result)
{
    const char *next = jx_str(result, "nextCursor");

    if (call->tool != NULL) {
        give_content(call, result);
        return;
    }
    add_tools(call, result);
    free(call->cursor);
    call->cursor = next != NULL ? xstrdup(next) : NULL;
    if (call->cursor != NULL && ++call->pages < PAGES_MAX) {
        message_send(call);
        return;
    }
    remember(call);
    finish(call, true, "");
}

/* The server's greeting: its session and the revision it speaks. */
static void greeted(struct mcp_call *call, const json_t *result, const char *session)
{
    snprintf(call->session, sizeof call->session, "%s", session != NULL ? session : "");
    snprintf(call->version, sizeof call->version, "%s", jx_str_or(result, "protocolVersion", MCP_VERSION));
    call->state = ST_GREETED;
    message_send(call);
}

/* True if the value may stand in a header line. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x21 || (unsigned char)*text > 0x7e) {
            return false;
        }
    }
    return true;
}

/* What a good HTTP answer means in this state. */
static void advance(struct mcp_call *call, const struct httpc_answer *answer)
{
    const char *session = httpc_answer_header(answer, "mcp-session-id");

    if (call->state == ST_GREETED) {
        call->state = ST_WORK;
        remember(call);
        message_send(call);
        return;
    }
    read_answer(call, answer);
    json_t *message = call->answer;
    const json_t *result = jx_obj(message, "result");
    call->answer = NULL;
    if (result == NULL) {
        finish(call, false,
               jx_obj(message, "error") != NULL ? "the server refused the request"
                                                : "the server gave no answer that can be read");
    } else if (call->state == ST_GREET) {
        greeted(call, result, session != NULL && is_plain(session) ? session : NULL);
    } else {
        work_done(call, result);
    }
    json_decref(message);
}

static void transfer_done(const struct httpc_answer *answer, void *arg)
{
    struct mcp_call *call = arg;
    bool answered = answer->outcome == HTTPC_ANSWERED;

    CHECK(call->magic == MCP_MAGIC);
    if (call->fn == NULL) {
        call_free(call);
    } else if (answered && answer->status == 404 && call->state == ST_WORK && !call->greeted_anew) {
        call->greeted_anew = true;
        call->state = ST_GREET;
        call->session[0] = '\0';
        message_send(call);
    } else if (answered && answer->status >= 200 && answer->status < 300) {
        advance(call, answer);
    } else {
        finish(call, false,
               arena_printf(call->arena, "the server did not answer (%s %ld)",
                            httpc_outcome_name(answer->outcome), answer->status));
    }
}

/* ---- what is sent ---- */

/* The message of this state. New reference. */
static json_t *message_of(struct mcp_call *call)
{
    json_t *message = json_pack("{s:s}", "jsonrpc", "2.0");

    if (call->state == ST_GREETED) {
        jx_set_str(message, "method", "notifications/initialized");
        return message;
    }
    jx_set_int(message, "id", ++call->id);
    if (call->state == ST_GREET) {
        jx_set_str(message, "method", "initialize");
        jx_set(message, "params",
               json_pack("{s:s,s:{},s:{s:s,s:s}}", "protocolVersion", MCP_VERSION, "capabilities",
                         "clientInfo", "name", "chasqui", "version", CHASQUI_VERSION));
    } else if (call->tool != NULL) {
        jx_set_str(message, "method", "tools/call");
        jx_set(message, "params", json_pack("{s:s,s:O}", "name", call->tool, "arguments", call->arguments));
    } else {
        jx_set_str(message, "method", "tools/list");
        jx_set(message, "params", json_object());
        if (call->cursor != NULL) {
            jx_set_str(jx_obj(message, "params"), "cursor", call->cursor);
        }
    }
    return message;
}

/* A header's text with its secrets in place; false if one is missing. */
static bool fill_secrets(struct snapshot *snap, const char *part, const char *text, struct buf *out)
{
    static const char open[] = "{{secret.";

    for (const char *at = strstr(text, open); at != NULL; at = strstr(text, open)) {
        const char *name = at + strlen(open), *end = strstr(name, "}}");
        char id[128];
        if (end == NULL || (size_t)(end - name) >= sizeof id) {
            return false;
        }
        snprintf(id, sizeof id, "%.*s", (int)(end - name), name);
        buf_add(out, text, (size_t)(at - text));
        if (!secret_name_ok(id) || secret_open(snap, part, id, out) != ERR_OK) {
            return false;
        }
        text = end + 2;
    }
    buf_adds(out, text);
    return buf_ok(out);
}

/* Builds the header lines; each is malloc'ed. Returns how many, 0 if a secret is missing. */
static size_t headers_build(struct mcp_call *call, char *lines[HEADERS_MAX])
{
    struct snapshot *snap;
    struct buf line;
    const char *name;
    json_t *value;
    size_t count = 0;
    bool good = true;

    lines[count++] = xstrdup("Content-Type: application/json");
    lines[count++] = xstrdup("Accept: application/json, text/event-stream");
    if (call->state != ST_GREET) {
        lines[count++] = xasprintf("MCP-Protocol-Version: %s", call->version);
    }
    if (call->session[0] != '\0') {
        lines[count++] = xasprintf("Mcp-Session-Id: %s", call->session);
    }
    if (snapshot_open(call->store, &snap) != ERR_OK) {
        snap = NULL;
    }
    buf_init(&line, LINE_SIZE);
    json_object_foreach (jx_obj(call->server, "headers"), name, value) {
        buf_reset(&line);
        buf_addf(&line, "%s: ", name);
        good = good && snap != NULL && count < HEADERS_MAX && json_is_string(value) &&
               fill_secrets(snap, call->part, json_string_value(value), &line);
        if (good) {
            lines[count++] = xstrdup(buf_str(&line));
        }
    }
    wipe(line.data, line.room);
    buf_fini(&line);
    snapshot_close(snap);
    if (!good) {
        lines[count] = NULL;
    }
    return good ? count : 0;
}

/* Frees and wipes header lines. */
static void headers_free(char *lines[HEADERS_MAX])
{
    for (size_t i = 0; i < HEADERS_MAX && lines[i] != NULL; i++) {
        wipe(lines[i], strlen(lines[i]));
        free(lines[i]);
    }
}

/* Ends a call whose message cannot be sent; never inside the caller's own call. */
static void transfer_refused(const struct httpc_answer *answer, void *arg)
{
    struct mcp_call *call = arg;

    (void)answer;
    finish(call, false, "a secret that its headers name does not exist");
}

static void message_send(struct mcp_call *call)
{
    char *lines[HEADERS_MAX + 1] = {0};
    size_t count = headers_build(call, lines);
    json_t *message = message_of(call);
    char *text = jx_text(message);
    int64_t left = call->end_ms - clock_mono_ms();
    struct httpc_request request = {
        .method = "POST",
        .url = count > 0 ? jx_str_or(call->server, "url", "") : "refused:",
        .headers = (const char *const *)lines,
        .header_count = count,
        .body = text,
        .body_size = strlen(text),
        .connect_ms = 5000,
        .total_ms = (int)(left > 1 ? left : 1),
        .max_answer = MCP_ANSWER_MAX,
        .pool = call->part,
    };

    call->transfer = httpc_send(call->http, &request, count > 0 ? transfer_done : transfer_refused, call);
    headers_free(lines);
    free(text);
    json_decref(message);
}

/* A new call, sent off. */
static struct mcp_call *call_start(struct httpc *http, struct store *store, const char *part,
                                   const json_t *server, mcp_fn fn, void *arg)
{
    struct mcp_call *call = xcalloc(1, sizeof *call);

    call->magic = MCP_MAGIC;
    call->http = http;
    call->store = store;
    call->arena = arena_new(4u << 20);
    call->part = xstrdup(part);
    call->server = json_deep_copy(server);
    call->end_ms = clock_mono_ms() + MCP_TIME_MS;
    call->fn = fn;
    call->arg = arg;
    snprintf(call->version, sizeof call->version, "%s", MCP_VERSION);
    key_of(part, server, call->key);
    recall(call);
    return call;
}

struct mcp_call *mcp_list(struct httpc *http, struct store *store, const char *part, const json_t *server,
                          mcp_fn fn, void *arg)
{
    struct mcp_call *call = call_start(http, store, part, server, fn, arg);

    message_send(call);
    return call;
}

struct mcp_call *mcp_run(struct httpc *http, struct store *store, const char *part, const json_t *server,
                         const char *tool, const json_t *arguments, mcp_fn fn, void *arg)
{
    struct mcp_call *call = call_start(http, store, part, server, fn, arg);

    CHECK(is_allowed(server, tool));
    call->tool = xstrdup(tool);
    call->arguments = json_deep_copy(arguments);
    message_send(call);
    return call;
}

void mcp_cancel(struct mcp_call *call)
{
    CHECK(call->magic == MCP_MAGIC);
    call->fn = NULL;
    httpc_cancel(call->http, call->transfer);
}

/* True if the text may begin a tool's name. */
static bool is_name(const char *text)
{
    size_t n =
        text != NULL ? strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") : 0;

    return n > 0 && n <= 32 && text[n] == '\0';
}

bool mcp_server_ok(const json_t *server, struct buf *why)
{
    const char *url = jx_str_or(server, "url", "");
    const char *name;
    json_t *value;
    const char *fault = NULL;

    if (!is_name(jx_str(server, "name"))) {
        fault = "needs a name of letters, digits, _ and -";
    } else if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) {
        fault = "needs an http or https URL";
    } else if (json_array_size(jx_arr(server, "allowed_tools")) == 0) {
        fault = "must name its allowed_tools";
    }
    json_object_foreach (jx_obj(server, "headers"), name, value) {
        if (!json_is_string(value) || strpbrk(json_string_value(value), "\r\n") != NULL || !is_name(name)) {
            fault = "has a header that cannot be sent";
        }
    }
    if (fault != NULL) {
        buf_adds(why, fault);
    }
    return fault == NULL;
}
