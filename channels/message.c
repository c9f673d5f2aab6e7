/* message.c: the record of a message and the only place where its state changes.
 *
 * The ladder of an outgoing message is one order: queued < sent < failed < delivered < read. A step up is
 * taken, anything else changes nothing, so statuses may come twice, late or in any order. A platform may skip
 * "sent"; customers' apps get its event all the same, since a message that was delivered was accepted before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"
#include "channels/feedback.h"
#include "channels/contact.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "channels/text.h"

#include "queue/base/clock.h"
#include "queue/base/log.h"
#include "queue/events.h"

#define WINDOW_MS     86400000  /* customers' messages open the window for 24 hours */
#define TIME_AHEAD_MS 300000    /* a platform's clock may be so far ahead of ours */
#define TIME_BACK_MS  691200000 /* 8 days: the longest a platform may retry */

/* ---- status ---- */

static const struct {
    const char *status, *event, *time_field;
} ladder[] = {
    {"queued", NULL, NULL},
    {"sent", "message.sent", "sent_at"},
    {"failed", "message.failed", "failed_at"},
    {"delivered", "message.delivered", "delivered_at"},
    {"read", "message.read", "read_at"},
};
enum { STEP_NONE = -1, STEP_QUEUED, STEP_SENT, STEP_FAILED, STEP_DELIVERED };

/* The place of a status on the ladder, STEP_NONE for a word that is not on it. */
static int step_of(const char *status)
{
    for (size_t i = 0; i < sizeof ladder / sizeof *ladder; i++) {
        if (strcmp(ladder[i].status, status) == 0) {
            return (int)i;
        }
    }
    return STEP_NONE;
}

json_t *message_public(const json_t *msg)
{
    json_t *view = json_copy((json_t *)msg);

    CHECK(view != NULL);
    json_object_del(view, "attempt");
    json_object_del(view, "billing");
    return view;
}

void message_event(struct changes *cs, struct snapshot *snap, const char *part, const char *type,
                   const json_t *msg, const json_t *contact)
{
    struct event_about about = {.agent_id = jx_str(msg, "agent_id"),
                                .conversation_id = jx_str(msg, "conversation_id")};
    json_t *data = json_object();

    jx_set(data, "message", message_public(msg));
    if (contact != NULL) {
        jx_set(data, "contact", json_incref((json_t *)contact));
    }
    event_append(cs, snap, part, type, &about, data, NULL);
    json_decref(data);
}

bool message_advance(struct changes *cs, struct snapshot *snap, const char *part, json_t *msg, uint64_t rev,
                     const char *status, const json_t *error)
{
    int from = step_of(jx_str_or(msg, "status", ""));
    int to = step_of(status);

    if (from == STEP_NONE || to <= from) {
        return false;
    }
    if (from == STEP_QUEUED && to >= STEP_DELIVERED) {
        jx_set_str(msg, "status", "sent");
        message_event(cs, snap, part, "message.sent", msg, NULL);
    }
    jx_set_str(msg, "status", status);
    jx_set_time(msg, ladder[to].time_field, clock_wall_ms());
    json_object_del(msg, "error");
    if (to == STEP_FAILED && error != NULL) {
        jx_set(msg, "error", json_deep_copy(error));
    }
    changes_expect(cs, KIND_MESSAGE, part, jx_str(msg, "id"), rev);
    changes_put(cs, KIND_MESSAGE, part, jx_str(msg, "id"), msg);
    message_event(cs, snap, part, ladder[to].event, msg, NULL);
    log_debug("message.status", "message=%s status=%s", jx_str(msg, "id"), status);
    return true;
}

/* ---- in ---- */

/* The conversation's side of a record. */
static json_t *message_blank(const json_t *conversation, const char *direction)
{
    json_t *msg = json_object();

    jx_set_str(msg, "id", id_new("msg").text);
    jx_set_str(msg, "conversation_id", jx_str(conversation, "id"));
    jx_set_str(msg, "agent_id", jx_str(conversation, "agent_id"));
    jx_set_str(msg, "channel_id", jx_str(conversation, "channel_id"));
    jx_set_str(msg, "contact_id", jx_str(conversation, "contact_id"));
    jx_set_str(msg, "direction", direction);
    return msg;
}

static json_t *author_of(const char *type, const char *name)
{
    json_t *author = json_object();

    jx_set_str(author, "type", type);
    if (name != NULL && name[0] != '\0') {
        jx_set_str(author, "name", name);
    }
    return author;
}

