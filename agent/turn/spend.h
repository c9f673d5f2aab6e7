/* spend.h: what turns cost: tokens and money, and the budgets that bound them.
 *
 * Prices stand in the model's settings, "price": {"input", "output", "cached"?}, for a million tokens each,
 * in whatever currency the account thinks in; money is counted in millionths of it. Counters of a partition
 * (changes_add), each also for the day (UTC) and the agent:
 *
 *     tokens.input  tokens.output  tokens.cached  cost.micros
 *     agent.AGENT_ID.NAME   day.YYYY-MM-DD.NAME   day.YYYY-MM-DD.agent.AGENT_ID.NAME
 *     conversation.CONVERSATION_ID.cost.micros
 *
 * "input" holds the cached ones too. What a server does not tell is estimated from sizes. Budgets: settings
 * "budget": {"tokens_per_message", "cost_per_conversation", "cost_per_day" (all agents of the account's
 * partition)}. Over budget no model is asked. Thread: the turn's. */
#ifndef CHASQUI_AGENT_SPEND_H
#define CHASQUI_AGENT_SPEND_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/model/model.h"
#include "queue/store.h"

struct spend {
    int64_t input, output, cached, micros;
    bool estimated; /* some of it */
};
/* What so many tokens cost in millionths. price: {"input", "output", "cached"}, NULL: nothing. */
int64_t spend_micros(const struct model_usage *usage, const json_t *price);
/* Adds the usage of one attempt; true if there was any. */
bool spend_note(struct spend *spent, const struct model_usage *usage, const json_t *price);
/* Writes the counters. */
void spend_write(struct changes *cs, const char *part, const char *agent_id, const char *conversation_id,
                 const struct spend *spent, int64_t now_ms);
/* True if the money of conversation or day is used up; spent: what this turn has not written yet. */
bool spend_over(struct snapshot *snap, const char *part, const json_t *budget, const char *conversation_id,
                const struct spend *spent, int64_t now_ms);

#endif
