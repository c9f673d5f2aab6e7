/* reply.h: how an answer leaves: error envelope, limit headers, the surface's case. Thread: the request's
 * loop. */
#ifndef CHASQUI_API_REPLY_H
#define CHASQUI_API_REPLY_H

#include "bridge/api/call.h"

struct api_error_row {
    const char *code;
    int status;
    const char *text;
};
const struct api_error_row *api_error_row(enum api_error error);
/* The row for a status the front itself refuses with. */
enum api_error api_error_of_status(int status);

/* The envelope of an error as text. field and message may be NULL or "". The caller frees. */
char *reply_error_text(enum api_error error, const char *field, const char *message, const char *request_id);
/* Sends c->status and c->answer with X-RateLimit-*. */
void reply_send(struct call *c);
/* The three X-RateLimit-* headers, if the caller's window is known. */
void reply_window(struct call *c);
/* What a browser must know of a page of ours and its files: nothing inline, nobody else's, in no frame. */
void reply_page_headers(struct call *c);

#endif
