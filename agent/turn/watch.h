/* watch.h: news of a conversation's turns, for those who wait for a reply: invoke, stream, chat.
 *
 * A hub inside the process: a turn publishes, whoever watches that conversation is called on its own loop, in
 * order. A process sees only the turns it runs itself. Nothing is kept: who comes late asks the store.
 * Thread: any; callbacks and agent_watch_stop on the watcher's loop. */
#ifndef CHASQUI_AGENT_WATCH_H
#define CHASQUI_AGENT_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/base/json.h"

enum agent_news_kind {
    AGENT_STARTED, /* generation began */
    AGENT_DELTA, /* text: a piece of the reply (drafts: a conflict may take it back with a new AGENT_STARTED)
                  */
    AGENT_REPLIED, /* message: the committed reply */
    AGENT_HANDED,  /* the conversation is a person's now; message: the announcement, if any */
    AGENT_SILENT,  /* nothing is to be said (a human has the pen, nothing new) */
    AGENT_FAILED,  /* the turn gave up; text: reason class */
};
struct agent_news {
    enum agent_news_kind kind;
    const char *text;      /* good until the callback returns */
    const json_t *message; /* message record */
    const char
        *answers; /* id of the newest customer message that this turn deals with; "" if unknown. Ids rise: a
                     watcher that waits for its own message ignores finals whose answers is below it */
    bool final;   /* nothing more will come for this turn */
};
typedef void (*agent_news_fn)(const struct agent_news *news, void *arg);
struct agent_watch;

/* News of the conversation's turns, delivered on loop_current(). */
struct agent_watch *agent_watch_start(const char *part, const char *conversation_id, agent_news_fn fn,
                                      void *arg);
void agent_watch_stop(struct agent_watch *watch); /* on the same loop; no callback afterwards */

/* ---- for turns ---- */
/* True if somebody watches: only then is news worth building. Cheap. */
bool agent_watch_any(const char *part, const char *conversation_id);
/* Copies the news to every watcher's mailbox. */
void agent_watch_publish(const char *part, const char *conversation_id, const struct agent_news *news);

#endif
