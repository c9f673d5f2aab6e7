/* choice.h: which of several shown titles an answer means. Thread: any. */
#ifndef CHASQUI_AGENT_FLOW_CHOICE_H
#define CHASQUI_AGENT_FLOW_CHOICE_H

#include <stddef.h>

#include "queue/base/json.h"

/* The place in titles (an array of text) that text means; the number of titles if it means none of them or
 * more than one. It may be a title, its number counted from 1, or a short answer with words of one title only
 * ("the medium one" among "Small, 8 people", "Medium, 14 people"). */
size_t flow_choose(const json_t *titles, const char *text);

#endif
