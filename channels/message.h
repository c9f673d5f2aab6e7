/* message.h: one message, in or out; the only place where a message's state changes.
 *
 * Record: {"id", "conversation_id", "agent_id", "channel_id", "contact_id", "direction": "in|out", "author":
 * {"type": "customer|ai|human|system", "name"?}, "type": "text|image|...", "text", "content"? (the platform's
 * object for other types), "status": in: "received"; out: "queued|sent|delivered|read|failed", "error"?:
 * {"code", "title", "detail"}, "to"?, "created_at", "platform_id"?, "platform_time"?, "citations"?,
 * "confidence"?, "source"?, "turn_id"?, "attempt"?: {"count", "started_at"}, "expires_at"?}. Status rank only
 * rises: queued < sent < failed < delivered < read: failed ends a message only if nothing above sent was
 * seen, and a delivery seen later (another device) lifts it again. Every change of status appends its event
 * once. Thread: any. */
#ifndef CHASQUI_CHANNELS_MESSAGE_H
#define CHASQUI_CHANNELS_MESSAGE_H

#include "queue/base/buf.h"
#include "queue/base/id.h"
#include "queue/base/json.h"
#include "queue/store.h"

/* ---- in ---- */
struct message_inbound {
    const json_t *channel;    /* channel record */
    const json_t *identities; /* array of {"type","value"} */
    const char *name;         /* profile name, may be NULL */
    const char *thread;       /* API callers' thread id, NULL on platforms */
    const char *platform_id;  /* NULL: no dedupe (API callers use Idempotency-Key) */
    int64_t platform_ms;      /* platform's time, 0 if none */
    const char *type;
    const char *text;      /* what the agent reads; "" if nothing */
    const json_t *content; /* platform object, NULL for plain text */
    const char *reply_to;  /* platform id of the message it quotes, NULL */
    bool wants_turn;       /* push a QUEUE_TURN job unless a human has the conversation */
    int64_t turn_delay_ms; /* quiet time */
};
struct message_received {
    struct id conversation_id, message_id;
};
/* Adds to cs: the first-seen mark, contact, conversation (found or begun; window moved to +24 h on platforms
 * that have one), message, events, turn job. */
enum err message_receive(struct changes *cs, struct snapshot *snap, const char *part,
                         const struct message_inbound *in, struct message_received *out) MUST_CHECK;

/* ---- out ---- */
struct message_draft {
    const char *author_type; /* "ai", "human", "system" */
    const char *author_name; /* may be NULL */
    const char *type;        /* "text", ... */
    const char *text;
    const json_t *content;   /* for other types; borrowed */
    const json_t *citations; /* array, may be NULL */
    double confidence;       /* < 0: none */
    const char *source;      /* knowledge|model|flow|fallback|human, may be NULL */
    const char *turn_id;     /* may be NULL */
    const char *reply_to;    /* platform id of the message it quotes, may be NULL */
    int64_t expires_ms;      /* wall time after which it must not be sent any more, 0: never */
};
/* Adds a queued message and its QUEUE_SEND job (lane: the conversation). A text that is longer than one
 * bubble of the channel becomes several messages in order, the first of which carries citations and
 * confidence. conversation is not changed or written here: the caller does conversation_put with its guard.
 * Event agent.message.sent for a human's. Returns the message's id. */
struct id message_send(struct changes *cs, struct snapshot *snap, const char *part,
                       const json_t *conversation, const struct message_draft *draft);

/* The platform's id of the message that a caller wants to quote, from our id of it or the platform's own, into
 * out. ERR_INVALID: it is no message of that conversation, or the platform does not know it yet. */
enum err message_quoted(struct snapshot *snap, const char *part, const char *conversation_id,
                        const char *named, struct buf *out) MUST_CHECK;

/* ---- status ---- */
/* Moves msg (changed in place) to status if that is a step up, writes it with a guard on rev and appends the
 * event. error: for "failed", may be NULL. False if it is no step up: nothing was added. */
bool message_advance(struct changes *cs, struct snapshot *snap, const char *part, json_t *msg, uint64_t rev,
                     const char *status, const json_t *error);

/* The shape that leaves the house (API, events): without what only the sender needs. New reference. */
json_t *message_public(const json_t *msg);
/* The event of that type about msg: {"message"}, and {"contact"} if contact is not NULL. */
void message_event(struct changes *cs, struct snapshot *snap, const char *part, const char *type,
                   const json_t *msg, const json_t *contact);

/* Newest last: up to limit messages of a conversation, as a new array. */
enum err message_history(struct snapshot *snap, const char *part, const char *conversation_id, size_t limit,
                         json_t **messages) MUST_CHECK;

#endif
