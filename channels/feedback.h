/* feedback.h: what customers think of an answer: told by an app over the API, by a thumb on the message, or
 * by a button.
 *
 * KIND_FEEDBACK record: {"id", "agent_id", "conversation_id", "contact_id", "message_id"|null, "rating":
 * "up|down", "comment"|null, "by": "api|reaction|button", "created_at"}; the newest stands on the
 * conversation, too. A button says it by its id, FEEDBACK_BUTTON_UP or _DOWN. Thread: any. */
#ifndef CHASQUI_CHANNELS_FEEDBACK_H
#define CHASQUI_CHANNELS_FEEDBACK_H

#include "queue/base/json.h"
#include "queue/store.h"

#define FEEDBACK_BUTTON_UP   "feedback_up"
#define FEEDBACK_BUTTON_DOWN "feedback_down"

struct feedback {
    const char *rating;     /* "up", "down" */
    const char *message_id; /* NULL: the whole conversation */
    const char *comment;    /* may be NULL */
    const char *by;
};
/* Adds record and event feedback.received and notes it on the conversation, which the caller writes with its
 * guard. New reference to the record. */
json_t *feedback_give(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation,
                      const struct feedback *feedback);
/* "up" or "down" if the emoji means that (skin tones do not matter), else NULL. */
const char *feedback_of_emoji(const char *emoji);
/* The same for the id of a button. */
const char *feedback_of_button(const char *id);

#endif
