/* ics.h: appointments as iCalendar (RFC 5545), a feed of many and an invitation of one, and the tokens for
 * programs that cannot send a key. Thread: any. */
#ifndef CHASQUI_AGENT_ICS_H
#define CHASQUI_AGENT_ICS_H

#include <stdbool.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

#define ICS_WORD_SIZE 40

void ics_feed(const json_t *agent, const json_t *appointments, struct buf *out);
/* METHOD:REQUEST, or CANCEL once it is cancelled. */
void ics_invitation(const json_t *agent, const json_t *appointment, struct buf *out);
/* A secret for one purpose ("calendar", "invitation") and id; word (no spaces, below ICS_WORD_SIZE) comes
 * back when it is opened. ERR_DENIED: there is no master key. */
enum err ics_token(const char *purpose, const char *id, const char *part, const char *word,
                   struct buf *out) MUST_CHECK;
/* False: not one of ours, or for something else. */
bool ics_token_open(const char *purpose, const char *id, const char *token, char part[PARTITION_SIZE],
                    char word[ICS_WORD_SIZE]);

#endif
