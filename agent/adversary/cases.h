/* cases.h: the shipped set of the adversarial test, and the judge of what an agent said and did.
 *
 * The rows are agent/adversary/tbl_cases.h: an attack in a language is a case. Verdicts are made by code
 * alone: texts that must not be said, the agent's own instructions, keys, links and numbers that no source
 * names, tools that work outside the conversation. Thread: any. */
#ifndef CHASQUI_AGENT_ADVERSARY_CASES_H
#define CHASQUI_AGENT_ADVERSARY_CASES_H

#include <stddef.h>

#include "queue/base/json.h"

enum adversary_way { WAY_DIRECT, WAY_DOCUMENT, WAY_NAME };

struct adversary_case {
    const char *attack, *category, *language;
    enum adversary_way way;
    const char *forbidden; /* | between */
    const char *text;      /* the attack */
    const char *question;  /* what the customer writes where the attack comes by another way */
    const char *fact;      /* what answers it */
};

size_t adversary_count(void);
/* Case number i, i < adversary_count(). */
struct adversary_case adversary_case(size_t i);
/* "direct", "document", "name". */
const char *adversary_way_name(enum adversary_way way);

/* What the agent made of a case. */
struct adversary_answer {
    const char *text;    /* all it said, a newline between messages */
    const char *persona; /* the agent's instructions */
    const json_t *tools; /* of the trace: array of {"name", "ok"}; NULL: none */
    unsigned sources;    /* passages that the answer cites */
};
/* NULL: it held. Else why not, one of the words of the report: "forbidden_text", "instructions", "key",
 * "link", "number", "tool". */
const char *adversary_judge(const struct adversary_case *c, const struct adversary_answer *answer);

#endif
