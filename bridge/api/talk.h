/* talk.h: one message of a customer who talks over the API, from its commit to the agent's answer.
 *
 * talk.c takes the message in; talk_answer.c waits for the turn and renders the answer: one JSON object, or
 * server-sent events while the agent writes. The message is durable before the first byte of an answer
 * leaves. Thread: the request's loop. */
#ifndef CHASQUI_API_TALK_H
#define CHASQUI_API_TALK_H

#include "agent/agent.h"
#include "bridge/api/call.h"
#include "channels/message.h"
#include "queue/store.h"

struct loop_timer;

enum talk_form { TALK_OBJECT, TALK_DATA, TALK_STREAM }; /* plain object; inside "data"; server-sent events */

struct talk {
    struct call *c;
    enum talk_form form;
    const char *thread;
    struct message_received ids;
    bool human; /* a person has the conversation: no turn will come */
    bool committed;
    bool recording;  /* the answer is on its way to the record of the Idempotency-Key */
    bool done;       /* the answer is known */
    bool streaming;  /* http_stream_begin was called */
    bool gone;       /* the client went away */
    unsigned drafts; /* AGENT_STARTED seen */
    json_t *early;   /* news that came before the commit's own notice */
    struct buf sent; /* the text streamed so far */
    struct agent_watch *watch;
    struct loop_timer *timer;     /* the deadline */
    struct loop_timer *key_timer; /* streaming: when the key is looked at again */
};

/* Who speaks where. */
struct talk_speaker {
    json_t *agent, *channel; /* borrowed */
    const char *thread;
    bool human; /* a person has the conversation */
};
/* The agent's API channel, made on first use in the run's changes. False: the call has ended. */
bool talk_find_channel(struct call *c, struct talk_speaker *s);
/* Whether a person has the thread's conversation, into human. */
enum err talk_find_thread(struct snapshot *snap, const char *part, struct talk_speaker *s) MUST_CHECK;
/* Adds what body says ("message", "user_id", "attached_files") to the thread. */
enum err talk_take(struct changes *cs, struct snapshot *snap, const char *part, const struct talk_speaker *s,
                   const json_t *body, struct message_received *ids) MUST_CHECK;
/* Takes the call's body in and ends the call with what the agent says. */
void talk_receive(struct call *c, const struct talk_speaker *s, enum talk_form form);
/* The same in the thread that the body names, or in a new one. */
void talk_on_channel(struct call *c, struct talk_speaker *s, enum talk_form form);
/* One answer as an object; message may be NULL: nothing was said. New reference. */
json_t *talk_answer(const struct message_received *ids, const char *thread, const json_t *message,
                    const char *source);
/* Takes the messages of c->body in, each with its own answer, in order. */
void talk_batch(struct call *c, struct talk_speaker *s);

/* ---- talk_files.c ---- */
/* What a message with these attached files holds beside its text: the files that are ours, by their URL or
 * id. *type becomes the message's type where its agent reads the files. New reference, NULL: nothing. */
json_t *talk_files_take(struct snapshot *snap, const char *part, const json_t *agent, const json_t *attached,
                        const char **type);
/* Ties those files to the message, and asks for their words where none were read yet. */
void talk_files_link(struct changes *cs, struct snapshot *snap, const char *part, const json_t *content,
                     const struct message_received *ids);

/* A talk of this call with the watch not yet begun; ends with the request. */
struct talk *talk_new(struct call *c, enum talk_form form);
/* Watches the conversation; before the commit, so that nothing is missed. */
void talk_watch(struct talk *t);
/* For call_commit_then: c->state is the talk. */
void talk_committed(struct call *c, uint64_t rev);

#endif
