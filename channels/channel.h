/* channel.h: the interface every messaging platform implements: verify, parse, send; one row per platform.
 *
 * A channel record: {"id", "agent_id", "type", "name"?, "status": "active|paused", "quiet_time_ms"?,
 * "reason"?: {"code", "detail"}, "platform_state"?: {"messaging_limit"?, "throughput"?, "quality"?,
 * "alert"?}, type-specific fields, "sealed": {FIELD: {"value", "last4"?}}, "created_at", "updated_at"};
 * credentials are sealed (crypto.h) under the context "PARTITION/CHANNEL_ID". In a test partition the sandbox
 * row takes the place of the platform's own sender: the same path, but nothing can leave the machine. Thread:
 * verify and parse on any thread (pure); send on the worker's loop. */
#ifndef CHASQUI_CHANNELS_CHANNEL_H
#define CHASQUI_CHANNELS_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

struct httpc;
struct loop;
struct workers;

/* A platform's HTTP call to a hook, as far as a channel needs it. header/query return NULL if absent. */
struct hook_call {
    const char *body;
    size_t body_size;
    const char *(*header)(const char *name, void *arg);
    const char *(*query)(const char *name, void *arg);
    void *arg;
};

enum send_outcome {
    SEND_ACCEPTED,  /* the platform took it: platform_id is set */
    SEND_DELIVERED, /* it is with the customer already (API and widget channels) */
    SEND_LATER,     /* rate limit or outage: retry after retry_ms (0: the queue's backoff) */
    SEND_REFUSED,   /* permanent for this message: code, title, detail */
    SEND_CHANNEL,   /* credentials or account: the channel pauses, the message waits */
    SEND_UNKNOWN,   /* may have been sent: wait for a status that carries our id */
};
struct send_result {
    enum send_outcome outcome;
    const char *platform_id; /* good until the callback returns, as all texts here */
    const char *code, *title, *detail;
    int64_t retry_ms;
    int64_t hold_ms; /* the whole channel should wait so long before its next message */
    /* ACCEPTED: what the platform calls the recipient, array of {"type","value"}, if it said so; NULL. */
    const json_t *identities;
};
typedef void (*send_done_fn)(const struct send_result *result, void *arg);
struct send_call {
    struct httpc *http;
    struct loop *loop;
    struct store *store;
    const char *part;
    const json_t *channel, *contact, *conversation, *message; /* borrowed until done */
    unsigned tries;                                           /* fetch: failed attempts before this one */
};

/* A media file that was fetched, or why it was not. Its bytes are a blob already (blob.h): they went to the
 * disk as they came. Texts are good until the callback returns. */
enum media_outcome { MEDIA_HERE, MEDIA_LATER, MEDIA_GONE };
struct media_result {
    enum media_outcome outcome;
    const char *sha256; /* HERE: the blob's name */
    size_t size;
    const char *type;  /* what the platform says of it, "" if nothing */
    const char *named; /* the sum that the platform names, in hex or base64; "" if none */
    const char *code, *detail;
};
typedef void (*media_done_fn)(const struct media_result *result, void *arg);

/* What became of a call about templates: outcome as for sends (SEND_DELIVERED: done). body: the platform's
 * answer. */
typedef void (*template_done_fn)(const struct send_result *result, const json_t *body, void *arg);

/* One thing found in a platform's post. */
enum inbound_kind {
    INBOUND_MESSAGE,
    INBOUND_STATUS,
    INBOUND_ECHO,   /* what a person of the business wrote on the platform's own app */
    INBOUND_CHOICE, /* a customer's choice about marketing */
    INBOUND_OTHER,
    INBOUND_BAD
};
struct inbound_item {
    enum inbound_kind kind;
    /* Each may hold "address": the platform's own id of the number or page it came to, if that is not this
     * channel. MESSAGE: {"identities", "name", "platform_id", "platform_ms", "type", "text", "content"?,
     * "reply_to"?, "wants_turn"}; STATUS: {"platform_id", "status", "platform_ms", "error"?, "outbox"? (our
     * message id, from the opaque callback data)}; ECHO: as MESSAGE, the identities being the
     * customer's; CHOICE: {"identities", "name", "out", "platform_ms"}; OTHER: {"field", "value", "account"?
     * (the platform's id of the business account it is about)} stored and visible; BAD: {"reason", "raw"} to
     * quarantine. Owned by the list. */
    json_t *body;
};
struct inbound_list {
    struct inbound_item *items;
    size_t count;
};
void inbound_list_free(struct inbound_list *list);

