/* spend.c: what turns cost: tokens and money. */
#include <stdio.h>
#include <string.h>

#include "agent/turn/spend.h"

#include "queue/base/clock.h"

#define NAME_SIZE 160
#define MICROS    1e6

int64_t spend_micros(const struct model_usage *usage, const json_t *price)
{
    double input = jx_num(price, "input", 0), output = jx_num(price, "output", 0);
    double cached = jx_num(price, "cached", input);
    int64_t fresh = usage->input > usage->cached ? usage->input - usage->cached : 0;

    return (int64_t)((double)fresh * input + (double)usage->cached * cached + (double)usage->output * output +
                     0.5);
}

bool spend_note(struct spend *spent, const struct model_usage *usage, const json_t *price)
{
    if (usage->input <= 0 && usage->output <= 0) {
        return false;
    }
    spent->input += usage->input;
    spent->output += usage->output;
    spent->cached += usage->cached;
    spent->micros += spend_micros(usage, price);
    spent->estimated = spent->estimated || !usage->known;
    return true;
}

/* The day of a moment, as counters are named. */
static void day_of(int64_t now_ms, char out[11])
{
    char text[CLOCK_TEXT_SIZE];

    clock_rfc3339(now_ms, text);
    snprintf(out, 11, "%.10s", text);
}

/* One figure, in all the places where it is counted. */
static void add(struct changes *cs, const char *part, const char *agent_id, const char *day, const char *name,
                int64_t value)
{
    char counter[NAME_SIZE];

    if (value == 0) {
        return;
    }
    changes_add(cs, part, name, value);
    snprintf(counter, sizeof counter, "agent.%s.%s", agent_id, name);
    changes_add(cs, part, counter, value);
    snprintf(counter, sizeof counter, "day.%s.%s", day, name);
    changes_add(cs, part, counter, value);
    snprintf(counter, sizeof counter, "day.%s.agent.%s.%s", day, agent_id, name);
    changes_add(cs, part, counter, value);
}

/* The counter of a conversation's cost. */
static void conversation_counter(const char *conversation_id, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "conversation.%s.cost.micros", conversation_id);
}

void spend_write(struct changes *cs, const char *part, const char *agent_id, const char *conversation_id,
                 const struct spend *spent, int64_t now_ms)
{
    char day[11], counter[NAME_SIZE];

    day_of(now_ms, day);
    add(cs, part, agent_id, day, "tokens.input", spent->input);
    add(cs, part, agent_id, day, "tokens.output", spent->output);
    add(cs, part, agent_id, day, "tokens.cached", spent->cached);
    add(cs, part, agent_id, day, "cost.micros", spent->micros);
    if (spent->micros > 0) {
        conversation_counter(conversation_id, counter);
        changes_add(cs, part, counter, spent->micros);
    }
}

/* True if counter and what is not written yet have reached a budget. */
static bool reached(struct snapshot *snap, const char *part, const char *counter, double budget,
                    int64_t unwritten)
{
    return budget >= 0 && (double)(snapshot_counter(snap, part, counter) + unwritten) >= budget * MICROS;
}

bool spend_over(struct snapshot *snap, const char *part, const json_t *budget, const char *conversation_id,
                const struct spend *spent, int64_t now_ms)
{
    char day[11], counter[NAME_SIZE];

    if (budget == NULL) {
        return false;
    }
    conversation_counter(conversation_id, counter);
    if (reached(snap, part, counter, jx_num(budget, "cost_per_conversation", -1), spent->micros)) {
        return true;
    }
    day_of(now_ms, day);
    snprintf(counter, sizeof counter, "day.%s.cost.micros", day);
    return reached(snap, part, counter, jx_num(budget, "cost_per_day", -1), spent->micros);
}