/* The record of what a customer wrote. */
static json_t *inbound_record(const struct message_inbound *in, const json_t *conversation,
                              const json_t *contact)
{
    json_t *msg = message_blank(conversation, "in");

    jx_set(msg, "author", author_of("customer", jx_str(contact, "name")));
    jx_set_str(msg, "type", in->type);
    jx_set_str(msg, "text", in->text);
    if (in->content != NULL) {
        jx_set(msg, "content", json_incref((json_t *)in->content));
    }
    jx_set_str(msg, "status", "received");
    jx_set_time(msg, "created_at", clock_wall_ms());
    if (in->platform_id != NULL) {
        jx_set_str(msg, "platform_id", in->platform_id);
    }
    if (in->platform_ms > 0) {
        jx_set_time(msg, "platform_time", in->platform_ms);
    }
    if (in->reply_to != NULL) {
        jx_set_str(msg, "reply_to", in->reply_to);
    }
    return msg;
}

/* What the steps of message_receive share. */
struct receiving {
    struct changes *cs;
    struct snapshot *snap;
    const char *part;
    const struct message_inbound *in;
    json_t *contact, *merged, *conversation;
    uint64_t rev; /* of the conversation; 0: begun here */
};

/* The open conversation of the contact, or of one that was just merged into it. */
static enum err find_of_contact(struct receiving *r)
{
    const char *channel_id = jx_str(r->in->channel, "id");
    enum err rc =
        conversation_find(r->snap, r->part, channel_id, jx_str(r->contact, "id"), &r->conversation, &r->rev);

    for (size_t i = 0; rc == ERR_NOTFOUND && i < json_array_size(r->merged); i++) {
        rc = conversation_find(r->snap, r->part, channel_id, json_string_value(json_array_get(r->merged, i)),
                               &r->conversation, &r->rev);
    }
    return rc;
}

/* Finds the conversation or begins one. A caller's own thread goes on although it was closed. */
static enum err conversation_take(struct receiving *r)
{
    enum err rc;

