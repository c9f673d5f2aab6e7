/* me.c: the account behind the key. */
#include "bridge/api/call.h"
#include "queue/events.h"

void me_show(struct call *c)
{
    const json_t *account = c->caller.account;
    struct snapshot *snap = call_snap(c);
    if (snap == NULL) {
        return;
    }
    json_t *me = json_object();
    jx_set_str(me, "id", jx_str(account, "user_id"));
    jx_set_str(me, "email", jx_str(account, "email"));
    jx_set_str(me, "plan", c->caller.plan->name);
    jx_set_int(me, "agents_count", (int64_t)snapshot_count(snap, KIND_AGENT, c->part, INDEX_NONE, NULL));
    jx_set_str(me, "api_version", EVENT_API_VERSION);
    jx_set_str(me, "account_id", c->caller.account_id);
    jx_set_str(me, "name", jx_str(account, "name"));
    jx_set_str(me, "mode", c->caller.mode == MODE_LIVE ? "live" : "test");
    call_reply(c, 200, me);
}
