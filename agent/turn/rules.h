/* rules.h: what no model may decide: when a person is needed, when nothing may be said. Private to the room.
 */
#ifndef CHASQUI_AGENT_RULES_H
#define CHASQUI_AGENT_RULES_H

#include <stdint.h>

#include "agent/turn/turn.h"

/* The handoff keyword of the list that stands in the folded text, NULL if none does. */
const char *rule_keyword(const json_t *keywords, const char *folded);
/* True if the history (oldest first) looks like another machine answering us. */
bool rule_loop(const json_t *history, int64_t now_ms);
/* What a message of this type asks for when it has no text. */
enum rule_media { MEDIA_READABLE, MEDIA_PERSON, MEDIA_IGNORED };
enum rule_media rule_media(const char *type);
/* True if a message holds words of the customer: a text or a caption. A channel puts "[image]" or the like in
 * the place of a text that is missing; nobody wrote that. */
bool rule_has_words(const json_t *message);
/* The agent's own rules (own_rules.c): hands over and says true if one holds; topics only behind the search. */
bool rule_own(struct turn *turn);
void rule_own_topic(struct turn *turn);

#endif
