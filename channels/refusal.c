/* refusal.c: what a refused message means for more than itself.
 *
 * A refusal for the closed window closes ours (it may have been open by our reckoning: the platform's word
 * counts). A refusal for an opt-out is noted at the contact. And a reply of the AI that did not reach the
 * customer, because it expired or the window was closed, or of which nobody knows whether it did, is not
 * dropped in silence: where the agent has a
 * fallback template and the platform refused after taking the message, that goes out; else a person gets the
 * conversation. */
#include <string.h>

#include "channels/channels_int.h"
#include "channels/contact.h"
#include "channels/conversation.h"
#include "channels/message.h"

#include "queue/base/clock.h"

json_t *refusal_template(struct snapshot *snap, const char *part, const json_t *conversation,
                         const char *text)
{
    json_t *agent = NULL;
    json_t *content = NULL;

    if (snapshot_get(snap, KIND_AGENT, part, jx_str_or(conversation, "agent_id", "-"), &agent, NULL) !=
        ERR_OK) {
        return NULL;
    }
    const json_t *window = jx_obj(jx_obj(agent, "settings"), "window");
    const char *name = jx_str(window, "template");
    if (name != NULL && name[0] != '\0') {
        content = json_pack("{s:s, s:{s:s}}", "name", name, "language", "code",
                            jx_str_or(window, "language", "en_US"));
        if (jx_bool(window, "with_text", false)) {
            json_t *parameter = json_object();
            jx_set_str(parameter, "type", "text");
            jx_set_str(parameter, "text", text);
            jx_set(content, "components",
                   json_pack("[{s:s, s:[o]}]", "type", "body", "parameters", parameter));
        }
    }
    json_decref(agent);
    return content;
}

/* True if the code says that free text may not be sent now. */
static bool is_window(const struct channel_ops *ops, const char *code)
{
    bool theirs = ops != NULL && ops->refusal != NULL && ops->refusal(code) == REFUSAL_WINDOW;

    return theirs || strcmp(code, "WINDOW_CLOSED") == 0;
}

/* The window ends now. True if it was open. */
static bool window_close(json_t *conversation)
{
    int64_t end = 0;
    bool date_only;
    const char *until = jx_str(conversation, "window_expires_at");

    if (until == NULL || !clock_parse(until, &end, &date_only) || end <= clock_wall_ms()) {
        return false;
    }
    jx_set_time(conversation, "window_expires_at", clock_wall_ms());
    return true;
}

/* The template in place of what was refused. False: the agent has none. */
static bool template_send(struct changes *cs, struct snapshot *snap, const char *part,
                          const json_t *conversation, const json_t *msg)
{
    json_t *content = refusal_template(snap, part, conversation, jx_str_or(msg, "text", ""));
    const json_t *author = jx_obj(msg, "author");
    struct message_draft draft = {.author_type = jx_str_or(author, "type", "system"),
                                  .author_name = jx_str(author, "name"),
                                  .type = "template",
                                  .text = jx_str_or(msg, "text", ""),
                                  .content = content,
                                  .confidence = -1,
                                  .source = "fallback"};

    if (content == NULL || strcmp(jx_str_or(msg, "type", ""), "template") == 0) {
        json_decref(content);
        return false;
    }
    message_send(cs, snap, part, conversation, &draft);
    json_decref(content);
    return true;
}

/* The contact behind a message does not want marketing. */
static enum err opt_out(struct changes *cs, struct snapshot *snap, const char *part, const json_t *msg)
{
    json_t *contact = NULL;
    uint64_t rev = 0;
    enum err rc = contact_get(snap, part, jx_str_or(msg, "contact_id", "-"), &contact, &rev);

    if (rc == ERR_OK) {
        changes_expect(cs, KIND_CONTACT, part, jx_str(contact, "id"), rev);
        consent_set(cs, part, contact, true, "refusal");
        json_decref(contact);
    }
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* Codes with which a message ends and whose conversation, if the AI wrote it, needs a person. */
static const struct loss {
    const char *code, *reason, *note;
} losses[] = {
    {"WINDOW_CLOSED", "window_closed", "A reply could not be sent: the 24-hour window is closed."},
    {"EXPIRED", "reply_expired", "A reply could not be sent in time."},
    {"OUTCOME_UNKNOWN", "reply_unknown", "Nobody knows whether a reply reached the customer."},
};

/* The row of a code; a platform's own word for the closed window is the first. NULL: not lost in this way. */
static const struct loss *loss_of(const char *code, bool window)
{
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        if (window || strcmp(losses[i].code, code) == 0) {
            return &losses[i];
        }
    }
    return NULL;
}

/* Window and pen of the message's conversation. */
static void conversation_follow(struct changes *cs, struct snapshot *snap, const char *part,
                                json_t *conversation, uint64_t rev, const json_t *msg,
                                const struct loss *lost)
{
    bool window = lost == &losses[0];
    bool ai = strcmp(jx_str_or(jx_obj(msg, "author"), "type", ""), "ai") == 0;
    bool changed = window && window_close(conversation);

    if (window && template_send(cs, snap, part, conversation, msg)) {
        ai = false;
    }
    if (ai && !conversation_is_human(conversation)) {
        conversation_hand_over(cs, snap, part, conversation, lost->reason, lost->note);
        conversation_care(cs, part, conversation, "begin", 0);
        changed = true;
    }
    if (changed) {
        conversation_put(cs, part, conversation, rev);
    }
}

enum err refusal_follow(struct changes *cs, struct snapshot *snap, const char *part, const json_t *msg,
                        const char *code)
{
    json_t *conversation = NULL;
    uint64_t rev = 0;
    enum err rc = conversation_get(snap, part, jx_str_or(msg, "conversation_id", "-"), &conversation, &rev);

    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    const struct channel_ops *ops = channel_ops(jx_str_or(conversation, "channel", ""));
    const struct loss *lost = loss_of(code, is_window(ops, code));
    if (lost != NULL) {
        conversation_follow(cs, snap, part, conversation, rev, msg, lost);
    } else if (ops != NULL && ops->refusal != NULL && ops->refusal(code) == REFUSAL_OPTED_OUT) {
        rc = opt_out(cs, snap, part, msg);
    }
    json_decref(conversation);
    return rc;
}
