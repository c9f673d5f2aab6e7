/* sandbox.c: the platform that test mode talks to.
 *
 * Sending: the recipient's number picks a behaviour. An accepted message gets a wamid and one QUEUE_SANDBOX
 * job, which walks the steps of that behaviour: each step stores a status payload in the platform's own form
 * as a hook of the channel and pushes the next step, in one change-set. So statuses take the whole way that a
 * real platform's would. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"
#include "channels/contact.h"
#include "channels/sandbox.h"
#include "channels/sandbox/media.h"

#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"

enum behaviour {
    PLAY_NORMAL,
    PLAY_FAILED,
    PLAY_WINDOW,
    PLAY_LIMITED,
    PLAY_UNKNOWN,
    PLAY_UNDELIVERED,
    PLAY_UNREAD,
    PLAY_PAIR,
    PLAY_PAUSED,
    PLAY_LATE,
    PLAY_SHUFFLED,
    PLAY_TWICE,
    PLAY_COUNT
};

static const struct {
    const char *recipient;
    enum behaviour behaviour;
    const char *text;
} magic[] = {
#define X(recipient, behaviour, text) {recipient, behaviour, text},
#include "channels/sandbox/tbl_sandbox.h"
#undef X
};

/* The walk of each behaviour: statuses, each after a pause since the one before. */
struct step {
    const char *status;
    int64_t pause_ms;
};
#define STEPS_MAX 7
static const struct step walks[][STEPS_MAX] = {
    [PLAY_NORMAL] = {{"sent", 20}, {"delivered", 80}, {"read", 200}},
    [PLAY_FAILED] = {{"failed", 100}},
    [PLAY_WINDOW] = {{NULL, 0}},
    [PLAY_LIMITED] = {{"sent", 20}, {"delivered", 80}, {"read", 200}},
    [PLAY_UNKNOWN] = {{"sent", 500}, {"delivered", 80}, {"read", 200}},
    [PLAY_UNDELIVERED] = {{"sent", 20}},
    [PLAY_UNREAD] = {{"sent", 20}, {"delivered", 80}},
    [PLAY_PAIR] = {{"sent", 20}, {"delivered", 80}, {"read", 200}},
    [PLAY_PAUSED] = {{NULL, 0}},
    [PLAY_LATE] = {{"sent", 3000}, {"delivered", 3000}, {"read", 3000}},
    [PLAY_SHUFFLED] = {{"read", 20}, {"sent", 80}, {"delivered", 80}},
    [PLAY_TWICE] =
        {{"sent", 20}, {"sent", 20}, {"delivered", 20}, {"delivered", 20}, {"read", 20}, {"read", 20}},
};

static enum behaviour behaviour_of(const char *recipient)
{
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++) {
        if (strcmp(magic[i].recipient, recipient) == 0) {
            return magic[i].behaviour;
        }
    }
    return PLAY_NORMAL;
}

/* An id such as the platform's: opaque, unique. New text. */
static char *wamid_new(void)
{
    uint8_t bytes[24];
    struct buf text;

    random_bytes(bytes, sizeof bytes);
    buf_init(&text, 128);
    buf_adds(&text, "wamid.SBX");
    base64url_encode(&text, bytes, sizeof bytes);
    return buf_take(&text, NULL);
}

/* ---- payloads in the platform's form ---- */

/* The envelope around one list ("messages" or "statuses") of one value; items is stolen. New reference. */
static json_t *envelope(const json_t *channel, const char *list, json_t *items, json_t *contacts)
{
    const char *number_id = jx_str_or(channel, "phone_number_id", "0");
    json_t *metadata = json_object();
    json_t *value = json_object();

    jx_set_str(metadata, "display_phone_number", jx_str_or(channel, "display_phone_number", ""));
    jx_set_str(metadata, "phone_number_id", number_id);
    jx_set_str(value, "messaging_product", "whatsapp");
    jx_set(value, "metadata", metadata);
    if (contacts != NULL) {
        jx_set(value, "contacts", contacts);
    }
    jx_set(value, list, items);
    return json_pack("{s:s, s:[{s:s, s:[{s:s, s:o}]}]}", "object", "whatsapp_business_account", "entry", "id",
                     jx_str_or(channel, "business_account_id", "0"), "changes", "field", "messages", "value",
                     value);
}

