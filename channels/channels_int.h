/* channels_int.h: what the files of this room share among themselves. */
#ifndef CHASQUI_CHANNELS_CHANNELS_INT_H
#define CHASQUI_CHANNELS_CHANNELS_INT_H

#include "channels/channel.h"
#include "queue/base/json.h"
#include "queue/jobs.h"
#include "queue/store.h"

/* ---- the rows of the platforms, each in its own folder ---- */
#define X(ops) extern const struct channel_ops ops;
#include "channels/tbl_channels.h"
#undef X
extern const struct channel_ops sandbox_ops;

/* ---- contact.c ---- */
/* A business-scoped user id: two capitals, a dot, perhaps "ENT.", 1 to 128 letters and digits. */
bool contact_is_bsuid(const char *text);
/* A contact by id; follows the pointers that merges left. ERR_NOTFOUND. */
enum err contact_get(struct snapshot *snap, const char *part, const char *id, json_t **contact,
                     uint64_t *rev) MUST_CHECK;
json_t *contact_identity_new(const char *type, const char *value);
/* As contact_resolve, but conversations of merged contacts stay where they are: *merged lists those contacts'
 * ids. */
enum err contact_resolve_merging(struct changes *cs, struct snapshot *snap, const char *part,
                                 const json_t *identities, const char *name, json_t **contact,
                                 json_t **merged) MUST_CHECK;

/* ---- conversation.c ---- */
/* Hands the conversations of the contacts named in the array from to contact to, but for the conversation
 * except (NULL: all). */
enum err conversation_move(struct changes *cs, struct snapshot *snap, const char *part, const json_t *from,
                           const char *to, const char *except) MUST_CHECK;

/* ---- sealed.c ---- */
/* A number for texts that end in what was drawn at random, as ids and sealed texts do: only the end counts.
 */
unsigned slot_number(const char *text, size_t size);
/* As unseal; thread: any. What is not long is opened once and then kept in memory. */
enum err sealed_open(const char *context, const char *sealed, struct buf *out) MUST_CHECK;

/* ---- hook.c ---- */
/* A stored hook: its bytes live as long as the snapshot. *about: new reference to the line about the call. */
enum err hook_get(struct snapshot *snap, const char *part, const char *id, json_t **about, const char **body,
                  size_t *size) MUST_CHECK;

/* ---- intake.c ---- */
/* Adds what a post of one single message or status does, as its job would. False: it is none of that kind, or
 * cannot be taken now; cs may hold half of it then. */
bool intake_at_once(struct changes *cs, struct snapshot *snap, const char *part, const json_t *channel,
                    const char *body, size_t size) MUST_CHECK;

/* True while a post to this channel that came before that moment (wall time) is not taken apart. */
bool hook_waits(struct store *store, const char *part, const char *channel_id, int64_t before_ms);

/* ---- status.c ---- */
/* Applies an INBOUND_STATUS body to the message it names; cs stays empty if it changes nothing. ERR_NOTFOUND:
 * no such message. */
enum err status_apply(struct changes *cs, struct snapshot *snap, const char *part, const char *channel_id,
                      const json_t *status) MUST_CHECK;

/* ---- echo.c ---- */
/* What a person of the business wrote on the platform's own app: a human's message, and the pen is his. */
enum err echo_take(struct changes *cs, struct snapshot *snap, const char *part, const json_t *channel,
                   const json_t *body) MUST_CHECK;

/* ---- consent.c ---- */
/* True if the text is one of the words by which customers leave (*out true) or return. */
bool consent_word(const char *text, bool *out);
/* Notes in the contact's record that marketing is not (or again) wanted; by: "word", "platform", "refusal".
 * The caller's set guards the contact. */
void consent_set(struct changes *cs, const char *part, json_t *contact, bool out, const char *by);
bool consent_out(const json_t *contact);
/* Applies an INBOUND_CHOICE. */
enum err consent_take(struct changes *cs, struct snapshot *snap, const char *part,
                      const json_t *body) MUST_CHECK;

/* ---- refusal.c ---- */
/* What follows from a message that failed with this code, beside its own record: the window closes, the
 * customer is noted as opted out, a reply of the AI that did not arrive becomes a person's task or the
 * agent's fallback template.
 */
enum err refusal_follow(struct changes *cs, struct snapshot *snap, const char *part, const json_t *msg,
                        const char *code) MUST_CHECK;
/* The agent's fallback template as the content of a message of type template; NULL if it has none. text goes
 * in as the template's only parameter where the agent says so. New reference. */
json_t *refusal_template(struct snapshot *snap, const char *part, const json_t *conversation,
                         const char *text);

/* ---- pace.c ---- */
struct pace_wish {
    const char *channel_id, *contact_id;
    const char *message_id; /* whose place in the line is kept until it comes again; NULL: none is */
    int64_t per_second;     /* what the platform lets this number send; 0: unknown, the option decides */
    bool is_template;       /* of a campaign, as far as can be told: others go first */
};
/* How long this message has to wait, in ms of the monotonic clock; 0: it may go, and is counted. An operator
 * who set the option lower than the platform's own figure is obeyed. Thread: any. */
int64_t pace_take(const struct pace_wish *wish, int64_t now_ms);
/* Nothing leaves by this channel for ms; a hold that ends later is kept. pace_release: it may go on. */
void pace_hold(const char *channel_id, int64_t ms, int64_t now_ms);
void pace_release(const char *channel_id);
/* Tests: forgets everything. */
void pace_reset(void);

/* ---- doubt.c: of a queued outgoing message ---- */
#define DOUBT_LOOK_MS 500 /* how often a message in doubt looks whether a status has settled it */
/* True if the platform may have been called and did not tell what became of it. */
bool doubt_is(const json_t *message);
/* The wait for word counts from now (to be put by the caller); is_dated: it counts already, in this run of
 * the process. */
void doubt_date(json_t *message);
bool doubt_is_dated(const json_t *message);
/* What is left of the wait of a dated doubt; 0: decide. */
int64_t doubt_left(struct store *store, const char *part, const json_t *message);

/* ---- media.c ---- */
/* The content of a received message with its file: where it holds a platform's media id, a KIND_FILE record
 * and its job are added and the content names it as "file". New reference. */
json_t *media_note(struct changes *cs, const char *part, const json_t *channel, const json_t *msg,
                   const json_t *content);
void media_run(struct job *job, void *arg);

/* ---- account.c ---- */
/* Applies a notice about a business account to the channels that belong to it; own: the hook's channel. */
enum err account_note(struct changes *cs, struct snapshot *snap, const char *part, const json_t *own,
                      const json_t *notice) MUST_CHECK;

/* ---- template.c ---- */
/* Applies an account-level field about a template, if that is what it is. */
enum err template_note(struct changes *cs, struct snapshot *snap, const char *part, const json_t *channel,
                       const json_t *notice) MUST_CHECK;
/* The template of a message of type template, as far as it is known. New reference; NULL if it is not. */
json_t *template_of(struct snapshot *snap, const char *part, const json_t *msg);
void template_run(struct job *job, void *arg);

/* ---- job handlers ---- */
void receipt_run(struct job *job, void *arg);
void probe_run(struct job *job, void *arg);
/* Adds the job that looks after a channel that was just paused. */
void probe_push(struct changes *cs, const char *part, const char *channel_id);
void intake_run(struct job *job, void *arg);
void outbox_run(struct job *job, void *arg);
void sandbox_run(struct job *job, void *arg);

#endif
