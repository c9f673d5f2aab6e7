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

/* A talk of this call with the watch not yet begun; ends with the request. */
struct talk *talk_new(struct call *c, enum talk_form form);
/* Watches the conversation; before the commit, so that nothing is missed. */
void talk_watch(struct talk *t);
/* For call_commit_then: c->state is the talk. */
void talk_committed(struct call *c, uint64_t rev);

#endif