    if (r->in->thread != NULL) {
        rc = conversation_find_thread(r->snap, r->part, jx_str(r->in->channel, "id"), r->in->thread,
                                      &r->conversation, &r->rev);
    } else {
        rc = find_of_contact(r);
    }
    if (rc == ERR_NOTFOUND) {
        r->conversation =
            conversation_begin(r->cs, r->snap, r->part, r->in->channel, r->contact, r->in->thread);
        r->rev = 0;
        return conversation_move(r->cs, r->snap, r->part, r->merged, jx_str(r->contact, "id"), NULL);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    jx_set_str(r->conversation, "contact_id", jx_str(r->contact, "id"));
    if (strcmp(jx_str_or(r->conversation, "status", ""), "closed") == 0) {
        jx_set_str(r->conversation, "status", "open");
        jx_set_str(r->conversation, "mode", "ai");
    }
    return conversation_move(r->cs, r->snap, r->part, r->merged, jx_str(r->contact, "id"),
                             jx_str(r->conversation, "id"));
}

/* Moves the end of the window to a day after this message, never back. */
static void window_extend(json_t *conversation, int64_t platform_ms, int64_t now)
{
    bool sane = platform_ms > now - TIME_BACK_MS && platform_ms <= now + TIME_AHEAD_MS;
    int64_t end = (sane ? platform_ms : now) + WINDOW_MS;
    const char *old = jx_str(conversation, "window_expires_at");
    int64_t old_end;
    bool date_only;

    if (old == NULL || !clock_parse(old, &old_end, &date_only) || old_end < end) {
        jx_set_time(conversation, "window_expires_at", end);
    }
}

/* Asks the agent to answer, after the quiet time. */
static void turn_push(struct receiving *r, const char *message_id)
{
    const char *conversation_id = jx_str(r->conversation, "id");
    json_t *payload = json_object();

    jx_set_str(payload, "conversation_id", conversation_id);
    jx_set_str(payload, "message_id", message_id);
    if (json_object_get(r->in->channel, "quiet_time_ms") != NULL) {
        jx_set_int(payload, "quiet_ms", r->in->turn_delay_ms);
    }
    changes_push(r->cs, QUEUE_TURN, r->part, conversation_id, r->in->turn_delay_ms, payload);
    json_decref(payload);
    channel_receipt(r->cs, r->part, jx_str_or(r->in->channel, "type", ""), jx_str(r->in->channel, "id"),
                    conversation_id, r->in->platform_id, true);
}

/* The id of our message that the platform knows by this name; false if there is none. */
static bool find_named(struct receiving *r, const char *platform_id, char id[STORE_ID_MAX + 1])
{
    struct page_query query = {.kind = KIND_MESSAGE,
                               .part = r->part,
                               .index = INDEX_MESSAGE_PLATFORM,
                               .match = {jx_str(r->in->channel, "id"), platform_id},
                               .limit = 20};
    struct store_page page;
    bool found = false;

    if (platform_id == NULL || snapshot_page(r->snap, &query, &page) != ERR_OK) {
        return false;
    }
    for (size_t i = 0; !found && i < page.count; i++) { /* the index cuts long texts */
        const json_t *each = page.rows[i].body;
        found = strcmp(jx_str_or(each, "direction", ""), "out") == 0 &&
                strcmp(jx_str_or(each, "platform_id", ""), platform_id) == 0;
        memcpy(id, page.rows[i].id, strlen(page.rows[i].id) + 1);
    }
    store_page_free(&page);
    return found;
}

/* A thumb on an answer, or one of the buttons that stand for it. True if a button said it: that asks nothing
 * of the agent. */
static bool take_feedback(struct receiving *r)
{
    const json_t *content = r->in->content;
    const char *button = jx_str(jx_obj(content, "button_reply"), "id");
    const char *payload = button != NULL ? button : jx_str_or(content, "payload", "");
    bool reacts = strcmp(r->in->type, "reaction") == 0;
    const char *rating =
        reacts ? feedback_of_emoji(jx_str_or(content, "emoji", "")) : feedback_of_button(payload);
    char about[STORE_ID_MAX + 1];
    bool named =
        rating != NULL && find_named(r, reacts ? jx_str(content, "message_id") : r->in->reply_to, about);

    if (rating == NULL || (reacts && !named)) {
        return false;
    }
    struct feedback feedback = {
        .rating = rating, .message_id = named ? about : NULL, .by = reacts ? "reaction" : "button"};
    json_decref(feedback_give(r->cs, r->snap, r->part, r->conversation, &feedback));
    return !reacts;
}

/* Writes conversation, message, event and turn. */
static void received_add(struct receiving *r, struct message_received *out)
{
    const struct channel_ops *ops = channel_ops(jx_str_or(r->in->channel, "type", ""));
    int64_t now = clock_wall_ms();
    json_t *msg = inbound_record(r->in, r->conversation, r->contact);

    bool written =
        strcmp(r->in->type, "system") != 0; /* the platform's own notes are no customer's message */
    if (ops != NULL && ops->has_window && written) {
        window_extend(r->conversation, r->in->platform_ms, now);
    }
    jx_set_time(r->conversation, "last_message_at", now);
    bool rated = take_feedback(r);
    conversation_put(r->cs, r->part, r->conversation, r->rev);
    if (jx_obj(msg, "content") != NULL) {
        jx_set(msg, "content", media_note(r->cs, r->part, r->in->channel, msg, jx_obj(msg, "content")));
    }
    changes_put(r->cs, KIND_MESSAGE, r->part, jx_str(msg, "id"), msg);
    message_event(r->cs, r->snap, r->part, "message.received", msg, r->contact);
    bool assigned = jx_str(r->conversation, "agent_id") != NULL;
    bool leaves = false;
    bool consent = strcmp(r->in->type, "text") == 0 && ops != NULL && ops->has_window &&
                   consent_word(r->in->text, &leaves);
    if (consent) {
        consent_set(r->cs, r->part, r->contact, leaves, "word");
    }
    if (r->in->wants_turn && assigned && !consent && !rated && !conversation_is_human(r->conversation)) {
        turn_push(r, jx_str(msg, "id"));
    }
    snprintf(out->conversation_id.text, ID_SIZE, "%s", jx_str(r->conversation, "id"));
    snprintf(out->message_id.text, ID_SIZE, "%s", jx_str(msg, "id"));
    json_decref(msg);
}

enum err message_receive(struct changes *cs, struct snapshot *snap, const char *part,
                         const struct message_inbound *in, struct message_received *out)
{
    struct receiving r = {.cs = cs, .snap = snap, .part = part, .in = in};

    if (in->platform_id != NULL) {
        char *scope = xasprintf("message:%s", jx_str(in->channel, "id"));
        changes_once(cs, part, scope, in->platform_id);
        free(scope);
    }
    enum err rc = contact_resolve_merging(cs, snap, part, in->identities, in->name, &r.contact, &r.merged);
    if (rc == ERR_OK) {
        rc = conversation_take(&r);
    }
    if (rc == ERR_OK) {
        received_add(&r, out);
    }
    json_decref(r.contact);
    json_decref(r.merged);
    json_decref(r.conversation);
    return rc;
}

/* ---- out ---- */

/* Writes one queued message and its job. */
static struct id queue_one(struct changes *cs, struct snapshot *snap, const char *part, json_t *msg,
                           const struct message_draft *draft)
{
    struct id id;
    json_t *payload = json_object();

    snprintf(id.text, ID_SIZE, "%s", jx_str(msg, "id"));
    changes_expect(cs, KIND_MESSAGE, part, id.text, 0);
    changes_put(cs, KIND_MESSAGE, part, id.text, msg);
    jx_set_str(payload, "message_id", id.text);
    changes_push(cs, QUEUE_SEND, part, jx_str(msg, "conversation_id"), 0, payload);
    json_decref(payload);
    if (strcmp(draft->author_type, "human") == 0) {
        message_event(cs, snap, part, "agent.message.sent", msg, NULL);
    }
    return id;
}

enum err message_quoted(struct snapshot *snap, const char *part, const char *conversation_id,
                        const char *named, struct buf *out)
{
    json_t *msg = NULL;

    if (!id_is(named, "msg")) {
        buf_adds(out, named);
        return named[0] != '\0' && buf_ok(out) ? ERR_OK : ERR_INVALID;
    }
    enum err rc = snapshot_get(snap, KIND_MESSAGE, part, named, &msg, NULL);
    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_INVALID : rc;
    }
    bool here = strcmp(jx_str_or(msg, "conversation_id", ""), conversation_id) == 0;
    const char *theirs = jx_str(msg, "platform_id");
    if (here && theirs != NULL) {
        buf_adds(out, theirs);
    }
    json_decref(msg);
    return here && out->len > 0 && buf_ok(out) ? ERR_OK : ERR_INVALID;
}

