/* whatsapp.h: the WhatsApp Cloud API behind channel.h. Private to the room.
 *
 * Sources: Meta's "WhatsApp Cloud API" pages on webhooks (payload reference, verification, retries), on
 * sending messages and on error codes, as of 2026. Thread: all of it is pure, but for whatsapp_send, which
 * runs on a worker's loop. */
#ifndef CHASQUI_CHANNELS_WHATSAPP_WHATSAPP_H
#define CHASQUI_CHANNELS_WHATSAPP_WHATSAPP_H

#include "channels/channel.h"
#include "queue/base/httpc.h"

#define WHATSAPP_TEXT_MAX 4096

/* verify.c */
enum err whatsapp_challenge(const char *part, const json_t *channel, const struct hook_call *call,
                            struct buf *answer);
enum err whatsapp_verify(const char *part, const json_t *channel, const struct hook_call *call);
/* "sha256=HEX" over the bytes, compared in constant time. */
bool whatsapp_signature_ok(const char *secret, size_t secret_size, const char *body, size_t size,
                           const char *signature);

/* parse.c */
enum err whatsapp_parse(const json_t *channel, const char *body, size_t size, struct inbound_list *out);
/* {"code", "title", "detail"} of the first of a platform's errors; NULL if there is none. New reference. */
json_t *whatsapp_error_of(const json_t *errors);

/* parse_types.c: one message. Sets in body: type, text, content?, wants_turn. */
void whatsapp_message_body(const json_t *message, json_t *body);

/* body.c: the JSON of POST /messages. NULL if the contact has neither phone nor BSUID, or the type is none we
 * send. New reference. */
json_t *whatsapp_send_body(const json_t *contact, const json_t *message);

/* content.c */
bool whatsapp_field_ok(const char *field, const char *value, struct buf *why);
enum err whatsapp_content_check(const char *type, const char *text, const json_t *content, const char **field,
                                struct buf *why);

/* interactive.c: what is wrong with such a content, NULL if nothing is; *field: a JSON pointer into it. Both
 * are good until the thread's next check. */
const char *whatsapp_interactive_fault(const json_t *content, const char **field);
const char *whatsapp_template_fault(const json_t *content, const char **field);
const char *whatsapp_contacts_fault(const json_t *content, const char **field);

/* The identities of the recipient in an accepted send's answer: Meta may write a number in another way than
 * we did (Brazil, Mexico), and the customer's replies come from that one. New reference, maybe empty. */
json_t *whatsapp_recipient_of(const json_t *answer);

/* errors.c */
enum whatsapp_class {
    WHATSAPP_RETRY,    /* the same call may succeed later */
    WHATSAPP_REFUSED,  /* never for this message */
    WHATSAPP_TEMPLATE, /* only a template may be sent now */
    WHATSAPP_AUTH,     /* token or permission: the channel pauses */
    WHATSAPP_ACCOUNT,  /* configuration or account: the channel pauses */
};
enum whatsapp_scope { WHATSAPP_ONE, WHATSAPP_ALL }; /* RETRY: who waits: the message, or the channel */
struct whatsapp_error {
    int64_t first, last; /* codes */
    enum whatsapp_class class;
    int64_t wait_ms; /* RETRY: before the second attempt */
    int factor;      /* RETRY: each further wait is so many times longer */
    unsigned tries;  /* RETRY: attempts before it counts as refused; 0: as long as the message may wait */
    enum whatsapp_scope scope;
    const char *text;
};
/* The row of a code, NULL for one that has none. */
const struct whatsapp_error *whatsapp_error_row(int64_t code);
/* The rows in order, until NULL. */
const struct whatsapp_error *whatsapp_error_at(unsigned index);
/* What an answer of the Graph API to attempt number `attempt` (from 1) means; texts point into body and rows.
 */
struct send_result whatsapp_judge(long status, const json_t *body, unsigned attempt);

/* How long the channel should wait for the sake of a usage header (X-App-Usage,
 * X-Business-Use-Case-Usage: figures in per cent of a limit): a moment near the limit, the platform's own
 * estimate behind it; 0: not at all. header may be NULL. */
int64_t whatsapp_usage_hold(const char *header);
/* A code's meaning beyond its message. */
enum refusal whatsapp_refusal(const char *code);

/* account.c */
enum account_word whatsapp_account(json_t *channel, const json_t *notice);

/* send.c */
void whatsapp_send(const struct send_call *call, send_done_fn done, void *arg);
void whatsapp_receipt(const struct send_call *call, const char *platform_id, bool typing, send_done_fn done,
                      void *arg);
void whatsapp_probe(const struct send_call *call, send_done_fn done, void *arg);

/* media.c */
void whatsapp_fetch(const struct send_call *call, const char *media_id, media_done_fn done, void *arg);
/* media_id NULL: it failed so. */
typedef void (*whatsapp_uploaded_fn)(const char *media_id, const struct send_result *failure, void *arg);
/* The platform's id of a file of ours (KIND_FILE), uploaded if it has none yet. */
void whatsapp_upload(const struct send_call *call, const char *file_id, whatsapp_uploaded_fn done, void *arg);

/* templates.c */
void whatsapp_template_call(const struct send_call *call, const json_t *what, template_done_fn done,
                            void *arg);

/* marks.c: Markdown as WhatsApp's own marks. */
void whatsapp_marks(const char *text, struct buf *out);

/* graph.c: {graph_url}/{version}/PATH, and .../{phone_number_id}/REST (or ?QUERY). The caller frees them. */
char *whatsapp_url(const json_t *channel, const char *path);
char *whatsapp_number_url(const json_t *channel, const char *rest);
/* A call with the channel's token. False: the token cannot be opened, and done will not be called.
 * whatsapp_request fills in headers, trust and pool of a request; content_type NULL: it has no body. */
bool whatsapp_request(const struct send_call *call, struct httpc_request *request, const char *content_type,
                      httpc_done_fn done, void *arg);
bool whatsapp_call(const struct send_call *call, const char *method, const char *url,
                   const char *content_type, const struct buf *body, httpc_done_fn done, void *arg);

#endif