static void set_now(json_t *obj)
{
    char seconds[24];

    snprintf(seconds, sizeof seconds, "%lld", (long long)(clock_wall_ms() / 1000));
    jx_set_str(obj, "timestamp", seconds);
}

/* Stores a payload (stolen) as a hook of the channel. */
static void hook_post(struct changes *cs, const char *part, const json_t *channel, json_t *payload)
{
    char hook_id[ID_SIZE];
    char *text = jx_text(payload);

    channel_hook_store(cs, part, jx_str(channel, "id"), text, strlen(text), hook_id);
    free(text);
    json_decref(payload);
}

/* ---- sending ---- */

/* A send under way: the job of its statuses is being stored. */
struct accepting {
    send_done_fn done;
    void *arg;
    enum send_outcome outcome;
    char *wamid;
};

/* The simulated platform has the message: now it may answer. */
static void accepted(enum err rc, uint64_t rev, void *arg)
{
    struct accepting *a = arg;
    struct send_result result = {.outcome = a->outcome, .platform_id = a->wamid};

    (void)rev;
    if (rc != ERR_OK) {
        result = (struct send_result){
            .outcome = SEND_LATER, .code = "SANDBOX", .title = "the sandbox is busy", .detail = err_text(rc)};
    } else if (a->outcome == SEND_UNKNOWN) {
        result = (struct send_result){.outcome = SEND_UNKNOWN,
                                      .code = "NO_ANSWER",
                                      .title = "the sandbox gave no answer",
                                      .detail = ""};
    }
    a->done(&result, a->arg);
    free(a->wamid);
    free(a);
}

/* Takes the message and lets its statuses follow. */
static void accept_message(const struct send_call *call, const char *recipient, enum behaviour behaviour,
                           send_done_fn done, void *arg)
{
    struct accepting *a = xcalloc(1, sizeof *a);
    struct changes *cs = changes_new();
    json_t *payload = json_object();

    *a = (struct accepting){.done = done, .arg = arg, .wamid = wamid_new()};
    a->outcome = behaviour == PLAY_UNKNOWN ? SEND_UNKNOWN : SEND_ACCEPTED;
    jx_set_str(payload, "channel_id", jx_str(call->channel, "id"));
    jx_set_str(payload, "platform_id", a->wamid);
    jx_set_str(payload, "recipient", recipient);
    jx_set_str(payload, "outbox", jx_str(call->message, "id"));
    jx_set_int(payload, "behaviour", (int64_t)behaviour);
    jx_set_int(payload, "step", 0);
    changes_once(cs, call->part, "sandbox", a->wamid);
    changes_push(cs, QUEUE_SANDBOX, call->part, a->wamid, walks[behaviour][0].pause_ms, payload);
    json_decref(payload);
    store_submit(call->store, cs, accepted, a);
}

