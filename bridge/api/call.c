/* call.c: runs a handler and carries out how it ended; see call.h. The order of a run: look for the record of
 * an Idempotency-Key, take from the message or knowledge window, handler, commit, answer. */
#include "bridge/api/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/api/idempotency.h"
#include "bridge/api/reply.h"
#include "queue/base/clock.h"
#include "queue/base/log.h"

#define RUNS_MAX        12 /* a conflict runs the handler again; more than this is somebody else's fault */
#define BUSY_RETRY_S    5  /* Retry-After when the store is busy or full */
#define RUNNING_RETRY_S 1

const char *call_param(struct call *c, const char *name)
{
    for (unsigned i = 0; i < c->match.param_count; i++) {
        const struct route_param *param = &c->match.params[i];
        if (strlen(name) == param->name_len && memcmp(name, param->name, param->name_len) == 0) {
            return arena_strndup(c->arena, param->value, param->len);
        }
    }
    return "";
}

const char *call_query(struct call *c, const char *name)
{
    struct buf worn;
    buf_init(&worn, 100);
    surface_field(c->surface, name, &worn);
    const char *value = http_query_value(c->req, buf_str(&worn));
    buf_fini(&worn);
    return value;
}

struct snapshot *call_snap(struct call *c)
{
    if (c->snap == NULL) {
        enum err rc = snapshot_open(c->api->app->store, &c->snap);
        if (rc != ERR_OK) {
            c->snap = NULL;
            call_refuse(c, rc, NULL, "");
        }
    }
    return c->snap;
}

json_t *call_keep(struct call *c, json_t *value)
{
    arena_defer(c->arena, jx_decref, value);
    return value;
}

json_t *call_find(struct call *c, enum kind kind, const char *id, uint64_t *rev)
{
    json_t *body;
    struct snapshot *snap = call_snap(c);
    if (snap == NULL) {
        return NULL;
    }
    enum err rc = id[0] == '\0' || strlen(id) > STORE_ID_MAX
                      ? ERR_NOTFOUND
                      : snapshot_get(snap, kind, c->part, id, &body, rev);
    if (rc == ERR_OK) {
        return call_keep(c, body);
    }
    if (rc == ERR_NOTFOUND || rc == ERR_INVALID) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such %s.", kind_row(kind)->name);
    } else {
        call_refuse(c, rc, NULL, "");
    }
    return NULL;
}

json_t *call_named(struct call *c, enum kind kind, const char *field)
{
    json_t *record = NULL;
    const char *id = jx_str(c->body, field);
    if (id == NULL) {
        return NULL;
    }
    enum err rc = snapshot_get(c->snap, kind, c->part, id[0] != '\0' ? id : "-", &record, NULL);
    if (rc == ERR_OK) {
        return call_keep(c, record);
    }
    if (rc == ERR_NOTFOUND || rc == ERR_INVALID) {
        call_fail(c, API_BAD_FIELD, field, "%s: there is no such record.", field);
    } else {
        call_refuse(c, rc, NULL, "");
    }
    return NULL;
}

/* The first agent that is active. */
static json_t *first_agent(struct call *c, uint64_t *rev)
{
    struct store_page page;
    json_t *agent = NULL;
    struct page_query query = {.kind = KIND_AGENT, .part = c->part, .limit = 100};
    struct snapshot *snap = call_snap(c);
    enum err rc = snap == NULL ? ERR_CLOSED : snapshot_page(snap, &query, &page);
    if (rc != ERR_OK) {
        if (snap != NULL) {
            call_refuse(c, rc, NULL, "");
        }
        return NULL;
    }
    for (size_t i = 0; i < page.count && agent == NULL; i++) {
        if (strcmp(jx_str_or(page.rows[i].body, "status", ""), "active") == 0) {
            agent = call_keep(c, json_incref(page.rows[i].body));
            if (rev != NULL) {
                *rev = page.rows[i].rev;
            }
        }
    }
    store_page_free(&page);
    if (agent == NULL) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no active agent.");
    }
    return agent;
}

json_t *call_agent(struct call *c, uint64_t *rev)
{
    const char *id = call_param(c, "agent");
    return id[0] != '\0' ? call_find(c, KIND_AGENT, id, rev) : first_agent(c, rev);
}

struct changes *call_changes(struct call *c)
{
    if (c->changes == NULL) {
        c->changes = changes_new();
    }
    return c->changes;
}

/* Gives back what the run holds. */
static void release(struct call *c)
{
    snapshot_close(c->snap);
    c->snap = NULL;
    if (c->changes != NULL) {
        changes_free(c->changes);
        c->changes = NULL;
    }
}

static enum limit_id limit_of(const struct call *c)
{
    return c->route->rate == RATE_MESSAGE ? LIMIT_MESSAGES : LIMIT_WRITES;
}

/* Units that led to nothing go back. */
static void uncharge(struct call *c)
{
    if (c->charged && c->units > 0) {
        limits_return(c->api->limits, c->caller.key_id, limit_of(c), c->units);
    }
    c->charged = false;
    c->units = 0;
}

