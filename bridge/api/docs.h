/* docs.h: pages out of the program that other rooms answer with. Thread: the request's loop. */
#ifndef CHASQUI_API_DOCS_H
#define CHASQUI_API_DOCS_H

#include "bridge/api/call.h"

/* Answers with the test window of an API channel. */
void docs_window(struct call *c);

#endif
