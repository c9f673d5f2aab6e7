/* trials.c: adversarial tests of an agent over REST: begun, listed, shown case by case. */
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "bridge/trial.h"

void trials_list(struct call *c)
{
    json_t *agent = call_agent(c, NULL);
    if (agent == NULL) {
        return;
    }
    const char *id = jx_str_or(agent, "id", "-");
    struct list_spec spec = {.query = {.kind = KIND_TRIAL,
                                       .part = c->part,
                                       .index = INDEX_TRIAL_AGENT,
                                       .match = {id},
                                       .descending = true},
                             .show = trial_brief};
    spec.total = (int64_t)snapshot_count(c->snap, KIND_TRIAL, c->part, INDEX_TRIAL_AGENT, id);
    list_reply(c, &spec);
}

void trials_show(struct call *c)
{
    json_t *agent = call_agent(c, NULL);
    json_t *trial = agent != NULL ? call_find(c, KIND_TRIAL, call_param(c, "test"), NULL) : NULL;
    if (trial == NULL) {
        return;
    }
    if (strcmp(jx_str_or(trial, "agent_id", ""), jx_str_or(agent, "id", "-")) != 0) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such test.");
        return;
    }
    call_reply(c, 200, trial_public(trial));
}

/* True if the agent's newest test still runs. */
static bool is_running(struct call *c, const char *agent_id)
{
    struct store_page page;
    struct page_query query = {.kind = KIND_TRIAL,
                               .part = c->part,
                               .index = INDEX_TRIAL_AGENT,
                               .match = {agent_id},
                               .descending = true,
                               .limit = 1};
    if (snapshot_page(c->snap, &query, &page) != ERR_OK) {
        return false;
    }
    bool running = page.count > 0 && strcmp(jx_str_or(page.rows[0].body, "status", ""), "running") == 0;
    store_page_free(&page);
    return running;
}

void trials_create(struct call *c)
{
    uint64_t rev;
    json_t *agent = call_agent(c, &rev);
    if (agent == NULL) {
        return;
    }
    const char *id = jx_str_or(agent, "id", "-");
    if (is_running(c, id)) {
        call_fail(c, API_IMPOSSIBLE, NULL, "An adversarial test of this agent is running already.");
        return;
    }
    struct partition test = partition_of(c->caller.account_id, MODE_TEST);
    json_t *trial = trial_begin(call_changes(c), c->part, test.text, id);
    call_audit(c, "adversarial_test.started", jx_str(trial, "id"));
    json_t *answer = trial_brief(trial);
    json_decref(trial);
    call_commit(c, 202, answer);
}
