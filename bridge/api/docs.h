/* docs.h: the reading page for documents other than the API's own. Thread: the request's loop. */
#ifndef CHASQUI_API_DOCS_H
#define CHASQUI_API_DOCS_H

#include "bridge/api/call.h"

/* Answers with the page of /docs, reading the OpenAPI document at this path of the server ("/openapi.json";
 * not input: no quotes, no markup). */
void docs_page_of(struct call *c, const char *document);

/* Answers with the test window of an API channel. */
void docs_window(struct call *c);

#endif