/* The call's memory and marks are given up before the request is answered and gone. */
static void close_books(struct call *c, bool effect)
{
    if (!effect) {
        uncharge(c);
    }
    idempotency_end(c);
    release(c);
    buf_fini(&c->why);
}

/* An answer is there: now, or behind the handler. */
static void answer_with(struct call *c, int status, json_t *answer)
{
    CHECK(c->end != CALL_ANSWERED && c->end != CALL_COMMITTING);
    c->end = CALL_ANSWERED;
    c->status = status;
    c->answer = answer;
    if (answer != NULL) {
        call_keep(c, answer);
    }
    if (!c->running) {
        call_answer(c);
    }
}

void call_answer(struct call *c)
{
    close_books(c, c->status < 400);
    reply_send(c);
}

void call_streamed(struct call *c)
{
    close_books(c, true);
}

void call_reply(struct call *c, int status, json_t *answer)
{
    answer_with(c, status, answer);
}

void call_asset(struct call *c, struct http_asset *asset)
{
    c->asset = asset;
    answer_with(c, 200, NULL);
}

void call_text(struct call *c, int status, const char *type, const char *data, size_t size)
{
    c->type = type;
    char *copy = arena_alloc(c->arena, size + 1); /* bytes, which may hold zeros */
    memcpy(copy, data, size);
    c->text = copy;
    c->text_size = size;
    answer_with(c, status, NULL);
}

/* Retry-After of an error, 0 if waiting does not help. */
static int64_t retry_after(enum api_error error)
{
    switch (error) {
    case API_UNAVAILABLE:
    case API_STORAGE:
    case API_NO_ANSWER:
        return BUSY_RETRY_S;
    case API_KEY_BUSY:
    case API_CONFLICT:
        return RUNNING_RETRY_S;
    default:
        return 0;
    }
}

void call_fail(struct call *c, enum api_error error, const char *field, const char *fmt, ...)
{
    char message[512] = "";
    if (fmt != NULL) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(message, sizeof(message), fmt, args);
        va_end(args);
    }
    struct buf named;
    buf_init(&named, 512);
    if (field != NULL) {
        surface_field(c->surface, field, &named);
    }
    char *text = reply_error_text(error, buf_str(&named), message, http_request_id(c->req));
    buf_fini(&named);
    int64_t retry_s = retry_after(error);
    if (retry_s > 0) {
        http_reply_header(c->req, "Retry-After", arena_printf(c->arena, "%lld", (long long)retry_s));
    }
    arena_defer(c->arena, free, text);
    c->type = "application/json";
    c->text = text;
    c->text_size = strlen(text);
    answer_with(c, api_error_row(error)->status, NULL);
}

/* The public error of a class of ours. */
static enum api_error error_of(enum err rc)
{
    switch (rc) {
    case ERR_INVALID:
        return API_BAD_FIELD;
    case ERR_NOTFOUND:
        return API_NOT_FOUND;
    case ERR_LIMIT:
        return API_TOO_LARGE;
    case ERR_SEEN:
    case ERR_EXISTS:
        return API_EXISTS;
    case ERR_CONFLICT:
    case ERR_STALE:
        return API_CONFLICT;
    case ERR_DENIED:
        return API_DENIED;
    case ERR_BUSY:
    case ERR_CLOSED:
    case ERR_TIMEOUT:
    case ERR_NOMEM:
        return API_UNAVAILABLE;
    case ERR_FULL:
    case ERR_IO:
        return API_STORAGE;
    default:
        return API_INTERNAL;
    }
}

void call_refuse(struct call *c, enum err rc, const char *field, const char *why)
{
    enum api_error error = error_of(rc);
    if (error == API_INTERNAL) {
        log_error("api.failed", "request=%s error=%s", http_request_id(c->req), err_name(rc));
    }
    if (field != NULL && field[0] == '/') {
        field++;
    }
    if (field != NULL && field[0] != '\0' && why[0] != '\0') {
        call_fail(c, error, field, "%s: %s", field, why);
    } else {
        call_fail(c, error, field, why[0] != '\0' ? "%s" : NULL, why);
    }
}

void call_commit_then(struct call *c, int status, json_t *answer, void (*fn)(struct call *c, uint64_t rev))
{
    CHECK(c->running && c->end == CALL_OPEN);
    c->end = CALL_COMMITTING;
    c->status = status;
    c->answer = answer;
    c->committed = fn;
    if (answer != NULL) {
        call_keep(c, answer);
    }
}

void call_commit(struct call *c, int status, json_t *answer)
{
    call_commit_then(c, status, answer, NULL);
}

void call_wait(struct call *c)
{
    CHECK(c->running && c->end == CALL_OPEN);
    c->end = CALL_WAITING;
}

/* 429 in the words of the window that is full. */
static void refuse_rate(struct call *c, enum limit_id id, const struct limit_state *state)
{
    c->window = *state;
    c->has_window = true;
    http_reply_header(c->req, "Retry-After", arena_printf(c->arena, "%lld", (long long)state->retry_s));
    call_fail(c, API_RATE_LIMITED, NULL, "Too many requests: the plan allows %u %s.", state->limit,
              limit_name(id));
}