/* The sandbox as the sender of a test partition. */
static void sandbox_send(const struct send_call *call, send_done_fn done, void *arg)
{
    static const struct send_result window = {.outcome = SEND_REFUSED,
                                              .code = "131047",
                                              .title = "(#131047) Re-engagement message",
                                              .detail =
                                                  "More than 24 hours since the customer's last message"};
    static const struct send_result limited = {.outcome = SEND_LATER,
                                               .code = "130429",
                                               .title = "(#130429) Rate limit hit",
                                               .detail = "Message rate limit reached",
                                               .retry_ms = 500};
    static const struct send_result pair = {.outcome = SEND_LATER,
                                            .code = "131056",
                                            .title = "(#131056) Pair rate limit hit",
                                            .detail = "Too many messages to this customer in a short time",
                                            .retry_ms = 500};
    static const struct send_result paused = {.outcome = SEND_REFUSED,
                                              .code = "132015",
                                              .title = "(#132015) Template is paused",
                                              .detail = "The template is paused because of its quality"};
    static const struct send_result nobody = {.outcome = SEND_REFUSED,
                                              .code = "NO_RECIPIENT",
                                              .title = "the contact has no WhatsApp identity",
                                              .detail = ""};
    const char *phone = contact_identity(call->contact, "phone");
    const char *recipient = phone != NULL ? phone : contact_identity(call->contact, "bsuid");
    enum behaviour behaviour = recipient != NULL ? behaviour_of(recipient) : PLAY_NORMAL;
    bool first = jx_int(jx_obj(call->message, "attempt"), "count", 1) <= 1;

    if (recipient == NULL) {
        done(&nobody, arg);
    } else if (behaviour == PLAY_WINDOW) {
        done(&window, arg);
    } else if (behaviour == PLAY_PAUSED) {
        done(&paused, arg);
    } else if (behaviour == PLAY_LIMITED && first) {
        done(&limited, arg);
    } else if (behaviour == PLAY_PAIR && first) {
        done(&pair, arg);
    } else {
        accept_message(call, recipient, behaviour, done, arg);
    }
}

static const char *const none[] = {NULL};
const struct channel_ops sandbox_ops = {.type = "sandbox",
                                        .text_max = 4096,
                                        .required = none,
                                        .optional = none,
                                        .sealed = none,
                                        .send = sandbox_send,
                                        .fetch = sandbox_fetch};

/* ---- statuses ---- */

/* One status in the platform's form. New reference. */
static json_t *status_item(const json_t *payload, const char *word)
{
    const char *recipient = jx_str_or(payload, "recipient", "");
    json_t *status = json_object();

    jx_set_str(status, "id", jx_str(payload, "platform_id"));
    jx_set_str(status, "status", word);
    set_now(status);
    if (recipient[0] == '+') {
        jx_set_str(status, "recipient_id", recipient + 1);
    } else {
        jx_set_str(status, "recipient_user_id", recipient);
    }
    jx_set_str(status, "biz_opaque_callback_data", jx_str(payload, "outbox"));
    if (strcmp(word, "failed") == 0) {
        jx_set(status, "errors",
               json_pack("[{s:i, s:s, s:s, s:{s:s}}]", "code", 131026, "title", "Message undeliverable",
                         "message", "Message undeliverable", "error_data", "details",
                         "Message Undeliverable."));
    }
    return status;
}

/* Pushes the step after this one, if the walk has one. */
static void next_push(struct changes *cs, const struct job *job, enum behaviour behaviour, int64_t step)
{
    if (step + 1 >= STEPS_MAX || walks[behaviour][step + 1].status == NULL) {
        return;
    }
    json_t *payload = json_copy((json_t *)job_payload(job));
    jx_set_int(payload, "step", step + 1);
    changes_push(cs, QUEUE_SANDBOX, job_partition(job), job_lane(job), walks[behaviour][step + 1].pause_ms,
                 payload);
    json_decref(payload);
}

void sandbox_run(struct job *job, void *arg)
{
    const json_t *payload = job_payload(job);
    int64_t behaviour = jx_int(payload, "behaviour", PLAY_NORMAL);
    int64_t step = jx_int(payload, "step", 0);
    struct changes *cs = changes_new();
    struct snapshot *snap = NULL;
    json_t *channel = NULL;

    (void)arg;
    bool known = behaviour >= 0 && behaviour < PLAY_COUNT && step >= 0 && step < STEPS_MAX;
    enum err rc = snapshot_open(job_store(job), &snap);
    if (rc == ERR_OK) {
        rc = channel_get(snap, job_partition(job), jx_str_or(payload, "channel_id", "-"), &channel, NULL);
        snapshot_close(snap);
    }
    if (rc != ERR_OK && rc != ERR_NOTFOUND) {
        changes_fail(cs, job, err_name(rc));
    } else {
        if (rc == ERR_OK && known && walks[behaviour][step].status != NULL) {
            json_t *items = json_array();
            jx_push(items, status_item(payload, walks[behaviour][step].status));
            hook_post(cs, job_partition(job), channel, envelope(channel, "statuses", items, NULL));
            next_push(cs, job, (enum behaviour)behaviour, step);
        }
        changes_ack(cs, job);
    }
    json_decref(channel);
    job_finish(job, cs, NULL, NULL);
}