/* The record of a draft; text of len bytes. first: it carries what belongs to the whole reply. */
static json_t *outbound_record(const json_t *conversation, const struct message_draft *draft,
                               const char *text, size_t len, bool first)
{
    json_t *msg = message_blank(conversation, "out");

    jx_set(msg, "author", author_of(draft->author_type, draft->author_name));
    jx_set_str(msg, "type", draft->type);
    jx_set_strn(msg, "text", text, len);
    if (draft->content != NULL) {
        jx_set(msg, "content", json_incref((json_t *)draft->content));
    }
    jx_set_str(msg, "status", "queued");
    jx_set_time(msg, "created_at", clock_wall_ms());
    if (first && draft->citations != NULL) {
        jx_set(msg, "citations", json_incref((json_t *)draft->citations));
    }
    if (first && draft->confidence >= 0) {
        jx_set(msg, "confidence", json_real(draft->confidence));
    }
    if (first && draft->reply_to != NULL) {
        jx_set_str(msg, "reply_to", draft->reply_to);
    }
    if (draft->source != NULL) {
        jx_set_str(msg, "source", draft->source);
    }
    if (draft->turn_id != NULL) {
        jx_set_str(msg, "turn_id", draft->turn_id);
    }
    if (draft->expires_ms > 0) {
        jx_set_time(msg, "expires_at", draft->expires_ms);
    }
    return msg;
}

/* The draft's text as it leaves: Markdown of the AI in the platform's marks, in buf (to be finished by the
 * caller). */
static const char *marked_text(const struct channel_ops *ops, const struct message_draft *draft,
                               struct buf *buf)
{
    const char *text = draft->text != NULL ? draft->text : "";

    buf_init(buf, 4 * strlen(text) + 64);
    if (ops == NULL || ops->marks == NULL || strcmp(draft->author_type, "ai") != 0 ||
        strcmp(draft->type, "text") != 0) {
        return text;
    }
    ops->marks(text, buf);
    return buf_ok(buf) && buf->len > 0 ? buf_str(buf) : text;
}

struct id message_send(struct changes *cs, struct snapshot *snap, const char *part,
                       const json_t *conversation, const struct message_draft *draft)
{
    const struct channel_ops *ops = channel_ops(jx_str_or(conversation, "channel", ""));
    struct buf marked;
    const char *text = marked_text(ops, draft, &marked);
    const char *rest = text;
    size_t max = ops != NULL ? ops->text_max : 4096;
    struct id first = {""};
    struct text_piece piece = {.start = text, .len = strlen(text)};

    bool split = strcmp(draft->type, "text") == 0 && text_units(text) > max;
    do {
        if (split && !text_next(&rest, max, &piece) && first.text[0] != '\0') {
            break;
        }
        json_t *msg = outbound_record(conversation, draft, piece.start, piece.len, first.text[0] == '\0');
        struct id id = queue_one(cs, snap, part, msg, draft);
        first = first.text[0] == '\0' ? id : first;
        json_decref(msg);
    } while (split);
    buf_fini(&marked);
    return first;
}

enum err message_history(struct snapshot *snap, const char *part, const char *conversation_id, size_t limit,
                         json_t **messages)
{
    struct page_query query = {.kind = KIND_MESSAGE,
                               .part = part,
                               .index = INDEX_MESSAGE_CONVERSATION,
                               .match = {conversation_id},
                               .descending = true,
                               .limit = limit};
    struct store_page page;
    enum err rc = snapshot_page(snap, &query, &page);

    if (rc != ERR_OK) {
        return rc;
    }
    *messages = json_array();
    for (size_t i = page.count; i > 0; i--) {
        jx_push(*messages, json_incref(page.rows[i - 1].body));
    }
    store_page_free(&page);
    return ERR_OK;
}
