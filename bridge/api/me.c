/* me.c: the account behind the key. */
#include "bridge/api/accounts.h"
#include "bridge/api/call.h"
#include "queue/base/zone.h"
#include "queue/events.h"

/* The shape that leaves; needs the call's snapshot. */
static json_t *show(struct call *c, const json_t *account)
{
    struct snapshot *snap = c->snap;
    json_t *me = json_object();
    jx_set_str(me, "id", jx_str(account, "user_id"));
    jx_set_str(me, "email", jx_str(account, "email"));
    jx_set_str(me, "plan", c->caller.plan->name);
    jx_set_int(me, "agents_count", (int64_t)snapshot_count(snap, KIND_AGENT, c->part, INDEX_NONE, NULL));
    jx_set_str(me, "api_version", EVENT_API_VERSION);
    jx_set_str(me, "account_id", c->caller.account_id);
    jx_set_str(me, "name", jx_str(account, "name"));
    jx_set_str(me, "mode", c->caller.mode == MODE_LIVE ? "live" : "test");
    jx_set_str(me, "time_zone", jx_str_or(account, "time_zone", "UTC"));
    return me;
}

void me_show(struct call *c)
{
    if (call_snap(c) != NULL) {
        call_reply(c, 200, show(c, c->caller.account));
    }
}

void me_change(struct call *c)
{
    json_t *account = NULL, *zone = json_object_get(c->body, "time_zone");
    uint64_t rev;

    if (call_snap(c) == NULL) {
        return;
    }
    if (json_is_string(zone) && !zone_known(json_string_value(zone))) {
        call_fail(c, API_BAD_FIELD, "time_zone", "time_zone must be an IANA name such as Europe/Madrid.");
        return;
    }
    enum err rc = account_get(c->snap, c->caller.account_id, &account, &rev);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    call_keep(c, account);
    if (zone != NULL) {
        jx_set(account, "time_zone", json_incref(zone));
    }
    changes_expect(call_changes(c), KIND_ACCOUNT, PARTITION_GLOBAL, c->caller.account_id, rev);
    changes_put(call_changes(c), KIND_ACCOUNT, PARTITION_GLOBAL, c->caller.account_id, account);
    call_audit(c, "account.changed", c->caller.account_id);
    call_commit(c, 200, show(c, account));
}
