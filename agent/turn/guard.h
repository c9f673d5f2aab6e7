/* guard.h: what a model wrote is data: checked and cut before a customer sees it.
 *
 * Withheld as a whole: text that repeats the system part's mark or holds something shaped like a key. Taken
 * out: links to hosts that no source names, telephone numbers that neither a source nor the customer names.
 * Cut: length, at the end of a sentence. Thread: any. */
#ifndef CHASQUI_AGENT_GUARD_H
#define CHASQUI_AGENT_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "kb/kb.h"
#include "queue/base/arena.h"

#define GUARD_TEXT_MAX 4000 /* bytes of a reply */

struct guard {
    const char *canary;              /* NULL: none */
    const struct kb_result *sources; /* where hosts may come from; NULL: none */
    const char *persona;             /* trusted text that may name hosts, too; NULL: none */
    const char *customer;            /* what the customer wrote; NULL: nothing */
    const char *phone;               /* the customer's own number; NULL: none */
    bool truncated;                  /* the model stopped in mid-sentence */
};
struct guard_report {
    bool withheld;
    unsigned links_removed, numbers_removed;
};
/* The text that may be sent, in the arena; "" if nothing is left or it is withheld. */
char *guard_text(const struct guard *guard, const char *text, struct arena *arena,
                 struct guard_report *report);

#endif