/* What a refusal means beyond its message. */
enum refusal { REFUSAL_MESSAGE, REFUSAL_WINDOW, REFUSAL_OPTED_OUT };

/* What a notice about the account does to a channel. */
enum account_word {
    ACCOUNT_SILENT, /* nothing */
    ACCOUNT_NOTED,  /* "platform_state" in the record changed */
    ACCOUNT_PAUSES, /* nothing can be sent: "reason" was set */
    ACCOUNT_RESUMES /* it can be again */
};

struct channel_ops {
    const char *type;
    bool has_window; /* free text only within 24 h of the customer's last message */
    size_t text_max; /* UTF-16 code units of one text bubble */
    /* Names of the fields of a create or update call: required, optional, and which of them are sealed.
     * NULL-terminated. */
    const char *const *required, *const *optional, *const *sealed;
    /* GET verification: adds the exact answer. ERR_INVALID (400), ERR_DENIED (403). NULL: the platform has
     * none. */
    enum err (*challenge)(const char *part, const json_t *channel, const struct hook_call *call,
                          struct buf *answer);
    /* Signature over the raw bytes. ERR_DENIED. */
    enum err (*verify)(const char *part, const json_t *channel, const struct hook_call *call);
    /* Takes a verified body apart; one bad item never spoils the others. ERR_INVALID: not a payload at all.
     */
    enum err (*parse)(const json_t *channel, const char *body, size_t size, struct inbound_list *out);
    /* done exactly once, later or at once. */
    void (*send)(const struct send_call *call, send_done_fn done, void *arg);
    /* Tells the platform that the customer's message was read, and perhaps that somebody types; NULL: it
     * cannot be told. */
    void (*receipt)(const struct send_call *call, const char *platform_id, bool typing, send_done_fn done,
                    void *arg);
    /* One call about message templates: see template.h. NULL: the platform has none. */
    void (*template_call)(const struct send_call *call, const json_t *what, template_done_fn done, void *arg);
    /* Fetches a customer's media file by the platform's id. NULL: the platform has none. */
    void (*fetch)(const struct send_call *call, const char *media_id, media_done_fn done, void *arg);
    /* Asks the platform whether the channel works: SEND_DELIVERED if so. NULL: it cannot be asked. */
    void (*probe)(const struct send_call *call, send_done_fn done, void *arg);
    /* Adds the text of a reply with Markdown turned into the platform's own marks. NULL: it reads Markdown or
     * none. */
    void (*marks)(const char *text, struct buf *out);
    bool paced; /* limits of the platform hold for each number and each customer: pace.c */
    /* What a platform's error code says of more than the message. NULL: nothing. */
    enum refusal (*refusal)(const char *code);
    /* Applies what an INBOUND_OTHER says of the account to the record of one of its channels. NULL: nothing.
     */
    enum account_word (*account)(json_t *channel, const json_t *notice);
    /* The rule of one field's value (not empty, no control characters, at most 4,096 bytes already). False:
     * why holds the rule. NULL: no further rules. */
    bool (*field_ok)(const char *field, const char *value, struct buf *why);
    /* Whether a message of this type and content can be sent at all. ERR_INVALID: *field is a JSON pointer
     * into content (or
     * "/type", "/text"), why a sentence. NULL: text only. */
    enum err (*content_check)(const char *type, const char *text, const json_t *content, const char **field,
                              struct buf *why);
};

/* The row of a type; NULL if there is none. channel_sender: the row that sends for this partition (sandbox in
 * test mode). */
const struct channel_ops *channel_ops(const char *type);
const struct channel_ops *channel_sender(const char *part, const char *type);
/* Walks the types: index 0.. until NULL. */
const struct channel_ops *channel_ops_at(unsigned index);

