/* conversation_export.c: one conversation, or all that the filters want, as JSON, JSON Lines or CSV.
 *
 * The answer is streamed: a step reads some messages with a snapshot of its own and writes them, and the next
 * one waits until the client has taken them, so that memory stays the same whatever the number of messages. A
 * conversation is told as it was at its step; what is written during the export may be missing from it. The
 * request is in the audit log before the first byte leaves. In CSV a cell that a spreadsheet would run as a
 * formula gets an apostrophe before it (OWASP, CSV injection). */
#include <stdlib.h>
#include <string.h>

#include "bridge/api/auth.h"
#include "bridge/api/call.h"
#include "bridge/api/conversations.h"
#include "bridge/api/reply.h"
#include "channels/message.h"
#include "queue/base/clock.h"
#include "queue/base/csv.h"
#include "queue/base/loop.h"

#define STEP_ROWS 200
#define STEP_MAX  (16u << 20) /* bytes of one step; far above any page of messages */

enum form { FORM_JSON, FORM_LINES, FORM_CSV, FORM_COUNT };

static const struct {
    const char *name, *type, *suffix;
} forms[] = {
    [FORM_JSON] = {"json", "application/json", "json"},
    [FORM_LINES] = {"jsonl", "application/x-ndjson", "jsonl"},
    [FORM_CSV] = {"csv", "text/csv; charset=utf-8", "csv"},
};

struct export
{
    struct call *c;
    enum form form;
    bool one;                               /* a single conversation */
    struct conversation_filter filter;      /* of all others */
    char conversation_id[STORE_ID_MAX + 1]; /* the one under way, or the last one passed */
    json_t *conversation, *contact;         /* the one under way; NULL between two */
    char *position;                         /* behind the last message written, NULL at the begin */
    size_t conversations, messages;         /* written so far; messages of this conversation */
    struct loop_timer *timer;
    int64_t key_ms;
    bool full, over;
    struct buf out;
};

/* ---- the three forms ---- */

static const char *const columns[] = {
    "conversation_id", "channel",     "contact_id",  "contact_name", "contact", "message_id", "created_at",
    "direction",       "author_type", "author_name", "type",         "text",    "status",     "source"};

/* Adds one JSON value in the surface's case. */
static void add_json(struct export *x, json_t *value)
{
    json_t *worn = surface_out(x->c->surface, value);

    jx_dump(worn, &x->out);
    json_decref(worn);
    json_decref(value);
}

/* The way the contact is reached: the first address. */
static const char *address_of(const json_t *contact)
{
    return jx_str_or(json_array_get(jx_arr(contact, "identities"), 0), "value", "");
}

static void add_cells(struct export *x, const json_t *message)
{
    const json_t *conversation = x->conversation, *author = jx_obj(message, "author");
    const char *cells[] = {jx_str_or(conversation, "id", ""),
                           jx_str_or(conversation, "channel", ""),
                           jx_str_or(conversation, "contact_id", ""),
                           jx_str_or(x->contact, "name", ""),
                           address_of(x->contact),
                           jx_str_or(message, "id", ""),
                           jx_str_or(message, "created_at", ""),
                           jx_str_or(message, "direction", ""),
                           jx_str_or(author, "type", ""),
                           jx_str_or(author, "name", ""),
                           jx_str_or(message, "type", ""),
                           jx_str_or(message, "text", ""),
                           jx_str_or(message, "status", ""),
                           jx_str_or(message, "source", "")};

    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        csv_add_cell(&x->out, cells[i], i == 0);
    }
    csv_end_record(&x->out);
}

/* What stands before everything. */
static void add_begin(struct export *x)
{
    if (x->form == FORM_JSON && !x->one) {
        buf_adds(&x->out, "{\"conversations\":[");
    }
    for (size_t i = 0; x->form == FORM_CSV && i < sizeof columns / sizeof *columns; i++) {
        csv_add_cell(&x->out, columns[i], i == 0);
    }
    if (x->form == FORM_CSV) {
        csv_end_record(&x->out);
    }
}

