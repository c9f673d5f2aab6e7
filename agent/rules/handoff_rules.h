/* handoff_rules.h: an agent's own rules for handing a conversation to a person.
 *
 * settings.handoff.rules: [{"name"?, "when": {condition: value, ...}, "then": {"assign_to"? or "queue"?,
 * "note"?, "announce"?}}]: every condition of "when" must hold; the first rule that holds fires, reason
 * "rule"; the conversation is assigned to {"name"} of a person or {"name", "type": "queue"}, out of which
 * whoever joins takes it. Conditions: "words" (list: one of these stands in the text), "pattern" (regular
 * expression), "sentiment"
 * ("negative"), "repeated" (n: the same question n times), "low_confidence" (n answers in a row that were
 * fallbacks), "topic" (list of document or collection ids: where the best passage stands), "contact" ({"key":
 * value}: metadata of the contact), "contact_tag" (list), "tag" (list: of the conversation), "message_type"
 * (list), "closed" (true: out of business hours), "channel" (list of types). Thread: any. */
#ifndef CHASQUI_AGENT_HANDOFF_RULES_H
#define CHASQUI_AGENT_HANDOFF_RULES_H

#include "queue/base/buf.h"
#include "queue/base/error.h"
#include "queue/base/json.h"

#define HANDOFF_RULES_MAX 50

/* ERR_INVALID: *field is a JSON pointer inside the list, good until the thread's next call. */
enum err handoff_rules_check(const json_t *rules, const char **field, struct buf *why) MUST_CHECK;

/* What a rule looks at. NULL and 0 where nothing is known (yet). */
struct handoff_view {
    const json_t *agent, *conversation, *contact, *burst, *history;
    const char *text, *folded;               /* the burst */
    const char *document_id, *collection_id; /* of the best passage */
    bool searched;                           /* the passages are known */
    int64_t now_ms;
};
/* The first rule that holds, NULL if none does. Before the search (searched false) rules with a topic are
 * passed over, after it only those are looked at. */
const json_t *handoff_rule_find(const struct handoff_view *view);
/* Points of bad mood in a folded text: words, capitals and marks of the text as typed; 2 and more is
 * negative. */
int mood_points(const char *text, const char *folded);

#endif