/* ---- customers ---- */

/* Who writes: the contact entry and the message's sender fields; false if `from` names nobody. */
static bool sender_set(const json_t *body, json_t *message, json_t *contact)
{
    char phone[24];
    const char *from = jx_str_or(body, "from", "");
    json_t *profile = json_object();

    jx_set_str(profile, "name", jx_str_or(body, "name", "Sandbox customer"));
    jx_set(contact, "profile", profile);
    if (contact_is_bsuid(from)) {
        jx_set_str(message, "from_user_id", from);
        jx_set_str(contact, "user_id", from);
        return true;
    }
    if (!contact_phone_normalise(from, phone)) {
        return false;
    }
    jx_set_str(message, "from", phone + 1);
    jx_set_str(contact, "wa_id", phone + 1);
    return true;
}

static bool is_media(const char *type)
{
    static const char *const types[] = {"image", "video", "audio", "document", "sticker"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i], type) == 0) {
            return true;
        }
    }
    return false;
}

/* The type and its object. ERR_INVALID: *field is missing or wrong. */
static enum err content_set(struct changes *cs, const char *part, const json_t *body, json_t *message,
                            const char **field)
{
    const char *type = jx_str_or(body, "type", "text");
    const char *text = jx_str_or(body, "text", "");
    json_t *own = json_object_get(body, type);

    jx_set_str(message, "type", type);
    if (strcmp(type, "text") == 0) {
        jx_set(message, "text", json_pack("{s:s}", "body", text));
        *field = text[0] != '\0' ? NULL : "text";
        return *field == NULL ? ERR_OK : ERR_INVALID;
    }
    if (!json_is_object(own) && (!json_is_array(own) || is_media(type))) {
        *field = "type";
        return ERR_INVALID;
    }
    json_t *copy = json_deep_copy(own);
    jx_set(message, type, copy);
    return is_media(type) ? sandbox_media_take(cs, part, copy, field) : ERR_OK;
}

enum err sandbox_inbound(struct changes *cs, const char *part, const json_t *channel, const json_t *body,
                         const char **field, char **platform_id)
{
    json_t *message = json_object();
    json_t *contact = json_object();
    char *wamid = wamid_new();
    bool known = sender_set(body, message, contact);

    *field = known ? NULL : "from";
    enum err rc = known ? content_set(cs, part, body, message, field) : ERR_INVALID;
    if (rc != ERR_OK) {
        json_decref(message);
        json_decref(contact);
        free(wamid);
        return rc;
    }
    jx_set_str(message, "id", wamid);
    set_now(message);
    if (jx_str(body, "reply_to") != NULL) {
        jx_set(message, "context", json_pack("{s:s}", "id", jx_str(body, "reply_to")));
    }
    json_t *items = json_array();
    json_t *contacts = json_array();
    jx_push(items, message);
    jx_push(contacts, contact);
    hook_post(cs, part, channel, envelope(channel, "messages", items, contacts));
    *platform_id = wamid;
    return ERR_OK;
}

json_t *sandbox_numbers(void)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++) {
        jx_push(list, json_pack("{s:s, s:s}", "to", magic[i].recipient, "behaviour", magic[i].text));
    }
    sandbox_media_list(list);
    return list;
}