/* The conversation itself. */
static void add_conversation(struct export *x)
{
    json_t *shown = conversation_public(x->conversation);

    if (x->contact != NULL) {
        jx_set(shown, "contact", json_incref(x->contact));
    }
    if (x->form == FORM_JSON) {
        buf_adds(&x->out, x->conversations > 0 ? ",{\"conversation\":" : "{\"conversation\":");
        add_json(x, shown);
        buf_adds(&x->out, ",\"messages\":[");
    } else if (x->form == FORM_LINES) {
        buf_adds(&x->out, "{\"conversation\":");
        add_json(x, shown);
        buf_adds(&x->out, "}\n");
    } else {
        json_decref(shown);
    }
    x->messages = 0;
}

static void add_message(struct export *x, const json_t *message)
{
    if (x->form == FORM_CSV) {
        add_cells(x, message);
    } else if (x->form == FORM_LINES) {
        buf_adds(&x->out, "{\"message\":");
        add_json(x, message_public(message));
        buf_adds(&x->out, "}\n");
    } else {
        buf_adds(&x->out, x->messages > 0 ? "," : "");
        add_json(x, message_public(message));
    }
    x->messages++;
}

/* ---- walking ---- */

/* Leaves the conversation behind. */
static void conversation_end(struct export *x)
{
    if (x->form == FORM_JSON) {
        buf_adds(&x->out, "]}");
    }
    json_decref(x->conversation);
    json_decref(x->contact);
    free(x->position);
    x->conversation = NULL;
    x->contact = NULL;
    x->position = NULL;
    x->conversations++;
    x->over = x->one;
}

/* Takes up a conversation; owned from now on. */
static void conversation_start(struct export *x, struct snapshot *snap, json_t *conversation)
{
    x->conversation = conversation;
    memcpy(x->conversation_id, jx_str_or(conversation, "id", ""),
           strlen(jx_str_or(conversation, "id", "")) + 1);
    if (snapshot_get(snap, KIND_CONTACT, x->c->part, jx_str_or(conversation, "contact_id", ""), &x->contact,
                     NULL) != ERR_OK) {
        x->contact = NULL;
    }
    add_conversation(x);
}

/* The next conversation that the filters want, if this step finds one. */
static enum err conversation_next(struct export *x, struct snapshot *snap)
{
    char *from = x->conversation_id[0] != '\0' ? xasprintf("%s!", x->conversation_id) : NULL;
    struct page_query query = {
        .kind = KIND_CONVERSATION, .part = x->c->part, .from = from, .limit = STEP_ROWS};
    struct store_page page;
    enum err rc = snapshot_page(snap, &query, &page);

    free(from);
    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < page.count && x->conversation == NULL; i++) {
        memcpy(x->conversation_id, page.rows[i].id, sizeof x->conversation_id);
        if (conversation_filter_keep(page.rows[i].body, &x->filter)) {
            conversation_start(x, snap, json_incref(page.rows[i].body));
        }
    }
    x->over = x->conversation == NULL && !page.more;
    store_page_free(&page);
    return ERR_OK;
}

/* Some messages of the conversation under way. */
static enum err messages_next(struct export *x, struct snapshot *snap)
{
    struct page_query query = {.kind = KIND_MESSAGE,
                               .part = x->c->part,
                               .index = INDEX_MESSAGE_CONVERSATION,
                               .match = {x->conversation_id},
                               .after = x->position,
                               .limit = STEP_ROWS};
    struct store_page page;
    enum err rc = snapshot_page(snap, &query, &page);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < page.count; i++) {
        add_message(x, page.rows[i].body);
    }
    if (page.position != NULL) {
        free(x->position);
        x->position = page.position;
        page.position = NULL;
    }
    if (!page.more) {
        conversation_end(x);
    }
    store_page_free(&page);
    return ERR_OK;
}

/* ---- the stream ---- */

/* Frees what it holds; it dies itself with the request. */
static void export_fini(void *arg)
{
    struct export *x = arg;

    json_decref(x->conversation);
    json_decref(x->contact);
    free(x->position);
    buf_fini(&x->out);
}

/* Ends the stream. */
static void export_end(struct export *x)
{
    struct call *c = x->c;

    loop_cancel(x->timer);
    call_streamed(c);
    http_stream_end(c->req);
}

