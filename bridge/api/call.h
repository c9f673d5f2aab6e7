/* call.h: one API request on its way: who calls, what the path named, the body, and how it ends.
 *
 * A handler reads (call_snap, call_find), builds changes (call_changes) and ends in exactly one way:
 *     call_reply    an answer now
 *     call_fail     an error now; what was built is dropped
 *     call_commit   the changes become durable, then the answer leaves
 *     call_wait     the handler goes on by itself and ends the call later with one of the above
 * When the commit meets a conflict, the handler runs again from its beginning on a fresh snapshot: a handler
 * must therefore have no effect but its changes. The record of an Idempotency-Key, the counts of limits and
 * the answer are committed in the same change-set. Memory of a call is the request's arena. Thread: the
 * request's loop. */
#ifndef CHASQUI_API_CALL_H
#define CHASQUI_API_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "bridge/api/limits.h"
#include "bridge/api/route.h"
#include "bridge/api/surface.h"
#include "bridge/app.h"
#include "bridge/http/asset.h"
#include "bridge/http/http.h"
#include "queue/base/arena.h"
#include "queue/base/buf.h"
#include "queue/base/id.h"
#include "queue/base/json.h"
#include "queue/store.h"

enum api_error {
#define X(symbol, code, status, text) symbol,
#include "bridge/api/tbl_api_errors.h"
#undef X
    API_ERROR_COUNT
};

/* What all requests share. One for the process's life; made by api_attach. */
struct api {
    struct app *app;
    struct limits *limits;
    struct inflight *inflight; /* Idempotency-Keys under way */
    struct figures *figures;   /* for /metrics */
};

/* Who calls: always out of the key, never out of the request. */
struct caller {
    bool known;         /* authenticated */
    bool administrator; /* over the Unix socket, without a key */
    char account_id[ID_SIZE];
    char key_id[ID_SIZE]; /* "" for the administrator */
    enum mode mode;
    struct partition part;
    const struct plan *plan;
    json_t *account, *key; /* records; key NULL for the administrator */
};

enum call_end { CALL_OPEN, CALL_ANSWERED, CALL_COMMITTING, CALL_WAITING };

struct call {
    struct api *api;
    struct http_request *req;
    struct arena *arena;
    const struct surface *surface;
    struct route_match match;
    const struct route *route; /* NULL: none */
    struct caller caller;
    const char *part; /* caller.part.text */
    json_t *body;     /* canonical and checked; an empty object if there is none */
    void *state;      /* the handler's own */

    /* the run under way */
    struct snapshot *snap;
    struct changes *changes;
    struct buf why; /* scratch for rooms that explain a refusal */
    enum call_end end;
    bool running; /* inside the handler: the end is carried out behind it */
    unsigned runs;

    /* the answer */
    int status;
    json_t *answer;   /* canonical */
    const char *type; /* of an answer that is no JSON: its text is then in text, text_size */
    const char *text;
    size_t text_size;
    struct http_asset *asset; /* answers instead; NULL: none */
    bool bare;      /* the answer is not to be renamed by the surface */
    bool charged;   /* the message or knowledge window was taken from */
    unsigned units; /* how many of it */
    unsigned asked; /* the same, limited by the plan or not */
    struct limit_state window;
    bool has_window;
    void (*committed)(struct call *c, uint64_t rev); /* NULL: answer at once */
    char idem_id[65];                                /* record of the Idempotency-Key, "" if none */
    char idem_print[65];                             /* hash of method, path and body */
    bool idem_held;                                  /* in api->inflight */
};

/* ---- reading ---- */
/* The value of a path parameter, "" if the path has none of that name. */
const char *call_param(struct call *c, const char *name);
/* A query parameter by its canonical name, in the surface's spelling; NULL if absent. */
const char *call_query(struct call *c, const char *name);
/* The run's snapshot; NULL if it cannot be opened (the call has then failed). */
struct snapshot *call_snap(struct call *c);
/* A record of the caller's partition, borrowed for the call; NULL: the call has ended with 404. rev may be
 * NULL. */
json_t *call_find(struct call *c, enum kind kind, const char *id, uint64_t *rev);
/* The record that a field of the body names, borrowed alike; NULL: none is named, or the call has ended with 400
 * (c->end). Call call_snap before. */
json_t *call_named(struct call *c, enum kind kind, const char *field);
/* The agent that {agent} names, else the first active one. NULL: 404. */
json_t *call_agent(struct call *c, uint64_t *rev);
/* value lives until the call ends. Returns it. */
json_t *call_keep(struct call *c, json_t *value);
/* The run's change-set. */
struct changes *call_changes(struct call *c);

/* ---- ending ---- */
/* Steals answer; NULL: no body. */
void call_reply(struct call *c, int status, json_t *answer);
/* As call_reply with a body that is no JSON; data is copied. */
void call_text(struct call *c, int status, const char *type, const char *data, size_t size);
/* Answers with a page or script out of the binary (http/asset.h): 200 or 304. */
void call_asset(struct call *c, struct http_asset *asset);
void call_fail(struct call *c, enum api_error error, const char *field, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* A room refused: rc as it said it, field (may be NULL; a leading slash is dropped) and its words (may be
 * ""). */
void call_refuse(struct call *c, enum err rc, const char *field, const char *why);
/* Steals answer. */
void call_commit(struct call *c, int status, json_t *answer);
/* As call_commit, but fn takes over when the changes are durable; the answer is kept in c->answer. */
void call_commit_then(struct call *c, int status, json_t *answer, void (*fn)(struct call *c, uint64_t rev));
void call_wait(struct call *c);
/* Sends the answer kept by call_commit_then. */
void call_answer(struct call *c);
/* Ends a call that its handler answered by itself with http_stream_begin: only the books are closed. */
void call_streamed(struct call *c);
/* Takes units - 1 more from the route's window. False: the call has ended with 429. */
bool call_charge(struct call *c, unsigned units);

/* Closes the snapshot: the call will wait for something before it runs. */
void call_rest(struct call *c);
/* Runs the route's handler (again). */
void call_run(struct call *c);

/* One line in the account's audit log, with the effect. object may be NULL. Each line holds the hash of the one before. */
void call_audit(struct call *c, const char *action, const char *object);

#endif