/* The time in ms for which a burst on this channel must have been quiet: its own, or that of the option. */
int64_t channel_quiet_ms(const json_t *channel);
enum err channel_get(struct snapshot *snap, const char *part, const char *id, json_t **channel,
                     uint64_t *rev) MUST_CHECK;
/* The partition a channel id lives in (platform hooks know only the id). ERR_NOTFOUND. */
enum err channel_partition(struct snapshot *snap, const char *id, char part[PARTITION_SIZE]) MUST_CHECK;
/* Both of these for a post that names the channel by id, without parsing the record anew for each. New
 * reference to a record that others share: not to be changed. ERR_NOTFOUND. */
enum err channel_at_door(struct snapshot *snap, const char *id, char part[PARTITION_SIZE],
                         json_t **channel) MUST_CHECK;
/* A new channel of the agent: checks and seals the fields of body (ERR_INVALID: field and why are set), adds
 * the record and its KIND_ADDRESS. New reference in *channel. Update: the fields that body has; null unsets
 * an optional one; also "status"
 * ("active", "paused") and "agent_id" (null unassigns; the caller knows that the agent exists). A new
 * app_secret keeps the one before as app_secret_previous (both are accepted) unless body says otherwise; new
 * credentials make a channel active again that was paused for the old ones. */
enum err channel_create(struct changes *cs, const char *part, const char *agent_id, const json_t *body,
                        json_t **channel, const char **field, struct buf *why) MUST_CHECK;
enum err channel_update(struct changes *cs, const char *part, json_t *channel, uint64_t rev,
                        const json_t *body, const char **field, struct buf *why) MUST_CHECK;
/* Removes the record and its KIND_ADDRESS. */
void channel_delete(struct changes *cs, const char *part, const char *id, uint64_t rev);
/* The shape that leaves the house: no credentials, only {"credentials": {FIELD: {"set", "last4"?}}};
 * webhook_path if the platform posts to us. New reference. */
json_t *channel_public(const json_t *channel);
/* The event channel.updated. */
void channel_event(struct changes *cs, struct snapshot *snap, const char *part, const json_t *channel);
/* Checks a message that an API caller wants to send on this channel: see content_check. */
enum err channel_check_message(const char *channel_type, const char *type, const char *text,
                               const json_t *content, const char **field, struct buf *why) MUST_CHECK;
/* The unsealed value of a sealed field; ERR_NOTFOUND if unset. */
enum err channel_secret(const char *part, const json_t *channel, const char *field,
                        struct buf *out) MUST_CHECK;

/* Adds the job that marks a customer's message as read at the platform, where it can be. */
void channel_receipt(struct changes *cs, const char *part, const char *channel_type, const char *channel_id,
                     const char *conversation_id, const char *platform_id, bool typing);

/* Raw first: adds the KIND_HOOK record (one line of JSON about the call, a newline, the raw bytes) and its
 * QUEUE_INTAKE job. Answer 200 when this is durable. Returns the hook's id in out (ID_SIZE). */
void channel_hook_store(struct changes *cs, const char *part, const char *channel_id, const char *body,
                        size_t size, char *out);

/* The same for a post of one single message or status, while little comes in and nothing waits that was said
 * before: the hook and what the job would do in one change-set. NULL: it is not such a post. Where the set is
 * answered with a guard (ERR_CONFLICT, ERR_SEEN) or cannot be taken, the post is stored by
 * channel_hook_store. */
struct changes *channel_hook_take(struct store *store, struct snapshot *snap, const char *part,
                                  const json_t *channel, const char *body, size_t size);

/* The line about a stored hook ({"channel_id", "received_at"}) with "id" and "bytes". New reference.
 * ERR_NOTFOUND. */
enum err channel_hook_about(struct snapshot *snap, const char *part, const char *id,
                            json_t **about) MUST_CHECK;
/* Takes a stored hook apart once more: what was taken before changes nothing, what was in quarantine leaves
 * it and comes back if it still cannot be understood. ERR_NOTFOUND. */
enum err channel_hook_replay(struct changes *cs, struct snapshot *snap, const char *part,
                             const char *id) MUST_CHECK;

/* Registers the handlers of QUEUE_INTAKE, QUEUE_SEND and QUEUE_SANDBOX. */
void channels_register(struct workers *workers);

#endif