/* Gives the client what the step has gathered. */
static void export_flush(struct export *x)
{
    CHECK(buf_ok(&x->out));
    x->full = http_stream_write(x->c->req, buf_str(&x->out), x->out.len) > HTTP_STREAM_HIGH;
    buf_reset(&x->out);
}

static void step(void *arg)
{
    struct export *x = arg;
    struct snapshot *snap = NULL;
    int64_t now = clock_mono_ms();

    x->timer = NULL;
    if (now - x->key_ms >= AUTH_AGAIN_MS) {
        x->key_ms = now;
        if (!auth_still(x->c)) {
            export_end(x);
            return;
        }
    }
    enum err rc = snapshot_open(x->c->api->app->store, &snap);
    if (rc == ERR_OK) {
        rc = x->conversation != NULL ? messages_next(x, snap) : conversation_next(x, snap);
        snapshot_close(snap);
    }
    if (rc == ERR_OK && x->over && x->form == FORM_JSON && !x->one) {
        buf_adds(&x->out, "]}");
    }
    export_flush(x);
    if (rc != ERR_OK || x->over) {
        export_end(x); /* after an error the text ends in the middle: a client sees that it is not whole */
    } else if (!x->full) {
        x->timer = loop_after(http_loop(x->c->req), 0, step, x);
    }
}

/* The client has taken what was written. */
static void on_drain(void *arg)
{
    struct export *x = arg;

    x->full = false;
    if (x->timer == NULL) {
        x->timer = loop_after(http_loop(x->c->req), 0, step, x);
    }
}

/* The client went away. */
static void on_gone(void *arg)
{
    export_end(arg);
}

/* The line in the audit log is durable: the text may leave. */
static void export_begin(struct call *c, uint64_t rev)
{
    struct export *x = c->state;

    (void)rev;
    x->key_ms = clock_mono_ms();
    reply_window(c);
    http_reply_header(c->req, "Cache-Control", "no-store");
    http_reply_header(c->req, "Content-Disposition",
                      arena_printf(c->arena, "attachment; filename=\"%s.%s\"",
                                   x->one ? x->conversation_id : "conversations", forms[x->form].suffix));
    http_stream_begin(c->req, 200, forms[x->form].type, on_drain, on_gone, x);
    add_begin(x);
    x->timer = loop_after(http_loop(c->req), 0, step, x);
}

/* The form the query asks for. False: the call has ended. */
static bool read_form(struct call *c, enum form *form)
{
    const char *name = call_query(c, "format");

    for (*form = FORM_JSON; *form < FORM_COUNT; (*form)++) {
        if (strcmp(forms[*form].name, name != NULL ? name : "json") == 0) {
            return true;
        }
    }
    call_fail(c, API_BAD_FIELD, "format", "format must be json, jsonl or csv.");
    return false;
}

/* A new export of the form the query asks for; NULL: the call has ended. */
static struct export *export_new(struct call *c, bool one)
{
    struct export *x = arena_alloc(c->arena, sizeof *x);

    *x = (struct export){.c = c, .one = one};
    buf_init(&x->out, STEP_MAX);
    arena_defer(c->arena, export_fini, x);
    c->state = x;
    return read_form(c, &x->form) ? x : NULL;
}

/* Notes the request; the text leaves behind the commit. */
static void export_start(struct call *c, const char *object)
{
    call_audit(c, "conversations.exported", object);
    call_commit_then(c, 200, NULL, export_begin);
}

void conversations_export(struct call *c)
{
    struct export *x = export_new(c, false);

    if (x != NULL && call_snap(c) != NULL && conversation_filter_read(c, &x->filter)) {
        export_start(c, NULL);
    }
}

void conversation_export(struct call *c)
{
    struct export *x = export_new(c, true);
    json_t *conversation =
        x != NULL ? call_find(c, KIND_CONVERSATION, call_param(c, "conversation"), NULL) : NULL;

    if (conversation != NULL) {
        conversation_start(x, c->snap, json_incref(conversation));
        export_start(c, x->conversation_id);
    }
}