/* The window comes back from its record if this process does not know it. */
static bool restore_window(struct call *c, enum limit_id id)
{
    json_t *record;
    char name[ID_SIZE + 8];
    if (!limit_durable(id) || limits_known(c->api->limits, c->caller.key_id, id)) {
        return true;
    }
    struct snapshot *snap = call_snap(c);
    if (snap == NULL) {
        return false;
    }
    snprintf(name, sizeof(name), "%s/%d", c->caller.key_id, (int)id);
    if (snapshot_get(snap, KIND_LIMIT, c->part, name, &record, NULL) == ERR_OK) {
        limits_restore(c->api->limits, c->caller.key_id, id, record);
        json_decref(record);
    }
    return true;
}

bool call_charge(struct call *c, unsigned units)
{
    struct limit_state state;
    enum limit_id id = limit_of(c);
    c->asked = units;
    if (c->route->rate < RATE_MESSAGE || c->caller.plan->limits[id] == 0 || units <= c->units) {
        return true;
    }
    if (!restore_window(c, id)) {
        return false;
    }
    if (!limits_take(c->api->limits, c->caller.key_id, c->caller.plan, id, units - c->units, &state)) {
        refuse_rate(c, id, &state);
        return false;
    }
    c->charged = true;
    c->units = units;
    return true;
}

/* The window's count becomes durable with the effect. */
static void add_window(struct call *c)
{
    char name[ID_SIZE + 8];
    enum limit_id id = limit_of(c);
    json_t *record = c->charged ? limits_record(c->api->limits, c->caller.key_id, id) : NULL;
    if (record != NULL) {
        snprintf(name, sizeof(name), "%s/%d", c->caller.key_id, (int)id);
        changes_put(c->changes, KIND_LIMIT, c->part, name, record);
        json_decref(record);
    }
}

/* Counts changed knowledge for the day (UTC), in all and of the agent. */
static void add_usage(struct call *c)
{
    char at[CLOCK_TEXT_SIZE], name[160];
    const char *agent = call_param(c, "agent");
    if (c->route->rate != RATE_KNOWLEDGE || c->asked == 0) {
        return;
    }
    clock_rfc3339(clock_wall_ms(), at);
    snprintf(name, sizeof(name), "day.%.10s.knowledge.writes", at);
    changes_add(c->changes, c->part, name, c->asked);
    if (agent[0] != '\0') {
        snprintf(name, sizeof(name), "day.%.10s.agent.%.40s.knowledge.writes", at, agent);
        changes_add(c->changes, c->part, name, c->asked);
    }
}

/* The commit's answer: reply, or decide again. */
static void on_commit(enum err rc, uint64_t rev, void *arg)
{
    struct call *c = arg;
    if ((rc == ERR_CONFLICT || rc == ERR_STALE) && c->runs < RUNS_MAX) {
        call_run(c);
        return;
    }
    if (rc != ERR_OK) {
        c->end = CALL_OPEN;
        call_refuse(c, rc, NULL, "");
        return;
    }
    if (c->committed != NULL) {
        c->end = CALL_WAITING;
        c->committed(c, rev);
        return;
    }
    call_answer(c);
}

/* Hands the run's changes to the store. */
static void commit(struct call *c)
{
    struct changes *changes = call_changes(c);
    idempotency_add(c, c->status, c->answer);
    add_window(c);
    add_usage(c);
    c->changes = NULL;
    snapshot_close(c->snap);
    c->snap = NULL;
    store_submit(c->api->app->store, changes, on_commit, c);
}

/* Carries out how the handler ended. */
static void finish_run(struct call *c)
{
    c->running = false;
    switch (c->end) {
    case CALL_ANSWERED:
        call_answer(c);
        break;
    case CALL_COMMITTING:
        commit(c);
        break;
    case CALL_WAITING:
        release(c);
        break;
    case CALL_OPEN:
        CHECK(!"a handler must end its call");
    }
}

void call_rest(struct call *c)
{
    release(c);
}

void call_run(struct call *c)
{
    if (c->runs > 0) {
        release(c); /* what the first run saw is out of date; before it, the caller's own snapshot is as good
                       as new */
    }
    buf_reset(&c->why);
    c->end = CALL_OPEN;
    c->bare = false;
    c->committed = NULL;
    c->running = true;
    c->runs++;
    if (idempotency_begin(c) && call_charge(c, 1)) {
        c->route->handler(c);
    }
    finish_run(c);
}

void call_audit(struct call *c, const char *action, const char *object)
{
    struct id id = id_new(kind_row(KIND_AUDIT)->prefix);
    json_t *record = json_object();
    jx_set_str(record, "id", id.text);
    jx_set_str(record, "action", action);
    jx_set_str(record, "object", object);
    jx_set_str(record, "by", c->caller.key_id[0] != '\0' ? c->caller.key_id : "administrator");
    jx_set_str(record, "from", http_peer(c->req));
    jx_set_str(record, "request_id", http_request_id(c->req));
    jx_set_time(record, "created_at", clock_wall_ms());
    changes_put_chained(call_changes(c), KIND_AUDIT, c->part, id.text, record, AUDIT_STREAM);
    json_decref(record);
}
